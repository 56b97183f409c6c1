//! A row of `probe.parquet`: whose vectors it is about, and one without numbers.

use prism_run::Position;

use super::rows::Place;
use super::targets::Target;
use crate::findings::ProbeFinding;
use crate::statistics::entropy::entropy;

/// `source` of a run's own vectors.
pub const OWN: &str = "own";

/// Whether a row is the run's own probe for gold at a position's last layer.
pub fn is_own(finding: &ProbeFinding, position: Position) -> bool {
    finding.position == position.name() && finding.layer.is_none() && finding.source == OWN && finding.target == Target::Gold.name()
}

/// A row without numbers.
pub(super) fn empty(place: &Place, source: &str, target: Target, counts: &[usize], folds: usize) -> ProbeFinding {
    let largest = counts.iter().copied().max().unwrap_or(0);
    let rows: usize = counts.iter().sum();
    ProbeFinding {
        position: place.position.clone(),
        layer: place.layer,
        source: source.into(),
        target: target.name().into(),
        rows,
        left_out: 0,
        clusters: rows,
        classes: counts.len(),
        folds,
        repeats: 0,
        accuracy: None,
        repeat_low: None,
        repeat_high: None,
        accuracy_sd: None,
        item_low: None,
        item_high: None,
        cross_entropy: None,
        label_entropy: (rows > 0).then(|| entropy(counts)),
        mi: None,
        mi_low: None,
        mi_high: None,
        mi_clamped: None,
        mi_uniform: None,
        majority: (rows > 0).then(|| largest as f64 / rows as f64),
        floor_category: None,
        floor_options: None,
        floor_answer: None,
        best_floor: None,
        floor_rows: None,
        floor_accuracy: None,
        above_floor: None,
        above_floor_low: None,
        above_floor_high: None,
        floors_absent: None,
        control_draws: None,
        control_accuracy: None,
        selectivity: None,
        permutation_p: None,
        description_length: None,
        compression: None,
        c: None,
        iterations_max: None,
        converged: None,
        gradient_max: None,
        tight_cross_entropy: None,
        reason: None,
    }
}
