//! Records of a benchmark: the same bytes whatever threads, groups and
//! interruptions; every example in one outcome; branches that do not see each other.

mod golden;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use golden::{Opened, examples};
use prism_record::decode::{Branch, Noise, NoiseSource, Prefix, Strategy, Swap, Trajectory, Untouched, Zero};
use prism_record::record::{Setup, Summary, record_benchmark, record_sweep};
use prism_run::records::{self, AlignmentRow, AnswerRow, AttentionRow, ExampleRow, LatentRow, LensRow, MapRow, digests, files};
use prism_run::table::read_rows;
use prism_run::{Action, Cancel, Donor, Example, Intervention, Mode, NotedAt, Outcome, Progress, Shard, Silent, Stage, vectors};

fn decode(opened: &Opened, branches: Vec<Branch<'_>>) -> Vec<Trajectory> {
    opened.decoder(8, 48).decode(branches).unwrap()
}

#[test]
fn a_branch_is_the_same_alone_and_in_any_company() {
    let opened = Opened::new("plvr2");
    let prefixes: Vec<Prefix> = examples(3).iter().map(|e| opened.prefiller().prefix(e).unwrap()).collect();
    let alone: Vec<Trajectory> = prefixes.iter().flat_map(|p| decode(&opened, vec![Branch::new(p, Untouched)])).collect();
    assert!(alone.iter().all(|t| t.latent_forwards().count() > 0));

    let own = Arc::new(alone[0].latents(0));
    let other = Arc::new(alone[1].latents(1));
    let noise = |sigma: f64| Noise { sigma, source: NoiseSource::Keyed { seed: 7, example: "x".into() } };
    let p = &prefixes[0];
    let company = decode(
        &opened,
        vec![
            Branch::new(p, Zero),
            Branch::new(p, Untouched),
            Branch::new(p, noise(1.0)),
            Branch::new(p, Swap { donor: own }),
            Branch::new(p, noise(0.0)),
            Branch::new(p, Swap { donor: other }),
            Branch::new(&prefixes[1], Untouched),
            Branch::new(&prefixes[2], Untouched),
        ],
    );
    assert_eq!(company[1], alone[0], "clean beside others");
    assert_eq!(company[3], alone[0], "swap with itself");
    assert_eq!(company[4], alone[0], "noise of 0");
    assert_eq!(company[6..], alone[1..], "other examples");
    assert_eq!(decode(&opened, vec![Branch::new(p, Zero)])[0], company[0]);
    assert_eq!(decode(&opened, vec![Branch::new(p, noise(1.0))])[0], company[2]);
    assert_ne!(company[0].generated, alone[0].generated);
}

fn branch(text: &str) -> Intervention {
    text.parse().unwrap()
}

fn branches() -> Vec<Intervention> {
    let others = "sham relative:0.5 norm-matched mean constant draw first reversed shuffled swap:3 swap:same-answer swap:other-answer \
                  mix:0.5 oracle oracle-other forced:2 remove evict markers format zero/target zero/step=1 zero/layer=1 clean@image-hidden \
                  zero@image-hidden clean@image-none clean@image-grey clean@image-other clean@image-shuffled sham-kv swap-kv swap-kv:3 \
                  swap-kv:other-answer swap-kv/target swap-kv/step=1 swap-kv@image-hidden sham-kv@image-none";
    Intervention::paper_six().into_iter().chain(others.split_whitespace().map(|text| text.parse().unwrap())).collect()
}

fn setup(opened: &Opened, group: usize) -> Setup<'_> {
    Setup {
        model: &opened.model,
        prompter: &opened.prompter,
        preprocessor: &opened.preprocessor,
        tokens: &opened.tokens,
        layout: opened.layout(),
        strategy: Strategy::of_steps(4, 48),
        branches: branches(),
        seed: 11,
        pool: 5,
        alignment: 7,
        group,
        shard: Shard::WHOLE,
        vectors: true,
        layers: true,
        timing: false,
        checkpoint: "test".into(),
    }
}

fn run(setup: &Setup<'_>, examples: &[Example], threads: usize, folder: &Path) -> Summary {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| record_benchmark(setup, examples, folder, &Silent, &Cancel::default())).unwrap()
}

/// Every file of the records, digests and plan among them.
fn bytes(run: &Path) -> BTreeMap<String, Vec<u8>> {
    assert_eq!(digests::check(run).unwrap(), Some(vec![]));
    let entries = std::fs::read_dir(records::folder(run)).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())).collect()
}

/// Asks to stop after some examples.
struct StopAfter(std::sync::atomic::AtomicU64, Cancel);

impl Progress for StopAfter {
    fn begin(&self, _: &str, _: &str, _: u64, _: u64) {}
    fn advance(&self, n: u64) {
        if self.0.fetch_sub(n, std::sync::atomic::Ordering::Relaxed) <= n {
            self.1.request();
        }
    }
    fn note(&self, _: &str) {}
    fn end(&self) {}
    fn say(&self, _: &str) {}
}

#[test]
fn the_bytes_depend_on_neither_threads_nor_groups_nor_interruptions() {
    let opened = Opened::new("plvr3");
    let examples = examples(40);
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let summary = run(&setup(&opened, 1), &examples, 1, &at("one"));
    assert_eq!(summary.examples, 40);
    assert_eq!(summary.warning(), None);
    let want = bytes(&at("one"));

    run(&setup(&opened, 3), &examples, 2, &at("two"));
    assert!(bytes(&at("two")) == want, "threads and groups");

    // Stopped among the donors, after the donors, in the rest: each time it goes on.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    for after in [1, 5, 33] {
        let cancel = Cancel::default();
        let progress = StopAfter(after.into(), cancel.clone());
        let stopped = pool.install(|| record_benchmark(&setup(&opened, 1), &examples, &at("three"), &progress, &cancel));
        assert!(stopped.unwrap_err().to_string().contains("interrupted"));
        assert!(!records::folder(&at("three")).exists());
    }
    run(&setup(&opened, 1), &examples, 2, &at("three"));
    assert!(bytes(&at("three")) == want, "interruptions");
    let left: Vec<_> = std::fs::read_dir(at("three")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["records"]);

    check_rows(&at("one"), &opened);
}

fn check_rows(run: &Path, opened: &Opened) {
    let folder = records::folder(run);
    let rows: Vec<ExampleRow> = read_rows(&folder.join(files::EXAMPLES)).unwrap();
    assert!(rows.iter().enumerate().all(|(i, r)| r.row == i && r.prompt_tokens > r.visual_tokens));
    let answers: Vec<AnswerRow> = read_rows(&folder.join(files::ANSWERS)).unwrap();
    assert_eq!(answers.len(), 40 * branches().len());
    for of_example in answers.chunks(branches().len()) {
        let clean = &of_example[0];
        assert_eq!((clean.intervention, clean.changed, clean.perturbation_norm), (Intervention::CLEAN, Some(false), Some(0.0)));
        for (answer, branch) in of_example.iter().zip(branches()) {
            assert_eq!((answer.row, answer.intervention), (clean.row, branch));
            let message = rows[answer.row].message.as_deref().unwrap_or_default();
            if answer.outcome == Outcome::Error {
                assert!(message.contains(&format!("{branch}: ")), "{branch}: {message}");
                continue;
            }
            let steps = answer.steps_context + answer.steps_target;
            assert_eq!((steps >= 8, steps == 0), (!branch.action.skips_block(), branch.action.skips_block()), "{branch}");
            assert_eq!(answer.latent_norm.is_some(), !branch.action.skips_block());
            assert_eq!(answer.donor.is_some(), branch.action.donor().is_some());
            assert_eq!(answer.donor == Some(answer.row), branch.action.donor() == Some(Donor::Itself));
            assert_eq!(answer.donor_label.is_some(), answer.donor.is_some());
            let moved = answer.perturbation_norm.is_some_and(|norm| norm > 0.0);
            let reached = branch.scope.stage != Some(Stage::Target) || answer.steps_target > 0;
            assert_eq!(moved, branch.action.replaces() && !branch.is_sham() && reached, "{branch}");
            let measured = branch.action.replaces() && branch.scope.layer.is_none() && reached;
            assert_eq!(answer.strength.is_some(), measured, "{branch}");
            // The example's own vectors are at no distance from themselves, whatever is hidden.
            let own = branch.action.donor() == Some(Donor::Itself) || branch.is_sham();
            assert_eq!(answer.strength == Some(0.0), measured && own, "{branch}: {:?}", answer.strength);
        }
        for sham in of_example.iter().filter(|answer| answer.intervention.is_sham()) {
            assert_eq!((&sham.generated, sham.gold_margin, sham.perturbation_norm), (&clean.generated, clean.gold_margin, Some(0.0)));
        }
        assert!(clean.gold_logprob.is_some_and(|l| l <= 0.0));
    }
    // What each did to the latents, step by step.
    let steps: Vec<LatentRow> = read_rows(&folder.join(files::STEPS)).unwrap();
    let of = |row: usize, name: &str| -> Vec<&LatentRow> {
        steps.iter().filter(|s| (s.row, s.intervention, s.stage) == (row, branch(name), Stage::Context)).collect()
    };
    for row in 0..40 {
        let clean = of(row, "clean");
        assert!(clean.iter().all(|s| s.lens_token.is_some() && s.lens_probability.is_some_and(|p| p > 0.0 && p <= 1.0)));
        assert!(of(row, "zero").iter().all(|s| s.norm == 0.0 && s.clean_cosine.is_none()));
        assert!(of(row, "zero/step=1").iter().all(|s| (s.norm == 0.0) == (s.step == 1)));
        assert!(of(row, "zero/layer=1").iter().all(|s| s.norm > 0.0), "the vector fed back stays");
        assert!(of(row, "sham").iter().zip(&clean).all(|(s, c)| s.norm == c.norm));
        assert!(of(row, "norm-matched").iter().take(1).zip(&clean).all(|(s, c)| (s.norm / c.norm - 1.0).abs() < 1e-5));
        let reversed = of(row, "reversed");
        assert!(reversed.iter().zip(clean.iter().rev()).all(|(s, c)| s.norm == c.norm));
        let mut shuffled: Vec<f64> = of(row, "shuffled").iter().map(|s| s.norm).collect();
        let mut same: Vec<f64> = clean.iter().map(|s| s.norm).collect();
        shuffled.sort_by(f64::total_cmp);
        same.sort_by(f64::total_cmp);
        assert_eq!(shuffled, same);
        let first = of(row, "first");
        assert!(first.iter().all(|s| s.norm == first[0].norm) && first[0].norm == clean[0].norm);
        let (oracle, forced) = (of(row, "oracle"), of(row, "forced:2"));
        assert!(oracle.iter().zip(&forced).take(2).all(|(o, f)| o.norm == f.norm), "forced for two steps");
    }
    let constant: std::collections::BTreeSet<u64> =
        steps.iter().filter(|s| s.intervention == Action::Constant.into() && s.stage == Stage::Context).map(|s| s.norm.to_bits()).collect();
    assert_eq!(constant.len(), 1, "one vector for all examples and steps");
    let attention: Vec<AttentionRow> = read_rows(&folder.join(files::ATTENTION)).unwrap();
    assert!(attention.iter().any(|a| a.place == NotedAt::Answer) && attention.iter().any(|a| a.place == NotedAt::Context));
    for a in &attention {
        assert!((a.image + a.text + a.latents + a.generated - 1.0).abs() < 1e-4, "{a:?}");
        assert!(a.region.is_none_or(|region| region <= a.image + 1e-6));
        assert_eq!(a.latents > 0.0, a.place == NotedAt::Answer || a.place == NotedAt::Target || a.step != Some(0), "{a:?}");
    }
    // A map's sums are the table's means over layers; its cosines are those of the vectors written.
    let maps: Vec<MapRow> = read_rows(&folder.join(files::MAPS)).unwrap();
    for map in &maps {
        let seen: Vec<&AttentionRow> = attention.iter().filter(|a| (a.row, a.place, a.step) == (map.row, map.place, map.step)).collect();
        let mean = seen.iter().map(|a| a.image).sum::<f64>() / seen.len() as f64;
        let on = map.attention.as_ref().unwrap();
        assert_eq!(on.len(), map.height * map.width);
        assert!((on.iter().sum::<f64>() - mean).abs() < 1e-5, "{map:?}");
        assert_eq!(map.cosine.is_some(), map.place != NotedAt::Answer);
        assert!(map.cosine.iter().flatten().all(|c| (-1.000001..=1.000001).contains(c)));
        assert!(seen.iter().all(|a| a.image_entropy.is_none_or(|e| e <= (on.len() as f64).ln() + 1e-6)));
    }
    assert!(maps.iter().any(|m| m.place == NotedAt::Answer) && maps.iter().any(|m| m.place == NotedAt::Context));
    let lens: Vec<LensRow> = read_rows(&folder.join(files::LENS)).unwrap();
    assert_eq!(lens.len() % opened.model.config.text.num_hidden_layers, 0);
    assert!(lens.iter().all(|l| l.probability > 0.0 && l.probability <= 1.0 && l.entropy >= 0.0 && !l.token.is_empty()));
    let all = vectors::read(&folder.join(files::LATENTS)).unwrap();
    let hidden = opened.model.config.text.hidden_size;
    for name in ["answer_state", "latent_last", "latent_mean", "context_last", "context_mean", "question_mean", "visual_mean"] {
        assert_eq!((all[name].rows.len(), all[name].width), (40, hidden), "{name}");
        for layer in 0..opened.model.config.text.num_hidden_layers {
            assert_eq!(all[&format!("{name}@{layer}")].rows.len(), 40, "{name}@{layer}");
        }
    }
    assert_eq!(all["question_blind"].rows.len(), 40);
    assert_eq!(all["fed.context.7"].rows.len(), 40);
    assert_eq!(all["teacher.context.0"].rows.len(), all["forced.context.0"].rows.len());
    let alignment: Vec<AlignmentRow> = read_rows(&folder.join(files::ALIGNMENT)).unwrap();
    for mode in Mode::ALL {
        let rows: std::collections::BTreeSet<usize> = alignment.iter().filter(|a| a.mode == mode).map(|a| a.row).collect();
        assert_eq!(rows.len(), 7, "{mode}");
    }
    assert!(alignment.iter().all(|a| (-1.0..=1.0).contains(&a.cosine)));
}

#[test]
fn a_sweep_writes_what_single_runs_write_on_one_prefill() {
    let opened = Opened::new("plvr2");
    let examples = examples(12);
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let sweep = |arms: &[(usize, &str)], progress: &dyn Progress, cancel: &Cancel| {
        let arms: Vec<_> = arms.iter().map(|(steps, name)| (Strategy::of_steps(*steps, 48), at(name))).collect();
        pool.install(|| record_sweep(&setup(&opened, 3), &arms, &examples, progress, cancel))
    };
    let mut single = Vec::new();
    for (steps, name) in [(4, "four"), (8, "eight")] {
        single.push(run(&Setup { strategy: Strategy::of_steps(steps, 48), ..setup(&opened, 2) }, &examples, 1, &at(name)));
    }
    assert!(bytes(&at("four")) != bytes(&at("eight")));

    let both = sweep(&[(4, "sweep/k4"), (8, "sweep/k8")], &Silent, &Cancel::default()).unwrap();
    assert_eq!((both.summaries, both.prefills), (single, 12));
    assert!(bytes(&at("sweep/k4")) == bytes(&at("four")) && bytes(&at("sweep/k8")) == bytes(&at("eight")));

    // Stopped half way it goes on; an arm that is finished is kept, and needs no prefill.
    let cancel = Cancel::default();
    let stopped = sweep(&[(4, "again/k4"), (8, "again/k8")], &StopAfter(9.into(), cancel.clone()), &cancel);
    assert!(stopped.unwrap_err().to_string().contains("interrupted"));
    sweep(&[(4, "again/k4")], &Silent, &Cancel::default()).unwrap();
    let rest = sweep(&[(4, "again/k4"), (8, "again/k8")], &Silent, &Cancel::default()).unwrap();
    assert_eq!(rest.summaries.len(), 2);
    assert!(bytes(&at("again/k4")) == bytes(&at("four")) && bytes(&at("again/k8")) == bytes(&at("eight")));
    assert_eq!(sweep(&[(4, "again/k4"), (8, "again/k8")], &Silent, &Cancel::default()).unwrap().prefills, 0);
}

#[test]
fn a_broken_image_is_an_outcome_not_an_end() {
    let opened = Opened::new("lvr");
    let folder = tempfile::tempdir().unwrap();
    let mut examples = examples(6);
    let broken = folder.path().join("broken.png");
    std::fs::write(&broken, b"not an image").unwrap();
    examples[2].images = vec![broken];
    let setup = Setup { branches: Intervention::paper_six(), ..setup(&opened, 2) };
    let summary = run(&setup, &examples, 1, &folder.path().join("run"));
    for (branch, counts) in &summary.branches {
        assert_eq!(counts.error, 1, "{branch}");
    }
    let rows: Vec<ExampleRow> = read_rows(&records::folder(&folder.path().join("run")).join(files::EXAMPLES)).unwrap();
    assert_eq!(rows[2].outcome, Outcome::Error);
    assert_eq!(rows[2].cause, Some(prism_run::outcome::Cause::ImageUndecodable));
    assert!(rows[2].message.as_ref().unwrap().contains("broken.png"));
    assert!(rows.iter().all(|r| r.row == 2 || (r.message.is_none() && r.cause.is_none())));
}

#[test]
fn a_model_that_never_opens_the_block_is_told_loudly() {
    let opened = Opened::new("base");
    let folder = tempfile::tempdir().unwrap();
    let summary = run(&Setup { layout: None, ..setup(&opened, 2) }, &examples(6), 1, folder.path());
    for (branch, counts) in &summary.branches {
        let view = branch.view;
        assert_eq!(counts.no_latents, 6, "{branch}");
        assert!(counts.changed == 0 || view.changes_prompt(), "{branch}");
    }
    assert!(summary.warning().unwrap().contains("6 of 6"));
}

#[test]
fn what_cannot_be_recorded_is_refused_before_anything_runs() {
    let opened = Opened::new("lvr");
    let folder = tempfile::tempdir().unwrap();
    let refused = |setup: &Setup<'_>, examples: &[Example]| {
        record_benchmark(setup, examples, folder.path(), &Silent, &Cancel::default()).unwrap_err().to_string()
    };
    assert!(refused(&setup(&opened, 1), &[]).contains("no examples"));
    let twice = [examples(1), examples(1)].concat();
    assert!(refused(&setup(&opened, 1), &twice).contains("two examples"));
    let absent = Setup { branches: vec!["swap:99".parse().unwrap()], ..setup(&opened, 1) };
    assert!(refused(&absent, &examples(2)).contains("swap:99"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
