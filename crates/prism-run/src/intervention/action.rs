//! What an intervention does to the latents, apart from where and under which view of the
//! image. The list below is the one place an action is declared: its name, class, role, where it
//! takes hold, what it needs, and its description; `docs/concepts/interventions.md` explains them.

use std::fmt;

use super::argument::{Argument, Donor, Mixture};
use super::class::{Class, Role};

/// Where an action takes hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// Nowhere.
    Nowhere,
    /// At a vector, and it needs nothing but that vector: the one a latent forward reads, or one inside the model.
    AnyLayer,
    /// At the vectors that latent forwards read.
    Vectors,
    /// At the keys and values of the latent positions.
    KeysValues,
    /// At the block: none, or none of its steps, is left.
    Block,
    /// At what the positions behind the block see.
    Sight,
}

/// What must be known before an action can be done, the latents of a donor apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    /// Nothing.
    Nothing,
    /// The example's own clean run.
    OwnClean,
    /// The statistics of the pool's latents.
    Pool,
    /// The teacher targets.
    Targets,
}

/// What is declared of an action.
struct About {
    name: &'static str,
    class: Class,
    role: Role,
    hold: Hold,
    needs: Needs,
    description: &'static str,
}

/// Declares [`Action`]: an action that lacks one of these does not compile. What stands after a
/// colon has its type, and what messages call it.
macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident $(($argument:ty, $form:literal))?
        = $name:literal, $class:ident, $role:ident, $hold:ident, $needs:ident, $description:literal;)+) => {
        /// What is done. Vectors are replaced before the latent forward reads them.
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub enum Action {
            $($(#[$doc])* #[doc = $description] $variant $(($argument))?,)+
        }

        impl Action {
            /// Names of all actions, in table order.
            pub const NAMES: [&'static str; [$($name),+].len()] = [$($name),+];

            fn about(self) -> About {
                match self {
                    $(actions!(@pattern $variant $(($argument))?) => About {
                        name: $name,
                        class: Class::$class,
                        role: Role::$role,
                        hold: Hold::$hold,
                        needs: Needs::$needs,
                        description: $description,
                    },)+
                }
            }

            /// How each is written, in table order, and where it takes hold.
            pub(super) fn forms() -> [(Hold, &'static str); Action::NAMES.len()] {
                [$((Hold::$hold, actions!(@form $name $(, $argument, $form)?))),+]
            }

            /// Reads a name and what stands after its colon, or the cause of a refusal.
            pub(super) fn read(name: &str, argument: Option<&str>) -> Result<Self, &'static str> {
                match name {
                    $($name => actions!(@read argument, $variant $(($argument))?),)+
                    _ => Err("is not known"),
                }
            }

            /// The text and the order of what stands after the colon.
            fn argument(&self) -> (Option<String>, u64) {
                match self {
                    $(actions!(@bind argument, $variant $(($argument))?) => actions!(@text argument $(, $argument)?),)+
                }
            }
        }
    };
    (@pattern $variant:ident ($argument:ty)) => { Action::$variant(_) };
    (@pattern $variant:ident) => { Action::$variant };
    (@form $name:literal, $argument:ty, $form:literal) => {
        if <$argument as Argument>::read(None).is_ok() { concat!($name, "[:", $form, "]") } else { concat!($name, ":", $form) }
    };
    (@form $name:literal) => { $name };
    (@bind $name:ident, $variant:ident ($argument:ty)) => { Action::$variant($name) };
    (@bind $name:ident, $variant:ident) => { Action::$variant };
    (@text $name:ident, $argument:ty) => { ($name.text(), $name.rank()) };
    (@text $name:ident) => { (None, 0) };
    (@read $text:ident, $variant:ident ($argument:ty)) => { <$argument as Argument>::read($text).map(Action::$variant) };
    (@read $text:ident, $variant:ident) => { if $text.is_none() { Ok(Action::$variant) } else { Err("takes nothing after a colon") } };
}

actions! {
    Clean = "clean", Control, Checks, Nowhere, Nothing, "nothing is done: the run every change is measured against";
    /// The paper calls it `truncate`.
    Zero = "zero", Damage, Explains, AnyLayer, Nothing, "every latent becomes 0; its forward is made, so its biases still write keys and values";
    /// In raw units of the hidden state.
    Noise(f64, "SIGMA") = "noise", Damage, Explains, AnyLayer, Nothing, "normal noise of this standard deviation is added to every latent";
    /// The spread is that of each dimension over the donor pool.
    RelativeNoise(f64, "R") = "relative", Damage, Explains, Vectors, Pool, "normal noise of this share of the latents' own spread is added";
    NormMatched = "norm-matched", Damage, Explains, AnyLayer, Nothing, "every latent becomes a random direction of the same norm";
    Swap(Donor, "DONOR") = "swap", Content, ExchangesVectors, Vectors, Nothing, "the vectors fed are the donor's, step by step of the same stage";
    /// Keys are taken before the rotary turn and turned to the recipient's positions.
    SwapKv(Donor, "DONOR") = "swap-kv", Content, ExchangesKeysValues, KeysValues, Nothing,
        "the keys and values of the latent positions are the donor's, in every layer";
    Mean = "mean", Content, Resamples, Vectors, Pool, "every latent becomes the donor pool's mean at its stage and step";
    Draw = "draw", Content, Resamples, Vectors, Pool,
        "every latent is drawn from a normal distribution with the pool's mean and covariance at its step";
    Constant = "constant", Damage, Explains, Vectors, Pool, "one vector for all steps and examples: the mean over the pool and its steps";
    FirstRepeat = "first", Order, Explains, AnyLayer, Nothing, "the block's first latent comes again at every step";
    Reversed = "reversed", Order, Explains, Vectors, OwnClean, "the clean run's latents come in reverse order";
    Shuffled = "shuffled", Order, Explains, Vectors, OwnClean, "the clean run's latents come in an order drawn at random";
    Mix(Mixture, "SHARE[:DONOR]") = "mix", Damage, Explains, Vectors, Nothing, "every latent moves towards the donor's by this share";
    Oracle = "oracle", Help, Explains, Vectors, Targets, "the teacher targets of the annotated region are fed";
    WrongOracle = "oracle-other", Help, Explains, Vectors, Targets, "the teacher targets of another region of the same size are fed";
    Forced(usize, "STEPS") = "forced", Help, Explains, Vectors, Targets,
        "the teacher targets are fed for this many steps, then the model's own latents";
    Remove = "remove", Presence, LeavesOut, Block, Nothing, "the steps are not taken: the block does not open, its start token stays";
    Markers = "markers", Presence, LeavesOut, Block, Nothing, "start token and end token stand, and no step between them";
    Format = "format", Presence, LeavesOut, Block, OwnClean, "no block at all: what the clean run wrote between block and answer is read";
    Evict = "evict", Presence, ShowsRoute, Sight, Nothing, "the steps are taken, and nothing after the block can attend to them";
}

impl Action {
    /// Its name, without what stands after the colon; the shams have one of their own.
    pub fn kind(self) -> &'static str {
        match self {
            Action::Swap(Donor::Itself) => "sham",
            Action::SwapKv(Donor::Itself) => "sham-kv",
            _ => self.about().name,
        }
    }

    /// Whether by its amount or its donor it changes nothing: a swap with oneself, noise of 0.
    pub fn is_idle(self) -> bool {
        use Action::*;
        match self {
            Swap(donor) | SwapKv(donor) => donor == Donor::Itself,
            Noise(amount) | RelativeNoise(amount) => amount == 0.0,
            Mix(mixture) => mixture.share == 0.0 || mixture.donor == Donor::Itself,
            Forced(steps) => steps == 0,
            Clean | Zero | NormMatched | Mean | Draw | Constant | FirstRepeat | Reversed | Shuffled => false,
            Oracle | WrongOracle | Remove | Markers | Format | Evict => false,
        }
    }

    /// What it can show.
    pub fn class(self) -> Class {
        if self.is_idle() { Class::Control } else { self.about().class }
    }

    /// What follows from its result.
    pub fn role(self) -> Role {
        if self.is_idle() { Role::Checks } else { self.about().role }
    }

    /// What it does, in one clause.
    pub fn description(self) -> &'static str {
        if self.is_idle() { "what is put in is what was there: nothing may change" } else { self.about().description }
    }

    /// Sorts as tables list it: by kind, then amount, then text.
    pub(super) fn order(self) -> (usize, u64, String) {
        let place = Action::NAMES.iter().position(|name| *name == self.about().name).unwrap_or(usize::MAX);
        (place, self.argument().1, self.to_string())
    }

    /// Who gives latents, if somebody does.
    pub fn donor(self) -> Option<Donor> {
        use Action::*;
        match self {
            Swap(donor) | SwapKv(donor) => Some(donor),
            Mix(mixture) => Some(mixture.donor),
            Clean | Zero | Noise(_) | RelativeNoise(_) | NormMatched | Mean | Draw | Constant | FirstRepeat => None,
            Reversed | Shuffled | Oracle | WrongOracle | Forced(_) | Remove | Markers | Format | Evict => None,
        }
    }

    /// Whether the donor gives keys and values, not vectors.
    pub fn gives_keys_values(self) -> bool {
        self.about().hold == Hold::KeysValues
    }

    /// Whether it needs the statistics of the pool's latents.
    pub fn needs_pool_statistics(self) -> bool {
        self.about().needs == Needs::Pool
    }

    /// Whether it is made from the example's own clean run, which must come first.
    pub fn needs_own_clean(self) -> bool {
        self.donor() == Some(Donor::Itself) || self.about().needs == Needs::OwnClean
    }

    /// Whether it reads the teacher targets (the example needs boxes).
    pub fn needs_targets(self) -> bool {
        self.about().needs == Needs::Targets
    }

    /// Whether it takes the latent steps out of the sequence, so that none is expected.
    pub fn skips_block(self) -> bool {
        self.about().hold == Hold::Block
    }

    /// Whether it replaces what is fed, or the keys and values that come of it, so that stage and steps can be told.
    pub fn replaces(self) -> bool {
        match self.about().hold {
            Hold::AnyLayer | Hold::Vectors | Hold::KeysValues => true,
            Hold::Nowhere | Hold::Block | Hold::Sight => false,
        }
    }

    /// Whether it can replace the input of a layer: what needs nothing but the vector there.
    pub fn works_at_layer(self) -> bool {
        self.about().hold == Hold::AnyLayer
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind();
        match self.argument().0 {
            Some(argument) if kind == self.about().name => write!(f, "{kind}:{argument}"),
            _ => f.write_str(kind),
        }
    }
}
