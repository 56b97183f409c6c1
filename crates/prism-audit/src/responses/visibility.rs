//! Necessity and sufficiency: damage to the latents crossed with what the answer sees of
//! the image. With the image in view a loss shows that latents are needed; with it hidden
//! a loss shows what they carry by themselves.

use std::collections::{BTreeMap, BTreeSet};

use prism_run::records::{AnswerRow, ExampleRow};
use prism_run::{Action, Intervention, View};

use super::{Difference, by_row, mean, share};
use crate::AuditSettings;
use crate::clusters::Clusters;
use crate::findings::VisibilityFinding;
use crate::pairs::{Branch, right};

type Answers<'a> = BTreeMap<usize, &'a AnswerRow>;

/// Per view one finding for the view alone, and one per intervention run under it.
pub fn visibility(
    branches: &[Branch<'_>],
    examples: &[ExampleRow],
    clusters: &Clusters,
    settings: &AuditSettings,
) -> Vec<VisibilityFinding> {
    let find = |wanted: Intervention| branches.iter().find(|b| b.intervention == wanted).map(by_row);
    let Some(open_clean) = find(Intervention::CLEAN) else { return Vec::new() };
    let labels: BTreeMap<usize, &str> = examples.iter().map(|e| (e.row, e.label.as_str())).collect();
    let mut found = Vec::new();
    let under = branches.iter().map(|b| b.intervention).filter(|i| i.view != View::Open);
    let mut viewed: Vec<Intervention> = under.collect();
    // The view alone leads its group.
    viewed.sort_by_key(|i| (i.view, i.action != Action::Clean));
    for intervention in viewed {
        let alone = intervention.action == Action::Clean;
        let twin = Intervention { view: View::Open, ..intervention };
        let cells = Cells {
            open_clean: &open_clean,
            open_damaged: find(twin).filter(|_| !alone),
            view_clean: find(Intervention { view: intervention.view, ..Intervention::CLEAN }),
            view_damaged: find(intervention).filter(|_| !alone),
        };
        found.push(cells.finding(intervention, alone, &labels, clusters, settings));
    }
    found
}

struct Cells<'a, 'b> {
    open_clean: &'b Answers<'a>,
    open_damaged: Option<Answers<'a>>,
    view_clean: Option<Answers<'a>>,
    view_damaged: Option<Answers<'a>>,
}

impl Cells<'_, '_> {
    fn finding(
        &self,
        intervention: Intervention,
        alone: bool,
        labels: &BTreeMap<usize, &str>,
        clusters: &Clusters,
        settings: &AuditSettings,
    ) -> VisibilityFinding {
        let twin = Intervention { view: View::Open, ..intervention };
        let needed = [Some(self.open_clean), self.open_damaged.as_ref(), self.view_clean.as_ref(), self.view_damaged.as_ref()];
        let mut finding = VisibilityFinding {
            view: intervention.view,
            intervention: twin,
            examples: 0,
            open_clean: None,
            open_damaged: None,
            view_clean: None,
            view_damaged: None,
            majority: None,
            image_effect: None,
            image_effect_low: None,
            image_effect_high: None,
            image_effect_p: None,
            necessity: None,
            necessity_low: None,
            necessity_high: None,
            necessity_p: None,
            sufficiency: None,
            sufficiency_low: None,
            sufficiency_high: None,
            sufficiency_p: None,
            interaction: None,
            interaction_low: None,
            interaction_high: None,
            interaction_p: None,
            necessity_margin: None,
            sufficiency_margin: None,
            reason: None,
        };
        if self.view_clean.is_none() || (!alone && self.open_damaged.is_none()) {
            let view = finding.view;
            finding.reason = Some(format!("a cell is missing: run `{twin}` and `clean@{view}` too"));
            return finding;
        }
        let rows: Vec<usize> =
            self.open_clean.keys().copied().filter(|row| needed.iter().flatten().all(|cell| cell.contains_key(row))).collect();
        finding.examples = rows.len();
        if rows.is_empty() {
            finding.reason = Some("no example ran in every cell".into());
            return finding;
        }
        let at = |cell: Option<&Answers<'_>>, row: usize| cell.and_then(|c| c.get(&row).copied().cloned());
        let score = |cell: Option<&Answers<'_>>, row: usize| cell.and_then(|c| c.get(&row)).map(|a| f64::from(u8::from(right(a))));
        let accuracy = |cell: Option<&Answers<'_>>| cell.and_then(|c| share(rows.iter().filter_map(|row| c.get(row)).map(|a| right(a))));
        let [open, open_damaged, view, view_damaged] = needed;
        finding.open_clean = accuracy(open);
        finding.open_damaged = accuracy(open_damaged);
        finding.view_clean = accuracy(view);
        finding.view_damaged = accuracy(view_damaged);
        finding.majority = majority(&rows, labels);
        let difference = |a: Option<&Answers<'_>>, b: Option<&Answers<'_>>| -> Vec<(usize, f64)> {
            rows.iter().filter_map(|&row| Some((row, score(a, row)? - score(b, row)?))).collect()
        };
        let image = Difference::of_shares(&difference(open, view), clusters, settings);
        (finding.image_effect, finding.image_effect_low, finding.image_effect_high) = (image.mean, image.low, image.high);
        finding.image_effect_p = image.p;
        if alone {
            return finding;
        }
        let (needs, carries) = (difference(open, open_damaged), difference(view, view_damaged));
        let necessity = Difference::of_shares(&needs, clusters, settings);
        (finding.necessity, finding.necessity_low, finding.necessity_high) = (necessity.mean, necessity.low, necessity.high);
        finding.necessity_p = necessity.p;
        let sufficiency = Difference::of_shares(&carries, clusters, settings);
        (finding.sufficiency, finding.sufficiency_low, finding.sufficiency_high) = (sufficiency.mean, sufficiency.low, sufficiency.high);
        finding.sufficiency_p = sufficiency.p;
        let both: Vec<(usize, f64)> = carries.iter().zip(&needs).map(|((row, c), (_, n))| (*row, c - n)).collect();
        let interaction = Difference::of(&both, clusters, settings);
        (finding.interaction, finding.interaction_low, finding.interaction_high) = (interaction.mean, interaction.low, interaction.high);
        finding.interaction_p = interaction.p;
        if interaction.mean.is_some() && interaction.low.is_none() {
            finding.reason = Some("the interaction is the same in every example, which gives its interval no width".into());
        }
        let margins = |a: Option<&Answers<'_>>, b: Option<&Answers<'_>>| {
            mean(rows.iter().filter_map(|&row| Some(at(a, row)?.gold_margin? - at(b, row)?.gold_margin?)))
        };
        finding.necessity_margin = margins(open, open_damaged);
        finding.sufficiency_margin = margins(view, view_damaged);
        finding
    }
}

fn majority(rows: &[usize], labels: &BTreeMap<usize, &str>) -> Option<f64> {
    let known: Vec<&str> = rows.iter().filter_map(|row| labels.get(row).copied()).collect();
    let distinct: BTreeSet<&str> = known.iter().copied().collect();
    let most = distinct.iter().map(|label| known.iter().filter(|l| *l == label).count()).max()?;
    Some(most as f64 / known.len() as f64)
}
