//! Normalisation and patch order of the Qwen2-VL image processor.

use super::{Grid, PixelConfig, PixelValues, Processor, RgbImage};

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
    let row_len = image.width() * 3;
    let mut values = Vec::with_capacity(grid.patches() * 3 * frames * side * side);
    let patch_order = (0..grid.h / merge).flat_map(|token_row| {
        (0..grid.w / merge).flat_map(move |token_column| {
            (0..merge).flat_map(move |r| (0..merge).map(move |c| (token_row * merge + r, token_column * merge + c)))
        })
    });
    for (row, column) in patch_order {
        for (channel, table) in table.iter().enumerate() {
            let start = values.len();
            for line in image.pixels().chunks_exact(row_len).skip(row * side).take(side) {
                let bytes = line[column * side * 3..(column + 1) * side * 3].iter().skip(channel).step_by(3);
                values.extend(bytes.map(|byte| table[usize::from(*byte)]));
            }
            for _ in 1..frames {
                values.extend_from_within(start..start + side * side);
            }
        }
    }
    PixelValues { values, grid }
}
