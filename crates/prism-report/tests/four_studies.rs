//! Four studies with different words, for eyes that see their first screens alone: load-bearing, bypassed, undecided, and asked
//! for more steps than the model was trained with. The pages stay under `target/tmp/four`, where the browser's tests look
//! at them.

#[allow(dead_code, reason = "shared with the tests of other pages, which use the rest")]
mod synthetic;

use std::path::Path;

use prism_audit::Findings;
use prism_audit::findings::BudgetFinding;
use prism_report::{ReportInputs, build_report};
use synthetic::{Manner, Shape};

/// Variants of each study, and the last, which is what they started from.
const VARIANTS: usize = 3;
const BASE: usize = 4;

/// Writes a study whose models answer in that manner, and its page; returns the page.
fn page(name: &str, manner: Manner) -> String {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("four").join(name);
    let _ = std::fs::remove_dir_all(&root);
    std::fs::create_dir_all(&root).unwrap();
    let study = synthetic::write_as(&root, Shape { seeds: 1, silent: false }, manner);
    let audits = study.audits[..VARIANTS].to_vec();
    let mut comparison = Findings::read(&study.comparison).unwrap();
    comparison.comparison.clear();
    for audit in &audits {
        // The numbers are as made up as all others; what the synthetic study says of itself would tell the reader so.
        let mut findings = Findings::read(audit).unwrap();
        findings.warnings.clear();
        findings.write(audit).unwrap();
        comparison.budgets.extend(sweep(&findings, manner));
    }
    comparison.write(&study.comparison).unwrap();
    let mut inputs = ReportInputs::new(audits);
    (inputs.base, inputs.comparison) = (Some(study.audits[BASE].clone()), Some(study.comparison));
    inputs.title = Some("a made-up study".into());
    let out = root.join("report.html");
    build_report(&inputs, &out).unwrap();
    std::fs::read_to_string(out).unwrap()
}

/// A run's accuracies over K: at the declared K its own, at others a little less.
fn sweep(findings: &Findings, manner: Manner) -> Vec<BudgetFinding> {
    let (line, concluded) = (&findings.table1[0], &findings.conclusion[0]);
    let (declared, [low, high]) = manner.steps.unwrap();
    let at = |k: Option<usize>| {
        let steps = k.unwrap_or(declared);
        let less = |share: Option<f64>| share.map(|share| share - 0.01 * (steps as f64 / declared as f64).ln().abs());
        BudgetFinding {
            variant: line.variant.clone(),
            name: line.name.clone(),
            seed: line.seed,
            k,
            steps_context: None,
            steps_target: Some(steps),
            inside_lengths: Some((low..=high).contains(&steps)),
            examples: line.examples,
            opened: line.opened,
            parsed: Some(1.0),
            accuracy: less(line.accuracy),
            accuracy_low: less(line.accuracy_low),
            accuracy_high: less(line.accuracy_high),
            cosine: line.cosine,
            cosine_free: line.cosine_free,
            most_changed: concluded.changed_bound,
            changed_bound: concluded.changed_bound,
            content_delta: line.delta_swap,
            word: Some(concluded.word),
            presence: Some(concluded.presence),
            qualifier: concluded.qualifier.clone(),
        }
    };
    [None, Some(2), Some(4), Some(8)].map(at).to_vec()
}

/// The page's first sentence and its line of limits.
fn said(page: &str) -> (String, String) {
    let inside = |open: &str, close: &str| {
        let text = page.split(open).nth(1).map_or("", |rest| rest.split(close).next().unwrap());
        text.split('<')
            .enumerate()
            .map(|(i, piece)| if i == 0 { piece } else { piece.split_once('>').map_or("", |(_, text)| text) })
            .collect()
    };
    (inside("class=\"verdict\">", "</h1>"), inside("<p class=\"limits\">", "</p>"))
}

const MANY: Manner = Manner { examples: 400, exchange: 0.0, without: 0.15, steps: Some((4, [2, 6])) };

#[test]
fn latents_that_the_answers_depend_on() {
    let (said, limits) = said(&page("load-bearing", Manner { exchange: 0.3, without: 0.4, ..MANY }));
    assert_eq!(said, "In all three variants the answers depend on what the block says; all three need their block.", "{limits}");
}

#[test]
fn latents_that_could_say_anything() {
    let (said, limits) = said(&page("bypassed", Manner { exchange: 0.004, ..MANY }));
    assert_eq!(said, "In all three variants the answers do not depend on what the block says; all three need their block.", "{limits}");
}

#[test]
fn too_few_questions_to_say() {
    let (said, limits) = said(&page("undecided", Manner { examples: 90, exchange: 0.05, ..MANY }));
    assert!(said.starts_with("In all three variants whether the answers depend on what the block says is not decided."), "{said} {limits}");
}

#[test]
fn more_steps_than_the_model_was_trained_with() {
    let (said, limits) = said(&page("outside", Manner { exchange: 0.004, steps: Some((8, [1, 4])), ..MANY }));
    assert!(said.contains("the answers do not depend on what the block says"), "{said}");
    assert!(limits.contains("K = 8 lies outside the lengths of training"), "{limits}");
}
