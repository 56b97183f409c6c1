//! The bicubic resize of Pillow, and that of torchvision, bit for bit: f64 coefficients
//! turned into fixed point, bytes between the horizontal and the vertical pass. The two
//! differ in the fixed point alone.

use super::RgbImage;

/// Whose fixed point is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// Pillow's: 22 bits behind the point, whatever the coefficients.
    Pillow,
    /// torchvision's on the CPU: as many as let the largest coefficient fit 16 bits, at most 22.
    Torch,
}

/// Fixed-point bits of a coefficient: 32 less 8 for the byte and 2 for the sum's headroom.
const MOST_BITS: u32 = 32 - 8 - 2;
/// Half-width of the filter at scale 1.
const SUPPORT: f64 = 2.0;

/// The cubic convolution kernel with a = -0.5.
fn kernel(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

/// For one output pixel: where its window starts in the input, and the weights.
struct Window {
    start: usize,
    weights: Vec<i32>,
}

/// The windows of one axis, in fixed point.
struct Axis {
    windows: Vec<Window>,
    bits: u32,
}

impl Axis {
    fn new(input: usize, output: usize, rounding: Rounding) -> Self {
        let scale = input as f64 / output as f64;
        let filter_scale = scale.max(1.0);
        let support = SUPPORT * filter_scale;
        let inverse = 1.0 / filter_scale;
        let window = |at: usize| {
            let center = (at as f64 + 0.5) * scale;
            // Truncation towards zero, as a C cast does; a negative start is clamped.
            let start = ((center - support + 0.5) as i64).max(0) as usize;
            let end = ((center + support + 0.5) as i64).clamp(0, input as i64) as usize;
            let raw: Vec<f64> = (start..end).map(|x| kernel((x as f64 - center + 0.5) * inverse)).collect();
            let sum: f64 = raw.iter().fold(0.0, |sum, w| sum + w);
            (start, raw.into_iter().map(|w| if sum != 0.0 { w / sum } else { w }).collect())
        };
        let exact: Vec<(usize, Vec<f64>)> = (0..output).map(window).collect();
        let bits = match rounding {
            Rounding::Pillow => MOST_BITS,
            Rounding::Torch => {
                let largest = exact.iter().flat_map(|(_, weights)| weights).copied().fold(0.0, f64::max);
                (0..MOST_BITS).find(|bits| (0.5 + largest * f64::from(2u32 << bits)) as i64 >= 1 << 15).unwrap_or(MOST_BITS)
            }
        };
        let fixed = |w: f64| {
            let w = w * f64::from(1u32 << bits);
            (if w < 0.0 { w - 0.5 } else { w + 0.5 }) as i32
        };
        let windows = exact.into_iter().map(|(start, weights)| Window { start, weights: weights.into_iter().map(fixed).collect() });
        Self { windows: windows.collect(), bits }
    }

    /// What a sum starts from, so that its shift rounds.
    fn half(&self) -> i32 {
        (1 << self.bits) >> 1
    }

    /// Weighted sum of bytes in fixed point, clipped to a byte.
    fn clip(&self, sum: i32) -> u8 {
        (sum >> self.bits).clamp(0, 255) as u8
    }
}

/// The image resized to `width` x `height`.
///
/// The passes round between them, so their order shows: horizontal first, but for Pillow
/// (13.0) vertical first where that leaves less to do by its own estimate: the image
/// loses rows, and more than twice as many as it loses columns.
pub fn resize(image: &RgbImage, width: usize, height: usize, rounding: Rounding) -> RgbImage {
    let across = |image: RgbImage| if image.width() == width { image } else { horizontal(&image, width, rounding) };
    let down = |image: RgbImage| if image.height() == height { image } else { vertical(&image, height, rounding) };
    let more_rows = image.height() > height && image.height() + 2 * width > height + 2 * image.width();
    let vertical_first = rounding == Rounding::Pillow && more_rows;
    if vertical_first { across(down(image.clone())) } else { down(across(image.clone())) }
}

fn horizontal(image: &RgbImage, width: usize, rounding: Rounding) -> RgbImage {
    let axis = Axis::new(image.width(), width, rounding);
    let mut pixels = Vec::with_capacity(width * image.height() * 3);
    for row in image.pixels().chunks_exact(image.width() * 3) {
        for Window { start, weights } in &axis.windows {
            let mut sums = [axis.half(); 3];
            for (pixel, weight) in row[start * 3..].chunks_exact(3).zip(weights) {
                for (sum, byte) in sums.iter_mut().zip(pixel) {
                    *sum += i32::from(*byte) * weight;
                }
            }
            pixels.extend(sums.map(|sum| axis.clip(sum)));
        }
    }
    RgbImage::from_parts(width, image.height(), pixels)
}

fn vertical(image: &RgbImage, height: usize, rounding: Rounding) -> RgbImage {
    let row_len = image.width() * 3;
    let mut pixels = Vec::with_capacity(row_len * height);
    let mut sums = vec![0i32; row_len];
    let axis = Axis::new(image.height(), height, rounding);
    for Window { start, weights } in &axis.windows {
        sums.fill(axis.half());
        for (row, weight) in image.pixels()[start * row_len..].chunks_exact(row_len).zip(weights) {
            for (sum, byte) in sums.iter_mut().zip(row) {
                *sum += i32::from(*byte) * weight;
            }
        }
        pixels.extend(sums.iter().map(|sum| axis.clip(*sum)));
    }
    RgbImage::from_parts(image.width(), height, pixels)
}
