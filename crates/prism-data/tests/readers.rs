//! Readers: what they read, and what they say about input they refuse.

#[path = "../../../tests/golden.rs"]
mod reference;

use std::fs;
use std::path::{Path, PathBuf};

use prism_data::{Benchmark, read_benchmark, read_partners, read_training, training_files};
use reference::golden;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A folder with one small image, `a.png`.
fn folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    image::RgbImage::new(40, 20).save(dir.path().join("a.png")).unwrap();
    fs::write(dir.path().join("text.png"), "not an image at all").unwrap();
    dir
}

fn write(dir: &TempDir, name: &str, text: impl AsRef<str>) -> PathBuf {
    let path = dir.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text.as_ref()).unwrap();
    path
}

/// `base` with the keys of `edit` put in place; null takes a key away.
fn edited(mut base: Value, edit: Value) -> Value {
    for (key, value) in edit.as_object().unwrap() {
        if value.is_null() {
            base.as_object_mut().unwrap().remove(key);
        } else {
            base[key] = value.clone();
        }
    }
    base
}

fn row(edit: Value) -> Value {
    edited(json!({"id": "q1", "image": "a.png", "question": "Which color?", "options": ["red", "blue"], "label": "B"}), edit)
}

fn record(edit: Value) -> Value {
    let base = json!({
        "dataset": "mini", "split": "train", "question_id": 7, "image": ["a.png"],
        "conversations": [{"from": "human", "value": "<image>\nWhich?"}, {"from": "gpt", "value": "<lvr>\n<answer> A </answer>"}],
        "bboxes": [[0.1, 0.2, 0.3, 0.4]]
    });
    edited(base, edit)
}

/// The message of a refusal; every one names the file and ends with a remedy.
#[track_caller]
fn refusal<T: std::fmt::Debug>(outcome: prism_data::Result<T>, path: &Path) -> String {
    let message = outcome.unwrap_err().to_string();
    assert!(message.starts_with(&path.display().to_string()), "the file is not named: {message}");
    message
}

#[track_caller]
fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "`{part}` is missing in: {message}");
    }
}

#[test]
fn jsonl_rows_become_examples() {
    let dir = folder();
    let rows = [
        row(json!({})),
        row(
            json!({"id": 2, "image": null, "images": ["a.png", "a.png"], "bboxes": [[0.0, 0.0, 1.0, 1.0]], "category": "c", "pair": 1, "counterfactual": "x", "note": 3}),
        ),
        row(json!({"id": "open", "options": null, "label": "a dog"})),
    ];
    let path = write(&dir, "bench.jsonl", format!("{}\n\n{}\n{}", rows[0], rows[1], rows[2]));
    let examples = read_benchmark(&path).unwrap();
    assert_eq!(examples.len(), 3);
    assert_eq!(
        examples[0].prompt,
        "Which color?\nOptions:\nA. red\nB. blue\n\nAnswer with the option's letter from the given choices directly."
    );
    assert_eq!((examples[1].id.as_str(), examples[1].row, examples[1].images.len()), ("2", 1, 2));
    assert_eq!((examples[1].pair.as_deref(), examples[1].counterfactual.as_deref()), (Some("1"), Some("x")));
    assert_eq!((examples[2].prompt.as_str(), examples[2].label.as_str()), ("Which color?", "a dog"));
    assert!(examples.iter().all(|e| e.images.iter().all(|i| i.is_file())));
    assert_eq!(Benchmark::open(&path).unwrap().name(), "bench");
    assert!(read_partners(&path).unwrap().is_empty());
}

#[test]
fn jsonl_refusals_name_the_line_and_the_remedy() {
    let cases = [
        (row(json!({"image": "b.png"})), ["b.png does not exist", "put it there"]),
        (row(json!({"image": "text.png"})), ["text.png is not an image", "give a PNG, JPEG, WebP"]),
        (row(json!({"image": null})), ["there is no image", "give `image`"]),
        (row(json!({"image": "../a.png"})), ["`../a.png` leaves its folder", "without `..`"]),
        (row(json!({"image": ""})), ["a path is empty", "relative to the data folder"]),
        (row(json!({"bboxes": [[0.2, 0.2, 1.2, 0.4]]})), ["[0.2, 0.2, 1.2, 0.4] lies outside the image", "<= 1"]),
        (row(json!({"bboxes": [[0.4, 0.2, 0.4, 0.4]]})), ["spans no area", "x0 < x1"]),
        (row(json!({"bboxes": [[1, 2, 3]]})), ["bboxes", "one JSON object a line"]),
        (row(json!({"label": "C"})), ["the label `C` is not among the options A to B", "the letter of the right option"]),
        (row(json!({"label": "blue"})), ["`blue` is not among", "letter"]),
        (row(json!({"label": null})), ["missing field `label`", "one JSON object a line"]),
        (row(json!({"id": "first"})), ["the id `first` occurs twice", "an id of its own"]),
        (row(json!({"id": ""})), ["the id is empty", "an id of its own"]),
        (row(json!({"options": [], "label": ""})), ["the label is empty", "give the gold answer"]),
        (row(json!({"question": 3})), ["key `question`", "expected a string"]),
    ];
    for (bad, parts) in cases {
        let dir = folder();
        let path = write(&dir, "bench.jsonl", format!("{}\n{bad}\n", row(json!({"id": "first"}))));
        let message = refusal(read_benchmark(&path), &path);
        assert_says(&message, &parts);
        assert_says(&message, &[", line 2: "]);
    }
    let dir = folder();
    let broken = write(&dir, "broken.jsonl", "{\"id\": \"a\", ");
    assert_says(&refusal(read_benchmark(&broken), &broken), &[", line 1: ", "EOF while parsing"]);
    let empty = write(&dir, "empty.jsonl", "\n\n");
    assert_says(&refusal(read_benchmark(&empty), &empty), &["the benchmark is empty", "at least one question"]);
    let latin = dir.path().join("latin.jsonl");
    fs::write(&latin, [b'"', 0xE9, b'"']).unwrap();
    assert_says(&refusal(read_benchmark(&latin), &latin), &[", line 1: it is not UTF-8 text"]);
}

#[test]
fn benchmarks_that_are_not_there() {
    let dir = folder();
    let missing = dir.path().join("nowhere.jsonl");
    assert_says(&refusal(read_benchmark(&missing), &missing), &["there is no such file or folder"]);
    assert_says(&refusal(read_benchmark(dir.path()), dir.path()), &["neither test_questions.jsonl (V*Bench) nor Questions.csv (MMVP)"]);
    let odd = write(&dir, "bench.xlsx", "a,b");
    assert_says(&refusal(read_benchmark(&odd), &odd), &["the format is not known", ".jsonl"]);
}

fn vstar(row: Value, annotation: &str) -> (TempDir, PathBuf) {
    let dir = folder();
    write(&dir, "vstar/test_questions.jsonl", format!("{row}\n"));
    write(&dir, "vstar/direct_attributes/sa_1.json", annotation);
    fs::copy(dir.path().join("a.png"), dir.path().join("vstar/direct_attributes/sa_1.png")).unwrap();
    let path = dir.path().join("vstar");
    (dir, path)
}

fn vstar_row(edit: Value) -> Value {
    let text =
        "What is the material of the glove?\n(A) rubber\n(B) cotton\nAnswer with the option's letter from the given choices directly.";
    let base =
        json!({"image": "direct_attributes/sa_1.png", "text": text, "category": "direct_attributes", "label": "A", "question_id": 0});
    edited(base, edit)
}

#[test]
fn vstar_boxes_are_normalised() {
    let annotation = r#"{"target_object": ["glove"], "bbox": [[10, 5, 20, 10]], "question": "?", "options": ["rubber"]}"#;
    let (_dir, path) = vstar(vstar_row(json!({})), annotation);
    for from in [path.clone(), path.join("test_questions.jsonl")] {
        let examples = read_benchmark(&from).unwrap();
        let example = &examples[0];
        assert_eq!((example.id.as_str(), example.question_id.as_str()), ("0", "0"));
        assert_eq!(example.options, ["rubber", "cotton"]);
        assert_eq!(example.boxes[0].0, [0.25, 0.25, 0.75, 0.75]);
        assert_eq!(example.category.as_deref(), Some("direct_attributes"));
        assert!(example.prompt.starts_with("What is the material") && example.prompt.ends_with("directly."));
    }
    assert_eq!(Benchmark::open(&path).unwrap().name(), "vstar");
}

#[test]
fn vstar_refusals() {
    let good = r#"{"bbox": [[10, 5, 20, 10]]}"#;
    let (_dir, path) = vstar(vstar_row(json!({})), r#"{"bbox": [[10, 5, 50, 10]]}"#);
    let file = path.join("direct_attributes/sa_1.json");
    let message = refusal(read_benchmark(&path), &file);
    assert_says(&message, &["[10, 5, 50, 10] (x, y, width, height) lies outside the image of 40 x 20 pixels"]);

    let (_dir, path) = vstar(vstar_row(json!({})), "{}");
    assert_says(&refusal(read_benchmark(&path), &path.join("direct_attributes/sa_1.json")), &["missing field `bbox`"]);

    let (_dir, path) = vstar(vstar_row(json!({"label": "D"})), good);
    assert_says(&refusal(read_benchmark(&path), &path.join("test_questions.jsonl")), &["line 1", "`D` is not among the options A to B"]);

    let (_dir, path) = vstar(vstar_row(json!({})), good);
    fs::remove_file(path.join("direct_attributes/sa_1.json")).unwrap();
    let message = refusal(read_benchmark(&path), &path.join("direct_attributes/sa_1.json"));
    assert_says(&message, &["the annotation of an image cannot be read"]);

    let (_dir, path) = vstar(vstar_row(json!({})), good);
    fs::write(path.join("direct_attributes/sa_1.png"), [0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A, 0, 0]).unwrap();
    assert_says(&refusal(read_benchmark(&path), &path.join("test_questions.jsonl")), &["sa_1.png is not a whole image"]);
}

#[test]
fn a_meta_file_and_a_flat_list_give_the_same_records() {
    let dir = folder();
    let two = json!([record(json!({})), record(json!({"question_id": "b", "dataset": null, "image": "a.png"}))]);
    let list = write(&dir, "lists/train.json", two.to_string());
    let meta = json!([{"ds_name": "named", "data_path": "lists/train.json", "image_folder": "."}]);
    let meta = write(&dir, "meta.json", meta.to_string());

    let records = read_training(&meta, None).unwrap();
    assert_eq!(records.iter().map(|r| r.id.as_str()).collect::<Vec<_>>(), ["mini/7", "named/b"]);
    assert_eq!(records[1].row, 1);
    assert_eq!(records[0].turns[0].question, "<image>\nWhich?");
    assert_eq!(records[0].turns[0].answer, "<lvr>\n<answer> A </answer>");
    assert_eq!(read_training(dir.path(), None).unwrap(), records, "a folder stands for its meta file");
    assert_eq!(training_files(&meta).unwrap(), [meta.clone(), list.clone()]);

    let flat = read_training(&list, Some(dir.path())).unwrap();
    assert_eq!(flat.len(), 2);
    assert_eq!((&flat[0].id, flat[1].id.as_str()), (&records[0].id, "b"));
    assert_eq!(training_files(&list).unwrap(), [list]);
    assert_says(&refusal(read_training(&meta, Some(dir.path())), &meta), &["names its own image folders"]);
}

#[test]
fn training_data_reads_as_questions() {
    let dir = folder();
    let text = "Which?\nOptions:\nA. red\nB. blue\n\nAnswer with the option's letter from the given choices directly.";
    let list =
        json!([record(json!({"text": text, "label": "B"})), record(json!({})), record(json!({"label": "A", "bboxes": [[0, 0, 1, 1]]}))]);
    let path = write(&dir, "data.json", list.to_string());
    let examples = read_benchmark(&path).unwrap();
    assert_eq!((examples[0].prompt.as_str(), examples[0].label.as_str()), (text, "B"));
    assert_eq!(examples[0].options, ["red", "blue"]);
    assert_eq!((examples[1].prompt.as_str(), examples[1].label.as_str()), ("Which?", "A"));
    assert_eq!(examples.iter().map(|e| e.id.as_str()).collect::<Vec<_>>(), ["mini/7", "mini/7#1", "mini/7#2"]);
    assert!(examples.iter().all(|e| e.question_id == "7"));
}

#[test]
fn training_refusals_name_the_record_and_the_remedy() {
    let lone = json!([{"from": "human", "value": "<image>\nWhich?"}]);
    let swapped = json!([{"from": "gpt", "value": "<image>"}, {"from": "human", "value": "<lvr>"}]);
    let cases = [
        (record(json!({"image": ["b.png"]})), ["b.png does not exist", "image folder"]),
        (record(json!({"image": ["text.png"]})), ["text.png is not an image", "PNG, JPEG, WebP"]),
        (record(json!({"image": ["x/../../a.png"]})), ["leaves its folder", "absolute"]),
        (record(json!({"image": null})), ["hold 1 `<image>` for 0 images", "one marker per image"]),
        (record(json!({"bboxes": [[0.1, 0.2, 0.3, 0.4], [0.1, 0.2, 0.3, 0.4]]})), ["hold 1 `<lvr>` for 2 boxes", "one marker per box"]),
        (record(json!({"bboxes": [[-0.1, 0.2, 0.3, 0.4]]})), ["lies outside the image", "shares of width and height"]),
        (record(json!({"conversations": lone})), ["the conversation has 1 texts", "human and gpt in turns"]),
        (record(json!({"conversations": swapped})), ["`gpt` is followed by `human`", "human and gpt in turns"]),
    ];
    for (bad, parts) in cases {
        let dir = folder();
        let path = write(&dir, "data.json", json!([record(json!({})), bad]).to_string());
        let message = refusal(read_training(&path, None), &path);
        assert_says(&message, &parts);
        assert_says(&message, &[", record 1 (question 7): "]);
    }
    let dir = folder();
    let untyped = write(&dir, "untyped.json", json!([record(json!({})), record(json!({"conversations": null}))]).to_string());
    assert_says(&refusal(read_training(&untyped, None), &untyped), &[", record 1: missing field `conversations`", "JSON list"]);
    let cut = write(&dir, "cut.json", &json!([record(json!({})), record(json!({}))]).to_string()[..300]);
    assert_says(&refusal(read_training(&cut, None), &cut), &[", record 1: EOF while parsing"]);
    let object = write(&dir, "object.json", "{\"records\": []}");
    assert_says(&refusal(read_training(&object, None), &object), &["expected a list of records"]);
    let empty = write(&dir, "none.json", "[]");
    assert_says(&refusal(read_training(&empty, None), &empty), &["there are no training records"]);
    assert_says(&refusal(read_benchmark(&empty), &empty), &["the benchmark is empty"]);
    let label = write(&dir, "label.json", json!([record(json!({"text": "Which?\nA. red\nB. blue", "label": "E"}))]).to_string());
    assert_says(&refusal(read_benchmark(&label), &label), &["record 0 (question 7)", "`E` is not among the options A to B"]);
    let nowhere = dir.path().join("nowhere.json");
    assert_says(&read_training(&nowhere, None).unwrap_err().to_string(), &["cannot read", "nowhere.json"]);
    let meta = write(&dir, "meta.json", json!([{"ds_name": "x", "data_path": "gone.json", "image_folder": "."}]).to_string());
    assert_says(&refusal(read_training(&meta, None), &meta), &[", record 0: the list", "gone.json does not exist", "correct `data_path`"]);
}

#[test]
fn the_golden_examples_read_both_ways() {
    let path = golden().join("examples/data.json");
    let (records, examples) = (read_training(&path, None).unwrap(), read_benchmark(&path).unwrap());
    assert_eq!((records.len(), examples.len()), (40, 40));
    for (record, example) in records.iter().zip(&examples) {
        assert_eq!((record.row, &record.images, &record.boxes), (example.row, &example.images, &example.boxes));
        assert_eq!(example.question_id, example.row.to_string());
        assert!(!example.options.is_empty() && prism_data::prompt::answer_of(&record.turns[0].answer) == example.label);
        let bare = example.prompt.lines().next().unwrap();
        assert_eq!(prism_data::prompt::multiple_choice(bare, &example.options), example.prompt);
    }
}
