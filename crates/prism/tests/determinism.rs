//! One audit with every kind of branch gives the same findings whatever the batch size, the
//! number of threads and of shards, and after being killed at a random moment.

#[path = "../../../tests/golden.rs"]
mod reference;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use reference::golden;

/// Every family of intervention, cut to stage, step and layer, under every view of the image.
const INTERVENTIONS: &str = "sham,zero,remove,evict,markers,format,noise:0.3,relative:0.5,norm-matched,mean,constant,draw,first,reversed,\
shuffled,swap,swap:same-answer,swap:other-answer,mix:0.5,oracle,oracle-other,forced:2,zero/target,noise:1/step=1,zero/layer=1,\
clean@image-hidden,zero@image-hidden,clean@image-none,clean@image-grey,clean@image-other,clean@image-shuffled";

/// More than a part of the records holds, so that a killed run has something to go on from.
const EXAMPLES: &str = "40";

fn audit(out: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prism"));
    for name in ["ID", "COUNT", "MIN", "STEP"] {
        command.env_remove(format!("SLURM_ARRAY_TASK_{name}"));
    }
    command.args(["audit", "--quiet", "--steps", "4", "--max-new-tokens", "32", "--min-pixels", "3136", "--max-pixels", "12544"]);
    command.args(["--limit", EXAMPLES, "--interventions", INTERVENTIONS]);
    command.arg("--checkpoint").arg(golden().join("checkpoints/plvr2"));
    command.arg("--benchmark").arg(golden().join("examples/data.json")).arg("--out").arg(out);
    command.args(more).stdout(Stdio::null());
    command
}

fn finish(out: &Path, more: &[&str]) {
    let output = audit(out, more).output().unwrap();
    assert!(output.status.success(), "{more:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Every file of the records and findings, by its path, but for what names the plan.
fn bytes(run: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = ["records", "findings"].into_iter().flat_map(|folder| fs::read_dir(run.join(folder)).unwrap());
    let paths = files.map(|file| file.unwrap().path()).filter(|path| path.extension().is_some());
    paths.map(|path| (path.strip_prefix(run).unwrap().to_path_buf(), fs::read(&path).unwrap())).collect()
}

fn assert_same(found: &Path, wanted: &BTreeMap<PathBuf, Vec<u8>>, what: &str) {
    let found = bytes(found);
    assert_eq!(found.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>(), "{what}");
    for (name, content) in wanted {
        assert!(found[name] == *content, "{what}: {} differs", name.display());
    }
}

#[test]
fn findings_depend_on_neither_batch_nor_threads_nor_shards_nor_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let began = Instant::now();
    finish(&at("whole"), &["--batch-size", "1", "--threads", "1"]);
    let took = began.elapsed();
    let wanted = bytes(&at("whole"));
    assert!(wanted.len() > 20 && wanted.keys().any(|name| name.ends_with("findings/visibility.parquet")), "{:?}", wanted.keys());

    for (batch, threads) in [("3", "2"), ("8", "2"), ("8", "1")] {
        let out = at(&format!("batch-{batch}-threads-{threads}"));
        finish(&out, &["--batch-size", batch, "--threads", threads]);
        assert_same(&out, &wanted, &format!("batch size {batch}, {threads} threads"));
    }

    for (shard, batch) in [("1/4", "1"), ("2/4", "3"), ("3/4", "8"), ("4/4", "2")] {
        finish(&at("sharded"), &["--shard", shard, "--batch-size", batch, "--threads", "2"]);
    }
    let merged = Command::new(env!("CARGO_BIN_EXE_prism")).args(["merge", "--quiet"]).arg(at("sharded")).stdout(Stdio::null()).status();
    assert!(merged.unwrap().success());
    assert_same(&at("sharded"), &wanted, "four shards");

    // Another moment every time: what does not hold for all of them should show one day.
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
    for kill in 0..2u32 {
        let share = f64::from(seed.rotate_left(16 * kill) % 1000) / 1000.0;
        let after = took.mul_f64(share).max(Duration::from_millis(50));
        println!("seed {seed}: killed after {after:?} of {took:?}");
        let mut child = audit(&at("killed"), &["--batch-size", "3", "--threads", "1"]).spawn().unwrap();
        std::thread::sleep(after);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    finish(&at("killed"), &["--batch-size", "8", "--threads", "2"]);
    assert_same(&at("killed"), &wanted, &format!("killed, seed {seed}"));
}
