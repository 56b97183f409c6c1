//! From what was asked of the decoding to a protocol and a strategy.

use std::path::Path;

use prism_data::{Benchmark, Layout};
use prism_model::Config;
use prism_model::generation::Generation;
use prism_model::tokenizer::Tokenizer;
use prism_record::decode::{Strategy, found};
use prism_run::manifest::Manifest;
use prism_run::protocol::{ExitChoice, ExitKind, Published, Trigger};
use prism_run::{Example, Protocol, StageSteps, StepBudget, Steps, records, shown};

use crate::Context;
use crate::cli::{DecodingArguments, GenerationSource};
use crate::exit::Refused;

/// K, where neither the user nor a protocol says one.
const STEPS: usize = 8;

/// Protocol, exit and budget as asked; K comes beside it, for a sweep has several.
#[derive(Debug, Clone, Default)]
pub struct Decoding {
    /// The named protocol; absent: the checkpoint's own.
    pub named: Option<Protocol>,
    /// What named it, for people: `as --protocol says`.
    pub named_by: String,
    /// Keys of the protocol that were set otherwise, e.g. `repetition = 3`.
    pub changed: Vec<String>,
    /// What is asked of the exit over the protocol's.
    pub exit: ExitChoice,
    /// Most new tokens, latent steps included.
    pub max_new_tokens: usize,
    /// Whether the block is opened by force.
    pub force_open: bool,
    /// Whose generation settings are used.
    pub generation: GenerationSource,
    /// The repetition penalty over them.
    pub repetition_penalty: Option<f64>,
}

/// What of the decoding is noted in a manifest, beside K, exit and protocol.
const GENERATION: &str = "generation";

impl Decoding {
    /// Reads a named protocol.
    ///
    /// # Errors
    /// When there is no such protocol, or its file is not one.
    pub fn resolve(arguments: &DecodingArguments, max_new_tokens: usize) -> anyhow::Result<Self> {
        let DecodingArguments { protocol, exit, exit_criterion, exit_threshold, cap, set, force_open, generation, repetition_penalty } =
            arguments;
        let exit = ExitChoice { kind: *exit, criterion: *exit_criterion, threshold: *exit_threshold, cap: *cap };
        let changed: Vec<String> = set.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        let named_by = match protocol.as_deref() {
            Some(file) if file.ends_with(".toml") => format!("as --protocol {file} says"),
            _ => "as --protocol says".to_string(),
        };
        Ok(Self {
            named_by,
            changed,
            named: protocol.as_deref().map(|named| Protocol::load_with(named, set)).transpose()?,
            exit,
            max_new_tokens,
            force_open: *force_open,
            generation: generation.unwrap_or_default(),
            repetition_penalty: *repetition_penalty,
        })
    }

    /// The named protocol, else the one whose tokens the checkpoint has, with K from its `config.json`
    /// where the protocol takes it there; `None` for a model without a known latent block.
    ///
    /// # Errors
    /// When the checkpoint's files cannot be read, or more than one protocol fits.
    pub fn protocol(&self, checkpoint: &Path) -> anyhow::Result<Option<Protocol>> {
        Ok(self.found(checkpoint)?.map(|(protocol, _)| protocol))
    }

    /// The same, saying which it is and what it was found by.
    ///
    /// # Errors
    /// As [`Decoding::protocol`].
    pub fn protocol_said(&self, checkpoint: &Path, context: &Context) -> anyhow::Result<Option<Protocol>> {
        let found = self.found(checkpoint)?;
        if let Some((protocol, by)) = &found {
            context.printer.narrate(&format!("protocol {} ({}), {}", shown(&protocol.name), shown(&protocol.id), shown(by)));
        }
        Ok(found.map(|(protocol, _)| protocol))
    }

    fn found(&self, checkpoint: &Path) -> anyhow::Result<Option<(Protocol, String)>> {
        let config = Config::open(checkpoint)?;
        let (protocol, by) = match &self.named {
            Some(named) if self.changed.is_empty() => (named.clone(), self.named_by.clone()),
            Some(named) => (named.clone(), format!("{}, with {} by --set", self.named_by, self.changed.join(", "))),
            None => match found(&config, &Tokenizer::from_dir(checkpoint)?)? {
                Some(found) => (found.protocol, format!("found by {}", found.by)),
                None => return Ok(None),
            },
        };
        let read = protocol.steps_key.clone().filter(|key| config.key(key).is_some());
        let protocol = protocol.with_config(|key| config.key(key))?;
        let by = read.map_or(by.clone(), |key| format!("{by}; K = {} from `{key}` in config.json", protocol.steps));
        Ok(Some((protocol, by)))
    }

    /// How tokens are chosen.
    ///
    /// # Errors
    /// `generation_config.json` is damaged, or a setting in it is out of range.
    pub fn generation(&self, checkpoint: &Path, protocol: Option<&Protocol>) -> anyhow::Result<Generation> {
        let settings = match self.generation {
            GenerationSource::Plain => Generation::plain(),
            GenerationSource::Published => {
                let own = protocol.map_or_else(Published::default, |protocol| protocol.generation);
                Generation::published(checkpoint, &own)?
            }
        };
        Ok(Generation { repetition_penalty: self.repetition_penalty.unwrap_or(settings.repetition_penalty), ..settings })
    }

    /// Writes into a manifest what was chosen of it, and what penalties see in interventions.
    ///
    /// # Errors
    /// As [`Decoding::generation`].
    pub fn write(&self, checkpoint: &Path, protocol: Option<&Protocol>, manifest: &mut Manifest) -> anyhow::Result<()> {
        let settings = self.generation(checkpoint, protocol)?;
        let mut noted = serde_json::json!({ "source": self.generation.name(), "settings": settings });
        if let (true, Some(keys)) = (settings.reads_history(), noted.as_object_mut()) {
            keys.insert("block_tokens".into(), "of the clean run, in every intervention".into());
        }
        manifest.settings.insert(GENERATION.into(), noted);
        if self.force_open {
            manifest.settings.insert(records::FORCE_OPEN.into(), true.into());
        }
        if !self.changed.is_empty() {
            manifest.settings.insert(records::PROTOCOL_SET.into(), serde_json::json!(self.changed));
        }
        Ok(())
    }

    /// The questions as the method asks them: a bare question gets the protocol's words around it.
    pub fn words(protocol: Option<&Protocol>, benchmark: &Benchmark, examples: &mut [Example]) {
        let Some(protocol) = protocol.filter(|_| benchmark.description.layout == Layout::Questions) else { return };
        for example in examples {
            example.prompt = protocol.prompt.wrap(&example.prompt, &example.options);
        }
    }

    /// The strategy where `asked` is asked for. Where nothing is, K is as the checkpoint was trained;
    /// where that is unknown, the protocol's own.
    ///
    /// # Errors
    /// When K or the exit does not go with the protocol or the checkpoint, or `config.json` is damaged.
    pub fn strategy(&self, checkpoint: &Path, protocol: Option<&Protocol>, asked: Option<Steps>) -> anyhow::Result<Chosen> {
        let Some(protocol) = protocol else { return self.without_block(asked) };
        if self.force_open && protocol.trigger == Trigger::AfterPrompt {
            let cause = format!("--force-open: protocol {} opens its block after the prompt, without a token; leave it out", protocol.id);
            anyhow::bail!(Refused(cause));
        }
        let trained = Config::open(checkpoint)?.latent_lengths()?;
        let (steps, budget) = Steps::resolve(asked, protocol, trained.as_ref())?;
        let exit = protocol.exit(&self.exit)?;
        let strategy = Strategy { steps: budget, max_new_tokens: self.max_new_tokens, exit, force_open: self.force_open };
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
        if self.force_open {
            anyhow::bail!(Refused(format!("--force-open: {none} to open; name its --protocol")));
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
