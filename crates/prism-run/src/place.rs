//! Places in a decode that tables have rows for: forwards that are looked at, clouds of vectors,
//! and how far a change of the image has come.

use crate::Stage;

crate::words! {
    /// A forward of the clean run that is looked at: a latent step's, by its stage, or the answer's.
    pub enum NotedAt, "place" {
        /// A latent forward of the context stage.
        Context = "context",
        /// A forward of the free stage.
        Free = "free",
        /// A latent forward of the target stage.
        Target = "target",
        /// The forward that produces the answer token.
        Answer = "answer",
    }
}

impl From<Stage> for NotedAt {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Context => NotedAt::Context,
            Stage::Free => NotedAt::Free,
            Stage::Target => NotedAt::Target,
        }
    }
}

impl NotedAt {
    /// The stage; `None` for the answer.
    pub fn stage(self) -> Option<Stage> {
        match self {
            NotedAt::Context => Some(Stage::Context),
            NotedAt::Free => Some(Stage::Free),
            NotedAt::Target => Some(Stage::Target),
            NotedAt::Answer => None,
        }
    }
}

crate::words! {
    /// A cloud of vectors over the examples.
    pub enum Cloud, "mode" {
        /// Latents as decoded.
        FreeRunning = "free_running",
        /// Latents at the teacher's inputs.
        TeacherForced = "teacher_forced",
        /// What they are trained towards.
        TeacherTarget = "teacher_target",
    }
}

impl Cloud {
    /// First word of the names of its vectors in the records.
    pub fn prefix(self) -> &'static str {
        match self {
            Cloud::FreeRunning => "fed",
            Cloud::TeacherForced => "forced",
            Cloud::TeacherTarget => "teacher",
        }
    }

    /// The cloud that a vector of this name is in, from the name's first word.
    pub fn of(name: &str) -> Option<Cloud> {
        let first = name.split_once('.')?.0;
        Self::ALL.into_iter().find(|cloud| cloud.prefix() == first)
    }

    /// Cloud, stage and step of a vector called `PREFIX.STAGE.STEP`.
    pub fn step(name: &str) -> Option<(Cloud, Stage, usize)> {
        let (_, rest) = name.split_once('.')?;
        let (stage, step) = rest.split_once('.')?;
        Some((Self::of(name)?, Stage::from_name(stage)?, step.parse().ok()?))
    }
}

crate::words! {
    /// How far from the image a change has come.
    pub enum ArrivesAt, "place" {
        /// Mean state over the image tokens.
        Visual = "visual_mean",
        /// Mean state over the question's tokens.
        Question = "question_mean",
        /// A latent step of the context stage.
        Context = "context",
        /// A step of the free stage.
        Free = "free",
        /// A latent step of the target stage.
        Target = "target",
        /// The state that produces the answer.
        AnswerState = "answer_state",
        /// The answer itself.
        Answer = "answer",
    }
}

impl From<Stage> for ArrivesAt {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Context => ArrivesAt::Context,
            Stage::Free => ArrivesAt::Free,
            Stage::Target => ArrivesAt::Target,
        }
    }
}
