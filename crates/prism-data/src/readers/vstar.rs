//! V*Bench: `test_questions.jsonl` and, beside each image, a `.json` of the same stem
//! with boxes as x, y, width, height in pixels.

use std::path::Path;

use prism_run::{Example, RegionBox};
use serde::Deserialize;

use super::checks::{At, Id, Ids, check_label, folder_of, resolve};
use super::images::image_size;
use super::jsonl::{describe, for_each_line};
use super::{Each, Source};
use crate::{Place, Result, prompt};

/// The file of questions.
pub(crate) const QUESTIONS: &str = "test_questions.jsonl";

/// Pixels an annotator's box may overshoot the image by before it is refused.
const OVERSHOOT: f64 = 2.0;

#[derive(Deserialize)]
struct Row {
    image: String,
    text: String,
    #[serde(default)]
    category: Option<String>,
    label: String,
    question_id: Id,
}

#[derive(Deserialize)]
struct Annotation {
    bbox: Vec<[f64; 4]>,
}

/// Reads the folder, a line at a time.
///
/// # Errors
/// When the file of questions cannot be read or is empty; lines and annotations that
/// break a promise of the readers go to `each`.
pub(super) fn visit(source: &Source<'_>, each: Each<'_>) -> Result<()> {
    let mut ids = Ids::default();
    let path = &source.files[0];
    for_each_line(path, &source.description.columns, |row, value, at| {
        each(value.and_then(|value| example(row, value, &mut ids, source, at)))
    })
}

fn example(row: usize, value: Row, ids: &mut Ids, source: &Source<'_>, at: &At<'_>) -> Result<Example> {
    let id = value.question_id.into_string();
    ids.add(&id, at)?;
    let image = resolve(folder_of(at.path), &value.image, at)?;
    let size = image_size(&image, at)?;
    source.images.file(&image, at)?;
    let options = prompt::options_of(&value.text);
    if options.is_empty() {
        return Err(at.error("the text holds no options", "write each option on a line of its own: `(A) ...`"));
    }
    check_label(&value.label, &options, at)?;
    let boxes = boxes(&image.with_extension("json"), size)?;
    Ok(Example {
        question_id: id.clone(),
        id,
        row,
        images: vec![image],
        prompt: source.description.prompt.fill(&value.text, &prompt::option_lines(&options)),
        options,
        label: value.label,
        boxes,
        category: value.category,
        pair: None,
        counterfactual: None,
    })
}

/// The boxes of an annotation, normalised to an image of `width` x `height` pixels.
fn boxes(path: &Path, (width, height): (u32, u32)) -> Result<Vec<RegionBox>> {
    let at = At { path, place: Place::File };
    let text = std::fs::read_to_string(path)
        .map_err(|e| at.error(format!("the annotation of an image cannot be read: {e}"), "download the V*Bench folder whole"))?;
    let annotation: Annotation = serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(&text))
        .map_err(|e| at.error(describe(&e), "download the V*Bench folder again"))?;
    let (width, height) = (f64::from(width), f64::from(height));
    annotation
        .bbox
        .into_iter()
        .map(|[x, y, w, h]| {
            let inside = |v: f64, most: f64| v.is_finite() && (-OVERSHOOT..=most + OVERSHOOT).contains(&v);
            let share = |v: f64, most: f64| v.clamp(0.0, most) / most;
            let region = RegionBox([share(x, width), share(y, height), share(x + w, width), share(y + h, height)]);
            if inside(x, width) && inside(x + w, width) && inside(y, height) && inside(y + h, height) && region.is_valid() {
                return Ok(region);
            }
            let cause = format!("the box [{x}, {y}, {w}, {h}] (x, y, width, height) lies outside the image of {width} x {height} pixels");
            Err(at.error(cause, "correct the annotation, or check that it belongs to this image"))
        })
        .collect()
}
