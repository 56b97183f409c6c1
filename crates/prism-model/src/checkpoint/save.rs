//! Writing the weights of a checkpoint.

use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};

use super::stored_name;
use crate::config::Config;
use crate::families::Names;
use crate::tensor::{DType, Device, Tensor};
use crate::{Error, Result};

/// Writes `model.safetensors` into `dir` under the family's `names`, atomically.
///
/// # Errors
/// The file cannot be written, or a tensor is not a float.
pub fn write_weights(dir: &Path, weights: &[(String, Tensor)], names: Names) -> Result<()> {
    let path = dir.join("model.safetensors");
    let mut bytes = Vec::with_capacity(weights.len());
    for (name, tensor) in weights {
        let (dtype, data) = raw(tensor)?;
        bytes.push((stored_name(name, names), dtype, tensor.dims().to_vec(), data));
    }
    let mut views = Vec::with_capacity(bytes.len());
    for (name, dtype, shape, data) in &bytes {
        let view = TensorView::new(*dtype, shape.clone(), data)
            .map_err(|e| Error::content(&path, format!("`{name}`: {e}"), "report this as a bug"))?;
        views.push((name.as_str(), view));
    }
    let metadata = std::collections::HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let beside = prism_run::folder::beside(&path);
    safetensors::serialize_to_file(views, Some(metadata), &beside).map_err(|e| prism_run::Error::unsaved(&beside, e))?;
    prism_run::folder::usual_permissions(&beside)?;
    std::fs::rename(&beside, &path).map_err(|e| Error::io("cannot rename into place", &path, e))
}

fn raw(tensor: &Tensor) -> Result<(Dtype, Vec<u8>)> {
    let flat = tensor.to_device(&Device::Cpu)?.flatten_all()?;
    Ok(match tensor.dtype() {
        DType::F32 => (Dtype::F32, bytemuck::cast_slice(&flat.to_vec1::<f32>()?).to_vec()),
        DType::BF16 => (Dtype::BF16, flat.to_vec1::<half::bf16>()?.iter().flat_map(|x| x.to_le_bytes()).collect()),
        DType::F16 => (Dtype::F16, flat.to_vec1::<half::f16>()?.iter().flat_map(|x| x.to_le_bytes()).collect()),
        other => return Err(Error::input("weights", format!("are {other:?}"), "only float weights can be saved")),
    })
}

/// Writes `config.json` (every key that was read, unknown ones included) and
/// `generation_config.json`, atomically.
///
/// # Errors
/// A file cannot be written.
pub fn write_config(dir: &Path, config: &Config) -> Result<()> {
    let mut generation = serde_json::Map::new();
    generation.insert("_from_model_config".into(), true.into());
    for (key, id) in [("bos_token_id", config.bos_token_id), ("eos_token_id", config.eos_token_id), ("pad_token_id", config.pad_token_id)] {
        if let Some(id) = id {
            generation.insert(key.into(), id.into());
        }
    }
    for (name, value) in [("config.json", config.to_value()), ("generation_config.json", generation.into())] {
        let path = dir.join(name);
        prism_run::folder::write_atomic(&path, prism_run::shown::files::json_text(&value, &path)?.as_bytes())?;
    }
    Ok(())
}
