//! How the golden data is read.
#![allow(dead_code)]

#[path = "../../../../tests/golden.rs"]
mod reference;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The golden checkpoints that have a latent block.
pub const VARIANTS: [&str; 5] = ["lvr", "nlvr", "dlvr", "plvr2", "plvr3"];

/// A file of the golden data.
pub fn golden(name: &str) -> PathBuf {
    reference::golden().join(name)
}

/// A fixture of this repository's oracles; the tests of `prism-record` read them here too.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../prism-model/tests/fixtures").join(name)
}

/// A JSON file of the golden data.
pub fn json(name: &str) -> serde_json::Value {
    json_at(&golden(name))
}

/// A JSON file.
pub fn json_at(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))).unwrap()
}

/// Shape and values of every f32 tensor of a safetensors file of the golden data.
pub fn tensors(name: &str) -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    tensors_at(&golden(name))
}

/// Shape and values of every f32 tensor of a safetensors file.
pub fn tensors_at(path: &Path) -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let f32s = file.tensors().into_iter().filter(|(_, t)| t.dtype() == safetensors::Dtype::F32);
    f32s.map(|(name, t)| {
        let values = t.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
        (name, (t.shape().to_vec(), values))
    })
    .collect()
}
