//! What the positions of a sequence may see of its image and of its latents: open, or
//! one of the two controls that prove an instrument can say yes and no.
//!
//! A checkpoint carries its sight in `config.json` (`latent_sight`); training and
//! inference obey it alike.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;

/// Which keys attention may reach, beyond causality.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sight {
    /// Every token before.
    #[default]
    Open,
    /// Positive control. Keys of image tokens are visible to image tokens and to the
    /// block's start token only, and the start token's own key to itself only: what is
    /// known of the image behind the start token came through the fed-back latents.
    Bottleneck,
    /// Negative control. Keys of latent positions are hidden from everything after the
    /// block; latents see each other and everything before.
    Blindfold,
}

impl Sight {
    /// All of them.
    pub const ALL: [Sight; 3] = [Sight::Open, Sight::Bottleneck, Sight::Blindfold];

    /// The word used in files.
    pub fn name(self) -> &'static str {
        match self {
            Sight::Open => "open",
            Sight::Bottleneck => "bottleneck",
            Sight::Blindfold => "blindfold",
        }
    }

    /// Whether nothing is hidden.
    pub fn is_open(&self) -> bool {
        *self == Sight::Open
    }
}

impl fmt::Display for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Sight {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|sight| sight.name() == text).ok_or_else(|| Error::Value {
            what: "sight",
            value: text.into(),
            cause: "is not known".into(),
            remedy: "give open, bottleneck or blindfold".into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_go_there_and_back() {
        for sight in Sight::ALL {
            assert_eq!(sight.to_string().parse::<Sight>().unwrap(), sight);
            assert_eq!(serde_json::to_value(sight).unwrap(), sight.name());
        }
        assert!("closed".parse::<Sight>().unwrap_err().to_string().contains("bottleneck"));
    }
}
