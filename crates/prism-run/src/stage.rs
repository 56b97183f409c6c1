//! The stages of a latent block (method, section 3).

use serde::{Deserialize, Serialize};

/// Part of a latent block. Single-stage variants have only [`Stage::Target`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The region's surroundings (box scaled about its centre).
    Context,
    /// Free tokens: no target, no feedback at inference.
    Free,
    /// The annotated region.
    Target,
}

impl Stage {
    /// The word used in files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Context => "context",
            Stage::Free => "free",
            Stage::Target => "target",
        }
    }

    /// The stage of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "context" => Some(Stage::Context),
            "free" => Some(Stage::Free),
            "target" => Some(Stage::Target),
            _ => None,
        }
    }
}
