//! The generic multiple-choice benchmark: one JSON object a line with
//! `id, image | images, question, options, label, bboxes?, category?, pair?,
//! counterfactual?` (the format the world writes too). Keys it does not know are
//! passed over.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::path::Path;

use prism_run::{Example, RegionBox};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::checks::{At, Id, Ids, OneOrMany, check_label, folder_of, region, resolve};
use super::{Each, Source, loose};
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
#[serde(expecting = "an object")]
struct Row {
    id: Id,
    #[serde(default)]
    image: Option<OneOrMany>,
    #[serde(default)]
    images: Option<OneOrMany>,
    question: String,
    /// Absent where any text is an answer; pandas writes `null` there.
    #[serde(default)]
    options: Option<Vec<String>>,
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

/// The keys of a line.
pub const KEYS: [&str; 10] = ["id", "image", "images", "question", "options", "label", "bboxes", "category", "pair", "counterfactual"];

/// Calls `each` with every line's number, object (or why it is none) and place, until it
/// breaks off; blank lines are passed over. `names` are the file's own names for our keys.
pub(super) fn for_each_line<T: DeserializeOwned>(
    path: &Path,
    names: &BTreeMap<String, String>,
    mut each: impl FnMut(usize, Result<T>, &At<'_>) -> ControlFlow<()>,
) -> Result<()> {
    if let Some(objects) = loose::list(path)? {
        return for_each_object(path, names, objects, each);
    }
    let file = File::open(path).map_err(|e| Error::io("cannot read", path, e))?;
    let mut lines = BufReader::new(file);
    let (mut row, mut number, mut line) = (0, 0, Vec::new());
    loop {
        line.clear();
        number += 1;
        if lines.read_until(b'\n', &mut line).map_err(|e| Error::io("cannot read", path, e))? == 0 {
            break;
        }
        let at = At { path, place: Place::Line(number) };
        // Editors on Windows begin a text with a byte order mark.
        let bytes = if number == 1 { line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&line) } else { &line };
        if bytes.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        if each(row, object(bytes, names, &at), &at).is_break() {
            return Ok(());
        }
        row += 1;
    }
    if row == 0 { Err(empty(path)) } else { Ok(()) }
}

fn empty(path: &Path) -> Error {
    Error::data(path, Place::File, "the benchmark is empty", "give a file with at least one question")
}

/// The same for a file that is one list of objects.
fn for_each_object<T: DeserializeOwned>(
    path: &Path,
    names: &BTreeMap<String, String>,
    objects: Vec<serde_json::Value>,
    mut each: impl FnMut(usize, Result<T>, &At<'_>) -> ControlFlow<()>,
) -> Result<()> {
    if objects.is_empty() {
        return Err(empty(path));
    }
    for (number, object) in objects.into_iter().enumerate() {
        let at = At { path, place: Place::Record(number, None) };
        let value = match object {
            serde_json::Value::Object(keys) => of_keys(keys, names, &at),
            other => Err(at.error(format!("it is {}, not an object", kind(&other)), LAYOUT)),
        };
        if each(number, value, &at).is_break() {
            return Ok(());
        }
    }
    Ok(())
}

fn kind(value: &serde_json::Value) -> &'static str {
    match value {
        serde_json::Value::Null => "null",
        serde_json::Value::Bool(_) => "true or false",
        serde_json::Value::Number(_) => "a number",
        serde_json::Value::String(_) => "a text",
        serde_json::Value::Array(_) => "a list",
        serde_json::Value::Object(_) => "an object",
    }
}

/// What a line is to be.
const LAYOUT: &str = "one JSON object a line, with the keys of docs/reference/data.md";

fn object<T: DeserializeOwned>(line: &[u8], names: &BTreeMap<String, String>, at: &At<'_>) -> Result<T> {
    match (strict(line, names, at), loose::without_nan(line)) {
        // Python writes NaN where a value is absent; JSON has no such number.
        (Err(_), Some(plain)) => strict(&plain, names, at),
        (read, _) => read,
    }
}

fn strict<T: DeserializeOwned>(line: &[u8], names: &BTreeMap<String, String>, at: &At<'_>) -> Result<T> {
    let text = std::str::from_utf8(line).map_err(|_| at.error("it is not UTF-8 text", "save the file as UTF-8 JSON lines"))?;
    let refused = |e: serde_path_to_error::Error<serde_json::Error>| at.error(describe(&e), LAYOUT);
    if names.is_empty() {
        let mut json = serde_json::Deserializer::from_str(text);
        let value = serde_path_to_error::deserialize(&mut json).map_err(refused)?;
        return match json.end() {
            Ok(()) => Ok(value),
            Err(_) => Err(at.error("something follows the object", "write one JSON object a line")),
        };
    }
    let keys: serde_json::Map<String, serde_json::Value> =
        serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(text)).map_err(refused)?;
    of_keys(keys, names, at)
}

fn of_keys<T: DeserializeOwned>(
    mut keys: serde_json::Map<String, serde_json::Value>,
    names: &BTreeMap<String, String>,
    at: &At<'_>,
) -> Result<T> {
    for (ours, theirs) in names {
        let value = keys.remove(theirs);
        let Some(value) = value else {
            return Err(
                at.error(format!("there is no key `{theirs}`"), format!("the description takes `{ours}` from it: correct `columns`"))
            );
        };
        keys.insert(ours.clone(), value);
    }
    serde_path_to_error::deserialize(serde_json::Value::Object(keys)).map_err(|e| at.error(describe(&e), LAYOUT))
}

/// The message of a JSON error with the key it happened at.
pub(super) fn describe(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let key = error.path().to_string();
    let inner = error.inner().to_string();
    // Lines are counted by us: JSON's own position is within one line.
    let cause = inner.split(" at line ").next().unwrap_or(&inner);
    if key == "." { cause.to_string() } else { format!("key `{key}`: {cause}") }
}

/// Reads the file, a line at a time.
///
/// # Errors
/// When it cannot be read or holds no question; lines that break a promise of the
/// readers go to `each`.
pub(super) fn visit(source: &Source<'_>, each: Each<'_>) -> Result<()> {
    let mut ids = Ids::default();
    let path = &source.files[0];
    for_each_line(path, &source.description.columns, |row, value, at| {
        each(value.and_then(|value| example(row, value, &mut ids, source, at)))
    })
}

fn example(row: usize, value: Row, ids: &mut Ids, source: &Source<'_>, at: &At<'_>) -> Result<Example> {
    let id = value.id.into_string();
    ids.add(&id, at)?;
    let names = match (value.image, value.images) {
        (Some(_), Some(_)) => return Err(at.error("there is `image` and `images`", "give one of the two")),
        (one, several) => one.or(several).map(OneOrMany::into_vec).unwrap_or_default(),
    };
    let options = value.options.unwrap_or_default();
    if names.is_empty() {
        return Err(at.error("there is no image", "give `image` (a path) or `images` (a list of paths)"));
    }
    let mut images = Vec::with_capacity(names.len());
    for name in &names {
        let image = resolve(folder_of(at.path), name, at)?;
        source.images.file(&image, at)?;
        images.push(image);
    }
    check_label(&value.label, &options, at)?;
    let boxes = value.bboxes.unwrap_or_default().into_iter().map(|b| region(b, at)).collect::<Result<_>>()?;
    Ok(Example {
        question_id: id.clone(),
        id,
        row,
        images,
        prompt: source.description.prompt.fill(&value.question, &prompt::option_lines(&options)),
        options,
        label: value.label,
        boxes,
        category: value.category,
        pair: value.pair.map(Id::into_string),
        counterfactual: value.counterfactual.map(Id::into_string),
    })
}
