//! A run: its verdict, what its interventions did, and every other table of its findings.

use std::fmt::Write;

use prism_audit::Findings;
use prism_audit::findings::{FaithfulnessFinding, VerdictFinding};
use prism_run::folder::names;
use prism_run::manifest::Manifest;

use super::filter::{Filter, Show};
use super::frame::{self, Page, figure};
use super::library::{Run, Snapshot};
use super::reply::Reply;
use super::{Explorer, findings, home};
use crate::html::escape;
use crate::number::{decimal, interval, p_value, percent, points};
use crate::study::{ALL, intervention_label};

/// The page.
pub fn page(explorer: &Explorer, id: &str) -> Reply {
    let snapshot = explorer.library.snapshot();
    let Some(run) = snapshot.run(id) else { return Reply::unknown("run") };
    let mut content = links(run);
    match Findings::read(&run.path) {
        Ok(found) => content.push_str(&read(run, &found)),
        Err(e) => {
            let _ = write!(content, "<p class=\"absent\">No findings: {}</p>", escape(&e.to_string()));
        }
    }
    content.push_str(&findings::html(&run.path));
    content.push_str(&provenance(&run.manifest, &run.path.display().to_string()));
    let name = snapshot.name(run);
    let about = Page {
        heading: &name,
        above: &[("/".into(), "runs".into())],
        run: Some(id),
        stamp: run.stamp,
        json: Some(format!("/api/runs/{id}.json")),
        kicker: run.benchmark(),
        ..Page::default()
    };
    frame::page(&about, &content)
}

fn links(run: &Run) -> String {
    let mut out = String::from("<ul class=\"standings\">");
    if run.is_audited() {
        let _ = write!(out, "<li><a href=\"/runs/{}/examples\">Examples</a></li>", run.id);
    }
    if run.path.join(names::REPORT).is_file() {
        let _ = write!(out, "<li><a href=\"/runs/{}/report\">Report page</a></li>", run.id);
    }
    let _ = write!(out, "<li>{}</li></ul>", home::state(run));
    out
}

fn read(run: &Run, found: &Findings) -> String {
    let mut out = String::new();
    if let Some(c) = found.conclusion.first() {
        let reason = c.reason.as_deref().map_or_else(String::new, |r| format!(": {}", escape(r)));
        let _ = write!(
            out,
            "<p class=\"verdict\"><span class=\"word {}\">{}</span></p><p class=\"verdict-more\">{}{reason}</p>",
            frame::verdict_class(&c.verdict),
            escape(&c.verdict),
            escape(&c.rule)
        );
    }
    if let Some(line) = found.table1.first() {
        let _ = write!(
            out,
            "<dl class=\"key\">{}{}{}{}{}</dl>",
            figure("examples", &line.examples.to_string()),
            figure(&format!("clean accuracy, %, {}", interval(line.accuracy_low, line.accuracy_high, percent)), &percent(line.accuracy)),
            figure("the commonest label of each question type gets, %", &percent(line.type_floor)),
            figure("cosine to the target, teacher-forced", &decimal(line.cosine, 3)),
            figure("block opened, %", &percent(line.opened))
        );
    }
    if !found.warnings.is_empty() {
        let list: String = found.warnings.iter().map(|w| format!("<li>{}: {}</li>", escape(&w.about), escape(&w.text))).collect();
        let _ = write!(out, "<aside class=\"callout warn\"><b>Know before reading on</b><ul>{list}</ul></aside>");
    }
    out.push_str(&interventions(run, found));
    out.push_str(&categories(run, found));
    out
}

/// The address of the examples an intervention did that to.
fn examples(run: &Run, intervention: &str, show: Show, category: Option<&str>) -> String {
    let filter = Filter { under: Some(intervention.into()), show, category: category.map(str::to_string), page: 1, ..Filter::default() };
    escape(&format!("/runs/{}/examples{}", run.id, filter.query(1)))
}

/// A count that leads to the examples it counts.
fn counted(run: &Run, row: &FaithfulnessFinding, count: usize, show: Show) -> String {
    match count {
        0 => "<td>0</td>".into(),
        n => {
            let category = Some(row.category.as_str()).filter(|c| *c != ALL);
            format!("<td><a href=\"{}\">{n}</a></td>", examples(run, &row.intervention, show, category))
        }
    }
}

fn interventions(run: &Run, found: &Findings) -> String {
    let rows: Vec<&FaithfulnessFinding> = found.faithfulness.iter().filter(|f| f.category == ALL).collect();
    if rows.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "<section id=\"interventions\"><h2>What damage does</h2><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Interventions\"><table class=\"wide rows\"><thead><tr>\
         <th scope=\"col\">intervention</th><th scope=\"col\">n</th><th scope=\"col\">accuracy, %</th><th scope=\"col\">change, points</th><th scope=\"col\">95 %</th>\
         <th scope=\"col\">lost</th><th scope=\"col\">gained</th><th scope=\"col\">text changed</th><th scope=\"col\">no answer</th><th scope=\"col\">p</th>\
         <th scope=\"col\">p, Holm</th><th scope=\"col\">margin, nats</th><th scope=\"col\" class=\"text\">verdict</th></tr></thead><tbody>",
    );
    for row in rows {
        let clean = row.intervention == "clean";
        // Where no latent ran nothing was changed, and a zero would be no finding.
        let silent = row.opened == Some(0.0) && !clean;
        let verdict: Option<&VerdictFinding> = found.verdict.iter().find(|v| v.intervention == row.intervention);
        let change = |value: Option<f64>| value.filter(|_| !silent && !clean);
        // Under another view of the image the change is the verdict's, against the clean run under that view; the examples
        // that the counts would lead to are told apart by the clean run in full view, so there they lead nowhere.
        let within = verdict.filter(|v| v.intervention.contains('@'));
        let plain = |n: usize| format!("<td>{n}</td>");
        let _ = write!(
            out,
            "<tr><th scope=\"row\"><a class=\"open\" href=\"{}\">{}</a></th><td>{}</td><td>{}</td><td>{}</td><td>{}</td>{}{}{}{}<td>{}</td><td>{}</td><td>{}</td><td class=\"text\"><span class=\"word {}\">{}</span></td></tr>",
            examples(run, &row.intervention, Show::All, None),
            escape(&intervention_label(&row.intervention)),
            row.examples,
            percent(row.accuracy),
            points(change(within.map_or(row.delta, |v| v.delta))),
            interval(
                change(within.map_or(row.delta_low, |v| v.delta_low)),
                change(within.map_or(row.delta_high, |v| v.delta_high)),
                points
            ),
            if clean { "<td></td>".into() } else { within.map_or_else(|| counted(run, row, row.lost, Show::Lost), |v| plain(v.lost)) },
            if clean {
                "<td></td>".into()
            } else {
                within.map_or_else(|| counted(run, row, row.gained, Show::Gained), |v| plain(v.gained))
            },
            if clean { "<td></td>".into() } else { counted(run, row, row.changed, Show::Changed) },
            counted(run, row, row.no_answer, Show::Unparsed),
            p_value(change(within.map_or(row.mcnemar_p, |v| v.mcnemar_p))),
            p_value(verdict.and_then(|v| v.holm_p)),
            decimal(change(row.margin_delta), 3),
            verdict.map_or("", |v| frame::verdict_class(&v.verdict)),
            verdict.map_or_else(|| if silent { "no latents ran".into() } else { String::new() }, |v| escape(&v.verdict))
        );
    }
    out.push_str("</tbody></table></div><p class=\"rest\">A count that is a link leads to the examples it counts. Under another view of the image (@) changes are against the clean run under that view, clean@ against that in full view. p: exact McNemar test; margin: mean change of the gold letter’s log-probability margin.</p></section>");
    out
}

fn categories(run: &Run, found: &Findings) -> String {
    let rows: Vec<&FaithfulnessFinding> = found.faithfulness.iter().filter(|f| f.category != ALL).collect();
    if rows.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "<section id=\"categories\"><h2>By category</h2><details><summary>Every intervention in every category</summary><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Categories\"><table class=\"rows\"><thead><tr>\
         <th scope=\"col\">category</th><th scope=\"col\" class=\"text\">intervention</th><th scope=\"col\">n</th><th scope=\"col\">accuracy, %</th><th scope=\"col\">change, points</th><th scope=\"col\">95 %</th><th scope=\"col\">lost</th><th scope=\"col\">gained</th></tr></thead><tbody>",
    );
    for row in rows {
        let clean = row.intervention == "clean";
        let change = |value: Option<f64>| value.filter(|_| !clean && row.opened != Some(0.0));
        let _ = write!(
            out,
            "<tr><th scope=\"row\">{}</th><td class=\"text\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>{}{}</tr>",
            escape(&row.category.replace('_', " ")),
            escape(&intervention_label(&row.intervention)),
            row.examples,
            percent(row.accuracy),
            points(change(row.delta)),
            interval(change(row.delta_low), change(row.delta_high), points),
            if clean { "<td></td>".into() } else { counted(run, row, row.lost, Show::Lost) },
            if clean { "<td></td>".into() } else { counted(run, row, row.gained, Show::Gained) }
        );
    }
    out.push_str("</tbody></table></div></details></section>");
    out
}

fn provenance(manifest: &Manifest, folder: &str) -> String {
    let settings = serde_json::to_string_pretty(&manifest.settings).unwrap_or_default();
    let lines = [
        ("folder", folder.to_string()),
        ("command", manifest.command.join(" ")),
        ("Prism", format!("{} ({})", manifest.version, manifest.commit)),
        ("host", manifest.host.clone()),
        ("device", manifest.device.clone()),
        ("dtype", manifest.dtype.clone()),
        ("started", manifest.started.clone()),
    ];
    let list: String = lines.iter().map(|(name, text)| format!("<dt>{name}</dt><dd>{}</dd>", escape(text))).collect();
    format!(
        "<section id=\"provenance\" class=\"run\"><h2>Where it comes from</h2><dl>{list}</dl><details><summary>Settings</summary><pre>{}</pre></details></section>",
        crate::example::cut_html(&settings, 20_000)
    )
}

/// The run of that id and what is there, for pages below it.
pub fn found<'a>(snapshot: &'a Snapshot, id: &str) -> Option<&'a Run> {
    snapshot.run(id).filter(|r| r.is_audited())
}
