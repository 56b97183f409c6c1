//! The page's prose: every number in it is a link to a cell and is that cell's. What else has digits is of a listed kind.

use std::collections::BTreeSet;

use prism_report::document::{Table, Value};
use prism_report::study::Study;

use super::Made;
use crate::readers::html::Element;
use crate::readers::text::numbers;

/// Every link to a cell says what the cell holds, and leads to its row.
pub fn links_are_cells(made: &Made) -> usize {
    let ids: BTreeSet<&str> = made.page.all(&|e| e.attribute("id").is_some()).iter().filter_map(|e| e.attribute("id")).collect();
    let links = made.page.all(&|element| element.name == "a" && element.is_of("number"));
    for link in &links {
        let name = link.attribute("title").unwrap();
        let found = made.cell(name);
        assert_eq!(link.text(), found.written(), "{name}");
        let row = format!("{}:{}", found.table.name, found.row.key);
        assert_eq!(link.attribute("href"), Some(format!("#{row}").as_str()), "{name}");
        assert!(ids.contains(row.as_str()), "{name}: the page has no row {row}");
    }
    // Pictures name the cells of their texts.
    for text in made.page.all(&|e| e.name == "text" && e.attribute("data-cell").is_some()) {
        let found = made.cell(text.attribute("data-cell").unwrap());
        assert_eq!(numbers(&text.text()), numbers(&found.written()), "{}", text.text());
    }
    links.len()
}

/// Numbers of our own words that are no result: what a method is defined by, with what they are.
const DEFINED: [(&str, &str); 19] = [
    ("95 %", "the level of intervals and bounds"),
    ("80 % power", "the power that detectable changes are given for"),
    ("the dose 0", "no damage"),
    ("from 0 within a stage", "how steps are counted"),
    ("At 0 dB", "where noise and spread are equal"),
    ("at 0 the change never arrived, at 1 partners differ as strangers do", "the ends of a scale"),
    ("by up to 50 points with two options and 25 with four", "what guessing gets"),
    ("0 is the input embedding", "how layers are counted"),
    ("1 means that the vectors say nothing", "the end of a scale"),
    ("leaves out 0", "no change"),
    ("At 1 and at 5", "ranks of retrieval"),
    ("(Roy and Vetterli 2007)", "a source"),
    ("near 1", "the end of a scale"),
    ("from 0 to 10 %", "the scale of colours"),
    ("Below 0", "no correlation"),
    ("2 K", "steps of a staged variant"),
    ("leaves this at 0", "no effect"),
    ("no category of 20 examples", "the rule’s least category"),
    ("`alignment` was 0", "a setting"),
];

/// The numbers of the page's prose that are no link to a cell and of no listed kind, each with the text around it.
pub fn without_a_cell(made: &Made, study: &Study) -> Vec<String> {
    let mut found = Vec::new();
    let names = names(made, study);
    let body = made.page.named("body")[0];
    body.texts(&mut Vec::new(), &mut |text, around| {
        if !text.contains(|c: char| c.is_ascii_digit()) || is_elsewhere(around) {
            return;
        }
        let left = |mut text: String| {
            names.iter().for_each(|name| text = text.replace(name.as_str(), " "));
            DEFINED.iter().for_each(|(words, _)| text = text.replace(words, " "));
            lengths_left_out(&text)
        };
        let numbers: Vec<String> = numbers(&left(text.to_string()));
        if !numbers.is_empty() && !is_counted(made, around, &numbers) {
            found.push(format!("{numbers:?} in <{}> {:?}", path(around), text.trim().chars().take(300).collect::<String>()));
        }
    });
    found
}

/// Where the text is no prose: numbers of cells and links, the cards' records, what is drawn, the glossary, how to run it again.
fn is_elsewhere(around: &[&Element]) -> bool {
    around.iter().any(|element| {
        let class = |class: &str| element.is_of(class);
        match element.name.as_str() {
            "script" | "style" | "noscript" => true,
            // Cells, and headings over them.
            "table" => true,
            "a" => class("number"),
            // Records: questions, answers and names of examples.
            "article" => class("card"),
            // Definitions; commands, versions, dates and settings.
            "section" => class("words") || class("provenance"),
            // Axes, and numbers that name their cell.
            "text" => class("tick") || element.attribute("data-cell").is_some(),
            // Warnings of the runs, quoted.
            "div" => class("callout") && class("warn"),
            _ => false,
        }
    })
}

/// Names that have digits: of variants, runs, interventions, examples; texts of the files that are quoted.
fn names(made: &Made, study: &Study) -> Vec<String> {
    let mut names: BTreeSet<String> = study.variants.iter().flat_map(|style| [style.name.clone(), style.id.clone()]).collect();
    for part in &study.parts {
        names.insert(part.benchmark.clone());
        names.extend(part.interventions().iter().map(ToString::to_string));
        names.extend(part.audits.iter().map(|audit| part.run_name(study, audit)));
        // The list of warnings follows its heading and is no part of it.
        names.extend(part.audits.iter().flat_map(|audit| audit.findings.warnings.iter().map(|warning| warning.text.clone())));
    }
    for cell in made.tables.iter().flat_map(Table::rows).flat_map(|row| &row.cells) {
        match &cell.value {
            Value::Run(run) => drop(names.insert(run.label.clone())),
            Value::Intervention(intervention) => drop(names.insert(intervention.to_string())),
            _ => {}
        }
    }
    let mut names: Vec<String> = names.into_iter().filter(|name| name.contains(|c: char| c.is_ascii_digit())).collect();
    // A name may begin another.
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    names
}

/// K and the lengths of training, which are names of settings: `K = 8`, `(target: 1 to 4, 90 % of blocks)`.
fn lengths_left_out(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("K = ") {
        out.push_str(&rest[..at]);
        rest = rest[at + 4..].trim_start_matches(|c: char| c.is_ascii_digit());
    }
    out.push_str(rest);
    match (out.find("(target: "), out.find("% of blocks)")) {
        (Some(open), Some(close)) if open < close => format!("{}{}", &out[..open], &out[close..]),
        _ => out,
    }
}

/// Numbers that count what stands beside them: of figures and tables, of rows, of absent cells, of what is left out.
fn is_counted(made: &Made, around: &[&Element], numbers: &[String]) -> bool {
    let parent = around[around.len() - 1];
    let figure = around.iter().rev().find(|element| element.name == "figure");
    let table = figure.and_then(|figure| figure.attribute("data-table")).and_then(|name| made.tables.iter().find(|t| t.name == name));
    let counts = |count: usize| numbers == [count.to_string()];
    match parent.name.as_str() {
        // `Figure 3.`, `Table 4.`
        "b" => figure.is_some_and(|figure| {
            let number = figure.attribute("data-number").map_or_else(|| place_of(made, figure), |number| number.parse().unwrap());
            counts(number)
        }),
        // `130 rows`; headings of columns that are folded.
        "summary" => {
            table.is_some_and(|table| counts(made.rows_shown(table)) || parent.text().starts_with("More: ") && headings(table, numbers))
        }
        // `–: no latents ran (3 cells); and 2 more reasons`
        "p" if parent.is_of("reasons") => table.is_some_and(|table| reasons(table, made.rows_shown(table), &parent.text(), numbers)),
        // `noise:0.3 (4)`: an intervention that stands for all of its class.
        "text" if parent.is_of("row") => numbers.len() == 1 && of_class(made, &parent.text()).is_some_and(counts),
        _ => false,
    }
}

/// Whether these are numbers of the table's headings: `chance at 5, %`.
fn headings(table: &Table, found: &[String]) -> bool {
    let all: Vec<String> = table.columns.iter().flat_map(|column| numbers(&column.heading.as_text())).collect();
    found.iter().all(|number| all.contains(number))
}

/// The number of a figure with charts among those of the page.
fn place_of(made: &Made, figure: &Element) -> usize {
    let all = made.page.all(&|element| element.name == "figure" && element.is_of("charts"));
    all.iter().position(|one| one.attribute("data-figure") == figure.attribute("data-figure")).unwrap() + 1
}

/// Whether these are the numbers of cells that are absent for the reasons told; digits of the reasons themselves are left out.
fn reasons(table: &Table, rows: usize, told: &str, numbers: &[String]) -> bool {
    let mut counted: Vec<(&str, usize)> = Vec::new();
    for reason in table.rows().iter().take(rows).flat_map(|row| row.cells.iter().filter_map(|cell| cell.reason())) {
        match counted.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => counted.push((reason, 1)),
        }
    }
    let rest = counted.len().saturating_sub(4);
    let said = counted.iter().take(4).all(|(reason, count)| told.contains(&format!("{reason} ({count} cell")));
    let all: Vec<String> = counted.iter().map(|(_, count)| count.to_string()).chain([rest.to_string()]).collect();
    said && numbers.iter().all(|number| all.contains(number))
}

/// How many interventions on the whole block are of the class of the one that a row of the first picture names.
fn of_class(made: &Made, row: &str) -> Option<usize> {
    let table = made.tables.iter().find(|table| table.name == "corruption")?;
    let mut all: Vec<_> = table.rows().iter().filter_map(|row| row.intervention).filter(prism_run::Intervention::is_whole).collect();
    all.sort_by_key(ToString::to_string);
    all.dedup();
    let class = all.iter().find(|one| row.starts_with(&format!("{one} (")))?.class();
    Some(all.iter().filter(|one| one.class() == class).count())
}

/// Where a text stands, for who reads the failure.
fn path(around: &[&Element]) -> String {
    let name = |element: &&Element| {
        let class = element.attribute("class").map_or_else(String::new, |class| format!(".{}", class.replace(' ', ".")));
        format!("{}{class}", element.name)
    };
    around.iter().filter(|element| !element.name.is_empty()).map(name).skip(1).collect::<Vec<_>>().join(" ")
}
