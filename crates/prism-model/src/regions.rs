//! A region's box to the visual tokens it covers (method, section 2).

use prism_run::RegionBox;

use crate::preprocess::Grid;

/// Start and end (exclusive), in merged tokens, of `low..high` of a side of `patches` patches.
fn span(low: f64, high: f64, patches: usize, merge: usize) -> std::ops::Range<usize> {
    let side = patches as f64;
    let last = patches.saturating_sub(1) as f64;
    let first = (low * side).floor().clamp(0.0, last) as usize;
    let end = (high * side).ceil().clamp(0.0, side) as usize;
    first / merge..end.div_ceil(merge).min(patches / merge)
}

/// Indices of the visual tokens that a box covers, row-major among the image's
/// merged tokens. A valid box covers at least one.
///
/// grid: the image in patches; merge: patches on a merged token's side.
pub fn tokens(region: RegionBox, grid: Grid, merge: usize) -> Vec<usize> {
    let merge = merge.max(1);
    let [x0, y0, x1, y1] = region.0;
    let columns = span(x0, x1, grid.w, merge);
    let width = grid.w / merge;
    span(y0, y1, grid.h, merge).flat_map(|row| columns.clone().map(move |column| row * width + column)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRID: Grid = Grid { t: 1, h: 4, w: 6 };

    #[test]
    fn boxes_cover_the_tokens_they_touch() {
        assert_eq!(tokens(RegionBox([0.0, 0.0, 1.0, 1.0]), GRID, 2), [0, 1, 2, 3, 4, 5]);
        // One patch of a token is enough to take it whole.
        assert_eq!(tokens(RegionBox([0.0, 0.0, 0.1, 0.1]), GRID, 2), [0]);
        assert_eq!(tokens(RegionBox([0.5, 0.5, 0.51, 0.51]), GRID, 2), [4]);
        // From the last patch of the first column of tokens into the second.
        assert_eq!(tokens(RegionBox([0.2, 0.9, 0.4, 1.0]), GRID, 2), [3, 4]);
        assert_eq!(tokens(RegionBox([0.999, 0.999, 1.0, 1.0]), GRID, 2), [5]);
    }

    #[test]
    fn numbers_outside_the_image_do_not_panic() {
        for region in [[-3.0, -2.0, 9.0, 7.0], [f64::NAN, 0.0, 1.0, 1.0], [0.9, 0.9, 0.1, 0.1], [f64::INFINITY; 4]] {
            assert!(tokens(RegionBox(region), GRID, 2).iter().all(|t| *t < 6));
        }
    }
}
