//! Things that are no files in the place of files: nothing waits for them.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use crate::child::{merge, prism, readers, run};
use crate::explorer::View;
use crate::honest::{Mailed, RECORDS, copy, study};
use crate::reference::golden;

/// Every file of a run that something reads.
fn files() -> Vec<String> {
    let records = RECORDS.iter().map(|table| format!("records/{table}.parquet"));
    let findings = ["table1", "conclusion", "faithfulness", "verdict", "probe", "warnings"];
    let findings = findings.iter().map(|table| format!("findings/{table}.parquet"));
    let others = ["run.json", "report.html", "timing.parquet", "records/latents.safetensors", "records/digests.json", "records/plan.json"];
    records.chain(findings).chain(others.map(String::from)).chain(["records/whole.json".into()]).collect()
}

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn socket(path: &Path) {
    // The name of a socket is short, and the file stays when the listener goes.
    let short = tempfile::tempdir_in("/tmp").unwrap();
    let made = short.path().join("s");
    drop(UnixListener::bind(&made).unwrap());
    fs::rename(&made, path).or_else(|_| UnixListener::bind(path).map(drop)).unwrap();
}

/// Puts something in the place of a file of the run and of its shards.
fn replace(mailed: &Mailed, file: &str, put: impl Fn(&Path)) {
    for folder in mailed.all() {
        let place = folder.join(file);
        if place.exists() {
            fs::remove_file(&place).unwrap();
        }
        if place.parent().unwrap().is_dir() {
            put(&place);
        }
    }
}

/// All commands and all pages over runs in which one file each is of that kind.
fn refuses(kind: &str, put: impl Fn(&Path)) {
    let all = tempfile::tempdir().unwrap();
    copy(&Mailed::new().run(), &all.path().join("honest"));
    for (number, file) in files().iter().enumerate() {
        let mailed = Mailed::new();
        replace(&mailed, file, &put);
        let commands = readers(&mailed.run(), &mailed.beside("page.html"));
        for ended in commands.iter().chain([&merge(&mailed.run())]).filter(|ended| ended.code == 3) {
            let name = file.rsplit('/').next().unwrap();
            // That a shard lacks its plan is said of the shard.
            if name != "whole.json" {
                ended.refused(name);
            }
        }
        fs::rename(mailed.run(), all.path().join(format!("{kind}-{number}"))).unwrap();
    }
    // Five requests for pages that need such a file stopped every other page.
    let view = View::over(all.path(), &[]);
    view.walk();
    let honest = view.audits().into_iter().find(|run| run.ends_with("honest")).unwrap();
    for page in ["", "/examples", "/examples/0"] {
        assert_eq!(view.get(&format!("/runs/{honest}{page}")).status, 200, "{page}");
    }
    view.end();
}

#[test]
fn pipes() {
    refuses("pipe", pipe);
}

#[test]
fn sockets() {
    refuses("socket", socket);
}

#[test]
fn folders() {
    refuses("folder", |path| fs::create_dir(path).unwrap());
}

#[test]
fn devices() {
    refuses("device", |path| symlink("/dev/zero", path).unwrap());
}

#[test]
fn links_to_themselves() {
    refuses("loop", |path| symlink(path.file_name().unwrap(), path).unwrap());
}

#[test]
fn files_that_are_nothing_but_length() {
    refuses("hole", |path| fs::File::create(path).unwrap().set_len(1 << 40).unwrap());
    // One that nobody asked for, among the files whose digests are taken.
    let mailed = Mailed::new();
    for folder in mailed.all() {
        fs::File::create(folder.join("records/extra.bin")).unwrap().set_len(1 << 40).unwrap();
    }
    readers(&mailed.run(), &mailed.beside("page.html"));
    merge(&mailed.run());
}

#[test]
fn a_training_and_a_study_of_pipes() {
    let room = tempfile::tempdir().unwrap();
    for file in ["config.toml", "seed-42/plvr2/log.jsonl", "seed-42/plvr2/run.json", "run.json"] {
        let whole = room.path().join(file.replace('/', "-"));
        study(&whole);
        let _ = fs::remove_file(whole.join(file));
        pipe(&whole.join(file));
        run(prism("show").arg(&whole));
        run(prism("report").arg(&whole).arg("--out").arg(room.path().join("page.html")));
        run(prism("show").arg(whole.join("seed-42/plvr2")));
        let paths = run(prism("paths").arg(&whole));
        if file == "config.toml" {
            paths.refused(file);
        }
        let view = View::over(&whole, &[]);
        view.walk();
        view.end();
    }
}

/// A training that came with its checkpoint is read for what it says of it.
#[test]
fn a_checkpoint_in_a_training_of_pipes() {
    let room = tempfile::tempdir().unwrap();
    let training = study(&room.path().join("study"));
    let checkpoint = training.join("checkpoint-1");
    copy(&golden().join("checkpoints/lvr"), &checkpoint);
    for file in ["config.toml", "log.jsonl"] {
        let _ = fs::remove_file(training.join(file));
        pipe(&training.join(file));
    }
    let mut paths = prism("paths");
    paths.arg("--base").arg(golden().join("checkpoints/base")).arg("--variant").arg(&checkpoint);
    paths.arg("--benchmark").arg(golden().join("examples/data.json")).args(["--limit", "2", "--out"]).arg(room.path().join("out"));
    run(&mut paths).refused("log.jsonl");
}

#[test]
fn a_floor_of_pipes() {
    let mailed = Mailed::new();
    let vectors = mailed.run().join("records/latents.safetensors");
    fs::remove_file(&vectors).unwrap();
    pipe(&vectors);
    let mut audit = prism("audit");
    audit.arg("--checkpoint").arg(golden().join("checkpoints/lvr")).arg("--benchmark").arg(golden().join("examples/data.json"));
    audit.arg("--floor").arg(format!("base={}", mailed.run().display())).args(["--limit", "2", "--out"]).arg(mailed.beside("out"));
    run(&mut audit).refused("latents.safetensors");
}
