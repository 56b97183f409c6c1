//! Sampled answers to the same questions: their accuracy, with an interval that lets the samples of a
//! question agree.

use std::collections::BTreeMap;

use prism_audit::statistics::cluster_robust::cluster_mean;
use prism_run::Example;
use serde_json::json;

use crate::Context;

/// Right answers and samples of each row.
#[derive(Default)]
pub struct Sampled(BTreeMap<usize, (f64, usize)>);

impl Sampled {
    /// Counts one answer.
    pub fn take(&mut self, example: &Example, right: bool) {
        let of_row = self.0.entry(example.row).or_default();
        of_row.0 += f64::from(u8::from(right));
        of_row.1 += 1;
    }

    /// Says the accuracy over the samples; the interval needs two rows.
    ///
    /// # Errors
    /// The result cannot be written.
    pub fn tell(&self, samples: u32, context: &Context) -> anyhow::Result<()> {
        let clusters: Vec<(f64, usize)> = self.0.values().copied().collect();
        let (right, all) = clusters.iter().fold((0.0, 0), |(right, all), (r, n)| (right + r, all + n));
        let accuracy = right / (all.max(1) as f64);
        let interval = cluster_mean(&clusters).and_then(|mean| mean.interval(0.95));
        context.printer.result_json(&json!({
            "rows": clusters.len(), "samples": samples, "accuracy": accuracy,
            "low": interval.map(|i| i.low), "high": interval.map(|i| i.high),
        }))?;
        let bounds = interval.map_or_else(
            || "no interval from one row".to_string(),
            |i| format!("95 % interval {:.1} to {:.1}, over questions whose samples may agree", 100.0 * i.low, 100.0 * i.high),
        );
        let text = format!("accuracy {:.1} % over {samples} samples of {} rows ({bounds})", 100.0 * accuracy, clusters.len());
        context.printer.result(&text);
        Ok(())
    }
}
