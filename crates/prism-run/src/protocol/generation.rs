//! How a method's runner chooses tokens.

use serde::{Deserialize, Serialize};

/// The generation settings that a runner is published with. What is absent is the checkpoint's, where
/// the runner reads that; else transformers' default.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// Whether the runner reads the checkpoint's `generation_config.json`.
    #[serde(default = "yes")]
    pub checkpoint: bool,
    /// Whether it samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub do_sample: Option<bool>,
    /// Divides the logits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Most likely tokens kept; 0 keeps all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_k: Option<usize>,
    /// Share of the probability kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Divides the logits of tokens that stand in the sequence, or multiplies them below 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repetition_penalty: Option<f64>,
}

fn yes() -> bool {
    true
}

impl Default for Published {
    fn default() -> Self {
        Self { checkpoint: true, do_sample: None, temperature: None, top_k: None, top_p: None, repetition_penalty: None }
    }
}

impl Published {
    /// Which key is out of range, if one is.
    pub(super) fn fault(&self) -> Option<&'static str> {
        let positive = |n: Option<f64>| n.is_none_or(|n| n.is_finite() && n > 0.0);
        match self {
            _ if !positive(self.temperature) => Some("generation.temperature"),
            _ if !positive(self.repetition_penalty) => Some("generation.repetition_penalty"),
            _ if !(positive(self.top_p) && self.top_p.is_none_or(|p| p <= 1.0)) => Some("generation.top_p"),
            _ => None,
        }
    }
}
