//! The decodability gap against the response to damage (method, sections 6 to 8).

use prism_run::{Action, Intervention};

use super::{Builder, row, styles};
use crate::charts::{Run, gap_response};
use crate::document::{CellName, Figure, Prose, Section, Table};
use crate::study::{Part, Study};

const HEADING: &str = "Gap against response";

/// The section. Its gaps are cells of Table 1, its changes are cells of the table of interventions.
pub fn section(study: &Study, part: &Part, builder: &mut Builder) -> Option<Section> {
    let interventions = part.interventions();
    let wanted = [Action::Zero, Action::Noise(0.1)].map(Intervention::from);
    let mut chosen: Vec<Intervention> = wanted.into_iter().filter(|i| interventions.contains(i)).collect();
    if chosen.is_empty() {
        chosen = interventions.into_iter().take(2).collect();
    }
    let table = super::corruption::table(study, part);
    let specs: Vec<_> = chosen.into_iter().map(|intervention| spec(study, part, &table, intervention)).collect();
    if specs.iter().all(Option::is_none) {
        return builder.absent(HEADING, "no run has both a decodability gap and a change under an intervention");
    }
    let caption = Prose::said(
        "Response to damage against the decodability gap *G* = acc(a) − acc(b): how much more of the answer a probe reads at the answer \
         state than at the last latent. One point per run. Gap: both probes on the questions that have both vectors, from \
         [the table of variants](#table-1). Change: with its 95 % score interval, from [the table of interventions](#corruption), where \
         the number of questions stands.",
    );
    let figure = Figure::new("gap", caption).variants(&styles(study, part)).of("corruption");
    let figure = specs.into_iter().fold(figure, |figure, spec| figure.panel("", spec));
    Some(Section::new("gap", HEADING).with(figure))
}

/// The chart of one intervention.
fn spec(study: &Study, part: &Part, table: &Table, intervention: Intervention) -> Option<serde_json::Value> {
    let mut points: Vec<gap_response::Point<'_>> = Vec::new();
    let mut cells: Vec<(CellName, CellName)> = Vec::new();
    for change in table.estimates("delta", Some("delta_interval")).filter(|e| e.row.intervention == Some(intervention)) {
        let Some(run) = change.run() else { continue };
        let Some(audit) = part.audits.iter().find(|audit| part.run_name(study, audit) == run.label) else { continue };
        let Some(gap) = audit.summary().and_then(|s| s.gap).filter(|gap| gap.is_finite()) else { continue };
        let of_gap = CellName { table: "table-1".into(), column: "gap".into(), row: row(study, part, audit).key };
        let run = Run { style: study.style(audit), label: run.label.clone() };
        points.push(gap_response::Point { run, gap, delta: change.value, low: change.low, high: change.high });
        cells.push((change.name, of_gap));
    }
    gap_response::named(&points, &cells, intervention)
}
