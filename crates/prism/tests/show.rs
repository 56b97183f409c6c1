//! `prism show` and the exports over the real binary, on a study that never ran.

#[path = "../../prism-report/tests/synthetic/mod.rs"]
mod synthetic;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use synthetic::Shape;

fn prism(root: &Path, locale: &str, columns: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prism"));
    command.args(arguments).args(["--threads", "1"]).current_dir(root);
    command.env_remove("LANG").env_remove("LC_CTYPE").env("LC_ALL", locale).env("COLUMNS", columns).output().unwrap()
}

/// A study's folder with a manifest of its own, so that it can be named as one.
fn study() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    synthetic::write(&root.path().join("study"), Shape { seeds: 1, silent: true });
    let of_run = fs::read_to_string(root.path().join("study/seed-42/lvr/run.json")).unwrap();
    let mut manifest: serde_json::Value = serde_json::from_str(&of_run).unwrap();
    manifest["kind"] = "study".into();
    (manifest["variant"], manifest["name"]) = (serde_json::Value::Null, serde_json::Value::Null);
    fs::write(root.path().join("study/run.json"), manifest.to_string()).unwrap();
    root
}

fn shown(root: &Path, locale: &str, columns: &str, run: &str) -> String {
    let output = prism(root, locale, columns, &["show", run]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn runs_are_shown_as_they_were() {
    let root = study();
    insta::assert_snapshot!("study", shown(root.path(), "C.UTF-8", "100", "study"));
    insta::assert_snapshot!("audit_ascii", shown(root.path(), "C", "80", "study/seed-42/lvr/audit"));
    insta::assert_snapshot!("training", shown(root.path(), "en_US.utf8", "60", "study/seed-42/p-lvr-2"));
}

#[test]
fn a_terminal_that_is_not_utf_8_gets_ascii_within_its_width_and_json_is_json() {
    let root = study();
    let plain = shown(root.path(), "POSIX", "60", "study/seed-42/lvr/audit");
    assert!(plain.is_ascii(), "{plain}");
    assert!(plain.lines().all(|line| line.len() <= 60), "{plain}");
    let output = prism(root.path(), "C", "60", &["show", "study", "--json"]);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value["table1"].as_array().unwrap().len(), 5);
    assert_eq!(value["trainings"].as_array().unwrap().len(), 5);
    assert!(value["report"].is_null() && value["tables"].as_array().unwrap().len() == 6);
}

/// Every verb ends with the answer, a table that the terminal has room for, and where to look; `--wide` shows the rest.
#[test]
fn no_table_is_wider_than_the_terminal_and_wide_leaves_nothing_out() {
    let root = study();
    let runs = ["lvr", "n-lvr", "d-lvr", "p-lvr-2", "p-lvr-3"].map(|variant| format!("study/seed-42/{variant}/audit"));
    let runs: Vec<&str> = runs.iter().map(String::as_str).collect();
    let compare = [&["compare"], runs.as_slice()].concat();
    for arguments in [&["show", "study"][..], &["show", runs[0]], &["compare", runs[0]], compare.as_slice()] {
        for columns in ["80", "100", "140"] {
            let output = prism(root.path(), "C.UTF-8", columns, arguments);
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let room: usize = columns.parse().unwrap();
            assert!(text.lines().all(|line| line.chars().count() <= room), "{arguments:?} at {columns}:\n{text}");
            let (answer, rest) = text.split_once("Is what the block says used, and is the block needed?").unwrap();
            assert!(rest.contains("not shown: ") && rest.contains("(--wide)"), "{arguments:?} at {columns}:\n{text}");
            assert!(rest.contains("\nnext    prism ") && !answer.contains("\nnext    prism "), "{text}");
        }
        let output = prism(root.path(), "C.UTF-8", "80", &[arguments, &["--wide"]].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(!text.contains("not shown: ") && text.contains("needed n"), "{arguments:?}:\n{text}");
    }
}

/// What a run's findings say stands the same in `show`, its JSON, `compare` and its JSON.
#[test]
fn every_verb_says_the_words_of_the_findings() {
    let root = tempfile::tempdir().unwrap();
    let study = synthetic::write(&root.path().join("study"), Shape { seeds: 1, silent: true });
    let json = |arguments: &[&str]| -> serde_json::Value {
        let output = prism(root.path(), "C", "200", arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let folders: Vec<&str> = study.audits.iter().map(|audit| audit.to_str().unwrap()).collect();
    let compared = json(&[&["compare", "--json"], folders.as_slice()].concat());
    let text = prism(root.path(), "C", "200", &[&["compare"], folders.as_slice()].concat());
    let text = String::from_utf8(text.stdout).unwrap();
    let (_, answers) = text.split_once("Is what the block says used, and is the block needed?").unwrap();
    let mut words = std::collections::BTreeSet::new();
    for (folder, audit) in folders.iter().zip(&study.audits) {
        let findings = prism_audit::Findings::read(audit).unwrap();
        let c = &findings.conclusion[0];
        words.insert(c.word);
        let told = json(&["show", folder, "--json"]);
        for (key, value) in [("word", c.word.to_string()), ("presence", c.presence.to_string()), ("content", c.content.to_string())] {
            assert_eq!(told[key], value, "{folder}");
        }
        assert_eq!(told["sentence"], c.sentence);
        for v in &findings.verdict {
            let shown = told["interventions"].as_array().unwrap().iter().find(|i| i["intervention"] == v.intervention.to_string());
            assert_eq!(shown.unwrap()["verdict"], v.verdict.to_string(), "{folder}, {}", v.intervention);
        }
        let row = compared["conclusion"].as_array().unwrap().iter().find(|row| row["variant"] == c.variant).unwrap();
        assert_eq!((&row["word"], &row["sentence"]), (&c.word.to_string().into(), &c.sentence.clone().into()));
        // Words of a table may go over several lines.
        let first = |words: String| words.split(' ').next().unwrap_or_default().to_string();
        let name = &findings.table1[0].name;
        let (word, need) = (first(c.word.to_string()), first(c.presence.to_string()));
        let says = |line: &str| line.starts_with(name.as_str()) && line.contains(&word) && line.contains(&need);
        assert!(answers.lines().any(says), "{name}, {word}, {need}: {text}");
    }
    assert!(words.len() > 1, "a study of one word proves little: {words:?}");
}

#[test]
fn the_report_writes_every_figure_and_table_and_the_same_bytes_twice() {
    let root = study();
    let read = |figures: &str, tables: &str, paper: &str| {
        let output =
            prism(root.path(), "C", "80", &["report", "study", "--figures", figures, "--tables", tables, "--paper", paper, "--json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let files: Vec<String> = value["files"].as_array().unwrap().iter().map(|f| f.as_str().unwrap().to_string()).collect();
        files.iter().map(|f| (f.split('/').nth(1).unwrap().to_string(), fs::read(root.path().join(f)).unwrap())).collect::<Vec<_>>()
    };
    let first = read("f", "t", "p");
    assert!(first == read("f2", "t2", "p2"), "two exports differ");
    let ends = |end: &str| first.iter().filter(|(name, _)| name.ends_with(end)).count();
    assert!(ends(".svg") >= 7 && ends(".svg") == ends(".png") && ends(".svg") == ends(".vl.json"), "{}", ends(".svg"));
    assert!(ends(".csv") >= 9 && ends(".csv") == ends(".tex") && ends(".csv") + 2 == ends(".md"), "{}", ends(".csv"));
    for (name, bytes) in &first {
        if name.ends_with(".png") {
            let image = image::load_from_memory(bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert!(image.width() > 300 && image.to_luma8().pixels().any(|p| p.0[0] < 128), "{name} is blank");
        }
        if name.ends_with(".svg") {
            assert!(bytes.starts_with(b"<svg ") && !bytes.windows(7).any(|w| w == b"<script"), "{name}");
        }
    }
    let page = fs::read_to_string(root.path().join("study/report.html")).unwrap();
    let tables =
        fs::read_dir(root.path().join("t")).unwrap().filter(|e| e.as_ref().unwrap().path().extension().is_some_and(|x| x == "csv"));
    assert_eq!(page.matches("<figure class=\"table typed\"").count(), tables.count());
}

#[test]
fn wrong_places_are_refused_by_name() {
    let root = study();
    fs::write(root.path().join("file"), "x").unwrap();
    fs::create_dir(root.path().join("empty")).unwrap();
    for (arguments, code, words) in [
        (&["show", "empty"][..], 3, "run.json"),
        (&["show", "file"], 3, "run.json"),
        (&["show", "nowhere"], 3, "run.json"),
        (&["report", "study", "--figures", "file"], 3, "a file, not a folder"),
        (&["report", "study", "--tables", "file"], 3, "a file, not a folder"),
        (&["report", "study", "--paper", "file"], 3, "a file, not a folder"),
        (&["paper", "--figures", "file"], 3, "a file, not a folder"),
        (&["paper", "--figures", "file/below"], 1, "cannot create folder"),
        (&["report", "empty", "--figures", "f"], 3, "run.json"),
    ] {
        let output = prism(root.path(), "C", "80", arguments);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {message}");
        assert!(message.contains(words), "{arguments:?}: {message}");
    }
    assert!(!root.path().join("f").exists());
}
