//! The published layouts, made small by `oracle/benchmarks.py`: what is read from them
//! is what pandas reads and what the evaluation harness asks.

mod common;

use std::fs;
use std::path::Path;

use common::{copy, decoded, fixture, read};
use prism_data::{Benchmark, Depth, Images, Layout};
use prism_run::Example;
use prism_run::folder::hash_file;
use serde_json::Value;

fn expected(name: &str) -> Vec<Value> {
    let text = fs::read_to_string(fixture("expected.json")).unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    all[name].as_array().unwrap().clone()
}

/// Every field of the examples against the oracle's.
#[track_caller]
fn assert_as_expected(examples: &[Example], name: &str) {
    let expected = expected(name);
    assert_eq!(examples.len(), expected.len());
    for ((row, example), wanted) in examples.iter().enumerate().zip(&expected) {
        let texts = |key: &str| wanted[key].as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_string()).collect::<Vec<_>>();
        assert_eq!((example.row, example.id.as_str()), (row, wanted["id"].as_str().unwrap()));
        assert_eq!(example.prompt, wanted["prompt"].as_str().unwrap());
        assert_eq!(example.options, texts("options"), "{}", example.id);
        assert_eq!(example.label, wanted["label"].as_str().unwrap(), "{}", example.id);
        assert_eq!(example.category.as_deref(), wanted["category"].as_str());
        assert_eq!(example.pair.as_deref(), wanted["pair"].as_str());
        let hashes: Vec<String> = example.images.iter().map(|image| hash_file(image).unwrap()).collect();
        assert_eq!(hashes, texts("images"), "{}", example.id);
        let boxes = wanted["boxes"].as_array().unwrap();
        assert_eq!(example.boxes.len(), boxes.len());
        for (found, wanted) in example.boxes.iter().zip(boxes) {
            for (a, b) in found.0.iter().zip(wanted.as_array().unwrap()) {
                assert!((a - b.as_f64().unwrap()).abs() < 1e-12, "{}: {found:?} against {wanted}", example.id);
            }
        }
    }
}

#[test]
fn every_layout_reads_as_the_harness_reads_it() {
    for (name, file, layout) in
        [("vstar", "test_questions.jsonl", Layout::Vstar), ("mmvp", "Questions.csv", Layout::Mmvp), ("jsonl", "test.jsonl", Layout::Jsonl)]
    {
        for path in [fixture(name), fixture(name).join(file)] {
            let benchmark = Benchmark::open(&path).unwrap();
            assert_eq!(benchmark.description.layout, layout);
            assert_eq!(benchmark.files(), [fixture(name).join(file)]);
            assert_as_expected(&read(&path, None).unwrap().0, name);
        }
        assert_eq!(Benchmark::open(&fixture(name)).unwrap().name(), name);
    }
    let (examples, _cache) = read(&fixture("blink"), None).unwrap();
    assert_as_expected(&examples, "blink");
    assert_eq!(Benchmark::open(&fixture("blink")).unwrap().name(), "blink");
}

#[test]
fn one_task_of_blink_is_a_benchmark_too() {
    let counting = fixture("blink/Counting");
    for path in [counting.clone(), counting.join("val-00000-of-00001.parquet")] {
        let (examples, _cache) = read(&path, None).unwrap();
        assert_eq!(examples.iter().map(|e| e.id.as_str()).collect::<Vec<_>>(), ["val_Counting_1", "val_Counting_2", "val_Counting_3"]);
        assert!(examples.iter().all(|e| e.category.as_deref() == Some("Counting")));
    }
    let (examples, _cache) = read(&fixture("blink/Art_Style"), None).unwrap();
    assert_eq!((examples[0].category.as_deref(), examples[0].images.len()), (Some("Art_Style"), 4));
}

#[test]
fn other_writers_types_and_images_outside_the_file() {
    let (examples, _cache) = read(&fixture("other/large.parquet"), None).unwrap();
    assert_eq!(examples.iter().map(|e| (e.id.as_str(), e.images.len())).collect::<Vec<_>>(), [("1", 1), ("2", 2)]);
    assert_eq!(examples[1].images, [fixture("other/outside.png"), fixture("other/outside.png")]);
    assert_eq!((examples[0].label.as_str(), examples[0].options.len(), &examples[0].category), ("B", 4, &None));
}

#[test]
fn images_are_extracted_once_and_only_when_asked_for() {
    let cache = tempfile::tempdir().unwrap();
    let images = Images::extracted(Some(cache.path().to_path_buf()));
    let benchmark = Benchmark::open(&fixture("blink")).unwrap();
    let files = |folder: &Path| -> Vec<_> {
        let Ok(folders) = fs::read_dir(folder.join("images")) else { return Vec::new() };
        let mut all: Vec<_> = folders.flat_map(|f| fs::read_dir(f.unwrap().path()).unwrap()).map(|f| f.unwrap().path()).collect();
        all.sort();
        all
    };
    assert!(benchmark.check(decoded()).is_whole());
    assert!(files(cache.path()).is_empty());
    assert!(benchmark.read(&images, Some(0)).unwrap().is_empty());
    let first = benchmark.read(&images, Some(2)).unwrap();
    assert_eq!((first.len(), files(cache.path()).len()), (2, 2));
    let all = benchmark.read(&images, None).unwrap();
    let there = files(cache.path());
    assert!(all.iter().flat_map(|e| &e.images).all(|image| there.contains(image)));
    let stamp = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
    let stamps: Vec<_> = there.iter().map(|f| stamp(f)).collect();
    assert_eq!(benchmark.read(&images, None).unwrap(), all);
    assert_eq!(there.iter().map(|f| stamp(f)).collect::<Vec<_>>(), stamps, "a second reading writes nothing");
    // A file cut short by a full disk is written again.
    fs::write(&there[0], b"").unwrap();
    benchmark.read(&images, None).unwrap();
    assert!(fs::metadata(&there[0]).unwrap().len() > 0);
}

#[test]
fn what_lies_behind_the_limit_is_not_looked_at() {
    let (_folder, path) = copy("mmvp");
    fs::remove_file(path.join("MMVP Images/6.jpg")).unwrap();
    assert_eq!(read(&path, Some(5)).unwrap().0.len(), 5);
    assert!(read(&path, None).is_err());
}

#[test]
fn mmvp_as_it_also_occurs() {
    let (_folder, path) = copy("mmvp");
    let text = fs::read_to_string(path.join("Questions.csv")).unwrap().replace("Index", "lndex");
    fs::write(path.join("Questions.csv"), format!("\u{feff}{text}")).unwrap();
    fs::rename(path.join("MMVP Images"), path.join("MMVP_Images")).unwrap();
    assert_as_expected(&read(&path, None).unwrap().0, "mmvp");
}

#[test]
fn a_description_of_ones_own() {
    let (folder, _) = copy("blink");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let own = "id = \"two-tasks\"\nname = \"Two tasks\"\nversion = 3\nlayout = \"blink\"\npath = \"blink\"\ntasks = [\"Jigsaw\", \"Art_Style\"]\n\
               prompt = \"{instruction} {question}\\n{options}\"\ninstruction = \"One letter.\"\n";
    let path = write("own.toml", own);
    let benchmark = Benchmark::open(&path).unwrap();
    assert_eq!((benchmark.name().as_str(), benchmark.description.version), ("two-tasks", 3));
    assert_eq!(benchmark.described_in.as_deref(), Some(path.as_path()));
    let (examples, _cache) = read(&path, None).unwrap();
    assert_eq!(examples.iter().map(|e| e.category.as_deref().unwrap()).collect::<Vec<_>>(), ["Jigsaw", "Jigsaw", "Art_Style"]);
    assert!(
        examples[0].prompt.starts_with("One letter. How many") && examples[0].prompt.ends_with("A. the second image\nB. the third image\n")
    );

    fs::copy(fixture("jsonl/a.png"), folder.path().join("a.png")).unwrap();
    write("odd.jsonl", r#"{"key": 7, "file": "a.png", "question": "Which?", "options": ["x", "y"], "answer": "B"}"#);
    let own = "id = \"odd\"\nname = \"Odd\"\nversion = 1\nlayout = \"jsonl\"\npath = \"odd.jsonl\"\nprompt = \"{question}\"\n\
               [columns]\nid = \"key\"\nimage = \"file\"\nlabel = \"answer\"\n";
    let (examples, _cache) = read(&write("odd.toml", own), None).unwrap();
    assert_eq!((examples[0].id.as_str(), examples[0].label.as_str(), examples[0].prompt.as_str()), ("7", "B", "Which?"));
}

#[test]
fn a_check_counts_what_is_there() {
    let found = Benchmark::open(&fixture("vstar")).unwrap().check(decoded());
    assert!(found.is_whole());
    assert_eq!((found.rows, found.questions, found.images, found.boxes), (5, 5, 5, 7));
    assert_eq!(found.labels.iter().map(|(l, n)| (l.as_str(), *n)).collect::<Vec<_>>(), [("A", 2), ("B", 2), ("C", 1)]);
    assert_eq!(found.options_per_question.into_iter().collect::<Vec<_>>(), [(2, 2), (4, 3)]);
    assert_eq!((found.categories["direct_attributes"].questions, found.categories["relative_position"].labels["B"]), (3, 1));
    assert_eq!(found.majority, Some(0.4));
    let entropy: f64 = [0.4f64, 0.4, 0.2].iter().map(|p| -p * p.ln()).sum();
    assert!((found.label_entropy.unwrap() - entropy).abs() < 1e-12);
    let questions = found.differences.iter().find(|d| d.what == "questions").unwrap();
    assert_eq!((questions.found, questions.published), (5, 191));

    let found = Benchmark::open(&fixture("mmvp")).unwrap().check(Depth::Header);
    assert_eq!((found.questions, found.pairs, found.fault_count), (6, 3, 0));
    let found = Benchmark::open(&fixture("blink")).unwrap().check(Depth::Header);
    assert_eq!((found.files.len(), found.questions, found.images), (5, 10, 14));
    assert_eq!(found.images_per_question.into_iter().collect::<Vec<_>>(), [(1, 8), (3, 2)]);
}

#[test]
fn a_check_goes_on_behind_what_is_broken() {
    let (_folder, path) = copy("mmvp");
    fs::remove_file(path.join("MMVP Images/2.jpg")).unwrap();
    let image = path.join("MMVP Images/5.jpg");
    image::RgbImage::new(40, 20).save_with_format(&image, image::ImageFormat::Png).unwrap();
    let bytes = fs::read(&image).unwrap();
    fs::write(&image, &bytes[..bytes.len() - 20]).unwrap();
    let benchmark = Benchmark::open(&path).unwrap();
    let found = benchmark.check(Depth::Header);
    assert_eq!((found.rows, found.questions, found.fault_count), (6, 5, 1));
    let fault = &found.faults[0];
    assert_eq!(fault.place.as_deref(), Some("line 3"));
    assert!(fault.message.contains("2.jpg does not exist; put it there") && fault.remedy.is_some());
    let found = benchmark.check(decoded());
    assert_eq!(found.fault_count, 2, "a cut image shows when every pixel is decoded: {:?}", found.faults);
}
