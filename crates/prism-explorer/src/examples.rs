//! The examples of a run, filtered and paged.

use std::fmt::Write;

use prism_run::{Intervention, Outcome};

use super::Explorer;
use super::filter::{Filter, PER_PAGE, Show};
use super::frame::{self, Page};
use super::index::{Index, Line, Mark};
use super::reply::Reply;
use super::run::found;
use crate::content::cut_html;
use prism_report::chips::no_letter;
use prism_report::html::escape;

/// The page.
pub fn page(explorer: &Explorer, id: &str, query: &str) -> Reply {
    let snapshot = explorer.library.snapshot();
    let Some(run) = found(&snapshot, id) else { return Reply::unknown("run") };
    let index = match explorer.indices.of(run) {
        Ok(index) => index,
        Err(e) => return Reply::unreadable(&e),
    };
    let filter = Filter::read(query);
    let chosen = filter.choose(&index);
    let base = format!("/runs/{id}/examples");
    let mut content = form(&base, &filter, &index);
    let pages = chosen.len().div_ceil(PER_PAGE).max(1);
    let here = filter.page.min(pages);
    let first = (here - 1) * PER_PAGE;
    let shown = &chosen[first..chosen.len().min(first + PER_PAGE)];
    let _ = write!(
        content,
        "<p class=\"count\">{} of {} examples{}</p>",
        chosen.len(),
        index.lines.len(),
        if shown.len() < chosen.len() { format!(", {} to {} here", first + 1, first + shown.len()) } else { String::new() }
    );
    if shown.is_empty() {
        content.push_str("<p class=\"absent\">None fits. <a href=\"?\">All examples</a></p>");
    } else {
        content.push_str(&table(&base, &filter, &index, shown));
        content.push_str(&turning(&base, &filter, here, pages));
    }
    let name = snapshot.name(run);
    let about = Page {
        heading: "Examples",
        above: &[("/".into(), "runs".into()), (format!("/runs/{id}"), name)],
        run: Some(id),
        stamp: run.stamp,
        json: Some(format!("/api/runs/{id}/examples.json{}", filter.query(here))),
        kicker: run.benchmark(),
        ..Page::default()
    };
    frame::page(&about, &content)
}

fn table(base: &str, filter: &Filter, index: &Index, shown: &[&Line]) -> String {
    let query = escape(&filter.query(1));
    let mut out = String::from(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Examples\"><table class=\"wide rows answers\"><thead><tr><th scope=\"col\">example</th><th scope=\"col\" class=\"text category\">category</th><th scope=\"col\" class=\"text\">question</th><th scope=\"col\">gold</th>",
    );
    for (i, name) in index.interventions.iter().enumerate() {
        let here = if filter.under == Some(*name) || (i == 0 && filter.right.is_some()) { " class=\"here\"" } else { "" };
        let _ = write!(out, "<th scope=\"col\"{here}>{}</th>", heading(*name));
    }
    out.push_str("</tr></thead><tbody>");
    for line in shown {
        let _ = write!(
            out,
            "<tr><th scope=\"row\"><a class=\"open\" href=\"{base}/{}{query}\">{}</a></th><td class=\"text soft category\">{}</td><td class=\"text question\">{}</td><td>{}</td>",
            line.row,
            cut_html(&line.id, 60),
            line.category.as_deref().map_or_else(String::new, |c| escape(&c.replace('_', " "))),
            escape(&line.question),
            escape(&line.label)
        );
        for place in 0..index.interventions.len() {
            let before = line.clean().filter(|_| place > 0);
            out.push_str(&cell(line.marks.get(place).and_then(Option::as_ref), before));
        }
        out.push_str("</tr>");
    }
    out.push_str(
        "</tbody></table></div><ul class=\"key-cells\"><li><span class=\"demo\">B<i>✓</i></span>right</li><li><span class=\"demo lost\">C</span>was right, now wrong</li>\
         <li><span class=\"demo gained\">B<i>✓</i></span>was wrong, now right</li><li><span class=\"demo moved\">D</span>another wrong answer</li>\
         <li><span class=\"demo reworded\">B<i>✓</i></span>same answer, other text</li><li><span class=\"demo\">∅</span>no answer</li><li><span class=\"demo\">○</span>no latents</li><li><span class=\"demo\">!</span>could not be run</li></ul>",
    );
    out
}

/// An intervention as a narrow column's heading: it may break behind its punctuation.
pub fn heading(intervention: Intervention) -> String {
    escape(&intervention.to_string().replace(':', ":\u{200b}").replace('@', "@\u{200b}"))
}

/// A mark as in the report's gallery.
pub fn cell(mark: Option<&Mark>, clean: Option<&Mark>) -> String {
    let Some(mark) = mark else { return "<td class=\"none\" title=\"not run\">–</td>".into() };
    let letter = mark.answer.as_deref().map_or_else(|| no_letter(mark.outcome).into(), |letter| cut_html(letter, 12));
    let is = |show: Show| clean.is_some_and(|c| show.fits(Some(c), mark));
    let (class, title) = if is(Show::Lost) {
        ("lost", " title=\"was right, now wrong\"")
    } else if is(Show::Gained) {
        ("gained", " title=\"was wrong, now right\"")
    } else if is(Show::Moved) {
        ("moved", " title=\"another answer, correctness the same\"")
    } else if is(Show::Changed) {
        ("reworded", " title=\"same answer, other text\"")
    } else {
        ("", "")
    };
    let tick = if mark.correct == Some(true) { "<i>✓</i>" } else { "" };
    format!("<td class=\"{class}\"{title}><span>{letter}{tick}</span></td>")
}

/// Links to the pages around this one.
fn turning(base: &str, filter: &Filter, here: usize, pages: usize) -> String {
    if pages < 2 {
        return String::new();
    }
    let link = |page: usize, text: &str| format!("<a href=\"{base}{}\">{text}</a>", escape(&filter.query(page)));
    let mut out = String::from("<nav class=\"turning\" aria-label=\"Pages\">");
    if here > 1 {
        let _ = write!(out, "{} {} ", link(1, "first"), link(here - 1, "previous page"));
    }
    let _ = write!(out, "page {here} of {pages} ");
    if here < pages {
        let _ = write!(out, "{} {}", link(here + 1, "next page"), link(pages, "last"));
    }
    out.push_str("</nav>");
    out
}

fn form(base: &str, filter: &Filter, index: &Index) -> String {
    let mut out = format!("<form class=\"filter\" method=\"get\" action=\"{base}\" role=\"search\">");
    let mut select = |name: &str, label: &str, options: Vec<(String, String)>, chosen: &str| {
        let _ = write!(out, "<label>{label} <select name=\"{name}\">");
        for (value, text) in options {
            let here = if value == chosen { " selected" } else { "" };
            let _ = write!(out, "<option value=\"{}\"{here}>{}</option>", escape(&value), escape(&text));
        }
        out.push_str("</select></label>");
    };
    let any = |text: &str| (String::new(), text.to_string());
    let words = |all: Vec<&str>| -> Vec<(String, String)> { all.into_iter().map(|w| (w.to_string(), w.replace('_', " "))).collect() };
    let categories = index.categories();
    if !categories.is_empty() {
        let options = std::iter::once(any("all")).chain(words(categories)).collect();
        select("category", "category", options, filter.category.as_deref().unwrap_or_default());
    }
    select(
        "outcome",
        "clean outcome",
        std::iter::once(any("any")).chain(words(index.outcomes().into_iter().map(Outcome::name).collect())).collect(),
        filter.outcome.map_or("", Outcome::name),
    );
    let right = filter.right.map_or("", |right| if right { "right" } else { "wrong" });
    select("clean", "clean answer", vec![any("any"), ("right".into(), "right".into()), ("wrong".into(), "wrong".into())], right);
    let interventions = index.interventions.iter().map(|i| (i.to_string(), i.to_string()));
    select(
        "under",
        "under",
        std::iter::once(any("any intervention")).chain(interventions).collect(),
        &filter.under.map_or_else(String::new, |i| i.to_string()),
    );
    let shows = Show::ALL.iter().map(|(_, word, text)| ((*word).to_string(), (*text).to_string())).collect();
    select("show", "what it did", shows, Show::ALL.iter().find(|(s, _, _)| *s == filter.show).map_or("", |(_, word, _)| word));
    let _ = write!(
        out,
        "<label>words <input type=\"search\" name=\"q\" id=\"words\" value=\"{}\" placeholder=\"in id or question\"></label><button>Filter</button></form>",
        escape(&filter.words)
    );
    out
}
