//! Vectors of the records: one safetensors file, per position a matrix
//! `NAME [rows, hidden]` (f32) and `NAME_rows [rows]` (i64, the example's row).

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, Metadata, TensorInfo, TensorView, View};

use crate::door::{self, Limit};
use crate::{Error, Result, folder};

/// Rows of one position: which examples, and their vectors.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Vectors {
    /// Row of the example in its benchmark, one per vector.
    pub rows: Vec<i64>,
    /// Width of every vector.
    pub width: usize,
    /// `rows.len() * width` values, row-major.
    pub values: Vec<f32>,
}

impl Vectors {
    /// Appends one vector.
    pub fn push(&mut self, row: i64, vector: &[f32]) {
        debug_assert!(self.rows.is_empty() || self.width == vector.len());
        self.width = vector.len();
        self.rows.push(row);
        self.values.extend_from_slice(vector);
    }

    /// The `i`-th vector.
    pub fn vector(&self, i: usize) -> &[f32] {
        &self.values[i * self.width..(i + 1) * self.width]
    }
}

/// Writes named vectors, atomically.
///
/// # Errors
/// [`Error::Io`] when the file cannot be written.
pub fn write(path: &Path, all: &BTreeMap<String, Vectors>) -> Result<()> {
    let mut views: Vec<(String, TensorView<'_>)> = Vec::new();
    for (name, v) in all {
        let bad = |e: safetensors::SafeTensorError| Error::content(path, e.to_string(), "report this as a bug");
        let values = bytemuck::cast_slice(&v.values);
        views.push((name.clone(), TensorView::new(Dtype::F32, vec![v.rows.len(), v.width], values).map_err(bad)?));
        let rows = bytemuck::cast_slice(&v.rows);
        views.push((format!("{name}_rows"), TensorView::new(Dtype::I64, vec![v.rows.len()], rows).map_err(bad)?));
    }
    let bytes = safetensors::serialize(views, None).map_err(|e| Error::content(path, e.to_string(), "report this as a bug"))?;
    folder::write_atomic(path, &bytes)
}

/// Reads every named matrix and its rows (f32 or f16; a missing `_rows` means 0..n).
///
/// # Errors
/// [`Error::Io`] or [`Error::Content`] when the file is absent or malformed.
pub fn read(path: &Path) -> Result<BTreeMap<String, Vectors>> {
    read_named(path, |_| true)
}

/// Reads the matrices whose names are wanted; the others stay on the disk.
///
/// # Errors
/// As [`read`].
pub fn read_named(path: &Path, wanted: impl Fn(&str) -> bool) -> Result<BTreeMap<String, Vectors>> {
    let file = Open::at(path)?;
    let mut all = BTreeMap::new();
    for name in file.matrices()?.into_keys().filter(|name| wanted(name)) {
        let vectors = file.vectors(&name)?;
        all.insert(name, vectors);
    }
    Ok(all)
}

const REMEDY: &str = "the file is damaged: delete the records folder and run the audit again";

/// A file of which tensors are read one at a time.
struct Open {
    /// Opened for every tensor: of a recording's parts there may be more than a process may hold open.
    path: PathBuf,
    header: Metadata,
    /// Where the tensors begin.
    data: u64,
}

impl Open {
    fn at(path: &Path) -> Result<Self> {
        let unread = |e| Error::io("cannot read", path, e);
        let bad = |cause: String| Error::content(path, cause, REMEDY);
        let mut file = door::open(path)?;
        let size = file.metadata().map_err(unread)?.len();
        let mut length = [0; 8];
        file.read_exact(&mut length).map_err(|_| bad("is shorter than any of its kind".into()))?;
        let length = u64::from_le_bytes(length);
        let data = length.checked_add(8).filter(|data| *data <= size).ok_or_else(|| bad("its header is cut off".into()))?;
        if length > Limit::TensorHeader.value() {
            return Err(Limit::TensorHeader.exceeded(path));
        }
        let mut header = vec![0; length as usize];
        file.read_exact(&mut header).map_err(unread)?;
        let header: Metadata = serde_json::from_slice(&header).map_err(|e| bad(format!("its header: {e}")))?;
        if data.checked_add(header.data_len() as u64) != Some(size) {
            return Err(bad("its tensors are cut off, or something stands after them".into()));
        }
        Ok(Self { path: path.to_path_buf(), header, data })
    }

    /// Rows and width of every matrix.
    fn matrices(&self) -> Result<BTreeMap<String, (usize, usize)>> {
        let mut all = BTreeMap::new();
        for (name, info) in self.header.tensors() {
            let &[n, width] = info.shape.as_slice() else { continue };
            // Without a width the file's size does not bound the number of rows.
            if n > 0 && width == 0 {
                return Err(Error::content(&self.path, format!("`{name}` has shape [{n}, 0]"), REMEDY));
            }
            all.insert(name, (n, width));
        }
        Ok(all)
    }

    fn bytes(&self, info: &TensorInfo) -> Result<Vec<u8>> {
        let (from, to) = info.data_offsets;
        let mut bytes = vec![0; to.saturating_sub(from)];
        let mut file = door::open(&self.path)?;
        let read = file.seek(SeekFrom::Start(self.data + from as u64)).and_then(|_| file.read_exact(&mut bytes));
        read.map_err(|e| Error::io("cannot read", &self.path, e))?;
        Ok(bytes)
    }

    fn vectors(&self, name: &str) -> Result<Vectors> {
        let absent = || Error::content(&self.path, format!("`{name}` is no matrix"), REMEDY);
        let info = self.header.info(name).ok_or_else(absent)?;
        let &[n, width] = info.shape.as_slice() else { return Err(absent()) };
        let values = match info.dtype {
            Dtype::F32 => self.bytes(info)?.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
            Dtype::F16 => self.bytes(info)?.chunks_exact(2).map(|b| half::f16::from_le_bytes([b[0], b[1]]).to_f32()).collect(),
            other => return Err(Error::content(&self.path, format!("`{name}` is {other:?}"), "store vectors as F32 or F16")),
        };
        Ok(Vectors { rows: self.rows(name, n)?, width, values })
    }

    fn rows(&self, name: &str, n: usize) -> Result<Vec<i64>> {
        match self.header.info(&format!("{name}_rows")) {
            Some(info) if info.dtype == Dtype::I64 && info.shape == [n] => {
                let bytes = self.bytes(info)?;
                Ok(bytes.chunks_exact(8).map(|b| i64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]])).collect())
            }
            Some(_) => Err(Error::content(&self.path, format!("`{name}_rows` is not [{n}] I64"), REMEDY)),
            None => Ok((0..n as i64).collect()),
        }
    }
}

/// Puts the files at `paths` together at `to`, every matrix sorted by row, one matrix in
/// memory at a time. The bytes are those of [`write`]; the file is not atomic, so it belongs
/// into a folder that appears when it is whole.
///
/// # Errors
/// When a file is absent or malformed, matrices of one name have different widths, or `to`
/// cannot be written.
pub fn merge(paths: &[PathBuf], to: &Path) -> Result<()> {
    let files = paths.iter().map(|path| Open::at(path)).collect::<Result<Vec<_>>>()?;
    let mut shapes: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for file in &files {
        for (name, (n, width)) in file.matrices()? {
            let (rows, known) = shapes.entry(name.clone()).or_insert((0, width));
            if *known != width {
                return Err(Error::content(&file.path, format!("`{name}` is {width} wide, and {known} elsewhere"), REMEDY));
            }
            *rows += n;
        }
    }
    let failure = RefCell::new(None);
    let merged = |name: &str, (n, width): (usize, usize), is_rows| Merged {
        files: &files,
        name: name.to_string(),
        shape: if is_rows { vec![n] } else { vec![n, width] },
        is_rows,
        failure: &failure,
    };
    let both = |(name, shape): (&String, &(usize, usize))| {
        [(name.clone(), merged(name, *shape, false)), (format!("{name}_rows"), merged(name, *shape, true))]
    };
    let written = safetensors::serialize_to_file(shapes.iter().flat_map(both), None, to);
    match failure.take() {
        Some(error) => return Err(error),
        None => written.map_err(|e| Error::unsaved(to, e))?,
    }
    folder::usual_permissions(to)
}

/// One matrix of several files, or its rows, made when it is written.
struct Merged<'f> {
    files: &'f [Open],
    name: String,
    shape: Vec<usize>,
    is_rows: bool,
    /// The first error, for which the writer has no place.
    failure: &'f RefCell<Option<Error>>,
}

impl Merged<'_> {
    fn gather(&self) -> Result<Vec<u8>> {
        let holders = self.files.iter().filter(|file| file.header.info(&self.name).is_some());
        let parts = holders.map(|file| file.vectors(&self.name)).collect::<Result<Vec<_>>>()?;
        let places =
            parts.iter().enumerate().flat_map(|(part, vectors)| vectors.rows.iter().enumerate().map(move |(i, row)| (*row, part, i)));
        let mut order: Vec<(i64, usize, usize)> = places.collect();
        order.sort_by_key(|(row, ..)| *row);
        let mut bytes = Vec::with_capacity(self.data_len());
        for (row, part, i) in order {
            match self.is_rows {
                true => bytes.extend_from_slice(&row.to_le_bytes()),
                false => bytes.extend_from_slice(bytemuck::cast_slice(parts[part].vector(i))),
            }
        }
        Ok(bytes)
    }
}

impl View for Merged<'_> {
    fn dtype(&self) -> Dtype {
        if self.is_rows { Dtype::I64 } else { Dtype::F32 }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let bytes = self.gather().unwrap_or_else(|error| {
            self.failure.borrow_mut().get_or_insert(error);
            vec![0; self.data_len()]
        });
        Cow::Owned(bytes)
    }

    fn data_len(&self) -> usize {
        self.shape.iter().product::<usize>() * if self.is_rows { 8 } else { 4 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_without_width_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("v.safetensors");
        let view = TensorView::new(Dtype::F32, vec![1 << 40, 0], &[]).unwrap();
        std::fs::write(&path, safetensors::serialize([("x", view)], None).unwrap()).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("`x`"));
    }

    #[test]
    fn merged_files_are_the_bytes_of_one() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let of = |rows: &[i64], wide: bool| {
            let mut vectors = Vectors::default();
            let width = if wide { 3 } else { 1 };
            rows.iter().for_each(|row| vectors.push(*row, &[*row as f32, 0.5, -1.0][..width]));
            vectors
        };
        let file = |name: &str, a: &[i64], b: &[i64]| {
            let all = [("a", of(a, false)), ("b", of(b, true))].map(|(name, vectors)| (name.to_string(), vectors));
            write(&at(name), &all.into_iter().filter(|(_, vectors)| !vectors.rows.is_empty()).collect()).unwrap();
        };
        file("one", &[4, 9], &[4]);
        file("two", &[1, 7], &[]);
        file("three", &[5], &[5, 6]);
        file("all", &[1, 4, 5, 7, 9], &[4, 5, 6]);
        merge(&["one", "two", "three"].map(at), &at("merged")).unwrap();
        assert!(std::fs::read(at("merged")).unwrap() == std::fs::read(at("all")).unwrap());
        assert_eq!(read_named(&at("merged"), |name| name == "b").unwrap().into_keys().collect::<Vec<_>>(), ["b"]);
        write(&at("narrow"), &BTreeMap::from([("b".to_string(), of(&[3], false))])).unwrap();
        assert!(merge(&["one", "narrow"].map(at), &at("merged")).unwrap_err().to_string().contains("`b`"));
    }
}
