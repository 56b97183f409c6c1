//! How far a covariance of few examples has to be shrunk.

/// Ledoit and Wolf's (2004) share of the identity for centred rows `[n][width]`, from 0 to 1.
/// Works on the Gram matrix of the rows, whose Frobenius norm is the covariance's.
pub fn ledoit_wolf(rows: &[Vec<f64>], width: usize) -> f64 {
    let (n, d) = (rows.len() as f64, width as f64);
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let norms: Vec<f64> = rows.iter().map(|row| dot(row, row)).collect();
    let trace = norms.iter().sum::<f64>() / n;
    let mean = trace / d;
    let mut frobenius = norms.iter().map(|norm| norm * norm).sum::<f64>();
    for (i, a) in rows.iter().enumerate() {
        for b in rows.iter().take(i) {
            frobenius += 2.0 * dot(a, b).powi(2);
        }
    }
    let squared = frobenius / (n * n);
    let quartic = norms.iter().map(|norm| norm * norm).sum::<f64>() / n;
    let distance = (squared - 2.0 * mean * trace + d * mean * mean) / d;
    let error = ((quartic - squared) / (d * n)).min(distance);
    if distance > 0.0 { (error / distance).clamp(0.0, 1.0) } else { 1.0 }
}
