//! The study end to end: the same bytes twice, and the same after being killed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn study(out: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prism"));
    command.args(["study", "--quick", "--quiet", "--out"]).arg(out).arg(root().join("recipes/study-tiny.toml"));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Every findings file below `out`, by its path there.
fn findings(out: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![out.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.parent().is_some_and(|p| p.ends_with("findings")) {
                found.insert(path.strip_prefix(out).unwrap().to_path_buf(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn finish(out: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    // 4 where no block opens in so short a training: a complete study all the same.
    let status = study(out).status().unwrap();
    assert!(matches!(status.code(), Some(0 | 4)), "{status}");
    // The world lies in the study's folder, so its pictures are on the page.
    assert!(fs::read_to_string(out.join("report.html")).unwrap().contains("src=\"data:image/"), "no picture on the page");
    findings(out)
}

#[test]
fn the_same_study_twice_gives_the_same_findings() {
    let folder = tempfile::tempdir().unwrap();
    let first = finish(&folder.path().join("a"));
    assert!(first.len() > 20, "{:?}", first.keys());
    assert!(first == finish(&folder.path().join("b")), "the findings of two runs differ");
}

#[test]
fn a_study_killed_three_times_gives_the_same_findings() {
    let folder = tempfile::tempdir().unwrap();
    let whole = finish(&folder.path().join("whole"));
    let killed = folder.path().join("killed");
    for _ in 0..3 {
        let mut child = study(&killed).spawn().unwrap();
        // Another moment every time: what does not hold for all of them should show one day.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
        let after = Duration::from_millis(100 + u64::from(now / 1000) % 1500);
        println!("killed after {after:?}");
        std::thread::sleep(after);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(whole == finish(&killed), "the findings of the killed run differ");
}
