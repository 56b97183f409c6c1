//! A checkpoint opened with everything a run of it needs.

use std::path::Path;

use prism_model::decode::{ControlTokens, Decoder, Prefiller, Strategy};
use prism_model::preprocess::Preprocessor;
use prism_model::prompt::{BlockLayout, Prompter};
use prism_model::tensor::Trainable;
use prism_model::{Config, Model};
use prism_run::{Protocol, Stages, Variant};

use crate::exit::Refused;
use crate::hardware::Hardware;

/// Model, prompts, preprocessing and control tokens of one folder.
pub struct Opened {
    /// The model.
    pub model: Model,
    /// Prompts and tokenizer.
    pub prompter: Prompter,
    /// Image preprocessing.
    pub preprocessor: Preprocessor,
    /// Start, end and stop tokens.
    pub tokens: ControlTokens,
}

impl Opened {
    /// Opens the folder under a latent protocol (`None`: no block is ever opened); `pixels`
    /// are bounds over the checkpoint's own.
    ///
    /// # Errors
    /// When the folder is absent or a file in it is missing or damaged, or the checkpoint
    /// lacks a token of the protocol.
    pub fn open(
        folder: &Path,
        protocol: Option<&Protocol>,
        (least, most): (Option<usize>, Option<usize>),
        training: Trainable,
        hardware: &Hardware,
    ) -> anyhow::Result<Self> {
        refuse_no_folder(folder)?;
        let preprocessor = Preprocessor::from_dir(folder)?.with_pixels(least, most)?;
        let prompter = Prompter::from_dir(folder)?;
        let model = Model::open(folder, &hardware.device, hardware.dtype, training)?;
        let tokens = ControlTokens::read(folder, &model.config, prompter.tokenizer(), protocol)?;
        Ok(Self { model, prompter, preprocessor, tokens })
    }

    /// What turns examples into prefixes.
    pub fn prefiller(&self) -> Prefiller<'_> {
        Prefiller { model: &self.model, prompter: &self.prompter, preprocessor: &self.preprocessor }
    }

    /// The decode loop.
    pub fn decoder(&self, strategy: Strategy) -> Decoder<'_> {
        Decoder { model: &self.model, tokenizer: self.prompter.tokenizer(), tokens: &self.tokens, strategy }
    }

    /// The block's layout: the variant's, else what the checkpoint's config says; none
    /// for a model without latent tokens.
    pub fn layout(&self, variant: Option<&Variant>) -> Option<BlockLayout> {
        let tokens = self.prompter.latent()?;
        let variant = variant.cloned().or_else(|| declared(&self.model.config))?;
        Some(BlockLayout::of(&variant).with_latent_end(tokens.latent_end.is_some()))
    }
}

/// Refuses a checkpoint folder that is not there.
///
/// # Errors
/// [`Refused`] when it is not.
pub fn refuse_no_folder(folder: &Path) -> anyhow::Result<()> {
    if !folder.is_dir() {
        anyhow::bail!(Refused(format!("{}: no such checkpoint folder; give the folder that holds config.json", folder.display())));
    }
    Ok(())
}

/// The preset whose stages a checkpoint's config declares.
pub fn declared(config: &Config) -> Option<Variant> {
    let stages = match (config.is_staged(), config.latent.include_free_stage) {
        (false, _) => Stages::Single,
        (true, false) => Stages::ContextTarget,
        (true, true) => Stages::ContextFreeTarget,
    };
    let presets = Variant::preset_ids().filter_map(|id| Variant::load(id).ok());
    let mut variant = presets.into_iter().find(|v| v.stages == stages)?;
    variant.free_tokens = config.latent.num_free_tokens;
    Some(variant)
}
