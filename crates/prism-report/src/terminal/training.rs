//! A training in the terminal: its losses as rows of blocks, and its log's last line.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use prism_run::door;
use prism_run::folder::names;
use serde_json::Value;

use super::sparkline::sparkline;
use super::{Look, Screen};
use crate::curves::{self, Curves};

/// How far from its end the last line of a log is looked for.
const TAIL: u64 = 1 << 16;

/// What a log says.
#[derive(Debug, Clone)]
pub struct Log {
    /// The losses, thinned.
    pub curves: Curves,
    /// The last whole entry.
    pub last: Option<Value>,
}

/// Reads the log of a training run folder.
///
/// # Errors
/// When it cannot be read.
pub fn read(run: &Path) -> Result<Log, prism_run::Error> {
    let curves = curves::read(run)?;
    let path = run.join(names::LOG);
    let unread = |e| prism_run::Error::io("cannot read", &path, e);
    let mut file = door::open(&path)?;
    let length = file.metadata().map_err(unread)?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).map_err(unread)?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail).map_err(unread)?;
    let text = String::from_utf8_lossy(&tail);
    let last = text.lines().rev().find_map(|line| serde_json::from_str::<Value>(line).ok().filter(Value::is_object));
    Ok(Log { curves, last })
}

/// Draws it.
pub fn draw(log: &Log, screen: &mut Screen, look: Look) {
    screen.heading(&format!("Training: {} steps logged", log.curves.steps));
    for (name, points) in [("cross-entropy", &log.curves.ce), ("latent loss", &log.curves.latent)] {
        let values: Vec<f64> = points.iter().map(|p| p.1).collect();
        if let (Some(first), Some(last)) = (values.first(), values.last()) {
            let ends = format!("{first:.4} to {last:.4}");
            let room = look.width.saturating_sub(16 + ends.len()).clamp(8, 60);
            screen.line(format!("{name:<14}{} {ends}", sparkline(&values, room)));
        }
    }
    if log.curves.damaged > 0 {
        screen.line(format!("{} lines of the log could not be read", log.curves.damaged));
    }
    match log.last.as_ref().and_then(Value::as_object) {
        None => screen.line("no entry in the log yet"),
        Some(entry) => {
            let words: Vec<String> = entry.iter().map(|(key, value)| format!("{key} {}", number(value))).collect();
            screen.wrapped(&format!("last: {}", words.join(", ")), look);
        }
    }
}

/// A number with four significant digits, anything else as it is.
fn number(value: &Value) -> String {
    match value.as_f64() {
        Some(v) if value.is_f64() && v != 0.0 => {
            let digits = 3 - v.abs().log10().floor() as i32;
            if (0..=6).contains(&digits) { format!("{v:.*}", digits as usize) } else { format!("{v:.3e}") }
        }
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_whole_entry_is_told_and_a_torn_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join(names::LOG),
            "{\"step\":1,\"ce\":2.0}\n{\"step\":2,\"ce\":1.23456,\"lr\":0.00012}\n{\"step\":3,\"ce",
        )
        .unwrap();
        let log = read(folder.path()).unwrap();
        let look = Look { width: 70, unicode: true, color: false };
        let mut screen = Screen::default();
        draw(&log, &mut screen, look);
        let text = screen.text(look);
        assert!(text.contains("█▁ 2.0000 to 1.2346") && text.contains("last: ") && text.contains("ce 1.235"), "{text}");
        assert!(text.contains("lr 1.200e-4") && text.contains("1 lines of the log"), "{text}");
    }
}
