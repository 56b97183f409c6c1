//! Both errors of the verdict of a run, through the audit's own code: latents that nothing
//! reads called `load-bearing`, and latents that matter by the margin called `bypassed`.

use prism_audit::AuditSettings;
use prism_audit::clusters::Clusters;
use prism_audit::conclusion::{LOAD_BEARING, conclude};
use prism_audit::pairs::{Branch, Pair};
use prism_audit::verdict::{BYPASSED, verdicts};
use prism_run::Intervention;
use prism_run::random::Stream;
use prism_run::records::AnswerRow;

use super::Promise::{AtLeast, AtMost};
use super::{Line, change, count};

/// Interventions of a run: the five of the paper.
const NAMES: [&str; 5] = ["zero", "noise:0.1", "noise:0.3", "noise:1", "swap"];

fn answer(row: usize, correct: bool, moved: Option<f64>) -> AnswerRow {
    AnswerRow {
        row,
        id: row.to_string(),
        intervention: String::new(),
        donor: None,
        outcome: "scored".into(),
        answer: Some("A".into()),
        correct: Some(correct),
        text: String::new(),
        generated: vec![i64::from(correct)],
        changed: None,
        steps_context: 0,
        steps_target: 8,
        gold_margin: None,
        gold_logprob: None,
        answer_entropy: None,
        latent_norm: Some(1.0),
        perturbation_norm: moved,
        option_logprobs: None,
        donor_label: None,
        donor_margin: None,
    }
}

/// The verdict of a run of `n` examples in which each of these interventions gains and
/// loses at these probabilities.
fn verdict(s: &mut Stream, names: &[&str], n: usize, gained: f64, lost: f64) -> String {
    let rows: Vec<Vec<(AnswerRow, AnswerRow)>> = names
        .iter()
        .map(|name| {
            let moved = Some(if *name == "noise:0.1" { 0.2 } else { 1.0 });
            let row = |i: usize, s: &mut Stream| {
                let change = change(s, gained, lost);
                (answer(i, change <= 0.0, None), answer(i, change >= 0.0, moved))
            };
            (0..n).map(|i| row(i, s)).collect()
        })
        .collect();
    let mut branches = vec![Branch { name: "clean", intervention: Some(Intervention::CLEAN), pairs: vec![], rows: vec![] }];
    for (name, rows) in names.iter().zip(&rows) {
        let pairs = rows.iter().map(|(clean, other)| Pair { clean, other, category: None, label: "" }).collect();
        branches.push(Branch { name, intervention: None, pairs, rows: vec![] });
    }
    conclude(&verdicts(&branches, &Clusters::default(), &AuditSettings::default())).verdict
}

/// The lines of this part.
pub fn lines(of: usize) -> Vec<Line> {
    // Five exact equivalence tests a run.
    let of = (of / 10).max(60);
    vec![
        count("verdict: load-bearing of latents nothing depends on", "five interventions, n = 191, 5 % each way", AtMost(0.05), of, |s| {
            verdict(s, &NAMES, 191, 0.05, 0.05) == LOAD_BEARING
        }),
        count(
            "verdict: bypassed of latents that matter",
            "one intervention, n = 400, true loss of 5 points, 9 % discordant",
            AtMost(0.05),
            of,
            |s| verdict(s, &["zero"], 400, 0.02, 0.07) == BYPASSED,
        ),
        count(
            "verdict: load-bearing of latents that matter",
            "five interventions, n = 191, true loss of 20 points",
            AtLeast(0.95),
            of,
            |s| verdict(s, &NAMES, 191, 0.03, 0.23) == LOAD_BEARING,
        ),
        count("verdict: bypassed of latents nothing reads", "five interventions, n = 191, 0.5 % each way", AtLeast(0.95), of, |s| {
            verdict(s, &NAMES, 191, 0.005, 0.005) == BYPASSED
        }),
    ]
}
