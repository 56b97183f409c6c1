//! `prism validate`: every kind of control goes through training, audit and judgement.

use std::path::Path;
use std::process::Command;

use prism_audit::findings::ValidityFinding;
use prism_run::Control;
use prism_run::table::read_rows;

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
