//! A row of numbers as a row of blocks.

/// Blocks by height.
pub const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// The same where there are no blocks.
pub const ASCII: [char; 8] = ['_', '.', ',', '-', '~', '=', '*', '#'];

/// At most `width` blocks, each the mean of its share of the values, from the
/// smallest mean to the largest; empty without finite values.
pub fn sparkline(values: &[f64], width: usize) -> String {
    let finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    let count = finite.len().min(width);
    let mean = |i: usize| {
        let share = &finite[i * finite.len() / count..(i + 1) * finite.len() / count];
        share.iter().sum::<f64>() / share.len() as f64
    };
    let means: Vec<f64> = (0..count).map(mean).collect();
    let (low, high) = means.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
    let level = |v: &f64| if high > low { ((v - low) / (high - low) * 7.0).round() as usize } else { 0 };
    means.iter().map(|v| LEVELS[level(v).min(7)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_is_lowest_and_the_largest_highest() {
        assert_eq!(sparkline(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], 8), "▁▂▃▄▅▆▇█");
        assert_eq!(sparkline(&[2.0, 4.0, 1.0, 1.0], 2), "█▁");
        assert_eq!(sparkline(&[3.0, 3.0], 8), "▁▁");
        assert_eq!(sparkline(&[f64::NAN], 8), "");
        assert_eq!(sparkline(&[], 8), "");
    }
}
