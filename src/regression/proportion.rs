//! Proportions of failures, and the test whether a proportion rose.

use statrs::distribution::{DiscreteCDF, Hypergeometric};

/// A part of a whole, both counted.
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

    /// The quotient, from 0 to 1; 0 if the denominator is 0.
    #[must_use]
    pub fn share(self) -> f64 {
        if self.denominator == 0 { 0.0 } else { self.numerator as f64 / self.denominator as f64 }
    }

    /// The proportion of both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self::new(self.numerator + other.numerator, self.denominator + other.denominator)
    }

    /// Both counts divided and rounded: the number of independent executions that carry as much information.
    #[must_use]
    pub fn shrunk(self, by: f64) -> Self {
        let divided = |count: i64| (count as f64 / by).round() as i64;
        Self::new(divided(self.numerator), divided(self.denominator))
    }
}

/// Fisher's exact test, one-sided: the probability that, of all failures of both periods, at least as many as
/// there are fall into `after` by chance.
#[must_use]
pub fn p_value(before: Proportion, after: Proportion) -> f64 {
    let both = before.plus(after);
    let number = |count: i64| u64::try_from(count).unwrap_or_default();
    let Some(below) = number(after.numerator).checked_sub(1) else { return 1.0 };
    let distribution =
        Hypergeometric::new(number(both.denominator), number(both.numerator), number(after.denominator));
    // The only error is for more failures than executions.
    distribution.map_or(1.0, |distribution| distribution.sf(below).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p(before: (i64, i64), after: (i64, i64)) -> f64 {
        p_value(Proportion::new(before.0, before.1), Proportion::new(after.0, after.1))
    }

    /// Fisher's lady tasting tea (1935): 17/70 for three of four cups, 1/70 for all four.
    #[test]
    fn it_gives_the_p_values_of_the_lady_tasting_tea() {
        assert!((p((1, 4), (3, 4)) - 17.0 / 70.0).abs() < 1e-12);
        assert!((p((0, 4), (4, 4)) - 1.0 / 70.0).abs() < 1e-12);
    }

    /// Convictions of like-sex twins of criminals (Fisher 1935, `?fisher.test` of R): 10 of 13
    /// monozygotic, 2 of 17 dizygotic; R gives 0.0004652.
    #[test]
    fn it_gives_the_p_value_of_the_convicted_twins() {
        assert!((p((2, 17), (10, 13)) - 0.000_465_2).abs() < 5e-8);
    }

    /// Computed by hand for 3 of 5 after 1 of 5: (C(4,3)·C(6,2) + C(4,4)·C(6,1)) / C(10,5) = 66/252.
    #[test]
    fn it_gives_a_p_value_computed_by_hand() {
        assert!((p((1, 5), (3, 5)) - 66.0 / 252.0).abs() < 1e-12);
    }

    #[test]
    fn without_failures_or_executions_it_is_one() {
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
