//! The tensors of `adapter_model.safetensors`, and what each is by its name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::Mmap;

use crate::checkpoint::files::values_of;
use crate::checkpoint::header::{Header, Stored};
use crate::tensor::{DType, Device, Tensor};
use crate::{Error, Result};

/// Its file.
pub const WEIGHTS: &str = "adapter_model.safetensors";

/// A tensor's part in an adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// First matrix of a pair, `[rank, in]`.
    First,
    /// Second matrix, `[out, rank]`.
    Second,
    /// What is added to the module's bias, before it is scaled.
    PairBias,
    /// First matrix of an embedding's pair, `[rank, rows]`.
    EmbeddingFirst,
    /// Second matrix of an embedding's pair, `[width, rank]`.
    EmbeddingSecond,
    /// Lengths of rows.
    Magnitude,
    /// Rows of an embedding, in place of the base's.
    Rows,
    /// A parameter in place of the base's.
    Whole,
    /// The same, of a module that has a pair: the base that the pair was trained on.
    Below,
}

/// What a stored name says: the module's name, the parameter's own, and its part. `None` for what an older peft kept
/// beside a module that is stored whole; a refusal for what is no adapter's.
pub(super) fn role(stored: &str) -> std::result::Result<Option<(String, String, Role)>, String> {
    let name = stored.strip_prefix("base_model.model.").unwrap_or(stored);
    let ends = |rest: &str, ends: &[&str]| ends.contains(&rest);
    let weight = ["", ".weight", ".default", ".default.weight"];
    let pairs = [
        (".lora_embedding_A", Role::EmbeddingFirst),
        (".lora_embedding_B", Role::EmbeddingSecond),
        (".lora_A", Role::First),
        (".lora_B", Role::Second),
        (".lora_magnitude_vector", Role::Magnitude),
        (".token_adapter.trainable_tokens_delta", Role::Rows),
    ];
    for (marker, role) in pairs {
        let Some((module, rest)) = name.split_once(marker) else { continue };
        return match rest {
            rest if ends(rest, &weight) => Ok(Some((module.to_owned(), "weight".into(), role))),
            ".bias" | ".default.bias" if role == Role::Second => Ok(Some((module.to_owned(), "bias".into(), Role::PairBias))),
            _ => Err(format!("{WEIGHTS}: `{stored}` is not named as peft names an adapter's tensors; save it with save_pretrained")),
        };
    }
    if name.contains(".original_module.") {
        return Ok(None);
    }
    let plain = name
        .replace(".token_adapter.base_layer.", ".base_layer.")
        .replace(".modules_to_save.default.", ".")
        .replace(".modules_to_save.", ".");
    let (plain, role) = match plain.contains(".base_layer.") {
        true => (plain.replace(".base_layer.", "."), Role::Below),
        false => (plain, Role::Whole),
    };
    match plain.rsplit_once('.') {
        Some((module, parameter)) => Ok(Some((module.to_owned(), parameter.to_owned(), role))),
        None => Ok(Some((String::new(), plain, role))),
    }
}

/// The file, mapped.
pub(super) struct StoredAdapter {
    path: PathBuf,
    map: Arc<Mmap>,
    /// By the name they are stored under.
    pub tensors: BTreeMap<String, Stored>,
}

impl StoredAdapter {
    /// Maps the file and reads its header; every reason why it cannot be used.
    pub fn open(folder: &Path) -> std::result::Result<Self, Vec<String>> {
        let path = folder.join(WEIGHTS);
        if !path.is_file() {
            let pickled = folder.join("adapter_model.bin").is_file();
            let instead = if pickled { ", only the pickled adapter_model.bin: save it with `safe_serialization=True`" } else { "" };
            return Err(vec![format!("{WEIGHTS}: is missing beside adapter_config.json{instead}")]);
        }
        let failed = |e: std::io::Error| vec![format!("{WEIGHTS}: cannot be read: {e}")];
        let file = std::fs::File::open(&path).map_err(failed)?;
        // SAFETY: as for the weights themselves (`Files`): read-only, private, and not guarded against another
        // process that rewrites the file meanwhile.
        let map = unsafe { Mmap::map(&file) }.map_err(failed)?;
        let header = Header::read(&map);
        match header.faults.is_empty() {
            true => Ok(Self { path, map: Arc::new(map), tensors: header.tensors }),
            false => Err(header.faults.into_iter().map(|fault| format!("{WEIGHTS}: {fault}")).collect()),
        }
    }

    /// Bytes of the file.
    pub fn bytes(&self) -> usize {
        self.map.len()
    }

    /// A tensor in single precision, by the name it is stored under.
    ///
    /// # Errors
    /// It is not there, or its numbers are no floats.
    pub fn tensor(&self, name: &str) -> Result<Tensor> {
        let stored = self.tensors.get(name);
        let stored = stored.ok_or_else(|| Error::content(&self.path, format!("`{name}` is not there"), "copy the adapter again"))?;
        values_of(&self.path, name, stored, &self.map, DType::F32, &Device::Cpu)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_module_and_part() {
        let told = |name: &str| role(name).unwrap().map(|(module, parameter, role)| (format!("{module}|{parameter}"), role));
        for (name, module, part) in [
            ("base_model.model.model.layers.0.q_proj.lora_A.weight", "model.layers.0.q_proj|weight", Role::First),
            ("model.layers.0.q_proj.lora_B.default.weight", "model.layers.0.q_proj|weight", Role::Second),
            ("base_model.model.a.lora_B.bias", "a|bias", Role::PairBias),
            ("base_model.model.e.lora_embedding_A", "e|weight", Role::EmbeddingFirst),
            ("base_model.model.e.lora_embedding_B.default", "e|weight", Role::EmbeddingSecond),
            ("base_model.model.a.lora_magnitude_vector", "a|weight", Role::Magnitude),
            ("base_model.model.a.lora_magnitude_vector.weight", "a|weight", Role::Magnitude),
            ("base_model.model.e.token_adapter.trainable_tokens_delta", "e|weight", Role::Rows),
            ("base_model.model.lm_head.weight", "lm_head|weight", Role::Whole),
            ("base_model.model.lm_head.modules_to_save.default.weight", "lm_head|weight", Role::Whole),
            ("base_model.model.lm_head.modules_to_save.weight", "lm_head|weight", Role::Whole),
            ("base_model.model.q.base_layer.bias", "q|bias", Role::Below),
        ] {
            assert_eq!(told(name), Some((module.to_owned(), part)), "{name}");
        }
        assert_eq!(told("base_model.model.lm_head.original_module.weight"), None);
        for name in ["a.lora_A.other.weight", "a.lora_A.bias", "a.lora_embedding_A.x"] {
            assert!(role(name).unwrap_err().contains(name), "{name}");
        }
    }
}
