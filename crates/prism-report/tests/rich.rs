//! The page of a study that ran everything, and the page under strain: what is not measured
//! is named, what is hostile stays inert, what is large stays bounded.

#[path = "rich_findings/across.rs"]
mod across;
mod rich_findings;
mod synthetic;

use std::path::{Path, PathBuf};

use prism_report::{ReportInputs, build_report};
use prism_run::records::{self, AnswerRow, ExampleRow, files};
use prism_run::table::{read_rows, write_rows};
use serde_json::Value;
use synthetic::{HOSTILE, Shape};

/// A fixed folder under the target folder, so that the page can be looked at afterwards.
fn place(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rich").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn study(root: &Path, seeds: usize) -> ReportInputs {
    let study = synthetic::write(root, Shape { seeds, silent: false });
    study.audits.iter().for_each(|audit| rich_findings::enrich(audit));
    let mut inputs = ReportInputs::new(study.audits);
    (inputs.trainings, inputs.comparison) = (study.trainings, Some(study.comparison));
    inputs
}

fn page_of(inputs: &ReportInputs, root: &Path) -> String {
    build_report(inputs, &root.join("report.html")).unwrap();
    std::fs::read_to_string(root.join("report.html")).unwrap()
}

fn without_scripts(page: &str) -> &str {
    page.split("<script type=\"text/plain\"").next().unwrap()
}

/// Bytes of the page without its embedded images.
fn bytes_without_images(page: &str) -> usize {
    let images: usize = page.split("data:image/").skip(1).map(|rest| rest.find('"').unwrap()).sum();
    page.len() - images
}

fn charts(page: &str) -> serde_json::Map<String, Value> {
    let start = page.find("id=\"prism-data\">").unwrap() + "id=\"prism-data\">".len();
    let end = start + page[start..].find("</script>").unwrap();
    let data: Value = serde_json::from_str(&page[start..end]).unwrap();
    let charts = data["charts"].as_object().unwrap().iter();
    charts.map(|(id, spec)| (id.clone(), prism_report::charts::packed::unpacked(spec))).collect()
}

/// The values of `attribute` in the page, each once.
fn attributes<'a>(page: &'a str, attribute: &str) -> Vec<&'a str> {
    let opening = format!("{attribute}=\"");
    let mut all: Vec<&str> = page.split(opening.as_str()).skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

const SECTIONS: [&str; 11] = [
    "conclusions",
    "visibility",
    "dose",
    "steps",
    "donors",
    "counterfactual",
    "alignment-steps",
    "retrieval",
    "geometry",
    "attention",
    "lens",
];

#[test]
fn what_was_measured_has_its_section_and_what_was_not_has_its_reason() {
    let root = place("sections");
    let page = page_of(&study(&root, 1), &root);
    for anchor in SECTIONS.iter().chain(&["projection"]) {
        assert!(page.contains(&format!("<section id=\"{anchor}\"")) && page.contains(&format!("href=\"#{anchor}\"")), "{anchor}");
    }
    assert!(page.contains("<dt>Training seeds</dt><dd>one training seed a variant"), "one seed is said to be one");
    let bare = synthetic::write(&place("bare"), Shape { seeds: 1, silent: false });
    let page = page_of(&ReportInputs::new(bare.audits), &place("bare-page"));
    for (anchor, reason) in [("visibility", "clean@image-hidden"), ("steps", "zero/step=0"), ("training", "no training run")] {
        assert!(!page.contains(&format!("<section id=\"{anchor}\"")), "{anchor}");
        let list = page.rsplit("class=\"not-measured").next().unwrap();
        assert!(list.contains(reason), "{anchor} says what would measure it");
    }
}

#[test]
fn every_chart_draws_as_many_marks_as_it_says_and_tells_them_in_words() {
    let root = place("charts");
    let page = page_of(&study(&root, 1), &root);
    for (id, spec) in charts(&page) {
        let marks = spec["data"]["values"].as_array().unwrap();
        let tag = page.split(&format!("id=\"{id}\"")).nth(1).unwrap().split('>').next().unwrap();
        assert!(tag.contains(&format!("data-rows=\"{}\"", marks.len())), "{id}: {tag}");
        assert!(marks.iter().all(|m| m["variant_id"].is_string()), "{id} can be narrowed to a variant");
        assert!(spec["description"].as_str().unwrap().chars().any(|c| c.is_ascii_digit()), "{id} has numbers in words");
    }
    // The forest plots draw the rows of their tables that have a number.
    let marks = |id: &str| charts(&page)[id]["data"]["values"].as_array().unwrap().len();
    assert_eq!((marks("chart-visibility-1"), marks("chart-donors-1"), marks("chart-steps-1")), (5, 5, 20));
    for id in ["chart-steps-1", "chart-dose-1", "chart-visibility-1", "chart-donors-1", "chart-counterfactual-1", "chart-gap-1"] {
        let marks = charts(&page)[id]["data"]["values"].clone();
        assert!(marks.as_array().unwrap().iter().all(|m| m["cell"].is_string()), "{id}: every mark names its cell");
    }
    for id in ["chart-corruption-1", "chart-steps-1", "chart-dose-1", "chart-donors-1", "chart-visibility-2"] {
        let marks = charts(&page)[id]["data"]["values"].clone();
        assert!(marks.as_array().unwrap().iter().any(|m| m["intervention_id"].is_string()), "{id} can be narrowed to an intervention");
    }
}

#[test]
fn the_equivalence_band_is_drawn_about_zero() {
    let root = place("band");
    let page = page_of(&study(&root, 1), &root);
    for id in ["chart-corruption-1", "chart-visibility-1", "chart-dose-1"] {
        let layers = charts(&page)[id]["layer"].clone();
        assert_eq!(layers[0]["data"]["values"][0], serde_json::json!({"from": -5.0, "to": 5.0}), "{id}");
    }
}

#[test]
fn the_first_screen_leads_on_and_what_it_leads_to_is_there() {
    let root = place("first");
    let page = page_of(&study(&root, 2), &root);
    let head = page.split("<header class=\"masthead\">").nth(1).unwrap().split("</header>").next().unwrap();
    assert!(head.contains("class=\"verdict\""), "{head}");
    let links = attributes(head, "href");
    assert!(!links.is_empty());
    for link in links {
        let id = link.trim_start_matches('#');
        assert!(page.contains(&format!("id=\"{id}\"")), "{link} leads somewhere");
    }
}

#[test]
fn what_a_reader_asks_has_its_section_with_links_and_commands() {
    let root = place("asked");
    let page = page_of(&study(&root, 2), &root);
    let of = |anchor: &str| page.split(&format!("<section id=\"{anchor}\"")).nth(1).unwrap().split("</section>").next().unwrap();
    assert!(of("shown").contains("href=\"#example-") && of("provenance").contains("prism train --variant lvr --seed 42"));
    let trust = of("trust");
    assert!(trust.contains("Two training seeds a variant.") && trust.contains("id=\"trust:lvr-42\""));
    assert!(trust.contains("points, to be fixed before the run"));
    for link in ["trust", "shown", "provenance"].into_iter().flat_map(|anchor| attributes(of(anchor), "href")) {
        let Some(id) = link.strip_prefix('#') else { continue };
        assert!(page.contains(&format!("id=\"{id}\"")), "{link} leads somewhere");
    }
}

#[test]
fn examples_cover_every_intervention_that_flips_any_and_say_which() {
    let root = place("cover");
    let page = page_of(&study(&root, 1), &root);
    let unescaped = |text: &str| text.replace("&quot;", "\"");
    let mut shown: Vec<Value> = Vec::new();
    for flips in attributes(&page, "data-flips") {
        shown.extend(serde_json::from_str::<Vec<Value>>(&unescaped(flips)).unwrap());
    }
    let listed = page.split("data-table=\"flips\"").nth(1).unwrap().split("</figure>").next().unwrap();
    let rows = listed.split("<tr ").skip(1).filter(|row| row.contains("data-intervention="));
    assert!(rows.clone().count() > 0, "{listed}");
    for row in rows {
        let (variant, intervention) = (attributes(row, "data-variant")[0], attributes(row, "data-intervention")[0]);
        assert!(shown.contains(&serde_json::json!([variant, intervention])), "{variant} under {intervention} has a card");
    }
}

#[test]
fn hostile_names_tokens_and_letters_stay_inert() {
    let root = place("hostile");
    let inputs = study(&root, 1);
    let audit = &inputs.audits[0];
    let mut answers: Vec<AnswerRow> = read_rows(&records::folder(audit).join(files::ANSWERS)).unwrap();
    for a in &mut answers {
        a.text = format!("{HOSTILE}\u{202e}\u{2066}\u{0}");
        a.answer = Some(HOSTILE.into());
    }
    write_rows(&records::folder(audit).join(files::ANSWERS), answers).unwrap();
    let mut examples: Vec<ExampleRow> = read_rows(&records::folder(audit).join(files::EXAMPLES)).unwrap();
    for e in &mut examples {
        (e.category, e.label, e.options) = (Some(HOSTILE.into()), HOSTILE.into(), vec![HOSTILE.into(), "\u{202e}b".into()]);
    }
    write_rows(&records::folder(audit).join(files::EXAMPLES), examples).unwrap();
    let page = page_of(&inputs, &root);
    let own = without_scripts(&page);
    assert!(!own.contains(HOSTILE) && !own.contains("<script>alert") && !own.contains("<img src=x") && !own.contains("\"><script>"));
    assert!(!page.contains(['\u{202e}', '\u{2066}', '\u{0}']), "no override of the reading direction, anywhere");
    assert_eq!(page.matches("<script").count(), 5, "one block of data, four scripts");
    assert!(!own.contains("NaN"), "the doses' margins are no numbers in the file");
}

#[test]
fn an_answer_of_many_pages_is_cut_and_the_cut_is_said() {
    let root = place("long");
    let inputs = study(&root, 1);
    let path = records::folder(&inputs.audits[0]).join(files::ANSWERS);
    let mut answers: Vec<AnswerRow> = read_rows(&path).unwrap();
    let examples_path = records::folder(&inputs.audits[0]).join(files::EXAMPLES);
    let mut examples: Vec<ExampleRow> = read_rows(&examples_path).unwrap();
    for a in answers.iter_mut().filter(|a| a.row == 3) {
        a.text = "word ".repeat(40_000);
    }
    examples[3].prompt = "word ".repeat(40_000);
    write_rows(&path, answers).unwrap();
    write_rows(&examples_path, examples).unwrap();
    let mut inputs = inputs;
    inputs.gallery = synthetic::EXAMPLES;
    let page = page_of(&inputs, &root);
    assert!(page.contains("199400 more characters") && page.contains("198800 more characters"));
    assert!(bytes_without_images(&page) < 5_000_000, "{}", bytes_without_images(&page));
}

/// A text of `length` letters that is like no other: one that packs to nothing is what a table that asks for too much memory holds.
fn unlike(row: usize, length: usize) -> String {
    let mut state = row as u64;
    let mut letter = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'a' + (state >> 59) as u8 % 26)
    };
    (0..length).map(|_| letter()).collect()
}

#[test]
fn ten_thousand_examples_keep_the_page_bounded() {
    let root = place("large");
    let mut inputs = study(&root, 2);
    for audit in &inputs.audits[..5] {
        let folder = records::folder(audit);
        let examples: Vec<ExampleRow> = read_rows(&folder.join(files::EXAMPLES)).unwrap();
        let answers: Vec<AnswerRow> = read_rows(&folder.join(files::ANSWERS)).unwrap();
        let times = 10_000 / synthetic::EXAMPLES;
        let name = |id: &str, i: usize| if i == 0 { id.to_string() } else { format!("{id}-{i}") };
        let more =
            |i: usize| examples.iter().map(move |e| ExampleRow { row: e.row + i * synthetic::EXAMPLES, id: name(&e.id, i), ..e.clone() });
        let said = |i: usize| {
            answers.iter().map(move |a| AnswerRow {
                row: a.row + i * synthetic::EXAMPLES,
                id: name(&a.id, i),
                text: unlike(a.row + i * synthetic::EXAMPLES, 200 + i),
                ..a.clone()
            })
        };
        write_rows(&folder.join(files::EXAMPLES), (0..times).flat_map(more)).unwrap();
        write_rows(&folder.join(files::ANSWERS), (0..times).flat_map(said)).unwrap();
    }
    inputs.gallery = 200;
    let summary = build_report(&inputs, &root.join("report.html")).unwrap();
    let page = std::fs::read_to_string(root.join("report.html")).unwrap();
    assert!(bytes_without_images(&page) < 5_000_000, "{}", bytes_without_images(&page));
    assert_eq!(summary.examples_shown, 200, "{:?}", summary.left_out);
    for said in ["of 10000 examples", "flips of"] {
        assert!(summary.left_out.iter().any(|l| l.contains(said)), "{said}: {:?}", summary.left_out);
    }
}

#[test]
fn seeds_are_dots_with_their_mean() {
    let root = place("seeds");
    let page = page_of(&study(&root, 3), &root);
    let spec = &charts(&page)["chart-seeds-1"];
    assert_eq!(spec["data"]["values"].as_array().unwrap().len(), 15, "five variants, three seeds, a dot each");
    let marks: Vec<&str> = spec["layer"].as_array().unwrap().iter().filter_map(|l| l["mark"]["type"].as_str()).collect();
    assert!(!marks.contains(&"bar"), "{marks:?}");
}

#[test]
fn every_mark_that_names_a_cell_has_its_row_on_the_page() {
    let root = place("named");
    let page = page_of(&study(&root, 2), &root);
    let charts = charts(&page);
    for (id, spec) in &charts {
        for mark in spec["data"]["values"].as_array().unwrap() {
            let Some(cell) = mark["cell"].as_str() else { continue };
            let (table, rest) = cell.split_once('.').unwrap();
            let key = rest.split_once('[').unwrap().1.trim_end_matches(']');
            assert!(page.contains(&format!("id=\"{table}:{key}\"")), "{id}: no row of {cell}");
        }
    }
    for link in attributes(without_scripts(&page), "href") {
        let Some(id) = link.strip_prefix('#') else { continue };
        assert!(page.contains(&format!("id=\"{id}\"")), "{link} leads nowhere");
    }
    for id in ["chart-cosine-1", "chart-cosine-2", "chart-probes-1", "chart-probe-layers-1", "chart-seeds-1", "chart-seeds-2"] {
        let marks = charts[id]["data"]["values"].as_array().unwrap();
        assert!(marks.iter().all(|mark| mark["cell"].is_string()), "{id}: every mark names its cell");
    }
    assert_eq!(charts["chart-seeds-1"]["data"]["values"][0]["cell"], "table-1.accuracy[lvr-42]");
}

#[test]
fn what_lies_across_runs_is_drawn_from_its_tables() {
    let root = place("across");
    let mut inputs = study(&root, 2);
    across::enrich(inputs.comparison.as_ref().unwrap());
    let page = page_of(&inputs, &root);
    for anchor in ["budgets", "groups", "seeds"] {
        assert!(page.contains(&format!("<section id=\"{anchor}\"")), "{anchor}");
    }
    let charts = charts(&page);
    let cells = |id: &str| -> Vec<String> {
        let marks = charts[id]["data"]["values"].as_array().unwrap().iter();
        marks.map(|mark| mark["cell"].as_str().unwrap().to_string()).collect()
    };
    // Two arms at two K: the means of their seeds.
    assert_eq!(cells("chart-budgets-1"), ["lvr", "n-lvr"].map(|v| [2, 4].map(|k| format!("budgets.accuracy[{v}/mean/k={k}]"))).concat());
    let first = &charts["chart-budgets-1"]["data"]["values"][0];
    assert_eq!(["y", "low", "high"].map(|end| first[end].as_f64().unwrap()), [80.0, 70.0, 90.0], "the mean of 79 and 81 %");
    assert_eq!(charts["chart-budgets-2"]["data"]["values"][0]["high"], 4.0, "to the bound");
    assert_eq!(cells("chart-groups-1"), ["lvr-42", "lvr-43", "n-lvr-42", "n-lvr-43"].map(|run| format!("arms.accuracy[{run}]")));
    let title = page.split("class=\"panel-title\">latents: r ").nth(1).unwrap().split("</p>").next().unwrap();
    for (cell, text) in [("r", "\u{2212}0.60"), ("r_interval", "[\u{2212}0.90, \u{2212}0.20]")] {
        let number = format!("title=\"groups.{cell}[latents/declared/teacher-forced]\">{text}</a>");
        assert!(title.contains(&number), "the panel's title takes its numbers from the table: {title}");
    }
    assert_eq!(charts["chart-seeds-1"]["layer"][0]["data"]["values"][0]["cell"], "seeds.mean[lvr]");
    for row in
        ["seeds:lvr", "seed-changes:lvr/zero", "contrasts:lvr/n-lvr/declared", "groups:latents/k=4/free-running", "budgets:lvr-42/declared"]
    {
        assert!(page.contains(&format!("<tr id=\"{row}\"")), "{row}");
    }
    assert!(page.contains("one seed has both"), "why a number is absent");
    inputs.comparison = None;
    let page = page_of(&inputs, &root);
    assert!(!page.contains("<section id=\"budgets\"") && page.contains("<section id=\"seeds\""), "dots need no comparison");
}
