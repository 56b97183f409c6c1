//! What is written is written: a full output is a failure, a failed command leaves nothing of its
//! own, no path ends a command in a panic, and no name from a file steers a terminal.

#[path = "../../../tests/golden.rs"]
mod reference;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use prism_run::shown::is_obeyed;
use reference::golden;

fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prism"));
    for name in ["ID", "COUNT", "MIN", "STEP"] {
        command.env_remove(format!("SLURM_ARRAY_TASK_{name}"));
    }
    command
}

/// `audit` or `eval` of few examples.
fn run(verb: &str, out: &Path, more: &[&str]) -> Command {
    let mut command = binary();
    command.args([verb, "--max-new-tokens", "48", "--min-pixels", "3136", "--max-pixels", "12544", "--limit", "6", "--threads", "1"]);
    command.arg("--checkpoint").arg(golden().join("checkpoints/lvr"));
    command.arg("--benchmark").arg(golden().join("examples/data.json")).arg("--out").arg(out).args(more);
    command
}

fn audit(out: &Path, more: &[&str]) -> Command {
    let mut command = run("audit", out, more);
    command.args(["--interventions", "zero"]);
    command
}

fn done(mut command: Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", message(&output));
    output
}

fn message(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Commands that print results, each with a run of `eval` at hand.
fn printing(evaluated: &Path) -> Vec<Command> {
    let lvr = golden().join("checkpoints/lvr");
    let data = golden().join("examples/data.json");
    let vstar = Path::new(env!("CARGO_MANIFEST_DIR")).join("../prism-data/tests/fixtures/benchmarks/vstar");
    let of = |arguments: &[&OsStr]| {
        let mut command = binary();
        command.args(arguments);
        command
    };
    let (show, inspect, trace) = (OsStr::new("show"), OsStr::new("inspect"), OsStr::new("trace"));
    let json = OsStr::new("--json");
    let traced = ["--checkpoint", "--examples", "--rows", "0", "--max-new-tokens", "48"].map(OsStr::new);
    let mut traced = of(&[trace, traced[0], lvr.as_os_str(), traced[1], data.as_os_str(), traced[2], traced[3], traced[4], traced[5]]);
    traced.args(["--min-pixels", "3136", "--max-pixels", "12544"]);
    vec![
        of(&[show, evaluated.as_os_str()]),
        of(&[show, evaluated.as_os_str(), json]),
        of(&[inspect, lvr.as_os_str()]),
        traced,
        of(&[OsStr::new("benchmark"), OsStr::new("check"), vstar.as_os_str(), json]),
        run("eval", evaluated, &["--json"]),
        of(&[OsStr::new("--help")]),
        of(&[OsStr::new("--version")]),
        of(&[OsStr::new("audit"), OsStr::new("--help")]),
    ]
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_output_is_a_failure_and_a_closed_pipe_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let evaluated = dir.path().join("eval");
    done(run("eval", &evaluated, &[]));
    let full = || Stdio::from(File::options().write(true).open("/dev/full").unwrap());
    // The explorer too: nobody was told its address.
    let mut view = binary();
    view.arg("view").arg(&evaluated).args(["--port", "0"]);
    for mut command in printing(&evaluated).into_iter().chain([view]) {
        let output = command.stdout(full()).output().unwrap();
        let told = message(&output);
        assert_eq!(output.status.code(), Some(1), "{command:?}: {told}");
        assert!(told.contains("error: cannot write to the output: ") && told.contains("space"), "{command:?}: {told}");
    }
    for mut command in printing(&evaluated) {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = command.stdout(writer).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{command:?}: {}", message(&output));
    }
    // Where not even the error can be told, it is an error all the same.
    let mut command = binary();
    let status = command.arg("show").arg(dir.path().join("nothing")).stdout(Stdio::null()).stderr(full()).status().unwrap();
    assert_eq!(status.code(), Some(3));
    let status = binary().arg("nonsense").stderr(full()).status().unwrap();
    assert_eq!(status.code(), Some(2));
}

/// Two shards of an audit.
fn shards(run: &Path) -> [PathBuf; 2] {
    ["1", "2"].map(|number| {
        done(audit(run, &["--shard", &format!("{number}/2"), "--timing"]));
        run.join(format!("shard-{number}-of-2"))
    })
}

#[test]
fn a_merge_that_fails_leaves_nothing_and_can_be_given_again() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let shards = shards(&out);
    let merge = |out: &Path| {
        let mut command = binary();
        command.arg("merge").arg(out).args(&shards);
        command
    };
    let before = names(&out);
    assert_eq!(before, ["shard-1-of-2", "shard-2-of-2"]);
    // Found when the tables are joined, and when the vectors are.
    for (name, length) in [("answers.parquet", 0.5), ("latents.safetensors", 0.5), ("latents.safetensors", 0.001)] {
        let path = shards[1].join("records").join(name);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..(whole.len() as f64 * length) as usize]).unwrap();
        for target in [out.clone(), dir.path().join("elsewhere/run")] {
            let output = merge(&target).output().unwrap();
            assert_eq!(output.status.code(), Some(3), "{name}: {}", message(&output));
            assert!(message(&output).contains(name), "{name}: {}", message(&output));
        }
        assert_eq!(names(&out), before, "{name}");
        assert_eq!(names(dir.path()), ["run"], "{name}");
        fs::write(&path, &whole).unwrap();
    }
    done(merge(&out));
    assert_eq!(names(&out), ["findings", "records", "run.json", "shard-1-of-2", "shard-2-of-2", "timing.parquet"]);
    // What an earlier merge left is not lost with a later one that fails.
    let path = shards[1].join("records/answers.parquet");
    let whole = fs::read(&path).unwrap();
    let findings = fs::read(out.join("findings/conclusion.parquet")).unwrap();
    let manifest = fs::read(out.join("run.json")).unwrap();
    fs::write(&path, b"PAR1").unwrap();
    assert_eq!(merge(&out).output().unwrap().status.code(), Some(3));
    assert_eq!(fs::read(out.join("findings/conclusion.parquet")).unwrap(), findings);
    assert_eq!(fs::read(out.join("run.json")).unwrap(), manifest);
    fs::write(&path, &whole).unwrap();
    done(merge(&out));
}

/// A disk that is full, played by a limit on the length of files: the write fails, and with it the
/// command, at whatever file comes to it. That is no input's fault.
#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_fills_is_no_inputs_fault_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (whole, out) = (dir.path().join("whole"), dir.path().join("run"));
    done(audit(&whole, &[]));
    let shards = shards(&out);
    // Blocks of 512 bytes. The signal that would end the process is ignored, so that the write is refused.
    let limited = |blocks: u32, command: &Command| {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"")).arg("sh");
        shell.arg(command.get_program()).args(command.get_args()).env_remove("SLURM_ARRAY_TASK_ID");
        shell
    };
    let mut merge = binary();
    merge.arg("merge").arg(&out).args(&shards);
    let mut failed = 0;
    for blocks in [0, 1, 4, 8, 12, 16, 24, 32, 64] {
        let output = limited(blocks, &merge).output().unwrap();
        if output.status.success() {
            break;
        }
        failed += 1;
        assert_eq!(output.status.code(), Some(1), "{blocks} blocks: {}", message(&output));
        assert!(message(&output).contains("error: cannot "), "{blocks} blocks: {}", message(&output));
        assert_eq!(names(&out), ["shard-1-of-2", "shard-2-of-2"], "{blocks} blocks");
    }
    assert!(failed >= 3, "{failed}");
    done(merge);
    let same = |run: &Path| {
        for name in ["records/answers.parquet", "records/latents.safetensors", "findings/conclusion.parquet"] {
            assert!(fs::read(run.join(name)).unwrap() == fs::read(whole.join(name)).unwrap(), "{name}");
        }
    };
    same(&out);

    let single = dir.path().join("single");
    let mut failed = 0;
    for blocks in [0, 1, 4, 8, 12, 16, 24, 32, 64] {
        let output = limited(blocks, &audit(&single, &[])).output().unwrap();
        if output.status.success() {
            break;
        }
        failed += 1;
        assert_eq!(output.status.code(), Some(1), "{blocks} blocks: {}", message(&output));
    }
    assert!(failed >= 2, "{failed}");
    done(audit(&single, &[]));
    same(&single);
    assert!(
        names(&single).iter().all(|name| !name.ends_with(".tmp") && name != "records.parts" && name != ".lock"),
        "{:?}",
        names(&single)
    );
}

/// Every verb with a path that is not UTF-8 in every argument that takes one.
#[cfg(target_os = "linux")]
#[test]
fn a_path_that_is_not_utf_8_panics_nowhere() {
    use std::os::unix::ffi::OsStrExt;
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join(OsStr::from_bytes(b"r\xff"));
    fs::create_dir(&root).unwrap();
    let at = |name: &str| root.join(name).into_os_string();
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    std::os::unix::fs::symlink(repository.join("assets/base-tiny"), root.join("base")).unwrap();
    let keys = "image_side = 112\nobjects = 4\nsize_min = 18\nsize_max = 28\ntrain_images = 4\ntrain_questions = 8\ntest_questions = 6\n";
    fs::write(root.join("world.toml"), keys).unwrap();
    for name in ["study-tiny.toml", "controls-tiny.toml", "base-tiny.toml"] {
        fs::copy(repository.join("recipes").join(name), root.join(name)).unwrap();
    }
    let o = |text: &str| OsStr::new(text).to_os_string();
    let shared = |verb: &str, out: &str| {
        let more = [o("--checkpoint"), at("base"), o("--benchmark"), at("world/test.jsonl"), o("--max-new-tokens"), o("8")];
        [vec![o(verb), o("--out"), at(out)], more.to_vec()].concat()
    };
    let (checkpoint, base, variant) = (o("--checkpoint"), o("--base"), o("--variant"));
    let done = [
        vec![o("world"), o("--config"), at("world.toml"), o("--out"), at("world"), o("--preview"), at("sheet.png")],
        shared("eval", "eval"),
        vec![o("show"), at("eval")],
        vec![o("inspect"), at("base")],
        vec![o("doctor"), at("base")],
        vec![o("benchmark"), o("check"), at("world/test.jsonl")],
    ];
    let whatever = [
        shared("audit", "audit"),
        [shared("audit", "sharded"), vec![o("--shard"), o("1/2")]].concat(),
        [shared("audit", "sharded"), vec![o("--shard"), o("2/2")]].concat(),
        vec![o("merge"), at("sharded")],
        vec![o("merge"), at("other"), at("sharded/shard-1-of-2"), at("nothing")],
        [
            vec![o("trace"), checkpoint, at("base"), o("--examples"), at("world/test.jsonl")],
            ["--rows", "0", "--max-new-tokens", "4"].map(&o).to_vec(),
            vec![o("--vectors"), at("vectors.safetensors")],
        ]
        .concat(),
        vec![
            o("train"),
            variant.clone(),
            o("lvr"),
            base.clone(),
            at("base"),
            o("--data"),
            at("world/meta.json"),
            o("--out"),
            at("trained"),
        ],
        vec![o("train"), variant.clone(), at("variant.toml"), base.clone(), at("base"), o("--data"), at("d"), o("--out"), at("t")],
        vec![o("train"), o("--config"), at("nothing.toml"), o("--out"), at("t")],
        vec![o("base"), o("--recipe"), at("base-tiny.toml"), o("--untrained"), o("--out"), at("untrained")],
        vec![o("study"), at("study-tiny.toml"), o("--quick"), o("--out"), at("study")],
        vec![o("validate"), at("controls-tiny.toml"), o("--quick"), o("--out"), at("validity")],
        vec![
            o("paths"),
            base,
            at("base"),
            variant,
            at("base"),
            o("--benchmark"),
            at("world/test.jsonl"),
            o("--out"),
            at("paths"),
            o("--max-new-tokens"),
            o("4"),
        ],
        vec![o("paths"), at("study")],
        vec![o("compare"), at("audit"), o("--out"), at("comparison")],
        vec![o("curve"), at("audit"), at("audit"), o("--out"), at("curve")],
        vec![o("report"), at("audit"), o("--out"), at("page.html"), o("--figures"), at("figures"), o("--tables"), at("tables")],
        vec![o("show"), at("audit")],
        vec![o("paper"), o("--figures"), at("published")],
        vec![o("view"), at("nothing")],
        vec![at("no verb")],
    ];
    let ended = |arguments: &[std::ffi::OsString], json: bool| {
        let mut command = binary();
        command.args(arguments).args(if json { &["--json"][..] } else { &[] }).env("PRISM_CACHE", dir.path().join("cache"));
        let output = command.output().unwrap();
        let told = message(&output);
        assert!(output.status.code().is_some_and(|code| code != 101) && !told.contains("panicked"), "{command:?}: {told}");
        (output.status.code(), told)
    };
    for arguments in &done {
        for json in [false, true] {
            let (code, told) = ended(arguments, json);
            assert_eq!(code, Some(0), "{arguments:?}: {told}");
        }
    }
    for arguments in &whatever {
        ended(arguments, true);
    }
}

/// A name that clears the screen, forges a line and turns the reading direction round.
#[test]
fn no_name_of_a_run_steers_the_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let evil = "a\u{1b}[2Jb\nnote: forged\u{202e}\u{9b}31m";
    let (one, out) = (dir.path().join("one"), dir.path().join("run"));
    done(audit(&one, &["--name", evil]));
    for number in ["1/2", "2/2"] {
        done(audit(&out, &["--name", evil, "--shard", number]));
    }
    let mut commands: Vec<Command> = Vec::new();
    for verb in ["show", "compare", "report"] {
        let mut command = binary();
        command.arg(verb).arg(&one);
        commands.push(command);
    }
    let mut merge = binary();
    merge.arg("merge").arg(&out);
    commands.push(merge);
    // Another run lies there: what is refused names what differs.
    commands.push(audit(&one, &["--name", evil, "--seed", "7"]));
    for mut command in commands {
        for json in [false, true] {
            if json {
                command.arg("--json");
            }
            let output = command.output().unwrap();
            let told = [output.stdout.clone(), output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
            for text in &told {
                assert!(!text.chars().any(|c| is_obeyed(c) && c != '\n' && c != '\t'), "{command:?}: {text:?}");
                assert!(!text.lines().any(|line| line.starts_with("note: forged")), "{command:?}: {text}");
            }
            if json && output.status.success() {
                for line in told[0].lines() {
                    serde_json::from_str::<serde_json::Value>(line).unwrap();
                }
            }
        }
    }
    let mut show = binary();
    show.arg("show").arg(&one).arg("--json");
    let told: serde_json::Value = serde_json::from_slice(&done(show).stdout).unwrap();
    assert_eq!(told["table1"][0]["variant"], evil, "a program reads the name as it is");
}
