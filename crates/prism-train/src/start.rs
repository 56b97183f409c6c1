//! From a base model or a checkpoint to a model that can be trained: its latent
//! tokens, its configuration, its tokenizer and processor files.

use std::path::{Path, PathBuf};

use prism_model::preprocess::config::NESTED;
use prism_model::preprocess::{PixelConfig, Preprocessor};
use prism_model::tensor::{DType, Device, Trainable};
use prism_model::tokenizer::{files, latent};
use prism_model::{Config, Model};
use prism_run::door::{self, Limit};
use prism_run::folder::{PartialFolder, write_atomic};
use prism_run::shown::files::json_text;
use prism_run::{LatentInput, LatentLoss, Stages, TrainedLengths, Variant, lengths, protocol};
use serde_json::{Value, json};

use crate::config::TrainConfig;
use crate::{Error, Result};

/// A model opened for training, and the files every checkpoint of it carries.
pub struct Opened {
    /// The model.
    pub model: Model,
    files: PartialFolder,
}

/// Device, dtype and parts of the model to be opened.
#[derive(Debug, Clone)]
pub struct Opening<'a> {
    /// Where the weights go.
    pub device: &'a Device,
    /// Their dtype.
    pub dtype: DType,
    /// What learns.
    pub trainable: Trainable,
    /// A folder that may be written for the time of the run, e.g. `RUN/files`.
    pub scratch: PathBuf,
}

impl Opened {
    /// Opens the checkpoint in `folder`; with a variant, its latent tokens and
    /// configuration keys are added where they are missing.
    ///
    /// # Errors
    /// The checkpoint is damaged, or has no room for the tokens.
    pub fn open(folder: &Path, variant: Option<&Variant>, config: &TrainConfig, opening: &Opening<'_>) -> Result<Self> {
        let model = Model::open(folder, opening.device, opening.dtype, opening.trainable)?;
        Self::with_model(model, folder, variant, config, opening)
    }

    /// As [`Opened::open`], for a model that is not (yet) a checkpoint; `folder` has
    /// its tokenizer and processor files.
    ///
    /// # Errors
    /// As [`Opened::open`].
    pub fn with_model(
        mut model: Model,
        folder: &Path,
        variant: Option<&Variant>,
        config: &TrainConfig,
        opening: &Opening<'_>,
    ) -> Result<Self> {
        let files = PartialFolder::create(&opening.scratch)?;
        match variant {
            None => files::copy(folder, files.path())?,
            Some(variant) => {
                let added = latent::add(folder, files.path(), variant.stages, variant.free_tokens)?;
                if added.vocab_size > model.config.text.vocab_size {
                    let cause =
                        format!("{} embedding rows, {} needed for the latent tokens", model.config.text.vocab_size, added.vocab_size);
                    return Err(Error::content(folder, cause, "start from a base model with spare rows in its embedding"));
                }
                let keys = keys(variant, &model.config);
                model.config = model.config.with(added.config.into_iter().chain(keys))?;
            }
        }
        set_pixels(files.path(), config)?;
        prism_model::checkpoint::write_config(files.path(), &model.config)?;
        Ok(Self { model, files })
    }

    /// Writes with what lengths of blocks the model is trained into its configuration, where an
    /// audit finds them; without blocks, those that a base had are taken out.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn set_lengths(&mut self, trained: Option<TrainedLengths>) -> Result<()> {
        if trained.is_none() && self.model.config.key(lengths::KEY).is_none() {
            return Ok(());
        }
        self.model.config = self.model.config.with([(lengths::KEY.into(), trained.map_or(Value::Null, |trained| json!(trained)))])?;
        Ok(prism_model::checkpoint::write_config(self.files.path(), &self.model.config)?)
    }

    /// Folder with the tokenizer, processor and configuration files.
    pub fn files(&self) -> &Path {
        self.files.path()
    }

    /// How images become pixels.
    ///
    /// # Errors
    /// The processor's file is damaged.
    pub fn preprocessor(&self) -> Result<Preprocessor> {
        Ok(Preprocessor::from_dir(self.files.path())?)
    }

    /// Writes the model and its files into `folder`.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<()> {
        files::copy(self.files.path(), folder)?;
        Ok(self.model.save(folder)?)
    }
}

/// The keys of `config.json` in which a variant's checkpoints say how they were trained.
fn keys(variant: &Variant, config: &Config) -> Vec<(String, Value)> {
    let form = match variant.latent_loss {
        LatentLoss::Mse => "mse",
        LatentLoss::Mae => "mae",
        LatentLoss::Cosine => "cosine",
    };
    let mut keys: Vec<(String, Value)> = Vec::new();
    if variant.stages != Stages::None {
        keys.extend([
            ("loss_lvr_fct".into(), json!(form)),
            ("nlvr_mode".into(), json!(variant.noise_std > 0.0)),
            ("nlvr_noise_scale".into(), json!(variant.noise_std)),
            ("latent_end_token".into(), json!(false)),
        ]);
    }
    let sight = (!variant.sight.is_open()).then(|| json!(variant.sight));
    let feedback = (variant.latents == LatentInput::Token).then(|| json!("token"));
    let protocol = variant.protocol.as_ref().map(|id| json!(id));
    for (key, value) in [("latent_sight", sight), ("latent_feedback", feedback), (protocol::trained::KEY, protocol)] {
        // Absent at rest; a base that was trained otherwise must not keep its own.
        if value.is_some() || config.key(key).is_some() {
            keys.push((key.into(), value.unwrap_or_default()));
        }
    }
    keys
}

/// Sets the pixel limits in a folder's image processor's file to those of the run.
fn set_pixels(folder: &Path, config: &TrainConfig) -> Result<()> {
    let (path, nested) = PixelConfig::place(folder)?;
    let path = path.as_path();
    let remedy = "copy the file from the base model again";
    let text = door::read_linked(path, Limit::Settings)?;
    let mut value: Value = serde_json::from_slice(&text).map_err(|e| Error::content(path, e.to_string(), remedy))?;
    let place = if nested { value.get_mut(NESTED) } else { Some(&mut value) };
    let Some(keys) = place.and_then(Value::as_object_mut) else { return Err(Error::content(path, "is not a JSON object", remedy)) };
    for (key, edge, pixels) in [("min_pixels", "shortest_edge", config.min_pixels), ("max_pixels", "longest_edge", config.max_pixels)] {
        keys.insert(key.into(), json!(pixels));
        if let Some(size) = keys.get_mut("size").and_then(Value::as_object_mut) {
            size.insert(edge.into(), json!(pixels));
        }
    }
    Ok(write_atomic(path, json_text(&value, path)?.as_bytes())?)
}
