//! Where patches lie in their images: coordinates in merge order, the bounds of frames, and the angles
//! that turn queries and keys by row and column.

use crate::config::VisionConfig;
use crate::ops::Rotary;
use crate::preprocess::Grid;
use crate::{Error, Result};

/// Base of the tower's rotary frequencies.
const THETA: f64 = 10_000.0;

/// # Errors
/// A grid is empty or not a whole number of merged tokens.
pub fn check(config: &VisionConfig, grids: &[Grid]) -> Result<()> {
    let merge = config.spatial_merge_size;
    match grids.iter().find(|g| g.patches() == 0 || g.h % merge != 0 || g.w % merge != 0) {
        Some(grid) => {
            let cause = format!("{} x {} x {} patches are no whole number of {merge} x {merge} tokens", grid.t, grid.h, grid.w);
            Err(Error::input("image grid", cause, "use the grid of the preprocessor"))
        }
        None => Ok(()),
    }
}

/// Row and column of every patch of the images, in merge order: the patches of a token are adjacent.
pub fn coordinates(merge: usize, grids: &[Grid]) -> Vec<(usize, usize)> {
    let mut coordinates = Vec::with_capacity(grids.iter().map(|grid| grid.patches()).sum());
    for grid in grids {
        for _ in 0..grid.t {
            for row in (0..grid.h).step_by(merge) {
                for column in (0..grid.w).step_by(merge) {
                    coordinates.extend((0..merge * merge).map(|i| (row + i / merge, column + i % merge)));
                }
            }
        }
    }
    coordinates
}

/// Bounds of the frames (a still image is one), in patches.
pub fn frames(grids: &[Grid]) -> Vec<usize> {
    let mut bounds = vec![0];
    let mut end = 0;
    for grid in grids {
        for _ in 0..grid.t {
            end += grid.h * grid.w;
            bounds.push(end);
        }
    }
    bounds
}

/// Angles of patches at those rows and columns: the first half of the frequencies turns with the row,
/// the second with the column.
pub fn rotary(config: &VisionConfig, places: impl ExactSizeIterator<Item = (usize, usize)>) -> Rotary {
    let half = config.head_dim() / 2;
    let quarter = half / 2;
    let frequency: Vec<f32> = (0..quarter).map(|j| (1.0 / THETA.powf(j as f64 / quarter as f64)) as f32).collect();
    let mut angles = Vec::with_capacity(places.len() * half);
    for (row, column) in places {
        angles.extend(frequency.iter().map(|f| row as f32 * f));
        angles.extend(frequency.iter().map(|f| column as f32 * f));
    }
    Rotary::from_angles(&angles, half)
}
