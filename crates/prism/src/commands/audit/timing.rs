//! How long the examples of a run took, told on stderr.

use std::path::Path;

use prism_audit::text::table;
use prism_record::record::rows;
use prism_run::records::TimingRow;

use crate::Context;
use crate::machine::{self, gibibytes};

/// Tells the split of the run's times and the peak memory; of `examples` in all.
///
/// # Errors
/// When the table of times is damaged.
pub fn tell(run: &Path, examples: usize, context: &Context) -> anyhow::Result<()> {
    let times = rows::timing(run)?;
    if times.is_empty() {
        context.printer.narrate("no times: the records were there already, made without --timing");
    } else {
        context.printer.narrate(&summary(&times, examples));
    }
    let peak = machine::peak_memory().map_or("unknown on this system".into(), gibibytes);
    context.printer.narrate(&format!("peak resident memory of this command: {peak}"));
    Ok(())
}

/// The seconds of one stage.
type Stage = fn(&TimingRow) -> f64;

fn summary(times: &[TimingRow], examples: usize) -> String {
    let count = times.len() as f64;
    let stages: [(&str, Stage); 4] =
        [("image", |t| t.image), ("vision", |t| t.vision), ("prefill", |t| t.prefill), ("decode", |t| t.decode)];
    let whole = |t: &TimingRow| stages.iter().map(|(_, of)| of(t)).sum::<f64>();
    let total: f64 = times.iter().map(whole).sum();
    let line = |name: &str, seconds: f64, most: f64| {
        let share = if total > 0.0 { 100.0 * seconds / total } else { 0.0 };
        vec![name.to_string(), format!("{seconds:.3}"), format!("{:.4}", seconds / count), format!("{most:.4}"), format!("{share:.1}")]
    };
    let most = |of: &dyn Fn(&TimingRow) -> f64| times.iter().map(of).fold(0.0, f64::max);
    let mut rows: Vec<Vec<String>> = stages.iter().map(|(name, of)| line(name, times.iter().map(of).sum(), most(of))).collect();
    rows.push(line("all", total, most(&whole)));
    let forwards: usize = times.iter().map(|t| t.forwards).sum();
    let decode: f64 = times.iter().map(|t| t.decode).sum();
    let each = if forwards > 0 { format!(", {:.2} ms each", 1e3 * decode / forwards as f64) } else { String::new() };
    let text = table(&["stage", "seconds", "an example", "longest", "%"], &rows);
    let missing = examples.saturating_sub(times.len());
    let missing = if missing > 0 { format!("; {missing} examples were run without --timing") } else { String::new() };
    format!("{text}{} examples, {forwards} forwards{each}{missing}", times.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_split_adds_up() {
        let row = |row, vision| TimingRow {
            row,
            id: row.to_string(),
            visual_tokens: 4,
            prompt_tokens: 9,
            image: 0.5,
            vision,
            prefill: 1.0,
            decode: 2.0,
            prefills: 1,
            forwards: 10,
        };
        let text = summary(&[row(0, 0.5), row(1, 2.5)], 3);
        let words: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(words[3], ["vision", "3.000", "1.5000", "2.5000", "30.0"]);
        assert_eq!(words[6], ["all", "10.000", "5.0000", "6.0000", "100.0"]);
        assert!(text.ends_with("2 examples, 20 forwards, 200.00 ms each; 1 examples were run without --timing"), "{text}");
    }
}
