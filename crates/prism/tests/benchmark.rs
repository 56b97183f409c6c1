//! `prism benchmark check`: what the binary says and how it ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../prism-data/tests/fixtures/benchmarks").join(name)
}

fn check(path: &Path, options: &[&str]) -> Output {
    let path = path.display().to_string();
    Command::new(env!("CARGO_BIN_EXE_prism")).args(["benchmark", "check", &path]).args(options).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_whole_benchmark_is_described() {
    let output = check(&fixture("vstar"), &["--decode"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    for words in [
        "V*Bench (description vstar version 1, published as craigwu/vstar_bench)",
        "questions  5",
        "images     5 (a question: 1 in 5)",
        "options    a question: 2 in 2, 4 in 3",
        "labels     A 2, B 2, C 1; majority 40.0 %",
        "boxes      7",
        "relative_position",
        "note: questions: 5 here, 191 in the whole benchmark",
        "nothing is broken",
    ] {
        assert!(text.contains(words), "`{words}` is not in:\n{text}");
    }
    for name in ["mmvp", "blink", "jsonl", "blink/Art_Style", "other/large.parquet"] {
        let output = check(&fixture(name), &[]);
        assert_eq!(output.status.code(), Some(0), "{name}: {}", stdout(&output));
    }
}

#[test]
fn what_is_broken_is_listed_and_the_exit_code_says_so() {
    let output = check(&fixture("broken/one_choice.parquet"), &[]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("one_choice.parquet, row 1: there are 1 options; give two options or more"), "{text}");
    assert!(text.contains("1 broken, 1 of 2 rows can be used"), "{text}");

    let output = check(&fixture("broken/same_idx.parquet"), &["--json"]);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!((found["layout"].as_str(), found["rows"].as_u64(), found["fault_count"].as_u64()), (Some("blink"), Some(2), Some(1)));
    assert_eq!(found["faults"][0]["place"], "row 1");
    assert_eq!(found["labels"]["B"], 1);

    let nothing = tempfile::tempdir().unwrap();
    fs::write(nothing.path().join("readme.txt"), "x").unwrap();
    let output = check(nothing.path(), &[]);
    assert_eq!(output.status.code(), Some(3));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.contains("neither test_questions.jsonl (V*Bench) nor Questions.csv (MMVP)"), "{message}");
}

#[test]
fn the_help_has_examples() {
    let output = Command::new(env!("CARGO_BIN_EXE_prism")).args(["benchmark", "check", "--help"]).output().unwrap();
    let text = stdout(&output);
    assert!(text.contains("prism benchmark check data/MMVP") && text.contains("--decode") && text.contains("--json"), "{text}");
}

/// A benchmark of one question an image, the images copied from the oracle's.
fn of_images(names: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../prism-model/tests/fixtures/images");
    let row = |(n, name): (usize, &&str)| {
        fs::copy(from.join(name), folder.path().join(name)).unwrap();
        format!(r#"{{"id": "{n}", "image": "{name}", "question": "What?", "options": ["a", "b"], "label": "A"}}"#)
    };
    let rows: Vec<String> = names.iter().enumerate().map(row).collect();
    fs::write(folder.path().join("test.jsonl"), rows.join("\n")).unwrap();
    folder
}

#[test]
fn images_of_every_kind_are_whole_and_those_that_are_read_otherwise_than_seen_are_counted() {
    let names = [
        "oriented_6.jpg",
        "oriented.webp",
        "oriented.png",
        "frames.gif",
        "saved_RGB.bmp",
        "L_raw.tiff",
        "saved_RGB.pnm",
        "really_webp.png",
    ];
    let folder = of_images(&names);
    for options in [&[][..], &["--decode"]] {
        let output = check(folder.path(), options);
        let text = stdout(&output);
        assert_eq!(output.status.code(), Some(0), "{text}");
        let words = "note: 3 images say by EXIF how they are to be turned";
        assert!(text.contains(words) && text.contains("oriented_6.jpg, orientation 6: to be turned by 90 degrees"), "{text}");
    }
    let narrow = of_images(&["lossy_2x70.webp"]);
    fs::write(narrow.path().join("lossy_2x70.webp"), [b"P5 400 10 255\n", [7; 4000].as_slice()].concat()).unwrap();
    let text = stdout(&check(narrow.path(), &[]));
    let words = "400 x 10: the processor makes it 364 x 28, qwen_vl_utils makes it 392 x 28";
    assert!(text.contains("note: 1 images have a side under a token's 28 pixels") && text.contains(words), "{text}");
}

#[test]
fn what_is_no_image_is_called_what_it_is() {
    for (name, words) in
        [("pointer.png", "is a Git-LFS pointer"), ("page.jpg", "is not an image but a web page"), ("empty.png", "is empty")]
    {
        let output = check(of_images(&[name]).path(), &[]);
        let text = stdout(&output);
        assert_eq!(output.status.code(), Some(3), "{text}");
        assert!(text.contains(words), "{text}");
    }
}
