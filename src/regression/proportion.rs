//! Failures among runs, and the test whether there are more of them than before.

use statrs::distribution::{DiscreteCDF, Hypergeometric};

/// A count and what it is a part of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proportion {
    /// The part.
    pub numerator: i64,
    /// The whole.
    pub denominator: i64,
}

impl Proportion {
    /// `numerator` of `denominator`.
    #[must_use]
    pub const fn new(numerator: i64, denominator: i64) -> Self {
        Self { numerator, denominator }
    }

    /// From 0 to 1; 0 of nothing is 0.
    #[must_use]
    pub fn share(self) -> f64 {
        if self.denominator == 0 { 0.0 } else { self.numerator as f64 / self.denominator as f64 }
    }

    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self::new(self.numerator + other.numerator, self.denominator + other.denominator)
    }

    /// The independent runs that say as much as these: both counts divided, and rounded.
    #[must_use]
    pub fn shrunk(self, by: f64) -> Self {
        let divided = |count: i64| (count as f64 / by).round() as i64;
        Self::new(divided(self.numerator), divided(self.denominator))
    }
}

/// Fisher's exact test, one-sided: the probability that of all failures of both periods so many as in
/// `after`, or more, fall there by chance.
#[must_use]
pub fn p_value(before: Proportion, after: Proportion) -> f64 {
    let both = before.plus(after);
    let number = |count: i64| u64::try_from(count).unwrap_or_default();
    let Some(below) = number(after.numerator).checked_sub(1) else { return 1.0 };
    let distribution =
        Hypergeometric::new(number(both.denominator), number(both.numerator), number(after.denominator));
    // An error only for more failures than runs.
    distribution.map_or(1.0, |distribution| distribution.sf(below).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p(before: (i64, i64), after: (i64, i64)) -> f64 {
        p_value(Proportion::new(before.0, before.1), Proportion::new(after.0, after.1))
    }

    /// Fisher's tea tasting (1935), 3 of 4 cups right: 17/70; all four: 1/70.
    #[test]
    fn it_is_the_test_of_the_lady_tasting_tea() {
        assert!((p((1, 4), (3, 4)) - 17.0 / 70.0).abs() < 1e-12);
        assert!((p((0, 4), (4, 4)) - 1.0 / 70.0).abs() < 1e-12);
    }

    /// Convictions of like-sex twins of criminals (Fisher 1935, `?fisher.test` of R): 10 of 13
    /// monozygotic, 2 of 17 dizygotic; R gives 0.0004652.
    #[test]
    fn it_is_the_test_of_the_twins() {
        assert!((p((2, 17), (10, 13)) - 0.000_465_2).abs() < 5e-8);
    }

    /// By hand: 3 of 5 after 1 of 5. (C(4,3)·C(6,2) + C(4,4)·C(6,1)) / C(10,5) = 66/252.
    #[test]
    fn it_is_what_a_hand_computes() {
        assert!((p((1, 5), (3, 5)) - 66.0 / 252.0).abs() < 1e-12);
    }

    #[test]
    fn no_failures_and_no_runs_prove_nothing() {
        assert_eq!(p((3, 10), (0, 10)), 1.0);
        assert_eq!(p((0, 0), (5, 5)), 1.0);
        assert_eq!(p((0, 0), (0, 0)), 1.0);
    }

    #[test]
    fn large_counts_do_not_overflow() {
        let p = p((50_000, 1_000_000), (3_000, 50_000));
        assert!(p > 0.0 && p < 1e-15, "{p}");
    }
}
