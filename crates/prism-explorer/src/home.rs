//! The first page: the runs.

use std::fmt::Write;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use prism_run::door;
use prism_run::folder::names;

use super::Explorer;
use super::frame::{self, Page};
use super::library::{Run, Snapshot};
use super::reply::Reply;
pub use super::summary::Summary;
use prism_report::html::escape;
use prism_report::number::{ABSENT, decimal, interval, percent};
use prism_report::sections::swatch;

/// The page.
pub fn page(explorer: &Explorer) -> Reply {
    let snapshot = explorer.library.snapshot();
    let mut content = String::new();
    for (place, root) in explorer.library.roots().iter().enumerate() {
        let runs: Vec<&Run> = snapshot.runs.iter().filter(|r| r.root == place).collect();
        let _ = write!(content, "<section><h2>{}</h2>", escape(&root.name));
        if door::holds(&root.path.join(names::REPORT)) && !runs.iter().any(|r| r.path == root.path) {
            let _ = write!(content, "<p><a href=\"/folders/{}/report\">Its report</a></p>", root.id);
        }
        content.push_str(&audits(explorer, &snapshot, &runs));
        content.push_str(&trainings(&snapshot, &runs));
        content.push_str("</section>");
    }
    if !snapshot.damaged.is_empty() {
        let list: String = snapshot.damaged.iter().map(|d| format!("<li>{}</li>", escape(d))).collect();
        let _ = write!(content, "<section><h2>Could not be read</h2><ul>{list}</ul></section>");
    }
    let about = Page { heading: "Runs", stamp: snapshot.stamp, json: Some("/api/runs.json".into()), ..Page::default() };
    frame::page(&about, &content)
}

fn audits(explorer: &Explorer, snapshot: &Snapshot, runs: &[&Run]) -> String {
    let audits: Vec<&&Run> = runs.iter().filter(|r| r.is_audited()).collect();
    if audits.is_empty() {
        return "<p class=\"absent\">No audit or evaluation is there yet.</p>".into();
    }
    let mut out = String::from(
        "<form action=\"/compare\" method=\"get\"><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Runs\"><table class=\"wide rows\"><thead><tr><th scope=\"col\">run</th><th scope=\"col\" class=\"text\">benchmark</th>\
         <th scope=\"col\">n</th><th scope=\"col\">accuracy, %</th><th scope=\"col\">95 %</th><th scope=\"col\">cosine</th><th scope=\"col\">opened, %</th>\
         <th scope=\"col\" class=\"text\">word</th><th scope=\"col\" class=\"text\">block</th><th scope=\"col\" class=\"text\">state</th><th scope=\"col\" class=\"text\"></th></tr></thead><tbody>",
    );
    for run in &audits {
        let summary = explorer.summaries.of(run);
        let name = escape(&snapshot.short_name(run));
        let _ = write!(
            out,
            "<tr><th scope=\"row\"><input type=\"checkbox\" name=\"run\" value=\"{id}\" aria-label=\"Compare {name}\"> {}<a class=\"open\" href=\"/runs/{id}\">{name}</a></th><td class=\"text\">{}</td>",
            swatch(snapshot.style(run)),
            escape(run.benchmark()),
            id = run.id
        );
        match &summary.line {
            Some(line) => {
                let _ = write!(
                    out,
                    "<td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>",
                    line.examples,
                    percent(line.accuracy),
                    interval(line.accuracy_low, line.accuracy_high, percent),
                    decimal(line.cosine, 3),
                    percent(line.opened)
                );
            }
            None => {
                let _ = write!(
                    out,
                    "<td colspan=\"5\" class=\"text\">{}</td>",
                    escape(summary.reason.as_deref().unwrap_or("no Table 1 among its findings"))
                );
            }
        }
        let _ = write!(
            out,
            "{}<td class=\"text soft\">{}</td><td class=\"text\"><a href=\"/runs/{}/examples\">examples</a></td></tr>",
            summary.words(),
            state(run),
            run.id
        );
    }
    out.push_str("</tbody></table></div>");
    if audits.len() > 1 {
        out.push_str("<p class=\"act\"><button>Compare the runs ticked</button></p>");
    }
    out.push_str("</form>");
    out
}

/// Whether a run has ended; one that was killed looks like one under way.
pub fn state(run: &Run) -> String {
    match &run.manifest.ended {
        Some(ended) => format!("ended {}", escape(&ended.replace('T', " ").replace('Z', " UTC"))),
        None => "under way, or stopped".into(),
    }
}

fn trainings(snapshot: &Snapshot, runs: &[&Run]) -> String {
    let trainings: Vec<&&Run> = runs.iter().filter(|r| r.manifest.kind == "train").collect();
    if trainings.is_empty() {
        return String::new();
    }
    let rows: String = trainings
        .iter()
        .map(|run| {
            let last = last_entry(&run.path.join(names::LOG));
            let number = |key: &str| last.as_ref().and_then(|entry| entry.get(key)?.as_f64());
            format!(
                "<tr><th scope=\"row\">{}{}</th><td>{}</td><td>{}</td><td>{}</td><td class=\"text soft\">{}</td></tr>",
                swatch(snapshot.style(run)),
                escape(&snapshot.short_name(run)),
                number("step").map_or_else(|| ABSENT.into(), |s| format!("{s}")),
                decimal(number("ce"), 4),
                decimal(number("latent"), 4),
                state(run)
            )
        })
        .collect();
    let open = if trainings.iter().any(|r| r.manifest.ended.is_none()) { " open" } else { "" };
    format!(
        "<details{open}><summary>{} training runs</summary><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Training runs\"><table><thead><tr><th scope=\"col\">training</th><th scope=\"col\">last step</th><th scope=\"col\">CE</th><th scope=\"col\">latent loss</th><th scope=\"col\" class=\"text\">state</th></tr></thead><tbody>{rows}</tbody></table></div></details>",
        trainings.len()
    )
}

/// The last whole line of a training log.
fn last_entry(path: &Path) -> Option<serde_json::Value> {
    const TAIL: u64 = 16 << 10;
    let mut file = door::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).ok()?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail).ok()?;
    let text = String::from_utf8_lossy(&tail);
    text.lines().rev().find_map(|line| serde_json::from_str::<serde_json::Value>(line).ok().filter(serde_json::Value::is_object))
}
