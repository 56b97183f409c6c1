//! Names of tensors: in a checkpoint's files, and here.

use crate::families::Names;

/// The in-memory name of a tensor stored under `stored`: both layouts that occur
/// (`model.layers.*` + `visual.*`, and `model.language_model.*` + `model.visual.*`)
/// come out as the newer one.
pub fn memory_name(stored: &str) -> String {
    if let Some(rest) = stored.strip_prefix("visual.") {
        return format!("model.visual.{rest}");
    }
    match stored.strip_prefix("model.") {
        Some(rest) if !rest.starts_with("language_model.") && !rest.starts_with("visual.") => format!("model.language_model.{rest}"),
        _ => stored.to_owned(),
    }
}

/// The name a tensor is saved under, as `transformers` 4 writes the family.
pub fn stored_name(memory: &str, names: Names) -> String {
    if names == Names::InMemory {
        return memory.to_owned();
    }
    if let Some(rest) = memory.strip_prefix("model.language_model.") {
        return format!("model.{rest}");
    }
    match memory.strip_prefix("model.visual.") {
        Some(rest) => format!("visual.{rest}"),
        None => memory.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_layouts_meet() {
        for (older, newer) in [
            ("model.layers.0.mlp.up_proj.weight", "model.language_model.layers.0.mlp.up_proj.weight"),
            ("visual.merger.ln_q.weight", "model.visual.merger.ln_q.weight"),
            ("lm_head.weight", "lm_head.weight"),
        ] {
            assert_eq!(memory_name(older), newer);
            assert_eq!(memory_name(newer), newer);
            assert_eq!(stored_name(newer, Names::Older), older);
            assert_eq!(stored_name(newer, Names::InMemory), newer);
        }
    }
}
