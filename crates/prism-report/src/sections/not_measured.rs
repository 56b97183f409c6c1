//! What the page does not speak of, because nothing was measured, and what would measure it.

use super::Builder;
use crate::document::{Block, Prose, Section};

/// The section; nothing where everything was measured.
pub fn section(builder: &Builder) -> Option<Section> {
    if builder.not_measured.is_empty() {
        return None;
    }
    let term = |(heading, reason): &(String, Prose)| (Prose::plain(heading.clone()), reason.clone());
    let terms = Block::Terms(builder.not_measured.iter().map(term).collect());
    Some(Section::new("not-measured", "Not measured").with("An absent section is no finding.").with(terms))
}
