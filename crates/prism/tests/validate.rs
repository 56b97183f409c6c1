//! `prism validate`: every kind of control goes through training, audit and judgement.

use std::path::Path;
use std::process::Command;

use prism_audit::findings::ValidityFinding;
use prism_run::table::{read_rows, write_rows};
use prism_run::{Control, Need, Verdict};

#[test]
fn the_controls_run_and_what_must_change_nothing_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("controls");
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes/controls-tiny.toml");
    let mut command = Command::new(env!("CARGO_BIN_EXE_prism"));
    let output = command.args(["validate", "--quick", "--quiet", "--out"]).arg(&out).arg(recipe).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Vec<ValidityFinding> = read_rows(&out.join("validity.parquet")).unwrap();
    let kinds: Vec<Control> = found.iter().map(|f| f.control).collect();
    assert_eq!(kinds, [Control::Bottleneck, Control::BottleneckHalf, Control::Foreign, Control::BlindfoldHalf, Control::Registers]);
    assert!(found.iter().all(|f| f.shams == 4 * f.examples && f.shams > 0 && f.shams_changed == 0), "{found:?}");
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("content used: load-bearing") && told.contains("block not needed: needed"), "{told}");
}

/// Runs the binary with these arguments; what it ended with and what it printed, errors last.
fn prism(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_prism")).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

#[test]
fn parts_that_were_run_apart_are_told_together() {
    let folder = tempfile::tempdir().unwrap();
    let row = |seed: i64, control: Control, word: Verdict| ValidityFinding {
        variant: control.to_string(),
        seed: Some(seed),
        control,
        expected: control.expected(),
        word,
        presence: Need::Undecided,
        holds: control.expected() == word,
        needs_block: control.needs_block(),
        presence_holds: None,
        left_out: false,
        accuracy: Some(0.8),
        examples: 400,
        halves: 50,
        halves_wrong: 1,
        shams: 4,
        shams_changed: 0,
        reason: None,
    };
    let part = |name: &str, seeds: &[i64]| {
        let path = folder.path().join(name);
        std::fs::create_dir(&path).unwrap();
        let rows = seeds
            .iter()
            .flat_map(|&seed| [row(seed, Control::Bottleneck, Verdict::LoadBearing), row(seed, Control::Foreign, Verdict::Bypassed)]);
        write_rows(&path.join("validity.parquet"), rows).unwrap();
        path.to_str().unwrap().to_string()
    };
    let (later, earlier) = (part("later", &[102]), part("earlier", &[100, 101]));
    let all = folder.path().join("all");
    let (code, told) = prism(&["validate", "--join", &later, &earlier, "--out", all.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("3 of 3"), "{told}");
    let found: Vec<ValidityFinding> = read_rows(&all.join("validity.parquet")).unwrap();
    assert_eq!(found.iter().map(|f| f.seed.unwrap()).collect::<Vec<_>>(), [100, 100, 101, 101, 102, 102]);
    let (code, told) = prism(&["validate", "--join", &later, all.to_str().unwrap()]);
    assert_eq!(code, Some(3), "{told}");
    assert!(told.contains("seed 102 is in another part too"), "{told}");
}
