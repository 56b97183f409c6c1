//! What every page of the explorer has around its content.

use std::fmt::Write;

use super::reply::Reply;
use prism_report::charts::theme;
use prism_report::html::escape;

const STYLE: &str = include_str!("../assets/explorer.css");
const SCRIPT: &str = include_str!("../assets/explorer.js");
const ICON: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 16 16\"><path d=\"M8 2l6.5 11.5h-13z\" fill=\"none\" stroke=\"#0072b2\" stroke-width=\"1.6\"/></svg>";

/// The keys, in the order the help lists them.
const KEYS: [(&str, &str); 7] = [
    ("j →", "next example, or next row of a table"),
    ("k ←", "the one before"),
    ("Enter", "open the row"),
    ("p", "the counterfactual partner"),
    ("u", "up: from an example to the table, from there to the run"),
    ("/", "filter"),
    ("?", "this help"),
];

/// A page's place and what it shows.
#[derive(Debug, Default)]
pub struct Page<'a> {
    /// Title and heading, as text.
    pub heading: &'a str,
    /// The pages above it: address and text.
    pub above: &'a [(String, String)],
    /// The run whose change makes the page old; the whole library when absent.
    pub run: Option<&'a str>,
    /// The stamp it was made at.
    pub stamp: u64,
    /// The example before and the one after, as addresses.
    pub neighbours: (Option<String>, Option<String>),
    /// The address of the same as JSON.
    pub json: Option<String>,
    /// What stands above the heading.
    pub kicker: &'a str,
}

/// The whole page around `content`, which is HTML.
pub fn page(page: &Page<'_>, content: &str) -> Reply {
    let mut out = String::with_capacity(content.len() + 4096);
    let heading = escape(page.heading);
    out.push_str("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\">");
    let _ = write!(
        out,
        "<title>{heading} · Prism</title><link rel=\"icon\" href=\"/favicon.svg\"><link rel=\"stylesheet\" href=\"/explorer.css\">"
    );
    let _ = write!(
        out,
        "<script src=\"/explorer.js\" defer></script></head><body data-stamp=\"{:016x}\" data-run=\"{}\"><main class=\"explorer\"><header class=\"masthead\"><nav class=\"trail\" aria-label=\"Place\"><a href=\"/\">Prism explorer</a>",
        page.stamp,
        escape(page.run.unwrap_or_default())
    );
    for (i, (address, text)) in page.above.iter().enumerate() {
        let up = if i + 1 == page.above.len() { " rel=\"up\"" } else { "" };
        let _ = write!(out, " <span aria-hidden=\"true\">›</span> <a{up} href=\"{}\">{}</a>", escape(address), escape(text));
    }
    out.push_str("<span class=\"neighbours\">");
    for (address, rel, text) in [(&page.neighbours.0, "prev", "← previous"), (&page.neighbours.1, "next", "next →")] {
        if let Some(address) = address {
            let _ = write!(out, "<a rel=\"{rel}\" href=\"{}\">{text}</a> ", escape(address));
        }
    }
    out.push_str("</span></nav>");
    if !page.kicker.is_empty() {
        let _ = write!(out, "<p class=\"kicker\">{}</p>", escape(page.kicker));
    }
    let _ = write!(out, "<h1>{heading}</h1></header>{content}<footer><p>Keys: <kbd>j</kbd> <kbd>k</kbd> <kbd>/</kbd> <kbd>?</kbd>");
    if let Some(json) = &page.json {
        let _ = write!(out, " · <a href=\"{}\">this as JSON</a>", escape(json));
    }
    out.push_str(
        " · <span id=\"live\" role=\"status\"></span></p></footer></main><dialog id=\"help\" aria-label=\"Keys\"><h2>Keys</h2><dl>",
    );
    for (key, what) in KEYS {
        let _ = write!(out, "<dt><kbd>{key}</kbd></dt><dd>{what}</dd>");
    }
    out.push_str("</dl><form method=\"dialog\"><button>Close</button></form></dialog></body></html>\n");
    Reply::page(out)
}

/// The style sheet: the report's, and what only the explorer has.
pub fn style() -> Reply {
    let (light, dark) = theme::css();
    let css = format!(":root{{{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n{}\n{STYLE}", prism_report::page::STYLE);
    Reply::of("text/css; charset=utf-8", css)
}

/// The script.
pub fn script() -> Reply {
    Reply::of("text/javascript; charset=utf-8", SCRIPT)
}

/// The icon.
pub fn icon() -> Reply {
    Reply::of("image/svg+xml", ICON)
}

/// A label over a number, for the line of key figures.
pub fn figure(label: &str, value: &str) -> String {
    format!("<div><dd>{value}</dd><dt>{label}</dt></div>")
}
