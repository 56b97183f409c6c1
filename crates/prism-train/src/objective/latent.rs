//! The latent loss: distance in f32 between the state before a latent position and
//! the visual embedding that position holds (method, sections 1 and 3).

use prism_model::Error;
use prism_model::Model;
use prism_model::tensor::{D, DType, Tensor};
use prism_run::{LatentLoss, Reduction};

use super::{Objective, rows};
use crate::Result;
use crate::pack::Pack;

/// Teacher targets of the pack's latent positions, `[latents, hidden]`, of image tokens' `features
/// [tokens, hidden]`; `None` without any.
///
/// # Errors
/// A target lies outside the features.
pub fn targets(pack: &Pack, features: &Tensor) -> Result<Option<Tensor>> {
    let tokens: Vec<u32> = pack.latents.iter().flat_map(|s| s.tokens.iter().copied()).collect();
    Ok(if tokens.is_empty() { None } else { Some(rows(features, &tokens)?) })
}

/// The latent loss of a pack: a scalar.
///
/// `targets [latents, hidden]` as [`targets`] gives them.
///
/// # Errors
/// The tensor library refuses.
pub fn of(model: &Model, pack: &Pack, hidden: &Tensor, targets: &Tensor, objective: &Objective) -> Result<Tensor> {
    let before: Vec<u32> = pack.latent_rows().iter().map(|row| row - 1).collect();
    let states = model.feedback(&rows(hidden, &before)?)?;
    Ok(weighted(&states, targets, &weights(pack, objective), objective.latent_loss)?)
}

/// Weight of every latent position: the reduction, written out.
fn weights(pack: &Pack, objective: &Objective) -> Vec<f32> {
    let all: usize = pack.latents.iter().map(|s| s.tokens.len()).sum();
    let per_segment = objective.reduction == Reduction::Paper && objective.staged;
    let weight = |n: usize| 1.0 / if per_segment { n } else { all } as f32;
    pack.latents.iter().flat_map(|s| std::iter::repeat_n(weight(s.tokens.len()), s.tokens.len())).collect()
}

/// Sum over rows of `weights` times the row's distance.
fn weighted(states: &Tensor, targets: &Tensor, weights: &[f32], form: LatentLoss) -> Result<Tensor, Error> {
    let (h, v) = (states.to_dtype(DType::F32)?, targets.to_dtype(DType::F32)?);
    let per_row = match form {
        LatentLoss::Mse => (h - v)?.sqr()?.mean(D::Minus1)?,
        LatentLoss::Mae => (h - v)?.abs()?.mean(D::Minus1)?,
        LatentLoss::Cosine => {
            let norm = |t: &Tensor| t.sqr()?.sum(D::Minus1)?.sqrt()?.maximum(1e-8);
            let product = (norm(&h)? * norm(&v)?)?;
            ((h * v)?.sum(D::Minus1)? / product)?.affine(-1.0, 1.0)?
        }
    };
    Ok((per_row * Tensor::new(weights, states.device())?)?.sum_all()?)
}

#[cfg(test)]
mod tests {
    use prism_model::tensor::{Device, Var};

    use super::*;

    fn tensors() -> (Var, Tensor) {
        let h = Var::from_tensor(&Tensor::new(&[[1f32, 2.0], [0.0, -1.0], [3.0, 4.0]], &Device::Cpu).unwrap()).unwrap();
        let v = Tensor::new(&[[1f32, 0.0], [1.0, -1.0], [4.0, 3.0]], &Device::Cpu).unwrap();
        (h, v)
    }

    #[test]
    fn the_three_forms() {
        let (h, v) = tensors();
        let third = [1.0 / 3.0; 3];
        let value = |form| f64::from(weighted(&h, &v, &third, form).unwrap().to_scalar::<f32>().unwrap());
        assert!((value(LatentLoss::Mse) - (2.0 + 0.5 + 1.0) / 3.0).abs() < 1e-6);
        assert!((value(LatentLoss::Mae) - (1.0 + 0.5 + 1.0) / 3.0).abs() < 1e-6);
        let cosines = 1.0 / 5f64.sqrt() + 1.0 / 2f64.sqrt() + 24.0 / 25.0;
        assert!((value(LatentLoss::Cosine) - (1.0 - cosines / 3.0)).abs() < 1e-6);
    }

    #[test]
    fn gradients_agree_with_differences() {
        for form in [LatentLoss::Mse, LatentLoss::Mae, LatentLoss::Cosine] {
            let (h, v) = tensors();
            let weights = [0.5, 1.0, 0.25];
            let store = weighted(&h, &v, &weights, form).unwrap().backward().unwrap();
            let gradient = store.get(&h).unwrap().to_vec2::<f32>().unwrap();
            let at = |i: usize, j: usize, d: f32| {
                let mut values = h.to_vec2::<f32>().unwrap();
                values[i][j] += d;
                let moved = Tensor::new(values, &Device::Cpu).unwrap();
                weighted(&moved, &v, &weights, form).unwrap().to_scalar::<f32>().unwrap()
            };
            for (i, j) in [(0, 1), (1, 0), (2, 0), (2, 1)] {
                let difference = (at(i, j, 1e-2) - at(i, j, -1e-2)) / 2e-2;
                assert!((difference - gradient[i][j]).abs() < 2e-3, "{form:?} {difference} {}", gradient[i][j]);
            }
        }
    }
}
