//! JSON lists of questions, ids, and images that are no files: what would be lost or waited for is refused.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{fixture, read};
use prism_run::Example;
use tempfile::TempDir;

/// A folder with one image, `a.png`, and `text` in a file `name`.
fn written(name: &str, text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let image = image::RgbImage::from_pixel(8, 8, image::Rgb([7, 8, 9]));
    image.save(folder.path().join("a.png")).unwrap();
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn examples(name: &str, text: &str) -> Vec<Example> {
    let (_folder, path) = written(name, text);
    read(&path, None).unwrap().0
}

fn refusal(name: &str, text: &str) -> String {
    let (_folder, path) = written(name, text);
    read(&path, None).expect_err("it was read").to_string()
}

const WITH_OPTIONS: &str =
    r#"{"id": 1, "image": "a.png", "question": "Which color?", "options": ["red", "blue"], "label": "B", "category": "color"}"#;
const BARE: &str = r#"{"id": 2, "images": ["a.png"], "question": "Which color?\nOptions:\nA. red\nB. blue", "label": "A"}"#;

#[test]
fn options_of_a_list_are_in_the_prompt_as_those_of_lines_are() {
    let lines = examples("questions.jsonl", WITH_OPTIONS);
    let list = examples("questions.json", &format!("[{WITH_OPTIONS}]"));
    assert_eq!(lines[0].prompt, list[0].prompt);
    assert!(list[0].prompt.contains("red") && list[0].prompt.contains("blue"), "{}", list[0].prompt);
    assert_eq!((&list[0].options, list[0].category.as_deref()), (&lines[0].options, Some("color")));
    assert_eq!(list[0].options, ["red", "blue"]);
    assert_eq!(examples("bare.json", &format!("[{BARE}]"))[0].options, ["red", "blue"]);
}

#[test]
fn options_after_a_bare_question_are_not_dropped_in_silence() {
    let message = refusal("mixed.json", &format!("[{BARE}, {WITH_OPTIONS}]"));
    assert!(message.contains("record 1: it has `options`, and the first entry has none"), "{message}");
}

#[test]
fn no_options_are_no_options_however_they_are_written() {
    for options in ["", r#", "options": null"#, r#", "options": []"#] {
        let line = format!(r#"{{"id": "x", "image": "a.png", "question": "Which color?", "label": "red"{options}}}"#);
        assert!(examples("free.jsonl", &line)[0].options.is_empty(), "{line}");
    }
}

#[test]
fn an_id_keeps_all_its_digits_or_is_refused() {
    let of = |id: &str| format!(r#"{{"id": {id}, "image": "a.png", "question": "q", "options": ["x", "y"], "label": "A"}}"#);
    for (id, kept) in [
        ("9007199254740993", "9007199254740993"),
        ("18446744073709551615", "18446744073709551615"),
        ("3.0", "3"),
        ("\"007\"", "007"),
        ("-4", "-4"),
    ] {
        assert_eq!(examples("ids.jsonl", &of(id))[0].id, kept);
    }
    for id in ["9007199254740994.0", "18446744073709551616", "1e300"] {
        let message = refusal("ids.jsonl", &of(id));
        assert!(message.contains("has more digits than a number keeps: write it as a text"), "{id}: {message}");
    }
    assert!(refusal("ids.jsonl", &of("true")).contains("an id, a text or a number"));
}

#[test]
fn an_image_is_one_file_with_one_name() {
    let of = |images: &str| format!(r#"{{"id": 1, {images}, "question": "q", "options": ["x", "y"], "label": "A"}}"#);
    for (images, cause) in [
        (r#""image": "a.png", "images": ["a.png"]"#.to_owned(), "there is `image` and `images`"),
        (r#""image": "data:image/png;base64,iVBORw0KGgo=""#.to_owned(), "an image is given as a data URI; write it into a file"),
        (format!(r#""image": "{}""#, "a".repeat(5000)), "a path is 5000 bytes long"),
        (r#""image": 3"#.to_owned(), "a path or a list of paths"),
    ] {
        let message = refusal("images.jsonl", &of(&images));
        assert!(message.contains(cause), "`{cause}` is not in: {message}");
    }
    let null = examples("images.jsonl", &of(r#""image": "a.png", "images": null"#));
    assert_eq!(null[0].images.len(), 1);
}

#[test]
fn a_pipe_in_an_images_place_is_not_waited_for() {
    let line = r#"{"id": 1, "image": "pipe.png", "question": "q", "options": ["x", "y"], "label": "A"}"#;
    let (folder, path) = written("pipe.jsonl", line);
    let made = std::process::Command::new("mkfifo").arg(folder.path().join("pipe.png")).status().unwrap();
    assert!(made.success());
    let message = read(&path, None).expect_err("it was read").to_string();
    assert!(message.contains("pipe.png cannot be read: it is no regular file"), "{message}");
}

#[test]
fn what_is_packed_is_told_by_its_first_bytes() {
    let bytes = fs::read(fixture("broken/whole_gzip.parquet")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("questions.jsonl");
    fs::write(&path, bytes).unwrap();
    let message = read(Path::new(&path), None).expect_err("it was read").to_string();
    assert!(message.contains("questions.jsonl: it is compressed with gzip, whatever its name says; unpack it"), "{message}");
}
