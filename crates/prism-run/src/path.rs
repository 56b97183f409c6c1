//! Cells of the crossing of weights and latents (`prism paths`): whose weights run, and
//! what stands at the latent positions.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

crate::words! {
    /// Whose weights.
    pub enum Weights, "owner of weights" {
        /// Those training started from.
        Base = "base",
        /// Those it ended with.
        Variant = "variant",
    }
}

crate::words! {
    /// What stands at the latent positions.
    pub enum Source, "source of latents" {
        /// No position at all: the block is left out of what is replayed, its start and end tokens too.
        None = "none",
        /// Every token that is replayed, the block's start and end tokens too, and no vector.
        Markers = "markers",
        /// What the base's own states feed back.
        Base = "base",
        /// What the variant fed back in its clean run.
        Variant = "variant",
        /// The teacher targets of the question's box.
        Oracle = "oracle",
        /// Nothing is replayed: the checkpoint runs as it is, with the latents it makes, if it makes any.
        Free = "free",
    }
}

impl Source {
    /// The columns of the crossing; [`Source::Free`] stands beside it.
    pub const CROSSED: [Source; 5] = [Source::None, Source::Markers, Source::Base, Source::Variant, Source::Oracle];

    /// Whether a block's start token is replayed.
    pub fn has_block(self) -> bool {
        self.has_latents() || self == Source::Markers
    }

    /// Whether vectors stand at latent positions that are replayed.
    pub fn has_latents(self) -> bool {
        matches!(self, Source::Base | Source::Variant | Source::Oracle)
    }
}

/// One cell: `WEIGHTS/LATENTS`, e.g. `base/oracle`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PathCell {
    /// Whose weights run.
    pub weights: Weights,
    /// What stands at the latent positions.
    pub latents: Source,
}

impl PathCell {
    /// The cell of these weights and latents.
    pub const fn of(weights: Weights, latents: Source) -> Self {
        Self { weights, latents }
    }

    /// All twelve, base first: as it is, then the columns of the crossing.
    pub fn all() -> impl Iterator<Item = PathCell> {
        let sources = || std::iter::once(Source::Free).chain(Source::CROSSED);
        Weights::ALL.into_iter().flat_map(move |weights| sources().map(move |latents| PathCell { weights, latents }))
    }
}

impl fmt::Display for PathCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.weights.name(), self.latents.name())
    }
}

impl FromStr for PathCell {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::all().find(|cell| cell.to_string() == text).ok_or_else(|| format!("`{text}` is no cell of weights and latents"))
    }
}

crate::text_cells!(PathCell);

impl TryFrom<String> for PathCell {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<PathCell> for String {
    fn from(cell: PathCell) -> Self {
        cell.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_has_one_name() {
        let names: Vec<String> = PathCell::all().map(|cell| cell.to_string()).collect();
        assert_eq!((names.len(), names[0].as_str(), names[11].as_str()), (12, "base/free", "variant/oracle"));
        assert!(PathCell::all().zip(&names).all(|(cell, name)| name.parse() == Ok(cell)));
        assert!("base/else".parse::<PathCell>().is_err());
    }
}
