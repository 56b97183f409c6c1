//! `prism trace` over the golden checkpoints: the JSON against the reference's decoding,
//! and the picture as it is drawn.

#[path = "../../../tests/golden.rs"]
mod reference;

use std::process::Command;

use reference::golden;
use serde_json::Value;

fn trace(variant: &str, rows: &str, more: &[&str]) -> String {
    let checkpoint = golden().join("checkpoints").join(variant);
    let output = Command::new(env!("CARGO_BIN_EXE_prism"))
        .args(["trace", "--steps", "4", "--min-pixels", "3136", "--max-pixels", "50176", "--threads", "1"])
        .args(["--max-new-tokens", if variant == "lvr" { "48" } else { "64" }, "--rows", rows])
        .arg("--checkpoint")
        .arg(checkpoint)
        .arg("--examples")
        .arg(golden().join("examples/data.json"))
        .args(more)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_image_processor_that_runs_is_said_and_chosen() {
    let said = |more: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_prism"))
            .args(["trace", "--steps", "1", "--max-pixels", "50176", "--max-new-tokens", "4", "--rows", "0", "--threads", "1"])
            .arg("--checkpoint")
            .arg(golden().join("checkpoints/lvr"))
            .arg("--examples")
            .arg(golden().join("examples/data.json"))
            .args(more)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    // The golden checkpoint names Qwen2VLImageProcessor, and its data were computed with it.
    for (more, words) in [
        (&[][..], "image processor: slow (Pillow and numpy), the one that Qwen2VLImageProcessor named"),
        (&["--image-processor", "as-saved"], "image processor: fast (torchvision), as transformers' AutoProcessor takes"),
        (&["--image-processor", "fast"], "image processor: fast (torchvision), as asked"),
        (&["--image-processor", "quick"], "use slow, fast, as-saved or named"),
        (&["--exif", "apply", "--resize", "qwen-vl-utils"], "sizes are chosen by qwen_vl_utils before it; images are turned"),
    ] {
        let text = said(more);
        assert!(text.contains(words), "`{words}` is not in:\n{text}");
    }
}

#[test]
fn the_json_is_the_references_decoding() {
    for variant in ["lvr", "plvr2", "plvr3"] {
        let expected = std::fs::read(golden().join(format!("expected/decode_{variant}_k4.json"))).unwrap();
        let expected: Value = serde_json::from_slice(&expected).unwrap();
        let text = trace(variant, "0-3", &["--json"]);
        assert_eq!(text.lines().count(), 4);
        for (line, expected) in text.lines().zip(expected["rows"].as_array().unwrap()) {
            let got: Value = serde_json::from_str(line).unwrap();
            for key in ["row", "question_id", "label", "prompt_ids", "generated_ids", "iterations", "answer", "outcome"] {
                assert!(got.get(key).is_some(), "{key} is missing in {line}");
            }
            assert_eq!(got["generated_ids"], expected["generated"], "{variant}");
            let iterations = got["iterations"].as_array().unwrap();
            assert_eq!(iterations.len(), expected["latent"].as_array().unwrap().len());
            for (i, iteration) in iterations.iter().enumerate() {
                let stage = match (expected["context"][i] == true, expected["latent"][i] == true) {
                    (true, _) => Value::from("context"),
                    (false, true) => Value::from("target"),
                    (false, false) => Value::Null,
                };
                assert_eq!(iteration["stage"], stage, "{variant}, forward {i}");
            }
        }
    }
}

#[test]
fn the_picture_shows_the_loop() {
    let picture = trace("lvr", "0", &[]);
    let mut lines = picture.lines();
    assert_eq!(lines.next(), Some("row 0 · question 0 · gold C · answer C · scored"));
    assert_eq!(lines.next(), Some("  102 prompt tokens, then 16 forwards: ··████··········"));
    assert_eq!(lines.by_ref().filter(|line| line.contains("[target ")).count(), 4);
    assert_eq!(picture.matches("◂ answer state").count(), 1);
    assert!(!picture.contains('\u{1b}'), "no colours where stdout is not a terminal");
}

#[test]
fn a_row_that_is_not_there_is_refused() {
    let output = Command::new(env!("CARGO_BIN_EXE_prism"))
        .args(["trace", "--rows", "4000", "--checkpoint"])
        .arg(golden().join("checkpoints/lvr"))
        .arg("--examples")
        .arg(golden().join("examples/data.json"))
        .output()
        .unwrap();
    assert!(!output.status.success());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("4000") && error.contains("0 to 39"), "{error}");
}
