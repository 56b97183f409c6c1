//! Vega, Vega-Lite and Vega-Embed as they were released: the page carries all three, the engine that draws
//! figures as files runs the first two.

/// Vega.
pub const VEGA: &str = include_str!("../assets/vendor/vega.min.js");
/// Vega-Lite.
pub const VEGA_LITE: &str = include_str!("../assets/vendor/vega-lite.min.js");
/// What puts a drawing into a page.
pub const VEGA_EMBED: &str = include_str!("../assets/vendor/vega-embed.min.js");
