//! The safetensors files of a checkpoint, mapped into memory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::Mmap;

use super::adapter::{self, Adapter, INPUT, OUTPUT};
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
    /// An adapter that lies beside the weights.
    adapter: Option<Adapter>,
    /// What is wrong with the files themselves, one line each.
    pub problems: Vec<String>,
    /// What stops nothing and should be known, one line each.
    pub notes: Vec<String>,
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
        let mut files = Self {
            root: dir.to_path_buf(),
            maps: Vec::new(),
            entries: BTreeMap::new(),
            absent: BTreeSet::new(),
            adapter: None,
            problems: Vec::new(),
            notes: Vec::new(),
        };
        if single.is_file() {
            files.add(&single)?;
        } else if index.is_file() {
            match read_index(&index) {
                Ok(shards) => files.add_shards(shards)?,
                Err(problem) => files.problems.push(format!("{INDEX}: {problem}")),
            }
        } else if adapter::is_in(dir) {
            files
                .problems
                .push(format!("the folder holds an adapter without its base: neither {SINGLE} nor {INDEX}; name the base with --base"));
        } else {
            let pickled = dir.join("pytorch_model.bin").is_file() || dir.join("pytorch_model.bin.index.json").is_file();
            let instead = if pickled { ", only pickled weights: save it with `safe_serialization=True`" } else { "" };
            files.problems.push(format!("the folder has neither {SINGLE} nor {INDEX}{instead}"));
        }
        if adapter::is_in(dir) && !files.is_blank() {
            files.add_adapter();
        }
        Ok(files)
    }

    /// Looks at the adapter beside the weights, and merges it as they are read.
    fn add_adapter(&mut self) {
        let opened = {
            let names: Vec<&str> = self.entries.keys().map(String::as_str).collect();
            let shape = |name: &str| self.entry(name).map(|entry| entry.stored.shape.clone());
            Adapter::open(&self.root, &names, self.is_head_apart(), &shape)
        };
        match opened {
            Ok(adapter) => {
                self.notes.extend(adapter.notes.iter().cloned());
                self.adapter = Some(adapter);
            }
            Err(faults) => self.problems.extend(faults),
        }
    }

    /// The adapter that is merged, if there is one.
    pub fn adapter(&self) -> Option<&Adapter> {
        self.adapter.as_ref()
    }

    /// Whether an output matrix is stored that is not the input matrix; only what lies in the files counts.
    pub fn is_head_apart(&self) -> bool {
        let values = |name: &str| {
            let Entry { map, stored } = self.entries.get(name)?;
            Some((&stored.dtype, &stored.shape, self.maps.get(*map)?.get(stored.range.clone())?))
        };
        self.entries.contains_key(OUTPUT) && values(OUTPUT) != values(INPUT)
    }

    /// Whether a tensor's bytes are those that other files store under the name; what an adapter does to it apart.
    pub(super) fn is_stored_alike(&self, name: &str, other: &Self) -> bool {
        let values = |files: &Self| -> Option<(Stored, Vec<u8>)> {
            let Entry { map, stored } = files.entries.get(name)?;
            let bytes = files.maps.get(*map)?.get(stored.range.clone())?;
            // A million bytes tell two trainings apart.
            Some((Stored { range: 0..0, ..stored.clone() }, bytes.get(..bytes.len().min(1 << 20))?.to_vec()))
        };
        values(self) == values(other)
    }

    /// A tensor of the base; an output matrix that is not stored is the input matrix.
    fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name).or_else(|| if name == OUTPUT { self.entries.get(INPUT) } else { None })
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
        self.maps.iter().map(|map| map.len()).sum::<usize>() + self.adapter.as_ref().map_or(0, Adapter::bytes)
    }

    /// Names of all tensors, in-memory layout, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let more = self.adapter.iter().flat_map(Adapter::changed);
        let all: BTreeSet<&str> = self.entries.keys().map(String::as_str).chain(more).collect();
        all.into_iter()
    }

    /// Shape of a tensor.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        let whole = self.adapter.as_ref().and_then(|adapter| adapter.whole(name)).map(|(shape, _)| shape);
        whole.or_else(|| self.of_base(name).map(|entry| entry.stored.shape.as_slice()))
    }

    /// Dtype of a tensor, as written in its file.
    pub fn dtype(&self, name: &str) -> Option<&str> {
        let whole = self.adapter.as_ref().and_then(|adapter| adapter.whole(name)).map(|(_, dtype)| dtype);
        whole.or_else(|| self.of_base(name).map(|entry| entry.stored.dtype.as_str()))
    }

    /// What the base holds under a name: an output matrix that an adapter sets apart begins as the input matrix.
    fn of_base(&self, name: &str) -> Option<&Entry> {
        let apart = name == OUTPUT && self.adapter.as_ref().is_some_and(Adapter::sets_apart);
        self.entries.get(if apart { INPUT } else { name })
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
        if let Some(adapter) = self.adapter.as_ref().filter(|adapter| adapter.changes(name)) {
            let base = match adapter.whole(name) {
                Some(_) => None,
                None => self.of_files(name, DType::F32, &Device::Cpu)?,
            };
            return Ok(Some(adapter.merged(name, base)?.to_dtype(dtype)?.to_device(device)?));
        }
        self.of_files(name, dtype, device)
    }

    fn of_files(&self, name: &str, dtype: DType, device: &Device) -> Result<Option<Tensor>> {
        let Some(Entry { map, stored }) = self.of_base(name) else { return Ok(None) };
        let gone = || Error::content(&self.root, format!("`{name}` lies outside its file"), "copy the checkpoint again");
        values_of(&self.root, name, stored, self.maps.get(*map).ok_or_else(gone)?, dtype, device).map(Some)
    }

    /// A matrix stored in bfloat16, left where it lies; `None` when it is absent, of
    /// another dtype, or not a matrix a reader can use in place.
    pub fn narrow(&self, name: &str) -> Option<Narrow> {
        if self.adapter.as_ref().is_some_and(|adapter| adapter.changes(name)) {
            return None;
        }
        let Entry { map, stored } = self.of_base(name)?;
        let &[output, input] = stored.shape.as_slice() else { return None };
        let map = self.maps.get(*map).filter(|_| stored.dtype == "BF16")?;
        Narrow::mapped(map, stored.range.clone(), output, input)
    }
}

/// A tensor's numbers, of the file that is mapped.
///
/// # Errors
/// The stored dtype is not a float, the bytes are not those of the shape, or the tensor library refuses.
pub(super) fn values_of(path: &Path, name: &str, stored: &Stored, map: &Mmap, dtype: DType, device: &Device) -> Result<Tensor> {
    let again = "copy the checkpoint again";
    let Some(stored_as) = float(&stored.dtype) else {
        return Err(Error::content(path, format!("`{name}` is stored as {}", stored.dtype), FLOATS));
    };
    let bytes = map.get(stored.range.clone()).ok_or_else(|| Error::content(path, format!("`{name}` lies outside its file"), again))?;
    // The tensor library copies as many bytes as there are into room for as many as the shape says.
    let needed = stored.shape.iter().try_fold(stored_as.size_in_bytes(), |all, side| all.checked_mul(*side));
    if needed != Some(bytes.len()) {
        let cause = format!("`{name}` has {} bytes for the shape {:?} of {}", bytes.len(), stored.shape, stored.dtype);
        return Err(Error::content(path, cause, again));
    }
    Ok(Tensor::from_raw_buffer(bytes, stored_as, &stored.shape, &Device::Cpu)?.to_dtype(dtype)?.to_device(device)?)
}

/// What can be done about weights of another dtype.
pub const FLOATS: &str = "store weights as F32, BF16 or F16 (whole numbers and F8 are quantised weights: dequantise them first)";

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
