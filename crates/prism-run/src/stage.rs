//! The stages of a latent block (method, section 3), and what was fed there.

crate::words! {
    /// Part of a latent block. Single-stage variants have only [`Stage::Target`].
    pub enum Stage, "stage" {
        /// The region's surroundings (box scaled about its centre).
        Context = "context",
        /// Free tokens: no target, no feedback at inference.
        Free = "free",
        /// The annotated region.
        Target = "target",
    }
}

crate::words! {
    /// What a latent was fed when its alignment was measured.
    pub enum Mode, "alignment mode" {
        /// The teacher's embeddings, as in training.
        TeacherForced = "teacher_forced",
        /// The model's own latents, as at inference.
        FreeRunning = "free_running",
    }
}
