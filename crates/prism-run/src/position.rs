//! The probe positions of the method's section 6.

use serde::{Deserialize, Serialize};

/// Where in the decode a hidden state (last layer, after the final norm) is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// (a) the forward that produces the first token after `<answer>`.
    AnswerState,
    /// (b) the last latent forward of the target stage (context if none ran).
    LatentLast,
    /// (c) mean over those latent forwards.
    LatentMean,
    /// The last latent forward of the context stage.
    ContextLast,
    /// Mean over the latent forwards of the context stage.
    ContextMean,
    /// Mean prefill state over the user turn's text tokens.
    QuestionMean,
    /// Mean prefill state over the image tokens.
    VisualMean,
}

impl Position {
    /// Every position, in the order tables list them.
    pub const ALL: [Position; 7] = [
        Position::AnswerState,
        Position::LatentLast,
        Position::LatentMean,
        Position::ContextLast,
        Position::ContextMean,
        Position::QuestionMean,
        Position::VisualMean,
    ];

    /// The word used in files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Position::AnswerState => "answer_state",
            Position::LatentLast => "latent_last",
            Position::LatentMean => "latent_mean",
            Position::ContextLast => "context_last",
            Position::ContextMean => "context_mean",
            Position::QuestionMean => "question_mean",
            Position::VisualMean => "visual_mean",
        }
    }

    /// The paper's letter or word for it.
    pub fn paper_name(self) -> &'static str {
        match self {
            Position::AnswerState => "(a)",
            Position::LatentLast => "(b)",
            Position::LatentMean => "(c)",
            Position::ContextLast => "b_ctx",
            Position::ContextMean => "c_ctx",
            Position::QuestionMean => "question mean",
            Position::VisualMean => "visual mean",
        }
    }

    /// The position of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.name() == name)
    }
}
