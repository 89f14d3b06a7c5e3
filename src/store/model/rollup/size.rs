//! Classes of sizes: cores, memory and disk are counted in these.

/// Cores: inclusive upper bounds and their labels.
pub(crate) const CORE_CLASSES: [(i32, &str); 7] =
    [(0, "0"), (1, "1"), (2, "2"), (4, "3-4"), (8, "5-8"), (16, "9-16"), (i32::MAX, "17+")];
/// Memory in MB, likewise.
pub(crate) const RAM_CLASSES: [(i32, &str); 8] = [
    (512, "0-512"),
    (1024, "513-1024"),
    (2048, "1025-2048"),
    (4096, "2049-4096"),
    (8192, "4097-8192"),
    (16384, "8193-16384"),
    (32768, "16385-32768"),
    (i32::MAX, "32769+"),
];
/// Disk in GB, likewise.
pub(crate) const DISK_CLASSES: [(i32, &str); 8] = [
    (0, "0"),
    (2, "1-2"),
    (4, "3-4"),
    (8, "5-8"),
    (16, "9-16"),
    (32, "17-32"),
    (64, "33-64"),
    (i32::MAX, "65+"),
];

/// The labels of some classes, and the smallest size of each class after the first: how SQL is told about them.
pub(crate) fn labels_and_bounds<const N: usize>(
    classes: &[(i32, &'static str); N],
) -> (Vec<&'static str>, Vec<i32>) {
    (
        classes.iter().map(|(_, label)| *label).collect(),
        classes[..N - 1].iter().map(|(bound, _)| bound + 1).collect(),
    )
}

/// The label of the class of a size; empty without a size.
pub(super) fn class(classes: &[(i32, &'static str)], size: Option<&i32>) -> &'static str {
    let class = size.and_then(|size| classes.iter().find(|(bound, _)| size <= bound));
    class.map_or("", |(_, label)| label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_fall_into_the_class_that_names_them() {
        assert_eq!(class(&RAM_CLASSES, Some(&2048)), "1025-2048");
        assert_eq!(class(&CORE_CLASSES, Some(&3)), "3-4");
        assert_eq!(class(&DISK_CLASSES, Some(&65)), "65+");
        assert_eq!(class(&DISK_CLASSES, None), "");
    }
}
