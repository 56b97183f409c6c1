//! Where a model's weights come from: a checkpoint, or a seed.
//!
//! Modules ask a [`Loader`] for each tensor by its in-memory name and shape. What
//! is missing, misshapen or left over is collected, and told in one message by
//! [`Loader::finish`]. Trainable tensors come out backed by a [`Var`].

use std::collections::HashSet;
use std::path::Path;

use prism_run::random::Stream;

use crate::checkpoint::Files;
use crate::matrix::{Matrix, Narrow};
use crate::tensor::{DType, Device, Tensor, Trainable, Var};
use crate::{Error, Result};

/// How a fresh tensor starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// All zero (biases).
    Zeros,
    /// All one (norm scales).
    Ones,
    /// Normal with this standard deviation.
    Normal(f64),
}

enum Source {
    Files(Files),
    Seed(u64),
}

/// One weight of a model.
#[derive(Debug, Clone)]
pub struct Weight {
    /// In-memory name, e.g. `model.language_model.layers.0.mlp.up_proj.weight`.
    pub name: String,
    /// The values; shares storage with `variable` when trainable.
    pub tensor: Tensor,
    /// Present when the weight is trainable.
    pub variable: Option<Var>,
}

/// Hands out weights and keeps account of them.
pub struct Loader {
    source: Source,
    device: Device,
    dtype: DType,
    training: Trainable,
    weights: Vec<Weight>,
    asked: HashSet<String>,
    problems: Vec<String>,
    /// Matrices stay bfloat16 in host memory; everything else is then in single precision.
    narrow: bool,
}

impl Loader {
    /// Weights of a checkpoint folder (either layout of names, single file or shards).
    ///
    /// # Errors
    /// The folder holds no checkpoint.
    pub fn open(dir: &Path, device: &Device, dtype: DType, training: Trainable) -> Result<Self> {
        let mut files = Files::open(dir)?;
        let problems = std::mem::take(&mut files.problems);
        Ok(Self::new(Source::Files(files), device, dtype, training, problems))
    }

    /// Fresh weights; the same name and seed give the same values, whatever else is asked for.
    pub fn random(seed: u64, device: &Device, dtype: DType, training: Trainable) -> Self {
        Self::new(Source::Seed(seed), device, dtype, training, Vec::new())
    }

    fn new(source: Source, device: &Device, dtype: DType, training: Trainable, problems: Vec<String>) -> Self {
        let narrow = device.is_cpu() && dtype == DType::BF16 && training == Trainable::No && matches!(source, Source::Files(_));
        let (device, dtype) = (device.clone(), if narrow { DType::F32 } else { dtype });
        Self { source, device, dtype, training, weights: Vec::new(), asked: HashSet::new(), problems, narrow }
    }

    /// Device of the weights.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Whether matrices are kept in bfloat16 ([`Matrix::Narrow`]).
    pub fn is_narrow(&self) -> bool {
        self.narrow
    }

    /// Dtype of the weights; with narrow matrices, of everything else.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// A view of the loader in which names start with `prefix` and a dot.
    pub fn at(&mut self, prefix: impl Into<String>) -> Scope<'_> {
        Scope { loader: self, prefix: prefix.into() }
    }

    /// The weight called `name`. A weight that is missing or misshapen is noted for
    /// [`Loader::finish`], and zeros stand in for it meanwhile.
    ///
    /// # Errors
    /// The tensor library refuses, or the stored dtype is not a float.
    pub fn get(&mut self, name: &str, shape: &[usize], init: Init) -> Result<Tensor> {
        let tensor = match &self.source {
            Source::Seed(seed) => fresh(*seed, name, shape, init)?.to_dtype(self.dtype)?.to_device(&self.device)?,
            Source::Files(files) => match files.shape(name) {
                Some(stored) if stored == shape => match files.tensor(name, self.dtype, &self.device)? {
                    Some(tensor) => tensor,
                    None => return Err(Error::input(name, "vanished from its file", "copy the checkpoint again")),
                },
                found => {
                    self.problems.push(match found {
                        Some(stored) => format!("{name}: stored as {stored:?}, config.json asks for {shape:?}"),
                        None => format!("{name}: missing, config.json asks for {shape:?}"),
                    });
                    // A broadcast scalar: no memory is set aside for a weight that is not there.
                    Tensor::zeros((), self.dtype, &self.device)?.broadcast_as(shape)?
                }
            },
        };
        self.asked.insert(name.to_owned());
        let trainable = match self.training {
            Trainable::No => false,
            Trainable::Text => !name.starts_with("model.visual."),
            Trainable::All => true,
        };
        let variable = if trainable && self.problems.is_empty() { Some(Var::from_tensor(&tensor)?) } else { None };
        let tensor = variable.as_ref().map_or(tensor, |v| v.as_tensor().clone());
        self.weights.push(Weight { name: name.to_owned(), tensor: tensor.clone(), variable });
        Ok(tensor)
    }

    /// The matrix `[out, in]` called `name`, as [`Loader::get`]; kept in bfloat16 by a loader
    /// that [is narrow](Loader::is_narrow), and then not among the weights of [`Loader::finish`].
    ///
    /// # Errors
    /// As [`Loader::get`].
    pub fn matrix(&mut self, name: &str, shape: [usize; 2], init: Init) -> Result<Matrix> {
        if self.narrow
            && let Source::Files(files) = &self.source
            && files.shape(name) == Some(&shape)
        {
            let found = match files.narrow(name) {
                Some(narrow) => Some(narrow),
                None => files.tensor(name, DType::BF16, &Device::Cpu)?.as_ref().map(Narrow::of).transpose()?,
            };
            if let Some(narrow) = found {
                self.asked.insert(name.to_owned());
                return Ok(Matrix::Narrow(narrow));
            }
        }
        Ok(Matrix::Tensor(self.get(name, &shape, init)?))
    }

    /// All weights in the order they were asked for.
    ///
    /// # Errors
    /// [`Error::Weights`] listing every tensor that was missing, misshapen, damaged or not asked for.
    pub fn finish(mut self) -> Result<Vec<Weight>> {
        let Source::Files(files) = &self.source else { return Ok(self.weights) };
        for name in files.names() {
            // Rotary frequencies are derived from the configuration; some checkpoints store them anyway.
            if !self.asked.contains(name) && !name.ends_with("inv_freq") {
                let shape = files.shape(name).unwrap_or_default();
                self.problems.push(format!("{name}: not part of the model that config.json describes (stored as {shape:?})"));
            }
        }
        if self.problems.is_empty() {
            return Ok(self.weights);
        }
        Err(Error::Weights { path: files.root().to_path_buf(), problems: self.problems })
    }

    /// Whether the source stores a tensor of this name (always true for fresh weights).
    pub fn has(&self, name: &str) -> bool {
        match &self.source {
            Source::Files(files) => files.shape(name).is_some(),
            Source::Seed(_) => true,
        }
    }

    /// Marks every stored tensor whose name starts with `prefix` as known without loading it.
    pub fn ignore_below(&mut self, prefix: &str) {
        if let Source::Files(files) = &self.source {
            self.asked.extend(files.names().filter(|n| n.starts_with(prefix)).map(str::to_owned));
        }
    }

    /// Marks a stored tensor as known without loading it.
    pub fn ignore(&mut self, name: &str) {
        self.asked.insert(name.to_owned());
    }
}

/// A [`Loader`] below a prefix.
pub struct Scope<'a> {
    loader: &'a mut Loader,
    prefix: String,
}

impl Scope<'_> {
    /// The weight `prefix.name`, see [`Loader::get`].
    ///
    /// # Errors
    /// As [`Loader::get`].
    pub fn get(&mut self, name: &str, shape: &[usize], init: Init) -> Result<Tensor> {
        self.loader.get(&format!("{}.{name}", self.prefix), shape, init)
    }

    /// The matrix `prefix.name`, see [`Loader::matrix`].
    ///
    /// # Errors
    /// As [`Loader::matrix`].
    pub fn matrix(&mut self, name: &str, shape: [usize; 2], init: Init) -> Result<Matrix> {
        self.loader.matrix(&format!("{}.{name}", self.prefix), shape, init)
    }

    /// A deeper prefix, `prefix.name`.
    pub fn at(&mut self, name: &str) -> Scope<'_> {
        Scope { prefix: format!("{}.{name}", self.prefix), loader: self.loader }
    }
}

fn fresh(seed: u64, name: &str, shape: &[usize], init: Init) -> Result<Tensor> {
    Ok(match init {
        Init::Zeros => Tensor::zeros(shape, DType::F32, &Device::Cpu)?,
        Init::Ones => Tensor::ones(shape, DType::F32, &Device::Cpu)?,
        Init::Normal(deviation) => {
            let mut stream = Stream::new(seed, "weight", &[name]);
            let count = shape.iter().product();
            let values: Vec<f32> = (0..count).map(|_| (stream.normal() * deviation) as f32).collect();
            Tensor::from_vec(values, shape, &Device::Cpu)?
        }
    })
}
