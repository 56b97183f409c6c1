//! Training on records: latent reasoning as a variant has it, or language alone
//! (records without regions).

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use prism_model::prompt::{BlockLayout, Prompter, TrainingSample};
use prism_model::tensor::{Tensor, Trainable};
use prism_model::{ImageFeatures, Model};
use prism_run::{LatentInput, TrainingRecord, Variant};

use crate::config::{TrainConfig, Vision};
use crate::images::FeatureCache;
use crate::objective::{self, NoiseKey, Objective, Parts, Terms, release_step};
use crate::optimizer::Parameters;
use crate::order::{Order, Place};
use crate::pack::Pack;
use crate::packing::{Filling, Limits};
use crate::samples::Samples;
use crate::start::Opened;
use crate::state::Origin;
use crate::task::Task;
use crate::workers::Workers;
use crate::{Error, Result};

/// A model, a corpus, and what of it is minimised.
pub struct RecordTask<'a> {
    name: String,
    corpus: String,
    origin: Option<Origin>,
    config: &'a TrainConfig,
    opened: Opened,
    samples: Samples<'a>,
    features: FeatureCache,
    objective: Objective,
    release: Option<usize>,
    order: Order,
    /// Samples drawn but not yet in a pack, and the place behind each.
    drawn: VecDeque<(usize, Place, Arc<TrainingSample>)>,
}

/// What of a model `config` trains.
pub fn trainable(config: &TrainConfig) -> Trainable {
    match config.vision {
        Vision::Frozen => Trainable::Text,
        Vision::Trained => Trainable::All,
    }
}

impl<'a> RecordTask<'a> {
    /// Trains `opened` on `records` as `variant` says; without a variant, on their
    /// language alone, under the name `name`.
    ///
    /// # Errors
    /// There are no records, an image of theirs cannot be read, or the checkpoint's tokenizer does not fit its model.
    pub fn new(
        name: &str,
        mut opened: Opened,
        records: &'a [TrainingRecord],
        variant: Option<&Variant>,
        config: &'a TrainConfig,
    ) -> Result<Self> {
        if records.is_empty() {
            let (cause, remedy) = ("the corpus has no records".into(), "give a data file with at least one");
            return Err(Error::Record { id: name.to_owned(), cause, remedy });
        }
        let prompter = Prompter::from_dir(opened.files())?;
        let layout = variant.map(|variant| layout(variant, &prompter));
        let preprocessor = opened.preprocessor()?;
        let share = variant.map_or(1.0, |variant| variant.block_share);
        let samples = Samples::new(records, prompter, preprocessor, layout, config.feature_cache / 4).with_share(share);
        if variant.is_some() {
            opened.set_lengths(samples.trained_lengths(&Workers::new(config.worker_count())?)?)?;
        }
        Ok(Self {
            name: name.to_owned(),
            corpus: samples.digest(),
            origin: None,
            config,
            features: FeatureCache::new(config.feature_cache),
            objective: variant.map_or(Objective::CROSS_ENTROPY, Objective::of),
            release: variant.and_then(|v| release_step(v, config.steps)),
            order: Order::new(config.seed, samples.len(), Place::default()),
            drawn: VecDeque::new(),
            opened,
            samples,
        })
    }

    /// The same task; its checkpoints say what it started from.
    #[must_use]
    pub fn with_origin(self, origin: Origin) -> Self {
        Self { origin: Some(origin), ..self }
    }

    /// The model being trained.
    pub fn model(&self) -> &Model {
        &self.opened.model
    }

    fn noise(&self, step: usize) -> NoiseKey {
        NoiseKey { seed: self.config.seed, step }
    }

    fn features(&self, pack: &Pack) -> Result<Option<ImageFeatures>> {
        let model = &self.opened.model;
        let preprocessor = self.samples.preprocessor();
        if pack.images.is_empty() {
            return Ok(None);
        }
        if self.config.vision == Vision::Trained {
            let pixels = pack.images.iter().map(|path| preprocessor.open(path)).collect::<Result<Vec<_>, _>>()?;
            return Ok(Some(model.image_features(&pixels)?));
        }
        let parts = pack.images.iter().map(|path| self.features.features(model, preprocessor, path)).collect::<Result<Vec<_>>>()?;
        Ok(Some(ImageFeatures::cat(&parts)?))
    }

    /// Draws at least `count` samples ahead, laid out by the workers.
    fn draw(&mut self, count: usize, workers: &Workers) -> Result<()> {
        let places: Vec<(usize, Place)> = (self.drawn.len()..count).map(|_| self.order.draw()).collect();
        let samples = workers.map(&places, |&(index, _)| self.samples.get(index))?;
        self.drawn.extend(places.into_iter().zip(samples).map(|((index, place), sample)| (index, place, sample)));
        Ok(())
    }
}

/// The layout of a variant's blocks. Where the tokenizer has `<|lvr_latent_end|>`
/// the latents of a stage end with it, as in the release's own training data.
pub fn layout(variant: &Variant, prompter: &Prompter) -> BlockLayout {
    BlockLayout::of(variant).with_latent_end(prompter.latent().is_some_and(|tokens| tokens.latent_end.is_some()))
}

impl Task for RecordTask<'_> {
    type Pack = Pack;

    fn name(&self) -> &str {
        &self.name
    }

    fn corpus(&self) -> &str {
        &self.corpus
    }

    fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    fn samples(&self) -> usize {
        self.samples.len()
    }

    fn parameters(&self) -> Parameters {
        Parameters::new(self.opened.model.parameters())
    }

    fn seek(&mut self, place: Place) {
        self.order = Order::new(self.config.seed, self.samples.len(), place);
        self.drawn.clear();
    }

    fn packs(&mut self, workers: &Workers) -> Result<(Vec<Pack>, Place)> {
        let limits = Limits::from(self.config);
        let mut packs = Vec::with_capacity(self.config.packs_per_step);
        let mut place = Place::default();
        self.draw(self.config.packs_per_step * limits.samples, workers)?;
        while packs.len() < self.config.packs_per_step {
            let mut filling = Filling::default();
            let mut taken = Vec::new();
            loop {
                if self.drawn.is_empty() {
                    self.draw(limits.samples, workers)?;
                }
                let Some(next) = self.drawn.pop_front_if(|(_, _, sample)| filling.take(limits, sample.len())) else { break };
                taken.push(next);
            }
            place = taken.last().map_or(place, |(_, place, _)| *place);
            let pack = Pack::of(taken.iter().map(|(index, _, sample)| (sample.as_ref(), self.samples.images(*index))));
            packs.push(if self.objective.latents == LatentInput::Foreign { pack.with_foreign_regions()? } else { pack });
        }
        Ok((packs, place))
    }

    fn loss(&self, step: usize, pack: &Pack) -> Result<(Tensor, Terms)> {
        let released = self.release.is_some_and(|release| step > release);
        let objective = if released { self.objective.released() } else { self.objective };
        objective::loss(&self.opened.model, pack, self.features(pack)?.as_ref(), &objective, self.noise(step))
    }

    fn parts(&self, step: usize, pack: &Pack) -> Result<Parts> {
        let fed = |targets: &Tensor| objective::noise::add(targets, pack, self.objective.noise_std, self.noise(step));
        objective::parts(&self.opened.model, pack, self.features(pack)?.as_ref(), &self.objective, fed)
    }

    fn save(&self, folder: &Path) -> Result<()> {
        self.opened.save(folder)
    }
}
