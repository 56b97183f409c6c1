//! Where a model's weights come from: a checkpoint, or a seed.
//!
//! Modules ask a [`Loader`] for each tensor by its in-memory name and shape. Over
//! headers alone it hands out stand-ins, and collects what is missing, misshapen or
//! left over ([`Loader::told`]). Trainable tensors come out backed by a [`Var`].

use std::collections::HashSet;
use std::sync::Arc;

use prism_run::random::Stream;

use crate::checkpoint::{FLOATS, Files, float};
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
    Files(Arc<Files>),
    /// Names, shapes and dtypes only.
    Headers(Arc<Files>),
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
    /// Weights of a checkpoint's files (either layout of names, single file or shards) that
    /// were found to fit the model.
    pub fn over(files: Arc<Files>, device: &Device, dtype: DType, training: Trainable) -> Self {
        Self::new(Source::Files(files), device, dtype, training)
    }

    /// Stand-ins for a checkpoint's weights: each holds one number, whatever its shape.
    pub fn headers(files: Arc<Files>) -> Self {
        let problems = files.problems.clone();
        Self { problems, ..Self::new(Source::Headers(files), &Device::Cpu, DType::F32, Trainable::No) }
    }

    /// Fresh weights; the same name and seed give the same values, whatever else is asked for.
    pub fn random(seed: u64, device: &Device, dtype: DType, training: Trainable) -> Self {
        Self::new(Source::Seed(seed), device, dtype, training)
    }

    fn new(source: Source, device: &Device, dtype: DType, training: Trainable) -> Self {
        let narrow = device.is_cpu() && dtype == DType::BF16 && training == Trainable::No && matches!(source, Source::Files(_));
        let (device, dtype) = (device.clone(), if narrow { DType::F32 } else { dtype });
        Self { source, device, dtype, training, weights: Vec::new(), asked: HashSet::new(), problems: Vec::new(), narrow }
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

    /// The weight called `name`. Over headers a weight that is missing or misshapen is noted
    /// for [`Loader::told`].
    ///
    /// # Errors
    /// The tensor library refuses, or the files do not hold such a weight.
    pub fn get(&mut self, name: &str, shape: &[usize], init: Init) -> Result<Tensor> {
        let training = self.training;
        self.load(name, shape, init, training)
    }

    /// Whether the source stores a tensor of this name (always true for fresh weights).
    pub fn has(&self, name: &str) -> bool {
        match &self.source {
            Source::Files(files) | Source::Headers(files) => files.shape(name).is_some(),
            Source::Seed(_) => true,
        }
    }

    /// As [`Loader::get`], a weight that no training changes.
    ///
    /// # Errors
    /// As [`Loader::get`].
    pub fn frozen(&mut self, name: &str, shape: &[usize], init: Init) -> Result<Tensor> {
        self.load(name, shape, init, Trainable::No)
    }

    /// Whether weights come from a checkpoint.
    pub fn is_stored(&self) -> bool {
        !matches!(self.source, Source::Seed(_))
    }

    fn load(&mut self, name: &str, shape: &[usize], init: Init, training: Trainable) -> Result<Tensor> {
        let tensor = match &self.source {
            Source::Seed(seed) => fresh(*seed, name, shape, init)?.to_dtype(self.dtype)?.to_device(&self.device)?,
            Source::Files(files) => {
                let tensor = files.tensor(name, self.dtype, &self.device)?.filter(|tensor| tensor.dims() == shape);
                tensor.ok_or_else(|| Error::input(name, "is not in the files as config.json asks for it", "copy the checkpoint again"))?
            }
            Source::Headers(files) => {
                let problem = misfit(files, name, shape);
                self.problems.extend(problem);
                Tensor::zeros((), self.dtype, &self.device)?.broadcast_as(shape)?
            }
        };
        self.asked.insert(name.to_owned());
        let trainable = match training {
            Trainable::No => false,
            Trainable::Text => !name.starts_with("model.visual."),
            Trainable::All => true,
        };
        let variable = if trainable { Some(Var::from_tensor(&tensor)?) } else { None };
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
    /// Weights were asked of headers: there are none.
    pub fn finish(self) -> Result<Vec<Weight>> {
        match self.source {
            Source::Headers(files) => {
                Err(Error::input(files.root().display().to_string(), "was opened for its headers only", "report this as a bug"))
            }
            _ => Ok(self.weights),
        }
    }

    /// The stand-ins in the order they were asked for; everything that is wrong: files damaged, tensors missing,
    /// misshapen, of a dtype that is no float; and a note of tensors that nobody asked for.
    pub fn told(self) -> (Vec<Weight>, Vec<String>, Option<String>) {
        let Source::Headers(files) = &self.source else { return (self.weights, self.problems, None) };
        // Rotary frequencies are derived from the configuration; some checkpoints store them anyway.
        let extra: Vec<&str> = files.names().filter(|name| !self.asked.contains(*name) && !name.ends_with("inv_freq")).collect();
        let note = (!extra.is_empty()).then(|| {
            let some = extra.iter().take(LISTED).copied().collect::<Vec<_>>().join(", ");
            let more = if extra.len() > LISTED { format!(" and {} more", extra.len() - LISTED) } else { String::new() };
            format!("{} tensors are not part of the model that config.json describes, and are not used: {some}{more}", extra.len())
        });
        (self.weights, self.problems, note)
    }

    /// Marks the stored tensor `prefix`, and those below it, as known without loading them.
    pub fn ignore_below(&mut self, prefix: &str) {
        if let Source::Files(files) | Source::Headers(files) = &self.source {
            let below = |name: &str| name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
            self.asked.extend(files.names().filter(|name| below(name)).map(String::from));
        }
    }

    /// Marks a stored tensor as known without loading it.
    pub fn ignore(&mut self, name: &str) {
        self.asked.insert(name.to_owned());
    }
}

/// Most tensors that a note names.
const LISTED: usize = 40;

/// How a stored tensor differs from what is asked for.
fn misfit(files: &Files, name: &str, shape: &[usize]) -> Option<String> {
    let Some(stored) = files.shape(name) else {
        // Where no file could be read, or a whole shard is absent, that was said already.
        let said = files.is_blank() || files.is_in_absent_shard(name);
        return (!said).then(|| format!("{name}: missing, config.json asks for {shape:?}"));
    };
    if stored != shape {
        return Some(format!("{name}: stored as {stored:?}, config.json asks for {shape:?}"));
    }
    let dtype = files.dtype(name).unwrap_or_default();
    float(dtype).is_none().then(|| format!("{name}: stored as {dtype}; {FLOATS}"))
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

    /// As [`Scope::get`], laid out as `[rows, columns]` of the same numbers.
    ///
    /// # Errors
    /// As [`Loader::get`].
    pub fn flat(&mut self, name: &str, shape: &[usize], init: Init, (rows, columns): (usize, usize)) -> Result<Tensor> {
        let tensor = self.get(name, shape, init)?;
        Ok(match self.loader.source {
            // A stand-in is one number: to reshape it would set the memory aside.
            Source::Headers(_) => Tensor::zeros((), tensor.dtype(), tensor.device())?.broadcast_as((rows, columns))?,
            _ => tensor.reshape((rows, columns))?,
        })
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
