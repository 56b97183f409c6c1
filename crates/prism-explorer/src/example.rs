//! The page of one example, within the filter it was reached through.

use std::sync::Arc;

use maud::{Markup, html};

use super::Explorer;
use super::examples::mark;
use super::filter::{Filter, PER_PAGE, fits};
use super::frame::{self, Page};
use super::index::{Index, Line};
use super::library::{Run, Snapshot};
use super::reply::Reply;
use super::run::found;
use crate::content::partner::Partner;
use crate::content::{Example, Links, cut};
use prism_report::document::Did;
use prism_report::document::html::Safe;
use prism_report::gallery::picture;
use prism_report::html::{clipped, plain};

/// Longest side of an image served, pixels.
const SIDE: u32 = 1400;
/// A PNG above this many bytes is served as JPEG.
const LARGEST_PNG: usize = 2 << 20;
/// Other runs whose answers stand on the page.
const MOST_RUNS: usize = 6;

/// The run, its index, and the row, looked up.
fn line<'a>(explorer: &Explorer, snapshot: &'a Snapshot, id: &str, row: &str) -> Result<(&'a Run, Arc<Index>, usize), Reply> {
    let run = found(snapshot, id).ok_or_else(|| Reply::unknown("run"))?;
    let index = explorer.indices.of(run).map_err(|e| Reply::unreadable(&e))?;
    let row = row.parse::<usize>().ok().filter(|row| index.of_row(*row).is_some()).ok_or_else(|| Reply::unknown("example"))?;
    Ok((run, index, row))
}

/// Reads an example with its partner.
///
/// # Errors
/// The reply that says why not.
pub fn read(explorer: &Explorer, id: &str, row: &str) -> Result<(Example, Partner), Reply> {
    let snapshot = explorer.library.snapshot();
    let (run, index, row) = line(explorer, &snapshot, id, row)?;
    let example =
        Example::read(&run.path, row, &explorer.sources).map_err(|e| Reply::unreadable(&e))?.ok_or_else(|| Reply::unknown("example"))?;
    let partner = match &example.example.counterfactual {
        None => Partner::None,
        Some(name) => match index.of_id(name) {
            None => Partner::Absent(name.clone()),
            Some(line) => match Example::read(&run.path, line.row, &explorer.sources) {
                Ok(Some(there)) => Partner::Here(Box::new(there)),
                Ok(None) => Partner::Absent(name.clone()),
                Err(e) => Partner::Damaged(e.to_string()),
            },
        },
    };
    Ok((example, partner))
}

/// The page.
pub fn page(explorer: &Explorer, id: &str, row: &str, query: &str) -> Reply {
    let snapshot = explorer.library.snapshot();
    let (run, index, number) = match line(explorer, &snapshot, id, row) {
        Ok(found) => found,
        Err(reply) => return reply,
    };
    let (example, partner) = match read(explorer, id, row) {
        Ok(read) => read,
        Err(reply) => return reply,
    };
    let filter = Filter::read(query);
    let kept = filter.query(1);
    let base = format!("/runs/{id}/examples");
    let links = Links { base: &base, filter: &filter, id: &|row| index.of_row(row).map(|l| l.id.clone()) };
    let content = html! {
        (crate::content::page::html(&example, &partner, &links))
        (elsewhere(explorer, &snapshot, run, &example))
    };
    let chosen = filter.choose(&index);
    let place = chosen.iter().position(|l| l.row == number);
    let address = |line: &&Line| format!("{base}/{}{kept}", line.row);
    let neighbours = match place {
        Some(place) => (place.checked_sub(1).and_then(|i| chosen.get(i)).map(address), chosen.get(place + 1).map(address)),
        None => (None, None),
    };
    let category = example.example.category.as_deref().map_or_else(String::new, |c| format!(" · {}", cut(c, 60).0.replace('_', " ")));
    let kicker = match place {
        Some(place) => format!("{} of {}{}{category}", place + 1, chosen.len(), if filter.is_open() { "" } else { " that fit the filter" }),
        None => format!("not among those that fit the filter{category}"),
    };
    let (heading, left) = cut(&example.example.id, 100);
    let heading = if left == 0 { heading.to_string() } else { format!("{heading}…") };
    // Back to the page of the table it stands on.
    let table = filter.query(place.map_or(1, |p| p / PER_PAGE + 1));
    let about = Page {
        heading: &heading,
        above: &[("/".into(), "runs".into()), (format!("/runs/{id}"), snapshot.name(run)), (format!("{base}{table}"), "examples".into())],
        run: Some(id),
        stamp: run.stamp,
        neighbours,
        json: Some(format!("/api/runs/{id}/examples/{number}.json")),
        kicker: &kicker,
    };
    frame::page(&about, &content)
}

/// The same example in the other runs on its benchmark.
fn elsewhere(explorer: &Explorer, snapshot: &Snapshot, here: &Run, example: &Example) -> Markup {
    let of = |r: &&Run| r.is_audited() && r.id != here.id && r.benchmark() == here.benchmark();
    let others: Vec<&Run> = snapshot.runs.iter().filter(of).collect();
    let mut rows = Vec::new();
    for run in others.iter().take(MOST_RUNS) {
        let Ok(index) = explorer.indices.of(run) else { continue };
        // The same id may name another question elsewhere.
        let Some(line) = index.of_id(&example.example.id).filter(|l| l.label == cut_label(&example.example.label)) else { continue };
        let marks = line.marks.iter().skip(1).flatten();
        let flips = marks.filter(|mark| fits(Did::Flipped, line.clean(), mark)).count();
        rows.push(html! {
            tr {
                th scope="row" {
                    (frame::mark(snapshot.style(run)))
                    a href=(format!("/runs/{}/examples/{}", run.id, line.row)) { (Safe(&snapshot.name(run))) }
                }
                (mark(line.clean(), None, Some("clean answer")))
                td data-l="flips" { (flips) }
            }
        });
    }
    html! {
        @if !rows.is_empty() {
            section id="elsewhere" {
                h2 { "In the other runs" }
                div.typed {
                    table class="answers few" {
                        thead { tr { th scope="col" { "run" } th scope="col" { "clean answer" } th scope="col" { "flips" } } }
                        tbody { @for row in rows { (row) } }
                    }
                }
                @if others.len() > MOST_RUNS { p.rest { "The first " (MOST_RUNS) " of " (others.len()) " other runs." } }
            }
        }
    }
}

fn cut_label(label: &str) -> String {
    let (shown, left) = cut(label, 80);
    if left == 0 { shown.to_string() } else { format!("{shown}…") }
}

/// The example's first image, decoded and written anew: what is not an image is not served.
pub fn image(explorer: &Explorer, id: &str, row: &str) -> Reply {
    let snapshot = explorer.library.snapshot();
    let (run, _, row) = match line(explorer, &snapshot, id, row) {
        Ok(found) => found,
        Err(reply) => return reply,
    };
    let example = match Example::row(&run.path, row) {
        Ok(Some(example)) => example,
        Ok(None) => return Reply::unknown("example"),
        Err(e) => return Reply::unreadable(&e),
    };
    match picture::encode(&example.image, &run.path, &explorer.sources, SIDE, LARGEST_PNG) {
        Ok(image) => Reply::of(image.kind, image.bytes).kept(),
        Err(reason) => {
            Reply { status: axum::http::StatusCode::NOT_FOUND, ..Reply::of("text/plain; charset=utf-8", plain(&clipped(&reason, 400))) }
        }
    }
}
