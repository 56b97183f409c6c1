//! Interventions on part of the block: which step, stage or layer matters.

use prism_run::{Intervention, Scope, View};

use super::share;
use crate::faithfulness::ALL;
use crate::findings::{FaithfulnessFinding, StepFinding};

/// One finding per intervention that is confined to some steps, a stage or a layer, and
/// one for each of their actions on the whole block, where that was run: what the parts
/// are to be compared with.
pub fn partial(faithfulness: &[FaithfulnessFinding]) -> Vec<StepFinding> {
    let parsed: Vec<(Intervention, &FaithfulnessFinding)> = faithfulness
        .iter()
        .filter(|f| f.category == ALL && f.examples > 0)
        .map(|f| (f.intervention, f))
        .filter(|(i, _)| i.view == View::Open)
        .collect();
    let is_partial = |i: &Intervention| i.scope != Scope::default();
    let mut found: Vec<(Intervention, StepFinding)> = parsed
        .iter()
        .filter(|(i, _)| is_partial(i) || parsed.iter().any(|(part, _)| is_partial(part) && part.action == i.action))
        .map(|(i, f)| (*i, one(*i, f)))
        .collect();
    found.sort_by(|(a, x), (b, y)| {
        let place = |i: &Intervention| (i.scope.layer, i.scope.stage, i.scope.steps);
        (x.action, place(a)).cmp(&(y.action, place(b)))
    });
    found.into_iter().map(|(_, finding)| finding).collect()
}

fn one(intervention: Intervention, f: &FaithfulnessFinding) -> StepFinding {
    let Scope { stage, steps, layer } = intervention.scope;
    StepFinding {
        action: Intervention::from(intervention.action),
        intervention: f.intervention,
        stage,
        first_step: steps.map(|(first, _)| first),
        last_step: steps.map(|(_, last)| last),
        layer,
        examples: f.examples,
        accuracy: f.accuracy,
        delta: f.delta,
        delta_low: f.delta_low,
        delta_high: f.delta_high,
        margin_delta: f.margin_delta,
        margin_low: f.margin_low,
        margin_high: f.margin_high,
        changed: share((0..f.examples).map(|i| i < f.changed)),
    }
}
