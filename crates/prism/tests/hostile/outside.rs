//! Nothing outside the run is read: not by a record that names it, not by a link, not by a hint of
//! whether it is there.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::child::{Ended, merge, prism, readers, run};
use crate::explorer::{Answer, View, walked};
use crate::honest::{Mailed, change, copy, study};
use crate::tables;

/// Words of a private file.
const PRIVATE: &str = "these words are private: 7391";

/// Everything that can be seen of a run.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    ended: Vec<Ended>,
    page: Option<String>,
    answers: Vec<(String, Answer)>,
}

impl Seen {
    fn of(mailed: &Mailed) -> Self {
        let page = mailed.beside("page.html");
        let _ = fs::remove_file(&page);
        let ended = readers(&mailed.run(), &page).into_iter().chain([merge(&mailed.run())]).collect();
        Self { ended, page: fs::read_to_string(page).ok(), answers: walked(&mailed.run()) }
    }

    /// Whether the words stand anywhere.
    fn holds(&self, words: &str) -> bool {
        self.ended.iter().any(|ended| ended.out.contains(words) || ended.err.contains(words))
            || self.page.iter().any(|page| page.contains(words))
            || self.answers.iter().any(|(_, answer)| answer.text().contains(words))
    }
}

/// What is seen of a run does not depend on what lies at `private`, a file or folder outside it.
fn tells_nothing(mailed: &Mailed, private: &Path) -> Seen {
    let with = Seen::of(mailed);
    assert!(!with.holds(PRIVATE), "{} is shown", private.display());
    fs::rename(private, mailed.beside("away")).unwrap();
    let without = Seen::of(mailed);
    fs::rename(mailed.beside("away"), private).unwrap();
    for (a, b) in with.ended.iter().zip(&without.ended) {
        assert_eq!(a, b, "what is said depends on {}", private.display());
    }
    assert!(with.page == without.page, "the page depends on {}", private.display());
    for (a, b) in with.answers.iter().zip(&without.answers) {
        assert_eq!((&a.0, a.1.text()), (&b.0, b.1.text()), "depends on {}", private.display());
    }
    assert!(with == without);
    with
}

/// Puts a link to `to` in the place of a file or folder of the run, and of its shards where they have it.
fn link(mailed: &Mailed, name: &str, to: &Path) {
    for folder in mailed.all().into_iter().filter(|folder| folder.join(name).exists()) {
        let place = folder.join(name);
        if place.is_dir() {
            fs::remove_dir_all(&place).unwrap()
        } else {
            fs::remove_file(&place).unwrap()
        }
        symlink(to, &place).unwrap();
    }
}

#[test]
fn links_to_private_files_are_refused_as_links_to_nothing_are() {
    for name in [
        "run.json",
        "records/examples.parquet",
        "records/steps.parquet",
        "records/latents.safetensors",
        "records/digests.json",
        "findings/table1.parquet",
        "findings/warnings.parquet",
    ] {
        let mailed = Mailed::new();
        // A file of that kind, from another run.
        let private = mailed.beside("private");
        fs::copy(mailed.run().join(name), &private).unwrap();
        match name.rsplit('/').next().unwrap() {
            "run.json" => fs::write(&private, fs::read_to_string(&private).unwrap().replace("plvr2", PRIVATE)).unwrap(),
            "examples.parquet" => tables::put(&private, "prompt", PRIVATE),
            "table1.parquet" => tables::put(&private, "name", PRIVATE),
            "warnings.parquet" => tables::put(&private, "text", PRIVATE),
            _ => {}
        }
        if name == "run.json" {
            // The shards keep theirs, for an explorer over no run at all does not start.
            fs::remove_file(mailed.run().join(name)).unwrap();
            symlink(&private, mailed.run().join(name)).unwrap();
        } else {
            link(&mailed, name, &private);
        }
        tells_nothing(&mailed, &private);
    }
}

#[test]
fn folders_that_are_links_are_refused_as_links_to_nothing_are() {
    for name in ["records", "findings"] {
        let mailed = Mailed::new();
        let private = mailed.beside("private");
        copy(&mailed.run().join(name), &private);
        let (table, column) = if name == "records" { ("examples.parquet", "prompt") } else { ("warnings.parquet", "text") };
        tables::put(&private.join(table), column, PRIVATE);
        link(&mailed, name, &private);
        tells_nothing(&mailed, &private);
        // In two steps, neither of which looks like leaving.
        let mailed = Mailed::new();
        let private = mailed.beside("private");
        copy(&mailed.run().join(name), &private);
        tables::put(&private.join(table), column, PRIVATE);
        symlink("..", mailed.run().join("up")).unwrap();
        link(&mailed, name, Path::new("up/private"));
        tells_nothing(&mailed, &private);
    }
}

#[test]
fn a_report_that_is_a_link_is_neither_served_nor_written_through() {
    let mailed = Mailed::new();
    let private = mailed.beside("private.html");
    fs::write(&private, PRIVATE).unwrap();
    let report = mailed.run().join("report.html");
    let answers = |to: &Path| {
        let _ = fs::remove_file(&report);
        symlink(to, &report).unwrap();
        let view = View::over(&mailed.run(), &[]);
        let run = view.audits()[0].clone();
        let answers = [format!("/runs/{run}/report"), "/folders/run/report".into()].map(|page| view.get(&page));
        view.end();
        answers
    };
    let refused = answers(&private);
    assert!(refused.iter().all(|answer| answer.status >= 400 && !answer.text().contains(PRIVATE)), "{refused:?}");
    assert_eq!(refused, answers(&mailed.beside("nothing.html")));
    // The page is written in the link's place, or not at all.
    for beside in ["report.html", "report.html.tmp"] {
        let _ = fs::remove_file(&report);
        symlink(&private, mailed.run().join(beside)).unwrap();
        run(prism("report").arg(mailed.run()));
        assert_eq!(fs::read_to_string(&private).unwrap(), PRIVATE, "{beside}");
        let _ = fs::remove_file(mailed.run().join(beside));
    }
    // One that is a file is served.
    let _ = fs::remove_file(&report);
    run(prism("report").arg(mailed.run()));
    let view = View::over(&mailed.run(), &[]);
    assert_eq!(view.get("/folders/run/report").status, 200);
    view.end();
}

#[test]
fn a_study_shows_no_recipe_log_or_run_that_lies_elsewhere() {
    let room = tempfile::tempdir().unwrap();
    let (whole, private) = (room.path().join("study"), room.path().join("private"));
    let training = study(&whole);
    fs::create_dir(&private).unwrap();
    fs::write(private.join("recipe.toml"), format!("key = \"{PRIVATE}\"\n")).unwrap();
    fs::write(private.join("log.jsonl"), format!("{{\"step\":1,\"ce\":0.7391,\"{PRIVATE}\":1}}\n")).unwrap();
    let another = study(&private.join("another"));
    change(&another.join("audit"), |whole| whole["name"] = PRIVATE.into());
    tables::put(&another.join("audit/findings/warnings.parquet"), "text", PRIVATE);
    fs::remove_file(training.join("log.jsonl")).unwrap();
    symlink(private.join("recipe.toml"), whole.join("config.toml")).unwrap();
    symlink(private.join("log.jsonl"), training.join("log.jsonl")).unwrap();
    symlink(private.join("another/seed-42"), whole.join("seed-43")).unwrap();
    symlink(another.join("audit"), whole.join("linked")).unwrap();
    let page = room.path().join("page.html");
    let see = || {
        let commands = [
            run(prism("report").arg(&whole).arg("--out").arg(&page)),
            run(prism("show").arg(&whole)),
            run(prism("show").args(["--json"]).arg(&whole)),
        ];
        let view = View::over(&whole, &[]);
        let answers = view.walk();
        view.end();
        let texts = commands.into_iter().map(|ended| ended.out + &ended.err);
        let pages = answers.into_iter().map(|(address, answer)| address + "\n" + &answer.text());
        texts.chain(fs::read_to_string(&page).ok()).chain(pages).collect::<Vec<String>>()
    };
    let with = see();
    fs::rename(&private, room.path().join("away")).unwrap();
    let without = see();
    assert_eq!(with.len(), without.len());
    for (a, b) in with.iter().zip(&without) {
        assert!(!a.contains(PRIVATE), "{a}");
        assert!(a == b, "what is shown depends on what lies elsewhere:\n{a}\n{b}");
    }
}

#[test]
fn a_run_may_be_named_by_a_link_and_hold_links_to_itself() {
    let mailed = Mailed::new();
    let named = mailed.beside("latest");
    symlink(mailed.run(), &named).unwrap();
    let examples = mailed.run().join("records/examples.parquet");
    fs::rename(&examples, mailed.run().join("kept.parquet")).unwrap();
    symlink("../kept.parquet", &examples).unwrap();
    for ended in readers(&named, &mailed.beside("page.html")) {
        assert_eq!(ended.code, 0, "{ended:?}");
    }
    let view = View::over(&named, &[]);
    let run = view.audits()[0].clone();
    assert_eq!(view.get(&format!("/runs/{run}/examples/0")).status, 200);
    view.end();
}
