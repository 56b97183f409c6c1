//! How an example ended: exactly one outcome each, and a cause where it could not be run.

pub mod failures;

pub use failures::Failure;

crate::words! {
    /// The end of one example under one intervention.
    pub enum Outcome, "outcome" {
        /// An answer was parsed and compared with the label.
        Scored = "scored",
        /// The latent block ran, but no option letter could be parsed (counts as wrong).
        NoAnswer = "no_answer",
        /// The latent block never opened: interventions on it are silent no-ops.
        NoLatents = "no_latents",
        /// The example could not be run; its row has the cause and the message.
        Error = "error",
    }
}

crate::words! {
    /// Why an example could not be run.
    pub enum Cause, "cause" {
        /// There is no image file of that name.
        ImageAbsent = "image_absent",
        /// The system refuses to read the image file.
        ImageUnreadable = "image_unreadable",
        /// The image file is broken, or of a kind that is not read.
        ImageUndecodable = "image_undecodable",
        /// The image has more bytes or pixels than are accepted.
        ImageTooLarge = "image_too_large",
        /// The image has no pixels, or sides too different to be resized.
        ImageShape = "image_shape",
        /// No prompt can be made of the question and its images.
        PromptUnfit = "prompt_unfit",
        /// The accelerator refused: most often its memory is full.
        DeviceRefused = "device_refused",
        /// The model's own arithmetic failed.
        ModelFailed = "model_failed",
        /// Something else. Records of before causes were kept say no more.
        Other = "other_cause",
    }
}
