//! When a latent block is left (method, section 4).
//!
//! The published code knows three ways. `steps`: after K forwards. `latent`: when the
//! fed-back vector comes close to a learned end embedding. `token`: when the argmax is
//! the block's end token. The last two are capped here, so that no block is endless.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Threshold of [`Exit::Latent`] where none is given: the published code's, whatever the criterion.
pub const THRESHOLD: f64 = 0.02;

/// The three ways out, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExitKind {
    /// After the block's length.
    Steps,
    /// Near the end embedding, or at the cap.
    Latent,
    /// At the end token, or at the cap.
    Token,
}

impl ExitKind {
    /// The word used in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Steps => "steps",
            Self::Latent => "latent",
            Self::Token => "token",
        }
    }
}

impl std::str::FromStr for ExitKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        [Self::Steps, Self::Latent, Self::Token].into_iter().find(|kind| kind.name() == text).ok_or_else(|| Error::Value {
            what: "exit",
            value: text.into(),
            cause: "is not known".into(),
            remedy: "use steps, latent or token".into(),
        })
    }
}

/// How far a vector is from the end embedding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Criterion {
    /// Mean squared difference.
    Mse,
    /// Mean absolute difference.
    Mae,
    /// `1 - cosine`.
    Cosine,
}

/// Norms below this count as this, as in PyTorch's `cosine_similarity`.
const SMALLEST_NORM: f64 = 1e-8;

impl Criterion {
    /// The word used in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mse => "mse",
            Self::Mae => "mae",
            Self::Cosine => "cosine",
        }
    }

    /// The distance of two vectors of one length, in f64.
    pub fn distance(self, a: &[f32], b: &[f32]) -> f64 {
        let pairs = || a.iter().zip(b).map(|(&a, &b)| (f64::from(a), f64::from(b)));
        let count = a.len().max(1) as f64;
        match self {
            Self::Mse => pairs().map(|(a, b)| (a - b).powi(2)).sum::<f64>() / count,
            Self::Mae => pairs().map(|(a, b)| (a - b).abs()).sum::<f64>() / count,
            Self::Cosine => {
                let norm = |squares: f64| squares.sqrt().max(SMALLEST_NORM);
                let dot: f64 = pairs().map(|(a, b)| a * b).sum();
                1.0 - dot / (norm(pairs().map(|(a, _)| a * a).sum()) * norm(pairs().map(|(_, b)| b * b).sum()))
            }
        }
    }
}

impl std::str::FromStr for Criterion {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        [Self::Mse, Self::Mae, Self::Cosine].into_iter().find(|criterion| criterion.name() == text).ok_or_else(|| Error::Value {
            what: "exit criterion",
            value: text.into(),
            cause: "is not known".into(),
            remedy: "use mse, mae or cosine".into(),
        })
    }
}

/// A declared exit.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Exit {
    /// After the block's length.
    #[default]
    Steps,
    /// When the vector that the forward read, as the model made it, was nearer to the
    /// end embedding than the threshold.
    Latent {
        /// The distance.
        criterion: Criterion,
        /// Left when strictly below.
        threshold: f64,
        /// Most forwards of a block; absent: the block's length.
        cap: Option<usize>,
    },
    /// When the argmax is the block's end token.
    Token {
        /// Most forwards of a block; absent: the block's length.
        cap: Option<usize>,
    },
}

impl Exit {
    /// Its kind.
    pub fn kind(self) -> ExitKind {
        match self {
            Self::Steps => ExitKind::Steps,
            Self::Latent { .. } => ExitKind::Latent,
            Self::Token { .. } => ExitKind::Token,
        }
    }

    /// The declared cap.
    pub fn cap(self) -> Option<usize> {
        match self {
            Self::Steps => None,
            Self::Latent { cap, .. } | Self::Token { cap } => cap,
        }
    }
}

/// What is asked of the exit; what is left out is the protocol's.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ExitChoice {
    /// Which way out.
    pub kind: Option<ExitKind>,
    /// Distance of [`ExitKind::Latent`].
    pub criterion: Option<Criterion>,
    /// Its threshold.
    pub threshold: Option<f64>,
    /// Cap of [`ExitKind::Latent`] and [`ExitKind::Token`].
    pub cap: Option<usize>,
}

impl ExitChoice {
    /// The exit, where all is said: `criterion` defaults to `mse`, `threshold` to [`THRESHOLD`].
    ///
    /// # Errors
    /// [`Error::Value`] when a part does not go with the kind, or is out of range.
    pub fn resolve(self) -> Result<Exit> {
        let kind = self.kind.unwrap_or(ExitKind::Steps);
        let refuse = |cause: &str, remedy: &str| {
            Err(Error::Value { what: "exit", value: kind.name().into(), cause: cause.into(), remedy: remedy.into() })
        };
        if kind != ExitKind::Latent && (self.criterion.is_some() || self.threshold.is_some()) {
            return refuse("looks at no distance", "take criterion and threshold out, or choose the exit latent");
        }
        if kind == ExitKind::Steps && self.cap.is_some() {
            return refuse("has its length for a cap", "take the cap out and set the steps, or choose the exit latent or token");
        }
        if self.cap.is_some_and(|cap| !(1..=super::LONGEST).contains(&cap)) {
            return refuse("has a cap out of range", &format!("give a whole number from 1 to {}", super::LONGEST));
        }
        if self.threshold.is_some_and(|threshold| !(threshold.is_finite() && threshold > 0.0)) {
            return refuse("has a threshold out of range", "give a finite number above 0");
        }
        Ok(match kind {
            ExitKind::Steps => Exit::Steps,
            ExitKind::Latent => Exit::Latent {
                criterion: self.criterion.unwrap_or(Criterion::Mse),
                threshold: self.threshold.unwrap_or(THRESHOLD),
                cap: self.cap,
            },
            ExitKind::Token => Exit::Token { cap: self.cap },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_by_hand() {
        let (a, b) = ([1.0, 2.0, 2.0], [1.0, 0.0, 5.0]);
        assert_eq!(Criterion::Mse.distance(&a, &b), 13.0 / 3.0);
        assert_eq!(Criterion::Mae.distance(&a, &b), 5.0 / 3.0);
        let cosine = 11.0 / (3.0 * 26f64.sqrt());
        assert!((Criterion::Cosine.distance(&a, &b) - (1.0 - cosine)).abs() < 1e-15);
        assert_eq!(Criterion::Cosine.distance(&[0.0; 3], &b), 1.0);
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        let choice = |kind| ExitChoice { kind: Some(kind), ..ExitChoice::default() };
        let latent = Exit::Latent { criterion: Criterion::Mse, threshold: 0.02, cap: None };
        assert_eq!(choice(ExitKind::Latent).resolve().unwrap(), latent);
        for (bad, word) in [
            (ExitChoice { threshold: Some(0.1), ..choice(ExitKind::Token) }, "distance"),
            (ExitChoice { criterion: Some(Criterion::Mae), ..choice(ExitKind::Steps) }, "distance"),
            (ExitChoice { cap: Some(3), ..ExitChoice::default() }, "cap"),
            (ExitChoice { cap: Some(0), ..choice(ExitKind::Token) }, "range"),
            (ExitChoice { threshold: Some(0.0), ..choice(ExitKind::Latent) }, "threshold"),
            (ExitChoice { threshold: Some(f64::NAN), ..choice(ExitKind::Latent) }, "threshold"),
        ] {
            let message = bad.resolve().unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        }
        assert!("soon".parse::<ExitKind>().is_err() && "l2".parse::<Criterion>().is_err());
    }
}
