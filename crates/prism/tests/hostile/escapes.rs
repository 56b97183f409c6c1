//! Characters that a terminal obeys, in every text of a run that is printed: shown, not obeyed.
//!
//! What is looked for is looked for by [`child::ended`] in everything that is printed, and by
//! [`View`] in every page; here they are put in.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::child::{FORGED, is_raw, is_unseen, merge, near, prism, readers, run};
use crate::explorer::View;
use crate::honest::{Mailed, RECORDS, change, copy, manifest, study};
use crate::tables;

/// Clears the screen, names the window, colours by a C1 control, turns the direction of text, goes back, hides a second text,
/// and ends the line to begin one that looks like a command's own ([`FORGED`]).
const BAD: &str = "\u{1b}[2J\u{1b}]0;gone\u{7}\u{9b}31m\u{202e}\u{2066}\u{200f}\r\u{8}\
                   h\u{ad}i\u{200d}d\u{fe0f}\u{e0150}d\u{e0041}e\u{3164}nend\nerror: forged";

/// The tables of a folder of the run.
fn tables_of(folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.retain(|path| path.extension().is_some_and(|end| end == "parquet"));
    all.sort();
    all
}

#[test]
fn in_every_text_of_the_findings() {
    assert!(BAD.lines().any(|line| line == FORGED));
    let mailed = Mailed::new();
    let page = mailed.beside("page.html");
    for path in tables_of(&mailed.run().join("findings")) {
        let before = fs::read(&path).unwrap();
        for column in tables::texts(&path) {
            tables::put(&path, &column, BAD);
            readers(&mailed.run(), &page);
            fs::write(&path, &before).unwrap();
        }
    }
}

#[test]
fn in_every_text_of_the_records() {
    let mailed = Mailed::new();
    let page = mailed.beside("page.html");
    for table in RECORDS {
        let file = format!("records/{table}.parquet");
        let kept: Vec<_> = mailed.all().map(|folder| fs::read(folder.join(&file)).unwrap()).into();
        for column in tables::texts(&mailed.run().join(&file)) {
            for folder in mailed.all() {
                tables::put(&folder.join(&file), &column, BAD);
            }
            readers(&mailed.run(), &page);
            merge(&mailed.run());
            for (folder, bytes) in mailed.all().iter().zip(&kept) {
                fs::write(folder.join(&file), bytes).unwrap();
            }
        }
    }
}

#[test]
fn in_every_text_of_a_manifest() {
    let mailed = Mailed::new();
    let page = mailed.beside("page.html");
    let texts: Vec<String> = manifest(&mailed.run()).as_object().unwrap().keys().cloned().collect();
    for key in texts {
        let kept = mailed.all().map(|folder| fs::read(folder.join("run.json")).unwrap());
        for (number, folder) in mailed.all().iter().enumerate() {
            // Of the shards one alone: what differs between them is named.
            if number == 2 {
                continue;
            }
            change(folder, |whole| match &mut whole[&key] {
                serde_json::Value::Object(inner) => {
                    let value = inner.values().next().cloned().unwrap_or_default();
                    inner.insert(BAD.into(), value);
                    inner.values_mut().filter(|value| value.is_string()).for_each(|value| *value = BAD.into());
                }
                serde_json::Value::Array(items) => items.push(BAD.into()),
                value if value.is_string() => *value = BAD.into(),
                _ => {}
            });
        }
        readers(&mailed.run(), &page);
        merge(&mailed.run());
        for (folder, bytes) in mailed.all().iter().zip(kept) {
            fs::write(folder.join("run.json"), bytes).unwrap();
        }
    }
    // A setting that nobody knows and a floor that lies elsewhere, in all shards alike.
    let analysis = |key: &str, value: serde_json::Value| {
        let [_, shards @ ..] = mailed.all();
        let kept = shards.each_ref().map(|shard| fs::read(shard.join("run.json")).unwrap());
        shards.iter().for_each(|shard| change(shard, |whole| whole["settings"]["analysis"][key] = value.clone()));
        let ended = merge(&mailed.run());
        shards.iter().zip(kept).for_each(|(shard, bytes)| fs::write(shard.join("run.json"), bytes).unwrap());
        ended
    };
    analysis(BAD, 1.into()).refused("run.json");
    let told = analysis("floors", serde_json::json!({ BAD: "/nowhere/else" }));
    assert!(told.code == 0 && told.err.contains("lies elsewhere"), "{told:?}");
    for text in [BAD.to_string(), format!("{{\"{BAD}\": 1}}"), format!("{{\"schema\": \"{BAD}\"}}")] {
        fs::write(mailed.run().join("run.json"), text).unwrap();
        readers(&mailed.run(), &page);
    }
}

#[test]
fn in_logs_recipes_digests_and_names() {
    let room = tempfile::tempdir().unwrap();
    let whole = room.path().join("study");
    let training = study(&whole);
    let page = room.path().join("page.html");
    fs::write(whole.join("config.toml"), format!("# {BAD}\nkey = '{BAD}'\n")).unwrap();
    let escaped = serde_json::json!({ "step": 1, "ce": 1.0, BAD: BAD }).to_string();
    fs::write(training.join("log.jsonl"), format!("{escaped}\n{BAD}\n{{\"step\": \"{BAD}\"}}\n")).unwrap();
    for folder in [&whole, &training] {
        readers(folder, &page);
    }
    let view = View::over(&whole, &[]);
    view.walk();
    view.end();
    // Names of files, and of the folder itself; one that is not UTF-8 as well.
    let mailed = Mailed::new();
    fs::write(mailed.run().join("records/digests.json"), serde_json::json!({ BAD: "0" }).to_string()).unwrap();
    fs::write(mailed.run().join("records").join(BAD), "x").unwrap();
    readers(&mailed.run(), &page);
    for name in [BAD.as_bytes(), b"new\nline", b"<script>alert(1)<script>", b"not \xff UTF-8"] {
        let named = room.path().join(OsStr::from_bytes(name));
        copy(&mailed.run(), &named);
        readers(&named, &page);
        merge(&named);
        run(prism("show").arg(named.join("none")));
        let _ = fs::remove_dir_all(room.path().join("merged"));
    }
    let view = View::over(room.path(), &[]);
    view.walk();
    view.end();
}

/// Every file below a folder that holds text.
fn texts_below(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.extension().and_then(OsStr::to_str) {
            _ if path.is_dir() => all.extend(texts_below(&path)),
            Some("png" | "parquet" | "safetensors") => {}
            _ => all.push((path.clone(), fs::read_to_string(&path).unwrap())),
        }
    }
    all
}

#[test]
fn in_files_that_are_written() {
    let mailed = Mailed::new();
    let names = ["variant", "name", "benchmark", "category"];
    for path in tables_of(&mailed.run().join("findings")) {
        for column in tables::texts(&path).iter().filter(|column| names.contains(&column.as_str())) {
            tables::put(&path, column, BAD);
        }
    }
    for folder in mailed.all() {
        change(&folder, |whole| names.iter().filter(|name| **name != "category").for_each(|name| whole[*name] = BAD.into()));
    }
    let out = mailed.beside("out");
    let mut report = prism("report");
    report.arg(mailed.run()).arg("--out").arg(out.join("page.html")).arg("--figures").arg(&out).arg("--tables").arg(out.join("tables"));
    let ended = run(&mut report);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(merge(&mailed.run()).code, 0);
    let merged = mailed.beside("merged");
    let files: Vec<_> = texts_below(&out).into_iter().chain(texts_below(&merged)).collect();
    for end in ["csv", "md", "tex", "svg", "vl.json", "run.json", "digests.json"] {
        assert!(files.iter().any(|(path, _)| path.to_string_lossy().ends_with(end)), "no {end} among {files:?}");
    }
    for (path, text) in &files {
        // The page holds the scripts that draw it, which are looked at elsewhere.
        let is_page = path.extension().is_some_and(|end| end == "html");
        let raw = text.find(|c| is_raw(c) && !(is_page && c == '\r') || is_unseen(c) && !is_page);
        assert!(raw.is_none(), "{}: {:?}", path.display(), raw.map(|at| near(text, at)));
    }
    assert_eq!(manifest(&merged)["name"], BAD, "a program reads the name as it is");
}

#[test]
fn on_every_page() {
    // Every text at once, but the words that a table is read by.
    let mailed = Mailed::new();
    for folder in ["records", "findings"] {
        for path in tables_of(&mailed.run().join(folder)) {
            for column in tables::texts(&path) {
                let before = fs::read(&path).unwrap();
                tables::put(&path, &column, BAD);
                let told = run(prism("show").arg(mailed.run()));
                let read = run(prism("compare").arg(mailed.run()));
                if told.code != 0 || read.code != 0 || column == "intervention" {
                    fs::write(&path, before).unwrap();
                }
            }
        }
    }
    for key in ["name", "variant", "benchmark", "host", "device", "dtype", "started", "ended", "commit", "version"] {
        change(&mailed.run(), |whole| whole[key] = BAD.into());
    }
    readers(&mailed.run(), &mailed.beside("page.html"));
    let view = View::over(&mailed.run(), &[]);
    let pages = view.walk();
    assert!(pages.iter().any(|(_, answer)| answer.status == 200 && answer.text().contains("[2J")), "none of it is shown");
    view.end();
}
