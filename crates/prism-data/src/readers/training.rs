//! Training data in the LVR layout: a meta file naming data files and their image
//! folders, or one flat list with an image folder.
//!
//! Files are read as streams: one record is JSON at a time, so the full corpus of
//! 438,000 records is held once, as records.

use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use prism_run::training::{IMAGE_MARKER, REGION_MARKER, without_image_markers};
use prism_run::{Example, RegionBox, TrainingRecord, Turn};
use serde::de::{DeserializeOwned, DeserializeSeed, Error as _, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::checks::{At, Id, Ids, OneOrMany, check_label, check_size, folder_of, region, resolve};
use super::images::{Depth, Images};
use super::{Each, Source};
use crate::benchmark::Layout;
use crate::{Error, Place, Result, prompt};

/// One entry of a meta file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingEntry {
    /// Name of the data set.
    pub ds_name: String,
    /// Its list of records, relative to the meta file's folder.
    pub data_path: String,
    /// Its images' folder, relative to the meta file's folder.
    pub image_folder: String,
}

/// A record as the world writes it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrainingJson {
    /// Name of the data set.
    pub dataset: String,
    /// `train`.
    pub split: String,
    /// Number of the question.
    pub question_id: usize,
    /// Image paths relative to the image folder.
    pub image: Vec<String>,
    /// User and assistant in turns.
    pub conversations: Vec<TrainingTurn>,
    /// One box per region marker.
    pub bboxes: Vec<RegionBox>,
    /// The right option's letter.
    pub label: String,
    /// The question as a benchmark asks it.
    pub text: String,
}

/// One side's text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingTurn {
    /// `human` or `gpt`.
    pub from: String,
    /// The text with markers.
    pub value: String,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(default)]
    dataset: Option<String>,
    #[serde(default)]
    question_id: Option<Id>,
    #[serde(default)]
    image: Option<OneOrMany>,
    conversations: Vec<TrainingTurn>,
    #[serde(default)]
    bboxes: Option<Vec<[f64; 4]>>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    label: Option<String>,
}

/// Reads training data: a meta file, a folder with `meta.json`, or a flat list whose
/// images lie below `image_folder` (default: the list's folder).
///
/// # Errors
/// [`Error::Data`] naming file, record, cause and remedy; [`Error::Run`] when a file
/// cannot be read.
pub fn read_training(path: &Path, image_folder: Option<&Path>) -> Result<Vec<TrainingRecord>> {
    let mut records = Vec::new();
    let images = Images::looked_at(Depth::Beginning);
    for part in parts(path, image_folder)? {
        let start = records.len();
        for_each_record(&part, |number, raw, at| {
            let (record, _) = record(raw, start + number, &part, &images, at)?;
            records.push(record);
            Ok(())
        })?;
    }
    if records.is_empty() {
        return Err(Error::data(path, Place::File, "there are no training records", "give a list with at least one record"));
    }
    records.shrink_to_fit();
    Ok(records)
}

/// The files [`read_training`] reads, in order: the meta file, if any, and the lists.
///
/// # Errors
/// As [`read_training`].
pub fn training_files(path: &Path) -> Result<Vec<PathBuf>> {
    let lists: Vec<PathBuf> = parts(path, None)?.into_iter().map(|part| part.list).collect();
    let file = if path.is_dir() { path.join("meta.json") } else { path.to_path_buf() };
    Ok(if lists.contains(&file) { lists } else { std::iter::once(file).chain(lists).collect() })
}

/// Training data read as questions: the first turn's, with its gold answer.
///
/// # Errors
/// When a list cannot be read or none holds a record; records that break a promise of
/// the readers go to `each`.
pub(super) fn visit(source: &Source<'_>, each: Each<'_>) -> Result<()> {
    let path = &source.files[0];
    let (mut ids, mut row) = (Ids::default(), 0);
    for part in parts(path, None)? {
        let mut stopped = false;
        let outcome = for_each_record(&part, |_, raw, at| {
            let made = record(raw, row, &part, source.images, at).and_then(|(record, question_id)| {
                let example = example(record, question_id, &ids, source, at)?;
                ids.add(&example.id, at)?;
                Ok(example)
            });
            row += 1;
            stopped = each(made).is_break();
            // A refusal ends the stream; this one is never shown.
            if stopped { Err(Error::data(path, Place::File, "", "")) } else { Ok(()) }
        });
        if stopped {
            return Ok(());
        }
        outcome?;
    }
    if row == 0 {
        return Err(Error::data(path, Place::File, "the benchmark is empty", "give a file with at least one question"));
    }
    Ok(())
}

/// One list of records with its images' folder.
struct Part {
    name: Option<String>,
    list: PathBuf,
    images: PathBuf,
}

fn parts(path: &Path, image_folder: Option<&Path>) -> Result<Vec<Part>> {
    let file = if path.is_dir() { path.join("meta.json") } else { path.to_path_buf() };
    if !is_meta(&file)? {
        let images = image_folder.unwrap_or_else(|| folder_of(&file)).to_path_buf();
        return Ok(vec![Part { name: None, list: file, images }]);
    }
    if let Some(folder) = image_folder {
        let cause = format!("a meta file names its own image folders, yet {} was given", folder.display());
        return Err(Error::data(&file, Place::File, cause, "leave the image folder out, or give the flat list"));
    }
    let (folder, mut parts) = (folder_of(&file).to_path_buf(), Vec::new());
    stream(&file, |number, entry: TrainingEntry| {
        let at = At { path: &file, place: Place::Record(number, None) };
        let list = resolve(&folder, &entry.data_path, &at)?;
        if !list.is_file() {
            return Err(at.error(format!("the list {} does not exist", list.display()), "correct `data_path`"));
        }
        let images = resolve(&folder, &entry.image_folder, &at)?;
        parts.push(Part { name: Some(entry.ds_name), list, images });
        Ok(())
    })?;
    Ok(parts)
}

/// What the list's first entry is, where it is a question and not a conversation: a bare one, or a row with `options` of its own.
pub(crate) fn holds_questions(path: &Path) -> Option<Layout> {
    #[derive(Deserialize)]
    struct Peek {
        #[serde(default)]
        question: Option<IgnoredAny>,
        #[serde(default)]
        conversations: Option<IgnoredAny>,
        #[serde(default)]
        options: Option<IgnoredAny>,
    }
    let mut found = None;
    // Any refusal ends the stream; what is wrong with the file its reader says.
    let _ = stream(path, |_, first: Peek| {
        let is_question = first.question.is_some() && first.conversations.is_none();
        found = is_question.then_some(if first.options.is_some() { Layout::Jsonl } else { Layout::Questions });
        Err::<(), _>(Error::data(path, Place::File, "", ""))
    });
    found
}

/// Whether the list's first entry names a data file.
fn is_meta(path: &Path) -> Result<bool> {
    #[derive(Deserialize)]
    struct Peek {
        #[serde(default)]
        data_path: Option<IgnoredAny>,
    }
    let mut found = None;
    let outcome = stream(path, |_, first: Peek| {
        found = Some(first.data_path.is_some());
        // Any refusal ends the stream; this one is never shown.
        Err(Error::data(path, Place::File, "", ""))
    });
    match found {
        Some(meta) => Ok(meta),
        None => outcome.map(|()| false),
    }
}

fn for_each_record(part: &Part, mut each: impl FnMut(usize, Raw, &At<'_>) -> Result<()>) -> Result<()> {
    stream(&part.list, |number, raw: Raw| {
        let id = raw.question_id.clone().map(Id::into_string);
        each(number, raw, &At { path: &part.list, place: Place::Record(number, id) })
    })
}

/// Checks one record; also returns the file's own question id.
fn record(raw: Raw, row: usize, part: &Part, look: &Images, at: &At<'_>) -> Result<(TrainingRecord, String)> {
    let names = raw.image.map(OneOrMany::into_vec).unwrap_or_default();
    let said = raw.conversations.iter().fold(0usize, |sum, turn| sum.saturating_add(turn.value.len()));
    check_size(said, names.len(), at)?;
    let mut images = Vec::with_capacity(names.len());
    for name in &names {
        let image = resolve(&part.images, name, at)?;
        look.file(&image, at)?;
        images.push(image);
    }
    let turns = turns(raw.conversations, at)?;
    let boxes = raw.bboxes.unwrap_or_default().into_iter().map(|b| region(b, at)).collect::<Result<Vec<_>>>()?;
    let count = |marker: &str, text: fn(&Turn) -> &str| turns.iter().map(|t| text(t).matches(marker).count()).sum::<usize>();
    let image_markers = count(IMAGE_MARKER, |t| &t.question);
    if image_markers != images.len() {
        let cause = format!("the questions hold {image_markers} `{IMAGE_MARKER}` for {} images", images.len());
        return Err(at.error(cause, "write one marker per image, in order"));
    }
    let region_markers = count(REGION_MARKER, |t| &t.answer);
    if region_markers != boxes.len() {
        let cause = format!("the answers hold {region_markers} `{REGION_MARKER}` for {} boxes", boxes.len());
        return Err(at.error(cause, "write one marker per box, in order"));
    }
    let question_id = raw.question_id.map_or_else(|| row.to_string(), Id::into_string);
    let id = match raw.dataset.as_ref().or(part.name.as_ref()) {
        Some(dataset) => format!("{dataset}/{question_id}"),
        None => question_id.clone(),
    };
    Ok((TrainingRecord { id, row, images, turns, boxes, text: raw.text, label: raw.label }, question_id))
}

fn turns(conversations: Vec<TrainingTurn>, at: &At<'_>) -> Result<Vec<Turn>> {
    let remedy = "conversations are human and gpt in turns, at least one of each";
    if conversations.is_empty() || conversations.len() % 2 == 1 {
        return Err(at.error(format!("the conversation has {} texts", conversations.len()), remedy));
    }
    let mut turns = Vec::with_capacity(conversations.len() / 2);
    let mut texts = conversations.into_iter();
    while let (Some(user), Some(assistant)) = (texts.next(), texts.next()) {
        if !matches!(user.from.as_str(), "human" | "user") || !matches!(assistant.from.as_str(), "gpt" | "assistant") {
            return Err(at.error(format!("`{}` is followed by `{}`", user.from, assistant.from), remedy));
        }
        turns.push(Turn { question: user.value, answer: assistant.value });
    }
    Ok(turns)
}

fn example(record: TrainingRecord, question_id: String, ids: &Ids, source: &Source<'_>, at: &At<'_>) -> Result<Example> {
    let first = record.turns.first();
    let prompt = match record.text {
        Some(text) => text,
        None => first.map(|t| without_image_markers(&t.question)).unwrap_or_default(),
    };
    let label = record.label.unwrap_or_else(|| first.map(|t| prompt::answer_of(&t.answer).to_string()).unwrap_or_default());
    let options = prompt::options_of(&prompt);
    check_label(&label, &options, at)?;
    // Corpora repeat question ids; the row tells the repetitions apart.
    let id = if ids.has(&record.id) { format!("{}#{}", record.id, record.row) } else { record.id };
    Ok(Example {
        id,
        row: record.row,
        question_id,
        images: record.images,
        prompt: source.description.prompt.fill(&prompt, &prompt::option_lines(&options)),
        options,
        label,
        boxes: record.boxes,
        category: None,
        pair: None,
        counterfactual: None,
    })
}

/// Reads a JSON list element by element.
pub(super) fn stream<T: DeserializeOwned>(path: &Path, each: impl FnMut(usize, T) -> Result<()>) -> Result<()> {
    let file = File::open(path).map_err(|e| Error::io("cannot read", path, e))?;
    stream_from(BufReader::with_capacity(1 << 20, file), path, each)
}

fn stream_from<T: DeserializeOwned>(reader: impl Read, path: &Path, each: impl FnMut(usize, T) -> Result<()>) -> Result<()> {
    let (mut refusal, mut number) = (None, 0);
    let mut json = serde_json::Deserializer::from_reader(reader);
    let elements = Elements { each, refusal: &mut refusal, number: &mut number, of: std::marker::PhantomData };
    let outcome = elements.deserialize(&mut json).and_then(|()| json.end());
    if let Some(error) = refusal {
        return Err(error);
    }
    outcome.map_err(|e| match e.classify() {
        serde_json::error::Category::Io => Error::io("cannot read", path, e.into()),
        _ => Error::data(path, Place::Record(number, None), e.to_string(), "give a JSON list in the layout of docs/reference/data.md"),
    })
}

struct Elements<'a, T, F> {
    each: F,
    refusal: &'a mut Option<Error>,
    number: &'a mut usize,
    of: std::marker::PhantomData<T>,
}

impl<'de, T: DeserializeOwned, F: FnMut(usize, T) -> Result<()>> DeserializeSeed<'de> for Elements<'_, T, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: DeserializeOwned, F: FnMut(usize, T) -> Result<()>> Visitor<'de> for Elements<'_, T, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> std::result::Result<(), A::Error> {
        while let Some(element) = list.next_element::<T>()? {
            if let Err(error) = (self.each)(*self.number, element) {
                *self.refusal = Some(error);
                return Err(A::Error::custom("refused"));
            }
            *self.number += 1;
        }
        Ok(())
    }
}
