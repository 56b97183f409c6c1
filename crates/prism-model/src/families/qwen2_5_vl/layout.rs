//! Where each patch goes: windows of merged tokens are made adjacent, so that both
//! kinds of attention are runs of patches, and the merged tokens are put back after.

use super::config::WINDOW;
use crate::Result;
use crate::config::VisionConfig;
use crate::ops::Rotary;
use crate::preprocess::Grid;
use crate::vision::order;

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
        order::check(config, grids)?;
        let window = (config.own.number(WINDOW) / merge / config.patch_size).max(1);
        let mut windowed: Vec<usize> = Vec::new();
        let mut window_bounds = vec![0];
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
            }
            base += grid.t * rows * columns;
        }
        let mut token_order = vec![0u32; windowed.len()];
        for (place, &token) in windowed.iter().enumerate() {
            token_order[token] = place as u32;
        }
        let patch_order: Vec<u32> = windowed.iter().flat_map(|token| (token * unit..(token + 1) * unit).map(|p| p as u32)).collect();
        let places = order::coordinates(merge, grids);
        let rotary = order::rotary(config, patch_order.iter().map(|patch| places[*patch as usize]));
        // Windows stay inside their frame, so the frames' bounds are those of the input.
        Ok(Self { patch_order, token_order, window_bounds, frame_bounds: order::frames(grids), rotary })
    }
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
