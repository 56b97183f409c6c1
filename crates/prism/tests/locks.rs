//! Two commands in one run folder: one writes, the other is refused in one line; nothing is lost,
//! and whatever a kill left is repaired by the same command.

#[path = "../../../tests/golden.rs"]
mod reference;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use prism_run::lock::{Claim, Lock};
use prism_run::{Cancel, Silent};
use reference::golden;

fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prism"));
    for name in ["ID", "COUNT", "MIN", "STEP"] {
        command.env_remove(format!("SLURM_ARRAY_TASK_{name}"));
    }
    command
}

/// So few examples that an audit takes a moment.
const FEW: &str = "6";
/// More than a part of the records holds, so that a killed run has something to go on from.
const MANY: &str = "40";

fn audit(out: &Path, limit: &str, more: &[&str]) -> Command {
    let mut command = binary();
    command.args(["audit", "--quiet", "--max-new-tokens", "48", "--min-pixels", "3136", "--max-pixels", "12544", "--threads", "1"]);
    command.args(["--interventions", "zero,swap", "--limit", limit]);
    command.arg("--checkpoint").arg(golden().join("checkpoints/lvr"));
    command.arg("--benchmark").arg(golden().join("examples/data.json")).arg("--out").arg(out);
    command.args(more).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn eval(out: &Path) -> Command {
    let mut command = binary();
    command.args(["eval", "--quiet", "--max-new-tokens", "48", "--min-pixels", "3136", "--max-pixels", "12544", "--threads", "1"]);
    command.args(["--limit", FEW]).arg("--checkpoint").arg(golden().join("checkpoints/lvr"));
    command.arg("--benchmark").arg(golden().join("examples/data.json")).arg("--out").arg(out);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn message(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Every table of the records and findings.
fn bytes(run: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = ["records", "findings"].into_iter().flat_map(|folder| fs::read_dir(run.join(folder)).unwrap());
    let paths = files.map(|file| file.unwrap().path()).filter(|path| path.extension().is_some());
    paths.map(|path| (path.strip_prefix(run).unwrap().to_path_buf(), fs::read(&path).unwrap())).collect()
}

fn assert_same(found: &Path, wanted: &BTreeMap<PathBuf, Vec<u8>>, what: &str) {
    let left: Vec<String> = fs::read_dir(found).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    assert!(left.iter().all(|name| !name.contains(".lock") && !name.ends_with(".tmp") && name != "records.parts"), "{what}: {left:?}");
    let found = bytes(found);
    assert_eq!(found.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>(), "{what}");
    for (name, content) in wanted {
        assert!(found[name] == *content, "{what}: {} differs", name.display());
    }
}

/// A number that differs from run to run: what does not hold for all of them should show one day.
fn random(most: u64, salt: u32) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
    u64::from(now.rotate_left(salt).wrapping_mul(2_654_435_761)) % most
}

/// One that was refused says who writes, in one line, and ends with 1.
fn is_refused(output: &Output) -> bool {
    let told = message(output);
    let refused = told.contains(" writes there; ");
    if refused {
        assert_eq!((output.status.code(), told.lines().count()), (Some(1), 1), "{told}");
        assert!(
            told.contains("process ") && told.contains(" on ") && told.contains("since 20") && told.contains("another folder"),
            "{told}"
        );
    }
    refused
}

#[test]
fn of_two_audits_at_once_one_runs_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    let began = Instant::now();
    assert!(audit(&whole, FEW, &[]).status().unwrap().success());
    let took = began.elapsed();
    let wanted = bytes(&whole);
    let mut refused = 0;
    for trial in 0..10u32 {
        let run = folder.path().join(format!("run-{trial}"));
        let pause = Duration::from_millis(if trial < 4 { 0 } else { random(took.as_millis() as u64 * 3 / 4 + 1, trial) });
        let first = audit(&run, FEW, &[]).spawn().unwrap();
        std::thread::sleep(pause);
        let second = audit(&run, FEW, if trial % 2 == 0 { &[] } else { &["--overwrite"] }).spawn().unwrap();
        let ended = [first, second].map(|child| child.wait_with_output().unwrap());
        let turned_away = ended.iter().filter(|output| is_refused(output)).count();
        let done = ended.iter().filter(|output| output.status.success()).count();
        assert!(done >= 1 && done + turned_away == 2, "after {pause:?}: {}\n{}", message(&ended[0]), message(&ended[1]));
        refused += turned_away;
        assert_same(&run, &wanted, &format!("trial {trial}, after {pause:?}"));
        // The folder can be used again.
        assert!(audit(&run, FEW, &[]).status().unwrap().success());
        assert_same(&run, &wanted, &format!("trial {trial}, again"));
    }
    assert!(refused > 0, "no two commands ever met");
}

#[test]
fn of_two_evals_at_once_one_runs_and_the_other_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    assert!(eval(&whole).status().unwrap().success());
    let wanted = bytes(&whole);
    let mut refused = 0;
    for trial in 0..5 {
        let run = folder.path().join(format!("run-{trial}"));
        let both = [eval(&run).spawn().unwrap(), eval(&run).spawn().unwrap()];
        let ended = both.map(|child| child.wait_with_output().unwrap());
        let turned_away = ended.iter().filter(|output| is_refused(output)).count();
        let done = ended.iter().filter(|output| output.status.success()).count();
        // Where the first had ended before the second began, that one finds all of it done.
        assert!(done >= 1 && done + turned_away == 2, "{}\n{}", message(&ended[0]), message(&ended[1]));
        refused += turned_away;
        assert_same(&run, &wanted, &format!("trial {trial}"));
    }
    assert!(refused > 0, "no two commands ever met");
}

#[test]
fn a_killed_audit_is_finished_by_the_same_command_and_by_overwrite() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    let began = Instant::now();
    assert!(audit(&whole, MANY, &[]).status().unwrap().success());
    let took = began.elapsed();
    let wanted = bytes(&whole);
    for trial in 0..4u32 {
        let run = folder.path().join(format!("run-{trial}"));
        let mut moments = Vec::new();
        for kill in 0..2 {
            let mut child = audit(&run, MANY, &[]).spawn().unwrap();
            let moment = Duration::from_millis(random(took.as_millis() as u64 + 1, trial * 2 + kill));
            std::thread::sleep(moment);
            moments.push(moment);
            // Where it has ended already there is nothing to kill.
            let _ = child.kill();
            child.wait().unwrap();
        }
        let more: &[&str] = if trial % 2 == 0 { &[] } else { &["--overwrite"] };
        let output = audit(&run, MANY, more).output().unwrap();
        assert!(output.status.success(), "killed after {moments:?}, {more:?}: {}", message(&output));
        assert_same(&run, &wanted, &format!("killed after {moments:?} of {took:?}"));
    }
}

#[test]
fn shards_run_side_by_side_and_do_not_block_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, run) = (folder.path().join("whole"), folder.path().join("run"));
    assert!(audit(&whole, FEW, &[]).status().unwrap().success());
    let shards: Vec<_> = ["1/3", "2/3", "3/3"].iter().map(|shard| audit(&run, FEW, &["--shard", shard]).spawn().unwrap()).collect();
    for shard in shards {
        let output = shard.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", message(&output));
    }
    let merge = || binary().args(["merge", "--quiet"]).arg(&run).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let ended = [merge(), merge()].map(|child| child.wait_with_output().unwrap());
    let turned_away = ended.iter().filter(|output| is_refused(output)).count();
    assert_eq!(ended.iter().filter(|output| output.status.success()).count() + turned_away, 2, "{}", message(&ended[0]));
    assert!(turned_away < 2);
    assert_same(&run, &bytes(&whole), "merged");
}

/// The arms of a sweep are runs of their own: each of them can be held by another command.
#[test]
fn a_sweep_holds_every_one_of_its_folders() {
    let folder = tempfile::tempdir().unwrap();
    let sweep = folder.path().join("sweep");
    let held = sweep.join("k4");
    let lock = hold(&held, Lock::take);
    let output = audit(&sweep, FEW, &["--steps", "2,4"]).output().unwrap();
    assert!(is_refused(&output) && message(&output).contains("k4"), "{}", message(&output));
    assert!(!sweep.join("k2").exists(), "what was made for the first arm is gone again");
    drop(lock);
    assert!(!sweep.exists());
}

/// A lock that this very process holds.
fn hold(folder: &Path, take: fn(&Path, &Claim<'_>) -> prism_run::Result<Lock>) -> Lock {
    let (command, since) = ("prism audit --out here", "2026-01-02T03:04:05Z");
    let claim = Claim { command, since, progress: &Silent, cancel: &Cancel::default(), alarm: |_| {} };
    take(folder, &claim).unwrap()
}

#[test]
fn every_command_that_writes_a_run_is_refused_while_another_does() {
    let dir = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let out = dir.path().join("run");
    let text = |path: PathBuf| path.display().to_string();
    let (lvr, base) = (text(golden().join("checkpoints/lvr")), text(golden().join("checkpoints/base")));
    let (data, run) = (text(golden().join("examples/data.json")), text(out.clone()));
    let recipe = |name: &str| text(root.join("recipes").join(name));
    let (study, controls, of_base) = (recipe("study-tiny.toml"), recipe("controls-tiny.toml"), recipe("base-tiny.toml"));
    let inside: [&[&str]; 8] = [
        &["audit", "--checkpoint", &lvr, "--benchmark", &data, "--out", &run],
        &["eval", "--checkpoint", &lvr, "--benchmark", &data, "--out", &run],
        &["train", "--variant", "lvr", "--base", &base, "--data", &data, "--out", &run],
        &["study", &study, "--out", &run],
        &["validate", &controls, "--out", &run],
        &["merge", &run, &lvr],
        &["paths", "--base", &base, "--variant", &lvr, "--benchmark", &data, "--out", &run],
        &["compare", &lvr, "--out", &run],
    ];
    let beside: [&[&str]; 2] = [&["world", "--out", &run], &["base", "--recipe", &of_base, "--out", &run]];
    let within = hold(&out, Lock::take);
    for arguments in inside {
        let output = binary().args(arguments).arg("--quiet").output().unwrap();
        assert!(is_refused(&output), "{arguments:?}: {}", message(&output));
        let own = format!("process {} on {}", std::process::id(), prism_run::lock::host());
        assert!(message(&output).contains(&own) && message(&output).contains("`prism audit --out here`"), "{}", message(&output));
        assert_eq!(fs::read_dir(&out).unwrap().count(), 1, "{arguments:?} left something");
    }
    drop(within);
    let above = hold(&out, Lock::take_beside);
    for arguments in beside {
        let output = binary().args(arguments).arg("--quiet").output().unwrap();
        assert!(is_refused(&output), "{arguments:?}: {}", message(&output));
    }
    assert!(!out.exists());
    drop(above);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn of_two_worlds_at_once_one_is_drawn_whole() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("world.toml");
    let keys =
        "image_side = 112\nobjects = 4\nsize_min = 18\nsize_max = 28\ntrain_images = 40\ntrain_questions = 80\ntest_questions = 40\n";
    fs::write(&config, keys).unwrap();
    for trial in 0..4 {
        let world = dir.path().join(format!("world-{trial}"));
        let draw = || {
            let mut command = binary();
            command.args(["world", "--quiet", "--config"]).arg(&config).arg("--out").arg(&world);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let ended = [draw(), draw()].map(|child| child.wait_with_output().unwrap());
        let turned_away = ended.iter().filter(|output| is_refused(output)).count();
        let done = ended.iter().filter(|output| output.status.success()).count();
        assert!(done >= 1 && done + turned_away == 2, "{}\n{}", message(&ended[0]), message(&ended[1]));
        assert_eq!(fs::read_dir(world.join("images/train")).unwrap().count(), 40);
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 5, "the worlds and their recipe");
}

/// A folder that another machine wrote a moment ago is watched; a stop ends that at once, and one
/// that was left long ago is taken over.
#[cfg(target_os = "linux")]
#[test]
fn another_machines_lock_is_watched_and_an_old_one_is_taken_over() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    fs::create_dir(&run).unwrap();
    let lock = run.join(".lock");
    let text = r#"{"host": "node7", "process": 4242, "boot": "of node7", "since": "2026-01-02T03:04:05Z", "command": "prism audit"}"#;
    fs::write(&lock, text).unwrap();
    let mut command = audit(&run, FEW, &[]);
    // Not quiet: the first argument after the verb.
    let arguments: Vec<_> = command.get_args().filter(|argument| *argument != "--quiet").map(ToOwned::to_owned).collect();
    command = binary();
    let child = command.args(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    let began = Instant::now();
    assert!(Command::new("kill").arg("-TERM").arg(child.id().to_string()).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let told = message(&output);
    assert_eq!(output.status.code(), Some(130), "{told}");
    assert!(began.elapsed() < Duration::from_secs(10));
    assert_eq!(told.lines().filter(|line| line.contains("node7") && line.contains("waiting up to 30 s")).count(), 1, "{told}");
    assert_eq!(fs::read_to_string(&lock).unwrap(), text, "it is the other's still");

    let file = fs::File::options().write(true).open(&lock).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
    drop(file);
    let output = audit(&run, FEW, &[]).output().unwrap();
    assert!(output.status.success(), "{}", message(&output));
    assert!(!lock.exists());
}
