//! A safetensors file of a run through the door: its header is bounded, and held against the length of the file, before a
//! tensor is read; tensors are read one at a time.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, Metadata, TensorInfo};

use super::Limit;
use crate::{Error, Result};

/// Numbers that are read at a time.
const PIECE: usize = 1 << 18;

/// Such a file, of which the header has been read.
#[derive(Debug)]
pub struct Tensors {
    /// Opened for every tensor: of a recording's parts there may be more than a process may hold open.
    path: PathBuf,
    header: Metadata,
    /// Where the tensors begin.
    data: u64,
    remedy: &'static str,
}

impl Tensors {
    /// Reads the header of the file at `path`; `remedy` says what to do about a damaged one.
    ///
    /// # Errors
    /// As [`super::open`], and [`Error::Content`] when the header is longer than the limits allow, says nothing of the kind,
    /// or the file is shorter or longer than it says.
    pub fn open(path: &Path, remedy: &'static str) -> Result<Self> {
        let unread = |e| Error::io("cannot read", path, e);
        let bad = |cause: String| Error::content(path, cause, remedy);
        let mut file = super::open(path)?;
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
        // Reading it checks that the tensors follow each other, and that each has the bytes of its shape.
        let header: Metadata = serde_json::from_slice(&header).map_err(|e| bad(format!("its header: {e}")))?;
        if data.checked_add(header.data_len() as u64) != Some(size) {
            return Err(bad("its tensors are cut off, or something stands after them".into()));
        }
        Ok(Self { path: path.to_path_buf(), header, data, remedy })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the header says.
    pub fn header(&self) -> &Metadata {
        &self.header
    }

    /// An error of the file's content, with its remedy.
    pub fn damaged(&self, cause: impl Into<String>) -> Error {
        Error::content(&self.path, cause, self.remedy)
    }

    /// The bytes of a tensor.
    ///
    /// # Errors
    /// [`Error::Io`] when they cannot be read.
    pub fn bytes(&self, info: &TensorInfo) -> Result<Vec<u8>> {
        let (from, to) = info.data_offsets;
        let mut bytes = vec![0; to.saturating_sub(from)];
        let mut file = super::open(&self.path)?;
        let read = file.seek(SeekFrom::Start(self.data + from as u64)).and_then(|_| file.read_exact(&mut bytes));
        read.map_err(|e| Error::io("cannot read", &self.path, e))?;
        Ok(bytes)
    }

    /// Reads the single-precision tensor `name`, which must have that shape, into its place.
    ///
    /// # Errors
    /// [`Error::Content`] when it is absent or another, [`Error::Io`] when it cannot be read.
    pub fn read_into(&self, name: &str, shape: &[usize], place: &mut [f32]) -> Result<()> {
        let info = self.header.info(name).ok_or_else(|| self.damaged(format!("`{name}` is absent")))?;
        if info.dtype != Dtype::F32 || info.shape != shape || info.shape.iter().product::<usize>() != place.len() {
            return Err(self.damaged(format!("`{name}` is {:?} {:?}, not F32 {shape:?}", info.dtype, info.shape)));
        }
        let unread = |e| Error::io("cannot read", &self.path, e);
        let mut file = super::open(&self.path)?;
        file.seek(SeekFrom::Start(self.data + info.data_offsets.0 as u64)).map_err(unread)?;
        let mut bytes = vec![0; PIECE.min(place.len()) * size_of::<f32>()];
        for piece in place.chunks_mut(PIECE) {
            let bytes = &mut bytes[..size_of_val(piece)];
            file.read_exact(bytes).map_err(unread)?;
            for (value, bytes) in piece.iter_mut().zip(bytes.chunks_exact(4)) {
                *value = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use safetensors::tensor::TensorView;

    use super::*;

    fn file(path: &Path, values: &[f32]) {
        let view = TensorView::new(Dtype::F32, vec![values.len()], bytemuck::cast_slice(values)).unwrap();
        std::fs::write(path, safetensors::serialize(BTreeMap::from([("x", view)]), None).unwrap()).unwrap();
    }

    fn read(path: &Path, many: usize) -> Result<Vec<f32>> {
        let mut place = vec![0.0; many];
        Tensors::open(path, "delete it")?.read_into("x", &[many], &mut place)?;
        Ok(place)
    }

    #[test]
    fn a_tensor_longer_than_a_piece_is_read_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.safetensors");
        let values: Vec<f32> = (0..PIECE + 7).map(|i| i as f32).collect();
        file(&path, &values);
        assert!(read(&path, values.len()).unwrap() == values);
        assert!(read(&path, 3).unwrap_err().to_string().contains("not F32 [3]; delete it"));
        assert!(Tensors::open(&path, "").unwrap().read_into("y", &[1], &mut [0.0]).unwrap_err().to_string().contains("`y` is absent"));
    }

    #[test]
    fn what_is_cut_off_or_lies_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.safetensors");
        file(&path, &[1.0, 2.0, 3.0]);
        let whole = std::fs::read(&path).unwrap();
        let told = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            Tensors::open(&path, "delete it").unwrap_err().to_string()
        };
        for (bytes, words) in [
            (&whole[..4], "shorter than any of its kind"),
            (&whole[..20], "its header is cut off"),
            (&whole[..whole.len() - 1], "its tensors are cut off"),
            (&[&whole[..], b"x"].concat(), "something stands after them"),
            (&[&u64::MAX.to_le_bytes()[..], b"{}"].concat(), "its header is cut off"),
            (&[&2u64.to_le_bytes()[..], b"[]"].concat(), "its header: "),
        ] {
            let told = told(bytes);
            assert!(told.contains("x.safetensors: ") && told.contains(words) && told.ends_with("; delete it"), "{told}");
        }
        let long = Limit::TensorHeader.value() + 1;
        let told = told(&[&long.to_le_bytes()[..], &vec![b' '; long as usize]].concat());
        assert!(told.contains("16 MiB of the header") && told.contains("--limits"), "{told}");
    }
}
