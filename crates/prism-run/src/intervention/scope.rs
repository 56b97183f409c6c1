//! Where an intervention acts, and what its branch sees of the image.

use std::fmt;

use crate::Stage;

/// The latent forwards an intervention acts on; everywhere by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scope {
    /// Only in this stage.
    pub stage: Option<Stage>,
    /// Only at these steps of a stage, from 0, the last included.
    pub steps: Option<(usize, usize)>,
    /// At the input of this decoder layer, from 0; absent: at the input of the forward.
    pub layer: Option<usize>,
}

impl Scope {
    /// Whether it holds the `step`-th forward of `stage`.
    pub fn holds(&self, stage: Stage, step: usize) -> bool {
        self.stage.is_none_or(|only| only == stage) && self.steps.is_none_or(|(first, last)| (first..=last).contains(&step))
    }

    /// Reads one part of the text, e.g. `target`, `step=3`, `steps=0-2`, `layer=5`; `None` when it is none.
    pub(super) fn read(&mut self, part: &str) -> Option<()> {
        match part.split_once('=') {
            None => self.stage = Some(Stage::from_name(part).filter(|stage| *stage != Stage::Free)?),
            Some(("step", step)) => {
                let step = step.parse().ok()?;
                self.steps = Some((step, step));
            }
            Some(("steps", range)) => {
                let (first, last) = range.split_once('-')?;
                let (first, last) = (first.parse().ok()?, last.parse().ok()?);
                self.steps = (first <= last).then_some((first, last));
                self.steps?;
            }
            Some(("layer", layer)) => self.layer = Some(layer.parse().ok()?),
            Some(_) => return None,
        }
        Some(())
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(stage) = self.stage {
            write!(f, "/{}", stage.name())?;
        }
        match self.steps {
            Some((first, last)) if first == last => write!(f, "/step={first}")?,
            Some((first, last)) => write!(f, "/steps={first}-{last}")?,
            None => {}
        }
        match self.layer {
            Some(layer) => write!(f, "/layer={layer}"),
            None => Ok(()),
        }
    }
}

crate::words! {
    /// What a branch sees of the image.
    #[derive(Default)]
    pub enum View, "view" {
        /// The image, all the time.
        #[default]
        Open = "open",
        /// The image's keys and values are hidden from everything after the block: question and
        /// latents have seen it, the answer cannot look again.
        ImageHidden = "image-hidden",
        /// The prompt without the image.
        NoImage = "image-none",
        /// An image of one middle grey in its place, of the same size.
        Grey = "image-grey",
        /// Another example's image, drawn by seed and example.
        OtherImage = "image-other",
        /// The image's visual tokens in an order drawn at random.
        ShuffledPatches = "image-shuffled",
    }
}

impl View {
    /// Whether the prompt itself is another, so that it needs a prefill of its own.
    pub fn changes_prompt(self) -> bool {
        !matches!(self, View::Open | View::ImageHidden)
    }

    /// Whether there is no image at all: what is answered then is a floor.
    pub fn is_blind(self) -> bool {
        matches!(self, View::NoImage | View::Grey)
    }
}
