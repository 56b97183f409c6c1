//! Tables that each stand just inside their limit, several of them at once: in one table many columns, in one run many tables,
//! in one command many runs. Together they are refused, or read one after the other.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, ListArray, StringArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};

use crate::child::{self, prism, readers};
use crate::explorer::View;
use crate::honest::{Mailed, change};
use crate::tables;

/// A text nearly as long as one may be.
const LONG: usize = 250_000;

/// Texts of that length that take nearly all that a table may have in memory.
const MANY: usize = 900;

fn long() -> String {
    "y".repeat(LONG)
}

#[test]
fn shards_each_with_tables_at_the_limit() {
    const SHARDS: usize = 6;
    let mailed = Mailed::new();
    let (one, out) = (mailed.all()[1].clone(), mailed.beside("out"));
    let shards: Vec<PathBuf> = (0..SHARDS).map(|number| out.join(format!("shard-{}-of-{SHARDS}", number + 1))).collect();
    // The examples take turns, so that every shard is read while the others are.
    let rows = |shard: usize| (0..MANY).map(move |i| i * SHARDS + shard);
    for (number, shard) in shards.iter().enumerate() {
        crate::honest::copy(&one, shard);
        change(shard, |whole| whole["settings"]["shard"] = format!("{}/{SHARDS}", number + 1).into());
        tables::repeat(&shard.join("records/examples.parquet"), MANY, |column| match column {
            "row" => Some(Arc::new(Int64Array::from_iter_values(rows(number).map(|row| row as i64)))),
            "id" => Some(tables::texts_of(rows(number).map(|row| format!("e{row}")))),
            column => (column == "prompt").then(|| tables::same(&long(), MANY)),
        });
        assert!(fs::metadata(shard.join("records/examples.parquet")).unwrap().len() < 256 << 10, "a small file");
    }
    // They fit side by side; what becomes of them is more than a run's table may take.
    let ended = child::run(prism("merge").arg(&out));
    assert!(ended.err.contains("out/records/examples.parquet"), "{ended:?}");
    ended.refused("examples.parquet");
    assert!(!out.join("records").exists() && !out.join("run.json").exists(), "nothing is left of it");
}

/// Texts of findings nearly as long as a table of them may have, in every table that has texts.
fn filled(run: &Path) {
    const ROWS: usize = 31;
    for entry in fs::read_dir(run.join("findings")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let column = tables::texts(&path).into_iter().find(|column| ["reason", "text", "category", "rule"].contains(&column.as_str()));
        if let Some(text) = column.filter(|_| !["table1", "conclusion"].contains(&name.as_str())) {
            tables::repeat(&path, ROWS, |column| (column == text).then(|| tables::same(&long(), ROWS)));
        }
    }
}

#[test]
fn runs_each_with_findings_at_the_limit() {
    const RUNS: usize = 8;
    let all = tempfile::tempdir().unwrap();
    let runs: Vec<PathBuf> = (0..RUNS).map(|number| all.path().join(format!("run-{number}"))).collect();
    for (number, run) in runs.iter().enumerate() {
        fs::rename(Mailed::new().run(), run).unwrap();
        let variant = format!("v{number}");
        change(run, |whole| (whole["variant"], whole["name"]) = (variant.clone().into(), variant.clone().into()));
        for table in ["table1", "conclusion", "verdict"] {
            tables::put(&run.join(format!("findings/{table}.parquet")), "variant", &variant);
        }
        filled(run);
        fs::remove_file(run.join("records/digests.json")).unwrap();
    }
    let page = all.path().join("page.html");
    assert_eq!(child::run(prism("report").arg(&runs[0]).arg("--out").arg(&page)).code, 0, "one is a run like any other");
    let ended = child::run(prism("report").args(&runs).arg("--out").arg(&page));
    ended.refused("findings/");
    assert!(ended.err.contains("with the tables that are held already; name fewer runs at a time"), "{ended:?}");
    for verb in ["compare", "curve"] {
        let ended = child::run(prism(verb).args(&runs));
        assert!(ended.code == 0 || ended.err.contains("name fewer runs at a time"), "{ended:?}");
    }
    let view = View::over(all.path(), &[]);
    view.walk();
    view.end();
}

/// Puts columns into the table at `path` or in the place of its own, of as many rows, each in one page.
fn put(path: &Path, rows: usize, columns: &[(String, ArrayRef)]) {
    tables::rewrite(path, rows, columns);
    assert!(fs::metadata(path).unwrap().len() < 1 << 20, "a small file of {} bytes", fs::metadata(path).unwrap().len());
}

#[test]
fn many_columns_of_one_long_page_each() {
    const ROWS: usize = 120;
    let texts: ArrayRef = Arc::new(StringArray::from(vec![long(); ROWS]));
    let of_a_run = ["question_id", "category", "pair", "counterfactual", "prompt", "label", "image", "message"].map(String::from);
    // Those that a reader asks for, and those that it has no use for.
    for names in [of_a_run.to_vec(), (0..60).map(|i| format!("more{i}")).collect()] {
        let mailed = Mailed::new();
        let columns: Vec<(String, ArrayRef)> = names.iter().map(|name| (name.clone(), Arc::clone(&texts))).collect();
        for folder in mailed.all() {
            let path = folder.join("records/examples.parquet");
            let keys = [("row".to_string(), tables::counted(ROWS)), ("id".to_string(), tables::named(ROWS))];
            put(&path, ROWS, &[&keys[..], &columns[..]].concat());
        }
        let commands = readers(&mailed.run(), &mailed.beside("page.html"));
        for ended in commands.iter().filter(|ended| ended.code == 3) {
            ended.refused("examples.parquet");
        }
        child::merge(&mailed.run());
        let view = View::over(&mailed.run(), &[]);
        view.walk();
        view.end();
    }
}

#[test]
fn long_lists_in_the_first_rows_of_a_table() {
    const ROWS: usize = 2000;
    const LISTS: usize = 30;
    const ITEMS: usize = 1_000_000;
    let lengths = (0..ROWS).map(|row| if row < LISTS { ITEMS } else { 0 });
    let list = |values: ArrayRef| -> ArrayRef {
        let field = Arc::new(Field::new("item", values.data_type().clone(), true));
        Arc::new(ListArray::new(field, OffsetBuffer::from_lengths(lengths.clone()), values, None))
    };
    let mailed = Mailed::new();
    let columns = [
        ("row".to_string(), tables::counted(ROWS)),
        ("id".to_string(), tables::named(ROWS)),
        ("intervention".to_string(), tables::same("clean", ROWS)),
        ("generated".to_string(), list(Arc::new(Int64Array::from(vec![1; LISTS * ITEMS])))),
        ("option_logprobs".to_string(), list(Arc::new(Float64Array::from(vec![0.5; LISTS * ITEMS])))),
    ];
    assert_eq!(columns[3].1.data_type(), &DataType::List(Arc::new(Field::new("item", DataType::Int64, true))));
    for folder in mailed.all() {
        put(&folder.join("records/answers.parquet"), ROWS, &columns);
    }
    drop(columns);
    let commands = readers(&mailed.run(), &mailed.beside("page.html"));
    commands[3].refused("answers.parquet");
    child::merge(&mailed.run());
    let view = View::over(&mailed.run(), &[]);
    view.walk();
    view.end();
}

/// Texts of the records are read one run at a time, however many are named.
#[test]
fn runs_each_with_records_at_the_limit() {
    const RUNS: usize = 4;
    let all = tempfile::tempdir().unwrap();
    let runs: Vec<PathBuf> = (0..RUNS).map(|number| all.path().join(format!("run-{number}"))).collect();
    for (number, run) in runs.iter().enumerate() {
        fs::rename(Mailed::new().run(), run).unwrap();
        let variant = format!("v{number}");
        change(run, |whole| (whole["variant"], whole["name"]) = (variant.clone().into(), variant.clone().into()));
        for table in ["table1", "conclusion", "verdict"] {
            tables::put(&run.join(format!("findings/{table}.parquet")), "variant", &variant);
        }
        tables::repeat(&run.join("records/examples.parquet"), MANY, |column| match column {
            "row" => Some(tables::counted(MANY)),
            "id" => Some(tables::texts_of((0..MANY).map(|i| format!("r{number}e{i}")))),
            column => (column == "prompt").then(|| tables::same(&long(), MANY)),
        });
        tables::repeat(&run.join("records/answers.parquet"), MANY, |column| match column {
            "row" => Some(tables::counted(MANY)),
            "id" => Some(tables::texts_of((0..MANY).map(|i| format!("r{number}e{i}")))),
            "intervention" => Some(tables::same("clean", MANY)),
            column => (column == "text").then(|| tables::same(&long(), MANY)),
        });
        fs::remove_file(run.join("records/digests.json")).unwrap();
    }
    let page = all.path().join("page.html");
    assert_eq!(child::run(prism("report").args(&runs).arg("--out").arg(&page)).code, 0);
    for verb in ["compare", "curve"] {
        let ended = child::run(prism(verb).args(&runs));
        assert!(ended.code == 0 || ended.err.contains("answers.parquet"), "{ended:?}");
    }
    let view = View::over(all.path(), &[]);
    view.walk();
    view.end();
}
