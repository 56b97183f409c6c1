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

/// What a branch sees of the image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum View {
    /// The image, all the time.
    #[default]
    Open,
    /// The image's keys and values are hidden from everything after the block: question and
    /// latents have seen it, the answer cannot look again.
    ImageHidden,
    /// The prompt without the image.
    NoImage,
    /// An image of one middle grey in its place, of the same size.
    Grey,
    /// Another example's image, drawn by seed and example.
    OtherImage,
    /// The image's visual tokens in an order drawn at random.
    ShuffledPatches,
}

impl View {
    /// All of them.
    pub const ALL: [View; 6] = [View::Open, View::ImageHidden, View::NoImage, View::Grey, View::OtherImage, View::ShuffledPatches];

    /// Its text, after the `@`.
    pub fn name(self) -> &'static str {
        match self {
            View::Open => "open",
            View::ImageHidden => "image-hidden",
            View::NoImage => "image-none",
            View::Grey => "image-grey",
            View::OtherImage => "image-other",
            View::ShuffledPatches => "image-shuffled",
        }
    }

    /// The view of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|view| view.name() == name)
    }

    /// Whether the prompt itself is another, so that it needs a prefill of its own.
    pub fn changes_prompt(self) -> bool {
        !matches!(self, View::Open | View::ImageHidden)
    }
}
