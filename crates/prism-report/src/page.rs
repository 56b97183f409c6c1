//! The page: one file that opens without a network.
//!
//! Scripts are admitted by their hashes in the content security policy, so
//! nothing else on the page can run; charts are compiled to an interpreted tree,
//! so no script is made from text.

use std::fmt::Write;

use serde_json::json;

use crate::charts::theme;
use crate::gallery::{self, Gallery};
use crate::html::{escape, json_for_script, script_hash};
use crate::sections::{self, Builder};
use crate::study::{Part, Study};
use crate::vendored::{VEGA, VEGA_EMBED, VEGA_LITE};

/// What the page's script needs, in the order in which it is run.
const LIBRARIES: [&str; 3] = [VEGA, VEGA_LITE, VEGA_EMBED];
const SCRIPT: &str = concat!(include_str!("../assets/save.js"), include_str!("../assets/page.js"));
/// The style sheet; the explorer's pages begin with it.
pub const STYLE: &str = include_str!("../assets/page.css");

/// The page, how many examples it shows, and what it is made of. What had to be left out is added to `left_out`.
pub fn html(study: &Study, title: Option<&str>, gallery_size: usize, left_out: &mut Vec<String>) -> (String, usize, Builder) {
    let mut builder = Builder::default();
    let several = study.parts.len() > 1;
    let mut head = String::new();
    let mut body = String::new();
    let mut shown = 0;
    for (index, part) in study.parts.iter().enumerate() {
        if several {
            builder.prefix = format!("part-{}-", index + 1);
            let _ = write!(head, "<h2 class=\"part\">{}</h2>", escape(&part.benchmark));
            let _ = write!(body, "<h1 class=\"part\">{}</h1>", escape(&part.benchmark));
        }
        let gallery = gallery::choose(part, gallery_size, left_out);
        shown += gallery.shown.len();
        let brief = sections::brief::html(study, part, &gallery, &builder.prefix);
        head.push_str(&sections::first_screen::section(study, part, &brief));
        body.push_str(&sections::first_screen::warnings(study, part));
        body.push_str(&part_html(study, part, &gallery, &mut builder, left_out));
    }
    builder.prefix.clear();
    let training = sections::training::section(study, &mut builder, left_out);
    body.push_str(&builder.place(training));
    let words = sections::words::section(study, &mut builder);
    body.push_str(&builder.place(words));
    let not_measured = sections::not_measured::section(&mut builder);
    body.push_str(&builder.place(not_measured));
    left_out.append(&mut builder.cut);
    let provenance = sections::provenance::section(study, left_out, &mut builder);
    body.push_str(&builder.place(provenance));
    let about = title.map_or_else(
        || {
            let names: Vec<&str> = study.parts.iter().map(|p| p.benchmark.as_str()).collect();
            crate::verdict::list(names.into_iter())
        },
        str::to_string,
    );
    (document(&about, &sections::filter::html(study), &head, &body, &builder), shown, builder)
}

/// The sections of one benchmark.
fn part_html(study: &Study, part: &Part, gallery: &Gallery, builder: &mut Builder, left_out: &mut Vec<String>) -> String {
    let mut body = String::new();
    // One after the other: each is numbered when it has its place.
    macro_rules! place {
        ($($section:expr,)+) => {$(
            let piece = $section;
            body.push_str(&builder.place(piece));
        )+};
    }
    place!(
        sections::table1::section(study, part, builder),
        sections::conclusions::section(study, part, builder),
        sections::groups::section(study, part, builder),
        sections::budgets::section(study, part, builder),
        sections::corruption::section(study, part, builder),
        sections::examples::section(study, part, gallery, builder),
        sections::visibility::section(study, part, builder),
        sections::dose::section(study, part, builder),
        sections::steps::section(study, part, builder),
        sections::donors::section(study, part, builder),
        sections::donors::partners(study, part, builder),
        sections::probes::section(study, part, builder),
        sections::gap::section(study, part, builder),
        sections::agreement::section(study, part, builder),
        sections::alignment_steps::section(study, part, builder, left_out),
        sections::retrieval::section(study, part, builder),
        sections::geometry::section(study, part, builder),
        sections::projection::section(study, part, builder, left_out),
        sections::attention::section(study, part, builder),
        sections::lens::section(study, part, builder),
        sections::seeds::section(study, part, builder),
        sections::outcomes::section(study, part, builder),
    );
    body
}

fn document(about: &str, filter: &str, head: &str, body: &str, builder: &Builder) -> String {
    let hashes: Vec<String> = LIBRARIES.map(inlined).iter().chain(&[SCRIPT]).map(|s| script_hash(s)).collect();
    let policy = format!(
        "default-src 'none'; script-src {}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'",
        hashes.join(" ")
    );
    let (light, dark) = theme::css();
    let contents: String = builder.contents.iter().map(|(id, h)| format!("<li><a href=\"#{id}\">{h}</a></li>")).collect();
    let data = json!({"charts": builder.specs, "dark": theme::dark_partners()});
    let mut page = String::with_capacity(body.len() + 1_000_000);
    page.push_str("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    let _ = write!(page, "<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">");
    page.push_str(
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\">",
    );
    let _ = write!(page, "<title>Do the latents matter? {}</title>", escape(about));
    let _ = write!(page, "<style>:root{{{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n{STYLE}</style></head><body>");
    let _ = write!(
        page,
        "<a class=\"skip\" href=\"#contents\">Skip to the contents</a><main><header class=\"masthead\"><p class=\"kicker\">Prism report <span>{}</span></p><h1>Do the latents matter?</h1>{head}</header>",
        escape(about)
    );
    page.push_str("<noscript><style>.chart,.legend{display:none}</style><aside class=\"callout\">Scripts are off: the charts are not drawn. Every table remains.</aside></noscript>");
    let _ = write!(page, "<nav id=\"contents\" aria-label=\"Contents\" tabindex=\"-1\"><ol>{contents}</ol></nav>{filter}");
    page.push_str(body);
    page.push_str("</main>");
    let _ = write!(page, "<script type=\"application/json\" id=\"prism-data\">{}</script>", json_for_script(&data));
    // The libraries stand here as text and are run by the page's script once the page is
    // painted; the policy admits them by their hashes then too.
    for library in LIBRARIES {
        let _ = write!(page, "<script type=\"text/plain\" class=\"library\">{}</script>", inlined(library));
    }
    let _ = write!(page, "<script>{SCRIPT}</script>");
    page.push_str("</body></html>\n");
    page
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
