//! The page, built from a study that never ran.

mod synthetic;

use std::path::{Path, PathBuf};

use prism_audit::Findings;
use prism_audit::findings::VerdictFinding;
use prism_report::{ReportInputs, ReportSummary, build_report};
use prism_run::{Action, Content, Effect, Verdict};
use synthetic::{EXAMPLES, HOSTILE, Shape};

/// A fixed folder under the target folder, so that the page can be looked at afterwards.
fn place(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn build(name: &str, shape: Shape) -> (PathBuf, ReportSummary, String) {
    let root = place(name);
    let study = synthetic::write(&root, shape);
    let mut inputs = ReportInputs::new(study.audits);
    inputs.trainings = study.trainings;
    inputs.comparison = Some(study.comparison);
    let out = root.join("report.html");
    let summary = build_report(&inputs, &out).unwrap();
    let page = std::fs::read_to_string(&out).unwrap();
    (root, summary, page)
}

/// The page without the scripts, which are vendored and tested apart.
fn without_scripts(page: &str) -> &str {
    page.split("<script type=\"text/plain\"").next().unwrap()
}

fn charts(page: &str) -> serde_json::Map<String, serde_json::Value> {
    let start = page.find("id=\"prism-data\">").unwrap() + "id=\"prism-data\">".len();
    let end = start + page[start..].find("</script>").unwrap();
    let data: serde_json::Value = serde_json::from_str(&page[start..end]).unwrap();
    data["charts"].as_object().unwrap().clone()
}

#[test]
fn the_base_model_stands_above_what_was_made_of_it() {
    let root = place("base");
    let study = synthetic::write(&root, Shape { seeds: 1, silent: false });
    let mut inputs = ReportInputs::new(study.audits[1..].to_vec());
    let out = root.join("report.html");
    build_report(&inputs, &out).unwrap();
    assert!(!std::fs::read_to_string(&out).unwrap().contains("base model"));
    inputs.base = Some(study.audits[0].clone());
    build_report(&inputs, &out).unwrap();
    let page = std::fs::read_to_string(&out).unwrap();
    let (base, first) = (page.find("base model").unwrap(), page.find("<th scope=\"row\"><svg").unwrap());
    assert!(base < first, "the base's line comes first");
}

/// Changes the findings of an audit.
fn change(audit: &Path, change: impl FnOnce(&mut Findings)) {
    let mut findings = Findings::read(audit).unwrap();
    change(&mut findings);
    findings.write(audit).unwrap();
}

fn verdict_of(findings: &mut Findings, action: Action) -> &mut VerdictFinding {
    findings.verdict.iter_mut().find(|v| v.intervention == action.into()).unwrap()
}

#[test]
fn a_run_found_load_bearing_is_called_so() {
    let root = place("bearing");
    let study = synthetic::write(&root, Shape { seeds: 2, silent: false });
    let page = || {
        let out = root.join("report.html");
        build_report(&ReportInputs::new(study.audits.clone()), &out).unwrap();
        std::fs::read_to_string(&out).unwrap()
    };
    assert!(!page().contains("load-bearing</span>"));
    change(&study.audits[0], |findings| {
        let c = &mut findings.conclusion[0];
        (c.word, c.content, c.sentence) = (Verdict::LoadBearing, Content::Used, "The answers depend on what the block says.".into());
    });
    let page = page();
    assert!(
        page.contains(">load-bearing</span>, block <span class=\"word changes\">needed</span>: <span class=\"why\">The answers depend")
    );
    assert!(page.contains("In one of ten runs (LVR · 42) the answers depend on what the block says"), "the headline counts the words");
}

#[test]
fn the_page_holds_every_section_and_its_size_is_told() {
    let (_, summary, page) = build("five", Shape { seeds: 1, silent: false });
    assert_eq!(summary.bytes, page.len() as u64);
    assert_eq!(summary.examples_shown, 24);
    for anchor in [
        "table-1",
        "conclusions",
        "cosine",
        "corruption",
        "gap",
        "probes",
        "outcomes",
        "training",
        "examples",
        "not-measured",
        "provenance",
    ] {
        assert!(page.contains(&format!("<section id=\"{anchor}\"")), "{anchor}");
        assert!(page.contains(&format!("href=\"#{anchor}\"")), "{anchor} in the contents");
    }
    assert!(summary.verdict.starts_with("In all five variants whether the answers depend"), "{}", summary.verdict);
    assert!(summary.verdict.contains("In all five variants the model needs its block."), "{}", summary.verdict);
    for words in [
        "r = −0.94",
        "exact p = 0.10",
        "n = 40",
        "−0.996",
        "±5 points",
        "The points cluster",
        "<noscript>",
        "P-LVR-3",
        "--benchmark &#39;synthetic search.jsonl&#39;",
    ] {
        assert!(page.contains(words), "{words}");
    }
    assert!(summary.left_out.iter().any(|l| l.contains("16 of 40")), "{:?}", summary.left_out);
}

#[test]
fn the_page_reaches_for_nothing_outside_itself() {
    let (_, _, page) = build("alone", Shape { seeds: 1, silent: false });
    let own = without_scripts(&page);
    for scheme in ["http://", "https://", "src=\"/", "url(", "@import"] {
        assert!(!own.contains(scheme), "{scheme}");
    }
    assert!(own.contains("default-src 'none'") && own.contains("script-src 'sha256-"));
    assert!(!own.contains("unsafe-eval"));
}

#[test]
fn hostile_text_stays_text() {
    let root = place("hostile");
    let mut inputs = ReportInputs::new(synthetic::write(&root, Shape { seeds: 1, silent: false }).audits);
    inputs.gallery = EXAMPLES;
    inputs.title = Some(HOSTILE.into());
    build_report(&inputs, &root.join("report.html")).unwrap();
    let page = std::fs::read_to_string(root.join("report.html")).unwrap();
    let own = without_scripts(&page);
    assert!(!own.contains(HOSTILE) && !own.contains("<script>alert") && !own.contains("<img src=x"));
    assert!(own.contains("&lt;/script&gt;&lt;script&gt;alert(1)"), "the question is shown, escaped");
    assert_eq!(page.matches("<script").count(), 5, "one block of data, four scripts");
}

#[test]
fn numbers_that_are_not_numbers_never_appear() {
    let (_, _, page) = build("numbers", Shape { seeds: 1, silent: true });
    let own = without_scripts(&page);
    for bad in ["NaN", "inf<", "Infinity"] {
        assert!(!own.contains(bad), "{bad}");
    }
    assert!(own.contains("this position never occurred"), "an absent number has its reason");
}

#[test]
fn a_block_that_never_opened_is_said_loudly() {
    let (_, summary, page) = build("silent", Shape { seeds: 1, silent: true });
    assert!(page.contains("No latent ran in P-LVR-3.") && page.contains("no latents ran"));
    let drawn = charts(&page)["chart-corruption-1"]["data"]["values"].to_string();
    assert!(drawn.contains("P-LVR-2") && !drawn.contains("P-LVR-3"), "a change of zero is not drawn where nothing ran");
    assert!(summary.verdict.contains("in one of five variants (P-LVR-3) no latents ran"), "{}", summary.verdict);
}

#[test]
fn a_model_that_may_be_guessing_and_tests_too_weak_are_said_on_the_first_screen() {
    let root = place("guessing");
    let study = synthetic::write(&root, Shape { seeds: 1, silent: false });
    let audit = &study.audits[0];
    let mut findings = Findings::read(audit).unwrap();
    findings.table1[0].accuracy_low = Some(0.3);
    for v in &mut findings.verdict {
        (v.strength, v.verdict) = (Some(0.1), Effect::TooWeak);
    }
    findings.write(audit).unwrap();
    build_report(&ReportInputs::new(vec![audit.clone()]), &root.join("report.html")).unwrap();
    let page = std::fs::read_to_string(root.join("report.html")).unwrap();
    assert!(page.contains("LVR is not shown to be above guessing.") && page.contains("too weak</span>"));
}

#[test]
fn damage_is_told_as_damage_and_limits_stand_by_the_headline() {
    let root = place("form");
    let study = synthetic::write(&root, Shape { seeds: 1, silent: false });
    let audit = &study.audits[0];
    let limit = "K = 8 lies outside the lengths of training (target: 1 to 4, 90 % of blocks)";
    change(audit, |findings| {
        let zero = verdict_of(findings, Action::Zero);
        (zero.lost, zero.lost_unparsed, zero.verdict) = (20, 20, Effect::BreaksForm);
        let c = &mut findings.conclusion[0];
        (c.inside_lengths, c.qualifier) = (Some(false), Some(limit.into()));
    });
    let said = build_report(&ReportInputs::new(vec![audit.clone()]), &root.join("report.html")).unwrap().verdict;
    let sentence = &Findings::read(audit).unwrap().conclusion[0].sentence;
    assert!(said.starts_with(sentence.as_str()), "a run alone is headed by its own sentence: {said}");
    assert!(said.contains(limit) && said.contains("`zero` breaks the form of 50 % of answers."), "{said}");
    let page = std::fs::read_to_string(root.join("report.html")).unwrap();
    assert!(page.contains("What limits these words.") && page.contains("breaks the form</span>") && page.contains("read leniently"));
    assert!(page.contains("lengths of training unknown") || page.contains("outside the lengths of training"));
}

#[test]
fn tables_and_charts_go_by_class_and_spell_interventions_one_way() {
    let (_, _, page) = build("classes", Shape { seeds: 1, silent: false });
    let table = page.split("data-table=\"corruption\"").nth(1).unwrap().split("</table>").next().unwrap();
    let at = |name: &str| table.find(&format!("data-intervention=\"{name}\"")).unwrap_or_else(|| panic!("{name}"));
    assert!(at("swap:other-answer") < at("swap-kv:other-answer") && at("swap-kv:other-answer") < at("remove") && at("remove") < at("zero"));
    let rows = charts(&page)["chart-corruption-1"]["layer"][2]["encoding"]["y"]["sort"].clone();
    let rows: Vec<&str> = rows.as_array().unwrap().iter().map(|row| row.as_str().unwrap()).collect();
    assert!(rows[0].starts_with("content · ") && rows.contains(&"presence · remove") && rows.contains(&"damage · zero"), "{rows:?}");
    assert!(!without_scripts(&page).contains("noise σ"));
    for action in [Action::Zero, Action::Remove, Action::Swap(prism_run::Donor::OtherAnswer)] {
        assert!(page.contains(&prism_report::html::escape(action.description())), "{action}");
    }
}

#[test]
fn an_image_that_is_absent_leaves_a_placeholder_with_the_reason() {
    let root = place("placeholder");
    let study = synthetic::write(&root, Shape { seeds: 1, silent: false });
    let mut inputs = ReportInputs::new(study.audits);
    inputs.folders = vec![root.clone()];
    inputs.gallery = EXAMPLES;
    let out = root.join("report.html");
    build_report(&inputs, &out).unwrap();
    let page = std::fs::read_to_string(&out).unwrap();
    assert!(page.contains("<b>No image</b>") && page.contains("011.png lies neither in the run nor below a folder named with --images"));
    assert_eq!(page.matches("data:image/png;base64,").count(), EXAMPLES - 1);
    assert!(page.contains("The runs were not compared"));
}

#[test]
fn several_seeds_stand_under_their_mean() {
    let (_, summary, page) = build("seeds", Shape { seeds: 3, silent: false });
    assert!(page.contains("3 seeds</small>") && page.contains("N-LVR · 43"));
    assert!(summary.left_out.iter().any(|l| l.contains("first seed")));
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let root = place("again");
    let study = synthetic::write(&root, Shape { seeds: 1, silent: false });
    let mut inputs = ReportInputs::new(study.audits);
    inputs.trainings = study.trainings;
    let (one, two) = (root.join("one.html"), root.join("two.html"));
    build_report(&inputs, &one).unwrap();
    build_report(&inputs, &two).unwrap();
    assert_eq!(std::fs::read(one).unwrap(), std::fs::read(two).unwrap());
}

#[test]
fn specifications_are_whole_and_themed() {
    let (_, _, page) = build("specs", Shape { seeds: 1, silent: false });
    let charts = charts(&page);
    assert_eq!(charts.len(), 8 + 5, "and a heat map per run");
    assert_eq!(charts["chart-cosine-1"]["data"]["values"].as_array().unwrap().len(), 5, "a mark a variant");
    for (id, spec) in &charts {
        assert_eq!(spec["width"], "container", "{id}");
        assert!(spec["description"].is_string() && spec["data"]["values"].as_array().is_some_and(|v| !v.is_empty()), "{id}");
        assert!(page.contains(&format!("id=\"{id}\"")), "{id} has its place");
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    let root = place("damaged");
    let study = synthetic::write(&root, Shape { seeds: 1, silent: false });
    let inputs = ReportInputs::new(vec![]);
    assert!(build_report(&inputs, &root.join("x.html")).unwrap_err().to_string().contains("prism audit"));
    let table = study.audits[0].join("findings/probe.parquet");
    std::fs::write(&table, b"PAR1 nonsense").unwrap();
    let error = build_report(&ReportInputs::new(study.audits.clone()), &root.join("x.html")).unwrap_err().to_string();
    assert!(error.contains("probe.parquet"), "{error}");
    assert!(!root.join("x.html").exists(), "nothing is left behind");
    std::fs::remove_file(study.audits[1].join("records/answers.parquet")).unwrap();
    let inputs = ReportInputs::new(study.audits[1..].to_vec());
    let summary = build_report(&inputs, &root.join("y.html")).unwrap();
    assert!(summary.left_out.iter().any(|l| l.contains("answers.parquet")), "{:?}", summary.left_out);
}
