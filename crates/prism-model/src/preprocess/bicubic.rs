//! The bicubic resize of Pillow, and that of torchvision, bit for bit: f64 coefficients
//! turned into fixed point, bytes between the horizontal and the vertical pass. The two
//! differ in the fixed point alone.
//!
//! Behind the coefficients everything is whole numbers, whose sums are the same in any
//! order and on any number of lanes and threads: the loops are written for vectors, and
//! rows are shared out.

use std::borrow::Cow;

use rayon::prelude::*;

use super::{RgbImage, share};
use crate::ops::kernel::simd::dispatched;

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
/// Fewest rows given to a thread at a time.
const ROWS: usize = 16;
/// Rows that are summed together in the horizontal pass, a pixel being filled up to four bytes.
const TOGETHER: usize = 4;
const SIDE_BY_SIDE: usize = TOGETHER * 4;
/// Bytes of a row that are summed together in the vertical pass.
const WIDE: usize = 64;

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

/// The windows of one axis, in fixed point: for every output pixel where its window starts
/// in the input, and its weights.
struct Axis {
    starts: Vec<usize>,
    /// [`Axis::most`] a window; zeros behind a window's last.
    weights: Vec<i32>,
    /// Weights of the longest window.
    most: usize,
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
        let most = exact.iter().map(|(_, weights)| weights.len()).max().unwrap_or(0).max(1);
        let mut weights = vec![0; most * output];
        for (weights, (_, exact)) in weights.chunks_exact_mut(most).zip(&exact) {
            weights.iter_mut().zip(exact).for_each(|(weight, exact)| *weight = fixed(*exact));
        }
        Self { starts: exact.iter().map(|(start, _)| *start).collect(), weights, most, bits }
    }
}

/// A sum of weighted bytes as a byte: rounded, since sums start from half, and clipped.
#[inline(always)]
fn clip(sum: i32, bits: u32) -> u8 {
    (sum >> bits).clamp(0, 255) as u8
}

/// What a sum starts from, so that its shift rounds.
#[inline(always)]
fn half(bits: u32) -> i32 {
    (1 << bits) >> 1
}

/// The image resized to `width` x `height`, neither of which is 0.
///
/// The passes round between them, so their order shows: horizontal first, but for Pillow
/// (13.0) vertical first where that leaves less to do by its own estimate: the image
/// loses rows, and more than twice as many as it loses columns.
pub fn resize(image: &RgbImage, width: usize, height: usize, rounding: Rounding) -> RgbImage {
    let across = |image: Cow<'_, RgbImage>| match image.width() == width {
        true => image.into_owned(),
        false => horizontal(&image, width, rounding),
    };
    let down = |image: Cow<'_, RgbImage>| match image.height() == height {
        true => image.into_owned(),
        false => vertical(&image, height, rounding),
    };
    let more_rows = image.height() > height && image.height() + 2 * width > height + 2 * image.width();
    let image = Cow::Borrowed(image);
    match rounding == Rounding::Pillow && more_rows {
        true => across(Cow::Owned(down(image))),
        false if image.width() == width => down(image),
        false => down(Cow::Owned(across(image))),
    }
}

fn horizontal(image: &RgbImage, width: usize, rounding: Rounding) -> RgbImage {
    let axis = Axis::new(image.width(), width, rounding);
    let (length, out_length) = (image.width() * 3, width * 3);
    let mut pixels = vec![0; out_length * image.height()];
    let rows = image.pixels().par_chunks(TOGETHER * length).with_min_len(share(ROWS / TOGETHER));
    // Behind the rows' ends lie black pixels, met by weights of zero.
    let buffers = || (vec![[0; SIDE_BY_SIDE]; image.width() + axis.most], vec![[0; SIDE_BY_SIDE]; width]);
    rows.zip(pixels.par_chunks_mut(TOGETHER * out_length)).for_each_init(buffers, |(from, to), (rows, out)| {
        widen(rows, length, from);
        across(from, &axis, to);
        narrow(to, out_length, out);
    });
    RgbImage::from_parts(width, image.height(), pixels)
}

dispatched! {
    /// Rows of `length` bytes, interleaved: columns of four bytes a pixel.
    fn widen(rows: &[u8], length: usize, to: &mut [[u8; SIDE_BY_SIDE]]) {
        for (at, row) in rows.chunks_exact(length).enumerate() {
            for ([r, g, b], column) in row.as_chunks().0.iter().zip(&mut *to) {
                column.as_chunks_mut().0[at] = [*r, *g, *b, 0];
            }
        }
    }
}

dispatched! {
    /// Every output column from the columns of its window.
    fn across(from: &[[u8; SIDE_BY_SIDE]], axis: &Axis, to: &mut [[u8; SIDE_BY_SIDE]]) {
        for ((start, weights), to) in axis.starts.iter().zip(axis.weights.chunks_exact(axis.most)).zip(to) {
            let mut sums = [half(axis.bits); SIDE_BY_SIDE];
            for (bytes, weight) in from[*start..].iter().zip(weights) {
                for (sum, byte) in sums.iter_mut().zip(bytes) {
                    *sum += i32::from(*byte) * weight;
                }
            }
            *to = sums.map(|sum| clip(sum, axis.bits));
        }
    }
}

dispatched! {
    /// What [`widen`] did, undone.
    fn narrow(from: &[[u8; SIDE_BY_SIDE]], length: usize, rows: &mut [u8]) {
        for (at, row) in rows.chunks_exact_mut(length).enumerate() {
            for (out, column) in row.as_chunks_mut().0.iter_mut().zip(from) {
                let [r, g, b, _] = column.as_chunks().0[at];
                *out = [r, g, b];
            }
        }
    }
}

fn vertical(image: &RgbImage, height: usize, rounding: Rounding) -> RgbImage {
    let length = image.width() * 3;
    let axis = Axis::new(image.height(), height, rounding);
    let mut pixels = vec![0; length * height];
    let windows = axis.starts.par_iter().zip(axis.weights.par_chunks_exact(axis.most)).with_min_len(share(ROWS));
    // Where the image ends before the weights do, these are zero.
    pixels.par_chunks_exact_mut(length).zip(windows).for_each(|(out, (start, weights))| {
        down(&image.pixels()[start * length..], weights, axis.bits, out);
    });
    RgbImage::from_parts(image.width(), height, pixels)
}

dispatched! {
    /// One row of output from `rows`, of which its window's are the first.
    fn down(rows: &[u8], weights: &[i32], bits: u32, out: &mut [u8]) {
        columns::<WIDE>(rows, weights, bits, out, 0);
        let done = out.len() / WIDE * WIDE;
        columns::<1>(rows, weights, bits, out, done);
    }
}

/// The bytes of `out` behind the first `from`, `N` side by side, as far as whole groups go.
#[inline(always)]
fn columns<const N: usize>(rows: &[u8], weights: &[i32], bits: u32, out: &mut [u8], from: usize) {
    let length = out.len();
    for (group, out) in out[from..].as_chunks_mut::<N>().0.iter_mut().enumerate() {
        let mut sums = [half(bits); N];
        for (row, weight) in rows.chunks_exact(length).zip(weights) {
            let bytes = &row[from..].as_chunks::<N>().0[group];
            for (sum, byte) in sums.iter_mut().zip(bytes) {
                *sum += i32::from(*byte) * weight;
            }
        }
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = clip(sum, bits);
        }
    }
}
