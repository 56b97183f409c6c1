//! BLINK: one folder a task, parquet files with
//! `idx, question, sub_task, choices, answer, image_1..image_4`, each image a struct of
//! bytes and path, absent ones null.
//!
//! Only the columns asked for are read, a few rows at a time, so memory holds a handful
//! of images whatever the file's size.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, ListArray, RecordBatch, StringArray, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use prism_run::Example;
use prism_run::contained::{Contained, contained};

use super::checks::{At, Ids, check_label, folder_of, gold_letter, resolve};
use super::{Each, Source};
use crate::{Error, Place, Result, prompt};

/// Rows held at once.
const ROWS: usize = 4;

/// Columns of images, in order; the first must be there.
const IMAGES: [&str; 4] = ["image_1", "image_2", "image_3", "image_4"];

const REMEDY: &str = "download the file again from BLINK-Benchmark/BLINK, or write it in the layout of docs/reference/data.md";

/// Reads the files in order, a few rows at a time.
///
/// # Errors
/// When a file cannot be read, is no parquet file, or lacks a column; rows that break a
/// promise of the readers go to `each`.
pub(super) fn visit(source: &Source<'_>, each: Each<'_>) -> Result<()> {
    let (mut ids, mut row) = (Ids::default(), 0);
    for (path, task) in source.files.iter().zip(source.tasks) {
        let whole = At { path, place: Place::File };
        let mut number = 0;
        let batches = contained(path, REMEDY, || open(path, &whole))?;
        for batch in Contained::new(batches, path, REMEDY) {
            let batch = batch?.map_err(|e| unreadable(&e, number, &whole))?;
            let columns = Columns::of(&batch, &whole)?;
            for index in 0..batch.num_rows() {
                let at = At { path, place: Place::Row(number) };
                let made = columns.example(index, row, task.as_deref(), &mut ids, source, &at);
                if each(made).is_break() {
                    return Ok(());
                }
                number += 1;
                row += 1;
            }
        }
        if number == 0 {
            return Err(whole.error("the benchmark is empty", "give a file with at least one question"));
        }
    }
    Ok(())
}

/// Opens a file at the columns that are needed.
fn open(path: &Path, at: &At<'_>) -> Result<ParquetRecordBatchReader> {
    let mut file = File::open(path).map_err(|e| Error::io("cannot read", path, e))?;
    let mut start = [0; 4];
    let read = file.read(&mut start).map_err(|e| Error::io("cannot read", path, e))?;
    if start.starts_with(&[0x1f, 0x8b]) && read > 1 {
        return Err(at.error("it is compressed with gzip as a whole", "unpack it with `gunzip`"));
    }
    file.seek(SeekFrom::Start(0)).map_err(|e| Error::io("cannot read", path, e))?;
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| at.error(format!("it is not a whole parquet file: {e}"), REMEDY))?;
    check_schema(builder.schema(), at)?;
    let wanted = ["idx", "question", "sub_task", "choices", "answer"].iter().chain(&IMAGES);
    let roots: Vec<usize> = wanted.filter_map(|name| builder.schema().index_of(name).ok()).collect();
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
    builder.with_projection(mask).with_batch_size(ROWS).build().map_err(|e| unreadable(&e, 0, at))
}

/// A page that cannot be read, at `row` or the few behind it.
fn unreadable(error: &dyn std::error::Error, row: usize, at: &At<'_>) -> Error {
    let cause = error.to_string();
    match cause.split_once("Disabled feature at compile time: ") {
        Some((_, library)) => {
            // The reader names the library that it was built without.
            let codec = if library.trim() == "flate2" { "gzip" } else { library.trim() };
            at.error(format!("its pages are compressed with {codec}"), "write it with snappy, zstd or no compression")
        }
        None => at.error(format!("row {row} or one soon after cannot be read: {cause}"), REMEDY),
    }
}

fn is_text(kind: &DataType) -> bool {
    match kind {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

fn is_texts(kind: &DataType) -> bool {
    matches!(kind, DataType::List(item) | DataType::LargeList(item) if is_text(item.data_type()))
}

fn is_image(kind: &DataType) -> bool {
    let DataType::Struct(fields) = kind else { return false };
    let child = |name: &str| fields.iter().find(|field| field.name() == name).map(|field| field.data_type());
    matches!(child("bytes"), Some(DataType::Binary | DataType::LargeBinary | DataType::BinaryView))
        && child("path").is_none_or(|kind| is_text(kind) || *kind == DataType::Null)
}

/// A column's name, whether it must be there, its types, and their names.
type Wanted = (&'static str, bool, fn(&DataType) -> bool, &'static str);

/// That every column is there with a type that can be read.
fn check_schema(schema: &Schema, at: &At<'_>) -> Result<()> {
    let columns: [Wanted; 9] = [
        ("idx", true, |kind| is_text(kind) || kind.is_integer(), "text"),
        ("question", true, is_text, "text"),
        ("choices", true, is_texts, "a list of texts"),
        ("answer", true, is_text, "text"),
        ("sub_task", false, is_text, "text"),
        (IMAGES[0], true, is_image, "a struct of bytes and path"),
        (IMAGES[1], false, |kind| is_image(kind) || *kind == DataType::Null, "a struct of bytes and path"),
        (IMAGES[2], false, |kind| is_image(kind) || *kind == DataType::Null, "a struct of bytes and path"),
        (IMAGES[3], false, |kind| is_image(kind) || *kind == DataType::Null, "a struct of bytes and path"),
    ];
    for (name, needed, fits, wanted) in columns {
        match schema.field_with_name(name) {
            Ok(field) if !fits(field.data_type()) => {
                return Err(at.error(format!("the column `{name}` holds {}, not {wanted}", field.data_type()), REMEDY));
            }
            Err(_) if needed => {
                let found: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
                return Err(at.error(format!("there is no column `{name}` (found: {})", found.join(", ")), REMEDY));
            }
            _ => {}
        }
    }
    Ok(())
}

/// An image's column: bytes and the name they had.
struct ImageColumn {
    name: &'static str,
    cells: StructArray,
    bytes: BinaryArray,
    paths: Option<StringArray>,
}

/// A batch's columns, in the types worked with.
struct Columns {
    idx: StringArray,
    question: StringArray,
    answer: StringArray,
    sub_task: Option<StringArray>,
    choices: ListArray,
    images: Vec<ImageColumn>,
}

impl Columns {
    fn of(batch: &RecordBatch, at: &At<'_>) -> Result<Self> {
        let into =
            |array: &ArrayRef, kind: &DataType| cast(array, kind).map_err(|e| at.error(format!("a column cannot be read: {e}"), REMEDY));
        let column = |name: &str| batch.column_by_name(name).ok_or_else(|| at.error(format!("there is no column `{name}`"), REMEDY));
        let text = |array: &ArrayRef| Ok::<_, Error>(into(array, &DataType::Utf8)?.as_string::<i32>().clone());
        let mut images = Vec::new();
        for name in IMAGES {
            let Some(cells) = batch.column_by_name(name).and_then(|array| array.as_struct_opt()) else { continue };
            let Some(bytes) = cells.column_by_name("bytes") else { continue };
            let paths = cells.column_by_name("path").map(text).transpose()?;
            let bytes = into(bytes, &DataType::Binary)?.as_binary::<i32>().clone();
            images.push(ImageColumn { name, cells: cells.clone(), bytes, paths });
        }
        let texts = DataType::List(Field::new("item", DataType::Utf8, true).into());
        Ok(Self {
            idx: text(column("idx")?)?,
            question: text(column("question")?)?,
            answer: text(column("answer")?)?,
            sub_task: batch.column_by_name("sub_task").map(text).transpose()?,
            choices: into(column("choices")?, &texts)?.as_list::<i32>().clone(),
            images,
        })
    }

    fn example(&self, index: usize, row: usize, task: Option<&str>, ids: &mut Ids, source: &Source<'_>, at: &At<'_>) -> Result<Example> {
        let cell = |array: &StringArray, name: &str| match array.is_null(index) {
            true => Err(at.error(format!("`{name}` is null"), "give every question all of its columns")),
            false => Ok(array.value(index).to_string()),
        };
        let id = cell(&self.idx, "idx")?;
        ids.add(&id, at)?;
        let question = cell(&self.question, "question")?;
        if question.trim().is_empty() {
            return Err(at.error("the question is empty", "give its text"));
        }
        let options = self.options(index, at)?;
        let label = gold_letter(&cell(&self.answer, "answer")?, at)?;
        check_label(&label, &options, at)?;
        let category = match (task, &self.sub_task) {
            (Some(task), _) => Some(task.to_string()),
            (None, Some(column)) if !column.is_null(index) => Some(column.value(index).to_string()),
            _ => None,
        };
        Ok(Example {
            images: self.images(index, &id, source, at)?,
            question_id: id.clone(),
            id,
            row,
            prompt: source.description.prompt.fill(&question, &prompt::option_lines(&options)),
            options,
            label,
            boxes: Vec::new(),
            category,
            pair: None,
            counterfactual: None,
        })
    }

    fn options(&self, index: usize, at: &At<'_>) -> Result<Vec<String>> {
        let remedy = "give two options or more, each with a text";
        if self.choices.is_null(index) {
            return Err(at.error("`choices` is null", remedy));
        }
        let cells = self.choices.value(index);
        let options: Vec<String> = cells.as_string::<i32>().iter().map(|text| text.unwrap_or_default().to_string()).collect();
        match options.iter().position(|option| option.trim().is_empty()) {
            Some(empty) => Err(at.error(format!("option {} is empty", prompt::letter(empty).unwrap_or('?')), remedy)),
            None if options.len() < 2 => Err(at.error(format!("there are {} options", options.len()), remedy)),
            None => Ok(options),
        }
    }

    /// The row's images as files, in order.
    fn images(&self, index: usize, id: &str, source: &Source<'_>, at: &At<'_>) -> Result<Vec<PathBuf>> {
        let mut images = Vec::new();
        let mut absent: Option<&str> = None;
        for column in &self.images {
            let path = column.paths.as_ref().filter(|paths| !paths.is_null(index)).map(|paths| paths.value(index));
            let bytes = (!column.bytes.is_null(index)).then(|| column.bytes.value(index));
            if column.cells.is_null(index) || (bytes.is_none() && path.is_none()) {
                absent = absent.or(Some(column.name));
                continue;
            }
            if let Some(absent) = absent {
                let cause = format!("`{}` is there and `{absent}` is not", column.name);
                return Err(at.error(cause, "fill the images from image_1 on: a question counts them"));
            }
            images.push(match (bytes, path) {
                (Some(bytes), _) => source.images.embedded(bytes, &format!("{id}/{}", column.name), at)?,
                (None, path) => {
                    let image = resolve(folder_of(at.path), path.unwrap_or_default(), at)?;
                    source.images.file(&image, at)?;
                    image
                }
            });
        }
        if images.is_empty() {
            return Err(at.error("there is no image", "give image_1 its bytes"));
        }
        Ok(images)
    }
}
