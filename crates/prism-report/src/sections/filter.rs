//! The bar that narrows the page to one variant, one intervention or one example. It stands
//! hidden until the page's script, which does the work, shows it.

use maud::{Markup, html};
use prism_run::Intervention;

use super::swatch;
use crate::charts::theme::VariantStyle;
use crate::document::html::Safe;
use crate::study::Study;

/// The bar over all benchmarks of the page.
pub fn html(study: &Study) -> Markup {
    let audited = |index: usize| study.parts.iter().any(|part| part.variants().contains(&index));
    let variants: Vec<&VariantStyle> =
        study.variants.iter().enumerate().filter(|(index, _)| audited(*index)).map(|(_, style)| style).collect();
    let mut interventions: Vec<Intervention> = Vec::new();
    for intervention in study.parts.iter().flat_map(|part| part.interventions()) {
        if !interventions.contains(&intervention) {
            interventions.push(intervention);
        }
    }
    html! {
        form.filter #filter aria-label="Narrow the page" hidden {
            div.chips role="group" aria-label="Variant" {
                @for style in variants {
                    button.chip type="button" data-pick-variant=(Safe(&style.id)) aria-pressed="false" {
                        (swatch(style)) (Safe(&style.name))
                    }
                }
            }
            label for="filter-intervention" { "Intervention" }
            " "
            select #filter-intervention {
                option value="" { "all" }
                @for intervention in &interventions { option value=(intervention) { (intervention) } }
            }
            " "
            button.reset #filter-reset type="button" disabled { "Show all" }
            p.status #filter-status role="status" {}
        }
    }
}
