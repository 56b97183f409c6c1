//! Normalisation and patch order of the Qwen2-VL image processor.

use rayon::prelude::*;

use super::{Grid, PixelConfig, PixelValues, Processor, RgbImage, share};

/// Fewest numbers that are worth a thread of their own.
const WORTH_A_THREAD: usize = 1 << 16;

/// The normalised value of every byte and channel.
///
/// Slow: `((byte * rescale_factor) as f32 - mean) / std`, the product in f64, then one f32
/// rounding an operation, as numpy does it. Fast: the factor is drawn into mean and
/// deviation, all in f32.
fn table(config: &PixelConfig) -> [[f32; 256]; 3] {
    std::array::from_fn(|channel| {
        let (mean, std) = (config.image_mean[channel] as f32, config.image_std[channel] as f32);
        match config.processor {
            Processor::Slow => std::array::from_fn(|byte| ((byte as f64 * config.rescale_factor) as f32 - mean) / std),
            Processor::Fast => {
                let scale = (1.0 / config.rescale_factor) as f32;
                std::array::from_fn(|byte| (byte as f32 - mean * scale) / (std * scale))
            }
        }
    })
}

/// Patches of an image whose sides are multiples of a merged token's side.
///
/// Order of the patches: rows of merged tokens, merged tokens, then the token's
/// patches row by row; inside a patch: channel, frame (the image repeated), row, column.
pub fn patches(image: &RgbImage, config: &PixelConfig) -> PixelValues {
    let (side, merge, frames) = (config.patch_size, config.merge_size, config.temporal_patch_size);
    let grid = Grid { t: 1, h: image.height() / side, w: image.width() / side };
    let table = table(config);
    let (square, row_len) = (side * side, image.width() * 3);
    let patch_len = 3 * frames * square;
    let mut values = vec![0.0; grid.patches() * patch_len];
    // A row of merged tokens is a run of the values and a run of the image.
    let token_row = |values: &mut [f32], lines: &[u8]| {
        for (at, patch) in values.chunks_exact_mut(patch_len).enumerate() {
            let (token_column, r, c) = (at / (merge * merge), at / merge % merge, at % merge);
            let start = (r * side * row_len) + (token_column * merge + c) * side * 3;
            for (channel, (values, table)) in patch.chunks_exact_mut(frames * square).zip(&table).enumerate() {
                for (values, line) in values.chunks_exact_mut(side).zip(lines[start..].chunks(row_len)).take(side) {
                    for (value, pixel) in values.iter_mut().zip(line.as_chunks::<3>().0) {
                        *value = table[usize::from(pixel[channel])];
                    }
                }
                for frame in 1..frames {
                    values.copy_within(..square, frame * square);
                }
            }
        }
    };
    let run = grid.w * merge * patch_len;
    let lines = image.pixels().par_chunks_exact(merge * side * row_len);
    let enough = share(WORTH_A_THREAD.div_ceil(run.max(1)));
    values.par_chunks_exact_mut(run.max(1)).zip(lines).with_min_len(enough).for_each(|(values, lines)| token_row(values, lines));
    PixelValues { values, grid }
}
