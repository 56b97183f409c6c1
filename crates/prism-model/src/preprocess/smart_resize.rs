//! The size an image is resized to: whole merged tokens within the pixel limits.
//!
//! Two functions of that name are about, and they part where a side is shorter than half a token: the image
//! processor rounds it to 0, and then scales both sides so that they reach the least number of pixels;
//! qwen_vl_utils takes a whole token for it and leaves the other side as it is.

use prism_run::{Error, Result as Parsed};
use serde::{Deserialize, Serialize};

/// Sides may differ by this factor.
const MOST_RATIO: f64 = 200.0;

/// Who chooses an image's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resize {
    /// The image processor alone.
    #[default]
    Processor,
    /// `fetch_image` of qwen_vl_utils first, by Pillow, and then the image processor.
    QwenVlUtils,
}

impl std::str::FromStr for Resize {
    type Err = Error;

    fn from_str(text: &str) -> Parsed<Self> {
        match text {
            "processor" => Ok(Self::Processor),
            "qwen-vl-utils" => Ok(Self::QwenVlUtils),
            _ => Err(Error::Value {
                what: "resize",
                value: text.into(),
                cause: "is not known".into(),
                remedy: "use processor or qwen-vl-utils".into(),
            }),
        }
    }
}

/// What `fetch_image` of qwen_vl_utils is told of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fetch {
    /// Side of a merged token in pixels, 28 unless its caller says otherwise.
    pub factor: usize,
    /// Least pixels: the message's `min_pixels`.
    pub min_pixels: usize,
    /// Most pixels: the message's `max_pixels`.
    pub max_pixels: usize,
}

impl Default for Fetch {
    /// Its own numbers (0.0.14): patches of 14, 4 to 16384 tokens.
    fn default() -> Self {
        let factor = 28;
        Self { factor, min_pixels: 4 * factor * factor, max_pixels: 16_384 * factor * factor }
    }
}

impl Fetch {
    /// `(height, width)` it resizes an image to.
    ///
    /// # Errors
    /// When a side is 0, or would become 0, or the sides differ by more than a factor of 200.
    pub fn size(&self, height: usize, width: usize) -> Result<(usize, usize), String> {
        let sides = sized(height, width, self.factor, self.min_pixels, self.max_pixels, 1, 0)?;
        match sides {
            (0, _) | (_, 0) => Err(format!("qwen_vl_utils would make it {} x {} pixels", sides.0, sides.1)),
            sides => Ok(sides),
        }
    }
}

/// `(height, width)` after resizing: multiples of `factor` (a merged token's side in
/// pixels), `min_pixels..=max_pixels` in all, the aspect ratio as near as possible.
///
/// # Errors
/// When a side is 0 or the sides differ by more than a factor of 200.
pub fn smart_resize(height: usize, width: usize, factor: usize, min_pixels: usize, max_pixels: usize) -> Result<(usize, usize), String> {
    sized(height, width, factor, min_pixels, max_pixels, 0, 1)
}

/// Both functions: `rounded` is the fewest tokens of a side that is only rounded, `shrunk` of one that is made smaller.
fn sized(
    height: usize,
    width: usize,
    factor: usize,
    min_pixels: usize,
    max_pixels: usize,
    rounded: usize,
    shrunk: usize,
) -> Result<(usize, usize), String> {
    if height == 0 || width == 0 {
        return Err("the image has no pixels".into());
    }
    let (h, w, f) = (height as f64, width as f64, factor as f64);
    let ratio = h.max(w) / h.min(w);
    if ratio > MOST_RATIO {
        return Err(format!("its sides differ by a factor of {ratio:.2}, more than {MOST_RATIO:.0}"));
    }
    // As Python rounds: halves go to the even neighbour.
    let round = |side: f64| ((side / f).round_ties_even() * f).max(rounded as f64 * f);
    let mut sides = (round(h), round(w));
    if sides.0 * sides.1 > max_pixels as f64 {
        let beta = (h * w / max_pixels as f64).sqrt();
        let fit = |side: f64| ((side / beta / f).floor() * f).max(shrunk as f64 * f);
        sides = (fit(h), fit(w));
    } else if sides.0 * sides.1 < min_pixels as f64 {
        let beta = (min_pixels as f64 / (h * w)).sqrt();
        let fit = |side: f64| (side * beta / f).ceil() * f;
        sides = (fit(h), fit(w));
    }
    Ok((sides.0 as usize, sides.1 as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_round_to_even_and_limits_hold() {
        // 42 / 28 = 1.5 -> 2, 70 / 28 = 2.5 -> 2
        assert_eq!(smart_resize(42, 70, 28, 1, 1 << 30), Ok((56, 56)));
        let (h, w) = smart_resize(3000, 4000, 28, 3136, 1_003_520).unwrap();
        assert!(h * w <= 1_003_520 && h % 28 == 0 && w % 28 == 0);
        let (h, w) = smart_resize(10, 20, 28, 3136, 1_003_520).unwrap();
        assert!(h * w >= 3136);
        assert!(smart_resize(1, 201, 28, 1, 1 << 30).is_err());
        assert!(smart_resize(0, 5, 28, 1, 1 << 30).is_err());
    }
}
