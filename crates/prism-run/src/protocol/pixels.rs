//! What a method's runner does to images before, or says about them to, the image processor.

use serde::{Deserialize, Serialize};

/// Sizes of images.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pixels {
    /// Fewest pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<usize>,
    /// Most pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<usize>,
    /// Where images are resized once before the processor, to multiples of this many pixels within
    /// the limits above, as `qwen_vl_utils` does; absent: the limits are the processor's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<usize>,
    /// Side of the square that images are resized to before the processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<usize>,
}

impl Pixels {
    /// Which key is out of range, if one is.
    pub(super) fn fault(&self) -> Option<&'static str> {
        let bad = |n: Option<usize>, most: usize| n.is_some_and(|n| n == 0 || n > most);
        let crossed = self.min.zip(self.max).is_some_and(|(min, max)| min > max);
        match self {
            _ if bad(self.min, 1 << 26) || crossed => Some("pixels.min"),
            _ if bad(self.max, 1 << 26) => Some("pixels.max"),
            _ if bad(self.factor, 1024) => Some("pixels.factor"),
            _ if bad(self.side, 4096) => Some("pixels.side"),
            _ => None,
        }
    }
}
