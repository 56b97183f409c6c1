//! The safetensors files of a checkpoint, mapped into memory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::Mmap;

use super::header::{Header, Stored};
use super::memory_name;
use crate::matrix::Narrow;
use crate::tensor::{DType, Device, Tensor};
use crate::{Error, Result};

/// One file.
pub const SINGLE: &str = "model.safetensors";
/// Which shard holds which tensor.
pub const INDEX: &str = "model.safetensors.index.json";

struct Entry {
    /// Which of the maps.
    map: usize,
    stored: Stored,
}

/// All tensors of a checkpoint by in-memory name.
pub struct Files {
    root: PathBuf,
    maps: Vec<Arc<Mmap>>,
    entries: BTreeMap<String, Entry>,
    /// Tensors that an index expects in shards that are not there, by in-memory name.
    absent: BTreeSet<String>,
    /// What is wrong with the files themselves, one line each.
    pub problems: Vec<String>,
}

impl Files {
    /// Maps `model.safetensors`, or the shards named by `model.safetensors.index.json`, and
    /// reads their headers, no weights. What is wrong is listed in [`Files::problems`], not
    /// returned as errors, so that everything can be told at once.
    ///
    /// # Errors
    /// A file is there and cannot be opened.
    pub fn open(dir: &Path) -> Result<Self> {
        let (single, index) = (dir.join(SINGLE), dir.join(INDEX));
        let mut files =
            Self { root: dir.to_path_buf(), maps: Vec::new(), entries: BTreeMap::new(), absent: BTreeSet::new(), problems: Vec::new() };
        if single.is_file() {
            files.add(&single)?;
        } else if index.is_file() {
            match read_index(&index) {
                Ok(shards) => files.add_shards(shards)?,
                Err(problem) => files.problems.push(format!("{INDEX}: {problem}")),
            }
        } else {
            let pickled = dir.join("pytorch_model.bin").is_file() || dir.join("pytorch_model.bin.index.json").is_file();
            let instead = if pickled { ", only pickled weights: save it with `safe_serialization=True`" } else { "" };
            files.problems.push(format!("the folder has neither {SINGLE} nor {INDEX}{instead}"));
        }
        Ok(files)
    }

    fn add_shards(&mut self, shards: BTreeMap<String, Vec<String>>) -> Result<()> {
        for (shard, expected) in shards {
            let path = self.root.join(&shard);
            if !path.is_file() {
                self.problems.push(format!("{shard}: missing; {INDEX} places {} tensors in it", expected.len()));
                self.absent.extend(expected.iter().map(|name| memory_name(name)));
                continue;
            }
            let Some(stored) = self.add(&path)? else {
                self.absent.extend(expected.iter().map(|name| memory_name(name)));
                continue;
            };
            for name in expected.iter().filter(|name| !stored.contains(*name)) {
                self.problems.push(format!("{name}: {INDEX} places it in {shard}, which does not hold it"));
                self.absent.insert(memory_name(name));
            }
            for name in stored.iter().filter(|name| !expected.contains(name)) {
                self.problems.push(format!("{name}: stored in {shard}, where {INDEX} does not place it"));
            }
        }
        Ok(())
    }

    /// Adds a file; the names it stores, or `None` when its header says nothing.
    fn add(&mut self, path: &Path) -> Result<Option<BTreeSet<String>>> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let file = std::fs::File::open(path).map_err(|e| Error::io("cannot read", path, e))?;
        // SAFETY: the map is read-only and private to this process; a checkpoint that another
        // process rewrites while it is being read is outside what a file format can guard against.
        let map = unsafe { Mmap::map(&file) }.map_err(|e| Error::io("cannot map", path, e))?;
        let header = Header::read(&map);
        let readable = !header.tensors.is_empty() || header.faults.is_empty();
        self.problems.extend(header.faults.into_iter().map(|fault| format!("{name}: {fault}")));
        let mut names = BTreeSet::new();
        for (stored_under, stored) in header.tensors {
            if self.entries.insert(memory_name(&stored_under), Entry { map: self.maps.len(), stored }).is_some() {
                self.problems.push(format!("{stored_under}: stored twice"));
            }
            names.insert(stored_under);
        }
        self.maps.push(Arc::new(map));
        Ok(readable.then_some(names))
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether no file could be read at all: nothing can be said of single tensors.
    pub fn is_blank(&self) -> bool {
        self.entries.is_empty() && !self.problems.is_empty()
    }

    /// Bytes of all mapped files.
    pub fn bytes(&self) -> usize {
        self.maps.iter().map(|map| map.len()).sum()
    }

    /// Names of all tensors, in-memory layout, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Shape of a tensor.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.entries.get(name).map(|e| e.stored.shape.as_slice())
    }

    /// Dtype of a tensor, as written in its file.
    pub fn dtype(&self, name: &str) -> Option<&str> {
        self.entries.get(name).map(|e| e.stored.dtype.as_str())
    }

    /// Whether the tensor should be in a shard that is not there: told once, of the shard.
    pub fn is_in_absent_shard(&self, name: &str) -> bool {
        self.absent.contains(name)
    }

    /// A tensor by in-memory name, converted to `dtype` on `device`; `None` when absent.
    ///
    /// # Errors
    /// The stored dtype is not a float, the bytes are not those of the shape, or the tensor
    /// library refuses.
    pub fn tensor(&self, name: &str, dtype: DType, device: &Device) -> Result<Option<Tensor>> {
        let Some(Entry { map, stored }) = self.entries.get(name) else { return Ok(None) };
        let Some(stored_as) = float(&stored.dtype) else {
            return Err(Error::content(&self.root, format!("`{name}` is stored as {}", stored.dtype), FLOATS));
        };
        let bytes = self.maps.get(*map).and_then(|m| m.get(stored.range.clone()));
        let bytes =
            bytes.ok_or_else(|| Error::content(&self.root, format!("`{name}` lies outside its file"), "copy the checkpoint again"))?;
        // The tensor library copies as many bytes as there are into room for as many as the shape says.
        let needed = stored.shape.iter().try_fold(stored_as.size_in_bytes(), |all, side| all.checked_mul(*side));
        if needed != Some(bytes.len()) {
            let cause = format!("`{name}` has {} bytes for the shape {:?} of {}", bytes.len(), stored.shape, stored.dtype);
            return Err(Error::content(&self.root, cause, "copy the checkpoint again"));
        }
        Ok(Some(Tensor::from_raw_buffer(bytes, stored_as, &stored.shape, &Device::Cpu)?.to_dtype(dtype)?.to_device(device)?))
    }

    /// A matrix stored in bfloat16, left where it lies; `None` when it is absent, of
    /// another dtype, or not a matrix a reader can use in place.
    pub fn narrow(&self, name: &str) -> Option<Narrow> {
        let Entry { map, stored } = self.entries.get(name)?;
        let &[output, input] = stored.shape.as_slice() else { return None };
        let map = self.maps.get(*map).filter(|_| stored.dtype == "BF16")?;
        Narrow::mapped(map, stored.range.clone(), output, input)
    }
}

/// What can be done about weights of another dtype.
pub const FLOATS: &str = "store weights as F32, BF16 or F16";

/// The dtype of weights that can be read.
pub fn float(dtype: &str) -> Option<DType> {
    match dtype {
        "F32" => Some(DType::F32),
        "BF16" => Some(DType::BF16),
        "F16" => Some(DType::F16),
        "F64" => Some(DType::F64),
        _ => None,
    }
}

/// The tensors of each shard that an index names.
fn read_index(path: &Path) -> std::result::Result<BTreeMap<String, Vec<String>>, String> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let bytes = prism_run::door::read_linked(path, prism_run::door::Limit::Settings).map_err(|e| format!("cannot be read: {e}"))?;
    let index: Index = serde_json::from_slice(&bytes).map_err(|e| format!("is not an index of shards: {e}"))?;
    let mut shards: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (tensor, shard) in index.weight_map {
        if shard.contains(['/', '\\']) || shard.starts_with('.') || shard.is_empty() {
            return Err(format!("names a shard `{shard}` outside its folder"));
        }
        shards.entry(shard).or_default().push(tensor);
    }
    if shards.is_empty() {
        return Err("names no shard".into());
    }
    Ok(shards)
}
