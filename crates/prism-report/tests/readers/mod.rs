//! Readers of what the document's renderers write. They share nothing with the renderers: each reads its form as the
//! programs and people do for whom it is.

pub mod grid;
pub mod html;
pub mod text;
