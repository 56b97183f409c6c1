//! What the page does not speak of, because nothing was measured, and what would measure it.

use std::fmt::Write;

use super::Builder;
use crate::html::escape;

/// The section; empty when everything was measured.
pub fn section(builder: &mut Builder) -> String {
    if builder.not_measured.is_empty() {
        return String::new();
    }
    let mut list = String::from("<p>An absent section is no finding.</p><dl class=\"not-measured plain\">");
    for (heading, reason) in &builder.not_measured {
        let _ = write!(list, "<dt>{}</dt><dd>{}</dd>", escape(heading), escape(reason));
    }
    list.push_str("</dl>");
    builder.section("not-measured", "Not measured", &list)
}
