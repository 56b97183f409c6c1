//! Real runs on the golden base model: killed and resumed, continued from another
//! variant's checkpoint, language alone, and the vision tower.

mod common;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{PIXELS, golden, records};
use prism_model::tensor::{DType, Device, Trainable};
use prism_run::{Cancel, Progress, Silent, TrainingRecord, Turn, Variant};
use prism_train::config::Vision;
use prism_train::dense::{DenseExample, DenseHead, DenseTask};
use prism_train::start::{Opened, Opening};
use prism_train::trainer::{self, Outcome, Surroundings};
use prism_train::{Result, TrainConfig, TrainRequest, Workers, log, train};

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
        TrainConfig { steps: 20, packs_per_step: 2, samples_per_pack: 2, learning_rate: 1e-3, checkpoint_every: 0, ..Default::default() };
    TrainConfig { workers, min_pixels, max_pixels, ..small }.check().unwrap()
}

fn run(folder: &Path, variant: &str, workers: usize, stop: usize, continues: Option<&Path>) -> Result<Outcome> {
    let (records, config, base) = (records(), config(workers), golden().join("checkpoints/base"));
    let variant = Variant::load(variant).unwrap();
    let cancel = Cancel::default();
    let progress = StopAfter(stop, AtomicUsize::new(0), cancel.clone());
    let request = TrainRequest {
        config: &config,
        variant: Some(&variant),
        name: "",
        records: &records,
        base: &base,
        continues,
        device: &Device::Cpu,
        dtype: DType::F32,
    };
    train(request, Surroundings { folder, progress: &progress, cancel: &cancel })
}

fn weights(checkpoint: &Path) -> [Vec<u8>; 2] {
    ["model.safetensors", "optimizer.safetensors"].map(|f| std::fs::read(checkpoint.join(f)).unwrap())
}

#[test]
fn killed_and_resumed_is_the_same_to_the_byte() {
    let folder = tempfile::tempdir().unwrap();
    let (straight, broken) = (folder.path().join("straight"), folder.path().join("broken"));
    let whole = run(&straight, "n-lvr", 2, 99, None).unwrap();
    assert!(run(&broken, "n-lvr", 1, 10, None).unwrap_err().is_interruption());
    let resumed = run(&broken, "n-lvr", 2, 99, None).unwrap();
    assert!(whole.checkpoint.ends_with("checkpoint-20") && resumed.checkpoint.ends_with("checkpoint-20"));
    assert!(weights(&whole.checkpoint) == weights(&resumed.checkpoint));
    let configuration = |checkpoint: &Path| std::fs::read_to_string(checkpoint.join("config.json")).unwrap();
    assert_eq!(configuration(&whole.checkpoint), configuration(&resumed.checkpoint));
    assert!(configuration(&whole.checkpoint).contains("\"latent_lengths\""), "with the lengths it was trained with");
    let steps = log::read(&straight.join("log.jsonl")).unwrap();
    let again = log::read(&broken.join("log.jsonl")).unwrap();
    assert_eq!(
        steps.iter().map(|s| (s.step, s.total, s.lr)).collect::<Vec<_>>(),
        again.iter().map(|s| (s.step, s.total, s.lr)).collect::<Vec<_>>()
    );
    assert!(steps[19].ce < steps[0].ce && steps[0].latent.is_some());
    // A finished run is left alone, and nothing else is in its folder.
    assert_eq!(run(&straight, "n-lvr", 1, 99, None).unwrap().last, None);
    let mut names: Vec<_> = std::fs::read_dir(&straight).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|n| !n.starts_with("events.out.tfevents"));
    names.sort();
    assert_eq!(names, ["checkpoint-20", "log.jsonl"]);
    let error = run(&straight, "lvr", 1, 99, None).unwrap_err().to_string();
    assert!(error.contains("n-lvr"), "{error}");
    // Nor does the same name go on with other keys.
    let other = folder.path().join("other.toml");
    let text = "id = \"n-lvr\"\nname = \"N-LVR\"\nstages = \"single\"\nnoise_std = 0.4\n";
    std::fs::write(&other, text).unwrap();
    let error = run(&straight, other.to_str().unwrap(), 1, 99, None).unwrap_err().to_string();
    assert!(error.contains("`noise_std`"), "{error}");
}

#[test]
fn d_lvr_continues_from_lvr_at_its_release() {
    let folder = tempfile::tempdir().unwrap();
    let (straight, first, second) = (folder.path().join("a"), folder.path().join("b"), folder.path().join("c"));
    let whole = run(&straight, "d-lvr", 2, 99, None).unwrap();
    assert!(run(&first, "lvr", 2, 12, None).unwrap_err().is_interruption());
    let release = first.join("checkpoint-12");
    let continued = run(&second, "d-lvr", 2, 99, Some(&release)).unwrap();
    assert!(weights(&whole.checkpoint) == weights(&continued.checkpoint));
    assert!(run(&folder.path().join("d"), "p-lvr-2", 1, 99, Some(&release)).is_err());
}

#[test]
fn language_alone_over_several_turns() {
    let folder = tempfile::tempdir().unwrap();
    let turns = |r: &TrainingRecord| {
        let again = Turn { question: "What is the color of the star?".into(), answer: "red".into() };
        vec![Turn { answer: "a red star".into(), ..r.turns[0].clone() }, again]
    };
    let records: Vec<_> = records().iter().map(|r| TrainingRecord { boxes: vec![], turns: turns(r), ..r.clone() }).collect();
    let config = TrainConfig { steps: 3, ..config(2) };
    let base = golden().join("checkpoints/base");
    let (device, cancel) = (Device::Cpu, Cancel::default());
    let request = TrainRequest {
        config: &config,
        variant: None,
        name: "language",
        records: &records,
        base: &base,
        continues: None,
        device: &device,
        dtype: DType::F32,
    };
    let last = train(request, Surroundings { folder: folder.path(), progress: &Silent, cancel: &cancel }).unwrap().last.unwrap();
    assert!(last.latent.is_none() && last.ce > 0.0 && last.total == last.ce);
}

#[test]
fn the_tower_learns_dense_labels() {
    let folder = tempfile::tempdir().unwrap();
    let base = golden().join("checkpoints/base");
    let config = TrainConfig { steps: 4, warmup: 0.0, vision: Vision::Trained, ..config(2) };
    let scratch: PathBuf = folder.path().join("files");
    let opening = Opening { device: &Device::Cpu, dtype: DType::F32, trainable: Trainable::All, scratch };
    let opened = Opened::open(&base, None, &config, &opening).unwrap();
    let labels = |row: usize| vec![(0..36).map(|t| (t != row % 36).then_some(u32::from(t < 18))).collect()];
    let examples: Vec<_> = records().iter().map(|r| DenseExample { image: r.images[0].clone(), labels: labels(r.row) }).collect();
    let heads = vec![DenseHead { name: "half".into(), classes: 2 }];
    let mut task = DenseTask::new(opened, &examples, heads, &config, None).unwrap();
    let cancel = Cancel::default();
    let around = Surroundings { folder: folder.path(), progress: &Silent, cancel: &cancel };
    trainer::run(&mut task, &config, None, around).unwrap();
    let steps = log::read(&folder.path().join("log.jsonl")).unwrap();
    assert!(steps[3].ce < steps[0].ce, "{steps:?}");
    let told = task.accuracies(&examples[..4], &Workers::new(2).unwrap()).unwrap();
    assert!(told[0].0 == "half" && told[0].1 > 0.4, "{told:?}");
}
