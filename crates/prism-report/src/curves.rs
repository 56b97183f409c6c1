//! Training logs, thinned while they are read: memory does not grow with the run.

use std::io::{BufRead, BufReader};
use std::path::Path;

use prism_run::door::{self, Limit};
use prism_run::folder::names;
use serde_json::Value;

use crate::number::significant;

/// Points kept per curve, at least; twice as many at most.
const KEPT: usize = 100;
/// Longest line read; a longer one is not a log entry.
const LONGEST_LINE: u64 = 1 << 20;

/// The losses of one training run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Curves {
    /// Step and cross-entropy.
    pub ce: Vec<(f64, f64)>,
    /// Step and latent loss, before its weight.
    pub latent: Vec<(f64, f64)>,
    /// Log entries with a step.
    pub steps: usize,
    /// Entries a drawn point is the mean of, at most.
    pub averaged: usize,
    /// Lines that could not be read.
    pub damaged: usize,
}

/// A mean over neighbouring entries, widened whenever there are too many.
#[derive(Debug, Default)]
struct Thinned {
    done: Vec<(f64, f64)>,
    open: (f64, f64, usize),
    width: usize,
}

impl Thinned {
    fn push(&mut self, step: f64, value: f64) {
        self.width = self.width.max(1);
        self.open = (self.open.0 + step, self.open.1 + value, self.open.2 + 1);
        if self.open.2 == self.width {
            self.close();
        }
        if self.done.len() >= 2 * KEPT {
            self.done = self.done.chunks(2).map(mean).collect();
            self.width *= 2;
        }
    }

    fn close(&mut self) {
        let (step, value, n) = std::mem::take(&mut self.open);
        if n > 0 {
            self.done.push((step / n as f64, value / n as f64));
        }
    }

    fn finish(mut self) -> Vec<(f64, f64)> {
        self.close();
        self.done.iter().map(|(step, value)| (*step, significant(*value, 6))).collect()
    }
}

fn mean(points: &[(f64, f64)]) -> (f64, f64) {
    let n = points.len().max(1) as f64;
    (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n)
}

/// Reads the log of a training run folder.
///
/// # Errors
/// When the file cannot be opened or read.
pub fn read(run: &Path) -> Result<Curves, prism_run::Error> {
    let path = run.join(names::LOG);
    let file = door::open(&path)?;
    if file.metadata().map_err(|e| prism_run::Error::io("cannot read", &path, e))?.len() > Limit::Log.value() {
        return Err(Limit::Log.exceeded(&path));
    }
    let mut reader = BufReader::new(file);
    let (mut ce, mut latent) = (Thinned::default(), Thinned::default());
    let mut curves = Curves::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = std::io::Read::take(&mut reader, LONGEST_LINE)
            .read_until(b'\n', &mut line)
            .map_err(|e| prism_run::Error::io("cannot read", &path, e))?;
        if read == 0 {
            break;
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let Ok(entry) = serde_json::from_slice::<Value>(&line) else {
            curves.damaged += 1;
            continue;
        };
        let number = |key: &str| entry.get(key).and_then(Value::as_f64).filter(|v| v.is_finite());
        let Some(step) = number("step") else { continue };
        curves.steps += 1;
        if let Some(value) = number("ce") {
            ce.push(step, value);
        }
        if let Some(value) = number("latent") {
            latent.push(step, value);
        }
    }
    curves.averaged = ce.width.max(latent.width);
    curves.ce = ce.finish();
    curves.latent = latent.finish();
    Ok(curves)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curves_of(text: &str) -> Curves {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(names::LOG), text).unwrap();
        read(dir.path()).unwrap()
    }

    #[test]
    fn a_long_log_is_thinned_to_means_over_neighbours() {
        let text: String = (0..10_000).map(|s| format!("{{\"step\":{s},\"ce\":{s}.0,\"latent\":0.5}}\n")).collect();
        let curves = curves_of(&text);
        assert_eq!(curves.steps, 10_000);
        assert!((KEPT..=2 * KEPT).contains(&curves.ce.len()), "{}", curves.ce.len());
        assert!(curves.ce.iter().all(|(s, v)| (s - v).abs() < 1e-9));
        let first = curves.ce[0].0;
        assert!((first - (curves.averaged as f64 - 1.0) / 2.0).abs() < 1e-9, "{first} {}", curves.averaged);
    }

    #[test]
    fn values_have_six_digits_whatever_their_size() {
        let curves = curves_of("{\"step\":1,\"ce\":0.000123456789}\n{\"step\":2,\"ce\":123456789.0}\n");
        assert_eq!(curves.ce, [(1.0, 0.000_123_457), (2.0, 123_457_000.0)]);
    }

    #[test]
    fn damaged_lines_are_counted_and_numbers_that_are_not_finite_left_out() {
        let curves = curves_of("{\"step\":1,\"ce\":2.0}\n{\"step\":2,\"ce\":null}\nnonsense\n{\"step\":3,\"ce\":1.0,\"la");
        assert_eq!((curves.ce.len(), curves.damaged, curves.latent.len()), (1, 2, 0));
    }
}
