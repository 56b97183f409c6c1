//! The diversity loss of P-LVR-3: free tokens of a block are kept apart (method,
//! section 3). Per block the mean over all F x F entries of the squared
//! off-diagonal Gram matrix of the L2-normalised states at the free positions,
//! then the mean over the pack's blocks.

use prism_model::Error;
use prism_model::tensor::{D, DType, Tensor};

use super::rows;
use crate::Result;
use crate::pack::Pack;

/// A scalar; `None` if the pack has no free token. `hidden [n, d]` after the final norm.
///
/// # Errors
/// The tensor library refuses.
pub fn of(pack: &Pack, hidden: &Tensor) -> Result<Option<Tensor>> {
    let Some(sum) = pack.free.iter().map(|block| of_block(&rows(hidden, block)?)).reduce(|a, b| Ok((a? + b?)?)) else {
        return Ok(None);
    };
    Ok(Some((sum? / pack.free.len() as f64).map_err(Error::from)?))
}

fn of_block(states: &Tensor) -> Result<Tensor, Error> {
    let states = states.to_dtype(DType::F32)?;
    let count = states.dim(0)?;
    let norm = states.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?.maximum(1e-12)?;
    let unit = states.broadcast_div(&norm)?;
    let gram = unit.matmul(&unit.t()?)?;
    let apart: Vec<f32> = (0..count * count).map(|i| if i / count == i % count { 0.0 } else { 1.0 }).collect();
    Ok((gram * Tensor::from_vec(apart, (count, count), states.device())?)?.sqr()?.mean_all()?)
}

#[cfg(test)]
mod tests {
    use prism_model::tensor::Device;

    use super::*;

    #[test]
    fn alike_costs_and_orthogonal_does_not() {
        let value = |rows: &[[f32; 2]]| {
            let states = Tensor::from_slice(rows.as_flattened(), (rows.len(), 2), &Device::Cpu).unwrap();
            of_block(&states).unwrap().to_scalar::<f32>().unwrap()
        };
        assert!(value(&[[3.0, 0.0], [0.0, 2.0]]).abs() < 1e-7);
        assert!((value(&[[3.0, 0.0], [-1.0, 0.0], [2.0, 0.0]]) - 6.0 / 9.0).abs() < 1e-6);
    }
}
