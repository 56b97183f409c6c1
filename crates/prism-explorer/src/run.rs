//! A run: its verdict, what its interventions did, and every other table of its findings.

use std::fmt::Write;

use prism_audit::Findings;
use prism_audit::findings::{ConclusionFinding, FaithfulnessFinding};
use prism_audit::verdict::damage_in_words;
use prism_run::folder::names;
use prism_run::manifest::Manifest;
use prism_run::{Intervention, View};

use super::filter::{Filter, Show};
use super::frame::{self, Page, figure};
use super::library::{Run, Snapshot};
use super::reply::Reply;
use super::{Explorer, findings, home};
use prism_report::change::{self, ALL, change, shown};
use prism_report::html::{clipped, escape, typeset};
use prism_report::interventions::{described, place};
use prism_report::number::{ABSENT, decimal, interval, p_value, percent, points};
use prism_report::{chips, verdict};

/// Longest text about what could not be run, in characters.
const LONGEST_FAILED: usize = 4000;

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
    if prism_run::door::holds(&run.path.join(names::REPORT)) {
        let _ = write!(out, "<li><a href=\"/runs/{}/report\">Report page</a></li>", run.id);
    }
    let _ = write!(out, "<li>{}</li></ul>", home::state(run));
    out
}

fn read(run: &Run, found: &Findings) -> String {
    let mut out = String::new();
    if let Some(failed) = found.failed() {
        let failed = typeset(&clipped(&failed, LONGEST_FAILED));
        out.push_str(&match found.nothing_ran() {
            true => format!("<p class=\"verdict\">{failed}</p>"),
            false => format!("<aside class=\"callout alarm\"><b>Not every example was run.</b> {failed}</aside>"),
        });
    }
    if let Some(c) = found.conclusion.first().filter(|_| !found.nothing_ran()) {
        out.push_str(&concluded(c, found));
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

/// Both answers as the audit found them: the sentence, its limits, the words with the clauses of the rule.
fn concluded(c: &ConclusionFinding, found: &Findings) -> String {
    let mut out = format!("<p class=\"verdict\">{}</p><p class=\"verdict-more\">{}</p>", typeset(&c.sentence), chips::answers(c));
    if let Some(limit) = verdict::limit(c) {
        let _ = write!(out, "<aside class=\"callout warn\"><b>What limits these words.</b> {}.</aside>", typeset(&limit));
    }
    let _ = write!(
        out,
        "<ul><li>What the block says is {}: {}.</li><li>The block is {}: {}.</li>",
        c.content,
        typeset(&c.rule),
        c.presence,
        typeset(&c.presence_rule)
    );
    if let Some(damage) = damage_in_words(&found.verdict) {
        let _ = write!(out, "<li>Damage, which decides nothing: {}.</li>", typeset(&damage));
    }
    for figures in &c.reason {
        let _ = write!(out, "<li>With these: {}</li>", typeset(figures));
    }
    out.push_str("</ul>");
    out
}

/// The address of the examples an intervention did that to.
fn examples(run: &Run, intervention: Intervention, show: Show, category: Option<&str>) -> String {
    let filter = Filter { under: Some(intervention), show, category: category.map(str::to_string), page: 1, ..Filter::default() };
    escape(&format!("/runs/{}/examples{}", run.id, filter.query(1)))
}

/// A count that leads to the examples it counts.
fn counted(run: &Run, row: &FaithfulnessFinding, count: usize, show: Show) -> String {
    match count {
        0 => "<td>0</td>".into(),
        n => {
            let category = Some(row.category.as_str()).filter(|c| *c != ALL);
            format!("<td><a href=\"{}\">{n}</a></td>", examples(run, row.intervention, show, category))
        }
    }
}

const COLUMNS: [&str; 15] = [
    "n",
    "accuracy, %",
    "strength",
    "changed answers",
    "at most, %",
    "change, points",
    "95 %",
    "lost",
    "gained",
    "text changed",
    "no answer",
    "p",
    "p, Holm",
    "p, equivalence",
    "margin, nats",
];

fn interventions(run: &Run, found: &Findings) -> String {
    let mut rows: Vec<&FaithfulnessFinding> = found.faithfulness.iter().filter(|f| f.category == ALL).collect();
    rows.sort_by_key(|f| (!f.intervention.is_clean(), place(f.intervention)));
    if rows.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "<section id=\"interventions\"><h2>What interventions do</h2><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Interventions\"><table class=\"wide rows\"><thead><tr>\
         <th scope=\"col\">intervention</th><th scope=\"col\" class=\"text\">class</th>",
    );
    COLUMNS.iter().for_each(|heading| out.push_str(&format!("<th scope=\"col\">{heading}</th>")));
    out.push_str("<th scope=\"col\" class=\"text\">what it shows</th></tr></thead><tbody>");
    for row in rows {
        let _ = write!(
            out,
            "<tr><th scope=\"row\"><a class=\"open\" href=\"{}\" title=\"{}\">{}</a></th><td class=\"text\">{}</td>{}</tr>",
            examples(run, row.intervention, Show::All, None),
            escape(&described(row.intervention)),
            row.intervention,
            if row.intervention.is_clean() { String::new() } else { row.intervention.class().to_string() },
            cells(run, found, row)
        );
    }
    out.push_str("</tbody></table></div><p class=\"rest\">Changes are over the questions whose block opened in the clean run. A count that is a link leads to the examples it counts. Strength: distance of what was put in from the clean latents, over their natural spread; at most: one-sided 95 % bound of the share of changed answers. Under another view of the image (@) changes are against the clean run under that view, clean@ against that in full view. p: exact, clusters flipped whole where there are any; margin: mean change of the gold letter’s log-probability margin.</p></section>");
    out
}

/// The cells of an intervention's row, in the order of [`COLUMNS`], and its word.
fn cells(run: &Run, found: &Findings, row: &FaithfulnessFinding) -> String {
    let clean = row.intervention.is_clean();
    let shown = shown(found, row.intervention).filter(|v| v.examples > 0);
    let change = change(found, row.intervention).filter(|_| !clean);
    let plain = |text: String| format!("<td>{text}</td>");
    // The examples that a link leads to are all of the run, told apart by the clean run in full view.
    let count = |of_verdict: usize, of_row: usize, show: Show| match (clean, shown) {
        (true, _) => plain(String::new()),
        (_, Some(_)) if of_verdict != of_row || row.intervention.view != View::Open => plain(of_verdict.to_string()),
        _ => counted(run, row, of_row, show),
    };
    let mut out: String = [
        row.examples.to_string(),
        percent(row.accuracy),
        decimal(shown.and_then(|v| v.strength), 2),
        shown.map_or_else(|| ABSENT.into(), |v| v.changed_answers.to_string()),
        percent(shown.and_then(|v| v.changed_bound)),
        points(change.map(|c| c.delta)),
        interval(change.and_then(|c| c.low), change.and_then(|c| c.high), points),
    ]
    .map(plain)
    .concat();
    out.push_str(&count(change.map_or(0, |c| c.lost), row.lost, Show::Lost));
    out.push_str(&count(change.map_or(0, |c| c.gained), row.gained, Show::Gained));
    out.push_str(&if clean { plain(String::new()) } else { counted(run, row, row.changed, Show::Changed) });
    out.push_str(&counted(run, row, row.no_answer, Show::Unparsed));
    let ran = change.is_some();
    out.push_str(
        &[
            p_value(shown.and_then(|v| v.clustered_p.or(v.mcnemar_p))),
            p_value(shown.and_then(|v| v.holm_p)),
            p_value(shown.and_then(|v| v.equivalence_p)),
            decimal(row.margin_delta.filter(|_| ran), 3),
        ]
        .map(plain)
        .concat(),
    );
    let word = change::shown(found, row.intervention).map_or_else(String::new, |v| chips::effect(v.verdict));
    let _ = write!(out, "<td class=\"text\">{word}</td>");
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
    let silent = change::is_silent(found);
    for row in rows {
        let clean = row.intervention.is_clean();
        let change = |value: Option<f64>| value.filter(|_| !clean && !silent);
        let _ = write!(
            out,
            "<tr><th scope=\"row\">{}</th><td class=\"text\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>{}{}</tr>",
            escape(&row.category.replace('_', " ")),
            row.intervention,
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
        crate::content::cut_html(&settings, 20_000)
    )
}

/// The run of that id and what is there, for pages below it.
pub fn found<'a>(snapshot: &'a Snapshot, id: &str) -> Option<&'a Run> {
    snapshot.run(id).filter(|r| r.is_audited())
}
