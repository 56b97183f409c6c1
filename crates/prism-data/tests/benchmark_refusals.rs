//! Malformed benchmarks: every message names the file, the cause and the remedy, and a
//! check finds the same fault as a reading.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{copy, decoded, fixture, read};
use prism_data::{Benchmark, Depth};

/// That reading `path` is refused at `file` with a message that holds `parts`.
#[track_caller]
fn refused(path: &Path, file: &Path, parts: &[&str]) {
    let message = read(path, None).expect_err("it was read").to_string();
    assert!(message.starts_with(&file.display().to_string()), "the file is not named: {message}");
    assert!(message.contains("; "), "there is no remedy: {message}");
    for part in parts {
        assert!(message.contains(part), "`{part}` is missing in: {message}");
    }
    if let Ok(benchmark) = Benchmark::open(path) {
        let found = benchmark.check(Depth::Beginning);
        assert!(!found.is_whole() && found.faults.iter().any(|fault| fault.message == message), "the check says {:?}", found.faults);
    }
}

#[test]
fn blink_rows() {
    for (name, cause, remedy) in [
        ("null_idx", "`idx` is null", "give every question all of its columns"),
        ("same_idx", "the id `val_Counting_1` occurs twice", "give each example an id of its own"),
        ("null_question", "`question` is null", "all of its columns"),
        ("empty_question", "the question is empty", "give its text"),
        ("null_choices", "`choices` is null", "two options or more"),
        ("one_choice", "there are 1 options", "two options or more"),
        ("empty_choice", "option B is empty", "each with a text"),
        ("null_answer", "`answer` is null", "all of its columns"),
        ("hidden_answer", "the test split is published without answers", "give the files of the split `val`"),
        ("word_answer", "the answer `three` is not a letter in brackets", "write it as `(A)`"),
        ("answer_beyond", "the label `D` is not among the options A to B", "the letter of the right option"),
        ("no_image", "there is no image", "give image_1 its bytes"),
        ("image_gap", "`image_3` is there and `image_2` is not", "fill the images from image_1 on"),
        ("not_an_image", "val_Counting_2/image_1 is not an image (16 bytes)", "PNG, JPEG, WebP"),
        ("image_outside", "the path `../up.png` leaves its folder", "without `..`"),
        ("image_missing", "nowhere.png does not exist", "put it there"),
    ] {
        let path = fixture(&format!("broken/{name}.parquet"));
        refused(&path, &path, &[", row 1: ", cause, remedy]);
    }
    let found = Benchmark::open(&fixture("broken/cut_image.parquet")).unwrap().check(decoded());
    assert!(found.faults[0].message.contains("row 1: val_Counting_2/image_1: cannot be decoded here: "), "{:?}", found.faults);
}

#[test]
fn blink_files() {
    let again = "download the file again";
    for (name, cause, remedy) in [
        ("without_idx", "there is no column `idx` (found: question, ", again),
        ("without_question", "there is no column `question`", again),
        ("without_choices", "there is no column `choices`", again),
        ("without_answer", "there is no column `answer`", again),
        ("without_image_1", "there is no column `image_1`", again),
        ("choices_as_text", "the column `choices` holds Utf8, not a list of texts", again),
        ("image_as_bytes", "the column `image_1` holds Binary, not a struct of bytes and path", again),
        ("answer_as_number", "the column `answer` holds Int64, not text", again),
        ("no_rows", "the benchmark is empty", "at least one question"),
        ("brotli", "brotli", "snappy, zstd or no compression"),
    ] {
        let path = fixture(&format!("broken/{name}.parquet"));
        refused(&path, &path, &[": ", cause, remedy]);
    }
}

#[test]
fn blink_folders() {
    let (_folder, path) = copy("blink");
    let file = path.join("Counting/val-00000-of-00001.parquet");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    refused(&path, &file, &["it is not a whole parquet file", "download the file again"]);
    fs::write(&file, "version https://git-lfs.github.com/spec/v1").unwrap();
    refused(&path, &file, &["it is not a whole parquet file"]);
    // Pages overwritten, the footer whole.
    let mut damaged = bytes.clone();
    let middle = 4..bytes.len() / 4;
    damaged[middle].fill(0xA5);
    fs::write(&file, &damaged).unwrap();
    refused(&path, &file, &["cannot be read", "download the file again"]);

    fs::rename(&file, path.join("Counting/val-00001-of-00002.parquet")).unwrap();
    refused(&path, &path.join("Counting"), &["the file val-00000-of-00002.parquet is missing", "download the folder whole"]);
    fs::remove_dir_all(path.join("Counting")).unwrap();
    let parts = ["the task `Counting` is missing", "found: Art_Style, IQ_Test, Jigsaw", "give one task's folder, or a .toml with `tasks`"];
    refused(&path, &path, &parts);

    let (_folder, path) = copy("blink");
    for task in ["Art_Style", "IQ_Test", "Jigsaw", "Relative_Reflectance", "Spatial_Relation"] {
        fs::remove_dir_all(path.join(task)).unwrap();
    }
    fs::remove_file(path.join("Counting/val-00000-of-00001.parquet")).unwrap();
    refused(&path, &path, &["no folder in it holds val-00000-of-00001.parquet", "with the files of the split `val`"]);
    let test = path.join("Counting/test-00000-of-00001.parquet");
    refused(&test, &test, &[", row 0: the answer is `hidden`", "the split `val`"]);

    let (_folder, path) = copy("blink");
    let jigsaw = path.join("Jigsaw/val-00000-of-00001.parquet");
    fs::copy(path.join("Counting/val-00000-of-00001.parquet"), &jigsaw).unwrap();
    refused(&path, &jigsaw, &[", row 0: the id `val_Counting_1` occurs twice"]);
}

/// A copy of the MMVP fixture with `from` replaced by `to` in its questions.
fn mmvp(from: &str, to: &str) -> (tempfile::TempDir, PathBuf, PathBuf) {
    let (folder, path) = copy("mmvp");
    let file = path.join("Questions.csv");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    fs::write(&file, text.replacen(from, to, 1)).unwrap();
    (folder, path, file)
}

#[test]
fn mmvp_rows() {
    for (from, to, parts) in [
        ("\r\n2,", "\r\nzwei,", [", line 3: ", "the index `zwei` is not a number from 1", "number the questions as their images"]),
        ("\r\n1,", "\r\n0,", [", line 2: ", "the index `0` is not a number from 1", "1, 2, ..."]),
        ("\r\n2,", "\r\n1,", [", line 3: ", "the id `1` occurs twice", "an id of its own"]),
        (
            "(a) Open (b) Closed",
            "Open or closed",
            [", line 2: ", "the options `Open or closed` cannot be told apart", "write them as `(a) Open (b) Closed`"],
        ),
        ("(a) Open (b) Closed", "(a) Open", [", line 2: ", "cannot be told apart", "(b) Closed"]),
        ("(a) Open (b) Closed", "(a) (b) Closed", [", line 2: ", "cannot be told apart", "(a) Open"]),
        ("Closed,(a)", "Closed,Open", [", line 2: ", "the answer `Open` is not a letter in brackets", "write it as `(A)`"]),
        ("Closed,(a)", "Closed,", [", line 2: ", "the answer `` is not a letter", "write it as `(A)`"]),
        ("Closed,(a)", "Closed,(c)", [", line 2: ", "the label `C` is not among the options A to B", "the letter of the right option"]),
        ("Closed,(a)", "Closed", [", line 2: ", "it has 3 columns, the header 4", "put a text that holds a comma into double quotes"]),
        ("\"In this scene", "In this scene", [", line 4: ", "it has 6 columns, the header 4", "double quotes"]),
        ("Are the butterfly's wings closer to being open or closed?", "", [", line 2: ", "the question is empty", "give its text"]),
        ("\r\n6,", "\r\n9,", [", line 7: ", "9.jpg does not exist", "put it there"]),
        ("Index,Question", "Index,Query", [": ", "there is no column `Question` (found: Index, Query, Options", "comma-separated"]),
        (
            "Index,Question,Options,",
            "Index;Question;Options;",
            [": ", "there is no column `Index` (found: Index;Question", "comma-separated"],
        ),
    ] {
        let (_folder, path, file) = mmvp(from, to);
        refused(&path, &file, &parts);
    }
}

#[test]
fn mmvp_files() {
    let (_folder, path, file) = mmvp("\r\n6,", "\r\n8,");
    fs::rename(path.join("MMVP Images/6.jpg"), path.join("MMVP Images/8.jpg")).unwrap();
    refused(&path, &file, &[", line 6: question 5 has no partner: question 6 is missing", "give pairs whole"]);

    let (_folder, path) = copy("mmvp");
    let file = path.join("Questions.csv");
    fs::remove_dir_all(path.join("MMVP Images")).unwrap();
    refused(&path, &file, &["there is no folder `MMVP Images` or `MMVP_Images` beside it", "1.jpg, 2.jpg"]);
    fs::create_dir(path.join("MMVP_Images")).unwrap();
    refused(&path, &file, &[", line 2: the image", "1.jpg does not exist"]);
    fs::write(path.join("MMVP_Images/1.jpg"), "<html>not found</html>").unwrap();
    refused(&path, &file, &[", line 2: ", "1.jpg is not an image but a web page"]);
    fs::write(&file, "Index,Question,Options,Correct Answer\n").unwrap();
    refused(&path, &file, &["the benchmark is empty", "at least one question"]);
    fs::write(&file, "").unwrap();
    refused(&path, &file, &["there is no column `Index`"]);
    fs::write(&file, b"Index,Question,Options,Correct Answer\n1,r\xe9d?,(a) x (b) y,(a)\n").unwrap();
    refused(&path, &file, &[", line 2: it is not UTF-8 text", "save it as UTF-8"]);

    let (_folder, path) = copy("mmvp");
    let image = path.join("MMVP Images/3.jpg");
    fs::write(&image, &fs::read(&image).unwrap()[..20]).unwrap();
    let found = Benchmark::open(&path).unwrap().check(Depth::Header);
    assert!(found.faults[0].message.contains("3.jpg is not a whole image"), "{:?}", found.faults);
}

#[test]
fn vstar_lines() {
    let edit = |from: &str, to: &str| {
        let (folder, path) = copy("vstar");
        let file = path.join("test_questions.jsonl");
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from));
        fs::write(&file, text.replacen(from, to, 1)).unwrap();
        (folder, path, file)
    };
    for (from, to, parts) in [
        ("direct_attributes/sa_7.jpg", "direct_attributes/sa_8.jpg", [", line 2: ", "sa_8.jpg does not exist", "put it there"]),
        ("direct_attributes/sa_7.jpg", "../sa_7.jpg", [", line 2: ", "leaves its folder", "without `..`"]),
        ("\"label\": \"A\"", "\"label\": \"E\"", [", line 1: ", "the label `E` is not among the options A to D", "right option"]),
        ("\"question_id\": 1", "\"question_id\": 0", [", line 2: ", "the id `0` occurs twice", "an id of its own"]),
        ("\"text\": ", "\"query\": ", [", line 1: ", "missing field `text`", "one JSON object a line"]),
        (
            "\\n(A) rubber\\n(B) cotton",
            "\\nrubber, cotton",
            [", line 1: ", "the text holds no options", "write each option on a line of its own"],
        ),
        ("{\"image\"", "[\"image\"", [", line 1: ", "expected", "one JSON object a line"]),
        ("\"question_id\": 0}\n", "\"question_id\": 0} ", [", line 1: ", "something follows the object", "one JSON object a line"]),
    ] {
        let (_folder, path, file) = edit(from, to);
        refused(&path, &file, &parts);
    }
    let (_folder, path) = copy("vstar");
    let file = path.join("relative_position/sa_9.json");
    fs::write(&file, r#"{"bbox": [[1, 1, 40, 4]]}"#).unwrap();
    refused(
        &path,
        &file,
        &["the box [1, 1, 40, 4] (x, y, width, height) lies outside the image of 16 x 12 pixels", "correct the annotation"],
    );
    fs::write(&file, r#"{"bbox": [[1, 1, 40]]}"#).unwrap();
    refused(&path, &file, &["key `bbox[0]`", "download the V*Bench folder again"]);
    fs::remove_file(&file).unwrap();
    refused(&path, &file, &["the annotation of an image cannot be read", "download the V*Bench folder whole"]);
}

#[test]
fn descriptions() {
    let good = "id = \"own\"\nname = \"Own\"\nversion = 1\nlayout = \"jsonl\"\npath = \"jsonl\"\nprompt = \"{question}\\n{options}\"\n";
    let (folder, _) = copy("jsonl");
    let path = folder.path().join("own.toml");
    fs::write(&path, good).unwrap();
    assert_eq!(read(&path, None).unwrap().0.len(), 2);
    for (from, to, cause, remedy) in [
        ("version = 1", "version = 1\ncolour = 2", "unknown field `colour`", "every key is listed"),
        ("version = 1\n", "", "missing field `version`", "every key is listed"),
        ("version = 1", "version = \"one\"", "key `version`", "every key is listed"),
        ("version = 1", "version = ", "TOML", "correct the TOML"),
        ("\"jsonl\"\npath", "\"csv\"\npath", "unknown variant `csv`", "every key is listed"),
        ("id = \"own\"", "id = \"my own\"", "key `id` is `my own`", "give one word"),
        ("{question}", "{query}", "key `prompt` holds the unknown name `{query}`", "write `{question}` once"),
        ("{question}\\n", "", "key `prompt` leaves `{question}` out", "write `{question}` once"),
        ("version = 1", "version = 1\ntasks = [\"x\"]", "key `tasks` goes with layout `blink`, not `jsonl`", "take the key out"),
        ("version = 1", "version = 1\nimages = [\"x\"]", "key `images` goes with layout `mmvp`", "take the key out"),
        ("version = 1", "version = 1\ncolumns = { answer = \"x\" }", "key `columns` names `answer`", "the keys are id, image"),
    ] {
        assert!(good.contains(from));
        fs::write(&path, good.replacen(from, to, 1)).unwrap();
        refused(&path, &path, &[cause, remedy]);
    }
    fs::write(&path, good.replace("version = 1", "version = 1\ncolumns = { label = \"gold\" }")).unwrap();
    let lines = folder.path().join("jsonl/test.jsonl");
    refused(&path, &lines, &[", line 1: there is no key `gold`", "the description takes `label` from it"]);
    fs::write(&path, good.replace("path = \"jsonl\"", "path = \"nowhere\"")).unwrap();
    refused(&path, &folder.path().join("nowhere"), &["there is no such file or folder", "give a benchmark's file or folder"]);
    fs::write(&path, good.replace("layout = \"jsonl\"", "layout = \"mmvp\"")).unwrap();
    refused(&path, &folder.path().join("jsonl"), &["the folder holds no Questions.csv", "give the benchmark's folder, or its file"]);
}

#[test]
fn a_cache_that_cannot_be_written() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let images = prism_data::Images::extracted(Some(file.path().to_path_buf()));
    let message = Benchmark::open(&fixture("blink")).unwrap().read(&images, None).unwrap_err().to_string();
    assert!(message.starts_with(&file.path().display().to_string()), "{message}");
    assert!(message.contains("set PRISM_CACHE to a folder that can be written"), "{message}");
}

#[test]
fn a_question_that_no_model_could_read() {
    let folder = tempfile::tempdir().unwrap();
    image::RgbImage::new(2, 2).save(folder.path().join("a.png")).unwrap();
    let file = folder.path().join("q.jsonl");
    let write = |image: serde_json::Value, question: &str| {
        let row = serde_json::json!({"id": "q0", "image": image, "question": question, "options": ["a", "b"], "label": "A"});
        fs::write(&file, row.to_string()).unwrap();
    };
    write("a.png".into(), &"q".repeat(3 << 20));
    refused(&file, &file, &["bytes of text", "1024 KiB"]);
    write(vec!["a.png"; 300].into(), "What?");
    refused(&file, &file, &["the question has 300 images", "at most"]);
}
