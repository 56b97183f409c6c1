//! The words of a verdict. Two questions are asked of a run, and never mixed: is what the
//! latents say used ([`Content`]), and is the block needed ([`Need`])? [`Verdict`] is the run's
//! one word; [`Effect`] is what one intervention shows. The rule that gives them is in
//! `prism-audit`.

crate::words! {
    /// What one intervention shows.
    pub enum Effect, "effect" {
        /// The share of answers whose letter or parse state changes is below the margin (upper bound).
        Unchanged = "unchanged",
        /// Accuracy and choice are equivalent within the margin, though answers change.
        Equivalent = "equivalent",
        /// Accuracy falls, and the choice with it.
        Loses = "loses",
        /// Accuracy rises, and the choice with it.
        Gains = "gains",
        /// Accuracy falls because answers cannot be parsed any more; the choice is equivalent.
        BreaksForm = "breaks the form",
        /// None of these is shown.
        Undecided = "undecided",
        /// What was put in hardly differs from what was there.
        TooWeak = "too weak",
        /// There is nothing it could be compared with, or nothing it could do.
        NotDefined = "not defined",
        /// The block never opened.
        NoLatents = "no latents ran",
    }
}

crate::words! {
    /// The first question: is what the latents say used?
    pub enum Content, "content" {
        /// Foreign content costs accuracy.
        Used = "used",
        /// Foreign content raises accuracy.
        Misleading = "misleading",
        /// No decisive exchange changes as many answers as the margin.
        NotUsed = "not used",
        /// Answers change, accuracy and choice stay equivalent.
        WithoutNetEffect = "used without net effect",
        /// Overall not used or without net effect, and a declared category loses.
        InPart = "used in part",
        /// None of these is shown.
        Undecided = "undecided",
        /// The block never opened.
        NoLatents = "no latents ran",
        /// A control changed something.
        InstrumentFault = "instrument fault",
    }
}

crate::words! {
    /// The second question: is the block needed?
    pub enum Need, "need" {
        /// Without it accuracy falls by at least the margin, the choice included.
        Needed = "needed",
        /// Without it answers cannot be parsed; the choice is equivalent.
        OnlyForm = "only its form",
        /// Without it accuracy rises by at least the margin.
        InTheWay = "in the way",
        /// Without it accuracy is equivalent.
        Indifferent = "indifferent",
        /// The block cannot be left out, or was not.
        NotDefined = "not defined",
        /// None of these is shown.
        Undecided = "undecided",
        /// The block never opened.
        NoLatents = "no latents ran",
        /// A control changed something.
        InstrumentFault = "instrument fault",
    }
}

crate::words! {
    /// The run's word: the answer to the first question.
    pub enum Verdict, "verdict" {
        /// What the latents say is used, and accuracy needs it.
        LoadBearing = "load-bearing",
        /// What they say is used, and it does harm.
        Misleading = "misleading",
        /// What they say is not used.
        Bypassed = "bypassed",
        /// What they say changes answers, without gain or loss.
        WithoutNetEffect = "without net effect",
        /// A declared category needs it; the whole does not show it.
        InPart = "in part",
        /// The evidence decides nothing.
        Undecided = "undecided",
        /// The block never opened.
        NoLatents = "no latents ran",
        /// A control changed something: nothing can be said.
        InstrumentFault = "instrument fault",
    }
}

impl From<Content> for Verdict {
    fn from(content: Content) -> Self {
        match content {
            Content::Used => Verdict::LoadBearing,
            Content::Misleading => Verdict::Misleading,
            Content::NotUsed => Verdict::Bypassed,
            Content::WithoutNetEffect => Verdict::WithoutNetEffect,
            Content::InPart => Verdict::InPart,
            Content::Undecided => Verdict::Undecided,
            Content::NoLatents => Verdict::NoLatents,
            Content::InstrumentFault => Verdict::InstrumentFault,
        }
    }
}

crate::words! {
    /// Tests that are adjusted together.
    pub enum Family, "family" {
        /// The declared content set: the first question.
        Content = "content",
        /// The declared presence set: the second question.
        Presence = "presence",
        /// Everything else, one family for each view of the image; it explains and decides nothing.
        Explanatory = "explanatory",
    }
}

crate::words! {
    /// What goes from one cell of the crossing to another.
    pub enum Change, "change" {
        /// From the base as it is to the variant as it is.
        Gain = "gain",
        /// The variant's text without the block, instead of the base's own.
        Form = "form",
        /// The variant's weights instead of the base's.
        Weights = "weights",
        /// A block whose latents are left as the markers' embeddings, instead of none.
        Markers = "markers",
        /// The variant's latents instead of the markers.
        Latents = "latents",
        /// The variant's latents instead of the base's.
        Source = "source",
        /// The base's latents instead of the markers.
        Untrained = "untrained",
        /// The targets themselves as latents.
        Oracle = "oracle",
        /// A difference of two such differences.
        Interaction = "interaction",
    }
}

crate::words! {
    /// What the tests of a change show.
    pub enum Shown, "result of a test" {
        /// The two cells differ (Holm).
        Differs = "differs",
        /// They are equivalent within the margin.
        Equivalent = "equivalent",
        /// Neither is shown.
        Undecided = "undecided",
    }
}

crate::words! {
    /// What is graded, and the unit of its amounts.
    pub enum DoseFamily, "family of doses" {
        /// A share of a donor's latents.
        Mix = "mix",
        /// Standard deviation of the noise, per dimension.
        Noise = "noise",
        /// The same as a share of the measured spread.
        Relative = "relative",
    }
}
