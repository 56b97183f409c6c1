//! Files as pandas and Python leave them, and labels before and after a correction (`oracle/benchmarks.py`).

mod common;

use std::fs;

use common::{copy, fixture, read};
use prism_data::{Benchmark, Depth};
use serde_json::Value;

fn refusal(name: &str) -> String {
    read(&fixture(name), None).expect_err("it was read").to_string()
}

#[test]
fn json_as_python_writes_it_is_what_pandas_reads() {
    let expected: Value = serde_json::from_slice(&fs::read(fixture("expected.json")).unwrap()).unwrap();
    let texts = |key: &str| -> Vec<Option<String>> {
        expected["loose"][key].as_array().unwrap().iter().map(|value| value.as_str().map(str::to_owned)).collect()
    };
    for name in ["nan", "list", "pandas"] {
        let (examples, _cache) = read(&fixture(&format!("loose/{name}.jsonl")), None).unwrap();
        assert_eq!(examples.iter().map(|e| Some(e.id.clone())).collect::<Vec<_>>(), texts("ids"), "{name}");
        assert_eq!(examples.iter().map(|e| e.category.clone()).collect::<Vec<_>>(), texts("categories"), "{name}");
        assert_eq!(examples.iter().map(|e| e.row).collect::<Vec<_>>(), [0, 1, 2], "{name}");
    }
    let (large, _cache) = read(&fixture("loose/large.jsonl"), None).unwrap();
    assert_eq!(large[0].id, "9223372036854775808");
}

#[test]
fn what_is_no_question_is_named_for_what_it_is() {
    for (name, parts) in [
        ("loose/boxes.jsonl", ["boxes.jsonl, line 1: key `bboxes", "null"]),
        ("loose/texts.jsonl", ["texts.jsonl, record 0: it is a text, not an object", "one JSON object a line"]),
        ("loose/cut.jsonl", ["cut.jsonl: it begins as a list and is none", "one list of them"]),
        ("broken/gzip.parquet", ["gzip.parquet: its pages are compressed with gzip", "snappy, zstd or no compression"]),
        ("broken/whole_gzip.parquet", ["whole_gzip.parquet: it is compressed with gzip as a whole", "gunzip"]),
    ] {
        let message = refusal(name);
        for part in parts {
            assert!(message.contains(part), "`{part}` is not in: {message}");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.parquet.gz", "a.jsonl.gz"] {
        let path = folder.path().join(name);
        fs::write(&path, [0x1f, 0x8b]).unwrap();
        assert!(Benchmark::open(&path).unwrap_err().to_string().contains("compressed with gzip; unpack it"), "{name}");
    }
    let empty = folder.path().join("empty.jsonl");
    fs::write(&empty, " [ ]\n").unwrap();
    assert!(read(&empty, None).unwrap_err().to_string().contains("the benchmark is empty"));
}

#[test]
fn labels_before_and_after_their_correction_are_told_apart() {
    for (name, labels, known) in
        [("earlier", Some("before"), 12), ("later", Some("after"), 12), ("mixed", Some("neither"), 12), ("few", None, 0)]
    {
        let path = fixture(&format!("releases/{name}/Relative_Reflectance"));
        let benchmark = Benchmark::open(&path).unwrap();
        let found = benchmark.check(Depth::Beginning);
        assert!(found.is_whole(), "{:?}", found.faults);
        assert_eq!(found.release.as_ref().map(|release| (release.labels, release.known)), labels.map(|labels| (labels, known)), "{name}");
        let (examples, _cache) = read(&path, None).unwrap();
        assert_eq!(benchmark.release(&examples), found.release, "{name}");
        if let Some(release) = &found.release {
            assert!(release.in_words().contains("Relative_Reflectance, September 2025"), "{}", release.in_words());
            assert_eq!(release.is_earlier(), name != "later");
        }
    }
    assert_eq!(Benchmark::open(&fixture("blink")).unwrap().check(Depth::Beginning).release, None);
}

#[test]
fn a_row_that_is_told_of_twice_is_counted_once() {
    let (_folder, path) = copy("mmvp");
    let file = path.join("Questions.csv");
    let text = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    fs::write(&file, lines[..lines.len() - 1].concat()).unwrap();
    let found = Benchmark::open(&path).unwrap().check(Depth::Beginning);
    assert_eq!((found.rows, found.questions, found.fault_count), (5, 5, 1));
    assert_eq!(found.faults[0].place.as_deref(), Some("line 6"));
    // What is wrong with a file as a whole is no row of it.
    let found = Benchmark::open(&fixture("broken/no_rows.parquet")).unwrap().check(Depth::Beginning);
    assert_eq!((found.rows, found.fault_count), (0, 1));
    let (_folder, path) = copy("jsonl");
    let file = fs::read_dir(&path)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|e| e == "jsonl"))
        .unwrap();
    let mut text = fs::read_to_string(&file).unwrap();
    let before = Benchmark::open(&file).unwrap().check(Depth::Beginning);
    text.push_str("\n{\"id\": 1\n\n");
    fs::write(&file, text).unwrap();
    let found = Benchmark::open(&file).unwrap().check(Depth::Beginning);
    assert_eq!((found.rows, found.questions), (before.rows + 1, before.questions));
}
