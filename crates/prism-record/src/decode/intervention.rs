//! The interventions of the method's section 7 as hooks: each replaces the fed-back
//! vector before a latent forward reads it.

use std::path::Path;
use std::sync::Arc;

use prism_model::{Error, Result};
use prism_run::Stage;
use prism_run::random::Stream;
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;

use super::site::{Hook, Refusal, Side, Site};

/// The vectors an example fed back in its clean run, by stage and step; or, in the same order, its keys and
/// values ([`super::exchange`]).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Latents {
    /// Row of the example in its benchmark.
    pub row: usize,
    /// Context stage, `[step][hidden]`.
    pub context: Vec<Vec<f32>>,
    /// Target stage, `[step][hidden]`.
    pub target: Vec<Vec<f32>>,
}

impl Latents {
    /// Adds the next step of a stage. The free stage has none.
    pub fn push(&mut self, stage: Stage, vector: Vec<f32>) {
        match stage {
            Stage::Context => self.context.push(vector),
            Stage::Target => self.target.push(vector),
            Stage::Free => {}
        }
    }

    /// The vectors of one stage.
    pub fn stage(&self, stage: Stage) -> &[Vec<f32>] {
        match stage {
            Stage::Context => &self.context,
            Stage::Target => &self.target,
            Stage::Free => &[],
        }
    }

    /// The vector at `step`, the stage's last one if the run was shorter.
    pub fn at(&self, stage: Stage, step: usize) -> Option<&[f32]> {
        let vectors = self.stage(stage);
        vectors.get(step).or(vectors.last()).map(Vec::as_slice)
    }

    /// How many stages ran.
    pub fn stages(&self) -> usize {
        usize::from(!self.context.is_empty()) + usize::from(!self.target.is_empty())
    }

    /// Whether no latent forward ran.
    pub fn is_empty(&self) -> bool {
        self.stages() == 0
    }
}

/// `h` becomes 0 (the paper's `truncate`).
#[derive(Debug, Clone, Copy, Default)]
pub struct Zero;

impl Hook for Zero {
    fn at(&mut self, site: Site, vector: &[f32]) -> Result<Option<Vec<f32>>, Refusal> {
        Ok((site.side == Side::Input).then(|| vec![0.0; vector.len()]))
    }
}

/// Where the standard normal draws come from.
#[derive(Debug, Clone)]
pub enum NoiseSource {
    /// Keyed by seed, example, stage and step: the same draw whatever sigma, batch or thread.
    Keyed {
        /// The run's seed.
        seed: u64,
        /// [`prism_run::Example::id`].
        example: String,
    },
    /// Read from a file: `draws[i]` for the example's `i`-th latent forward.
    Given(Arc<Vec<Vec<f32>>>),
}

impl NoiseSource {
    /// The draw `[width]` at a latent forward, or why there is none.
    pub(super) fn draw(&self, site: Site, width: usize) -> Result<Vec<f32>, Refusal> {
        match self {
            Self::Keyed { seed, example } => {
                let (stage, step) = site.place.map_or(("", 0), |p| (p.stage.name(), p.step));
                Ok(Stream::new(*seed, "noise", &[example, stage, &step.to_string()]).normals(width))
            }
            Self::Given(draws) => match draws.get(site.latent) {
                Some(draw) if draw.len() == width => Ok(draw.clone()),
                Some(draw) => Err(Refusal(format!("the noise file's draws are {} wide, the hidden state {width}", draw.len()))),
                None => Err(Refusal(format!("the noise file holds {} draws for this example, more were needed", draws.len()))),
            },
        }
    }
}

/// `h + sigma * N(0, I)`, sigma in raw units of the hidden state.
#[derive(Debug, Clone)]
pub struct Noise {
    /// Standard deviation per dimension.
    pub sigma: f64,
    /// Where the draws come from.
    pub source: NoiseSource,
}

impl Hook for Noise {
    fn at(&mut self, site: Site, vector: &[f32]) -> Result<Option<Vec<f32>>, Refusal> {
        if site.side == Side::Output {
            return Ok(None);
        }
        let sigma = self.sigma as f32;
        let draw = self.source.draw(site, vector.len())?;
        Ok(Some(vector.iter().zip(draw).map(|(h, z)| h + sigma * z).collect()))
    }
}

/// `h` becomes the vector the donor had in its clean run at the same step of the same stage.
#[derive(Debug, Clone)]
pub struct Swap {
    /// The donor's clean latents.
    pub donor: Arc<Latents>,
}

impl Hook for Swap {
    fn at(&mut self, site: Site, _: &[f32]) -> Result<Option<Vec<f32>>, Refusal> {
        let (Side::Input, Some(place)) = (site.side, site.place) else { return Ok(None) };
        match self.donor.at(place.stage, place.step) {
            Some(vector) => Ok(Some(vector.to_vec())),
            None => Err(Refusal(format!("donor row {} never ran the {} stage: nothing to swap in", self.donor.row, place.stage.name()))),
        }
    }
}

/// Draws for every example, read from a safetensors file with one tensor
/// `noise [examples, latent forwards, hidden]` (f32).
#[derive(Debug, Clone)]
pub struct NoiseFile {
    examples: Vec<Arc<Vec<Vec<f32>>>>,
}

impl NoiseFile {
    /// Reads the file.
    ///
    /// # Errors
    /// [`Error::Content`] when it is not such a file.
    pub fn read(path: &Path) -> Result<Self> {
        let remedy = "give a safetensors file with `noise` [examples, latent forwards, hidden] in F32";
        let bytes = std::fs::read(path).map_err(|e| Error::Run(prism_run::Error::io("cannot read", path, e)))?;
        let bad = |cause: String| Error::Run(prism_run::Error::content(path, cause, remedy));
        let file = SafeTensors::deserialize(&bytes).map_err(|e| bad(e.to_string()))?;
        let view = file.tensor("noise").map_err(|e| bad(e.to_string()))?;
        let &[examples, forwards, width] = view.shape() else { return Err(bad(format!("`noise` has shape {:?}", view.shape()))) };
        if view.dtype() != Dtype::F32 {
            return Err(bad(format!("`noise` is {:?}", view.dtype())));
        }
        // Without a width, or without forwards, the file's size bounds no count.
        let bytes_told = [examples, forwards, width].iter().try_fold(4usize, |product, n| product.checked_mul(*n));
        if examples == 0 || forwards == 0 || width == 0 || bytes_told != Some(view.data().len()) {
            return Err(bad(format!("`noise` has shape {:?} over {} bytes", view.shape(), view.data().len())));
        }
        let mut values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let mut vector = || values.by_ref().take(width).collect::<Vec<f32>>();
        let examples = (0..examples).map(|_| Arc::new((0..forwards).map(|_| vector()).collect())).collect();
        Ok(Self { examples })
    }

    /// The draws of the `index`-th example of the file.
    pub fn source(&self, index: usize) -> Option<NoiseSource> {
        self.examples.get(index).cloned().map(NoiseSource::Given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::block_begin_end::Place;

    fn site(stage: Stage, step: usize) -> Site {
        let place = Place { stage, block: 0, step, block_step: step };
        Site { iteration: step + 2, latent: step, place: Some(place), side: Side::Input }
    }

    #[test]
    fn one_draw_serves_every_sigma_and_zero_sigma_changes_no_bit() {
        let h = [0.5f32, -2.0, 3.25, 1e-9];
        let at = |sigma: f64| {
            let source = NoiseSource::Keyed { seed: 3, example: "q7".into() };
            Noise { sigma, source }.at(site(Stage::Target, 1), &h).unwrap().unwrap()
        };
        assert_eq!(at(0.0), h);
        let (small, large) = (at(0.5), at(1.0));
        for i in 0..3 {
            assert!(((large[i] - h[i]) - 2.0 * (small[i] - h[i])).abs() < 1e-6);
        }
    }

    #[test]
    fn draws_differ_by_stage_step_and_example() {
        let draw = |example: &str, stage, step| NoiseSource::Keyed { seed: 3, example: example.into() }.draw(site(stage, step), 4).unwrap();
        let base = draw("a", Stage::Target, 0);
        assert_eq!(base, draw("a", Stage::Target, 0));
        for other in [draw("b", Stage::Target, 0), draw("a", Stage::Context, 0), draw("a", Stage::Target, 1)] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn a_swap_takes_the_donors_last_vector_when_it_ran_shorter_and_refuses_without_one() {
        let donor = Arc::new(Latents { row: 4, context: vec![], target: vec![vec![1.0], vec![2.0]] });
        let mut swap = Swap { donor };
        assert_eq!(swap.at(site(Stage::Target, 0), &[0.0]).unwrap(), Some(vec![1.0]));
        assert_eq!(swap.at(site(Stage::Target, 5), &[0.0]).unwrap(), Some(vec![2.0]));
        let refusal = swap.at(site(Stage::Context, 0), &[0.0]).unwrap_err();
        assert!(refusal.0.contains("row 4") && refusal.0.contains("context"));
    }

    #[test]
    fn a_noise_file_that_is_none_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("n.safetensors");
        std::fs::write(&path, b"nothing").unwrap();
        assert!(NoiseFile::read(&path).unwrap_err().to_string().contains("n.safetensors"));
        for shape in [vec![1 << 40, 1 << 20, 0], vec![1 << 40, 0, 8]] {
            let view = safetensors::tensor::TensorView::new(Dtype::F32, shape, &[]).unwrap();
            std::fs::write(&path, safetensors::serialize([("noise", view)], None).unwrap()).unwrap();
            assert!(NoiseFile::read(&path).unwrap_err().to_string().contains("shape"));
        }
    }
}
