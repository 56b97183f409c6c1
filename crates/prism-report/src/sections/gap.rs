//! The decodability gap against the response to damage (method, sections 6 to 8).

use prism_run::{Action, Intervention};

use super::{Builder, n_equals, run, styles};
use crate::charts::gap_response;
use crate::study::{Part, Study};

/// The section.
pub fn section(study: &Study, part: &Part, builder: &mut Builder) -> String {
    let interventions = part.interventions();
    let wanted = [Action::Zero, Action::Noise(0.1)].map(Intervention::from);
    let mut chosen: Vec<Intervention> = wanted.into_iter().filter(|i| interventions.contains(i)).collect();
    if chosen.is_empty() {
        chosen = interventions.into_iter().take(2).collect();
    }
    let mut charts = Vec::new();
    for intervention in chosen {
        let all: Vec<gap_response::Point<'_>> = part
            .audits
            .iter()
            .filter_map(|a| {
                let (change, gap) = (a.change(intervention)?, a.summary()?.gap.filter(|g| g.is_finite())?);
                Some(gap_response::Point { run: run(study, part, a), gap, delta: change.delta, low: change.low, high: change.high })
            })
            .collect();
        charts.push((gap_response::spec(&all, intervention), String::new()));
    }
    let caption = format!(
        "Response to damage against the decodability gap <i>G</i> = acc(a) − acc(b): how much more of the answer can be read at the answer state than at the last latent. One point per run ({} each); both probes on the examples that have both vectors; bars are 95 % score intervals of the paired difference.",
        n_equals(part)
    );
    let figure = builder.figure("gap", charts, &styles(study, part), &caption);
    builder.section("gap", "Gap against response", &figure)
}
