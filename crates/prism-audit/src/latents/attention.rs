//! Where the model looks when it makes latents and when it answers, and whether it looks at
//! the annotated boxes more than an even spread would.

use std::collections::BTreeMap;

use prism_run::NotedAt;
use prism_run::records::AttentionRow;

use crate::clusters::Clusters;
use crate::findings::AttentionFinding;
use crate::responses::mean;
use crate::statistics::Interval;
use crate::statistics::cluster_robust::cluster_mean;

/// One finding per place, step and layer; latent steps first, in their order.
pub fn attention(rows: &[AttentionRow], clusters: &Clusters) -> Vec<AttentionFinding> {
    let mut groups: BTreeMap<(NotedAt, Option<usize>, usize), Vec<&AttentionRow>> = BTreeMap::new();
    for row in rows {
        groups.entry((row.place, row.step, row.layer)).or_default().push(row);
    }
    groups.into_iter().map(|((place, step, layer), rows)| one(place, step, layer, &rows, clusters)).collect()
}

fn one(place: NotedAt, step: Option<usize>, layer: usize, rows: &[&AttentionRow], clusters: &Clusters) -> AttentionFinding {
    let interval =
        |values: &[(usize, f64)]| cluster_mean(&clusters.sums(values.iter().copied()))?.interval(0.95).filter(Interval::has_width);
    let enrichment: Vec<(usize, f64)> = rows.iter().filter_map(|r| Some((r.row, enrichment(r)?))).collect();
    let latents: Vec<(usize, f64)> = rows.iter().map(|r| (r.row, r.latents)).collect();
    let (of_latents, of_enrichment) = (interval(&latents), interval(&enrichment));
    let average = |of: &dyn Fn(&AttentionRow) -> Option<f64>| mean(rows.iter().filter_map(|row| of(row)));
    AttentionFinding {
        place,
        step,
        layer,
        examples: rows.len(),
        image: average(&|r| Some(r.image)),
        text: average(&|r| Some(r.text)),
        latents: average(&|r| Some(r.latents)),
        latents_low: of_latents.map(|i| i.low),
        latents_high: of_latents.map(|i| i.high),
        generated: average(&|r| Some(r.generated)),
        enrichment: mean(enrichment.iter().map(|(_, e)| *e)),
        enrichment_low: of_enrichment.map(|i| i.low),
        enrichment_high: of_enrichment.map(|i| i.high),
        enrichment_examples: enrichment.len(),
        image_entropy: average(&|r| r.image_entropy),
        latent_entropy: average(&|r| r.latent_entropy),
    }
}

/// Share of the image's attention that lies on the boxes, over the share of the image's
/// tokens that they are.
fn enrichment(row: &AttentionRow) -> Option<f64> {
    let share = row.region_share.filter(|share| *share > 0.0)?;
    (row.image > 0.0).then_some(row.region? / row.image / share)
}
