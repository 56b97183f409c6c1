//! What every page of the explorer has around its content.

use maud::{DOCTYPE, Markup, html};

use super::reply::Reply;
use prism_report::charts::theme::{self, VariantStyle};
use prism_report::document::html::Safe;
use prism_report::document::{self, Prose};
use prism_report::sections::swatch;

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

/// The whole page around `content`.
pub fn page(page: &Page<'_>, content: &Markup) -> Reply {
    let out = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (Safe(page.heading)) " · Prism" }
                link rel="icon" href="/favicon.svg";
                link rel="stylesheet" href="/explorer.css";
                script src="/explorer.js" defer {}
            }
            body data-stamp=(format!("{:016x}", page.stamp)) data-run=(Safe(page.run.unwrap_or_default())) {
                main.explorer {
                    header.masthead {
                        (trail(page))
                        @if !page.kicker.is_empty() { p.kicker { (Safe(page.kicker)) } }
                        h1 { (Safe(page.heading)) }
                    }
                    (content)
                    (foot(page))
                }
                (help())
            }
        }
    };
    Reply::page(out.into_string())
}

fn trail(page: &Page<'_>) -> Markup {
    let last = page.above.len().saturating_sub(1);
    let neighbours = [(&page.neighbours.0, "prev", "← previous"), (&page.neighbours.1, "next", "next →")];
    html! {
        nav.trail aria-label="Place" {
            a href="/" { "Prism explorer" }
            @for (i, (address, text)) in page.above.iter().enumerate() {
                " " span aria-hidden="true" { "›" } " "
                a rel=[(i == last).then_some("up")] href=(Safe(address)) { (Safe(text)) }
            }
            span.neighbours {
                @for (address, rel, text) in neighbours {
                    @if let Some(address) = address { a rel=(rel) href=(Safe(address)) { (text) } " " }
                }
            }
        }
    }
}

fn foot(page: &Page<'_>) -> Markup {
    html! {
        footer {
            p {
                "Keys: " kbd { "j" } " " kbd { "k" } " " kbd { "/" } " " kbd { "?" }
                @if let Some(json) = &page.json { " · " a href=(Safe(json)) { "this as JSON" } }
                " · " span id="live" role="status" {}
            }
        }
    }
}

fn help() -> Markup {
    html! {
        dialog id="help" aria-label="Keys" {
            h2 { "Keys" }
            dl { @for (key, what) in KEYS { dt { kbd { (key) } } dd { (what) } } }
            form method="dialog" { button { "Close" } }
        }
    }
}

/// Text of the audit, which speaks plain ASCII, as a page sets it.
pub fn typeset(text: &str) -> Markup {
    document::html::prose(&Prose::default().typeset(text), "")
}

/// A run's mark.
pub fn mark(style: &VariantStyle) -> Markup {
    swatch(style)
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
