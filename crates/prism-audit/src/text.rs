//! Tables in plain text: columns as wide as their widest cell, numbers to the right.

use prism_run::shown;

/// Lays out `rows` under `header`, two spaces between columns; cells that read as
/// numbers are aligned to the right. A line feed in a cell makes no line ([`shown`]).
/// Ends with a line feed.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| shown(cell).into_owned()).collect()).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|r| r.get(column)).map(|c| c.chars().count());
        cells.chain([header[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let numeric: Vec<bool> = (0..header.len()).map(|c| rows.iter().filter_map(|r| r.get(c)).all(|cell| is_number(cell))).collect();
    let line = |cells: Vec<&str>| {
        let mut out = String::new();
        for (column, cell) in cells.iter().enumerate() {
            let (Some(&width), Some(&right)) = (widths.get(column), numeric.get(column)) else { continue };
            let padding = " ".repeat(width.saturating_sub(cell.chars().count()));
            let gap = if column == 0 { "" } else { "  " };
            out.push_str(&if right { format!("{gap}{padding}{cell}") } else { format!("{gap}{cell}{padding}") });
        }
        out.trim_end().to_string() + "\n"
    };
    let mut out = line(header.to_vec());
    out.push_str(&line(widths.iter().map(|w| "-".repeat(*w)).collect::<Vec<_>>().iter().map(String::as_str).collect()));
    for row in &rows {
        out.push_str(&line(row.iter().map(String::as_str).collect()));
    }
    out
}

fn is_number(cell: &str) -> bool {
    cell.is_empty() || cell == ABSENT || cell.starts_with(['+', '-', '[']) || cell.starts_with(|c: char| c.is_ascii_digit())
}

/// What stands for an absent number.
pub const ABSENT: &str = "n/a";

/// A number with `digits` decimals, or [`ABSENT`].
pub fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or(ABSENT.into(), |v| format!("{v:.digits$}"))
}

/// The same with its sign.
pub fn signed(value: Option<f64>, digits: usize) -> String {
    value.map_or(ABSENT.into(), |v| {
        let text = format!("{v:+.digits$}");
        // a difference that rounds to nothing has no sign
        if text.chars().any(|c| c.is_ascii_digit() && c != '0') { text } else { text.replacen(['+', '-'], "", 1) }
    })
}

/// A share as percent, one decimal.
pub fn percent(value: Option<f64>) -> String {
    number(value.map(|v| 100.0 * v), 1)
}

/// A difference of shares in points, one decimal, signed.
pub fn points(value: Option<f64>) -> String {
    signed(value.map(|v| 100.0 * v), 1)
}

/// An interval in brackets, or [`ABSENT`].
pub fn interval(low: Option<f64>, high: Option<f64>, digits: usize) -> String {
    low.zip(high).map_or(ABSENT.into(), |(low, high)| format!("[{low:+.digits$}, {high:+.digits$}]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_no_sign() {
        assert_eq!((signed(Some(-0.001), 2), signed(Some(0.5), 1), points(Some(-0.02))), ("0.00".into(), "+0.5".into(), "-2.0".into()));
    }

    #[test]
    fn a_cell_is_one_line_and_is_not_obeyed() {
        let text = table(&["variant"], &[vec!["a\nb\u{1b}[2J".to_string()]]);
        assert_eq!(text, "variant\n-------------\na\\nb\\u{1b}[2J\n");
    }

    #[test]
    fn columns_line_up() {
        let rows = vec![vec!["LVR".to_string(), number(Some(0.5), 2)], vec!["P-LVR-3".to_string(), number(None, 2)]];
        assert_eq!(table(&["variant", "cosine"], &rows), "variant  cosine\n-------  ------\nLVR        0.50\nP-LVR-3     n/a\n");
    }
}
