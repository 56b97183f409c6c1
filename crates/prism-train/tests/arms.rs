//! Control arms trained for a few steps on the golden base model: resumed to the byte,
//! their keys in `config.json`, the gradient's cosine, and arms without a block.

mod common;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{PIXELS, golden, records};
use prism_model::Config;
use prism_model::prompt::Prompter;
use prism_model::tensor::{DType, Device, Trainable};
use prism_run::{Cancel, Lengths, Progress, Sight, Stage, TrainedLengths, Variant};
use prism_train::pack::Pack;
use prism_train::samples::Samples;
use prism_train::start::{Opened, Opening};
use prism_train::trainer::{Outcome, Surroundings};
use prism_train::{Result, TrainConfig, TrainRequest, Workers, log, told, train};
use serde_json::{Value, json};

/// Asks to stop after so many steps.
struct StopAfter(usize, AtomicUsize, Cancel);

impl Progress for StopAfter {
    fn begin(&self, _: &str, _: &str, _: u64, _: u64) {}
    fn advance(&self, n: u64) {
        if self.1.fetch_add(n as usize, Ordering::Relaxed) + n as usize >= self.0 {
            self.2.request();
        }
    }
    fn note(&self, _: &str) {}
    fn end(&self) {}
    fn say(&self, _: &str) {}
}

fn config(workers: usize) -> TrainConfig {
    let (min_pixels, max_pixels) = PIXELS;
    let small =
        TrainConfig { steps: 6, packs_per_step: 2, samples_per_pack: 3, learning_rate: 1e-3, checkpoint_every: 0, ..Default::default() };
    TrainConfig { workers, min_pixels, max_pixels, ..small }.check().unwrap()
}

fn run(folder: &Path, variant: &Variant, config: &TrainConfig, base: &Path, stop: usize) -> Result<Outcome> {
    let records = records();
    let cancel = Cancel::default();
    let progress = StopAfter(stop, AtomicUsize::new(0), cancel.clone());
    let request = TrainRequest {
        config,
        variant: Some(variant),
        name: "",
        records: &records,
        base,
        continues: None,
        device: &Device::Cpu,
        dtype: DType::F32,
    };
    train(request, Surroundings { folder, progress: &progress, cancel: &cancel })
}

fn weights(checkpoint: &Path) -> [Vec<u8>; 2] {
    ["model.safetensors", "optimizer.safetensors"].map(|f| std::fs::read(checkpoint.join(f)).unwrap())
}

fn keys(checkpoint: &Path) -> [Value; 2] {
    let text = std::fs::read_to_string(checkpoint.join("config.json")).unwrap();
    let raw: Value = serde_json::from_str(&text).unwrap();
    ["latent_sight", "latent_feedback"].map(|key| raw.get(key).cloned().unwrap_or(json!("absent")))
}

#[test]
fn own_latents_resume_to_the_byte() {
    let folder = tempfile::tempdir().unwrap();
    let (straight, broken) = (folder.path().join("straight"), folder.path().join("broken"));
    let (variant, base) = (Variant::load("bottleneck").unwrap(), golden().join("checkpoints/base"));
    let whole = run(&straight, &variant, &config(2), &base, 99).unwrap();
    assert!(run(&broken, &variant, &config(1), &base, 3).unwrap_err().is_interruption());
    let resumed = run(&broken, &variant, &config(2), &base, 99).unwrap();
    assert!(weights(&whole.checkpoint) == weights(&resumed.checkpoint));
    let steps = log::read(&straight.join("log.jsonl")).unwrap();
    assert!(steps[5].ce < steps[0].ce && steps.iter().all(|s| s.latent.is_none()), "{steps:?}");
}

#[test]
fn what_an_arm_sees_stands_in_its_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let base = golden().join("checkpoints/base");
    let one = TrainConfig { steps: 1, ..config(2) };
    let trained = |id: &str, base: &Path| run(&folder.path().join(id), &Variant::load(id).unwrap(), &one, base, 99).unwrap().checkpoint;
    let bottleneck = trained("bottleneck", &base);
    assert_eq!(keys(&bottleneck), [json!("bottleneck"), json!("absent")]);
    assert_eq!(Config::open(&bottleneck).unwrap().latent_sight(), Sight::Bottleneck);
    let blindfold = trained("blindfold", &base);
    assert_eq!(Config::open(&blindfold).unwrap().latent_sight(), Sight::Blindfold);
    let dummy = trained("dummy-tokens", &bottleneck);
    let config = Config::open(&dummy).unwrap();
    // An open arm trained from a bottleneck's checkpoint does not inherit its sight.
    assert!(config.latent_sight().is_open() && config.latent_feedback_is_token());
    assert_eq!(keys(&trained("ce-only", &base)), [json!("absent"), json!("absent")]);
    for (key, value) in [("latent_sight", json!("closed")), ("latent_feedback", json!(3))] {
        let message = config.with([(key.to_owned(), value)]).unwrap_err().to_string();
        assert!(message.contains(key), "{message}");
    }
}

#[test]
fn half_the_samples_have_no_block_and_look_as_when_it_is_removed() {
    let base = golden().join("checkpoints/base");
    let folder = tempfile::tempdir().unwrap();
    for id in ["bottleneck-half", "blindfold-half"] {
        let variant = Variant::load(id).unwrap();
        let checkpoint = run(&folder.path().join(id), &variant, &TrainConfig { steps: 1, ..config(2) }, &base, 99).unwrap().checkpoint;
        let prompter = Prompter::from_dir(&checkpoint).unwrap();
        let preprocessor = prism_model::preprocess::Preprocessor::from_dir(&checkpoint).unwrap();
        let start = prompter.latent().unwrap().stage(variant.stages, Stage::Target).unwrap().start;
        // Enough records for both kinds: the same ones under other names.
        let record = records().into_iter().find(|record| record.boxes.len() == 1).unwrap();
        let many: Vec<_> = (0..200).map(|i| prism_run::TrainingRecord { id: format!("r{i}"), ..record.clone() }).collect();
        let layout = prism_train::records::layout(&variant, &prompter);
        let samples = Samples::new(&many, prompter, preprocessor, Some(layout), 1).with_share(variant.block_share);
        let (with, without): (Vec<_>, Vec<_>) = (0..200).map(|i| samples.get(i).unwrap()).partition(|sample| !sample.runs.is_empty());
        assert!((70..130).contains(&with.len()), "{}", with.len());
        let (with, without) = (&with[0], &without[0]);
        assert!(without.hidden.is_empty() && !with.hidden.is_empty(), "a mask holds only where a block ran");
        // Both open with the start token, so that a clean run always does; without the block its text follows.
        let at = with.ids.iter().position(|token| *token == start).unwrap();
        assert_eq!(with.ids[..=at], without.ids[..=at]);
        assert_eq!((with.labels[at], without.labels[at]), (Some(start), Some(start)));
        let behind = with.runs[0].at.end + 1;
        assert!(with.ids.ends_with(&without.ids[at + 1..]) && with.ids.len() - behind <= without.ids.len() - at);
    }
}

#[test]
fn foreign_regions_are_another_samples() {
    let (base, folder) = (golden().join("checkpoints/base"), tempfile::tempdir().unwrap());
    let variant = Variant::load("foreign").unwrap();
    let checkpoint = run(folder.path(), &variant, &TrainConfig { steps: 1, ..config(2) }, &base, 99).unwrap().checkpoint;
    let prompter = Prompter::from_dir(&checkpoint).unwrap();
    let preprocessor = prism_model::preprocess::Preprocessor::from_dir(&checkpoint).unwrap();
    let layout = prism_train::records::layout(&variant, &prompter);
    let all = records();
    let samples = Samples::new(&all, prompter, preprocessor, Some(layout), 1);
    let laid: Vec<_> = (0..3).map(|i| samples.get(i).unwrap()).collect();
    let own = Pack::of(laid.iter().enumerate().map(|(i, sample)| (sample.as_ref(), samples.images(i))));
    let foreign = own.clone().with_foreign_regions().unwrap();
    let of = |pack: &Pack, sample| pack.latents.iter().filter(|r| r.sample == sample).flat_map(|r| r.tokens.clone()).collect::<Vec<u32>>();
    for sample in 0..3 {
        let (mine, theirs) = (of(&foreign, sample), of(&own, (sample + 1) % 3));
        assert!(mine.iter().all(|token| theirs.contains(token)) && mine.len() == of(&own, sample).len());
    }
    assert_eq!(foreign.latent_rows(), own.latent_rows());
    let alone = Pack::of([(laid[0].as_ref(), samples.images(0))]);
    assert!(alone.with_foreign_regions().unwrap_err().to_string().contains("samples_per_pack"));
}

#[test]
fn the_lengths_of_training_stand_in_the_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let base = golden().join("checkpoints/base");
    let one = TrainConfig { steps: 1, ..config(2) };
    let trained = |id: &str, base: &Path| run(&folder.path().join(id), &Variant::load(id).unwrap(), &one, base, 99).unwrap().checkpoint;
    let lengths = |checkpoint: &Path| Config::open(checkpoint).unwrap().latent_lengths().unwrap();
    for id in ["lvr", "p-lvr-2", "p-lvr-3"] {
        let checkpoint = trained(id, &base);
        // Every record laid out as in training, though one step has seen six of them.
        let prompter = Prompter::from_dir(&checkpoint).unwrap();
        let preprocessor = prism_model::preprocess::Preprocessor::from_dir(&checkpoint).unwrap();
        let layout = prism_train::records::layout(&Variant::load(id).unwrap(), &prompter);
        let mut blocks: Vec<(Stage, usize)> = Vec::new();
        for record in &records() {
            let grids = [preprocessor.grid_of(&record.images[0]).unwrap()];
            blocks.extend(prompter.sample(record, &grids, &layout).unwrap().runs.iter().map(|run| (run.stage, run.at.len())));
        }
        let expected = TrainedLengths::of(blocks).unwrap();
        assert_eq!(lengths(&checkpoint), Some(expected), "{id}");
        assert_eq!(expected.context.is_some(), id != "lvr");
        let (boxes, target) = (records().iter().map(|r| r.boxes.len()).sum::<usize>(), expected.target.unwrap());
        assert!(target.blocks == boxes && target.least > 0, "{target}");
    }
    let four = Lengths { least: 4, low: 4, median: 4, high: 4, greatest: 4, blocks: records().iter().map(|r| r.boxes.len()).sum() };
    let dummy = trained("dummy-tokens", &base);
    assert_eq!(lengths(&dummy), Some(TrainedLengths { context: None, target: Some(four) }));
    // An arm without a block does not inherit its base's, nor does the file of one from the base say anything.
    assert_eq!(lengths(&trained("no-latents", &dummy)), None);
    let other = folder.path().join("other");
    let plain = run(&other, &Variant::load("no-latents").unwrap(), &one, &base, 99).unwrap().checkpoint;
    assert!(!std::fs::read_to_string(plain.join("config.json")).unwrap().contains("latent_lengths"));
}

#[test]
fn the_gradients_cosine_is_logged_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (base, variant) = (golden().join("checkpoints/base"), Variant::load("blindfold").unwrap());
    let measured = TrainConfig { gradient_cosine_every: 3, ..config(2) };
    let plain = run(&folder.path().join("plain"), &variant, &config(1), &base, 99).unwrap();
    let told = run(&folder.path().join("told"), &variant, &measured, &base, 99).unwrap();
    assert!(weights(&plain.checkpoint) == weights(&told.checkpoint));
    let steps = log::read(&folder.path().join("told/log.jsonl")).unwrap();
    let measured_at: Vec<usize> = steps.iter().filter(|s| s.gradient_cosine.is_some()).map(|s| s.step).collect();
    assert_eq!(measured_at, [1, 3, 6]);
    let cosines = steps[0].gradient_cosine.as_ref().unwrap();
    assert!(cosines.contains_key("layer-00") && cosines.contains_key("embedding") && cosines.values().all(|c| c.abs() <= 1.0 && *c != 0.0));
    // Where there is no latent loss there is nothing to compare.
    let bottleneck = Variant::load("bottleneck").unwrap();
    let run = run(&folder.path().join("none"), &bottleneck, &TrainConfig { steps: 1, ..measured }, &base, 99).unwrap();
    assert_eq!(run.last.unwrap().gradient_cosine, None);
}

#[test]
fn without_latents_the_answer_follows_the_question() {
    let folder = tempfile::tempdir().unwrap();
    let (base, variant, config) = (golden().join("checkpoints/base"), Variant::load("no-latents").unwrap(), config(2));
    let checkpoint = run(&folder.path().join("run"), &variant, &config, &base, 99).unwrap().checkpoint;
    let prompter = Prompter::from_dir(&checkpoint).unwrap();
    assert!(prompter.latent().is_none());
    let opening = Opening { device: &Device::Cpu, dtype: DType::F32, trainable: Trainable::No, scratch: folder.path().join("files") };
    let opened = Opened::open(&checkpoint, Some(&variant), &config, &opening).unwrap();
    let records = records();
    let record = &records[0];
    let grids = [opened.preprocessor().unwrap().grid_of(&record.images[0]).unwrap()];
    let sample = prompter.sample(record, &grids, &prism_train::records::layout(&variant, &prompter)).unwrap();
    let answer: Vec<u32> = sample.labels.iter().flatten().copied().collect();
    let text = prompter.tokenizer().decode(&answer).unwrap();
    assert!(text.starts_with("<answer>") && sample.runs.is_empty() && sample.latents.is_empty(), "{text}");
    let shares = told(&opened, &records[..8], Some(&variant), |_| "all", &Workers::new(2).unwrap()).unwrap();
    assert_eq!(shares["all"].0, 8);
}

#[test]
fn an_arm_trained_for_realvr_has_one_block_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let base = golden().join("checkpoints/base");
    let lvr = Variant::load("lvr").unwrap();
    let variant = Variant { id: "lvr-realvr".into(), protocol: Some("realvr".into()), ..lvr.clone() }.check().unwrap();
    let one = TrainConfig { steps: 1, ..config(2) };
    let checkpoint = run(&folder.path().join("run"), &variant, &one, &base, 99).unwrap().checkpoint;
    let config = Config::open(&checkpoint).unwrap();
    assert_eq!(config.key("latent_protocol").and_then(|id| id.as_str()), Some("realvr"));
    let prompter = Prompter::from_dir(&checkpoint).unwrap();
    let preprocessor = prism_model::preprocess::Preprocessor::from_dir(&checkpoint).unwrap();
    let records = records();
    // No record of the mini corpus has two regions: one is given another's.
    let mut two = records[0].clone();
    two.boxes.push(records[1].boxes[0]);
    two.turns[0].answer = two.turns[0].answer.replacen("<lvr>", "<lvr><lvr>", 1);
    let grids = [preprocessor.grid_of(&two.images[0]).unwrap()];
    let laid = |variant: &Variant| prompter.sample(&two, &grids, &prism_train::records::layout(variant, &prompter)).unwrap();
    let (once, both) = (laid(&variant), laid(&lvr));
    assert_eq!((once.runs.len(), both.runs.len()), (1, 2));
    assert_eq!(once.runs[0], both.runs[0]);
    let said = |sample: &prism_model::prompt::TrainingSample| {
        let ids: Vec<u32> = sample.labels.iter().flatten().copied().collect();
        prompter.tokenizer().decode(&ids).unwrap()
    };
    assert_eq!(said(&once).matches("<|lvr_start|>").count(), 1, "{}", said(&once));
    assert!(said(&both).ends_with(said(&once).rsplit("<|lvr_end|>").next().unwrap()));
    let blocks = config.latent_lengths().unwrap().unwrap().target.unwrap().blocks;
    assert_eq!(blocks, records.iter().filter(|record| !record.boxes.is_empty()).count());
}

#[test]
fn what_training_cannot_lay_out_is_refused_by_name() {
    for (id, says) in [("monet", "tokens of their own"), ("p-lvr", "tokens of their own"), ("nothing", "not one that is shipped")] {
        let variant = Variant { protocol: Some(id.into()), ..Variant::load("lvr").unwrap() };
        let said = variant.check().unwrap_err().to_string();
        assert!(said.contains(says) && said.contains(id), "{said}");
    }
    let staged = Variant { protocol: Some("realvr".into()), ..Variant::load("p-lvr-2").unwrap() };
    assert!(staged.check().is_err());
}
