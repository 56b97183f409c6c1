//! Figures and tables in documents: text is legible in a paper's column, and pdfLaTeX and Typst set every one of them.
//!
//! A machine without a typesetter is told so; with `PRISM_TYPESETTERS` set, its absence fails the test. The documents
//! stay under the target folder, so that they can be looked at.

#[allow(dead_code, reason = "shared with the report's tests, which use the rest")]
#[path = "../../prism-report/tests/rich_findings/across.rs"]
mod across;
#[allow(dead_code, reason = "shared with the report's tests, which use the rest")]
#[path = "../../prism-report/tests/rich_findings/mod.rs"]
mod rich_findings;
#[allow(dead_code, reason = "shared with the report's tests, which use the rest")]
#[path = "../../prism-report/tests/synthetic/mod.rs"]
mod synthetic;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use prism_report::ReportInputs;

/// Width of a paper's column, in points of 1/72 inch.
const COLUMN: f64 = 85.0 / 25.4 * 72.0;
/// Smallest text that is legible there, in points.
const LEGIBLE: f64 = 7.0;

/// `figures/` and `tables/` of a study that ran everything, and `paper/` of the published numbers.
static FILES: LazyLock<PathBuf> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("documents");
    let _ = std::fs::remove_dir_all(&root);
    let study = synthetic::write(&root.join("study"), synthetic::Shape { seeds: 2, silent: false });
    study.audits.iter().for_each(|audit| rich_findings::enrich(audit));
    across::enrich(&study.comparison);
    let mut inputs = ReportInputs::new(study.audits);
    (inputs.trainings, inputs.comparison) = (study.trainings, Some(study.comparison));
    prism_figures::write(&inputs, Some(&root.join("figures")), Some(&root.join("tables"))).unwrap();
    prism_figures::paper::write_published(&root.join("paper")).unwrap();
    root
});

/// The files of an ending below the root, by name.
fn files(end: &str) -> Vec<String> {
    let mut all = Vec::new();
    for folder in ["figures", "tables", "paper"] {
        for entry in std::fs::read_dir(FILES.join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(end) {
                all.push(format!("{folder}/{name}"));
            }
        }
    }
    all.sort();
    assert!(all.len() > 10, "{all:?}");
    all
}

/// The numbers that stand between two pieces of a text.
fn numbers(text: &str, open: &str, close: &str) -> Vec<f64> {
    text.split(open).skip(1).filter_map(|rest| rest.split(close).next()?.parse().ok()).collect()
}

#[test]
fn text_is_legible_in_a_column_of_a_paper() {
    for file in files(".svg") {
        let svg = std::fs::read_to_string(FILES.join(&file)).unwrap();
        let width = numbers(&svg, " width=\"", "\"")[0];
        let sizes = numbers(&svg, "font-size=\"", "px");
        // Every text has its size, and nothing that is around it makes it smaller.
        assert_eq!(sizes.len(), svg.matches("<text").count(), "{file}: a text without a size of its own");
        assert!(!sizes.is_empty() && !svg.contains("scale(") && !svg.contains("font:"), "{file}");
        let smallest = sizes.into_iter().fold(f64::INFINITY, f64::min);
        let points = smallest * COLUMN / width;
        assert!(points >= LEGIBLE, "{file}: {smallest} units of {width} are {points:.1} pt in a column of 85 mm");
    }
}

/// Whether a program is here.
fn has(program: &str) -> bool {
    let here = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    assert!(here || std::env::var_os("PRISM_TYPESETTERS").is_none(), "no {program} on this machine");
    if !here {
        eprintln!("NOT RUN: no {program} on this machine");
    }
    here
}

/// Sets a document with a program in the folder of the files.
fn typeset(name: &str, text: &str, program: &str, arguments: &[&str]) {
    std::fs::write(FILES.join(name), text).unwrap();
    let output = Command::new(program).args(arguments).arg(name).current_dir(&*FILES).output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    let end: String = said.chars().rev().take(3000).collect::<Vec<_>>().into_iter().rev().collect();
    assert!(output.status.success(), "{program}: {end}");
    assert!(FILES.join(name).with_extension("pdf").is_file());
}

#[test]
fn pdflatex_sets_every_figure_and_table() {
    if !has("pdflatex") {
        return;
    }
    let mut text = String::from(
        "\\documentclass{article}\n\\usepackage[T1]{fontenc}\n\\usepackage[utf8]{inputenc}\n\\usepackage{booktabs}\n\\usepackage{graphicx}\n\
         \\begin{document}\n",
    );
    for file in files(".png") {
        // The braces keep a dot in the name from being read as the ending.
        let _ = writeln!(text, "\\noindent\\includegraphics[width=85mm]{{{{{}}}.png}}\n", file.trim_end_matches(".png"));
    }
    for file in files(".tex") {
        let _ = writeln!(text, "\\input{{{file}}}\n\\clearpage");
    }
    text.push_str("\\end{document}\n");
    typeset("all-latex.tex", &text, "pdflatex", &["-interaction=nonstopmode", "-halt-on-error"]);
}

#[test]
fn typst_sets_every_figure_and_table() {
    if !has("typst") {
        return;
    }
    let mut text = String::from("#set page(height: auto)\n#set text(size: 7pt)\n");
    for file in files(".svg") {
        let _ = writeln!(text, "#image({file:?}, width: 85mm)");
    }
    for file in files(".csv") {
        let _ = writeln!(text, "#{{ let rows = csv({file:?}); table(columns: rows.first().len(), ..rows.flatten()) }}");
    }
    typeset("all-typst.typ", &text, "typst", &["compile"]);
}
