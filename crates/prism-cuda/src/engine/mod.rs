//! A model on a device: the engine behind the seam of `prism-model`, for inference.
//!
//! One thing is done at a time: the device does what it is asked for in order, and the working memory is one. Keys and values of
//! all prompts and rows lie in one [`arena`]. What an example costs is counted in `tests/engine.rs`.

mod arena;
mod decoder;
mod features;
mod packet;
mod prefill;
mod rows;
mod step;
mod tower;
mod vision;
mod weights;
mod workspace;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prism_model::config::Config;
use prism_model::engine::{Engine, Features, Passage, Prefilled, Rows, See};
use prism_model::preprocess::PixelValues;
use prism_model::tensor::{self, DType};
use prism_model::vision::Tower;
use prism_model::{Error, Model, Result};

use self::arena::Arena;
use self::features::OnDevice;
use self::prefill::OfPrompt;
use self::rows::{Decoding, Row};
use self::step::Parts;
use self::tower::TowerOnDevice;
use self::vision::VisionSpace;
use self::weights::{Affine, Head, Text};
use self::workspace::Workspace;
use crate::device::{Buffer, Operands, Queue, Span, To};
use crate::kernels::{ActivationKind, Kind};

/// Rows of logits at a time.
const LOGITS: usize = 64;
/// Tells engines apart: what one made another cannot read.
static ENGINES: AtomicU64 = AtomicU64::new(0);

/// A model on a device.
#[derive(Debug)]
pub struct DeviceEngine {
    id: u64,
    queue: Queue,
    config: Config,
    text: Text,
    head: Option<Head>,
    latent_end: Option<Vec<f32>>,
    tower: TowerOnDevice,
    /// The tower as the host has it: where the patches of images go.
    arranging: Box<dyn Tower>,
    arena: Arc<Arena>,
    state: Mutex<State>,
}

/// Working memory.
#[derive(Debug, Default)]
struct State {
    space: Option<Workspace>,
    small: Option<Buffer>,
    parts: Option<Parts>,
    vision: Option<VisionSpace>,
    /// For attention weights that are looked at: a small packet, and the weights.
    watched: [Option<Buffer>; 2],
}

impl DeviceEngine {
    /// Copies a model to a device.
    ///
    /// # Errors
    /// It has no room there, or the device fails.
    pub fn new(queue: Queue, model: Model) -> Result<Self> {
        let text = Text::of(&queue, &model)?;
        let arena = Arena::new(&queue, text.layers.len(), text.config.key_value_width())?;
        let tower = TowerOnDevice::of(&queue, &model.visual.parts())?;
        let head = model.head.as_ref().map(|head| Head::of(&queue, head)).transpose()?;
        let latent_end = model.latent_end.as_ref().map(tensor::values).transpose()?;
        let id = ENGINES.fetch_add(1, Ordering::Relaxed);
        Ok(Self { id, queue, text, head, latent_end, config: model.config, tower, arranging: model.visual, arena, state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rows of so many numbers each; how many.
    fn rows_of(&self, values: &[f32]) -> Result<usize> {
        let width = self.text.config.hidden_size;
        match values.len() % width {
            0 => Ok(values.len() / width),
            _ => Err(Error::input("states", format!("are {} numbers", values.len()), format!("give rows of {width}"))),
        }
    }

    /// `x weight^T`, a bias, and an activation.
    fn affine(&self, of: &Affine, x: Span<'_>, rows: usize, activation: ActivationKind) -> Result<Buffer> {
        let y = self.queue.reals(rows * of.columns)?;
        let operands = Operands { x, weight: of.weight.all(), rows, inner: of.inner, columns: of.columns };
        self.queue.product(operands, To::Real(y.all()))?;
        if !of.bias().is_none() || activation != ActivationKind::Identity {
            self.queue.activate(y.all(), of.bias(), [rows, of.columns], activation)?;
        }
        Ok(y)
    }

    /// Host rows as a stream, normed.
    fn normed(&self, values: &[f32], [scale, shift]: [Span<'_>; 2], rows: usize, eps: f64) -> Result<Buffer> {
        let width = self.text.config.hidden_size;
        let (x, y) = (self.queue.bytes(rows * width * 4)?, self.queue.reals(rows * width)?);
        self.queue.upload(x.all(), values)?;
        self.queue.norm(x.all(), [scale, shift], y.all(), [rows, width], eps)?;
        Ok(y)
    }

    /// Host rows as numbers of the device.
    fn placed(&self, values: &[f32]) -> Result<Buffer> {
        let buffer = self.queue.reals(values.len())?;
        self.queue.upload_reals(buffer.all(), values)?;
        Ok(buffer)
    }
}

impl Engine for DeviceEngine {
    fn config(&self) -> &Config {
        &self.config
    }

    fn device(&self) -> &'static str {
        "cuda"
    }

    fn dtype(&self) -> &'static str {
        self.queue.kind().suffix()
    }

    fn embed(&self, ids: &[u32]) -> Result<Vec<f32>> {
        let (vocab, width) = (self.text.config.vocab_size, self.text.config.hidden_size);
        if let Some(id) = ids.iter().find(|id| **id as usize >= vocab) {
            let cause = format!("{id} lies outside the vocabulary of {vocab}");
            return Err(Error::input("token id", cause, "use the checkpoint's own tokenizer"));
        }
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let (sources, rows) = (self.queue.bytes(ids.len() * 4)?, self.queue.reals(ids.len() * width)?);
        let _one_at_a_time = self.state();
        self.queue.upload(sources.all(), ids)?;
        self.queue.gather(rows.all(), self.text.embedding.all(), sources.all(), [ids.len(), width])?;
        self.queue.download_reals(rows.all(), ids.len() * width)
    }

    fn image_features(&self, images: &[PixelValues]) -> Result<Arc<dyn Features>> {
        if images.is_empty() {
            let (tokens, width) = (self.queue.bytes(0)?, self.text.config.hidden_size);
            return Ok(Arc::new(OnDevice { queue: self.queue.clone(), rows: 0, width, tokens, levels: Vec::new() }));
        }
        Ok(Arc::new(self.see(images)?))
    }

    fn prefill(&self, passage: Passage<'_>, see: Option<See<'_>>) -> Result<(Vec<f32>, Arc<dyn Prefilled>)> {
        let (states, prompt) = self.run_prompt(passage, see)?;
        Ok((states, Arc::new(prompt)))
    }

    fn states(&self, passage: Passage<'_>) -> Result<Vec<f32>> {
        Ok(self.run_prompt(passage, None)?.0)
    }

    fn rows<'e>(&'e self, prompts: &[Arc<dyn Prefilled>]) -> Result<Box<dyn Rows + 'e>> {
        let rows = prompts.iter().map(|made| Ok(Row::new(OfPrompt::of(made, self.id)?))).collect::<Result<_>>()?;
        Ok(Box::new(Decoding { engine: self, rows }))
    }

    fn norm(&self, states: &[f32]) -> Result<Vec<f32>> {
        let rows = self.rows_of(states)?;
        let _one_at_a_time = self.state();
        let y = self.normed(states, [self.text.norm.all(), Span::NONE], rows, self.text.config.rms_norm_eps)?;
        self.queue.download_reals(y.all(), states.len())
    }

    fn logits(&self, states: &[f32]) -> Result<Vec<f32>> {
        let (vocab, width) = (self.text.config.vocab_size, self.text.config.hidden_size);
        let rows = self.rows_of(states)?;
        let _one_at_a_time = self.state();
        let mut all = vec![0f32; rows * vocab];
        let room = self.queue.bytes(rows.min(LOGITS) * vocab * 4)?;
        for (states, logits) in states.chunks(LOGITS * width).zip(all.chunks_mut(LOGITS * vocab)) {
            let x = self.placed(states)?;
            let operands = Operands { x: x.all(), weight: self.text.output(), rows: states.len() / width, inner: width, columns: vocab };
            self.queue.product(operands, To::Single(room.all()))?;
            self.queue.download(room.all(), logits)?;
        }
        Ok(all)
    }

    fn feedback(&self, states: &[f32]) -> Result<Vec<f32>> {
        let Some(head) = &self.head else { return Ok(states.to_vec()) };
        let (rows, width) = (self.rows_of(states)?, self.text.config.hidden_size);
        let _one_at_a_time = self.state();
        let made = match head {
            Head::Simple { norm, first, second } => {
                let x = self.normed(states, [norm[0].all(), norm[1].all()], rows, 1e-6)?;
                let inner = self.affine(first, x.all(), rows, ActivationKind::Gelu)?;
                self.affine(second, inner.all(), rows, ActivationKind::Identity)?
            }
            Head::Projector { first, second, norm } => {
                let x = self.placed(states)?;
                let inner = self.affine(first, x.all(), rows, ActivationKind::Gelu)?;
                let y = self.affine(second, inner.all(), rows, ActivationKind::Identity)?;
                let stream = self.queue.bytes(rows * width * 4)?;
                self.queue.to_stream(stream.all(), y.all(), [Span::NONE; 2], [rows, width])?;
                self.queue.norm(stream.all(), [norm[0].all(), norm[1].all()], y.all(), [rows, width], 1e-5)?;
                y
            }
            Head::Glu { gate_up, down } => {
                let x = self.placed(states)?;
                let operands = Operands { x: x.all(), weight: gate_up.weight.all(), rows, inner: gate_up.inner, columns: gate_up.columns };
                let (wide, inner) = (self.queue.reals(rows * gate_up.columns)?, self.queue.reals(rows * gate_up.columns / 2)?);
                self.queue.product(operands, To::Real(wide.all()))?;
                self.queue.silu_times(wide.all(), gate_up.bias(), inner.all(), [rows, gate_up.columns / 2])?;
                self.affine(down, inner.all(), rows, ActivationKind::Identity)?
            }
        };
        self.queue.download_reals(made.all(), states.len())
    }

    fn latent_end(&self) -> Result<Option<Vec<f32>>> {
        Ok(self.latent_end.clone())
    }
}

/// What a device's numbers are kept in, for a model opened in a dtype.
pub fn kind_of(dtype: DType) -> Kind {
    if dtype == DType::F32 { Kind::F32 } else { Kind::Bf16 }
}
