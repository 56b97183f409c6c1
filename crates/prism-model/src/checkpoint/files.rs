//! The safetensors files of a checkpoint, mapped into memory.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::Mmap;
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;

use super::memory_name;
use crate::matrix::Narrow;
use crate::tensor::{DType, Device, Tensor};
use crate::{Error, Result};

struct Entry {
    file: usize,
    dtype: Dtype,
    shape: Vec<usize>,
    range: Range<usize>,
}

/// All tensors of a checkpoint by in-memory name.
pub struct Files {
    root: PathBuf,
    maps: Vec<Arc<Mmap>>,
    entries: BTreeMap<String, Entry>,
    /// What is wrong with the files themselves, one line each.
    pub problems: Vec<String>,
}

impl Files {
    /// Maps `model.safetensors`, or the shards named by `model.safetensors.index.json`.
    /// Damaged or absent shards are listed in [`Files::problems`], not returned as errors,
    /// so that everything wrong with a checkpoint can be told at once.
    ///
    /// # Errors
    /// The folder holds neither file, or the index is not JSON.
    pub fn open(dir: &Path) -> Result<Self> {
        let single = dir.join("model.safetensors");
        let index = dir.join("model.safetensors.index.json");
        let mut files = Self { root: dir.to_path_buf(), maps: Vec::new(), entries: BTreeMap::new(), problems: Vec::new() };
        if single.is_file() {
            files.add(&single)?;
        } else if index.is_file() {
            for (shard, expected) in read_index(&index)? {
                let path = dir.join(&shard);
                if !path.is_file() {
                    files.problems.push(format!("{shard}: missing ({} tensors)", expected.len()));
                    continue;
                }
                files.add(&path)?;
            }
        } else {
            let cause = "has neither model.safetensors nor model.safetensors.index.json";
            return Err(Error::content(dir, cause, "give a folder with a Hugging Face checkpoint"));
        }
        Ok(files)
    }

    fn add(&mut self, path: &Path) -> Result<()> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let file = std::fs::File::open(path).map_err(|e| Error::io("cannot read", path, e))?;
        // SAFETY: the map is read-only and private to this process; a checkpoint that another
        // process rewrites while it is being read is outside what a file format can guard against.
        let map = unsafe { Mmap::map(&file) }.map_err(|e| Error::io("cannot map", path, e))?;
        match SafeTensors::read_metadata(&map) {
            Err(safetensors::SafeTensorError::MetadataIncompleteBuffer) => {
                self.problems.push(format!("{name}: is cut off ({} bytes are not what its header announces)", map.len()));
            }
            Err(e) => self.problems.push(format!("{name}: is not a safetensors file ({e})")),
            Ok((header, metadata)) => {
                let base = header + 8;
                for (stored, info) in metadata.tensors() {
                    let range = base + info.data_offsets.0..base + info.data_offsets.1;
                    let entry = Entry { file: self.maps.len(), dtype: info.dtype, shape: info.shape.clone(), range };
                    if self.entries.insert(memory_name(&stored), entry).is_some() {
                        self.problems.push(format!("{stored}: stored twice"));
                    }
                }
                self.maps.push(Arc::new(map));
            }
        }
        Ok(())
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Names of all tensors, in-memory layout, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Shape of a tensor.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.entries.get(name).map(|e| e.shape.as_slice())
    }

    /// A tensor by in-memory name, converted to `dtype` on `device`; `None` when absent.
    ///
    /// # Errors
    /// The stored dtype is not a float, or the tensor library refuses.
    pub fn tensor(&self, name: &str, dtype: DType, device: &Device) -> Result<Option<Tensor>> {
        let Some(entry) = self.entries.get(name) else { return Ok(None) };
        let stored = match entry.dtype {
            Dtype::F32 => DType::F32,
            Dtype::BF16 => DType::BF16,
            Dtype::F16 => DType::F16,
            Dtype::F64 => DType::F64,
            other => {
                return Err(Error::content(&self.root, format!("`{name}` is stored as {other:?}"), "store weights as F32, BF16 or F16"));
            }
        };
        let bytes = self.maps.get(entry.file).and_then(|m| m.get(entry.range.clone()));
        let bytes =
            bytes.ok_or_else(|| Error::content(&self.root, format!("`{name}` lies outside its file"), "copy the checkpoint again"))?;
        Ok(Some(Tensor::from_raw_buffer(bytes, stored, &entry.shape, &Device::Cpu)?.to_dtype(dtype)?.to_device(device)?))
    }

    /// A matrix stored in bfloat16, left where it lies; `None` when it is absent, of
    /// another dtype, or not a matrix a reader can use in place.
    pub fn narrow(&self, name: &str) -> Option<Narrow> {
        let entry = self.entries.get(name)?;
        let &[output, input] = entry.shape.as_slice() else { return None };
        let map = self.maps.get(entry.file).filter(|_| entry.dtype == Dtype::BF16)?;
        Narrow::mapped(map, entry.range.clone(), output, input)
    }
}

fn read_index(path: &Path) -> Result<BTreeMap<String, Vec<String>>> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let bytes = std::fs::read(path).map_err(|e| Error::io("cannot read", path, e))?;
    let index: Index = serde_json::from_slice(&bytes)
        .map_err(|e| Error::content(path, format!("is not an index of shards: {e}"), "copy the checkpoint again"))?;
    let mut shards: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (tensor, shard) in index.weight_map {
        if shard.contains(['/', '\\']) || shard.starts_with('.') {
            return Err(Error::content(path, format!("names a shard `{shard}` outside its folder"), "copy the checkpoint again"));
        }
        shards.entry(shard).or_default().push(tensor);
    }
    Ok(shards)
}
