//! Where each patch goes: windows of merged tokens are made adjacent, so that both
//! kinds of attention are runs of patches, and the merged tokens are put back after.

use crate::config::VisionConfig;
use crate::ops::Rotary;
use crate::preprocess::Grid;
use crate::{Error, Result};

/// Base of the tower's rotary frequencies.
const THETA: f64 = 10_000.0;

/// The order of patches inside the tower for some images.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Row of the input that comes at each place inside the tower.
    pub patch_order: Vec<u32>,
    /// For each merged token in row-major order, its place inside the tower.
    pub token_order: Vec<u32>,
    /// Bounds of the windows, in patches.
    pub window_bounds: Vec<usize>,
    /// Bounds of the frames (a still image is one), in patches.
    pub frame_bounds: Vec<usize>,
    /// Row and column angles of every place inside the tower.
    pub rotary: Rotary,
}

impl Layout {
    /// The layout of images end to end.
    ///
    /// # Errors
    /// A grid is empty or not a whole number of merged tokens.
    pub fn new(config: &VisionConfig, grids: &[Grid]) -> Result<Self> {
        let merge = config.spatial_merge_size;
        let unit = merge * merge;
        if let Some(grid) = grids.iter().find(|g| g.patches() == 0 || g.h % merge != 0 || g.w % merge != 0) {
            let cause = format!("{} x {} x {} patches are no whole number of {merge} x {merge} tokens", grid.t, grid.h, grid.w);
            return Err(Error::input("image grid", cause, "use the grid of the preprocessor"));
        }
        let window = (config.window_size / merge / config.patch_size).max(1);
        let mut windowed: Vec<usize> = Vec::new();
        let (mut window_bounds, mut frame_bounds) = (vec![0], vec![0]);
        let mut base = 0;
        for grid in grids {
            let (rows, columns) = (grid.h / merge, grid.w / merge);
            for frame in 0..grid.t {
                let first = base + frame * rows * columns;
                for top in (0..rows).step_by(window) {
                    for left in (0..columns).step_by(window) {
                        for row in top..(top + window).min(rows) {
                            windowed.extend((left..(left + window).min(columns)).map(|column| first + row * columns + column));
                        }
                        window_bounds.push(windowed.len() * unit);
                    }
                }
                frame_bounds.push(windowed.len() * unit);
            }
            base += grid.t * rows * columns;
        }
        let mut token_order = vec![0u32; windowed.len()];
        for (place, &token) in windowed.iter().enumerate() {
            token_order[token] = place as u32;
        }
        let patch_order: Vec<u32> = windowed.iter().flat_map(|token| (token * unit..(token + 1) * unit).map(|p| p as u32)).collect();
        let rotary = rotary(config, grids, &patch_order);
        Ok(Self { patch_order, token_order, window_bounds, frame_bounds, rotary })
    }
}

/// Angles of each place: the first half of the frequencies turns with the patch's row,
/// the second with its column.
fn rotary(config: &VisionConfig, grids: &[Grid], patch_order: &[u32]) -> Rotary {
    let merge = config.spatial_merge_size;
    let half = config.hidden_size / config.num_heads / 2;
    let quarter = half / 2;
    let frequency: Vec<f32> = (0..quarter).map(|j| (1.0 / THETA.powf(j as f64 / quarter as f64)) as f32).collect();
    let mut coordinates = Vec::with_capacity(patch_order.len());
    for grid in grids {
        for _ in 0..grid.t {
            for row in (0..grid.h).step_by(merge) {
                for column in (0..grid.w).step_by(merge) {
                    coordinates.extend((0..merge * merge).map(|i| (row + i / merge, column + i % merge)));
                }
            }
        }
    }
    let mut angles = Vec::with_capacity(patch_order.len() * half);
    for &patch in patch_order {
        let (row, column) = coordinates[patch as usize];
        angles.extend(frequency.iter().map(|f| row as f32 * f));
        angles.extend(frequency.iter().map(|f| column as f32 * f));
    }
    Rotary::from_angles(&angles, half)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn windows_are_adjacent_and_the_tokens_come_back() {
        let config = Config::tiny().vision; // windows of 2 x 2 tokens
        let grids = [Grid { t: 1, h: 6, w: 10 }, Grid { t: 1, h: 2, w: 2 }];
        let layout = Layout::new(&config, &grids).unwrap();
        assert_eq!(layout.window_bounds, [0, 16, 32, 40, 48, 56, 60, 64]);
        assert_eq!(layout.frame_bounds, [0, 60, 64]);
        assert_eq!(layout.patch_order[..8], [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(layout.patch_order[8..12], [20, 21, 22, 23], "second row of the first window");
        for (token, place) in layout.token_order.iter().enumerate() {
            assert_eq!(layout.patch_order[*place as usize * 4] as usize, token * 4);
        }
    }

    #[test]
    fn a_grid_of_broken_tokens_is_refused() {
        let config = Config::tiny().vision;
        for (h, w) in [(3, 4), (4, 5), (0, 4)] {
            assert!(Layout::new(&config, &[Grid { t: 1, h, w }]).is_err());
        }
    }
}
