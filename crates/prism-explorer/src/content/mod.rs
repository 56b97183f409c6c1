//! One example of a run, as everything its records say of it, and as the content of a page.
//!
//! [`Example::read`] takes the rows of one example out of the tables without reading the
//! others; [`page`] writes them: the image and its boxes ([`boxes`]), the text of every branch with its
//! latents ([`branches`], [`text`]), the block step by step ([`steps`], [`heat`]), the answers under every
//! intervention ([`answers`]) and the counterfactual partner ([`partner`]). What the records
//! lack is said with the reason, in the place where it would stand.

pub mod answers;
pub mod boxes;
pub mod branches;
pub mod heat;
pub mod page;
pub mod partner;
pub mod steps;
pub mod text;

use std::path::{Path, PathBuf};

use maud::Render;
use prism_run::kept::Kept;
use prism_run::manifest::Manifest;
use prism_run::records::{self, AlignmentRow, AnswerRow, AttentionRow, ExampleRow, LatentRow, LensRow, MapRow, files};
use prism_run::selected::read_example;
use prism_run::table::Row;
use prism_run::{Intervention, Stage, Variant};

use crate::filter::Filter;
use prism_report::Error;
use prism_report::gallery::{Sources, picture};
pub use prism_report::html::cut;
use prism_report::html::cut_html;

/// What the records of a run say of one example.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Example {
    /// The run folder.
    #[serde(skip)]
    pub run: PathBuf,
    /// Width and height of its first image in pixels, or why it is not shown.
    #[serde(skip)]
    pub size: Result<(u32, u32), String>,
    /// The example.
    pub example: ExampleRow,
    /// Its answers, the clean run's first.
    pub answers: Kept<AnswerRow>,
    /// Its latent steps under every intervention.
    pub latents: Kept<LatentRow>,
    /// The clean run's forwards over the image.
    pub maps: Kept<MapRow>,
    /// Logit lens by layer.
    pub lens: Kept<LensRow>,
    /// Attention by forward and layer.
    pub attention: Kept<AttentionRow>,
    /// Latents beside their teacher targets.
    pub alignment: Kept<AlignmentRow>,
    /// Scale of the context box about the target box's centre, where the variant has that stage.
    pub context_scale: Option<f64>,
    /// Tables that could not be read, with the reason.
    pub absent: Vec<String>,
}

impl Example {
    /// Reads the example of that row; `None` where the run has none.
    ///
    /// A table besides the examples and answers that is absent or damaged is named in
    /// [`Example::absent`] and stands empty.
    ///
    /// # Errors
    /// When the manifest, the examples or the answers cannot be read.
    pub fn read(run: &Path, row: usize, sources: &Sources) -> Result<Option<Self>, Error> {
        let manifest = Manifest::read(run)?;
        let folder = records::folder(run);
        let Some(example) = Self::row(run, row)? else { return Ok(None) };
        let mut answers: Kept<AnswerRow> = read_example(&folder.join(files::ANSWERS), row)?;
        answers.sort_by_key(|a| !a.intervention.is_clean());
        let mut absent = Vec::new();
        Ok(Some(Self {
            size: picture::size(&example.image, run, sources),
            example,
            answers,
            latents: optional(&folder, files::STEPS, row, &mut absent),
            maps: optional(&folder, files::MAPS, row, &mut absent),
            lens: optional(&folder, files::LENS, row, &mut absent),
            attention: optional(&folder, files::ATTENTION, row, &mut absent),
            alignment: optional(&folder, files::ALIGNMENT, row, &mut absent),
            context_scale: context_scale(&manifest),
            absent,
            run: run.to_path_buf(),
        }))
    }

    /// The example alone, without what the model did with it.
    ///
    /// # Errors
    /// When the examples cannot be read.
    pub fn row(run: &Path, row: usize) -> Result<Option<ExampleRow>, Error> {
        Ok(read_example::<ExampleRow>(&records::folder(run).join(files::EXAMPLES), row)?.apart().0.into_iter().next())
    }

    /// The answer of the clean run.
    pub fn clean(&self) -> Option<&AnswerRow> {
        self.answers.iter().find(|a| a.intervention.is_clean())
    }

    /// The latent steps of the clean run, in the order they ran.
    pub fn steps(&self) -> impl Iterator<Item = &LatentRow> {
        self.latents.iter().filter(|l| l.intervention.is_clean())
    }

    /// The option letters with their texts.
    pub fn options(&self) -> impl Iterator<Item = (char, &str)> {
        ('A'..='Z').zip(self.example.options.iter().map(String::as_str).filter(|o| !o.is_empty()))
    }
}

fn optional<R: Row>(folder: &Path, file: &str, row: usize, absent: &mut Vec<String>) -> Kept<R> {
    let path = folder.join(file);
    if !prism_run::door::stands(&path) {
        absent.push(format!("records/{file} is not there: the run was made before Prism wrote it, or without it"));
        return Kept::default();
    }
    read_example(&path, row).unwrap_or_else(|e| {
        absent.push(e.to_string());
        Kept::default()
    })
}

/// The variant's context scale, as its manifest holds it; `None` without a context stage.
fn context_scale(manifest: &Manifest) -> Option<f64> {
    let variant: Variant = serde_json::from_value(manifest.settings.get("variant")?.clone()).ok()?;
    let staged = variant.stages.list().contains(&Stage::Context);
    Some(variant.context_scale).filter(|scale| staged && scale.is_finite() && *scale > 0.0)
}

/// Where the page's links lead.
pub struct Links<'a> {
    /// The run's examples, without a slash at the end.
    pub base: &'a str,
    /// The filter that is kept while going through them.
    pub filter: &'a Filter,
    /// The id of a row, where the run has it.
    pub id: &'a dyn Fn(usize) -> Option<String>,
}

impl Links<'_> {
    /// The address of an example.
    pub fn example(&self, row: usize) -> String {
        format!("{}/{row}{}", self.base, self.filter.query(1))
    }

    /// The address of an example with the text under that intervention beside the clean one.
    pub fn beside(&self, row: usize, intervention: Intervention) -> String {
        let filter = Filter { beside: Some(intervention), ..self.filter.clone() };
        format!("{}/{row}{}#text", self.base, filter.query(1))
    }

    /// The address of its image.
    pub fn image(&self, row: usize) -> String {
        format!("{}/{row}/image", self.base)
    }
}

/// At most so many characters of a text, and how many were cut off.
#[derive(Debug, Clone, Copy)]
pub struct Cut<'a>(pub &'a str, pub usize);

impl Render for Cut<'_> {
    fn render_to(&self, buffer: &mut String) {
        cut_html(self.0, self.1).render_to(buffer);
    }
}
