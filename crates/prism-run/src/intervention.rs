//! What is done to the fed-back latent at inference (method, section 7).
//!
//! One enum, one textual form (`zero`, `noise:0.3`, `swap`), used on the command
//! line, in recipes and in tables.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;

/// Replacement of the latents at inference. Applied before every latent forward
/// reads the vector `h` that was fed back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Intervention {
    /// Nothing is replaced: the run every delta is measured against.
    Clean,
    /// `h` becomes 0 (the paper calls it `truncate`).
    Zero,
    /// `h + sigma * N(0, I)`, sigma in raw units of the hidden state.
    Noise(f64),
    /// The vector another example had at the same step of the same stage in its
    /// clean run (its last one if it ran shorter). The donor is drawn from a
    /// declared pool and never the example itself.
    Swap,
    /// [`Intervention::Swap`] with the example at this row as donor.
    SwapWith(usize),
    /// Swap with itself: the check that the hook changes nothing.
    Sham,
}

impl Intervention {
    /// The six branches of the paper's corruption table, in its order.
    pub fn paper_six() -> Vec<Self> {
        vec![Self::Clean, Self::Zero, Self::Noise(0.1), Self::Noise(0.3), Self::Noise(1.0), Self::Swap]
    }

    /// The family, without parameters: `clean`, `zero`, `noise`, `swap`, `sham`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Zero => "zero",
            Self::Noise(_) => "noise",
            Self::Swap | Self::SwapWith(_) => "swap",
            Self::Sham => "sham",
        }
    }

    /// Whether its vectors come from a clean run (which must then run first or beside it).
    pub fn needs_donor(&self) -> bool {
        matches!(self, Self::Swap | Self::SwapWith(_) | Self::Sham)
    }
}

impl fmt::Display for Intervention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Noise(sigma) => write!(f, "noise:{sigma}"),
            Self::SwapWith(row) => write!(f, "swap:{row}"),
            other => f.write_str(other.kind()),
        }
    }
}

impl FromStr for Intervention {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refuse = |cause: &str| Error::Value {
            what: "intervention",
            value: text.to_string(),
            cause: cause.to_string(),
            remedy: "use clean, zero (or truncate), noise:SIGMA, swap, swap:ROW or sham".into(),
        };
        match text.split_once(':') {
            None => match text {
                "clean" => Ok(Self::Clean),
                "zero" | "truncate" => Ok(Self::Zero),
                "swap" => Ok(Self::Swap),
                "sham" => Ok(Self::Sham),
                "noise" => Err(refuse("lacks its sigma")),
                _ => Err(refuse("is not known")),
            },
            Some(("noise", sigma)) => match sigma.parse::<f64>() {
                Ok(s) if s.is_finite() && s >= 0.0 => Ok(Self::Noise(s)),
                _ => Err(refuse("needs a finite sigma of at least 0")),
            },
            Some(("swap", row)) => row.parse().map(Self::SwapWith).map_err(|_| refuse("needs the donor's row, a whole number")),
            Some(_) => Err(refuse("is not known")),
        }
    }
}

impl TryFrom<String> for Intervention {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Intervention> for String {
    fn from(value: Intervention) -> Self {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_survives_a_round_trip() {
        for text in ["clean", "zero", "noise:0.1", "noise:1", "swap", "swap:7", "sham"] {
            assert_eq!(text.parse::<Intervention>().unwrap().to_string(), text);
        }
        assert_eq!("truncate".parse::<Intervention>().unwrap(), Intervention::Zero);
    }

    #[test]
    fn nonsense_is_refused_with_the_accepted_forms() {
        for text in ["", "noise", "noise:-1", "noise:nan", "swap:x", "zeros"] {
            let message = text.parse::<Intervention>().unwrap_err().to_string();
            assert!(message.contains("noise:SIGMA"), "{message}");
        }
    }
}
