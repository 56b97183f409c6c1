//! The generic multiple-choice benchmark: one JSON object a line with
//! `id, image | images, question, options, label, bboxes?, category?, pair?,
//! counterfactual?` (the format the world writes too). Keys it does not know are
//! passed over.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use prism_run::{Example, RegionBox};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::checks::{At, Id, Ids, OneOrMany, check_image, check_label, folder_of, region, resolve};
use crate::{Error, Place, Result, prompt};

/// A line as the world writes it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JsonlRow {
    /// Unique within the file.
    pub id: String,
    /// Image path relative to the file's folder.
    pub image: String,
    /// The bare question.
    pub question: String,
    /// The options in letter order.
    pub options: Vec<String>,
    /// The right option's letter.
    pub label: String,
    /// Boxes asked about, normalised.
    pub bboxes: Vec<RegionBox>,
    /// Subset.
    pub category: String,
    /// Id of the counterfactual partner.
    pub counterfactual: String,
}

#[derive(Deserialize)]
struct Row {
    id: Id,
    #[serde(default, alias = "images")]
    image: Option<OneOrMany>,
    question: String,
    #[serde(default)]
    options: Vec<String>,
    label: String,
    #[serde(default)]
    bboxes: Option<Vec<[f64; 4]>>,
    #[serde(default)]
    category: Option<String>,
    #[serde(default)]
    pair: Option<Id>,
    #[serde(default)]
    counterfactual: Option<Id>,
}

/// Calls `each` with every line's object and place; blank lines are passed over.
pub(super) fn for_each_line<T: DeserializeOwned>(path: &Path, mut each: impl FnMut(usize, T, &At<'_>) -> Result<()>) -> Result<()> {
    let file = File::open(path).map_err(|e| Error::io("cannot read", path, e))?;
    let mut row = 0;
    for (number, line) in (1..).zip(BufReader::new(file).lines()) {
        let at = At { path, place: Place::Line(number) };
        let line = match line {
            Ok(line) => line,
            Err(e) if e.kind() == std::io::ErrorKind::InvalidData => {
                return Err(at.error("it is not UTF-8 text", "save the file as UTF-8 JSON lines"));
            }
            Err(e) => return Err(Error::io("cannot read", path, e)),
        };
        if line.trim().is_empty() {
            continue;
        }
        let mut json = serde_json::Deserializer::from_str(&line);
        let value = serde_path_to_error::deserialize(&mut json)
            .map_err(|e| at.error(describe(&e), "one JSON object a line, with the keys of docs/reference/data.md"))?;
        each(row, value, &at)?;
        row += 1;
    }
    if row == 0 {
        return Err(Error::data(path, Place::File, "the benchmark is empty", "give a file with at least one question"));
    }
    Ok(())
}

/// The message of a JSON error with the key it happened at.
pub(super) fn describe(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let key = error.path().to_string();
    let inner = error.inner().to_string();
    // Lines are counted by us: JSON's own position is within one line.
    let cause = inner.split(" at line ").next().unwrap_or(&inner);
    if key == "." { cause.to_string() } else { format!("key `{key}`: {cause}") }
}

/// Reads the file.
///
/// # Errors
/// [`Error::Data`] at the first line that breaks a promise of the readers.
pub(super) fn read(path: &Path) -> Result<Vec<Example>> {
    let mut ids = Ids::default();
    let mut examples = Vec::new();
    let folder = folder_of(path);
    for_each_line(path, |row, value: Row, at| {
        let id = value.id.into_string();
        ids.add(&id, at)?;
        let names = value.image.map(OneOrMany::into_vec).unwrap_or_default();
        if names.is_empty() {
            return Err(at.error("there is no image", "give `image` (a path) or `images` (a list of paths)"));
        }
        let mut images = Vec::with_capacity(names.len());
        for name in &names {
            let image = resolve(folder, name, at)?;
            check_image(&image, at)?;
            images.push(image);
        }
        check_label(&value.label, &value.options, at)?;
        let boxes = value.bboxes.unwrap_or_default().into_iter().map(|b| region(b, at)).collect::<Result<_>>()?;
        examples.push(Example {
            question_id: id.clone(),
            id,
            row,
            images,
            prompt: prompt::multiple_choice(&value.question, &value.options),
            options: value.options,
            label: value.label,
            boxes,
            category: value.category,
            pair: value.pair.map(Id::into_string),
            counterfactual: value.counterfactual.map(Id::into_string),
        });
        Ok(())
    })?;
    Ok(examples)
}
