//! A tiny honest run, made once, and copies of it to be damaged.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::reference::golden;

/// The tables of a run's records.
pub const RECORDS: [&str; 7] = ["examples", "answers", "steps", "maps", "attention", "alignment", "lens"];

/// Examples of the honest run.
pub const EXAMPLES: usize = 4;

/// The audit of four examples: its two shards, joined, with findings.
fn honest() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let room = Path::new(env!("CARGO_TARGET_TMPDIR"));
        clear(room);
        let made = room.join(format!("honest-{}", std::process::id()));
        for shard in ["1/2", "2/2"] {
            let mut audit = prism("audit");
            audit.arg("--checkpoint").arg(golden().join("checkpoints/plvr2"));
            audit.arg("--benchmark").arg(golden().join("examples/data.json")).arg("--out").arg(&made);
            audit.args(["--min-pixels", "3136", "--max-pixels", "12544", "--steps", "2", "--max-new-tokens", "24"]);
            audit.args(["--interventions", "zero,sham", "--limit", &EXAMPLES.to_string(), "--layers", "--shard", shard]);
            succeed(audit);
        }
        let mut merge = prism("merge");
        merge.arg(&made);
        succeed(merge);
        made
    })
}

fn prism(verb: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prism"));
    for name in ["ID", "COUNT", "MIN", "STEP"] {
        command.env_remove(format!("SLURM_ARRAY_TASK_{name}"));
    }
    command.arg(verb);
    command
}

fn succeed(mut command: Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Removes the runs of processes that are gone.
fn clear(room: &Path) {
    for entry in fs::read_dir(room).unwrap() {
        let path = entry.unwrap().path();
        let owner = path.file_name().and_then(|name| name.to_str()?.strip_prefix("honest-"));
        if owner.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// A copy of the honest run, alone in a folder of its own, as if it had come by mail.
pub struct Mailed {
    room: tempfile::TempDir,
}

impl Mailed {
    /// Makes it.
    pub fn new() -> Self {
        let copied = Self { room: tempfile::tempdir().unwrap() };
        copy(honest(), &copied.run());
        copied
    }

    /// The run folder.
    pub fn run(&self) -> PathBuf {
        self.room.path().join("run")
    }

    /// A place beside the run folder, outside it.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.room.path().join(name)
    }

    /// The run and its two shards.
    pub fn all(&self) -> [PathBuf; 3] {
        [self.run(), self.run().join("shard-1-of-2"), self.run().join("shard-2-of-2")]
    }
}

/// Copies files and folders.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The manifest of a run.
pub fn manifest(run: &Path) -> Value {
    serde_json::from_slice(&fs::read(run.join("run.json")).unwrap()).unwrap()
}

/// Changes the manifest of a run.
pub fn change(run: &Path, change: impl FnOnce(&mut Value)) {
    let mut whole = manifest(run);
    change(&mut whole);
    fs::write(run.join("run.json"), whole.to_string()).unwrap();
}

/// A study at `folder` of one training, whose audit is a copy of the honest run; gives the training.
pub fn study(folder: &Path) -> PathBuf {
    let training = folder.join("seed-42/plvr2");
    copy(honest(), &training.join("audit"));
    for (of, kind) in [(folder, "study"), (training.as_path(), "train")] {
        let mut whole = manifest(honest());
        whole["kind"] = kind.into();
        fs::write(of.join("run.json"), whole.to_string()).unwrap();
    }
    let log: String = (1..=40).map(|step| format!("{{\"step\":{step},\"ce\":1.0,\"latent\":0.5,\"total\":1.5}}\n")).collect();
    fs::write(training.join("log.jsonl"), log).unwrap();
    training
}
