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
    let charts = data["charts"].as_object().unwrap().iter();
    charts.map(|(id, spec)| (id.clone(), prism_report::charts::packed::unpacked(spec))).collect()
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
    assert!(first_screen(&page).contains(">base "), "what the variants started from stands in the first picture");
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
    let built = || {
        let out = root.join("report.html");
        let said = build_report(&ReportInputs::new(study.audits.clone()), &out).unwrap().verdict;
        (said, std::fs::read_to_string(&out).unwrap())
    };
    assert!(!built().1.contains("load-bearing</span>"));
    change(&study.audits[0], |findings| {
        let c = &mut findings.conclusion[0];
        (c.word, c.content, c.sentence) = (Verdict::LoadBearing, Content::Used, "The answers depend on what the block says.".into());
    });
    let (said, page) = built();
    let row = row(&page, "conclusions:lvr-42");
    assert!(row.contains("word changes\">load-bearing</span>") && row.contains("word changes\">needed</span>"), "{row}");
    assert!(page.contains(">The answers depend on what the block says.</td>"), "its sentence");
    assert!(said.contains("In one of ten runs (LVR · 42) the answers depend on what the block says"), "the names are listed: {said}");
    let first = first_screen(&page);
    assert!(first.contains("In one of ten runs the answers depend on what the block says; in "), "{first}");
    assert!(first.contains(">seeds differ</text>"), "LVR has two words");
}

/// A row of a table of the page.
fn row<'a>(page: &'a str, id: &str) -> &'a str {
    let at = page.find(&format!("<tr id=\"{id}\"")).unwrap_or_else(|| panic!("no row {id}"));
    page[at..].split("</tr>").next().unwrap()
}

/// What stands before the contents.
fn first_screen(page: &str) -> &str {
    page.split("<header class=\"masthead\">").nth(1).unwrap().split("</header>").next().unwrap()
}

/// Words of markup as a reader counts them: those with a letter, labels of pictures for wide screens included.
fn words(markup: &str) -> usize {
    let narrow =
        markup.find("<svg class=\"forest narrow\"").map_or(markup.len()..markup.len(), |at| at..at + markup[at..].find("</svg>").unwrap());
    let shown = format!("{}{}", &markup[..narrow.start], &markup[narrow.end..]);
    let mut text = String::new();
    for piece in shown.split('<') {
        text.push(' ');
        text.push_str(piece.split_once('>').map_or(piece, |(_, rest)| rest));
    }
    text.split_whitespace().filter(|word| word.chars().any(char::is_alphabetic)).count()
}

#[test]
fn the_first_screen_is_a_sentence_two_pictures_and_what_limits_them_in_ninety_words() {
    let (_, _, page) = build("first", Shape { seeds: 1, silent: false });
    let first = first_screen(&page);
    assert!(first.contains("<h1 class=\"verdict\">In all five variants whether the answers depend on what the block says is not decided; all five need their block.</h1>"), "{first}");
    for part in [
        "<svg class=\"forest wide\"",
        "<svg class=\"forest narrow\"",
        "<svg class=\"over-k\"",
        "95 % intervals; preset band: ±",
        "trained lengths unknown",
    ] {
        assert!(first.contains(part), "{part}");
    }
    assert!(words(first) <= 90, "{} words", words(first));
    // Every mark of the pictures is a cell that has its row on the page.
    let cells: Vec<&str> = first.split("data-cell=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(cells.iter().any(|c| c.starts_with("corruption.delta[")) && cells.iter().any(|c| c.starts_with("table-1.")), "{cells:?}");
    for cell in cells {
        let (table, rest) = cell.split_once('.').unwrap();
        let key = rest.split_once('[').unwrap().1.trim_end_matches(']');
        assert!(page.contains(&format!("<tr id=\"{table}:{key}\"")), "no row of {cell}");
    }
}

#[test]
fn every_word_that_is_linked_is_explained_and_every_link_of_the_page_leads_somewhere() {
    let (_, _, page) = build("links", Shape { seeds: 2, silent: true });
    let own = without_scripts(&page);
    for link in own.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(own.contains(&format!("id=\"{link}\"")), "#{link} leads nowhere");
    }
    let explained: Vec<&str> = own.split("<dfn id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let mut once = explained.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), explained.len(), "a word is explained in one place");
}

#[test]
fn sections_stand_in_the_order_in_which_a_sceptical_reader_asks() {
    let (_, _, page) = build("order", Shape { seeds: 1, silent: false });
    let at = |anchor: &str| page.find(&format!("<section id=\"{anchor}\"")).unwrap_or_else(|| panic!("{anchor}"));
    let order = [
        "trust",
        "conclusions",
        "corruption",
        "table-1",
        "probes",
        "shown",
        "examples",
        "cosine",
        "limits",
        "not-measured",
        "words",
        "provenance",
    ];
    let places: Vec<usize> = order.iter().map(|anchor| at(anchor)).collect();
    assert!(places.is_sorted(), "{order:?} at {places:?}");
    let contents = page.split("<nav id=\"contents\"").nth(1).unwrap().split("</nav>").next().unwrap();
    for question in ["Is it real?", "How big is it?", "Where is it?", "Which examples?", "What does it not say?", "How do I run it again?"]
    {
        assert!(contents.contains(&format!("<dt>{question}</dt>")), "{question}");
    }
}

#[test]
fn the_page_holds_every_section_and_its_size_is_told() {
    let (_, summary, page) = build("five", Shape { seeds: 1, silent: false });
    assert_eq!(summary.bytes, page.len() as u64);
    assert_eq!(summary.examples_shown, 24);
    for anchor in [
        "trust",
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
    for words in ["−0.94", "−0.996", ">5.0</a> points.", "<noscript>", "P-LVR-3", "--benchmark &#39;synthetic search.jsonl&#39;"] {
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
    assert!(said.contains(limit) && said.contains("`zero` breaks the form of 20 of 40 answers."), "{said}");
    let page = std::fs::read_to_string(root.join("report.html")).unwrap();
    assert!(page.contains(">What limits these words</h2>") && page.contains("breaks the form</span>") && page.contains("read leniently"));
    assert!(first_screen(&page).contains("K = 8 lies outside the lengths of training."), "said in short on the first screen");
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
