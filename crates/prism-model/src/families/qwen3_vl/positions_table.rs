//! Learned positions of patches: a square table of vectors, read between its points for a grid of
//! another size.

use super::config::POSITIONS;
use crate::config::VisionConfig;
use crate::ops;
use crate::preprocess::Grid;
use crate::tensor::Tensor;
use crate::vision::order;
use crate::weights::{Init, Scope};
use crate::{Error, Result};

/// The table, `[side * side, hidden]`, row by row.
#[derive(Debug)]
pub(super) struct PositionTable {
    table: Tensor,
    side: usize,
    merge: usize,
}

/// A corner of the square of the table's points that a patch lies in: for every patch its row of the
/// table, and its weight.
#[derive(Debug, Default, Clone)]
struct Corner {
    rows: Vec<u32>,
    weights: Vec<f32>,
}

impl PositionTable {
    /// Loads `pos_embed` of the tower that `scope` is of.
    ///
    /// # Errors
    /// As [`Scope::get`].
    pub fn load(config: &VisionConfig, scope: &mut Scope<'_>) -> Result<Self> {
        let rows = config.own.number(POSITIONS);
        let table = scope.get("pos_embed.weight", &[rows, config.hidden_size], Init::Normal(config.initializer_range))?;
        Ok(Self { table, side: rows.isqrt(), merge: config.spatial_merge_size })
    }

    /// The positions of all patches of the images, in merge order: `[patches, hidden]`.
    ///
    /// # Errors
    /// The tensor library refuses.
    pub fn of(&self, grids: &[Grid]) -> Result<Tensor> {
        let mut sum: Option<Tensor> = None;
        for Corner { rows, weights } in corners(self.side, self.merge, grids) {
            let weights = Tensor::from_vec(weights, (rows.len(), 1), self.table.device())?.to_dtype(self.table.dtype())?;
            let part = ops::embed(&self.table, &rows)?.broadcast_mul(&weights)?;
            sum = Some(match sum {
                Some(sum) => (sum + part)?,
                None => part,
            });
        }
        sum.ok_or_else(|| Error::input("images", "are none", "give at least one"))
    }
}

/// The four corners of every patch: the grid's first row lies on the table's first, its last on the last.
fn corners(side: usize, merge: usize, grids: &[Grid]) -> [Corner; 4] {
    let mut corners: [Corner; 4] = Default::default();
    let mut places = order::coordinates(merge, grids).into_iter();
    for grid in grids {
        for (row, column) in places.by_ref().take(grid.patches()) {
            let (top, bottom, down) = between(side, row, grid.h);
            let (left, right, across) = between(side, column, grid.w);
            let four = [
                (top, left, (1.0 - down) * (1.0 - across)),
                (top, right, (1.0 - down) * across),
                (bottom, left, down * (1.0 - across)),
                (bottom, right, down * across),
            ];
            for (corner, (row, column, weight)) in corners.iter_mut().zip(four) {
                corner.rows.push((row * side + column) as u32);
                corner.weights.push(weight);
            }
        }
    }
    corners
}

/// Where place `at` of `count` lies among the `side` points of an axis: the point before it, the one
/// after, and how far it is from the first of them. In f32, as the reference counts.
fn between(side: usize, at: usize, count: usize) -> (usize, usize, f32) {
    if count < 2 {
        return (0, 1.min(side - 1), 0.0);
    }
    let last = (side - 1) as f32;
    let step = last / (count - 1) as f32;
    // From the nearer end, as `torch.linspace` does.
    let place = if at < count / 2 { step * at as f32 } else { last - step * (count - 1 - at) as f32 };
    let before = (place as usize).min(side - 1);
    (before, (before + 1).min(side - 1), place - before as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_lie_on_the_ends_and_the_rest_between() {
        assert_eq!(between(6, 0, 4), (0, 1, 0.0));
        assert_eq!(between(6, 3, 4), (5, 5, 0.0));
        assert_eq!(between(3, 1, 5), (0, 1, 0.5));
        assert_eq!(between(1, 1, 2), (0, 0, 0.0));
        let (before, after, far) = between(4, 3, 10); // 3 * 3 / 9
        assert_eq!((before, after), (1, 2));
        assert!(far.abs() < 1e-6);
    }

    #[test]
    fn the_weights_of_a_patch_sum_to_one() {
        let grids = [Grid { t: 1, h: 4, w: 6 }, Grid { t: 2, h: 2, w: 2 }];
        let corners = corners(5, 2, &grids);
        for patch in 0..32 {
            let sum: f32 = corners.iter().map(|corner| corner.weights[patch]).sum();
            assert!((sum - 1.0).abs() < 1e-6);
        }
        // In merge order the second patch is the first row's second, the third begins the second row.
        assert_eq!(corners[0].rows[..4], [0, 0, 5, 5]);
        assert_eq!(corners[0].rows[24..], [0, 4, 20, 24, 0, 4, 20, 24]);
    }
}
