//! How far weights moved in training: sums over tensors become norms and cosines of tensors,
//! kinds of module and layers.

use std::collections::BTreeMap;

use super::Named;
use crate::findings::DriftFinding;

/// Two tensors of one name, flattened: sums of squares and products.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sums {
    /// Tensors.
    pub tensors: usize,
    /// Numbers.
    pub elements: usize,
    /// Sum of the base's squares.
    pub base: f64,
    /// Of the variant's.
    pub variant: f64,
    /// Of those of variant minus base.
    pub difference: f64,
    /// Of the products.
    pub product: f64,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.tensors += other.tensors;
        self.elements += other.elements;
        self.base += other.base;
        self.variant += other.variant;
        self.difference += other.difference;
        self.product += other.product;
    }
}

/// A tensor's name, its sums, and what was left out of them.
pub type Tensor = (String, Sums, Option<String>);

/// Kinds of module, in the order of tables.
pub const MODULES: [&str; 13] = ["embed", "q", "k", "v", "o", "gate", "up", "down", "norms", "lm_head", "vision", "head", "other"];

/// The kind of module a tensor belongs to, and its decoder layer.
pub fn place(name: &str) -> (&'static str, Option<usize>) {
    let inside = name.strip_prefix("model.language_model.layers.").and_then(|rest| rest.split_once('.'));
    let layer = inside.and_then(|(layer, _)| layer.parse().ok());
    let has = |part: &str| name.split('.').any(|piece| piece == part);
    let module = match () {
        () if name.contains("visual") => "vision",
        () if has("embed_tokens") => "embed",
        () if has("lm_head") => "lm_head",
        () if has("q_proj") => "q",
        () if has("k_proj") => "k",
        () if has("v_proj") => "v",
        () if has("o_proj") => "o",
        () if layer.is_some() && has("gate_proj") => "gate",
        () if layer.is_some() && has("up_proj") => "up",
        () if layer.is_some() && has("down_proj") => "down",
        () if name.contains("lvr_head") || name.contains("lvr_latent") => "head",
        () if name.ends_with("norm.weight") || has("norm") => "norms",
        () => "other",
    };
    (module, layer)
}

/// One row per tensor, then per kind, layer, kind in layer, and of all; `absent` are tensors
/// that only one of the two has, with the reason.
pub fn findings(named: &Named, tensors: &[Tensor], absent: &[(String, String)]) -> Vec<DriftFinding> {
    let mut found = Vec::new();
    let mut modules: BTreeMap<usize, Sums> = BTreeMap::new();
    let mut layers: BTreeMap<usize, Sums> = BTreeMap::new();
    let mut both: BTreeMap<(usize, usize), Sums> = BTreeMap::new();
    let mut all = Sums::default();
    for (name, sums, reason) in tensors {
        let (module, layer) = place(name);
        let rank = MODULES.iter().position(|known| *known == module).unwrap_or(MODULES.len() - 1);
        found.push(DriftFinding { name: Some(name.clone()), reason: reason.clone(), ..row(named, "tensor", Some(module), layer, sums) });
        modules.entry(rank).or_default().add(sums);
        if let Some(layer) = layer {
            layers.entry(layer).or_default().add(sums);
            both.entry((layer, rank)).or_default().add(sums);
        }
        all.add(sums);
    }
    for (name, reason) in absent {
        let (module, layer) = place(name);
        let nothing = row(named, "tensor", Some(module), layer, &Sums::default());
        found.push(DriftFinding { name: Some(name.clone()), reason: Some(reason.clone()), ..nothing });
    }
    found.extend(modules.iter().map(|(rank, sums)| row(named, "module", Some(MODULES[*rank]), None, sums)));
    if !tensors.is_empty() && !tensors.iter().any(|(name, ..)| place(name).0 == "lm_head") {
        let reason = Some("tied to the embedding: it is the same matrix".to_string());
        found.push(DriftFinding { reason, ..row(named, "module", Some("lm_head"), None, &Sums::default()) });
    }
    found.extend(layers.iter().map(|(layer, sums)| row(named, "layer", None, Some(*layer), sums)));
    found.extend(both.iter().map(|((layer, rank), sums)| row(named, "module_in_layer", Some(MODULES[*rank]), Some(*layer), sums)));
    found.push(row(named, "all", None, None, &all));
    found
}

fn row(named: &Named, level: &str, module: Option<&str>, layer: Option<usize>, sums: &Sums) -> DriftFinding {
    let some = sums.tensors > 0;
    let norm = |square: f64| some.then(|| square.sqrt());
    let norms = (sums.base * sums.variant).sqrt();
    DriftFinding {
        variant: named.name.clone(),
        seed: named.seed(),
        level: level.into(),
        name: None,
        module: module.map(str::to_owned),
        layer,
        tensors: sums.tensors,
        elements: sums.elements,
        base_norm: norm(sums.base),
        variant_norm: norm(sums.variant),
        difference_norm: norm(sums.difference),
        relative: (some && sums.base > 0.0).then(|| (sums.difference / sums.base).sqrt()),
        cosine: (norms > 0.0).then(|| sums.product / norms),
        reason: (some && sums.base == 0.0).then(|| "the base's weights are all 0".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_find_their_place() {
        for (name, wanted) in [
            ("model.language_model.layers.3.self_attn.q_proj.bias", ("q", Some(3))),
            ("model.language_model.layers.0.mlp.down_proj.weight", ("down", Some(0))),
            ("model.language_model.layers.1.input_layernorm.weight", ("norms", Some(1))),
            ("model.language_model.norm.weight", ("norms", None)),
            ("model.language_model.embed_tokens.weight", ("embed", None)),
            ("model.visual.blocks.0.mlp.gate_proj.weight", ("vision", None)),
            ("lm_head.weight", ("lm_head", None)),
        ] {
            assert_eq!(place(name), wanted, "{name}");
        }
    }

    #[test]
    fn a_group_is_one_long_vector() {
        let sums =
            |base: f64, variant: f64, difference: f64, product: f64| Sums { tensors: 1, elements: 2, base, variant, difference, product };
        let tensors: Vec<Tensor> = vec![
            ("model.language_model.layers.0.mlp.up_proj.weight".into(), sums(9.0, 16.0, 1.0, 12.0), None),
            ("model.language_model.layers.1.mlp.up_proj.weight".into(), sums(16.0, 9.0, 1.0, 12.0), None),
        ];
        let found = findings(&Named { name: "x".into(), seed: None }, &tensors, &[]);
        let up = found.iter().find(|f| f.level == "module" && f.module.as_deref() == Some("up")).unwrap();
        assert_eq!((up.base_norm, up.relative, up.cosine), (Some(5.0), Some((2.0f64 / 25.0).sqrt()), Some(24.0 / 25.0)));
        let tied = found.iter().find(|f| f.module.as_deref() == Some("lm_head")).unwrap();
        assert!(tied.relative.is_none() && tied.reason.as_deref().unwrap().contains("tied"));
        assert_eq!(found.iter().filter(|f| f.level == "layer").count(), 2);
    }
}
