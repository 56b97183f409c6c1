//! Vectors of the records: one safetensors file, per position a matrix
//! `NAME [rows, hidden]` (f32) and `NAME_rows [rows]` (i64, the example's row).

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, TensorInfo, TensorView, View};

use crate::door::Limit;
use crate::door::tensors::Tensors;
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

/// A file of which matrices are read one at a time.
struct Open(Tensors);

impl Open {
    fn at(path: &Path) -> Result<Self> {
        Tensors::open(path, REMEDY).map(Self)
    }

    /// Rows and width of every matrix.
    fn matrices(&self) -> Result<BTreeMap<String, (usize, usize)>> {
        let mut all = BTreeMap::new();
        for (name, info) in self.0.header().tensors() {
            let &[n, width] = info.shape.as_slice() else { continue };
            // Without a width the file's size does not bound the number of rows.
            if n > 0 && width == 0 {
                return Err(self.0.damaged(format!("`{name}` has shape [{n}, 0]")));
            }
            few(n, self.0.path())?;
            all.insert(name, (n, width));
        }
        Ok(all)
    }

    /// Rows and width of the matrix of that name, and where it lies.
    fn matrix(&self, name: &str) -> Result<(usize, usize, &TensorInfo)> {
        let absent = || self.0.damaged(format!("`{name}` is no matrix"));
        let info = self.0.header().info(name).ok_or_else(absent)?;
        let &[n, width] = info.shape.as_slice() else { return Err(absent()) };
        Ok((n, width, info))
    }

    fn vectors(&self, name: &str) -> Result<Vectors> {
        let (n, width, info) = self.matrix(name)?;
        let values = match info.dtype {
            Dtype::F32 => self.0.bytes(info)?.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
            Dtype::F16 => self.0.bytes(info)?.chunks_exact(2).map(|b| half::f16::from_le_bytes([b[0], b[1]]).to_f32()).collect(),
            other => return Err(Error::content(self.0.path(), format!("`{name}` is {other:?}"), "store vectors as F32 or F16")),
        };
        Ok(Vectors { rows: self.rows(name, n)?, width, values })
    }

    fn rows(&self, name: &str, n: usize) -> Result<Vec<i64>> {
        match self.0.header().info(&format!("{name}_rows")) {
            Some(info) if info.dtype == Dtype::I64 && info.shape == [n] => {
                let bytes = self.0.bytes(info)?;
                Ok(bytes.chunks_exact(8).map(|b| i64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]])).collect())
            }
            Some(_) => Err(self.0.damaged(format!("`{name}_rows` is not [{n}] I64"))),
            None => Ok((0..n as i64).collect()),
        }
    }
}

/// Refuses more vectors of one name than a run can have.
fn few(n: usize, path: &Path) -> Result<()> {
    if n > Limit::VectorRows.size() { Err(Limit::VectorRows.exceeded(path)) } else { Ok(()) }
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
                return Err(file.0.damaged(format!("`{name}` is {width} wide, and {known} elsewhere")));
            }
            *rows += n;
            few(*rows, file.0.path())?;
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
    /// The matrix, or its rows: filled in from one file after the other.
    fn gather(&self) -> Result<Vec<u8>> {
        let holders: Vec<&Open> = self.files.iter().filter(|file| file.0.header().info(&self.name).is_some()).collect();
        let mut order: Vec<(i64, usize, usize)> = Vec::new();
        let mut places: Vec<Vec<usize>> = Vec::new();
        for (part, file) in holders.iter().enumerate() {
            let rows = file.rows(&self.name, file.matrix(&self.name)?.0)?;
            places.push(vec![0; rows.len()]);
            order.extend(rows.into_iter().enumerate().map(|(i, row)| (row, part, i)));
        }
        order.sort_by_key(|(row, ..)| *row);
        if self.is_rows {
            return Ok(order.iter().flat_map(|(row, ..)| row.to_le_bytes()).collect());
        }
        order.iter().enumerate().for_each(|(at, (_, part, i))| places[*part][*i] = at);
        drop(order);
        let mut bytes = vec![0; self.data_len()];
        for (file, places) in holders.iter().zip(&places) {
            let vectors = file.vectors(&self.name)?;
            let width = vectors.width * size_of::<f32>();
            for (i, at) in places.iter().enumerate() {
                bytes[at * width..][..width].copy_from_slice(bytemuck::cast_slice(vectors.vector(i)));
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
    fn vectors_without_number_are_refused_by_one_file_and_by_all() {
        let dir = tempfile::tempdir().unwrap();
        let most = Limit::VectorRows.size();
        let file = |name: &str, n: usize| {
            let path = dir.path().join(name);
            let values = vec![0; 2 * n];
            let view = TensorView::new(Dtype::F16, vec![n, 1], &values).unwrap();
            std::fs::write(&path, safetensors::serialize([("x", view)], None).unwrap()).unwrap();
            path
        };
        let told = |result: Result<()>| result.unwrap_err().to_string();
        assert!(told(read(&file("one", most + 1)).map(|_| ())).contains("vectors of one name"));
        let parts = [file("half", most / 2 + 1), file("other half", most / 2)];
        assert!(read(&parts[0]).is_ok());
        assert!(told(merge(&parts, &dir.path().join("merged"))).contains("vectors of one name"));
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
