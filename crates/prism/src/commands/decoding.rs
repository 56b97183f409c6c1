//! From what was asked of the decoding to a protocol and a strategy.

use std::path::Path;

use prism_model::Config;
use prism_model::tokenizer::Tokenizer;
use prism_record::decode::{Strategy, detect};
use prism_run::protocol::{ExitChoice, ExitKind};
use prism_run::{Protocol, StageSteps, StepBudget, Steps};

use crate::Context;
use crate::cli::DecodingArguments;
use crate::exit::Refused;

/// K, where neither the user nor a protocol says one.
const STEPS: usize = 8;

/// Protocol, exit and budget as asked; K comes beside it, for a sweep has several.
#[derive(Debug, Clone, Default)]
pub struct Decoding {
    /// The named protocol; absent: the checkpoint's own.
    pub named: Option<Protocol>,
    /// What is asked of the exit over the protocol's.
    pub exit: ExitChoice,
    /// Most new tokens, latent steps included.
    pub max_new_tokens: usize,
}

impl Decoding {
    /// Reads a named protocol.
    ///
    /// # Errors
    /// When there is no such protocol, or its file is not one.
    pub fn resolve(arguments: &DecodingArguments, max_new_tokens: usize) -> anyhow::Result<Self> {
        let DecodingArguments { protocol, exit, exit_criterion, exit_threshold, cap } = arguments;
        let exit = ExitChoice { kind: *exit, criterion: *exit_criterion, threshold: *exit_threshold, cap: *cap };
        Ok(Self { named: protocol.as_deref().map(Protocol::load).transpose()?, exit, max_new_tokens })
    }

    /// The named protocol, else the one whose tokens the checkpoint has; `None` for a
    /// model without a known latent block.
    ///
    /// # Errors
    /// When the checkpoint's files cannot be read, or more than one protocol fits.
    pub fn protocol(&self, checkpoint: &Path) -> anyhow::Result<Option<Protocol>> {
        match &self.named {
            Some(named) => Ok(Some(named.clone())),
            None => Ok(detect(&Config::open(checkpoint)?, &Tokenizer::from_dir(checkpoint)?)?),
        }
    }

    /// The strategy where `asked` is asked for. Where nothing is, K is as the checkpoint was trained;
    /// where that is unknown, the protocol's own.
    ///
    /// # Errors
    /// When K or the exit does not go with the protocol or the checkpoint, or `config.json` is damaged.
    pub fn strategy(&self, checkpoint: &Path, protocol: Option<&Protocol>, asked: Option<Steps>) -> anyhow::Result<Chosen> {
        let Some(protocol) = protocol else { return self.without_block(asked) };
        let trained = Config::open(checkpoint)?.latent_lengths()?;
        let (steps, budget) = Steps::resolve(asked, protocol, trained.as_ref())?;
        let strategy = Strategy { steps: budget, max_new_tokens: self.max_new_tokens, exit: protocol.exit(&self.exit)? };
        let own_exit = strategy.exit.kind() != ExitKind::Steps;
        let budget = StepBudget { steps, by_stage: strategy.by_stage(protocol), trained, own_exit, exploratory: false };
        Ok(Chosen { strategy, budget, is_default: asked.is_none() })
    }

    /// The strategy for a checkpoint without a known latent block.
    fn without_block(&self, asked: Option<Steps>) -> anyhow::Result<Chosen> {
        let none = "the checkpoint has no known latent tokens, so there is no block";
        if self.exit != ExitChoice::default() {
            anyhow::bail!(Refused(format!("--exit: {none} to leave; name its --protocol")));
        }
        let steps = match asked.unwrap_or(Steps::Fixed(STEPS)) {
            Steps::Fixed(steps) => steps,
            Steps::Trained => anyhow::bail!(Refused(format!("--steps trained: {none}, and no length of one; leave it out"))),
        };
        let by_stage = StageSteps::default();
        let budget = StepBudget { steps: Steps::Fixed(steps), by_stage, trained: None, own_exit: false, exploratory: false };
        let strategy = Strategy::of_steps(steps, self.max_new_tokens);
        Ok(Chosen { strategy, budget, is_default: true })
    }
}

/// A strategy, and how its K came about.
#[derive(Debug, Clone, Copy)]
pub struct Chosen {
    /// The strategy.
    pub strategy: Strategy,
    /// K, stage by stage, against the lengths of training.
    pub budget: StepBudget,
    /// Whether nothing was asked for.
    is_default: bool,
}

impl Chosen {
    /// Says before a run what its K is; that it lies outside the lengths of training is a warning.
    pub fn say(&self, context: &Context) {
        match self.budget.outside() {
            Some(outside) => context.printer.warn(&outside),
            None if self.budget.checks().is_empty() => {}
            None if self.is_default && self.budget.trained.is_none() => {
                context.printer.narrate(&format!("{}; it is the protocol's own K", self.budget.in_words()));
            }
            None => context.printer.narrate(&self.budget.in_words()),
        }
    }
}
