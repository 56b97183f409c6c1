//! One source for a number: whatever is printed of a study, as HTML, CSV, Markdown, LaTeX, JSON or on a terminal, in a table,
//! in prose or in a picture, is a cell of the document, found by its table, its row and its column.
//!
//! Each form is read by a reader that shares nothing with what wrote it ([`readers`]). The tables of the last study lie as
//! CSV and JSON under `target/tmp/one-source`, where `oracle/tables.py` holds them against each other through pandas.

#[path = "rich_findings/across.rs"]
mod across;
mod readers;
mod rich_findings;
mod sources;
mod synthetic;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use prism_audit::Findings;
use prism_report::ReportInputs;
use prism_report::document::behind::Nowhere;
use prism_report::document::{csv, json};
use prism_report::study::Study;
use prism_run::outcome::Cause;
use prism_run::{Action, Content, Effect, Need, Verdict};
use proptest::prelude::*;
use sources::{Made, forms, pictures, prose, shaken};
use synthetic::Shape;

fn place(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("one-source").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A study that ran everything, of two training seeds and a sweep over K.
static STUDY: LazyLock<Study> = LazyLock::new(|| {
    let study = synthetic::write(&place("study"), Shape { seeds: 2, silent: true });
    study.audits.iter().for_each(|audit| rich_findings::enrich(audit));
    across::enrich(&study.comparison);
    let mut inputs = ReportInputs::new(study.audits);
    (inputs.trainings, inputs.comparison) = (study.trainings, Some(study.comparison));
    Study::read(&inputs, &mut Vec::new()).unwrap()
});

/// All that holds of a page whatever its numbers are.
fn agrees(made: &Made) {
    assert!(made.tables.len() > 20, "{} tables", made.tables.len());
    let mut faults: Vec<String> = made.tables.iter().flat_map(|table| forms::agree(made, table)).collect();
    faults.extend(sources::fault(|| assert!(prose::links_are_cells(made) > 20)));
    faults.extend(sources::fault(|| pictures::marks_are_cells(made)));
    faults.extend(sources::fault(|| pictures::squares_are_cells(made)));
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn every_number_is_one_cell_in_every_form() {
    agrees(&Made::of(&STUDY));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn so_is_every_number_of_a_study_with_other_numbers(seed: u64) {
        agrees(&Made::of(&shaken::shaken(&STUDY, seed)));
    }
}

#[test]
fn the_first_pictures_are_to_scale() {
    let made = Made::of(&STUDY);
    pictures::forest_is_to_scale(&made, "wide");
    pictures::forest_is_to_scale(&made, "narrow");
    pictures::over_k_is_to_scale(&made);
}

/// A study of one run, whose page has the sentences of its audit.
fn alone(name: &str, change: impl FnOnce(&mut Findings)) -> Study {
    let root = place(name);
    let study = synthetic::write(&root, Shape { seeds: 1, silent: false });
    let mut findings = Findings::read(&study.audits[0]).unwrap();
    change(&mut findings);
    findings.write(&study.audits[0]).unwrap();
    Study::read(&ReportInputs::new(study.audits[..1].to_vec()), &mut Vec::new()).unwrap()
}

/// No number of the prose lacks its cell.
fn is_whole(study: &Study) -> Made {
    let made = Made::of(study);
    let lacking = prose::without_a_cell(&made, study);
    assert!(lacking.is_empty(), "numbers without a cell:\n{}", lacking.join("\n"));
    prose::links_are_cells(&made);
    made
}

/// The text of the page's headline, and the cells that its numbers are.
fn headline(made: &Made) -> (String, Vec<String>) {
    let sentence = made.page.all(&|element| element.is_of("verdict"))[0];
    let cells = sentence.named("a").into_iter().filter_map(|link| link.attribute("title")).map(str::to_string).collect();
    (sentence.text(), cells)
}

#[test]
fn no_number_of_the_prose_is_without_its_cell() {
    is_whole(&STUDY);
}

#[test]
fn the_sentence_of_a_run_has_the_numbers_of_its_cells() {
    let made = is_whole(&alone("sentence", |_| {}));
    let (said, cells) = headline(&made);
    assert!(said.contains("points without") && cells.contains(&"corruption.delta[lvr/remove]".to_string()), "{said} {cells:?}");
    let made = is_whole(&alone("unchanged", |findings| {
        let (c, changed) = (&mut findings.conclusion[0], &findings.verdict);
        let on = changed.iter().find(|v| c.decisive.contains(&v.intervention)).unwrap();
        (c.word, c.content, c.resting_on) = (Verdict::Bypassed, Content::NotUsed, vec![on.intervention]);
        c.sentence = format!(
            "The answers do not depend on what the block says (at most {} of {} change under any exchange or resampling). The block opened \
             in 97 % of the examples.",
            on.changed_answers, on.examples
        );
        c.opened = Some(0.975);
    }));
    let (said, cells) = headline(&made);
    assert!(cells.len() == 3 && said.contains("97.5 %"), "the share as its cell has it: {said} {cells:?}");
}

#[test]
fn limits_damage_and_what_could_not_be_run_have_the_numbers_of_their_cells() {
    let made = is_whole(&alone("limits", |findings| {
        let zero = findings.verdict.iter_mut().find(|v| v.intervention == Action::Zero.into()).unwrap();
        (zero.lost, zero.lost_unparsed, zero.verdict) = (20, 19, Effect::BreaksForm);
        let c = &mut findings.conclusion[0];
        (c.inside_lengths, c.presence) = (Some(false), Need::Needed);
        c.opened = Some(0.75);
        c.qualifier = Some(
            "it speaks of the 75 % of examples whose block opened; K = 8 lies outside the lengths of training (target: 1 to 4, 90 % of blocks)"
                .into(),
        );
        findings.failures = vec![prism_audit::findings::FailureFinding {
            cause: Cause::Other,
            examples: 3,
            of: 43,
            images: None,
            id: "synthetic-007".into(),
            image: "007.png".into(),
            message: None,
            sentence: "3 of 43 examples could not be run. Look at the first.".into(),
        }];
    }));
    let links: Vec<&str> = made.page.named("a").into_iter().filter_map(|link| link.attribute("title")).collect();
    for cell in [
        "corruption.lost_unparsed[lvr/zero]",
        "conclusions.opened[lvr]",
        "failures.examples[lvr/other_cause]",
        "failures.of[lvr/other_cause]",
    ] {
        assert!(links.contains(&cell), "{cell} is not linked from the prose: {links:?}");
    }
}

/// The tables of a study as files, for `oracle/tables.py`.
#[test]
fn tables_lie_where_pandas_reads_them() {
    let folder = place("tables");
    for table in Made::of(&shaken::shaken(&STUDY, 15)).tables {
        std::fs::write(folder.join(format!("{}.csv", table.name)), csv::csv(&table)).unwrap();
        let data = json::json(&table, &Nowhere).to_string();
        std::fs::write(folder.join(format!("{}.json", table.name)), data).unwrap();
    }
}
