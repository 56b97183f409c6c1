//! What is done to an image before the processor: the step of `qwen_vl_utils`, which rounds to multiples
//! of its own, or a square that a method's script resizes to. Both resize as Pillow does.

use prism_run::protocol::Pixels;

use super::{Fetch, PixelConfig};

/// A step before the processor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Before {
    /// None.
    #[default]
    Nothing,
    /// What `fetch_image` of qwen_vl_utils does.
    Fetch(Fetch),
    /// To a square of this side.
    Square(usize),
}

impl Before {
    /// `(height, width)` after the step, where there is one.
    ///
    /// # Errors
    /// As [`Fetch::size`], or when there are no pixels.
    pub fn size(self, height: usize, width: usize) -> Result<Option<(usize, usize)>, String> {
        match self {
            Self::Nothing => Ok(None),
            Self::Fetch(fetch) => fetch.size(height, width).map(Some),
            Self::Square(_) if height == 0 || width == 0 => Err("the image has no pixels".into()),
            Self::Square(side) => Ok(Some((side, side))),
        }
    }
}

/// Limits of pixels: those that are asked for, else a method's, else the processor's. Where a method's
/// and the processor's exclude each other the processor's stand, which is said.
pub(super) fn limits(own: &Pixels, config: &PixelConfig, asked: (Option<usize>, Option<usize>)) -> ((usize, usize), Option<String>) {
    let (least, most) = (config.min_pixels, config.max_pixels);
    let apart = own.min.is_some_and(|min| min > most) || own.max.is_some_and(|max| max < least);
    let fitted = if apart { (least, most) } else { (own.min.unwrap_or(least), own.max.unwrap_or(most).min(most)) };
    let limits = (asked.0.unwrap_or(fitted.0), asked.1.unwrap_or(fitted.1));
    let said = (apart && (asked.0.is_none() || asked.1.is_none())).then(|| {
        let text = |n: Option<usize>| n.map_or_else(|| "any".to_string(), |n| n.to_string());
        let (min, max) = (text(own.min), text(own.max));
        format!("images have {} to {} pixels as the checkpoint says; the method's {min} to {max} exclude that", limits.0, limits.1)
    });
    (limits, said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_exclude_each_other_are_the_processors() {
        let config = PixelConfig { min_pixels: 3136, max_pixels: 37_632, ..PixelConfig::default() };
        let own = |min, max| Pixels { min, max, ..Pixels::default() };
        assert_eq!(limits(&own(Some(4000), Some(50_000)), &config, (None, None)), ((4000, 37_632), None));
        let (found, said) = limits(&own(Some(200_704), Some(6_422_528)), &config, (None, None));
        assert!(found == (3136, 37_632) && said.unwrap().contains("200704"));
        assert_eq!(limits(&own(Some(200_704), None), &config, (Some(1), Some(9))), ((1, 9), None));
        assert_eq!(limits(&Pixels::default(), &config, (None, Some(9000))), ((3136, 9000), None));
    }

    #[test]
    fn a_step_before_the_processor_changes_the_size() {
        let fetch = Before::Fetch(Fetch { factor: 28, min_pixels: 3136, max_pixels: 28_224 });
        assert_eq!(fetch.size(96, 192), Ok(Some((84, 196))));
        assert_eq!(Before::Square(280).size(10, 3000), Ok(Some((280, 280))));
        assert!(Before::Square(280).size(0, 3).is_err());
    }
}
