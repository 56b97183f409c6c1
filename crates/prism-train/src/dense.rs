//! Vision-tower pretraining: every merged token of an image learns what it shows,
//! through linear heads on the tower's output that are thrown away afterwards.
//!
//! A base model trained from scratch needs it: a language model on top of a tower
//! that sees nothing learns to ignore the image.

use std::path::{Path, PathBuf};

use prism_model::preprocess::Preprocessor;
use prism_model::tensor::{Device, Tensor, Var};
use prism_model::{Error as ModelError, ops};
use prism_run::door::tensors::Tensors;
use prism_run::{folder, random::Stream};
use safetensors::tensor::{Dtype, TensorView};

use crate::config::TrainConfig;
use crate::objective::Terms;
use crate::optimizer::Parameters;
use crate::order::{Order, Place};
use crate::start::Opened;
use crate::task::Task;
use crate::workers::Workers;
use crate::{Error, Result};

/// File of the heads inside a checkpoint.
const FILE: &str = "dense_heads.safetensors";

/// An image and, per head, the class of every merged token (`None`: not counted).
#[derive(Debug, Clone, PartialEq)]
pub struct DenseExample {
    /// The image file.
    pub image: PathBuf,
    /// `[head][merged token, row-major]`.
    pub labels: Vec<Vec<Option<u32>>>,
}

/// A head: what it tells, and among how many classes. A multi-label target is one
/// head of two classes per label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DenseHead {
    /// Its name, e.g. `color`.
    pub name: String,
    /// Number of classes.
    pub classes: usize,
}

/// The task: mean cross-entropy over the heads, over the counted tokens of a pack of
/// [`TrainConfig::samples_per_pack`] images. Open the model with `Trainable::All`.
pub struct DenseTask<'a> {
    opened: Opened,
    examples: &'a [DenseExample],
    preprocessor: Preprocessor,
    config: &'a TrainConfig,
    heads: Vec<(DenseHead, Var)>,
    corpus: String,
    order: Order,
}

impl<'a> DenseTask<'a> {
    /// Trains the tower of `opened`; `start`: the checkpoint to take the heads from.
    ///
    /// # Errors
    /// There are no examples, their labels do not fit the heads, or the heads' file is damaged.
    pub fn new(
        opened: Opened,
        examples: &'a [DenseExample],
        heads: Vec<DenseHead>,
        config: &'a TrainConfig,
        start: Option<&Path>,
    ) -> Result<Self> {
        let refuse = |id: String, cause: &str| Err(Error::Record { id, cause: cause.into(), remedy: "correct the labels" });
        if examples.is_empty() || heads.is_empty() {
            return refuse("dense".into(), "no examples or no heads");
        }
        for example in examples {
            let fits = |(labels, head): (&Vec<Option<u32>>, &DenseHead)| labels.iter().flatten().all(|&c| (c as usize) < head.classes);
            if example.labels.len() != heads.len() || !example.labels.iter().zip(&heads).all(fits) {
                return refuse(example.image.display().to_string(), "its labels do not fit the heads");
            }
        }
        let width = opened.model.config.vision.out_hidden_size;
        let heads = match start {
            Some(start) => load_heads(start, heads, width)?,
            None => {
                heads.into_iter().map(|head| fresh_head(&head, width, config.seed).map(|weight| (head, weight))).collect::<Result<_>>()?
            }
        };
        let one = |e: &DenseExample| format!("{:?}{:?}", e.image.file_name(), e.labels);
        let all: String = examples.iter().map(|e| folder::hash_bytes(one(e).as_bytes())).collect();
        let order = Order::new(config.seed, examples.len(), Place::default());
        let preprocessor = opened.preprocessor()?;
        Ok(Self { opened, examples, preprocessor, config, heads, corpus: folder::hash_bytes(all.as_bytes()), order })
    }

    /// Shares of merged tokens told right, per head, over `examples`.
    ///
    /// # Errors
    /// An image cannot be read, or its labels are not one per merged token.
    pub fn accuracies(&self, examples: &[DenseExample], workers: &Workers) -> Result<Vec<(String, f64)>> {
        let counts = workers.map(examples, |example| self.told(example))?;
        let share = |i: usize| {
            let (right, all) = counts.iter().fold((0, 0), |(r, a), c| (r + c[i].0, a + c[i].1));
            right as f64 / all.max(1) as f64
        };
        Ok(self.heads.iter().enumerate().map(|(i, (head, _))| (head.name.clone(), share(i))).collect())
    }

    fn told(&self, example: &DenseExample) -> Result<Vec<(usize, usize)>> {
        let features = self.features(&[example])?;
        let count = |(head, labels): (&(DenseHead, Var), &Vec<Option<u32>>)| {
            let classes = ops::linear(&features, &head.1, None)?.argmax(1)?.to_vec1::<u32>()?;
            let counted = classes.iter().zip(labels).filter_map(|(class, label)| Some(*class == (*label)?));
            Ok(counted.fold((0, 0), |(right, all), is_right| (right + usize::from(is_right), all + 1)))
        };
        self.heads.iter().zip(&example.labels).map(count).collect::<Result<_, ModelError>>().map_err(Error::from)
    }

    /// `[merged tokens of all, hidden]`.
    fn features(&self, examples: &[&DenseExample]) -> Result<Tensor> {
        let pixels = examples.iter().map(|e| self.preprocessor.open(&e.image)).collect::<Result<Vec<_>, _>>()?;
        let merge = self.opened.model.config.vision.spatial_merge_size;
        for (example, pixels) in examples.iter().zip(&pixels) {
            let tokens = pixels.grid.tokens(merge);
            if example.labels.iter().any(|labels| labels.len() != tokens) {
                let cause = format!("its image has {tokens} merged tokens, its labels are not as many");
                return Err(Error::Record {
                    id: example.image.display().to_string(),
                    cause,
                    remedy: "correct the labels or the pixel limits",
                });
            }
        }
        Ok(self.opened.model.image_features(&pixels)?.tokens().clone())
    }
}

impl Task for DenseTask<'_> {
    type Pack = Vec<usize>;

    fn name(&self) -> &str {
        "vision"
    }

    fn corpus(&self) -> &str {
        &self.corpus
    }

    fn samples(&self) -> usize {
        self.examples.len()
    }

    fn parameters(&self) -> Parameters {
        let tower = self.opened.model.parameters().into_iter().filter(|(name, _)| name.starts_with("model.visual."));
        let heads = self.heads.iter().map(|(head, weight)| (format!("dense.{}.weight", head.name), weight.clone()));
        Parameters::new(tower.chain(heads))
    }

    fn seek(&mut self, place: Place) {
        self.order = Order::new(self.config.seed, self.examples.len(), place);
    }

    fn packs(&mut self, _: &Workers) -> Result<(Vec<Vec<usize>>, Place)> {
        let order = &mut self.order;
        let pack = |_| (0..self.config.samples_per_pack).map(|_| order.draw().0).collect();
        Ok(((0..self.config.packs_per_step).map(pack).collect(), self.order.place()))
    }

    fn loss(&self, _: usize, pack: &Vec<usize>) -> Result<(Tensor, Terms)> {
        let examples: Vec<&DenseExample> = pack.iter().map(|&i| &self.examples[i]).collect();
        let features = self.features(&examples)?;
        let mut sum: Option<Tensor> = None;
        for (i, (_, weight)) in self.heads.iter().enumerate() {
            let labels: Vec<Option<u32>> = examples.iter().flat_map(|e| e.labels[i].iter().copied()).collect();
            let loss = ops::cross_entropy(&features, weight, &labels)?;
            sum = Some(match sum {
                Some(sum) => (sum + loss).map_err(ModelError::from)?,
                None => loss,
            });
        }
        let sum = sum.ok_or_else(|| Error::Record { id: "dense".into(), cause: "no heads".into(), remedy: "name a head" })?;
        let loss = (sum / self.heads.len() as f64).map_err(ModelError::from)?;
        let total = f64::from(loss.to_scalar::<f32>().map_err(ModelError::from)?);
        let tokens = examples.iter().map(|e| e.labels[0].len()).sum();
        Ok((loss, Terms { ce: total, latent: None, diversity: None, total, tokens }))
    }

    fn save(&self, folder: &Path) -> Result<()> {
        self.opened.save(folder)?;
        let path = folder.join(FILE);
        let bug = |e: safetensors::SafeTensorError| Error::content(&path, e.to_string(), "report this as a bug");
        let values: Vec<Vec<f32>> = self.heads.iter().map(|(_, weight)| prism_model::tensor::values(weight)).collect::<Result<_, _>>()?;
        let mut views = Vec::new();
        for ((head, weight), values) in self.heads.iter().zip(&values) {
            views
                .push((head.name.clone(), TensorView::new(Dtype::F32, weight.dims().to_vec(), bytemuck::cast_slice(values)).map_err(bug)?));
        }
        safetensors::serialize_to_file(views, None, &path).map_err(|e| prism_run::Error::unsaved(&path, e))?;
        Ok(prism_run::folder::usual_permissions(&path)?)
    }
}

fn fresh_head(head: &DenseHead, width: usize, seed: u64) -> Result<Var> {
    let spread = 1.0 / (width as f32).sqrt();
    let values: Vec<f32> =
        Stream::new(seed, "dense-head", &[&head.name]).normals(head.classes * width).iter().map(|z| z * spread).collect();
    variable(values, head, width)
}

fn variable(values: Vec<f32>, head: &DenseHead, width: usize) -> Result<Var> {
    let weight = Tensor::from_vec(values, (head.classes, width), &Device::Cpu).and_then(|t| Var::from_tensor(&t));
    Ok(weight.map_err(ModelError::from)?)
}

fn load_heads(folder: &Path, heads: Vec<DenseHead>, width: usize) -> Result<Vec<(DenseHead, Var)>> {
    let remedy = "the checkpoint is damaged or of other heads: delete it to resume from an earlier one";
    let file = Tensors::open(&folder.join(FILE), remedy)?;
    let load = |head: DenseHead| {
        let mut values = vec![0.0; head.classes * width];
        file.read_into(&head.name, &[head.classes, width], &mut values)?;
        variable(values, &head, width).map(|weight| (head, weight))
    };
    heads.into_iter().map(load).collect()
}
