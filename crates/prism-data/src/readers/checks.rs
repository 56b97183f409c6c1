//! What every reader checks, in one wording: paths, images, boxes, labels, ids.

use std::collections::HashSet;
use std::fmt;
use std::path::{Component, Path, PathBuf};

use prism_run::RegionBox;
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use crate::prompt;
use crate::{Error, Place, Result};

/// A place in a data file, for messages.
#[derive(Debug, Clone)]
pub(crate) struct At<'a> {
    pub(crate) path: &'a Path,
    pub(crate) place: Place,
}

impl At<'_> {
    /// An error here.
    pub(crate) fn error(&self, cause: impl Into<String>, remedy: impl Into<String>) -> Error {
        Error::data(self.path, self.place.clone(), cause, remedy)
    }
}

/// An id in JSON: text or a number. pandas writes whole numbers as `3.0` where a row of their column is empty; they are 3.
#[derive(Debug, Clone)]
pub(crate) struct Id(String);

impl Id {
    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        from.deserialize_any(OfId)
    }
}

struct OfId;

impl Visitor<'_> for OfId {
    type Value = Id;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id, a text or a number")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> std::result::Result<Id, E> {
        Ok(Id(number.to_string()))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> std::result::Result<Id, E> {
        Ok(Id(number.to_string()))
    }

    /// A whole number is written without its point. Above 2^53 digits were lost before they came here.
    fn visit_f64<E: de::Error>(self, number: f64) -> std::result::Result<Id, E> {
        if number.abs() > 9_007_199_254_740_992.0 {
            return Err(E::custom(format!("the id {number:e} has more digits than a number keeps: write it as a text")));
        }
        Ok(Id(number.to_string()))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> std::result::Result<Id, E> {
        Ok(Id(text.to_owned()))
    }
}

/// One path or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "a path or a list of paths")]
pub(crate) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    pub(crate) fn into_vec(self) -> Vec<String> {
        match self {
            OneOrMany::One(one) => vec![one],
            OneOrMany::Many(many) => many,
        }
    }
}

/// Bytes of text of one question or conversation, at most: more than any model reads.
const LONGEST: usize = 1 << 20;
/// Its images, at most.
const MOST_IMAGES: usize = 256;

/// That a question asks for no more than a model could read: a text of 200 MB would take gigabytes to be split into tokens.
pub(crate) fn check_size(text: usize, images: usize, at: &At<'_>) -> Result<()> {
    let asks = match (text > LONGEST, images > MOST_IMAGES) {
        (true, _) => format!("the question has {text} bytes of text"),
        (_, true) => format!("the question has {images} images"),
        _ => return Ok(()),
    };
    let most = format!("at most {} KiB of text and {MOST_IMAGES} images", LONGEST >> 10);
    Err(at.error(asks, format!("a question may have {most}: shorten it, or leave it out")))
}

/// Bytes of a path at most: no system opens a longer one.
const LONGEST_PATH: usize = 4096;

/// The folder a file lies in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// `name` below `folder`; absolute names are taken as they are.
pub(crate) fn resolve(folder: &Path, name: &str, at: &At<'_>) -> Result<PathBuf> {
    let relative = Path::new(name);
    if name.starts_with("data:") {
        return Err(at.error("an image is given as a data URI", "write it into a file, and give the file's path"));
    }
    if name.len() > LONGEST_PATH {
        return Err(at.error(format!("a path is {} bytes long", name.len()), "give the file's path relative to the data folder"));
    }
    if name.is_empty() {
        return Err(at.error("a path is empty", "give the file's path relative to the data folder"));
    }
    if relative.is_absolute() {
        return Ok(relative.to_path_buf());
    }
    if relative.components().any(|c| matches!(c, Component::ParentDir)) {
        return Err(at.error(format!("the path `{name}` leaves its folder"), "give a path without `..`, or an absolute one"));
    }
    Ok(folder.join(relative))
}

/// A normalised box; rounding beyond the edge by less than a millionth is taken back.
pub(crate) fn region(values: [f64; 4], at: &At<'_>) -> Result<RegionBox> {
    let near = |v: f64| if v.is_finite() && (-1e-6..=1.0 + 1e-6).contains(&v) { v.clamp(0.0, 1.0) } else { v };
    let region = RegionBox(values.map(near));
    if region.is_valid() {
        return Ok(region);
    }
    let [x0, y0, x1, y1] = values;
    let cause = if x0 >= x1 || y0 >= y1 { "spans no area" } else { "lies outside the image" };
    Err(at.error(
        format!("the box [{x0}, {y0}, {x1}, {y1}] {cause}"),
        "boxes are [x0, y0, x1, y1] as shares of width and height: 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1",
    ))
}

/// That `label` is one of the letters of `options`; any text goes where there are none.
pub(crate) fn check_label(label: &str, options: &[String], at: &At<'_>) -> Result<()> {
    if options.is_empty() {
        return if label.is_empty() { Err(at.error("the label is empty", "give the gold answer")) } else { Ok(()) };
    }
    if options.len() > 26 {
        return Err(at.error(format!("there are {} options", options.len()), "give at most 26, one a letter"));
    }
    let last = prompt::letter(options.len() - 1).unwrap_or('Z');
    let mut chars = label.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) if ('A'..=last).contains(&c) => Ok(()),
        _ => Err(at.error(format!("the label `{label}` is not among the options A to {last}"), "give the letter of the right option")),
    }
}

/// The letter of a published answer: `(b)`, `(B)`, `B` or `b`.
pub(crate) fn gold_letter(answer: &str, at: &At<'_>) -> Result<String> {
    let text = answer.trim();
    let bare = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(text);
    let mut chars = bare.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) if c.is_ascii_alphabetic() => Ok(c.to_ascii_uppercase().to_string()),
        _ if text == "hidden" => {
            Err(at.error("the answer is `hidden`: the test split is published without answers", "give the files of the split `val`"))
        }
        _ => Err(at.error(format!("the answer `{}` is not a letter in brackets", shortened(text)), "write it as `(A)`, `(B)`, ...")),
    }
}

/// The beginning of a text, for messages.
pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_string(),
    }
}

/// Refuses an id seen before.
#[derive(Debug, Default)]
pub(crate) struct Ids(HashSet<String>);

impl Ids {
    pub(crate) fn add(&mut self, id: &str, at: &At<'_>) -> Result<()> {
        if id.is_empty() {
            return Err(at.error("the id is empty", "give each example an id of its own"));
        }
        if self.0.insert(id.to_string()) {
            return Ok(());
        }
        Err(at.error(format!("the id `{id}` occurs twice"), "give each example an id of its own"))
    }

    pub(crate) fn has(&self, id: &str) -> bool {
        self.0.contains(id)
    }
}
