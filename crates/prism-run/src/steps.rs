//! The step budget K: what was asked for, what it comes to stage by stage, and whether that
//! lies inside the lengths the checkpoint was trained with ([`crate::lengths`]).
//!
//! A run writes its budget into the settings of its manifest ([`StepBudget::write`]); the
//! audit, the terminal and the page read it there ([`Manifest::step_budget`]).
//!
//! [`Manifest::step_budget`]: crate::manifest::Manifest::step_budget

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::protocol::Length;
use crate::{Error, Lengths, Protocol, Result, Stage, TrainedLengths, lengths};

/// The word for [`Steps::Trained`].
const TRAINED: &str = "trained";

/// What a finding about the step budget is about.
pub const ABOUT: &str = "step budget";

/// Keys of a manifest's settings that [`StepBudget::write`] writes. All but the first follow
/// from the first, the protocol and the checkpoint, or say only how the run is to be read.
pub mod keys {
    /// What was asked for: a number, or `trained`.
    pub const STEPS: &str = "steps";
    /// Latent steps of a block, by stage.
    pub const BY_STAGE: &str = "steps_by_stage";
    /// The checkpoint's own lengths; absent where they are unknown.
    pub const TRAINED: &str = "trained_lengths";
    /// The sentence of a run outside them; absent inside.
    pub const OUTSIDE: &str = "outside_trained_lengths";
    /// `true` for a run of a sweep at another K than the declared one; else absent.
    pub const EXPLORATORY: &str = "exploratory";
}

/// K as it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Steps {
    /// This K, from which a protocol makes the length of each block.
    Fixed(usize),
    /// The median length of training, stage by stage.
    Trained,
}

impl fmt::Display for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(steps) => write!(f, "{steps}"),
            Self::Trained => f.write_str(TRAINED),
        }
    }
}

impl std::str::FromStr for Steps {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            TRAINED => Ok(Self::Trained),
            _ => text.parse().map(Self::Fixed).map_err(|_| Error::Value {
                what: "steps",
                value: text.into(),
                cause: "is no number of latent steps".into(),
                remedy: format!("give a whole number, or `{TRAINED}` for the lengths the checkpoint was trained with"),
            }),
        }
    }
}

impl Serialize for Steps {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Fixed(steps) => steps.serialize(serializer),
            Self::Trained => serializer.serialize_str(TRAINED),
        }
    }
}

impl<'de> Deserialize<'de> for Steps {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Steps;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a whole number of latent steps, or \"{TRAINED}\"")
            }

            fn visit_u64<E: serde::de::Error>(self, steps: u64) -> Result<Steps, E> {
                usize::try_from(steps).map(Steps::Fixed).map_err(|_| E::invalid_value(serde::de::Unexpected::Unsigned(steps), &self))
            }

            fn visit_i64<E: serde::de::Error>(self, steps: i64) -> Result<Steps, E> {
                usize::try_from(steps).map(Steps::Fixed).map_err(|_| E::invalid_value(serde::de::Unexpected::Signed(steps), &self))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Steps, E> {
                if text == TRAINED { Ok(Steps::Trained) } else { Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)) }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// Latent steps of a block, by stage; absent for a stage the model does not have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageSteps {
    /// Of the context stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<usize>,
    /// Of the target stage, the only one of a single-stage variant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<usize>,
}

impl StageSteps {
    /// Of a protocol, each kind of block by `of`; of two kinds in one stage the longer.
    pub fn of(protocol: &Protocol, of: impl Fn(Stage, Length) -> usize) -> Self {
        let mut found = Self::default();
        for block in &protocol.blocks {
            let steps = of(block.stage, block.length());
            match block.stage {
                Stage::Context => found.context = found.context.max(Some(steps)),
                Stage::Free => {}
                Stage::Target => found.target = found.target.max(Some(steps)),
            }
        }
        found
    }

    /// Of one stage.
    pub fn stage(&self, stage: Stage) -> Option<usize> {
        match stage {
            Stage::Context => self.context,
            Stage::Free => None,
            Stage::Target => self.target,
        }
    }

    /// The stages it knows, with their steps.
    pub fn stages(&self) -> impl Iterator<Item = (Stage, usize)> {
        [(Stage::Context, self.context), (Stage::Target, self.target)].into_iter().filter_map(|(stage, n)| Some((stage, n?)))
    }
}

/// How long the blocks last that no protocol fixes, resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Budget {
    /// K, of which the protocol makes each block's length: for P-LVR 2 K in the context stage.
    Steps(usize),
    /// Stage by stage, whatever the protocol makes of K; a stage that is absent opens no block.
    Stages(StageSteps),
}

impl Budget {
    /// Latent steps of a block of that stage and declared length.
    pub fn of(self, stage: Stage, length: Length) -> usize {
        match (self, length) {
            (Self::Steps(steps), length) => length.of(steps),
            (Self::Stages(_), Length::Forwards(forwards)) => forwards,
            (Self::Stages(stages), Length::Times(_)) => stages.stage(stage).unwrap_or(0),
        }
    }
}

impl Steps {
    /// What is done where `asked` is asked for (`None`: nothing is): K, and what it comes to.
    /// Without being asked it is the trained lengths, and where they are unknown the protocol's own K.
    ///
    /// # Errors
    /// [`Error::Value`] when the trained lengths are asked for and unknown, or when K is asked for
    /// and the protocol's blocks have fixed lengths.
    pub fn resolve(asked: Option<Self>, protocol: &Protocol, trained: Option<&TrainedLengths>) -> Result<(Self, Budget)> {
        let fixed = |steps| (Self::Fixed(steps), Budget::Steps(steps));
        let refuse = |asked: Self, cause: String, remedy: &str| {
            Err(Error::Value { what: "--steps", value: asked.to_string(), cause, remedy: remedy.into() })
        };
        if !protocol.depends_on_steps() {
            return match asked {
                None => Ok(fixed(protocol.steps)),
                Some(asked) => {
                    refuse(asked, format!("changes nothing: every block of protocol `{}` has a fixed length", protocol.id), "leave it out")
                }
            };
        }
        if let Some(Self::Fixed(steps)) = asked {
            return Ok(fixed(steps));
        }
        let free = protocol.blocks.iter().filter(|block| matches!(block.length(), Length::Times(_)));
        let median = |stage| trained.and_then(|trained| trained.stage(stage)).map(|lengths| lengths.median);
        let unknown = free.map(|block| block.stage).find(|stage| median(*stage).is_none());
        match (unknown, asked) {
            (None, _) => Ok((Self::Trained, Budget::Stages(StageSteps::of(protocol, |stage, _| median(stage).unwrap_or(0))))),
            (Some(_), None) => Ok(fixed(protocol.steps)),
            (Some(stage), Some(asked)) => {
                let cause = format!(
                    "cannot be used: the checkpoint does not say how long its {stage} blocks were in training (no `{}` in its config.json)",
                    lengths::KEY
                );
                refuse(asked, cause, "give a number, as in --steps 8, or train the checkpoint with this version of Prism")
            }
        }
    }
}

/// One stage's steps against the lengths of training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LengthCheck {
    /// The stage.
    pub stage: Stage,
    /// Latent steps of its blocks; the most, where a block ends by itself.
    pub steps: usize,
    /// Those of training; absent where they are unknown.
    pub lengths: Option<Lengths>,
    /// Whether they lie between the 5th and the 95th percentile; absent where that cannot be
    /// said: unknown lengths, or blocks that end by themselves.
    pub inside: Option<bool>,
}

impl LengthCheck {
    /// In words, e.g. `target: 8 latents, outside the 1 to 4 of 90 % of the blocks in training`.
    pub fn in_words(&self) -> String {
        let Self { stage, steps, lengths, inside } = self;
        let latents = if *steps == 1 { "latent" } else { "latents" };
        let (Some(trained), Some(inside)) = (lengths, inside) else {
            return match lengths {
                None => format!("{stage}: {steps} {latents}; the lengths of training are unknown"),
                Some(_) => format!("{stage}: at most {steps} {latents}; the model ends its blocks by itself"),
            };
        };
        let where_ = if *inside { "inside" } else { "outside" };
        format!("{stage}: {steps} {latents}, {where_} the {} of 90 % of the blocks in training", trained.range())
    }
}

/// The step budget of a run, as its manifest has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepBudget {
    /// What was asked for, or decided where nothing was.
    pub steps: Steps,
    /// What it comes to; no stage for a checkpoint without a latent block.
    pub by_stage: StageSteps,
    /// The checkpoint's lengths; absent where they are unknown.
    pub trained: Option<TrainedLengths>,
    /// Whether blocks end by themselves (the exits `latent` and `token`), at the steps at the latest.
    pub own_exit: bool,
    /// Whether the run is one of a sweep, at another K than the one declared before.
    pub exploratory: bool,
}

impl StepBudget {
    /// Every stage against the lengths of training.
    pub fn checks(&self) -> Vec<LengthCheck> {
        let of = |(stage, steps): (Stage, usize)| {
            let lengths = self.trained.and_then(|trained| trained.stage(stage));
            let inside = lengths.filter(|_| !self.own_exit).map(|lengths| lengths.holds(steps));
            LengthCheck { stage, steps, lengths, inside }
        };
        self.by_stage.stages().map(of).collect()
    }

    /// Whether every stage lies inside the lengths of training; `None` where that cannot be said.
    pub fn inside(&self) -> Option<bool> {
        let checks = self.checks();
        if checks.iter().any(|check| check.inside == Some(false)) {
            return Some(false);
        }
        (!checks.is_empty() && checks.iter().all(|check| check.inside == Some(true))).then_some(true)
    }

    /// Of a run outside the lengths of training, the sentence that says so.
    pub fn outside(&self) -> Option<String> {
        (self.inside() == Some(false)).then(|| {
            let outside = self.compared(|check| check.inside == Some(false));
            format!("{} lies outside the lengths of training ({outside}, 90 % of blocks)", self.k())
        })
    }

    /// The budget in one sentence.
    pub fn in_words(&self) -> String {
        let checks = self.checks();
        if checks.is_empty() {
            return "no latent block is known, so no K applies".into();
        }
        if let Some(outside) = self.outside() {
            return outside;
        }
        let each = |checks: &[LengthCheck]| checks.iter().map(|c| format!("{} {}", c.stage, c.steps)).collect::<Vec<_>>().join(", ");
        match (self.inside(), self.steps) {
            (Some(_), Steps::Trained) => format!("K is the median length of training ({})", each(&checks)),
            (Some(_), Steps::Fixed(_)) => {
                format!("{} lies inside the lengths of training ({}, 90 % of blocks)", self.k(), self.compared(|_| true))
            }
            (None, _) if self.own_exit => format!("the model ends its blocks by itself, at these steps at the latest: {}", each(&checks)),
            (None, _) => format!("{}; the checkpoint does not say with what lengths it was trained", self.k()),
        }
    }

    /// What a run's findings have to warn of, about [`ABOUT`]: a K outside the lengths of training,
    /// or one that was not declared.
    pub fn warnings(&self) -> Vec<String> {
        let outside = self.outside().map(|outside| {
            format!(
                "{outside}: what is found here need not hold at the lengths the model was trained with; `--steps {TRAINED}` audits those"
            )
        });
        let exploratory =
            self.exploratory.then(|| format!("{} is not the K declared before the runs: its words are exploratory", self.k()));
        outside.into_iter().chain(exploratory).collect()
    }

    /// Writes it into the settings of a manifest.
    pub fn write(&self, settings: &mut BTreeMap<String, Value>) {
        settings.insert(keys::STEPS.into(), serde_json::json!(self.steps));
        settings.insert(keys::BY_STAGE.into(), serde_json::json!(self.by_stage));
        let trained = self.trained.map(|trained| serde_json::json!(trained));
        let exploratory = self.exploratory.then_some(Value::Bool(true));
        for (key, value) in [(keys::TRAINED, trained), (keys::OUTSIDE, self.outside().map(Value::String)), (keys::EXPLORATORY, exploratory)]
        {
            match value {
                Some(value) => drop(settings.insert(key.into(), value)),
                None => drop(settings.remove(key)),
            }
        }
    }

    /// K, in words.
    fn k(&self) -> String {
        match self.steps {
            Steps::Fixed(steps) => format!("K = {steps}"),
            Steps::Trained => "K as trained".into(),
        }
    }

    /// The lengths of training of the stages that `wanted` names, with the steps that are not K.
    fn compared(&self, wanted: impl Fn(&LengthCheck) -> bool) -> String {
        let one = |check: &LengthCheck| {
            let range = check.lengths.map(|lengths| lengths.range()).unwrap_or_default();
            match self.steps {
                Steps::Fixed(steps) if steps == check.steps => format!("{}: {range}", check.stage),
                _ => format!("{}, {} steps: {range}", check.stage, check.steps),
            }
        };
        self.checks().iter().filter(|check| wanted(check)).map(one).collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(low: usize, median: usize, high: usize) -> Lengths {
        Lengths { least: low, low, median, high, greatest: high + 1, blocks: 100 }
    }

    fn protocol(id: &str) -> Protocol {
        Protocol::load(id).unwrap()
    }

    #[test]
    fn steps_are_a_number_or_a_word_in_every_file() {
        for (text, steps) in [("8", Steps::Fixed(8)), ("0", Steps::Fixed(0)), ("trained", Steps::Trained)] {
            assert_eq!(text.parse::<Steps>().unwrap(), steps);
            assert_eq!(steps.to_string(), text);
            let json = serde_json::to_string(&steps).unwrap();
            assert_eq!(serde_json::from_str::<Steps>(&json).unwrap(), steps);
        }
        assert_eq!(serde_json::to_string(&Steps::Fixed(8)).unwrap(), "8", "as manifests have always had it");
        for bad in ["", "-1", "1.5", "median", "8,"] {
            assert!(bad.parse::<Steps>().unwrap_err().to_string().contains("trained"), "{bad}");
        }
        for bad in ["-1", "1.5", "\"8\"", "null", "[8]", "true"] {
            assert!(serde_json::from_str::<Steps>(bad).unwrap_err().to_string().contains("trained"), "{bad}");
        }
    }

    #[test]
    fn trained_takes_the_median_of_each_stage_and_is_the_default_where_lengths_are_known() {
        let trained = TrainedLengths { context: Some(lengths(3, 6, 9)), target: Some(lengths(1, 2, 4)) };
        let staged = protocol("p-lvr");
        let stages = Budget::Stages(StageSteps { context: Some(6), target: Some(2) });
        for asked in [None, Some(Steps::Trained)] {
            assert_eq!(Steps::resolve(asked, &staged, Some(&trained)).unwrap(), (Steps::Trained, stages));
        }
        assert_eq!((stages.of(Stage::Context, Length::Times(2)), stages.of(Stage::Target, Length::Times(1))), (6, 2));
        assert_eq!(stages.of(Stage::Target, Length::Forwards(5)), 5, "a declared length stays");
        let (steps, budget) = Steps::resolve(Some(Steps::Fixed(8)), &staged, Some(&trained)).unwrap();
        assert_eq!((steps, budget.of(Stage::Context, Length::Times(2))), (Steps::Fixed(8), 16));
        // Of the stages a protocol has, each must be known.
        let single = TrainedLengths { context: None, ..trained };
        assert_eq!(Steps::resolve(None, &staged, Some(&single)).unwrap().0, Steps::Fixed(8));
        assert_eq!(Steps::resolve(None, &protocol("lvr"), Some(&single)).unwrap().0, Steps::Trained);
        assert_eq!(Steps::resolve(None, &protocol("monet"), None).unwrap(), (Steps::Fixed(10), Budget::Steps(10)));
        let refused = Steps::resolve(Some(Steps::Trained), &staged, Some(&single)).unwrap_err().to_string();
        assert!(refused.contains("context") && refused.contains("latent_lengths") && refused.contains("--steps 8"), "{refused}");
    }

    fn budget(k: usize, trained: Option<TrainedLengths>, staged: bool) -> StepBudget {
        let by_stage = StageSteps { context: staged.then_some(2 * k), target: Some(k) };
        StepBudget { steps: Steps::Fixed(k), by_stage, trained, own_exit: false, exploratory: false }
    }

    #[test]
    fn a_budget_outside_says_so_in_one_sentence() {
        let target = TrainedLengths { context: None, target: Some(lengths(1, 2, 4)) };
        let outside = budget(8, Some(target), false);
        assert_eq!(outside.inside(), Some(false));
        assert_eq!(outside.outside().unwrap(), "K = 8 lies outside the lengths of training (target: 1 to 4, 90 % of blocks)");
        assert!(outside.warnings()[0].starts_with("K = 8 lies outside"));
        let inside = budget(4, Some(target), false);
        assert_eq!((inside.inside(), inside.outside(), inside.warnings()), (Some(true), None, vec![]));
        assert_eq!(inside.in_words(), "K = 4 lies inside the lengths of training (target: 1 to 4, 90 % of blocks)");
        let unknown = budget(8, None, false);
        assert_eq!((unknown.inside(), unknown.outside()), (None, None));
        assert!(unknown.in_words().contains("does not say"));
        assert!(unknown.checks()[0].in_words().contains("unknown"));
    }

    #[test]
    fn one_stage_outside_is_outside() {
        let both = TrainedLengths { context: Some(lengths(3, 6, 9)), target: Some(lengths(1, 2, 4)) };
        assert_eq!(budget(2, Some(both), true).inside(), Some(true));
        assert_eq!(
            budget(1, Some(both), true).outside().unwrap(),
            "K = 1 lies outside the lengths of training (context, 2 steps: 3 to 9, 90 % of blocks)"
        );
        let own = StepBudget { own_exit: true, ..budget(8, Some(both), true) };
        assert_eq!((own.inside(), own.outside()), (None, None));
        assert!(own.checks()[0].in_words().contains("by itself"));
        let none = StepBudget { by_stage: StageSteps::default(), ..own };
        assert_eq!((none.inside(), none.checks().len()), (None, 0));
    }
}
