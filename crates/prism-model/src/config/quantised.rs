//! Checkpoints whose weights are quantised: which scheme it is, in one line, and what to give instead.
//!
//! transformers writes `quantization_config` into `config.json`; AutoGPTQ and AutoAWQ wrote files of their own before.

use std::path::Path;

use prism_run::door::{Limit, read_linked};
use serde_json::{Map, Value};

use crate::{Error, Result};

/// The key.
const KEY: &str = "quantization_config";
/// Files of their own, and the scheme that each stands for.
const FILES: [(&str, &str); 2] = [("quantize_config.json", "gptq"), ("quant_config.json", "awq")];

/// Refuses a configuration that says its weights are quantised.
///
/// # Errors
/// [`Error::Quantised`], naming the scheme.
pub(super) fn refuse(raw: &Map<String, Value>, path: &Path) -> Result<()> {
    let nested = ["text_config", "vision_config"].map(|part| raw.get(part).and_then(Value::as_object));
    let found = std::iter::once(Some(raw)).chain(nested).flatten().find_map(|map| map.get(KEY).and_then(Value::as_object));
    match found {
        Some(said) => Err(refusal(said, None, path)),
        None => Ok(()),
    }
}

/// Refuses a folder with one of the older files.
///
/// # Errors
/// [`Error::Quantised`], naming the scheme.
pub(super) fn refuse_folder(folder: &Path) -> Result<()> {
    for (name, scheme) in FILES {
        let path = folder.join(name);
        if path.is_file() {
            let value: Option<Value> = read_linked(&path, Limit::Manifest).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
            let said = value.as_ref().and_then(Value::as_object).cloned().unwrap_or_default();
            return Err(refusal(&said, Some(scheme), &path));
        }
    }
    Ok(())
}

fn refusal(said: &Map<String, Value>, otherwise: Option<&str>, path: &Path) -> Error {
    let text = |key: &str| said.get(key).and_then(Value::as_str);
    let whole = |key: &str| said.get(key).and_then(Value::as_u64);
    let flag = |key: &str| said.get(key).and_then(Value::as_bool).unwrap_or(false);
    let bits = |key: &str| whole(key).map_or(String::new(), |bits| format!(" {bits}-bit"));
    // The first releases of bitsandbytes' configuration did not name it.
    let bare = if flag("load_in_4bit") || flag("load_in_8bit") { Some("bitsandbytes") } else { None };
    let method = text("quant_method").or(otherwise).or(bare).unwrap_or("an unnamed scheme");
    let group = whole("group_size").or(whole("q_group_size")).map_or(String::new(), |size| format!(" in groups of {size}"));
    let scheme = match method.to_ascii_lowercase().as_str() {
        "bitsandbytes" => match (flag("load_in_4bit"), text("bnb_4bit_quant_type")) {
            (true, Some(kind)) => format!("bitsandbytes 4-bit ({kind})"),
            (true, None) => "bitsandbytes 4-bit".into(),
            (false, _) => "bitsandbytes 8-bit".into(),
        },
        "gptq" => format!("GPTQ{}{group}", bits("bits")),
        "awq" => format!("AWQ{}{group}", if whole("bits").is_some() { bits("bits") } else { bits("w_bit") }),
        "fp8" => match said.get("weight_block_size") {
            Some(Value::Array(block)) => format!("fp8 in blocks of {}", Value::Array(block.clone())),
            _ => "fp8".into(),
        },
        "compressed-tensors" => text("format").map_or("compressed-tensors".into(), |format| format!("compressed-tensors ({format})")),
        _ => method.to_owned(),
    };
    Error::Quantised { path: path.to_path_buf(), scheme }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_scheme_is_named_in_one_line() {
        for (said, named) in [
            (json!({"quant_method": "bitsandbytes", "load_in_4bit": true, "bnb_4bit_quant_type": "nf4"}), "bitsandbytes 4-bit (nf4)"),
            (json!({"quant_method": "bitsandbytes", "load_in_8bit": true}), "bitsandbytes 8-bit"),
            (json!({"load_in_4bit": true}), "bitsandbytes 4-bit"),
            (json!({"quant_method": "gptq", "bits": 4, "group_size": 128}), "GPTQ 4-bit in groups of 128"),
            (json!({"quant_method": "awq", "bits": 4, "group_size": 64, "version": "gemm"}), "AWQ 4-bit in groups of 64"),
            (json!({"quant_method": "fp8", "weight_block_size": [128, 128]}), "fp8 in blocks of [128,128]"),
            (json!({"quant_method": "compressed-tensors", "format": "pack-quantized"}), "compressed-tensors (pack-quantized)"),
            (json!({"quant_method": "hqq"}), "hqq"),
            (json!({}), "an unnamed scheme"),
        ] {
            let top = json!({ KEY: said });
            let inner = json!({ "text_config": { KEY: said } });
            for raw in [top, inner] {
                let told = refuse(raw.as_object().unwrap(), Path::new("config.json")).unwrap_err().to_string();
                assert!(told.contains(named) && !told.contains('\n'), "{told}");
            }
        }
        assert!(refuse(json!({ KEY: null }).as_object().unwrap(), Path::new("config.json")).is_ok());
    }

    #[test]
    fn the_older_files_are_known() {
        let folder = tempfile::tempdir().unwrap();
        assert!(refuse_folder(folder.path()).is_ok());
        std::fs::write(folder.path().join("quant_config.json"), r#"{"w_bit": 4, "q_group_size": 128}"#).unwrap();
        assert!(refuse_folder(folder.path()).unwrap_err().to_string().contains("AWQ 4-bit in groups of 128"));
        std::fs::write(folder.path().join("quantize_config.json"), r#"{"bits": 8, "group_size": -1}"#).unwrap();
        assert!(refuse_folder(folder.path()).unwrap_err().to_string().contains("GPTQ 8-bit"));
        std::fs::write(folder.path().join("quantize_config.json"), "{").unwrap();
        assert!(refuse_folder(folder.path()).unwrap_err().to_string().contains("GPTQ"));
    }
}
