//! Weights crossed with latents: the variant over again is its clean run to the bit, what needs
//! no crossing is what an audit records, and the bytes depend on neither threads nor groups.

mod golden;

use std::collections::BTreeMap;
use std::path::Path;

use golden::{Opened, examples};
use prism_record::decode::Strategy;
use prism_record::record::crossing::{Crossing, Side, record_crossing};
use prism_record::record::{Records, Setup, record_benchmark};
use prism_run::records::{self, AnswerRow, CellRow, files};
use prism_run::table::read_rows;
use prism_run::{Action, Cancel, Example, Intervention, Outcome, PathCell, Progress, Shard, Sight, Silent, Source, Weights};

const STRATEGY: fn() -> Strategy = || Strategy::of_steps(4, 64);

fn side(opened: &Opened) -> Side<'_> {
    Side { model: &opened.model, prompter: &opened.prompter, tokens: &opened.tokens, strategy: STRATEGY() }
}

fn crossing<'a>(base: &'a Opened, variant: &'a Opened, group: usize) -> Crossing<'a> {
    let (base, layout) = (side(base), variant.layout());
    Crossing { base, variant: side(variant), preprocessor: &variant.preprocessor, layout, group, checkpoints: "test".into() }
}

fn run(crossing: &Crossing<'_>, examples: &[Example], threads: usize, folder: &Path) -> Records<CellRow> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| record_crossing(crossing, examples, folder, &Silent, &Cancel::default())).unwrap()
}

/// The answers of a cell, by row.
fn cell(records: &Records<CellRow>, weights: Weights, latents: Source) -> BTreeMap<usize, CellRow> {
    let cell = PathCell::of(weights, latents);
    records.answers.iter().filter(|a| a.intervention == cell).map(|a| (a.row, a.clone())).collect()
}

/// What an audit records of a checkpoint.
fn audited(opened: &Opened, examples: &[Example], branch: Action) -> BTreeMap<usize, AnswerRow> {
    let setup = Setup {
        model: &opened.model,
        prompter: &opened.prompter,
        preprocessor: &opened.preprocessor,
        tokens: &opened.tokens,
        layout: opened.layout(),
        strategy: STRATEGY(),
        branches: vec![Intervention::from(branch)],
        seed: 1,
        pool: 2,
        alignment: 0,
        group: 2,
        shard: Shard::WHOLE,
        vectors: false,
        layers: false,
        timing: false,
        checkpoint: "test".into(),
    };
    let folder = tempfile::tempdir().unwrap();
    record_benchmark(&setup, examples, folder.path(), &Silent, &Cancel::default()).unwrap();
    let answers: Vec<AnswerRow> = read_rows(&records::folder(folder.path()).join(files::ANSWERS)).unwrap();
    answers.into_iter().filter(|a| a.intervention == branch.into()).map(|a| (a.row, a)).collect()
}

#[test]
fn the_ends_are_the_checkpoints_as_they_are_and_the_variant_replayed_is_itself() {
    for name in ["lvr", "plvr3"] {
        let (base, variant) = (Opened::new("base"), Opened::new(name));
        let examples = examples(8);
        let folder = tempfile::tempdir().unwrap();
        let found = run(&crossing(&base, &variant, 3), &examples, 2, folder.path());
        assert_eq!(found.answers.len(), 8 * PathCell::all().count());
        let of = |weights, latents| cell(&found, weights, latents);

        let same = |one: &BTreeMap<usize, CellRow>, other: &BTreeMap<usize, AnswerRow>| {
            assert!(one.keys().eq(other.keys()));
            for (a, b) in one.values().zip(other.values()) {
                assert_eq!((&a.generated, a.gold_margin, &a.answer), (&b.generated, b.gold_margin, &b.answer), "{name} row {}", a.row);
            }
        };
        same(&of(Weights::Variant, Source::Free), &audited(&variant, &examples, Action::Clean));
        same(&of(Weights::Base, Source::Free), &audited(&base, &examples, Action::Clean));

        let (free, replayed) = (of(Weights::Variant, Source::Free), of(Weights::Variant, Source::Variant));
        let answers: Vec<&CellRow> = replayed.values().filter(|a| a.outcome != Outcome::Error).collect();
        assert!(answers.len() > 4, "{name}: {:?}", found.examples.iter().map(|e| e.message.clone()).collect::<Vec<_>>());
        for answer in answers {
            assert_eq!(answer.changed, Some(false), "{name} row {}: not the clean run to the bit", answer.row);
            assert_eq!(answer.gold_margin, free[&answer.row].gold_margin);
        }
        // Other vectors at the same places, and none.
        for weights in Weights::ALL {
            for latents in [Source::Base, Source::Variant, Source::Oracle] {
                for (row, answer) in of(weights, latents).iter().filter(|(_, a)| a.outcome != Outcome::Error) {
                    let clean = &free[row];
                    assert_eq!((answer.steps_context, answer.steps_target), (clean.steps_context, clean.steps_target));
                    let replayed = clean.generated.len().min(answer.generated.len()).min(4 + answer.steps_context + answer.steps_target);
                    assert_eq!(answer.generated[..replayed], clean.generated[..replayed], "{name} row {row}: the text is held");
                }
            }
            for latents in [Source::None, Source::Markers] {
                assert!(of(weights, latents).values().all(|a| a.steps_context + a.steps_target == 0));
            }
        }
        // Without the block the text begins with what is not of the block: the answer, or a word that this tiny
        // model puts before it. The markers are every token that was read.
        for (row, answer) in of(Weights::Variant, Source::None).iter().filter(|(_, a)| a.outcome != Outcome::Error) {
            let begins = answer.text.chars().next().is_some_and(|c| !c.is_whitespace());
            assert!(
                begins && !["<|lvr_end|>", "<|tgt_end|>"].iter().any(|end| answer.text.starts_with(end)),
                "{name} row {row}: {}",
                answer.text
            );
            assert!(name != "lvr" || answer.text.starts_with("<answer>"), "{name} row {row}: {}", answer.text);
        }
        for (row, answer) in of(Weights::Variant, Source::Markers).iter().filter(|(_, a)| a.outcome != Outcome::Error) {
            assert!(answer.generated.len() < free[row].generated.len() && free[row].text.starts_with(&answer.text[..12]));
        }
        let moved = |a: Source, b: Source| {
            of(Weights::Base, a).values().zip(of(Weights::Base, b).values()).any(|(a, b)| a.gold_margin != b.gold_margin)
        };
        assert!(moved(Source::Base, Source::Variant) && moved(Source::Variant, Source::Oracle), "other vectors are other vectors");
        for side in ["base", "variant"] {
            for place in ["question_mean", "visual_mean@0", "answer_state", "answer_state@1"] {
                assert!(found.vectors.contains_key(&format!("{side}.{place}")), "{side}.{place}: {:?}", found.vectors.keys());
            }
        }
    }
}

/// Asks to stop after the first example.
struct StopAtOnce(Cancel);

impl Progress for StopAtOnce {
    fn begin(&self, _: &str, _: &str, _: u64, _: u64) {}
    fn advance(&self, _: u64) {
        self.0.request();
    }
    fn note(&self, _: &str) {}
    fn end(&self) {}
    fn say(&self, _: &str) {}
}

#[test]
fn the_bytes_depend_on_neither_threads_nor_groups_nor_interruptions() {
    let (base, variant) = (Opened::new("base"), Opened::new("plvr2"));
    let examples = examples(40);
    let folder = tempfile::tempdir().unwrap();
    let bytes = |name: &str| {
        let read = |file| std::fs::read(records::folder(&folder.path().join(name)).join(file)).unwrap();
        [files::EXAMPLES, files::ANSWERS, files::LATENTS].map(read)
    };
    run(&crossing(&base, &variant, 1), &examples, 1, &folder.path().join("one"));
    run(&crossing(&base, &variant, 5), &examples, 2, &folder.path().join("two"));
    assert!(bytes("one") == bytes("two"), "threads and groups");
    let cancel = Cancel::default();
    let stopped =
        record_crossing(&crossing(&base, &variant, 4), &examples, &folder.path().join("three"), &StopAtOnce(cancel.clone()), &cancel);
    assert!(stopped.unwrap_err().to_string().contains("interrupted"));
    assert!(!records::folder(&folder.path().join("three")).exists());
    run(&crossing(&base, &variant, 4), &examples, 2, &folder.path().join("three"));
    assert!(bytes("one") == bytes("three"), "interruptions");
}

#[test]
fn a_checkpoint_crossed_with_itself_shows_no_difference_and_cells_that_are_not_defined_say_so() {
    let one = Opened::new("lvr");
    let examples = examples(4);
    let folder = tempfile::tempdir().unwrap();
    let found = run(&crossing(&one, &one, 2), &examples, 1, folder.path());
    for latents in Source::CROSSED {
        let (base, variant) = (cell(&found, Weights::Base, latents), cell(&found, Weights::Variant, latents));
        assert!(base.values().zip(variant.values()).all(|(a, b)| (&a.generated, a.gold_margin) == (&b.generated, b.gold_margin)));
    }
    let mut masked = Opened::new("lvr");
    masked.tokens.sight = Sight::Bottleneck;
    let base = Opened::new("base");
    let crossing = crossing(&base, &masked, 2);
    let undefined = |weights, latents| crossing.undefined(PathCell::of(weights, latents));
    assert!(undefined(Weights::Base, Source::Variant).unwrap().contains("bottleneck"));
    assert_eq!((undefined(Weights::Variant, Source::Oracle), undefined(Weights::Base, Source::None)), (None, None));
    let none = crate::crossing(&one, &base, 2);
    assert!(none.undefined(PathCell::of(Weights::Variant, Source::Variant)).unwrap().contains("no latent block"));
}
