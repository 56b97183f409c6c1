//! Numbers as a reader sees them: a true minus sign, a fixed number of digits,
//! and a dash where there is none. A number that is not finite counts as absent.

/// What stands where there is no number.
pub const ABSENT: &str = "–";

fn finite(value: Option<f64>) -> Option<f64> {
    value.filter(|v| v.is_finite())
}

/// `value` with `digits` decimals, e.g. `0.555`.
pub fn decimal(value: Option<f64>, digits: usize) -> String {
    finite(value).map_or_else(
        || ABSENT.into(),
        |v| {
            let text = format!("{v:.digits$}");
            // What rounds to zero has no sign.
            let idle = text.starts_with('-') && text.chars().all(|c| matches!(c, '-' | '0' | '.'));
            minus(if idle { text[1..].to_string() } else { text })
        },
    )
}

/// A share as percent with one decimal, e.g. `70.2`.
pub fn percent(share: Option<f64>) -> String {
    decimal(share.map(|s| s * 100.0), 1)
}

/// A difference of shares in points with its sign, e.g. `−2.6`, `+1.0`, `0.0`.
pub fn points(difference: Option<f64>) -> String {
    finite(difference).map_or_else(
        || ABSENT.into(),
        |d| {
            let text = format!("{:+.1}", d * 100.0);
            if matches!(text.as_str(), "+0.0" | "-0.0") { "0.0".into() } else { minus(text) }
        },
    )
}

/// A share in points without sign or idle digits, e.g. `5`, `2.5`.
pub fn plain_points(share: f64) -> String {
    let text = format!("{:.1}", share * 100.0);
    text.strip_suffix(".0").map_or(text.clone(), str::to_string)
}

/// A correlation with its sign, e.g. `−0.94`; a third digit where two would round it to 1.
pub fn correlation(r: Option<f64>) -> String {
    finite(r).map_or_else(
        || ABSENT.into(),
        |r| {
            let digits = if (0.995..1.0).contains(&r.abs()) { 3 } else { 2 };
            minus(format!("{r:+.digits$}"))
        },
    )
}

/// A p value, e.g. `0.10`, `0.004`, `< 0.001`.
pub fn p_value(p: Option<f64>) -> String {
    match finite(p) {
        None => ABSENT.into(),
        Some(p) if p < 0.001 => "< 0.001".into(),
        Some(p) if p < 0.01 => format!("{p:.3}"),
        Some(p) => format!("{p:.2}"),
    }
}

/// An interval, each end written by `write`, e.g. `[−6.0, +2.5]`; a dash unless both ends exist.
pub fn interval(low: Option<f64>, high: Option<f64>, write: impl Fn(Option<f64>) -> String) -> String {
    match (finite(low), finite(high)) {
        (Some(_), Some(_)) => format!("[{}, {}]", write(low), write(high)),
        _ => ABSENT.into(),
    }
}

/// A value with so many digits, whatever its size: a page holds thousands that are only drawn.
pub fn significant(value: f64, digits: usize) -> f64 {
    let after = digits.saturating_sub(1);
    format!("{value:.after$e}").parse().unwrap_or(value)
}

/// A small count in words, larger ones in digits.
pub fn count_word(n: usize) -> String {
    const WORDS: [&str; 11] = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
    WORDS.get(n).map_or_else(|| n.to_string(), |w| (*w).to_string())
}

/// Mean and the two extremes of the values that are there.
pub fn spread(values: impl Iterator<Item = Option<f64>>) -> Option<(f64, f64, f64)> {
    let all: Vec<f64> = values.filter_map(finite).collect();
    if all.is_empty() {
        return None;
    }
    let mean = all.iter().sum::<f64>() / all.len() as f64;
    let (low, high) = all.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)));
    Some((mean, low, high))
}

fn minus(text: String) -> String {
    text.replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_and_not_finite_are_dashes() {
        assert_eq!(percent(None), "–");
        assert_eq!(points(Some(f64::NAN)), "–");
        assert_eq!(p_value(Some(f64::INFINITY)), "–");
        assert_eq!(interval(Some(0.1), None, points), "–");
    }

    #[test]
    fn signs_and_small_values_are_written_plainly() {
        assert_eq!(points(Some(-0.026)), "−2.6");
        assert_eq!(points(Some(-0.0001)), "0.0");
        assert_eq!(correlation(Some(0.984)), "+0.98");
        assert_eq!(correlation(Some(-0.996)), "−0.996");
        assert_eq!(p_value(Some(1e-9)), "< 0.001");
        assert_eq!(interval(Some(-0.06), Some(0.02), points), "[−6.0, +2.0]");
    }
}
