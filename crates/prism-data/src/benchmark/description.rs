//! What a benchmark is, as data: `benchmarks/*.toml`, embedded, and the same keys in a
//! file of the user's own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use prism_run::{Answers, safe_toml};
use serde::{Deserialize, Serialize};

use super::prompt::PromptForm;
use super::release::Earlier;
use crate::{Error, Place, Result};

/// How a benchmark lies on disk: one reader each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// `test_questions.jsonl`, and a `.json` of boxes beside each image.
    Vstar,
    /// `Questions.csv` and a folder of numbered images.
    Mmvp,
    /// A folder a task, each with parquet files that hold the images.
    Blink,
    /// One object a line.
    Jsonl,
    /// LVR training data.
    Training,
    /// A JSON list of bare questions.
    Questions,
}

impl Layout {
    /// Every layout.
    pub const ALL: [Layout; 6] = [Layout::Vstar, Layout::Mmvp, Layout::Blink, Layout::Jsonl, Layout::Training, Layout::Questions];

    /// The description Prism ships for it, as text.
    pub fn preset(self) -> &'static str {
        match self {
            Layout::Vstar => include_str!("../../../../benchmarks/vstar.toml"),
            Layout::Mmvp => include_str!("../../../../benchmarks/mmvp.toml"),
            Layout::Blink => include_str!("../../../../benchmarks/blink.toml"),
            Layout::Jsonl => include_str!("../../../../benchmarks/jsonl.toml"),
            Layout::Training => include_str!("../../../../benchmarks/training.toml"),
            Layout::Questions => include_str!("../../../../benchmarks/questions.toml"),
        }
    }

    /// The word used in files.
    pub fn name(self) -> &'static str {
        match self {
            Layout::Vstar => "vstar",
            Layout::Mmvp => "mmvp",
            Layout::Blink => "blink",
            Layout::Jsonl => "jsonl",
            Layout::Training => "training",
            Layout::Questions => "questions",
        }
    }

    /// Whether it is one published benchmark rather than a format of many.
    pub fn is_published(self) -> bool {
        matches!(self, Layout::Vstar | Layout::Mmvp | Layout::Blink)
    }
}

/// What the whole benchmark holds, for telling a part of it apart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// Questions.
    pub questions: Option<usize>,
    /// Pairs.
    pub pairs: Option<usize>,
    /// Questions by gold letter.
    #[serde(default)]
    pub labels: BTreeMap<String, usize>,
    /// Questions by category.
    #[serde(default)]
    pub categories: BTreeMap<String, usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    id: String,
    name: String,
    version: u32,
    layout: Layout,
    prompt: String,
    #[serde(default)]
    instruction: Option<String>,
    #[serde(default)]
    answer: Option<Answers>,
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    path: Option<PathBuf>,
    #[serde(default)]
    tasks: Vec<String>,
    #[serde(default)]
    split: Option<String>,
    #[serde(default)]
    images: Vec<String>,
    #[serde(default)]
    columns: BTreeMap<String, String>,
    #[serde(default)]
    expected: Expected,
    #[serde(default)]
    earlier: Option<Earlier>,
}

/// A checked description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// One word, used in records and file names.
    pub id: String,
    /// For people.
    pub name: String,
    /// Raised whenever prompts, parsing or selection change.
    pub version: u32,
    /// The reader.
    pub layout: Layout,
    /// How a question becomes the user's text.
    pub prompt: PromptForm,
    /// The rules that read its answers, where neither the command nor the protocol names some.
    pub answer: Option<Answers>,
    /// Where it was published.
    pub source: Option<String>,
    /// Where the data lie, relative to the description's folder.
    pub path: Option<PathBuf>,
    /// BLINK: the tasks asked, in order; empty for all.
    pub tasks: Vec<String>,
    /// BLINK: the split, the first word of the parquet files' names.
    pub split: String,
    /// MMVP: the folders images may lie in.
    pub images: Vec<String>,
    /// JSON lines: the file's own names for our keys, ours first.
    pub columns: BTreeMap<String, String>,
    /// What the whole benchmark holds.
    pub expected: Expected,
    /// Labels before a correction, for telling the two apart.
    pub earlier: Option<Earlier>,
}

impl Description {
    /// The one Prism ships for a layout.
    ///
    /// # Errors
    /// Never for the shipped files; a test reads them all.
    pub fn preset(layout: Layout) -> Result<Self> {
        Self::parse(layout.preset(), Path::new(&format!("benchmarks/{}.toml", layout.name())))
    }

    /// Reads a description of the user's own.
    ///
    /// # Errors
    /// When the file cannot be read, a key is unknown, missing or of the wrong type, or
    /// does not go with the layout.
    pub fn read(path: &Path) -> Result<Self> {
        let text = prism_run::door::read_named(path, prism_run::door::Limit::Recipe)?;
        Self::parse(&text, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self> {
        let raw: Raw = safe_toml::from_str(text, path)?;
        let bad = |key: &str, cause: &str, remedy: &str| Err(Error::data(path, Place::File, format!("key `{key}` {cause}"), remedy));
        if raw.id.is_empty() || !raw.id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')) {
            return bad("id", &format!("is `{}`", raw.id), "give one word of letters, digits, `-`, `_` and `.`");
        }
        let prompt = match PromptForm::parse(&raw.prompt, raw.instruction.as_deref()) {
            Ok(prompt) => prompt,
            Err(cause) => return bad("prompt", &cause, "write `{question}` once, and `{options}` and `{instruction}` at most once each"),
        };
        let belongs = [
            ("tasks", !raw.tasks.is_empty(), Layout::Blink),
            ("split", raw.split.is_some(), Layout::Blink),
            ("images", !raw.images.is_empty(), Layout::Mmvp),
            ("columns", !raw.columns.is_empty(), Layout::Jsonl),
        ];
        if let Some((key, _, layout)) = belongs.into_iter().find(|(_, given, layout)| *given && *layout != raw.layout) {
            let cause = format!("goes with layout `{}`, not `{}`", layout.name(), raw.layout.name());
            return bad(key, &cause, "take the key out, or correct `layout`");
        }
        if let Some(key) = raw.columns.keys().find(|key| !crate::readers::JSONL_KEYS.contains(&key.as_str())) {
            let remedy = format!("the keys are {}", crate::readers::JSONL_KEYS.join(", "));
            return bad("columns", &format!("names `{key}`"), &remedy);
        }
        let images = if raw.images.is_empty() { vec!["MMVP Images".into(), "MMVP_Images".into()] } else { raw.images };
        Ok(Self {
            id: raw.id,
            name: raw.name,
            version: raw.version,
            layout: raw.layout,
            prompt,
            answer: raw.answer,
            source: raw.source,
            path: raw.path,
            tasks: raw.tasks,
            split: raw.split.unwrap_or_else(|| "val".into()),
            images,
            columns: raw.columns,
            expected: raw.expected,
            earlier: raw.earlier,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_description_is_whole() {
        for layout in Layout::ALL {
            let description = Description::preset(layout).unwrap();
            assert_eq!((description.layout, description.id.as_str()), (layout, layout.name()));
            let expected = &description.expected;
            for counts in [&expected.labels, &expected.categories] {
                let sum: usize = counts.values().sum();
                assert!(counts.is_empty() || Some(sum) == expected.questions, "{}: {sum}", description.id);
            }
        }
    }
}
