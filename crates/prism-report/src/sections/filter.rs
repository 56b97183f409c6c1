//! The bar that narrows the page to one variant, one intervention or one example. It stands
//! hidden until the page's script, which does the work, shows it.

use std::fmt::Write;

use prism_run::Intervention;

use super::swatch;
use crate::html::escape;
use crate::study::Study;

/// The bar over all benchmarks of the page.
pub fn html(study: &Study) -> String {
    let mut out = String::from(
        "<form id=\"filter\" class=\"filter\" aria-label=\"Narrow the page\" hidden><div class=\"chips\" role=\"group\" aria-label=\"Variant\">",
    );
    for (index, style) in study.variants.iter().enumerate() {
        if study.parts.iter().all(|p| !p.variants().contains(&index)) {
            continue;
        }
        let _ = write!(
            out,
            "<button type=\"button\" class=\"chip\" data-pick-variant=\"{}\" aria-pressed=\"false\">{}{}</button>",
            escape(&style.id),
            swatch(style),
            escape(&style.name)
        );
    }
    out.push_str(
        "</div><label for=\"filter-intervention\">Intervention</label> <select id=\"filter-intervention\"><option value=\"\">all</option>",
    );
    let mut seen: Vec<Intervention> = Vec::new();
    for intervention in study.parts.iter().flat_map(|p| p.interventions()) {
        if !seen.contains(&intervention) {
            let _ = write!(out, "<option value=\"{intervention}\">{intervention}</option>");
            seen.push(intervention);
        }
    }
    out.push_str(
        "</select> <button type=\"button\" id=\"filter-reset\" class=\"reset\" disabled>Show all</button><p id=\"filter-status\" class=\"status\" role=\"status\"></p></form>",
    );
    out
}
