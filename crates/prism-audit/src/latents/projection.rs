//! The clean latents in the plane of their stage's first two principal components.

use std::collections::BTreeMap;

use prism_run::records::{AnswerRow, ExampleRow};

use super::sets::{Named, Set, centred, norm, sets};
use crate::findings::ProjectionFinding;
use crate::probe::matrix::{Matrix, dot};

/// Rounds of power iteration; a plane to look at needs no more.
const ROUNDS: usize = 200;

/// One row per latent of the clean run, stage by stage. Empty where a stage has no spread.
pub fn projection(vectors: &Named, examples: &[ExampleRow], answers: &[AnswerRow]) -> Vec<ProjectionFinding> {
    let labels: BTreeMap<i64, &str> = examples.iter().map(|e| (e.row as i64, e.label.as_str())).collect();
    let clean = answers.iter().filter(|a| a.intervention.is_clean());
    let letters: BTreeMap<i64, Option<&String>> = clean.map(|a| (a.row as i64, a.answer.as_ref())).collect();
    let all = sets(vectors, prism_run::Cloud::FreeRunning);
    let mut found = Vec::new();
    for stage in [prism_run::Stage::Context, prism_run::Stage::Target] {
        let of_stage: Vec<&Set> = all.iter().filter(|set| set.stage == stage).collect();
        let Some(width) = of_stage.first().map(|set| set.matrix.columns) else { continue };
        let values: Vec<f64> = of_stage.iter().flat_map(|set| set.matrix.values.iter().copied()).collect();
        let cloud = centred(&Matrix { rows: values.len() / width.max(1), columns: width, values });
        let Some([(x_axis, x_share), (y_axis, y_share)]) = plane(&cloud) else { continue };
        let places = of_stage.iter().flat_map(|set| set.rows.iter().map(|row| (*row, set.step)));
        for (i, (row, step)) in places.enumerate() {
            let Ok(example) = usize::try_from(row) else { continue };
            found.push(ProjectionFinding {
                row: example,
                stage,
                step,
                x: dot(cloud.row(i), &x_axis),
                y: dot(cloud.row(i), &y_axis),
                x_share,
                y_share,
                answer: letters.get(&row).copied().flatten().cloned(),
                label: labels.get(&row).copied().unwrap_or_default().to_string(),
            });
        }
    }
    found.sort_by_key(|p| (p.row, p.stage != prism_run::Stage::Context, p.step));
    found
}

/// The first two principal directions of centred rows, with their shares of the variance.
fn plane(cloud: &Matrix) -> Option<[(Vec<f64>, f64); 2]> {
    let total: f64 = cloud.values.iter().map(|v| v * v).sum();
    if total <= 0.0 {
        return None;
    }
    let (first, one) = leading(cloud, None)?;
    let (second, two) = leading(cloud, Some(&first)).unwrap_or_else(|| (vec![0.0; cloud.columns], 0.0));
    Some([(first, one / total), (second, two / total)])
}

/// The direction of most variance at right angles to `besides`, and that variance. Its
/// largest coordinate is positive, so that the picture does not flip from run to run.
fn leading(cloud: &Matrix, besides: Option<&[f64]>) -> Option<(Vec<f64>, f64)> {
    // The row farthest out has a part along every direction that matters.
    let freed = |vector: &[f64]| -> Vec<f64> {
        let along = besides.map_or(0.0, |b| dot(b, vector));
        vector.iter().enumerate().map(|(k, v)| v - along * besides.map_or(0.0, |b| b[k])).collect()
    };
    let far = (0..cloud.rows).map(|i| freed(cloud.row(i))).max_by(|a, b| norm(a).total_cmp(&norm(b)))?;
    let mut direction = far;
    let mut variance = 0.0;
    for _ in 0..ROUNDS {
        let length = norm(&direction);
        if length <= f64::EPSILON {
            return None;
        }
        direction.iter_mut().for_each(|d| *d /= length);
        let mut next = vec![0.0; cloud.columns];
        variance = 0.0;
        for i in 0..cloud.rows {
            let along = dot(cloud.row(i), &direction);
            variance += along * along;
            next.iter_mut().zip(cloud.row(i)).for_each(|(n, v)| *n += along * v);
        }
        direction = freed(&next);
    }
    let length = norm(&direction);
    let largest = direction.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs()))?;
    let scale = largest.signum() / length;
    direction.iter_mut().for_each(|d| *d *= scale);
    (length > f64::EPSILON).then_some((direction, variance))
}
