//! The variables of a typical run. The unit tests of events use them too.

/// Variables that build.func exports for an LXC container.
pub(crate) const VARIABLES: [(&str, &str); 9] = [
    ("RANDOM_UUID", "550e8400-e29b"),
    ("NSAPP", "jellyfin"),
    ("CT_TYPE", "1"),
    ("DISK_SIZE", "8"),
    ("CORE_COUNT", "2"),
    ("RAM_SIZE", "2048"),
    ("var_os", "debian"),
    ("var_version", "12"),
    ("METHOD", "default"),
];
