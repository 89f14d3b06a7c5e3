//! The false discovery rate.

/// The q value of each test, given its p value and its weight: the expected share of false discoveries among
/// all tests whose q value is not greater (Benjamini and Hochberg, 1995). Each p value is divided by its weight,
/// and the weights are scaled to a mean of 1 (Genovese, Roeder and Wasserman, 2006). The tests must be
/// independent or positively dependent, as windows of one script are.
pub(super) fn q_values(tests: &[(f64, f64)]) -> Vec<f64> {
    let mean_weight = tests.iter().map(|test| test.1).sum::<f64>() / tests.len() as f64;
    let p_values: Vec<_> = tests.iter().map(|(p, weight)| p * mean_weight / weight).collect();
    let mut order: Vec<_> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut q_values = vec![1.0; p_values.len()];
    let mut least = 1.0_f64;
    for (rank, index) in order.into_iter().enumerate().rev() {
        least = least.min(p_values[index] * p_values.len() as f64 / (rank + 1) as f64);
        q_values[index] = least;
    }
    q_values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        let close = found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-12);
        assert!(close, "{found:?}");
    }

    /// The same as `p.adjust(c(.01, .04, .03, .005), "BH")` in R.
    #[test]
    fn equal_weights_give_the_q_values_of_the_textbook() {
        let equal = [0.01, 0.04, 0.03, 0.005].map(|p| (p, 7.0));
        assert_close(&q_values(&equal), &[0.02, 0.04, 0.04, 0.02]);
    }

    /// Computed by hand: the mean weight is 1.5, so p·1.5/w is 0.03 and 0.0225; times 2/2 and 2/1.
    #[test]
    fn a_weight_favours_its_test_at_the_expense_of_the_others() {
        assert_close(&q_values(&[(0.02, 1.0), (0.03, 2.0)]), &[0.03, 0.03]);
        assert_close(&q_values(&[(0.2, 1.0), (0.03, 2.0)]), &[0.3, 0.045]);
    }

    #[test]
    fn the_q_value_of_a_single_test_is_its_p_value() {
        assert_close(&q_values(&[(0.3, 2.0)]), &[0.3]);
        assert_close(&q_values(&[]), &[]);
    }
}
