//! Records with exchanged keys and values: strength as its documentation says it, and the shards'
//! records joined are those of the unsharded run.
#![allow(missing_docs)]

mod golden;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use golden::{Opened, examples};
use prism_record::decode::Strategy;
use prism_record::record::donors::Declared;
use prism_record::record::{Setup, parts, record_benchmark};
use prism_run::records::{self, AnswerRow, digests, files};
use prism_run::table::read_rows;
use prism_run::vectors::{self, Vectors};
use prism_run::{Cancel, Example, Intervention, Shard, Silent, Stage};

const POOL: usize = 5;
const SEED: u64 = 11;

fn branches() -> Vec<Intervention> {
    let texts =
        "clean swap swap:other-answer mean zero noise:0.3 swap/step=1 swap-kv swap-kv:other-answer swap-kv:3 swap-kv/target sham-kv sham";
    texts.split_whitespace().map(|text| text.parse().unwrap()).collect()
}

fn setup(opened: &Opened, shard: Shard, group: usize) -> Setup<'_> {
    Setup {
        model: &opened.model,
        prompter: &opened.prompter,
        preprocessor: &opened.preprocessor,
        tokens: &opened.tokens,
        layout: opened.layout(),
        strategy: Strategy::of_steps(3, 40),
        branches: branches(),
        seed: SEED,
        pool: POOL,
        alignment: 0,
        group,
        shard,
        vectors: true,
        layers: false,
        timing: false,
        checkpoint: "test".into(),
    }
}

fn record(setup: &Setup<'_>, examples: &[Example], run: &Path) {
    record_benchmark(setup, examples, run, &Silent, &Cancel::default()).unwrap();
}

fn bytes(run: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(records::folder(run)).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())).collect()
}

#[test]
fn shards_joined_are_the_bytes_of_the_whole_and_a_changed_file_shows() {
    let opened = Opened::new("plvr3");
    let examples = examples(14);
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    record(&setup(&opened, Shard::WHOLE, 3), &examples, &at("whole"));
    let shards: Vec<PathBuf> = (1..=3).map(|i| at(&format!("shard-{i}"))).collect();
    for (i, run) in shards.iter().enumerate() {
        record(&setup(&opened, format!("{}/3", i + 1).parse().unwrap(), i + 1), &examples, run);
        assert_eq!(digests::check(run).unwrap(), Some(vec![]));
    }
    assert_eq!(parts::join(&at("joined"), &shards).unwrap(), 14);
    assert!(bytes(&at("joined")) == bytes(&at("whole")));
    assert!(bytes(&at("whole")).contains_key(digests::DIGESTS));

    assert_eq!(digests::check(&at("joined")).unwrap(), Some(vec![]));
    std::fs::write(records::folder(&at("joined")).join(files::ANSWERS), b"other").unwrap();
    assert_eq!(digests::check(&at("joined")).unwrap(), Some(vec![files::ANSWERS.to_string()]));
}

/// Clean vectors of an example, by stage and step.
fn fed(all: &BTreeMap<String, Vectors>, row: usize, stage: Stage) -> Vec<&[f32]> {
    let at = |step: usize| {
        let of = all.get(&format!("fed.{stage}.{step}"))?;
        of.rows.iter().position(|r| *r == row as i64).map(|i| of.vector(i))
    };
    (0..).map_while(at).collect()
}

/// Mean over steps and dimensions of the square of (put - own) / spread.
fn strength(all: &BTreeMap<String, Vectors>, pool: &[usize], row: usize, donor: usize, steps: &dyn Fn(usize) -> bool) -> f64 {
    let mut squares = Vec::new();
    for stage in [Stage::Context, Stage::Target] {
        let (own, donor) = (fed(all, row, stage), fed(all, donor, stage));
        let of_pool: Vec<Vec<&[f32]>> = pool.iter().map(|row| fed(all, *row, stage)).collect();
        for (step, own) in own.iter().enumerate().filter(|(step, _)| steps(*step)) {
            let put = donor.get(step).or(donor.last()).unwrap();
            let ran: Vec<&[f32]> = of_pool.iter().filter_map(|member| member.get(step).copied()).collect();
            assert!(ran.len() > 1, "of these checkpoints every member runs every step");
            for k in 0..own.len() {
                let values: Vec<f64> = ran.iter().map(|member| f64::from(member[k])).collect();
                let mean = values.iter().sum::<f64>() / values.len() as f64;
                let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64;
                if variance > 0.0 {
                    squares.push((f64::from(put[k]) - f64::from(own[k])).powi(2) / variance);
                }
            }
        }
    }
    squares.iter().sum::<f64>() / squares.len() as f64
}

#[test]
fn strength_is_what_its_documentation_says() {
    let opened = Opened::new("plvr2");
    let examples = examples(12);
    let folder = tempfile::tempdir().unwrap();
    record(&setup(&opened, Shard::WHOLE, 4), &examples, folder.path());
    let records = records::folder(folder.path());
    let answers: Vec<AnswerRow> = read_rows(&records.join(files::ANSWERS)).unwrap();
    let all = vectors::read(&records.join(files::LATENTS)).unwrap();
    let pool: Vec<usize> = Declared::new(&examples, &branches(), SEED, POOL).pool.into_iter().collect();
    assert_eq!(pool.len(), POOL);
    let of = |row: usize, text: &str| answers.iter().find(|a| a.row == row && a.intervention == text.parse().unwrap()).unwrap();
    let mut compared = 0;
    for row in 0..12 {
        for (text, steps) in [("swap", None), ("swap:other-answer", None), ("swap/step=1", Some(1))] {
            let answer = of(row, text);
            let Some(donor) = answer.donor else { continue };
            let expected = strength(&all, &pool, row, donor, &|step| steps.is_none_or(|only| only == step));
            let found = answer.strength.unwrap();
            assert!((found / expected - 1.0).abs() < 1e-9, "row {row}, {text}: {found} against {expected}");
            compared += 1;
        }
        // Keys and values of another example lie as far away as examples do.
        for text in ["swap-kv", "swap-kv:3", "swap-kv:other-answer"] {
            let answer = of(row, text);
            assert!(answer.donor.is_none() || answer.strength.is_some_and(|s| s > 0.05 && s < 200.0), "{text}: {:?}", answer.strength);
        }
        assert_eq!(of(row, "swap-kv:3").strength.is_some(), row != 3, "row 3 is not its own donor");
        assert_eq!((of(row, "sham").strength, of(row, "sham-kv").strength, of(row, "clean").strength), (Some(0.0), Some(0.0), None));
        assert!(of(row, "mean").strength.unwrap() < of(row, "zero").strength.unwrap());
        let (clean, exchanged) = (of(row, "clean"), of(row, "swap-kv"));
        assert!(exchanged.donor.is_none() || exchanged.gold_margin != clean.gold_margin, "row {row}: something moves");
    }
    assert!(compared > 20);
}

#[test]
fn latents_that_are_the_same_for_all_have_no_strength_but_their_keys_and_values_do() {
    let mut opened = Opened::new("lvr");
    opened.tokens.dummy = opened.model.config.latent.lvr_id;
    let folder = tempfile::tempdir().unwrap();
    record(&setup(&opened, Shard::WHOLE, 4), &examples(8), folder.path());
    let answers: Vec<AnswerRow> = read_rows(&records::folder(folder.path()).join(files::ANSWERS)).unwrap();
    for answer in answers.iter().filter(|answer| answer.intervention.action.replaces() && answer.donor.is_some()) {
        let of_keys_values = answer.intervention.action.gives_keys_values();
        assert_eq!(answer.strength.is_some(), of_keys_values, "{}", answer.intervention);
    }
}
