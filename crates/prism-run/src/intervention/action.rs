//! What an intervention does to the latents: the kinds, apart from where and under which
//! view of the image.
//!
//! Zeroing is not removal (biases still write keys and values for a zero vector), so the
//! ways to take a latent away are told apart:
//!
//! | text | what happens |
//! |---|---|
//! | `zero` | the fed-back vector is 0; the forward is made, its keys and values stay |
//! | `remove` | the steps are not taken: the block never opens, its start token stays |
//! | `evict` | the steps are taken; what follows the block cannot attend to them |
//! | `markers` | start token, then end token, and no step between |
//! | `format` | no block at all: the branch reads what its clean run wrote from the end of the block up to `<answer>` |

use std::fmt;

/// Who gives the latents of a swap. All draws are keyed by seed and example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Donor {
    /// Drawn from the declared pool, never the example itself.
    Random,
    /// The example at this row.
    Row(usize),
    /// From the pool, among examples with the same gold letter and number of options.
    SameAnswer,
    /// From the pool, among examples with another gold letter and the same number of options.
    OtherAnswer,
    /// Another question about the same image.
    SameImage,
    /// The counterfactual partner: the same scene with the one change that changes the answer.
    Counterfactual,
    /// The example itself: the check that the hook changes nothing.
    Itself,
}

impl Donor {
    /// Text of those that have one word.
    pub(super) const NAMED: [(&'static str, Donor); 4] = [
        ("same-answer", Donor::SameAnswer),
        ("other-answer", Donor::OtherAnswer),
        ("same-image", Donor::SameImage),
        ("counterfactual", Donor::Counterfactual),
    ];

    /// Whether it is drawn from the declared pool.
    pub fn is_of_pool(self) -> bool {
        matches!(self, Donor::Random | Donor::SameAnswer | Donor::OtherAnswer)
    }
}

impl fmt::Display for Donor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Donor::Random => f.write_str("random"),
            Donor::Itself => f.write_str("self"),
            Donor::Row(row) => write!(f, "{row}"),
            other => f.write_str(Self::NAMED.iter().find(|(_, donor)| donor == other).map_or("", |(name, _)| name)),
        }
    }
}

/// What is done. Vectors are replaced before the latent forward reads them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Action {
    /// Nothing: the run every delta is measured against.
    Clean,
    /// `h` becomes 0 (the paper calls it `truncate`).
    Zero,
    /// `h + sigma * N(0, I)`, sigma in raw units of the hidden state.
    Noise(f64),
    /// `h + r * sd * N(0, I)`, sd the measured spread of each dimension over the donor pool.
    RelativeNoise(f64),
    /// A random direction with the norm `h` had.
    NormMatched,
    /// The mean of the donor pool's latents at this stage and step.
    Mean,
    /// One vector for all steps and examples: the mean over the pool and its steps.
    Constant,
    /// A draw from a normal distribution with the pool's mean and (shrunk) covariance at this step.
    Draw,
    /// The first latent of the block, again at every step.
    FirstRepeat,
    /// The clean run's latents in reverse order.
    Reversed,
    /// The clean run's latents in an order drawn at random.
    Shuffled,
    /// The donor's clean latents at the same step of the same stage (its last if it ran shorter).
    Swap(Donor),
    /// `(1 - share) * h + share * donor`.
    Mix {
        /// The donor's share, from 0 to 1.
        share: f64,
        /// Who gives.
        donor: Donor,
    },
    /// The teacher targets of the annotated region, in the order of training.
    Oracle,
    /// The targets of a region of the same size elsewhere in the image.
    WrongOracle,
    /// The teacher targets for the first steps of a stage, then the model's own latents.
    Forced(usize),
    /// The steps are not taken.
    Remove,
    /// The steps are taken, and hidden from what follows the block.
    Evict,
    /// Start and end token, no step.
    Markers,
    /// Neither block nor markers.
    Format,
}

impl Action {
    /// The family, without parameters: the first word of the text.
    pub fn kind(self) -> &'static str {
        match self {
            Action::Clean => "clean",
            Action::Zero => "zero",
            Action::Noise(_) => "noise",
            Action::RelativeNoise(_) => "relative",
            Action::NormMatched => "norm-matched",
            Action::Mean => "mean",
            Action::Constant => "constant",
            Action::Draw => "draw",
            Action::FirstRepeat => "first",
            Action::Reversed => "reversed",
            Action::Shuffled => "shuffled",
            Action::Swap(Donor::Itself) => "sham",
            Action::Swap(_) => "swap",
            Action::Mix { .. } => "mix",
            Action::Oracle => "oracle",
            Action::WrongOracle => "oracle-other",
            Action::Forced(_) => "forced",
            Action::Remove => "remove",
            Action::Evict => "evict",
            Action::Markers => "markers",
            Action::Format => "format",
        }
    }

    /// Who gives latents, if somebody does.
    pub fn donor(self) -> Option<Donor> {
        match self {
            Action::Swap(donor) | Action::Mix { donor, .. } => Some(donor),
            _ => None,
        }
    }

    /// Whether it needs the statistics of the pool's latents.
    pub fn needs_pool_statistics(self) -> bool {
        matches!(self, Action::RelativeNoise(_) | Action::Mean | Action::Constant | Action::Draw)
    }

    /// Whether it is made from the example's own clean run, which must come first.
    pub fn needs_own_clean(self) -> bool {
        matches!(self.donor(), Some(Donor::Itself)) || matches!(self, Action::Reversed | Action::Shuffled | Action::Format)
    }

    /// Whether it reads the teacher targets (the example needs boxes).
    pub fn needs_targets(self) -> bool {
        matches!(self, Action::Oracle | Action::WrongOracle | Action::Forced(_))
    }

    /// Whether it takes the latent steps out of the sequence, so that none is expected.
    pub fn skips_block(self) -> bool {
        matches!(self, Action::Remove | Action::Markers | Action::Format)
    }

    /// Whether it replaces vectors, so that stage, steps and layer can be told.
    pub fn replaces(self) -> bool {
        !self.skips_block() && !matches!(self, Action::Clean | Action::Evict)
    }

    /// Whether it can replace the input of a layer: what needs nothing but the vector there.
    pub fn works_at_layer(self) -> bool {
        matches!(self, Action::Zero | Action::Noise(_) | Action::NormMatched | Action::FirstRepeat)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind();
        match self {
            Action::Noise(amount) | Action::RelativeNoise(amount) => write!(f, "{kind}:{amount}"),
            Action::Forced(steps) => write!(f, "{kind}:{steps}"),
            Action::Swap(Donor::Random | Donor::Itself) => f.write_str(kind),
            Action::Swap(donor) => write!(f, "{kind}:{donor}"),
            Action::Mix { share, donor: Donor::Random } => write!(f, "{kind}:{share}"),
            Action::Mix { share, donor } => write!(f, "{kind}:{share}:{donor}"),
            _ => f.write_str(kind),
        }
    }
}
