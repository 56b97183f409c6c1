//! How an example ended: exactly one outcome each.

crate::words! {
    /// The end of one example under one intervention.
    pub enum Outcome, "outcome" {
        /// An answer was parsed and compared with the label.
        Scored = "scored",
        /// The latent block ran, but no option letter could be parsed (counts as wrong).
        NoAnswer = "no_answer",
        /// The latent block never opened: interventions on it are silent no-ops.
        NoLatents = "no_latents",
        /// The example could not be run; the message is in its row.
        Error = "error",
    }
}
