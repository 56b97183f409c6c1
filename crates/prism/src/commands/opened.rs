//! A checkpoint opened with everything a run of it needs.

use std::path::{Path, PathBuf};

use prism_data::readers::cache_folder;
use prism_model::checkpoint::HubCache;
use prism_model::checkpoint::adapter::place::place;
use prism_model::checkpoint::fit::misfits;
use prism_model::preprocess::Preprocessor;
use prism_model::prompt::{BlockLayout, Prompter};
use prism_model::tensor::Trainable;
use prism_model::{Config, Model};
use prism_record::decode::{ControlTokens, Decoder, Prefiller, Strategy};
use prism_run::{Protocol, Stages, Variant, shown};

use super::decoding::Decoding;
use super::download;
use super::images::ImageSettings;
use crate::Context;
use crate::cli::SourceArguments;
use crate::hardware::Hardware;

/// The folder of a checkpoint that was named by its path or by its name on the Hub.
///
/// # Errors
/// When it is neither a folder nor in the local Hub cache, or an adapter whose base is not found.
pub fn locate(name: &Path, context: &Context) -> anyhow::Result<PathBuf> {
    locate_as(name, &SourceArguments::default(), context)
}

/// The same, where a base was named or a download was asked for.
///
/// # Errors
/// As [`locate`], or when the download fails.
pub fn locate_as(name: &Path, source: &SourceArguments, context: &Context) -> anyhow::Result<PathBuf> {
    let hub = HubCache::from_environment();
    let find = |name: &Path| if source.download && !name.is_dir() { download::fetch(name, &hub, context) } else { Ok(hub.locate(name)?) };
    let folder = find(name)?;
    if folder != name {
        context.printer.narrate(&format!("{} is {}", name.display(), folder.display()));
    }
    let base = source.base.as_deref().map(find).transpose()?;
    let placed = place(&folder, base.as_deref(), &hub, &cache_folder())?;
    if let Some(told) = &placed.told {
        context.printer.narrate(&format!("{} is {told}", name.display()));
    }
    Ok(placed.folder)
}

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
    /// What is to be said of the sizes of images.
    said: Option<String>,
}

impl Opened {
    /// Opens the folder under a latent protocol (`None`: no block is ever opened); `images` says how they become pixels.
    ///
    /// # Errors
    /// When the folder is absent, or all that is wrong with it in one message, or the checkpoint
    /// lacks a token of the protocol.
    pub fn open(
        folder: &Path,
        protocol: Option<&Protocol>,
        images: ImageSettings,
        training: Trainable,
        hardware: &Hardware,
    ) -> anyhow::Result<Self> {
        Self::read(folder, protocol, images, training, hardware).map_err(|error| {
            // One file's fault is seldom the only one: the whole folder is looked at, and all is told.
            let found = prism_record::inspect(folder).map_err(anyhow::Error::from);
            found.and_then(|found| Ok(found.refuse()?)).err().unwrap_or(error)
        })
    }

    fn read(
        folder: &Path,
        protocol: Option<&Protocol>,
        images: ImageSettings,
        training: Trainable,
        hardware: &Hardware,
    ) -> anyhow::Result<Self> {
        let (preprocessor, said) = images.preprocessor(folder, protocol)?;
        let prompter = Prompter::from_dir(folder)?;
        let model = Model::open(folder, &hardware.device, hardware.dtype, training)?;
        if let Some(misfit) = misfits(&model.config, &preprocessor.config).first() {
            return Err(prism_run::Error::content(folder, misfit.as_str(), "take both files from the same checkpoint").into());
        }
        if let Some(protocol) = protocol.filter(|protocol| protocol.needs_head && model.head.is_none()) {
            let cause =
                format!("protocol {} feeds states through the checkpoint's projector, and the weights have none (`prj.*`)", protocol.id);
            return Err(prism_run::Error::content(folder, cause, "copy or download the whole checkpoint again").into());
        }
        let tokens = ControlTokens::read(folder, &model.config, prompter.tokenizer(), protocol)?;
        let prompter = tokens.lay_out(prompter, protocol);
        Ok(Self { model, prompter, preprocessor, tokens, said })
    }

    /// The same with tokens chosen as asked; what is not as published is said.
    ///
    /// # Errors
    /// `generation_config.json` is damaged, or a setting in it is out of range.
    pub fn generating(
        mut self,
        folder: &Path,
        decoding: &Decoding,
        protocol: Option<&Protocol>,
        context: &Context,
    ) -> anyhow::Result<Self> {
        self.tokens.generation = decoding.generation(folder, protocol)?;
        if let Some(said) = &self.said {
            context.printer.warn(said);
        }
        for unapplied in &self.tokens.generation.unapplied {
            context.printer.warn(&format!("generation settings: `{}` is not applied", shown(unapplied)));
        }
        Ok(self)
    }

    /// Warns of what should be known of the files and stopped nothing.
    pub fn tell_notes(&self, context: &Context) {
        self.model.notes.iter().for_each(|note| context.printer.warn(&shown(note)));
    }

    /// What turns examples into prefixes.
    pub fn prefiller(&self) -> Prefiller<'_> {
        Prefiller { model: &self.model, prompter: &self.prompter, preprocessor: &self.preprocessor, layers: false }
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
    variant.sight = config.latent_sight();
    Some(variant)
}
