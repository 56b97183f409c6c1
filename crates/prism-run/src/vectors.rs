//! Vectors of the records: one safetensors file, per position a matrix
//! `NAME [rows, hidden]` (f32) and `NAME_rows [rows]` (i64, the example's row).

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

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
    let bytes = std::fs::read(path).map_err(|e| Error::io("cannot read", path, e))?;
    let remedy = "the file is damaged: delete the records folder and run the audit again";
    let file = SafeTensors::deserialize(&bytes).map_err(|e| Error::content(path, e.to_string(), remedy))?;
    let mut all = BTreeMap::new();
    for (name, view) in file.tensors() {
        let &[n, width] = view.shape() else { continue };
        // Without a width the file's size does not bound the number of rows.
        if n > 0 && width == 0 {
            return Err(Error::content(path, format!("`{name}` has shape [{n}, 0]"), remedy));
        }
        let values: Vec<f32> = match view.dtype() {
            Dtype::F32 => view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
            Dtype::F16 => view.data().chunks_exact(2).map(|b| half::f16::from_le_bytes([b[0], b[1]]).to_f32()).collect(),
            other => return Err(Error::content(path, format!("`{name}` is {other:?}"), "store vectors as F32 or F16")),
        };
        let rows = match file.tensor(&format!("{name}_rows")) {
            Ok(r) if r.dtype() == Dtype::I64 && r.shape() == [n] => {
                r.data().chunks_exact(8).map(|b| i64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]])).collect()
            }
            Ok(_) => return Err(Error::content(path, format!("`{name}_rows` is not [{n}] I64"), remedy)),
            Err(_) => (0..n as i64).collect(),
        };
        all.insert(name, Vectors { rows, width, values });
    }
    Ok(all)
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
}
