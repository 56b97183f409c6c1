//! Small files that stand for a lot of memory: refused, or read in part, and named.

use std::fs;
use std::path::Path;

use crate::child::{Ended, merge, readers};
use crate::explorer::View;
use crate::honest::{Mailed, change};
use crate::tables;

/// Rows of a group; every group of a repeated table is the same.
const GROUP: usize = 250_000;

/// The first row of a table of records or findings of the run and its shards, millions of times.
fn repeated(mailed: &Mailed, table: &str, millions: usize) {
    for folder in mailed.all().into_iter().filter(|folder| folder.join(table).exists()) {
        let path = folder.join(table);
        tables::repeat(&path, GROUP, |_| None);
        tables::multiply(&path, millions * 1_000_000 / GROUP);
        assert!(fs::metadata(&path).unwrap().len() < 4 << 20, "a small file");
    }
}

/// Readers and merge; those that stop say why, in terms of `file`.
fn commands(mailed: &Mailed, file: &str) -> Vec<Ended> {
    let all: Vec<Ended> = readers(&mailed.run(), &mailed.beside("page.html")).into_iter().chain([merge(&mailed.run())]).collect();
    for ended in all.iter().filter(|ended| ended.code == 3) {
        // Equal rows are the same example twice, which may be found first.
        if !ended.err.contains("hold row 0 twice") {
            ended.refused(file);
        }
    }
    all
}

#[test]
fn one_row_twenty_million_times() {
    let mailed = Mailed::new();
    repeated(&mailed, "records/steps.parquet", 20);
    // Findings hold the clean run's steps: a merge reads them all.
    commands(&mailed, "steps.parquet")[4].refused("steps.parquet");
    let view = View::over(&mailed.run(), &[]);
    let audit = view.audits()[0].clone();
    // The page says which table it leaves out, and why.
    let page = view.get(&format!("/runs/{audit}/examples/0"));
    assert!(page.status != 200 || page.text().contains("steps.parquet"), "{}", page.text());
    assert_eq!(view.get("/").status, 200);
    view.end();
}

#[test]
fn a_page_of_one_example_with_a_million_rows_leaves_the_others_their_turn() {
    let mailed = Mailed::new();
    repeated(&mailed, "records/steps.parquet", 1);
    let view = View::over(&mailed.run(), &[]);
    let audit = view.audits()[0].clone();
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| view.get(&format!("/runs/{audit}/examples/0")));
        }
        assert_eq!(view.get("/").status, 200);
        assert_eq!(view.get(&format!("/runs/{audit}/examples")).status, 200);
        assert_eq!(view.get(&format!("/runs/{audit}/examples/1")).status, 200);
    });
    view.end();
}

#[test]
fn every_table_of_records_a_million_rows_long() {
    for table in ["examples", "answers", "maps", "attention", "alignment", "lens"] {
        let mailed = Mailed::new();
        repeated(&mailed, &format!("records/{table}.parquet"), 3);
        commands(&mailed, &format!("{table}.parquet"));
        let view = View::over(&mailed.run(), &[]);
        view.walk();
        view.end();
    }
}

#[test]
fn two_hundred_texts_of_three_megabytes() {
    const ROWS: usize = 200;
    let long = "x".repeat(3 << 20);
    for name in ["prompt", "message", "category"] {
        let mailed = Mailed::new();
        for folder in mailed.all() {
            let path = folder.join("records/examples.parquet");
            tables::repeat(&path, ROWS, |column| match column {
                "row" => Some(tables::counted(ROWS)),
                "id" => Some(tables::named(ROWS)),
                column => (column == name).then(|| tables::same(&long, ROWS)),
            });
            assert!(fs::metadata(&path).unwrap().len() < 64 << 10, "a small file");
        }
        commands(&mailed, "examples.parquet");
        let view = View::over(&mailed.run(), &[]);
        view.walk();
        view.end();
    }
}

#[test]
fn three_million_warnings_and_findings_of_every_kind() {
    for table in ["warnings", "table1", "conclusion", "faithfulness", "verdict", "probe", "projection", "geometry"] {
        let mailed = Mailed::new();
        repeated(&mailed, &format!("findings/{table}.parquet"), 3);
        for ended in &readers(&mailed.run(), &mailed.beside("page.html")) {
            if ended.code == 3 {
                ended.refused(&format!("{table}.parquet"));
            }
        }
        let view = View::over(&mailed.run(), &[]);
        view.walk();
        view.end();
    }
}

#[test]
fn a_shard_of_four_billion_is_refused() {
    for count in ["4000000000", "18446744073709551615", "3000000"] {
        let mailed = Mailed::new();
        for (number, folder) in mailed.all().iter().enumerate().skip(1) {
            change(folder, |whole| whole["settings"]["shard"] = format!("{number}/{count}").into());
        }
        let ended = merge(&mailed.run());
        assert_eq!(ended.code, 3, "{ended:?}");
        assert!(ended.err.len() < 4096, "a message of {} bytes", ended.err.len());
        assert!(ended.err.contains(count) || ended.err.contains("shard"), "{ended:?}");
    }
}

#[test]
fn an_answer_under_each_of_twenty_thousand_interventions() {
    // Examples times interventions is what a table of examples would hold.
    const COUNT: usize = 20_000;
    let mailed = Mailed::new();
    let records = mailed.run().join("records");
    tables::repeat(&records.join("examples.parquet"), COUNT, |column| match column {
        "row" => Some(tables::counted(COUNT)),
        "id" => Some(tables::named(COUNT)),
        _ => None,
    });
    tables::repeat(&records.join("answers.parquet"), COUNT, |column| match column {
        "row" => Some(tables::counted(COUNT)),
        "id" => Some(tables::named(COUNT)),
        "intervention" => Some(tables::texts_of((0..COUNT).map(|i| format!("noise:{}", 1.0 + i as f64 / 1e5)))),
        _ => None,
    });
    readers(&mailed.run(), &mailed.beside("page.html"));
    let view = View::over(&mailed.run(), &[]);
    view.walk();
    view.end();
}

#[test]
fn long_logs_recipes_and_manifests() {
    let room = tempfile::tempdir().unwrap();
    let whole = room.path().join("study");
    let training = crate::honest::study(&whole);
    let page = room.path().join("page.html");
    let look = |path: &Path, content: &str| {
        let before = fs::read(path).ok();
        fs::write(path, content).unwrap();
        readers(&training, &page);
        readers(&whole, &page);
        let view = View::over(&whole, &[]);
        assert_eq!(view.get("/").status, 200);
        view.end();
        if let Some(before) = before { fs::write(path, before).unwrap() } else { fs::remove_file(path).unwrap() }
    };
    let (log, recipe, audit) = (training.join("log.jsonl"), whole.join("config.toml"), training.join("audit/run.json"));
    look(&log, &"a".repeat(300 << 20));
    look(&log, &"\n".repeat(200 << 20));
    look(&log, &"{\"step\":1,\"ce\":1.0,\"latent\":1.0}\n".repeat(3_000_000));
    look(&log, &"[".repeat(20 << 20));
    look(&recipe, &format!("a = {}", "[".repeat(200_000)));
    look(&recipe, &format!("# {}", "c".repeat(100 << 20)));
    look(&audit, &"[".repeat(1 << 20));
    look(&audit, &format!("{{\"name\": \"{}\"}}", "n".repeat(300 << 20)));
}
