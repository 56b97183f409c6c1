//! A map over the image's patches as a picture of one pixel a patch, laid over the image:
//! the higher the value, the less of the image shows through.

use std::io::Cursor;

use prism_report::html::base64;

/// Most patches a map is drawn with.
const LARGEST: usize = 1 << 16;
/// Opacity of the highest value.
const STRONGEST: f64 = 235.0;

/// Colour of a quantity's maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// Cosines.
    Cosine,
    /// Attention.
    Attention,
}

impl Ink {
    fn colour(self) -> [u8; 3] {
        match self {
            Ink::Cosine => [200, 80, 10],
            Ink::Attention => [0, 98, 172],
        }
    }
}

/// A map as a `data:` address. `low` is drawn as nothing, `high` in full; `None` where the
/// values do not fill the grid, or the scale has no extent.
pub fn picture(values: &[f64], height: usize, width: usize, (low, high): (f64, f64), ink: Ink) -> Option<String> {
    let fits = values.len() <= LARGEST && height.checked_mul(width) == Some(values.len()) && !values.is_empty();
    let extent = high - low;
    if !fits || !extent.is_finite() || extent <= 0.0 {
        return None;
    }
    let [red, green, blue] = ink.colour();
    let picture = image::RgbaImage::from_fn(u32::try_from(width).ok()?, u32::try_from(height).ok()?, |x, y| {
        let value = values[y as usize * width + x as usize];
        let share = if value.is_finite() { ((value - low) / extent).clamp(0.0, 1.0) } else { 0.0 };
        image::Rgba([red, green, blue, (share * STRONGEST).round() as u8])
    });
    let mut png = Cursor::new(Vec::new());
    picture.write_to(&mut png, image::ImageFormat::Png).ok()?;
    Some(format!("data:image/png;base64,{}", base64(png.get_ref())))
}

/// Smallest and largest of the finite values; `None` without one.
pub fn range<'a>(values: impl Iterator<Item = &'a f64>) -> Option<(f64, f64)> {
    values.filter(|v| v.is_finite()).fold(None, |range, &v| match range {
        None => Some((v, v)),
        Some((low, high)) => Some((low.min(v), high.max(v))),
    })
}

/// Place of the largest finite value, the first of several; `None` without one.
pub fn highest(values: &[f64]) -> Option<usize> {
    let finite = values.iter().enumerate().filter(|(_, v)| v.is_finite());
    finite
        .fold(None, |best: Option<(usize, f64)>, (i, &v)| if best.is_some_and(|(_, b)| b >= v) { best } else { Some((i, v)) })
        .map(|(i, _)| i)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_has_one_pixel_a_patch_and_what_is_no_number_stays_clear() {
        let address = picture(&[0.0, 1.0, f64::NAN, 0.5, 2.0, -1.0], 2, 3, (0.0, 1.0), Ink::Cosine).unwrap();
        let coded = address.strip_prefix("data:image/png;base64,").unwrap();
        assert!(!coded.is_empty());
        for (values, height, width, scale) in
            [(vec![1.0], 2, 2, (0.0, 1.0)), (vec![], 0, 0, (0.0, 1.0)), (vec![1.0], 1, 1, (1.0, 1.0)), (vec![1.0], 1, 1, (f64::NAN, 1.0))]
        {
            assert_eq!(picture(&values, height, width, scale, Ink::Attention), None);
        }
    }

    #[test]
    fn the_highest_and_the_range_pass_over_what_is_no_number() {
        let values = [f64::NAN, 0.2, 0.7, 0.7, f64::INFINITY];
        assert_eq!(highest(&values), Some(2));
        assert_eq!(range(values.iter()), Some((0.2, 0.7)));
        assert_eq!(highest(&[f64::NAN]), None);
    }
}
