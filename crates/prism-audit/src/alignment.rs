//! Alignment findings (method, section 5): how close latents are to their teacher
//! targets, teacher-forced and free-running, stages apart.

use std::collections::BTreeMap;

use prism_run::records::AlignmentRow;
use prism_run::{Mode, Stage};

use crate::findings::AlignmentFinding;
use crate::statistics::percentile::deviation;

/// Sums over the positions of one example, each column with its own count.
#[derive(Default)]
struct Sums([(f64, usize); 6]);

impl Sums {
    fn add(&mut self, row: &AlignmentRow) {
        let ratio = row.latent_norm / row.target_norm;
        let values = [row.cosine, row.mse, row.l2, row.latent_norm, row.target_norm, ratio];
        for ((sum, count), value) in self.0.iter_mut().zip(values) {
            if value.is_finite() {
                *sum += value;
                *count += 1;
            }
        }
    }

    fn mean(&self, column: usize) -> Option<f64> {
        let (sum, count) = *self.0.get(column)?;
        (count > 0).then(|| sum / count as f64)
    }
}

/// One finding per mode and stage: mean over examples of the example's mean over
/// positions. Values that are not finite are left out and counted in `reason`.
pub fn align(rows: &[AlignmentRow]) -> Vec<AlignmentFinding> {
    let mut groups: BTreeMap<(Mode, Stage), BTreeMap<usize, Sums>> = BTreeMap::new();
    for row in rows {
        groups.entry((row.mode, row.stage)).or_default().entry(row.row).or_default().add(row);
    }
    groups
        .into_iter()
        .map(|((mode, stage), examples)| {
            let of_group = || rows.iter().filter(|r| r.mode == mode && r.stage == stage);
            let undefined = of_group().filter(|r| !r.cosine.is_finite()).count();
            let means = |column: usize| -> Vec<f64> { examples.values().filter_map(|sums| sums.mean(column)).collect() };
            let cosines = means(0);
            AlignmentFinding {
                mode,
                stage,
                examples: examples.len(),
                positions: of_group().count(),
                cosine: mean(&cosines),
                cosine_sd: deviation(&cosines),
                mse: mean(&means(1)),
                l2: mean(&means(2)),
                latent_norm: mean(&means(3)),
                target_norm: mean(&means(4)),
                norm_ratio: mean(&means(5)),
                reason: (undefined > 0)
                    .then(|| format!("{undefined} positions have no cosine (a zero or non-finite vector) and are left out")),
            }
        })
        .collect()
}

/// The mean cosine of a mode at the target stage, the paper's column.
pub fn target_cosine(findings: &[AlignmentFinding], mode: Mode) -> Option<f64> {
    findings.iter().find(|f| f.mode == mode && f.stage == Stage::Target).and_then(|f| f.cosine)
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(row: usize, mode: Mode, step: usize, cosine: f64) -> AlignmentRow {
        AlignmentRow { row, mode, stage: Stage::Target, region: 0, step, cosine, mse: 1.0, l2: 2.0, latent_norm: 3.0, target_norm: 2.0 }
    }

    #[test]
    fn an_example_counts_once_however_long_its_block() {
        let rows = [
            row(0, Mode::TeacherForced, 0, 0.2),
            row(0, Mode::TeacherForced, 1, 0.4),
            row(1, Mode::TeacherForced, 0, 0.9),
            row(1, Mode::FreeRunning, 0, f64::NAN),
        ];
        let found = align(&rows);
        assert_eq!(found.len(), 2);
        assert!((found[0].cosine.unwrap() - 0.6).abs() < 1e-12);
        assert_eq!((found[0].examples, found[0].positions, found[0].norm_ratio), (2, 3, Some(1.5)));
        assert_eq!((found[1].cosine, found[1].cosine_sd), (None, None));
        assert!(found[1].reason.as_deref().unwrap().contains("no cosine"));
        assert!((target_cosine(&found, Mode::TeacherForced).unwrap() - 0.6).abs() < 1e-12);
    }
}
