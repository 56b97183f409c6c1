//! A training folder that came from elsewhere, or was damaged, is gone on from only if its checkpoint is whole: what lies in
//! the place of a file is neither waited for nor followed, and is told with its name.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use common::{PIXELS, golden, records};
use prism_model::tensor::{DType, Device};
use prism_run::door::Limit;
use prism_run::{Cancel, Silent, Variant};
use prism_train::trainer::{Outcome, Surroundings};
use prism_train::{Result, TrainConfig, TrainRequest, train};

/// When a training that says nothing counts as waiting for a pipe.
const PATIENCE: Duration = Duration::from_secs(600);

/// Two steps, with a checkpoint after the first; or, where that is there, the second alone.
fn run(folder: &Path) -> Result<Outcome> {
    let (records, base) = (records(), golden().join("checkpoints/base"));
    let (min_pixels, max_pixels) = PIXELS;
    let small =
        TrainConfig { steps: 2, packs_per_step: 1, samples_per_pack: 1, checkpoint_every: 1, keep: 0, workers: 1, ..Default::default() };
    let config = TrainConfig { min_pixels, max_pixels, ..small }.check().unwrap();
    let variant = Variant::load("lvr").unwrap();
    let request = TrainRequest {
        config: &config,
        variant: Some(&variant),
        name: "",
        records: &records,
        base: &base,
        continues: None,
        device: &Device::Cpu,
        dtype: DType::F32,
    };
    train(request, Surroundings { folder, progress: &Silent, cancel: &Cancel::default() })
}

/// Why the training in `folder` does not go on.
fn told(folder: &Path) -> String {
    let (tell, heard) = mpsc::channel();
    let folder = folder.to_path_buf();
    std::thread::spawn(move || drop(tell.send(run(&folder).map_err(|e| e.to_string()))));
    heard.recv_timeout(PATIENCE).expect("it waits for a pipe").expect_err("it goes on from a damaged checkpoint")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() { copy(&entry.path(), &target) } else { fs::copy(entry.path(), target).map(drop).unwrap() }
    }
}

/// A training that stands after its first step.
fn begun(room: &Path) -> PathBuf {
    let whole = room.join("whole");
    run(&whole).unwrap();
    fs::remove_dir_all(whole.join("checkpoint-2")).unwrap();
    whole
}

/// What is put in the place of a file, and what is said of it.
type Damage = (&'static str, fn(&Path), &'static str);

fn pipe(path: &Path) {
    fs::remove_file(path).unwrap();
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// The same file, but outside the run.
fn outside(path: &Path) {
    let other = path.ancestors().nth(3).unwrap().join("outside");
    fs::rename(path, &other).unwrap();
    symlink(&other, path).unwrap();
}

fn nowhere(path: &Path) {
    fs::remove_file(path).unwrap();
    symlink("/nowhere/at/all", path).unwrap();
}

fn cut(path: &Path) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() * 2 / 3]).unwrap();
}

/// Longer than any such file; written, for a hole is refused as one.
fn long(path: &Path) {
    let long = Limit::TensorHeader.size().max(Limit::Manifest.size()) + 1;
    fs::write(path, [&(long as u64).to_le_bytes()[..], &vec![b' '; long]].concat()).unwrap();
}

#[test]
fn a_checkpoint_is_gone_on_from_only_if_it_is_whole() {
    let room = tempfile::tempdir().unwrap();
    let whole = begun(room.path());
    let links = "a link leads from there out of the run folder";
    let cases: [Damage; 14] = [
        ("trainer_state.json", pipe, "is not a regular file"),
        ("trainer_state.json", outside, links),
        ("trainer_state.json", nowhere, links),
        ("trainer_state.json", cut, "the checkpoint is damaged"),
        ("trainer_state.json", long, "asks for more than 4 MiB of a manifest"),
        ("optimizer.safetensors", pipe, "is not a regular file"),
        ("optimizer.safetensors", outside, links),
        ("optimizer.safetensors", nowhere, links),
        ("optimizer.safetensors", cut, "its tensors are cut off"),
        ("optimizer.safetensors", long, "asks for more than 16 MiB of the header"),
        ("optimizer.safetensors", |path| fs::write(path, b"x").unwrap(), "is shorter than any of its kind"),
        ("optimizer.safetensors", |path| fs::File::create(path).unwrap().set_len(1 << 40).unwrap(), "is mostly holes"),
        ("config.json", pipe, "is not a regular file"),
        ("preprocessor_config.json", pipe, "is not a regular file"),
    ];
    for (number, (file, damage, words)) in cases.into_iter().enumerate() {
        let run = room.path().join(format!("case-{number}/run"));
        copy(&whole, &run);
        damage(&run.join("checkpoint-1").join(file));
        let told = told(&run);
        assert!(told.contains(file) && told.contains(words) && told.contains("; "), "{file}, case {number}: {told}");
        assert!(run.join("checkpoint-1").is_dir(), "what cannot be gone on from is not removed");
    }
    // A link that stays inside, and the same checkpoint undamaged, are as good as any.
    let (link, kept) = (whole.join("checkpoint-1/trainer_state.json"), whole.join("kept.json"));
    fs::rename(&link, &kept).unwrap();
    symlink("../kept.json", &link).unwrap();
    assert!(run(&whole).unwrap().checkpoint.ends_with("checkpoint-2"));
}
