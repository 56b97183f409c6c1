//! The words of a verdict are the same on the page, in the terminal and in the explorer.

#[allow(dead_code, reason = "shared with the report's tests, which use the rest")]
#[path = "../../prism-report/tests/synthetic/mod.rs"]
mod synthetic;

use prism_audit::Findings;
use prism_report::html::escape;
use prism_report::terminal::{Look, Screen};
use prism_report::{ReportInputs, build_report};
use prism_run::Action;
use synthetic::Shape;

#[test]
fn words_are_the_runs_own_whatever_stands_beside_them() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().to_path_buf();
    let study = synthetic::write(&root, Shape { seeds: 1, silent: true });
    let mut inputs = ReportInputs::new(study.audits.clone());
    inputs.comparison = Some(study.comparison.clone());
    build_report(&inputs, &root.join("report.html")).unwrap();
    let page = std::fs::read_to_string(root.join("report.html")).unwrap();
    let mut left_out = Vec::new();
    let read = prism_report::study::Study::read(&inputs, &mut left_out).unwrap();
    let look = Look { width: 400, unicode: true, color: false };
    let mut screen = Screen::default();
    prism_report::terminal::study::draw(&read, &mut screen, look);
    let shown = screen.text(look);
    let explorer = prism_explorer::Explorer::open(std::slice::from_ref(&root)).unwrap();
    let home = String::from_utf8(prism_explorer::home::page(&explorer, "").body.to_vec()).unwrap();
    let ids: Vec<String> = home.split("href=\"/runs/").skip(1).filter_map(|rest| Some(rest.split('"').next()?.to_string())).collect();
    for audit in &study.audits {
        let findings = Findings::read(audit).unwrap();
        let (c, name) = (&findings.conclusion[0], &findings.table1[0].name);
        let pages = ids.iter().map(|id| String::from_utf8(prism_explorer::run::page(&explorer, id).body.to_vec()).unwrap());
        let of_run = pages.into_iter().find(|page| page.contains(&format!("<h1>{name}"))).unwrap_or_else(|| panic!("no page of {name}"));
        let (word, need) = (format!(">{}</span>", c.marked_word()), format!(">{}</span>", c.presence));
        assert!(of_run.contains(&format!("{word}, block <span")) && of_run.contains(&need), "explorer's page of {name}");
        let table = page.split("data-table=\"conclusions\"").nth(1).unwrap().split("</figure>").next().unwrap();
        let row = table.split("<tr ").find(|row| row.contains(&format!("data-run=\"{name}\""))).unwrap();
        assert!(row.contains(&word) && row.contains(&need), "report, {name}: {row}");
        let line = home.split("<tr ").find(|line| line.contains(&format!(">{name} · 42</a>"))).unwrap();
        assert!(line.contains(&word) && line.contains(&need), "explorer, {name}: {line}");
        assert!(shown.contains(&format!("{name}: {}, block {}. {}", c.word, c.presence, c.sentence)), "terminal, {name}: {shown}");
        for v in &findings.verdict {
            assert!(v.across_holm_p.is_none(), "what stands in the comparison is of the comparison");
        }
    }
    let compared = Findings::read(&study.comparison).unwrap();
    let across = compared.verdict.iter().find(|v| v.intervention == Action::Remove.into() && v.variant == "lvr").unwrap();
    let table = page.split("data-table=\"corruption\"").nth(1).unwrap().split("</figure>").next().unwrap();
    let of_remove = |row: &&str| row.contains("data-variant=\"lvr\"") && row.contains("data-intervention=\"remove\"");
    let rows: Vec<&str> = table.split("<tr ").filter(of_remove).collect();
    let p = prism_report::document::Form::Probability.write(&prism_report::document::Value::Number(across.across_holm_p.unwrap()));
    assert!(rows.iter().any(|row| row.contains(&format!(">{}</td>", escape(&p)))), "{rows:?}");
    assert!(page.contains("it moves no word"));
}
