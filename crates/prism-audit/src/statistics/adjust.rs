//! Adjusted p-values of a family of tests.

/// Holm's step-down p-values (family-wise error), in the order given.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let (mut adjusted, mut largest) = (vec![0.0; p.len()], 0.0f64);
    for (rank, &i) in order.iter().enumerate() {
        largest = largest.max((p[i] * (p.len() - rank) as f64).min(1.0));
        adjusted[i] = largest;
    }
    adjusted
}

/// Benjamini and Hochberg's step-up p-values (false discovery rate), in the order given.
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[b].total_cmp(&p[a]));
    let (mut adjusted, mut smallest) = (vec![0.0; p.len()], 1.0f64);
    for (passed, &i) in order.iter().enumerate() {
        smallest = smallest.min(p[i] * p.len() as f64 / (p.len() - passed) as f64);
        adjusted[i] = smallest;
    }
    adjusted
}
