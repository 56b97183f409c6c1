//! Records to findings and on to a comparison, end to end on small made-up records.

mod made;

use std::collections::BTreeMap;
use std::path::Path;

use prism_audit::findings::files;
use prism_audit::{AuditSettings, Findings, audit_run, compare};
use prism_run::manifest::{Manifest, SCHEMA};
use prism_run::random::Stream;
use prism_run::records::{self, AlignmentRow, AnswerRow, ExampleRow};
use prism_run::table::write_rows;
use prism_run::vectors::{self, Vectors};
use prism_run::{Content, Effect, Intervention, Mode, Need, Outcome, Stage, Verdict};

const N: usize = 60;
const INTERVENTIONS: [&str; 10] =
    ["clean", "zero", "noise:0.1", "noise:1", "swap:other-answer", "swap-kv:other-answer", "draw", "mean", "remove", "sham"];
/// Those under which a model that relies on its latents loses answers.
const COSTLY: [&str; 2] = ["zero", "swap:other-answer"];
const LETTERS: [&str; 4] = ["A", "B", "C", "D"];

/// What the made-up model does.
#[derive(Clone, Copy)]
struct Model {
    cosine: f64,
    /// Share of right answers.
    skill: f64,
    /// Share of answers that zeroing, or another example's vectors, flip to wrong.
    reliance: f64,
    opens: bool,
}

fn of(name: &str) -> Intervention {
    name.parse().unwrap()
}

fn write(run: &Path, variant: &str, seed: u64, model: Model) {
    let folder = records::folder(run);
    let mut stream = Stream::new(seed, "made-up records", &[variant]);
    let mut examples = Vec::new();
    let mut answers = Vec::new();
    let mut alignment = Vec::new();
    let mut at = BTreeMap::from([("answer_state", Vectors::default()), ("latent_last", Vectors::default())]);
    for row in 0..N {
        let letter = LETTERS[row % 4];
        let steps = if model.opens { 4 } else { 0 };
        let outcome = if model.opens { Outcome::Scored } else { Outcome::NoLatents };
        examples.push(ExampleRow { category: Some(["attribute", "position"][row % 2].into()), outcome, ..made::example(row, letter) });
        let right = stream.uniform() < model.skill;
        let flips = model.opens && stream.uniform() < model.reliance;
        for name in INTERVENTIONS {
            let correct = right && !(flips && COSTLY.contains(&name));
            let said = if correct { letter } else { LETTERS[(row + 1) % 4] };
            let small = name == "noise:0.1";
            let made = made::answer(row, of(name), Some(said), letter);
            answers.push(AnswerRow {
                outcome,
                steps_target: steps,
                generated: vec![i64::from(correct), i64::from(flips && COSTLY.contains(&name))],
                gold_margin: Some(if correct { 1.0 } else { -1.0 }),
                latent_norm: Some(2.0),
                perturbation_norm: made.perturbation_norm.map(|_| if small { 0.006 } else { 1.0 }),
                strength: made.strength.map(|strength| if small { 0.0001 } else { strength }),
                ..made
            });
        }
        for step in 0..steps {
            let cosine = model.cosine + 0.01 * stream.normal();
            alignment.push(AlignmentRow {
                row,
                mode: Mode::TeacherForced,
                stage: Stage::Target,
                region: 0,
                step,
                cosine,
                mse: 1.0,
                l2: 1.0,
                latent_norm: 1.0,
                target_norm: 1.0,
            });
        }
        for (position, signal) in [("answer_state", 3.0 * model.skill), ("latent_last", 0.5)] {
            let mut vector = stream.normals(6);
            vector[row % 4] += signal as f32;
            if let Some(v) = at.get_mut(position) {
                v.push(row as i64, &vector);
            }
        }
    }
    write_rows(&folder.join(records::files::EXAMPLES), examples).unwrap();
    write_rows(&folder.join(records::files::ANSWERS), answers).unwrap();
    write_rows(&folder.join(records::files::ALIGNMENT), alignment).unwrap();
    let at = at.into_iter().map(|(k, v)| (k.to_string(), v)).collect();
    vectors::write(&folder.join(records::files::LATENTS), &at).unwrap();
    let manifest = Manifest {
        schema: SCHEMA,
        kind: "audit".into(),
        version: "0".into(),
        variant: Some(variant.into()),
        name: Some(variant.to_uppercase()),
        seed: Some(seed),
        benchmark: Some("world".into()),
        command: vec![],
        commit: String::new(),
        host: String::new(),
        device: String::new(),
        dtype: String::new(),
        threads: 1,
        inputs: BTreeMap::new(),
        outcomes: BTreeMap::new(),
        causes: BTreeMap::new(),
        settings: BTreeMap::new(),
        started: String::new(),
        ended: None,
    };
    manifest.write(run).unwrap();
}

fn settings() -> AuditSettings {
    AuditSettings { replicates: 500, control_draws: 2, repeats: 2, ..Default::default() }
}

const RELIES: Model = Model { cosine: 0.5, skill: 0.9, reliance: 0.6, opens: true };

#[test]
fn a_model_that_relies_on_its_latents_is_told_from_one_that_does_not() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "relies", 1, RELIES);
    let found = audit_run(dir.path(), &settings()).unwrap();
    assert_eq!(found, Findings::read(dir.path()).unwrap());
    let verdict = |name: &str| found.verdict.iter().find(|v| v.intervention == of(name)).unwrap();
    assert_eq!(verdict("zero").verdict, Effect::Loses);
    assert_eq!(verdict("swap:other-answer").verdict, Effect::Loses);
    assert_eq!((verdict("draw").verdict, verdict("remove").verdict), (Effect::Unchanged, Effect::Unchanged));
    assert_eq!(verdict("noise:0.1").verdict, Effect::TooWeak, "a hundredth of the natural spread");
    let whole = |name: &str| found.faithfulness.iter().find(|f| f.intervention == of(name) && f.category == "all").unwrap();
    let (none, zero) = (whole("draw"), whole("zero"));
    assert!(none.delta_low.unwrap() < -0.03 && none.delta_high.unwrap() > 0.03, "nothing flipped, and that is not certainty: {none:?}");
    assert_eq!(found.verdict.len(), 8, "clean and sham have no verdict");
    let (low, delta, high) = (zero.delta_low.unwrap(), zero.delta.unwrap(), zero.delta_high.unwrap());
    assert!(low < delta && delta < high && high < 0.0);
    assert_eq!(zero.delta, Some(-(zero.lost as f64) / N as f64));
    assert_eq!(found.faithfulness.len(), INTERVENTIONS.len() * 3, "all and two categories");
    let line = &found.table1[0];
    assert_eq!((line.delta_truncate, line.examples, line.opened, line.majority), (zero.delta, N, Some(1.0), Some(0.25)));
    assert!((line.cosine.unwrap() - 0.5).abs() < 0.01 && line.gap.unwrap() > 0.2, "{line:?}");
    assert!(found.warnings.iter().any(|w| w.text.contains("draw changed not one")), "{:?}", found.warnings);
    let run = &found.conclusion[0];
    assert_eq!((run.word, run.content, run.presence), (Verdict::LoadBearing, Content::Used, Need::Indifferent));
    assert_eq!((line.word, line.presence, run.resting_on.as_slice()), (Some(run.word), Some(run.presence), &[of("swap:other-answer")][..]));
    assert_eq!((run.variant.as_str(), run.seed, run.examples), ("relies", Some(1), N));
    let decisive = ["swap:other-answer", "swap-kv:other-answer", "draw", "mean"].map(of);
    assert_eq!(run.decisive, decisive, "damage decides nothing, and no example has a partner");
    assert!(run.sentence.starts_with("The answers depend on what the block says"), "{}", run.sentence);
    assert!(zero.margin_p.unwrap() < 0.01 && zero.margin_equivalence_p.unwrap() > 0.9, "{zero:?}");
    assert_eq!((zero.clusters, zero.clustered_by.is_empty(), zero.clustered_low), (N, true, None));
    assert!(zero.bootstrap_low.unwrap() < delta && zero.margin_low.unwrap() < zero.margin_delta.unwrap());
    assert_eq!((none.margin_p, none.margin_equivalence_p), (Some(1.0), None), "margins without spread test nothing");
}

#[test]
fn damage_alone_bears_no_load() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "bypassed", 1, RELIES);
    let path = records::folder(dir.path()).join(records::files::ANSWERS);
    let rows: Vec<AnswerRow> = prism_run::table::read_rows(&path).unwrap();
    let swap = of("swap:other-answer");
    let clean: Vec<AnswerRow> = rows.iter().filter(|r| r.intervention.is_clean()).cloned().collect();
    let kept = rows.into_iter().map(|r| match r.intervention == swap {
        true => AnswerRow { intervention: swap, strength: r.strength, perturbation_norm: r.perturbation_norm, ..clean[r.row].clone() },
        false => r,
    });
    write_rows(&path, kept).unwrap();
    let found = audit_run(dir.path(), &settings()).unwrap();
    let run = &found.conclusion[0];
    assert_eq!((run.word, run.content), (Verdict::Bypassed, Content::NotUsed), "{}", run.rule);
    assert!(found.verdict.iter().any(|v| v.intervention == of("zero") && v.verdict == Effect::Loses));
}

/// The same records with the examples in clusters of six that share an image.
fn share_images(run: &Path) {
    let path = records::folder(run).join(records::files::EXAMPLES);
    let rows: Vec<ExampleRow> = prism_run::table::read_rows(&path).unwrap();
    write_rows(&path, rows.into_iter().map(|r| ExampleRow { image: format!("{}.png", r.row / 6), ..r })).unwrap();
}

#[test]
fn examples_of_one_image_are_not_so_many_witnesses() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "relies", 1, RELIES);
    let whole = |found: &Findings| found.faithfulness.iter().find(|f| f.intervention == of("zero") && f.category == "all").unwrap().clone();
    let word = |found: &Findings, name: &str| found.verdict.iter().find(|v| v.intervention == of(name)).unwrap().clone();
    let plain = audit_run(dir.path(), &settings()).unwrap();
    share_images(dir.path());
    let found = audit_run(dir.path(), &settings()).unwrap();
    let (before, zero) = (whole(&plain), whole(&found));
    assert_eq!((zero.clusters, zero.clustered_by.clone()), (10, vec!["image".to_string()]));
    assert_eq!((before.delta, before.delta_low), (zero.delta, zero.delta_low), "the plain interval knows no images");
    assert!(zero.clustered_low.unwrap() < zero.delta.unwrap());
    assert_eq!(zero.margin_p, Some(2.0 / 1024.0), "ten images, all one way: as far as their signs can say");
    let draw = word(&found, "draw");
    assert_eq!((word(&plain, "draw").verdict, draw.verdict), (Effect::Unchanged, Effect::Undecided), "ten images, not sixty questions");
    assert!(draw.clusters == 10 && draw.changed_bound.unwrap() > 0.2 && draw.clustered_high.unwrap() > 0.05);
    let swap = word(&found, "swap:other-answer");
    assert!(swap.clustered_p.unwrap() > swap.mcnemar_p.unwrap() && swap.holm_p.unwrap() >= swap.clustered_p.unwrap());
    assert_eq!(swap.verdict, Effect::Loses, "all ten images lose answers");
}

#[test]
fn views_of_the_image_are_families_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "relies", 1, RELIES);
    let plain = audit_run(dir.path(), &settings()).unwrap();
    let path = records::folder(dir.path()).join(records::files::ANSWERS);
    let mut rows: Vec<AnswerRow> = prism_run::table::read_rows(&path).unwrap();
    // Hiding the image costs every right answer, with the latents as they are and damaged.
    let hidden = |name: &str| -> Vec<AnswerRow> {
        let intervention = of(&format!("{name}@image-hidden"));
        let wrong = |r: &AnswerRow| {
            let said = LETTERS[(r.row + 1) % 4].to_string();
            AnswerRow { intervention, answer: Some(said), correct: Some(false), ..r.clone() }
        };
        rows.iter().filter(|r| r.intervention == of(name)).map(wrong).collect()
    };
    let (damaged, clean) = ([hidden("zero"), hidden("swap:other-answer")].concat(), hidden("clean"));
    rows.extend(damaged);
    write_rows(&path, rows.clone()).unwrap();
    let found = audit_run(dir.path(), &settings()).unwrap();
    let verdict = |found: &Findings, name: &str| found.verdict.iter().find(|v| v.intervention == of(name)).unwrap().clone();
    let alone = verdict(&found, "zero@image-hidden");
    assert_eq!((alone.verdict, alone.examples, alone.tests), (Effect::NotDefined, 0, 0), "not held against the image in view");
    rows.extend(clean);
    write_rows(&path, rows).unwrap();
    let found = audit_run(dir.path(), &settings()).unwrap();
    assert_eq!(found.verdict.len(), 11, "their rows are kept");
    assert_eq!((verdict(&found, "zero").tests, verdict(&found, "swap:other-answer@image-hidden").tests), (3, 3));
    assert_eq!(verdict(&found, "zero@image-hidden").delta, Some(0.0), "the image's part is taken off");
    let image = verdict(&found, "clean@image-hidden");
    assert!(image.delta.unwrap() < -0.2 && image.verdict == Effect::Loses, "{image:?}");
    assert_eq!(found.verdict[0], plain.verdict[0]);
    assert_eq!(found.conclusion, plain.conclusion, "a hidden image says nothing of the main question");
}

#[test]
fn no_latents_is_loud_and_has_no_delta() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "closed", 1, Model { opens: false, ..RELIES });
    let found = audit_run(dir.path(), &settings()).unwrap();
    assert!(found.warnings.iter().any(|w| w.text.starts_with("NO LATENTS RAN")), "{:?}", found.warnings);
    assert!(found.faithfulness.iter().all(|f| f.delta.is_none() && f.reason.is_some()));
    assert_eq!((found.table1[0].word, found.table1[0].presence), (Some(Verdict::NoLatents), Some(Need::NoLatents)));
    assert_eq!(found.table1[0].delta_truncate, None);
}

#[test]
fn the_gap_is_over_the_examples_that_have_both_vectors() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "relies", 1, RELIES);
    let path = records::folder(dir.path()).join(records::files::LATENTS);
    let mut all = vectors::read(&path).unwrap();
    let whole = all["latent_last"].clone();
    let mut kept = Vectors::default();
    for (i, row) in whole.rows.iter().enumerate().filter(|(_, row)| **row < 40) {
        kept.push(*row, whole.vector(i));
    }
    all.insert("latent_last".into(), kept);
    vectors::write(&path, &all).unwrap();
    let found = audit_run(dir.path(), &settings()).unwrap();
    let (line, rows) = (&found.table1[0], |p: &str| found.probe.iter().find(|f| f.position == p).unwrap().rows);
    assert_eq!((rows("answer_state"), rows("latent_last"), line.gap_rows), (60, 40, Some(40)));
    assert_ne!(line.gap, line.probe_a.zip(line.probe_b).map(|(a, b)| a - b), "not the difference of the columns");
    assert!(found.warnings.iter().any(|w| w.text.contains("on 60 examples and latent_last on 40")), "{:?}", found.warnings);
}

#[test]
fn unparsed_answers_and_a_target_stage_that_never_ran_are_told() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "relies", 1, RELIES);
    let path = records::folder(dir.path()).join(records::files::ANSWERS);
    let rows: Vec<AnswerRow> = prism_run::table::read_rows(&path).unwrap();
    let changed = rows.into_iter().map(|r| AnswerRow {
        answer: r.answer.filter(|_| !(r.intervention == of("zero") && r.correct == Some(false))),
        steps_context: 8,
        steps_target: if r.row < 15 { 0 } else { 4 },
        ..r
    });
    write_rows(&path, changed).unwrap();
    let found = audit_run(dir.path(), &settings()).unwrap();
    let zero = found.verdict.iter().find(|v| v.intervention == of("zero")).unwrap();
    assert!(zero.lost > 5 && zero.lost_unparsed == zero.lost, "{zero:?}");
    assert!(zero.reason.as_deref().unwrap().contains("lost answers cannot be parsed"));
    assert_eq!((zero.choice_p, zero.choice_delta), (Some(1.0), Some(0.0)), "among answers parsed both ways none is lost");
    for words in ["the target stage never ran in 15 of the 60", "could not be parsed any more"] {
        assert!(found.warnings.iter().any(|w| w.text.contains(words)), "{words}: {:?}", found.warnings);
    }
}

#[test]
fn the_same_records_give_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "relies", 1, RELIES);
    let bytes = || -> Vec<Vec<u8>> {
        audit_run(dir.path(), &settings()).unwrap();
        let folder = prism_audit::findings::folder(dir.path());
        [files::ALIGNMENT, files::PROBE, files::FAITHFULNESS, files::VERDICT, files::CONCLUSION, files::TABLE1, files::WARNINGS]
            .iter()
            .map(|name| std::fs::read(folder.join(name)).unwrap())
            .collect()
    };
    assert_eq!(bytes(), bytes());
}

#[test]
fn damaged_records_are_told() {
    let dir = tempfile::tempdir().unwrap();
    assert!(audit_run(dir.path(), &settings()).unwrap_err().to_string().contains("run.json"));
    write(dir.path(), "relies", 1, RELIES);
    let answers = records::folder(dir.path()).join(records::files::ANSWERS);
    let rows: Vec<AnswerRow> = prism_run::table::read_rows(&answers).unwrap();
    write_rows(&answers, rows.iter().filter(|r| !r.intervention.is_clean()).cloned()).unwrap();
    assert!(audit_run(dir.path(), &settings()).unwrap_err().to_string().contains("no clean run"));
    write_rows(&answers, rows.iter().cloned().map(|r| AnswerRow { row: r.row + 1, ..r })).unwrap();
    assert!(audit_run(dir.path(), &settings()).unwrap_err().to_string().contains("not among the examples"));
    std::fs::write(&answers, b"PAR1").unwrap();
    assert!(audit_run(dir.path(), &settings()).unwrap_err().to_string().contains("answers.parquet"));
    write_rows(&records::folder(dir.path()).join(records::files::EXAMPLES), Vec::<ExampleRow>::new()).unwrap();
    assert!(audit_run(dir.path(), &settings()).unwrap_err().to_string().contains("no example"));
}

#[test]
fn a_comparison_over_variants_and_seeds() {
    let dir = tempfile::tempdir().unwrap();
    let mut runs = Vec::new();
    for (i, variant) in ["a", "b", "c", "d"].into_iter().enumerate() {
        for seed in [1, 2] {
            let run = dir.path().join(format!("{variant}{seed}"));
            let opposed = Model { cosine: 0.4 + 0.1 * i as f64, skill: 0.9 - 0.2 * i as f64, ..RELIES };
            write(&run, variant, seed, opposed);
            audit_run(&run, &settings()).unwrap();
            runs.push(run);
        }
    }
    let found = compare(&runs, &settings()).unwrap();
    assert_eq!((found.table1.len(), found.comparison.len()), (8, 44));
    let row = |unit: &str, given: Option<&str>| {
        let matches = |r: &&prism_audit::findings::ComparisonFinding| {
            (r.unit.as_str(), r.x.as_str(), r.y.as_str(), r.given.as_deref()) == (unit, "cosine", "accuracy", given)
        };
        found.comparison.iter().find(matches).unwrap()
    };
    assert_eq!(found.verdict.len(), 64, "eight interventions by eight runs");
    let swaps: Vec<_> = found.verdict.iter().filter(|v| v.intervention == of("swap:other-answer")).collect();
    assert!(swaps.iter().all(|v| v.tests == 4 && v.across_holm_p >= v.holm_p), "a run's family is its own; over all runs stands beside it");
    assert!(found.verdict.iter().all(|v| !v.variant.is_empty() && v.seed.is_some()));
    let mean = row("seed_mean", None);
    let r = mean.r.unwrap();
    assert!(mean.variants == 4 && r < -0.9 && mean.low.unwrap() <= r && r <= mean.high.unwrap(), "{mean:?}");
    assert!(mean.exact_p.is_some() && mean.fisher_low.is_some() && mean.leave_one_out_high.is_some());
    let single = row("run", None);
    assert_eq!((single.variants, single.exact_p), (8, None));
    assert!(single.reason.as_deref().unwrap().contains("exact p"));
    let partial = row("seed_mean", Some("question_mean"));
    assert_eq!((partial.r, partial.variants), (None, 0));
    assert!(partial.reason.as_deref().unwrap().contains("absent"));
    assert_eq!(found, compare(&runs, &settings()).unwrap());
    assert_eq!((found.seeds.len(), found.conclusion.len()), (4 * INTERVENTIONS.len(), 8), "four variants of two seeds");
    let seeds = found.seeds.iter().find(|s| s.variant == "a" && s.intervention == of("zero")).unwrap();
    assert_eq!((seeds.seeds, seeds.items, seeds.clusters), (2, N, N));
    let runs_of_a = found.table1.iter().filter(|line| line.variant == "a").filter_map(|line| line.delta_truncate).sum::<f64>();
    assert!(
        (seeds.mean.unwrap() - runs_of_a / 2.0).abs() < 1e-12 && seeds.low < seeds.mean && seeds.effect_low < seeds.effect,
        "{seeds:?}"
    );
    let written = dir.path().join("comparison");
    found.write(&written).unwrap();
    assert_eq!(Findings::read(&written).unwrap(), found);
    assert!(mean.spearman.unwrap() < -0.9 && mean.spearman_p.is_some() && single.spearman_p.is_none());

    runs.push(runs[0].clone());
    assert!(compare(&runs, &settings()).unwrap_err().to_string().contains("given twice"));
    assert!(compare(&[], &settings()).is_err());
    assert!(compare(&[dir.path().join("absent")], &settings()).unwrap_err().to_string().contains("run.json"));
}
