//! The page: one file that opens without a network.
//!
//! Scripts are admitted by their hashes in the content security policy, so
//! nothing else on the page can run; charts are compiled to an interpreted tree,
//! so no script is made from text.

use std::collections::BTreeMap;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::{Value, json};

use crate::charts::{packed, theme};
use crate::document::html::Safe;
use crate::failed::nothing_ran;
use crate::gallery::{self, Gallery};
use crate::html::{json_for_script, script_hash};
use crate::sections::first_screen::Sources;
use crate::sections::{self, Builder};
use crate::study::{Part, Study};
use crate::vendored::{VEGA, VEGA_EMBED, VEGA_LITE};

/// What the page's script needs, in the order in which it is run.
const LIBRARIES: [&str; 3] = [VEGA, VEGA_LITE, VEGA_EMBED];
const SCRIPT: &str = include_str!("../assets/page.js");
/// The style sheet; the explorer's pages begin with it.
pub const STYLE: &str = include_str!("../assets/page.css");

/// The page while it is written: its sections in the order in which a sceptical reader asks.
#[derive(Default)]
struct Page {
    builder: Builder,
    head: String,
    body: String,
    /// What a reader asks, and how many sections come before its answer.
    asks: Vec<(String, usize)>,
}

impl Page {
    /// The sections that follow answer this.
    fn ask(&mut self, question: impl Into<String>) {
        self.asks.push((question.into(), self.builder.contents.len()));
    }

    fn place(&mut self, piece: impl Into<sections::Piece>) {
        let html = self.builder.place(piece);
        self.body.push_str(&html);
    }
}

/// The page, how many examples it shows, and what it is made of. What had to be left out is added to `left_out`.
pub fn html(study: &Study, title: Option<&str>, gallery_size: usize, left_out: &mut Vec<String>) -> (String, usize, Builder) {
    let mut page = Page::default();
    let several = study.parts.len() > 1;
    let mut shown = 0;
    for (index, part) in study.parts.iter().enumerate() {
        if several {
            page.builder.prefix = format!("part-{}-", index + 1);
            page.head.push_str(&html! { h2.part { (Safe(&part.benchmark)) } }.into_string());
            page.body.push_str(&html! { h1.part { (Safe(&part.benchmark)) } }.into_string());
            page.ask(part.benchmark.clone());
        }
        let gallery = gallery::choose(part, gallery_size, left_out);
        shown += gallery.shown.len();
        of_part(study, part, &gallery, &mut page, left_out);
        if several {
            page.place(sections::limits::section(study, part));
        }
    }
    page.builder.prefix.clear();
    if several {
        page.ask("All benchmarks");
    }
    let training = sections::training::section(study, &mut page.builder, left_out);
    page.place(training);
    page.ask("What does it not say?");
    if let ([part], false) = (study.parts.as_slice(), several) {
        page.place(sections::limits::section(study, part));
    }
    let not_measured = sections::not_measured::section(&page.builder);
    page.place(not_measured);
    page.place(sections::words::section(study));
    page.ask("How do I run it again?");
    left_out.append(&mut page.builder.cut);
    page.place(sections::provenance::section(study, left_out));
    let about = title.map_or_else(
        || {
            let names: Vec<&str> = study.parts.iter().map(|p| p.benchmark.as_str()).collect();
            crate::verdict::list(names.into_iter())
        },
        str::to_string,
    );
    let whole = document(&about, &sections::filter::html(study), &page, several);
    (whole, shown, page.builder)
}

/// The first screen and the sections of one benchmark.
fn of_part(study: &Study, part: &Part, gallery: &Gallery, page: &mut Page, left_out: &mut Vec<String>) {
    // One after the other: each is numbered when it has its place.
    macro_rules! place {
        ($($section:expr,)+) => {$(
            let piece = $section;
            page.place(piece);
        )+};
    }
    let several = study.parts.len() > 1;
    let trust = sections::trust::table(study, part);
    let table1 = sections::table1::section(study, part, &mut page.builder);
    let budgets = sections::budgets::section(study, part, &mut page.builder);
    let sources = Sources { table1: &table1, budgets: budgets.as_ref(), trust: &trust };
    let first = sections::first_screen::html(study, part, sources, &page.builder.prefix, !several);
    page.head.push_str(&first.into_string());
    page.ask("Is it real?");
    place!(sections::trust::section(study, part, trust), sections::outcomes::section(study, part, &mut page.builder),);
    if nothing_ran(part) {
        // Of no example there is neither a number nor a word.
        return;
    }
    page.ask("How big is it?");
    place!(
        sections::conclusions::section(study, part, &mut page.builder),
        sections::corruption::section(study, part, &mut page.builder),
        table1,
    );
    page.ask("Where is it?");
    place!(
        sections::steps::section(study, part, &mut page.builder),
        sections::dose::section(study, part, &mut page.builder),
        sections::visibility::section(study, part, &mut page.builder),
        sections::donors::section(study, part, &mut page.builder),
        sections::donors::partners(study, part, &mut page.builder),
        sections::probes::section(study, part, &mut page.builder),
        sections::gap::section(study, part, &mut page.builder),
        sections::alignment_steps::section(study, part, &mut page.builder, left_out),
        sections::retrieval::section(study, part, &mut page.builder),
        sections::geometry::section(study, part, &mut page.builder),
        sections::projection::section(study, part, &mut page.builder, left_out),
        sections::attention::section(study, part, &mut page.builder),
        sections::lens::section(study, part, &mut page.builder),
    );
    page.ask("Which examples?");
    place!(sections::shown::section(study, part, gallery), sections::examples::section(study, part, gallery, &mut page.builder),);
    page.ask("Across runs");
    place!(
        budgets,
        sections::groups::section(study, part, &mut page.builder),
        sections::agreement::section(study, part, &mut page.builder),
        sections::seeds::section(study, part, &mut page.builder),
    );
}

/// The sections by what a reader asks; a question that no section answers is not asked.
fn contents(page: &Page) -> Markup {
    let all = &page.builder.contents;
    let ends = page.asks.iter().skip(1).map(|(_, begin)| *begin).chain([all.len()]);
    let answers: Vec<(&str, &[(String, String)])> =
        page.asks.iter().zip(ends).map(|((question, begin), end)| (question.as_str(), &all[*begin..end])).collect();
    html! {
        nav id="contents" aria-label="Contents" tabindex="-1" {
            dl {
                @for (question, sections) in answers {
                    @if !sections.is_empty() {
                        div { dt { (Safe(question)) } dd { @for (id, heading) in sections { a href={ "#" (Safe(id)) } { (Safe(heading)) } " " } } }
                    }
                }
            }
        }
    }
}

fn document(about: &str, filter: &Markup, page: &Page, several: bool) -> String {
    let hashes: Vec<String> = LIBRARIES.map(inlined).iter().chain(&[SCRIPT]).map(|s| script_hash(s)).collect();
    let policy = format!(
        "default-src 'none'; script-src {}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'",
        hashes.join(" ")
    );
    let (light, dark) = theme::css();
    let narrow = &page.builder.narrow;
    let style =
        format!(":root{{{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n{STYLE}@media (max-width:40rem){{\n{narrow}}}");
    let charts: BTreeMap<&String, Value> = page.builder.specs.iter().map(|(id, spec)| (id, packed::packed(spec))).collect();
    let data = json!({"charts": charts, "dark": theme::dark_partners()});
    let whole = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Do the latents matter? " (Safe(about)) }
                style { (PreEscaped(style)) }
            }
            body {
                a.skip href="#contents" { "Skip to the contents" }
                main {
                    header class="masthead" {
                        p.kicker { "Prism " span { (Safe(about)) } }
                        @if several { h1 { "Do the latents matter?" } }
                        (PreEscaped(&page.head))
                    }
                    noscript {
                        style { ".chart,.charts .legend{display:none}" }
                        p.callout role="note" { "Scripts are off: the charts below are not drawn. Every table remains." }
                    }
                    (contents(page))
                    (filter)
                    (PreEscaped(&page.body))
                }
                script type="application/json" id="prism-data" { (PreEscaped(json_for_script(&data))) }
                // The libraries stand here as text and are run by the page's script once the page is
                // painted; the policy admits them by their hashes then too.
                @for library in LIBRARIES { script type="text/plain" class="library" { (PreEscaped(inlined(library))) } }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    whole.into_string() + "\n"
}

/// A vendored script without the pointer to a source map that is not there.
fn inlined(script: &'static str) -> &'static str {
    match script.rfind("//# sourceMappingURL=") {
        Some(at) => script[..at].trim_end(),
        None => script.trim_end(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_can_stand_inside_a_script_element() {
        for script in [inlined(VEGA), inlined(VEGA_LITE), inlined(VEGA_EMBED), SCRIPT] {
            let lower = script.to_ascii_lowercase();
            for bad in ["</script", "<script", "<!--", "\r"] {
                assert!(!lower.contains(bad), "{bad:?} in a script starting {:?}", script.chars().take(40).collect::<String>());
            }
        }
    }

    #[test]
    fn vendored_scripts_are_the_released_files() {
        let table = include_str!("../assets/vendor/README.md");
        for script in [VEGA, VEGA_LITE, VEGA_EMBED] {
            assert!(table.contains(&prism_run::folder::hash_bytes(script.as_bytes())));
        }
    }
}
