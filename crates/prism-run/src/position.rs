//! The probe positions of the method's section 6.

crate::words! {
    /// Where in the decode a hidden state (last layer, after the final norm) is read.
    pub enum Position, "probe position" {
        /// (a) the forward that produces the first token after `<answer>`.
        AnswerState = "answer_state",
        /// (b) the last latent forward of the target stage (context if none ran).
        LatentLast = "latent_last",
        /// (c) mean over those latent forwards.
        LatentMean = "latent_mean",
        /// The last latent forward of the context stage.
        ContextLast = "context_last",
        /// Mean over the latent forwards of the context stage.
        ContextMean = "context_mean",
        /// Mean prefill state over the user turn's text tokens.
        QuestionMean = "question_mean",
        /// Mean prefill state over the image tokens.
        VisualMean = "visual_mean",
    }
}

impl Position {
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
}
