//! A JSON list of bare questions, `id, images, question, label` each: the question holds its options, a
//! line each, and no instruction. A protocol may put its own words around it
//! (`prism_run::protocol::PromptLayout`). A list whose entries have `options` of their own is read as JSON lines are.

use prism_run::Example;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::checks::{At, Id, Ids, OneOrMany, check_label, folder_of, resolve};
use super::training::stream;
use super::{Each, Source};
use crate::{Error, Place, Result, prompt};

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Row {
    id: Id,
    #[serde(default, alias = "image")]
    images: Option<OneOrMany>,
    question: String,
    label: String,
    #[serde(default)]
    options: Option<IgnoredAny>,
}

/// Reads the file, an entry at a time.
///
/// # Errors
/// When it cannot be read or holds no question; entries that break a promise of the readers go to `each`.
pub(super) fn visit(source: &Source<'_>, each: Each<'_>) -> Result<()> {
    let path = &source.files[0];
    let (mut ids, mut stopped, mut rows) = (Ids::default(), false, 0);
    let outcome = stream(path, |row, value: Row| {
        rows += 1;
        let at = At { path, place: Place::Record(row, None) };
        stopped = each(example(row, value, &mut ids, source, &at)).is_break();
        // A refusal ends the stream; this one is never shown.
        if stopped { Err(Error::data(path, Place::File, "", "")) } else { Ok(()) }
    });
    match outcome {
        _ if stopped => Ok(()),
        Ok(()) if rows == 0 => Err(Error::data(path, Place::File, "the benchmark is empty", "give a file with at least one question")),
        outcome => outcome,
    }
}

fn example(row: usize, value: Row, ids: &mut Ids, source: &Source<'_>, at: &At<'_>) -> Result<Example> {
    let id = value.id.into_string();
    ids.add(&id, at)?;
    let names = value.images.map(OneOrMany::into_vec).unwrap_or_default();
    if names.is_empty() {
        return Err(at.error("there is no image", "give `images`, a list of paths"));
    }
    let mut images = Vec::with_capacity(names.len());
    for name in &names {
        let image = resolve(folder_of(at.path), name, at)?;
        source.images.file(&image, at)?;
        images.push(image);
    }
    if value.options.is_some() {
        let cause = "it has `options`, and the first entry has none: these would be left out of the prompt";
        return Err(at.error(cause, "give every entry `options`, or write them into the question, a line each"));
    }
    let options = prompt::options_of(&value.question);
    check_label(&value.label, &options, at)?;
    Ok(Example {
        question_id: id.clone(),
        id,
        row,
        images,
        prompt: source.description.prompt.fill(&value.question, &prompt::option_lines(&options)),
        options,
        label: value.label,
        boxes: Vec::new(),
        category: None,
        pair: None,
        counterfactual: None,
    })
}
