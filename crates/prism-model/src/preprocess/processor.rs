//! Which of the Qwen2-VL image processors is computed, and who decides it.
//!
//! transformers has two, and which one a folder gets depends on its release. Up to 4.53
//! `AutoProcessor` took the class that the folder names. From 4.54 on it takes the fast one for
//! `Qwen2VLImageProcessor` too, and from 5.0 on for every name, whatever the folder was saved with.

use std::fmt::{self, Display};
use std::str::FromStr;

use prism_run::{Error, Result};
use serde::{Deserialize, Serialize};

/// Which of the two Qwen2-VL image processors is computed. They differ in the last bits:
/// of the resized bytes, and of the normalised values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Processor {
    /// `Qwen2VLImageProcessor` up to transformers 4, `Qwen2VLImageProcessorPil` from 5 on: Pillow and numpy.
    #[default]
    Slow,
    /// `Qwen2VLImageProcessorFast` up to transformers 4, `Qwen2VLImageProcessor` from 5 on: torchvision.
    Fast,
}

impl Processor {
    /// The word on the command line and in `run.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::Fast => "fast",
        }
    }

    /// Whose arithmetic it is.
    pub fn arithmetic(self) -> &'static str {
        match self {
            Self::Slow => "Pillow and numpy",
            Self::Fast => "torchvision",
        }
    }
}

/// What a folder says of its image processor.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Saved {
    /// `image_processor_type`; absent where the file has no such key.
    pub class: Option<String>,
    /// Whether it lies in `processor_config.json`, where transformers 5 writes it.
    pub nested: bool,
}

/// Class names without the words that tell the two processors apart. The second is what a development
/// release of 4.49 wrote into the first checkpoints of Qwen2.5-VL; it computes what the first does.
const KNOWN: [&str; 2] = ["Qwen2VLImageProcessor", "Qwen2_5_VLImageProcessor"];

impl Saved {
    /// Whether it is a processor of Qwen2-VL, or none is named.
    pub fn is_known(&self) -> bool {
        let base = |name: &str| name.strip_suffix("Fast").or(name.strip_suffix("Pil")).unwrap_or(name).to_owned();
        self.class.as_deref().is_none_or(|class| KNOWN.contains(&base(class).as_str()))
    }

    /// The processor of the class that is named, as the release that wrote the file understood the name.
    pub fn named(&self) -> Processor {
        match self.class.as_deref() {
            Some(class) if class.ends_with("Fast") => Processor::Fast,
            Some(class) if class.ends_with("Pil") => Processor::Slow,
            _ if self.nested => Processor::Fast,
            _ => Processor::Slow,
        }
    }

    /// How messages call it.
    fn in_words(&self) -> &str {
        self.class.as_deref().unwrap_or("no image_processor_type")
    }
}

/// Which processor is asked for: `--image-processor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageProcessor {
    /// The slow one, as `use_fast=False` takes.
    Slow,
    /// The fast one, as `use_fast=True` takes.
    Fast,
    /// The one that transformers' `AutoProcessor` takes for the folder as it was saved, in today's releases: the fast one.
    #[default]
    AsSaved,
    /// The one that the folder names, which `AutoProcessor` took up to 4.53: what the published runners ran on.
    Named,
}

impl ImageProcessor {
    const ALL: [Self; 4] = [Self::Slow, Self::Fast, Self::AsSaved, Self::Named];

    /// The word on the command line and in `run.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::Fast => "fast",
            Self::AsSaved => "as-saved",
            Self::Named => "named",
        }
    }

    /// The processor that runs for a folder.
    pub fn of(self, saved: &Saved) -> Processor {
        match self {
            Self::Slow => Processor::Slow,
            Self::Fast | Self::AsSaved => Processor::Fast,
            Self::Named => saved.named(),
        }
    }

    /// Which processor runs for a folder, and why: one line for people.
    pub fn in_words(self, saved: &Saved) -> String {
        let runs = self.of(saved);
        let why = match self {
            Self::Slow | Self::Fast => format!("as asked; the folder names {}", saved.in_words()),
            Self::AsSaved => format!("as transformers' AutoProcessor takes for {} since 4.54", saved.in_words()),
            Self::Named => {
                format!("the one that {} named when it was saved; AutoProcessor takes the fast one since 4.54", saved.in_words())
            }
        };
        format!("image processor: {} ({}), {why}", runs.name(), runs.arithmetic())
    }
}

impl Display for ImageProcessor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ImageProcessor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|choice| choice.name() == text).ok_or_else(|| Error::Value {
            what: "image processor",
            value: text.into(),
            cause: "is not known".into(),
            remedy: "use slow, fast, as-saved or named".into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_read_as_the_release_that_wrote_them_meant_them() {
        let saved = |class: Option<&str>, nested| Saved { class: class.map(str::to_owned), nested };
        for (class, nested, named) in [
            (Some("Qwen2VLImageProcessor"), false, Processor::Slow),
            (Some("Qwen2_5_VLImageProcessor"), false, Processor::Slow),
            (Some("Qwen2VLImageProcessorFast"), false, Processor::Fast),
            (Some("Qwen2VLImageProcessor"), true, Processor::Fast),
            (Some("Qwen2VLImageProcessorPil"), true, Processor::Slow),
            (None, false, Processor::Slow),
        ] {
            let saved = saved(class, nested);
            assert!(saved.is_known());
            assert_eq!(saved.named(), named, "{saved:?}");
            assert_eq!(ImageProcessor::Named.of(&saved), named);
            assert_eq!(ImageProcessor::AsSaved.of(&saved), Processor::Fast);
            assert_eq!(ImageProcessor::Slow.of(&saved), Processor::Slow);
        }
        assert!(!saved(Some("CLIPImageProcessor"), false).is_known());
        assert!("quick".parse::<ImageProcessor>().is_err());
        for choice in ImageProcessor::ALL {
            assert_eq!(choice.name().parse::<ImageProcessor>().unwrap(), choice);
        }
    }
}
