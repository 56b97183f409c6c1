//! The explorer over a real socket: who may ask, what is there, and what hostile records do.

#[allow(dead_code, reason = "shared with the server's tests, which use the rest")]
mod running;
#[allow(dead_code, reason = "shared with the report's tests, which use the rest")]
#[path = "../../prism-report/tests/synthetic/mod.rs"]
mod synthetic;

use std::path::Path;
use std::time::{Duration, Instant};

use prism_explorer::Explorer;
use prism_run::folder::names;
use prism_run::manifest::Manifest;
use prism_run::records::{self, AnswerRow, ExampleRow, LatentRow, MapRow, files};
use prism_run::table::{read_rows, write_rows};
use prism_run::{Action, Intervention, NotedAt, Stage};

use running::{Running, id, study};

#[test]
fn only_readers_on_this_machine_are_answered() {
    let dir = tempfile::tempdir().unwrap();
    let running = study(dir.path());
    for host in ["localhost:PORT", "127.0.0.1:PORT", "[::1]:PORT"] {
        let ok = running.send(&format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"));
        assert_eq!(ok.status, 200, "{host}");
    }
    for host in ["evil.test", "evil.test:PORT", "localhost", "localhost:1", "localhost.evil.test:PORT", "0.0.0.0:PORT"] {
        let refused = running.send(&format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"));
        assert_eq!(refused.status, 403, "{host}");
        assert!(!refused.text().contains("LVR"), "{host}");
    }
    // A request may name no host, or another one in its address.
    assert_eq!(running.send("GET / HTTP/1.0\r\n\r\n").status, 403);
    assert_eq!(running.send("GET http://evil.test/ HTTP/1.1\r\nHost: localhost:PORT\r\nConnection: close\r\n\r\n").status, 403);
    for (origin, status) in [("http://localhost:PORT", 200), ("http://evil.test", 403), ("null", 403), ("https://localhost:PORT", 403)] {
        let answer =
            running.send(&format!("GET /api/runs.json HTTP/1.1\r\nHost: localhost:PORT\r\nOrigin: {origin}\r\nConnection: close\r\n\r\n"));
        assert_eq!(answer.status, status, "{origin}");
        assert!(!answer.head.contains("access-control-allow-origin"));
    }
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
        for path in ["/", "/api/runs.json", "/nowhere"] {
            let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost:PORT\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let refused = running.send(&request);
            assert_eq!(refused.status, 405, "{method} {path}");
            assert!(refused.head.contains("allow: GET, HEAD"));
        }
    }
    let head = running.send("HEAD / HTTP/1.1\r\nHost: localhost:PORT\r\nConnection: close\r\n\r\n");
    assert!(head.status == 200 && head.body.is_empty());
}

#[test]
fn every_answer_forbids_what_it_does_not_need() {
    let dir = tempfile::tempdir().unwrap();
    let running = study(dir.path());
    let run = id(&running, "lvr");
    let image = format!("/runs/{run}/examples/0/image");
    for path in ["/", "/nowhere", "/api/runs.json", "/explorer.js", "/runs/%ff", image.as_str()] {
        let answer = running.get(path);
        for header in ["x-content-type-options: nosniff", "referrer-policy: no-referrer", "default-src 'none'", "frame-ancestors 'none'"] {
            assert!(answer.head.contains(header), "{path} lacks {header}: {}", answer.head);
        }
        let policy = answer.head.lines().find(|l| l.starts_with("content-security-policy")).unwrap();
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
    }
    // The pages live by that policy: no script, style or handler stands in them.
    for path in ["/".to_string(), format!("/runs/{run}"), format!("/runs/{run}/examples"), format!("/runs/{run}/examples/3")] {
        let page = running.get(&path).text();
        assert_eq!(page.matches("<script").count(), 1, "{path}");
        assert!(page.contains("<script src=\"/explorer.js\" defer>"), "{path}");
        assert!(!page.contains("<style") && !page.contains(" style=") && !page.contains(" onclick="), "{path}");
    }
}

#[test]
fn no_address_leads_out_of_the_runs() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("runs");
    std::fs::create_dir_all(&root).unwrap();
    let secret = dir.path().join("secret.txt");
    std::fs::write(&secret, "the secret").unwrap();
    let running = study(&root);
    let run = id(&running, "lvr");
    let absolute = secret.to_string_lossy().replace('/', "%2F");
    let climbs = [
        "..",
        "%2e%2e",
        "..%2f..%2fsecret.txt",
        "..%5c..",
        "%252e%252e",
        "....//",
        absolute.as_str(),
        "%00",
        "-1",
        "1e3",
        "18446744073709551616",
        "",
    ];
    for climb in climbs {
        for path in [
            format!("/{climb}"),
            format!("/runs/{climb}"),
            format!("/runs/{climb}/report"),
            format!("/folders/{climb}/report"),
            format!("/runs/{climb}/examples"),
            format!("/runs/{run}/{climb}/secret.txt"),
            format!("/runs/{run}/examples/{climb}"),
            format!("/runs/{run}/examples/{climb}/image"),
            format!("/api/runs/{climb}"),
            format!("/api/runs/{run}/examples/{climb}"),
            format!("/api/runs/{run}/examples/{climb}.json"),
        ] {
            let answer = running.get(&path);
            let harmless = matches!(answer.status, 400 | 404) || path == "/" || path == format!("/runs/{run}/examples/");
            assert!(harmless, "{path}: {}", answer.status);
            assert!(!answer.text().contains("the secret"), "{path}");
        }
    }
    for unknown in
        ["/runs/none", "/runs/none/examples", "/runs/none/examples/0", "/compare?run=none", "/api/version?run=none", "/folders/none/report"]
    {
        assert_eq!(running.get(unknown).status, 404, "{unknown}");
    }
    assert_eq!(running.get(&format!("/runs/{run}/examples/4000")).status, 404);
}

#[test]
fn only_what_decodes_as_an_image_is_served_as_one() {
    let dir = tempfile::tempdir().unwrap();
    let (root, outside) = (dir.path().join("study"), dir.path().join("outside.png"));
    let study = synthetic::write(&root, synthetic::Shape { seeds: 1, silent: false });
    let secret = root.join("world/images/secret.txt");
    std::fs::write(&secret, "the secret").unwrap();
    std::fs::copy(root.join("world/images/002.png"), &outside).unwrap();
    change_examples(&study.audits[0], |e| match e.row {
        0 => e.image = secret.to_string_lossy().into_owned(),
        2 => e.image = outside.to_string_lossy().into_owned(),
        3 => e.image = dir.path().join("absent.png").to_string_lossy().into_owned(),
        _ => {}
    });
    let running = Running::over(std::slice::from_ref(&root));
    let run = id(&running, "lvr");
    let image = |row: usize| running.get(&format!("/runs/{run}/examples/{row}/image"));
    let page = |row: usize| running.get(&format!("/runs/{run}/examples/{row}")).text();
    let refused = image(0);
    assert_eq!(refused.status, 404);
    assert!(!refused.text().contains("the secret"));
    assert!(page(0).contains("is not an image that can be read"));
    let served = image(1);
    assert!(served.head.contains("content-type: image/png") && image::load_from_memory(&served.body).is_ok());
    // Of what lies elsewhere it is not even told whether it is there.
    let (there, absent) = (image(2), image(3));
    assert_eq!((there.status, absent.status), (404, 404));
    assert_eq!(there.text(), absent.text().replace("absent.png", "outside.png"));
    assert!(page(2).contains("lies neither in the run nor below"));
    // The synthetic study leaves one away.
    assert_eq!(image(11).status, 404);
    assert!(page(11).contains("lies neither in the run nor below"));
}

fn change_examples(run: &Path, change: impl Fn(&mut ExampleRow)) {
    let path = records::folder(run).join(files::EXAMPLES);
    let mut rows: Vec<ExampleRow> = read_rows(&path).unwrap();
    rows.iter_mut().for_each(change);
    write_rows(&path, rows).unwrap();
}

fn change_answers(run: &Path, change: impl Fn(&mut AnswerRow)) {
    let path = records::folder(run).join(files::ANSWERS);
    let mut rows: Vec<AnswerRow> = read_rows(&path).unwrap();
    rows.iter_mut().for_each(change);
    write_rows(&path, rows).unwrap();
}

const MARKUP: &str = "\"'></td></script><script>alert(1)</script><img src=x onerror=alert(2)>&#x3c;\u{202e}";

#[test]
fn hostile_records_are_text() {
    let dir = tempfile::tempdir().unwrap();
    let study = synthetic::write(dir.path(), synthetic::Shape { seeds: 1, silent: false });
    let run = &study.audits[0];
    change_examples(run, |e| {
        e.prompt = format!("{MARKUP}\n{MARKUP}");
        e.options = vec![MARKUP.into(), "b".into()];
        e.category = Some(MARKUP.into());
        e.counterfactual = Some(MARKUP.into());
        e.message = Some(MARKUP.into());
        e.image = MARKUP.into();
        e.boxes = "[[\"<script>\"]]".into();
    });
    change_answers(run, |a| {
        a.text = format!("<|lvr_start|>{}", MARKUP.repeat(if a.row == 0 { 2_000 } else { 1 }));
        a.answer = Some(MARKUP.into());
        a.donor_label = Some(MARKUP.into());
        a.donor = Some(1);
        a.gold_margin = Some(f64::NAN);
        a.latent_norm = Some(f64::INFINITY);
        a.option_logprobs = Some(vec![f64::NAN, 0.0]);
    });
    let folder = records::folder(run);
    let step = LatentRow {
        row: 0,
        intervention: Intervention::CLEAN,
        stage: Stage::Target,
        step: 0,
        norm: f64::NAN,
        clean_cosine: None,
        previous_cosine: None,
        end_cosine: None,
        lens_token: Some(MARKUP.into()),
        lens_probability: Some(f64::NAN),
        lens_entropy: None,
        lens_gold: None,
    };
    write_rows(&folder.join(files::STEPS), [step]).unwrap();
    let map =
        |height, width, cosine| MapRow { row: 0, place: NotedAt::Target, step: Some(0), image: 0, height, width, cosine, attention: None };
    let maps = [map(2, 2, Some(vec![0.1, f64::NAN, 0.3, 0.4])), map(usize::MAX >> 1, 3, Some(vec![1.0])), map(0, 0, Some(vec![]))];
    write_rows(&folder.join(files::MAPS), maps).unwrap();
    let mut manifest = Manifest::read(run).unwrap();
    (manifest.name, manifest.benchmark) = (Some(MARKUP.into()), Some(MARKUP.into()));
    manifest.command = vec![MARKUP.into()];
    manifest.write(run).unwrap();

    let running = Running::over(&[dir.path().to_path_buf()]);
    let run = id(&running, "lvr");
    let filter = "q=%3Cscript%3E&under=%22%3E%3Cscript%3E&category=%3Cb%3E&page=7";
    for path in [
        "/".to_string(),
        format!("/runs/{run}"),
        format!("/runs/{run}/examples"),
        format!("/runs/{run}/examples?{filter}"),
        format!("/runs/{run}/examples/0"),
        format!("/runs/{run}/examples/1?{filter}"),
        format!("/compare?run={run}&run={}", id(&running, "n-lvr")),
    ] {
        let begun = Instant::now();
        let answer = running.get(&path);
        assert_eq!(answer.status, 200, "{path}");
        let page = answer.text();
        assert_eq!(page.matches("<script").count(), 1, "{path}");
        assert!(!page.contains("<img src=x") && !page.contains("onerror=alert(2)>") && !page.contains('\u{202e}'), "{path}");
        assert!(page.len() < 400_000, "{path}: {} bytes", page.len());
        assert!(begun.elapsed() < Duration::from_secs(3), "{path}: {:?}", begun.elapsed());
    }
    let cut = running.get(&format!("/runs/{run}/examples/0")).text();
    assert!(cut.contains("more characters"), "a long text is cut with a note");
    let json = running.json(&format!("/api/runs/{run}/examples/0.json"));
    assert!(json["example"]["answers"][0]["gold_margin"].is_null(), "a number that is none is null");
}

#[test]
fn ten_thousand_examples_are_paged() {
    let dir = tempfile::tempdir().unwrap();
    let study = synthetic::write(dir.path(), synthetic::Shape { seeds: 1, silent: false });
    let run = &study.audits[0];
    let folder = records::folder(run);
    let examples: Vec<ExampleRow> = read_rows(&folder.join(files::EXAMPLES)).unwrap();
    let answers: Vec<AnswerRow> = read_rows(&folder.join(files::ANSWERS)).unwrap();
    let copies = 10_000 / synthetic::EXAMPLES;
    let shift = |copy: usize, row: usize| row + copy * synthetic::EXAMPLES;
    let many = (0..copies)
        .flat_map(|copy| examples.iter().map(move |e| ExampleRow { row: shift(copy, e.row), id: format!("{}-{copy}", e.id), ..e.clone() }));
    write_rows(&folder.join(files::EXAMPLES), many).unwrap();
    let many = (0..copies).flat_map(|copy| {
        answers.iter().map(move |a| AnswerRow {
            row: shift(copy, a.row),
            id: format!("{}-{copy}", a.id),
            text: a.text.repeat(20),
            ..a.clone()
        })
    });
    write_rows(&folder.join(files::ANSWERS), many).unwrap();

    let running = Running::over(std::slice::from_ref(run));
    let id = id(&running, "lvr");
    let timed = |path: &str| {
        let begun = Instant::now();
        let answer = running.get(path);
        assert_eq!(answer.status, 200, "{path}");
        (answer.text(), begun.elapsed())
    };
    let (first, took) = timed(&format!("/runs/{id}/examples"));
    assert!(first.contains("10000 of 10000 examples, 1 to 100 here") && first.contains("page 1 of 100"));
    assert!(took < Duration::from_secs(3), "{took:?}");
    let (last, took) = timed(&format!("/runs/{id}/examples?page=100"));
    assert!(last.contains("9901 to 10000 here") && last.matches("class=\"open\"").count() == 100);
    assert!(took < Duration::from_secs(1), "the index is kept: {took:?}");
    let (page, took) = timed(&format!("/runs/{id}/examples/5000"));
    assert!(page.contains("5001 of 10000"));
    assert!(took < Duration::from_secs(2), "{took:?}");
    // A filter keeps its count over the pages, and its links go on within it.
    let lost = running.json(&format!("/api/runs/{id}/examples.json?under=zero&show=lost"));
    let fitting = lost["fitting"].as_u64().unwrap();
    let expected = answers
        .iter()
        .filter(|a| a.intervention == Action::Zero.into() && a.correct == Some(false))
        .filter(|a| answers.iter().any(|c| c.intervention.is_clean() && c.row == a.row && c.correct == Some(true)));
    assert_eq!(fitting, (expected.count() * copies) as u64);
}

#[test]
fn a_run_that_changes_gets_another_stamp() {
    let dir = tempfile::tempdir().unwrap();
    let study = synthetic::write(dir.path(), synthetic::Shape { seeds: 1, silent: false });
    let running = Running::over(&[dir.path().to_path_buf()]);
    let run = id(&running, "lvr");
    let stamp = |path: &str| running.json(path)["stamp"].as_str().unwrap().to_string();
    let (of_run, of_other) = (format!("/api/version?run={run}"), format!("/api/version?run={}", id(&running, "n-lvr")));
    let before = (stamp("/api/version"), stamp(&of_run), stamp(&of_other));
    change_answers(&study.audits[0], |a| a.text.push('!'));
    std::thread::sleep(Duration::from_secs(1));
    let after = (stamp("/api/version"), stamp(&of_run), stamp(&of_other));
    assert!(before.0 != after.0 && before.1 != after.1 && before.2 == after.2);
    assert!(running.get(&format!("/runs/{run}/examples/0")).text().contains('!'));
    // What a study adds while it goes on is found.
    let later = dir.path().join("seed-43/lvr/audit");
    copy(&study.audits[0], &later);
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(
        running.json("/api/runs.json")["runs"].as_array().unwrap().iter().filter(|r| r["variant"] == "lvr" && r["kind"] == "audit").count(),
        2
    );
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &target) } else { std::fs::copy(&path, &target).map(|_| ()).unwrap() }
    }
}

#[test]
fn a_report_page_is_shown_in_a_sandbox() {
    let dir = tempfile::tempdir().unwrap();
    let study = synthetic::write(dir.path(), synthetic::Shape { seeds: 1, silent: false });
    let report = study.audits[0].join(names::REPORT);
    prism_report::build_report(&prism_report::ReportInputs::new(vec![study.audits[0].clone()]), &report).unwrap();
    let running = Running::over(&[study.audits[0].clone()]);
    let answer = running.get(&format!("/runs/{}/report", id(&running, "lvr")));
    assert_eq!(answer.body, std::fs::read(&report).unwrap());
    let policy = answer.head.lines().find(|l| l.starts_with("content-security-policy")).unwrap();
    assert!(policy.contains("sandbox allow-scripts") && policy.contains("'sha256-") && !policy.contains("allow-same-origin"), "{policy}");
}

#[test]
fn a_folder_without_runs_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let refused = Explorer::open(&[dir.path().to_path_buf()]).unwrap_err().to_string();
    assert!(refused.contains("no run folder is there"), "{refused}");
}

#[test]
fn what_leaves_the_block_out_shows_its_change() {
    let dir = tempfile::tempdir().unwrap();
    let study = synthetic::write(dir.path(), synthetic::Shape { seeds: 1, silent: false });
    let found = prism_audit::Findings::read(&study.audits[0]).unwrap();
    let remove = Intervention::from(Action::Remove);
    let row = found.faithfulness.iter().find(|f| f.intervention == remove && f.category == "all").unwrap();
    let verdict = found.verdict.iter().find(|v| v.intervention == remove).unwrap();
    assert_eq!(row.opened, Some(0.0), "no block opens where it is left out");
    let delta = prism_report::number::points(verdict.delta);
    assert!(verdict.delta.unwrap() < -0.1, "{delta}");
    let running = Running::over(&[dir.path().to_path_buf()]);
    let (run, other) = (id(&running, "lvr"), id(&running, "n-lvr"));
    let page = running.get(&format!("/runs/{run}")).text();
    let line = page.split("<tr ").find(|line| line.contains(">remove</a>")).unwrap();
    assert!(line.contains(&format!(">{delta}</td>")) && line.contains(">loses</span>"), "{line}");
    let compared = running.get(&format!("/compare?run={run}&run={other}")).text();
    assert!(compared.contains(&format!(">{delta}</a></td>")), "{compared}");
}

#[test]
fn a_count_leads_to_exactly_the_examples_it_counts() {
    let dir = tempfile::tempdir().unwrap();
    let running = study(dir.path());
    let run = id(&running, "lvr");
    let tables = running.json(&format!("/api/runs/{run}/tables.json"));
    let tables = tables["tables"].as_array().unwrap();
    let names: Vec<&str> = tables.iter().filter_map(|table| table["table"].as_str()).collect();
    assert_eq!(names, ["run", "interventions", "categories"]);
    let page = running.get(&format!("/runs/{run}")).text();
    let mut led = 0;
    for row in tables[1]["rows"].as_array().unwrap() {
        for (column, cell) in row["cells"].as_object().unwrap() {
            let (Some(address), Some(count)) = (cell["examples"].as_str(), cell["value"].as_u64()) else { continue };
            let fitting = running.json(&format!("/api{}", address.replace("/examples", "/examples.json")))["fitting"].as_u64().unwrap();
            assert_eq!(fitting, count, "{column} of {}: {address}", row["key"]);
            let linked = format!("href=\"{}\">{}</a>", address.replace('&', "&amp;"), cell["text"].as_str().unwrap());
            assert!(page.contains(&linked), "{linked}");
            led += 1;
        }
    }
    assert!(led > 5, "{led} counts lead somewhere");
}

#[test]
fn runs_of_all_folders_are_one_list_that_words_narrow() {
    let dir = tempfile::tempdir().unwrap();
    let roots = ["first", "second"].map(|name| dir.path().join(name));
    for root in &roots {
        synthetic::write(root, synthetic::Shape { seeds: 1, silent: false });
    }
    let running = Running::over(&roots);
    let listed = |query: &str| {
        let page = running.get(&format!("/{query}")).text();
        assert_eq!(page.matches("<form action=\"/compare\"").count(), 1, "any two can be compared");
        page.matches("name=\"run\"").count()
    };
    let all = listed("");
    assert!(all >= 4, "{all}");
    assert_eq!((listed("?q=second"), listed("?q=finished"), listed("?q=SECOND%20finished")), (all / 2, all, all / 2));
    let none = running.get("/?q=%3Cscript%3E").text();
    assert!(none.contains("None fits.") && none.contains("value=\"&lt;script&gt;\""), "{none}");
}

#[test]
fn a_run_that_goes_on_one_that_was_killed_and_one_that_finished_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let study = synthetic::write(dir.path(), synthetic::Shape { seeds: 1, silent: false });
    let run = &study.audits[0];
    let state = |ended: Option<&str>| {
        let mut manifest = Manifest::read(run).unwrap();
        manifest.ended = ended.map(str::to_string);
        manifest.write(run).unwrap();
        let running = Running::over(std::slice::from_ref(run));
        let page = running.get("/").text();
        let state = running.json("/api/runs.json")["runs"][0]["state"].as_str().unwrap().to_string();
        assert!(page.contains(&state), "{page}");
        state
    };
    assert_eq!(state(Some("2026-01-02T03:04:05Z")), "finished");
    assert_eq!(state(None), "killed");
    std::fs::write(run.join(names::LOCK), "{}").unwrap();
    assert_eq!(state(None), "running");
}

#[test]
fn every_branch_has_its_text_and_the_first_difference_is_marked() {
    let dir = tempfile::tempdir().unwrap();
    let study = synthetic::write(dir.path(), synthetic::Shape { seeds: 1, silent: false });
    let run = &study.audits[0];
    let zero = Intervention::from(Action::Zero);
    change_answers(run, |a| {
        a.text = match a.intervention {
            i if i.is_clean() => "the answer is B".into(),
            i if i == zero => "the answer was C".into(),
            _ => "another text".into(),
        };
    });
    let running = Running::over(std::slice::from_ref(run));
    let address = format!("/runs/{}/examples/0", id(&running, "lvr"));
    let page = running.get(&format!("{address}?beside=zero")).text();
    let text = page.split("<section id=\"text\">").nth(1).unwrap().split("</section>").next().unwrap();
    let marked = |word: &str| format!("<mark data-first title=\"the first difference\">{word}</mark>");
    let of = |branch: &str| text.split(&format!("data-branch=\"{branch}\"")).nth(1).unwrap().split("</div>").next().unwrap().to_string();
    assert!(of("clean").contains(&format!("the answer{} B", marked(" is"))), "{}", of("clean"));
    assert!(of("zero").contains(&format!("the answer{} C", marked(" was"))), "{}", of("zero"));
    assert!(text.contains("another text") || text.contains(&format!("{} text", marked("another"))), "{text}");
    // The branch chosen goes along to the next example.
    assert!(page.contains("rel=\"next\" href=\"/runs/") && page.contains("?beside=zero\">next"), "{page}");
    // Without a choice one is made.
    assert_eq!(running.get(&address).text().matches("data-branch=").count(), 2);
}
