//! How a run turns images into pixels, resolved; what is written of it into `run.json`.

use std::collections::BTreeMap;
use std::path::Path;

use prism_model::preprocess::{Exif, ImageProcessor, PixelConfig, Preprocessor, Resize};
use prism_run::Protocol;
use serde_json::{Value, json};

use crate::cli::ImageArguments;

/// What was asked.
#[derive(Debug, Clone, Copy, Default)]
pub struct ImageSettings {
    /// Bounds of an image's pixels over the checkpoint's.
    pub pixels: (Option<usize>, Option<usize>),
    /// The image processor; the kind of run decides where nothing is said.
    pub processor: Option<ImageProcessor>,
    /// Whether the EXIF orientation is applied.
    pub exif: Exif,
    /// Who chooses an image's size.
    pub resize: Resize,
}

impl From<&ImageArguments> for ImageSettings {
    fn from(typed: &ImageArguments) -> Self {
        Self {
            pixels: (typed.min_pixels, typed.max_pixels),
            processor: typed.image_processor,
            exif: typed.exif.unwrap_or_default(),
            resize: typed.resize.unwrap_or_default(),
        }
    }
}

impl ImageSettings {
    /// The same with that processor where none was asked for.
    pub fn or(self, processor: ImageProcessor) -> Self {
        Self { processor: self.processor.or(Some(processor)), ..self }
    }

    /// The processor that was asked for. Under a latent protocol Prism stands in for a published runner, and these are
    /// older than the release of transformers that takes the fast processor whatever a folder names.
    pub fn choice(&self, protocol: Option<&Protocol>) -> ImageProcessor {
        self.processor.unwrap_or(if protocol.is_some() { ImageProcessor::Named } else { ImageProcessor::AsSaved })
    }

    /// The preprocessing of a checkpoint folder, with the sizes of a method's runner where nothing else is asked for; and
    /// what is to be said of them.
    ///
    /// # Errors
    /// When its settings cannot be used, or the bounds exclude each other.
    pub fn preprocessor(&self, folder: &Path, protocol: Option<&Protocol>) -> anyhow::Result<(Preprocessor, Option<String>)> {
        let preprocessor = Preprocessor::from_dir(folder)?.processed_by(self.choice(protocol)).oriented_by(self.exif);
        match protocol.map(|protocol| &protocol.pixels) {
            Some(own) if self.resize == Resize::Processor || own.factor.is_some() => Ok(preprocessor.for_method(own, self.pixels)?),
            own => {
                let own = own.map_or((None, None), |own| (own.min, own.max));
                Ok((preprocessor.sized_by(self.resize, self.pixels.0.or(own.0), self.pixels.1.or(own.1))?, None))
            }
        }
    }

    /// Which processor runs, for people.
    pub fn in_words(&self, preprocessor: &Preprocessor, protocol: Option<&Protocol>) -> String {
        let mut words = self.choice(protocol).in_words(&preprocessor.config.saved);
        if self.resize == Resize::QwenVlUtils {
            words.push_str("; sizes are chosen by qwen_vl_utils before it");
        }
        if self.exif == Exif::Apply {
            words.push_str("; images are turned as their EXIF orientation says");
        }
        words
    }

    /// What `run.json` keeps of it.
    ///
    /// # Errors
    /// When the folder's settings cannot be used.
    pub fn write(&self, folder: &Path, protocol: Option<&Protocol>, settings: &mut BTreeMap<String, Value>) -> anyhow::Result<()> {
        let (choice, saved) = (self.choice(protocol), PixelConfig::of_folder(folder)?.saved);
        settings.insert("pixels".into(), json!(self.pixels));
        settings.insert("image_processor".into(), json!({ "asked": choice, "saved": saved.class, "runs": choice.of(&saved) }));
        settings.insert("exif".into(), json!(self.exif));
        settings.insert("resize".into(), json!(self.resize));
        Ok(())
    }
}
