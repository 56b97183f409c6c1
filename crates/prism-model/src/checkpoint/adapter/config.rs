//! `adapter_config.json` of peft's LoRA: what is said of ranks, scales and targets. What changes the merged
//! weights and is not known here is refused by its name.

use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::targets::{Patterns, Targets};

/// Its file.
pub const CONFIG: &str = "adapter_config.json";

/// Largest rank accepted.
const MOST_RANK: u64 = 1 << 16;

/// Keys that say how an adapter was begun, trained or run, and change nothing of what it comes to.
const HARMLESS: [&str; 20] = [
    "auto_mapping",
    "base_model_class",
    "eva_config",
    "inference_mode",
    "lora_dropout",
    "loftq_config",
    "megatron_core",
    "modules_to_tie",
    "parent_library",
    "peft_type",
    "peft_version",
    "qalora_group_size",
    "revision",
    "runtime_config",
    "target_modules_to_tie",
    "task_type",
    "low_cpu_mem_usage",
    "name_or_path",
    // Of a layer of transformers' own (`Conv1D`); peft itself puts it back for every layer that these models have.
    "fan_in_fan_out",
    // A pair's bias says it by being there.
    "lora_bias",
];

/// Keys that change what is merged, and that nothing here computes; absent, null, false or empty they say nothing.
const REFUSED: [&str; 12] = [
    "alora_invocation_tokens",
    "arrow_config",
    "kasa_config",
    "layer_replication",
    "megatron_config",
    "monteclora_config",
    "target_parameters",
    "use_bdlora",
    "use_qalora",
    "velora_config",
    "corda_config",
    "lora_ga_config",
];

/// What peft calls the biases that were trained.
const BIASES: [&str; 3] = ["none", "all", "lora_only"];

/// Ways to begin that leave the base's weights as they are, so that the saved pair is the whole difference.
const BEGINNINGS: [&str; 4] = ["gaussian", "eva", "orthogonal", "mica"];

/// What an adapter says of itself.
#[derive(Debug, Clone)]
pub(super) struct AdapterConfig {
    /// The base it was trained on: a path or a name on the Hub.
    pub base: Option<String>,
    rank: u64,
    alpha: f64,
    ranks: Patterns,
    alphas: Patterns,
    by_root: bool,
    /// Whether rows have a learned length.
    pub dora: bool,
    /// Which modules it is of.
    pub targets: Targets,
    /// Modules that are stored whole.
    pub whole: Vec<String>,
    /// Whether input and output matrix stay one where one of them is stored whole.
    pub ensure_tied: bool,
    /// Rows of an embedding that are stored, by the module's name.
    pub tokens: Vec<(String, Vec<usize>)>,
    /// Keys that are not known, for a warning.
    pub unknown: Vec<String>,
}

/// An object's entries in the order of the file: patterns are tried in it.
#[derive(Debug, Default)]
struct Ordered(Vec<(String, f64)>);

impl<'de> Deserialize<'de> for Ordered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Ordered;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of patterns with numbers")
            }

            fn visit_unit<E>(self) -> Result<Ordered, E> {
                Ok(Ordered::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ordered, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Ordered(entries))
            }
        }
        deserializer.deserialize_any(Entries)
    }
}

/// One or many, as lists are written.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Tokens {
    Rows(Vec<usize>),
    ByModule(std::collections::BTreeMap<String, Vec<usize>>),
}

#[derive(Deserialize)]
struct Raw {
    base_model_name_or_path: Option<String>,
    r: Option<u64>,
    lora_alpha: Option<f64>,
    #[serde(default)]
    rank_pattern: Ordered,
    #[serde(default)]
    alpha_pattern: Ordered,
    use_rslora: Option<bool>,
    use_dora: Option<bool>,
    bias: Option<String>,
    init_lora_weights: Option<Value>,
    target_modules: Option<OneOrMany<String>>,
    exclude_modules: Option<OneOrMany<String>>,
    layers_to_transform: Option<OneOrMany<u64>>,
    layers_pattern: Option<OneOrMany<String>>,
    modules_to_save: Option<Vec<String>>,
    trainable_token_indices: Option<Tokens>,
    ensure_weight_tying: Option<bool>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

impl AdapterConfig {
    /// Reads the file in `folder`; every reason why it cannot be used, one line each.
    pub fn read(folder: &Path) -> Result<Self, Vec<String>> {
        let bytes = prism_run::door::read_linked(&folder.join(CONFIG), prism_run::door::Limit::Manifest)
            .map_err(|e| vec![format!("{CONFIG}: {e}")])?;
        Self::parse(&bytes).map_err(|faults| faults.into_iter().map(|fault| format!("{CONFIG}: {fault}")).collect())
    }

    fn parse(bytes: &[u8]) -> Result<Self, Vec<String>> {
        let kind: Map<String, Value> =
            serde_json::from_slice(bytes).map_err(|e| vec![format!("is not a JSON object ({e}); copy it from the adapter again")])?;
        // First: another kind of adapter has other keys.
        match kind.get("peft_type").and_then(Value::as_str) {
            Some("LORA") => {}
            Some(other) => {
                return Err(vec![format!(
                    "`peft_type` is {other}: only LORA is merged here; merge it with peft's merge_and_unload and save that"
                )]);
            }
            None => return Err(vec!["`peft_type` is missing; copy it from the adapter again".into()]),
        }
        let mut from = serde_json::Deserializer::from_slice(bytes);
        let raw: Raw = serde_path_to_error::deserialize(&mut from)
            .map_err(|e| vec![format!("`{}`: {}; compare it with what peft writes", e.path(), e.inner())])?;
        let mut faults = raw.refusals();
        let mut or_told = |what: Result<Patterns, String>| what.map_err(|fault| faults.push(fault)).unwrap_or_default();
        let ranks = or_told(Patterns::new("rank_pattern", raw.rank_pattern.0));
        let alphas = or_told(Patterns::new("alpha_pattern", raw.alpha_pattern.0));
        let list = |value: Option<OneOrMany<String>>| match value {
            None => Vec::new(),
            Some(OneOrMany::One(one)) => vec![one],
            Some(OneOrMany::Many(many)) => many,
        };
        let layers = match raw.layers_to_transform {
            None => Vec::new(),
            Some(OneOrMany::One(layer)) => vec![layer],
            Some(OneOrMany::Many(layers)) => layers,
        };
        let names = |value: &OneOrMany<String>| match value {
            OneOrMany::One(pattern) => (Some(pattern.clone()), Vec::new()),
            OneOrMany::Many(names) => (None, names.clone()),
        };
        let targets = Targets::new(
            raw.target_modules.as_ref().map(names).unwrap_or_default(),
            raw.exclude_modules.as_ref().map(names).unwrap_or_default(),
            layers,
            list(raw.layers_pattern),
        );
        let targets = targets.map_err(|fault| faults.push(fault)).ok();
        let rank = raw.r.unwrap_or(8);
        let alpha = raw.lora_alpha.unwrap_or(8.0);
        if !(1..=MOST_RANK).contains(&rank) {
            faults.push(format!("`r` is {rank}; give a rank from 1 to {MOST_RANK}"));
        }
        if !alpha.is_finite() {
            faults.push(format!("`lora_alpha` is {alpha}; give a finite number"));
        }
        let (Some(targets), true) = (targets, faults.is_empty()) else { return Err(faults) };
        let tokens = match raw.trainable_token_indices {
            None => Vec::new(),
            Some(Tokens::Rows(rows)) => vec![("embed_tokens".to_owned(), rows)],
            Some(Tokens::ByModule(modules)) => modules.into_iter().collect(),
        };
        let unknown = raw
            .others
            .iter()
            .filter(|(key, value)| !says_nothing(value) && !HARMLESS.contains(&key.as_str()) && !REFUSED.contains(&key.as_str()));
        Ok(Self {
            base: raw.base_model_name_or_path.filter(|name| !name.is_empty()),
            rank,
            alpha,
            ranks,
            alphas,
            by_root: raw.use_rslora.unwrap_or(false),
            dora: raw.use_dora.unwrap_or(false),
            targets,
            whole: raw.modules_to_save.unwrap_or_default(),
            ensure_tied: raw.ensure_weight_tying.unwrap_or(false),
            tokens,
            unknown: unknown.map(|(key, _)| key.clone()).collect(),
        })
    }

    /// Rank and scale of the pair of a module, called as it is stored.
    pub fn rank_and_scale(&self, module: &str) -> Result<(usize, f64), String> {
        let rank = match self.ranks.find(module)? {
            None => self.rank,
            Some(rank) if rank >= 1.0 && rank <= MOST_RANK as f64 && rank.fract() == 0.0 => rank as u64,
            Some(rank) => return Err(format!("`rank_pattern` gives {module} the rank {rank}; give a whole number from 1 on")),
        };
        let alpha = self.alphas.find(module)?.unwrap_or(self.alpha);
        let by = if self.by_root { (rank as f64).sqrt() } else { rank as f64 };
        Ok((rank as usize, alpha / by))
    }

    /// Whether a module is stored whole, as peft wraps it.
    pub fn is_whole(&self, module: &str) -> bool {
        // `(^|.*\.)NAME($|\..*)`: the name as whole parts of the module's.
        let dotted = format!(".{module}.");
        self.whole.iter().any(|name| !name.is_empty() && dotted.contains(&format!(".{name}.")))
    }
}

impl Raw {
    fn refusals(&self) -> Vec<String> {
        let merge = "merge it with peft's merge_and_unload and save that";
        let mut faults: Vec<String> = Vec::new();
        for (key, value) in &self.others {
            if REFUSED.contains(&key.as_str()) && !says_nothing(value) {
                faults.push(format!("`{key}` is set, which is not merged here; {merge}"));
            }
        }
        if let Some(Value::String(how)) = &self.init_lora_weights
            && !BEGINNINGS.contains(&how.as_str())
            && !how.eq_ignore_ascii_case("true")
        {
            let why = "changes the base's weights before training, so the stored pair is not the whole difference";
            faults.push(format!("`init_lora_weights` is {how:?}, which {why}; {merge}"));
        }
        if let Some(bias) = &self.bias
            && !BIASES.contains(&bias.as_str())
        {
            faults.push(format!("`bias` is {bias:?}; give none, all or lora_only"));
        }
        if self.target_modules.is_none() {
            faults.push("`target_modules` is missing; copy the file from the adapter again".into());
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(keys: &str) -> Result<AdapterConfig, String> {
        let text = format!(r#"{{"peft_type": "LORA", "target_modules": ["q_proj"], "r": 2, "lora_alpha": 6{keys}}}"#);
        AdapterConfig::parse(text.as_bytes()).map_err(|faults| faults.join("\n"))
    }

    #[test]
    fn patterns_are_tried_in_the_order_of_the_file() {
        let config = parse(r#", "rank_pattern": {"q_proj": 3, "layers.0.*": 1, "a": 9}"#).unwrap();
        assert_eq!(config.rank_and_scale("model.layers.0.q_proj").unwrap(), (3, 2.0));
        assert_eq!(config.rank_and_scale("model.layers.0.v_proj").unwrap(), (1, 6.0));
        assert_eq!(config.rank_and_scale("model.layers.1.v_proj").unwrap(), (2, 3.0));
        assert_eq!(parse(r#", "use_rslora": true, "r": 4"#).err().map(|e| e.contains("duplicate")), Some(true));
    }

    #[test]
    fn what_is_not_merged_is_refused_by_name() {
        for (keys, part) in [
            (r#", "layer_replication": [[0, 4]]"#, "`layer_replication`"),
            (r#", "target_parameters": ["experts.w"]"#, "`target_parameters`"),
            (r#", "use_qalora": true"#, "`use_qalora`"),
            (r#", "init_lora_weights": "pissa""#, "\"pissa\""),
            (r#", "init_lora_weights": "pissa_niter_4""#, "\"pissa_niter_4\""),
            (r#", "init_lora_weights": "olora""#, "\"olora\""),
            (r#", "init_lora_weights": "loftq""#, "\"loftq\""),
            (r#", "alora_invocation_tokens": [1]"#, "`alora_invocation_tokens`"),
            (r#", "arrow_config": {"top_k": 1}"#, "`arrow_config`"),
            (r#", "bias": "some""#, "`bias`"),
            (r#", "rank_pattern": {"(": 1}"#, "`rank_pattern`"),
            (r#", "rank_pattern": {"q": "two"}"#, "`rank_pattern"),
            (r#", "exclude_modules": "(a""#, "`exclude_modules`"),
            (r#", "lora_dropout": 1, "modules_to_save": "lm_head""#, "`modules_to_save`"),
        ] {
            let told = parse(keys).err().unwrap_or_default();
            assert!(told.contains(part), "{keys}: {told}");
        }
        for (text, part) in [
            ("[]", "not a JSON object"),
            ("{}", "`peft_type` is missing"),
            (r#"{"peft_type": "IA3"}"#, "`peft_type` is IA3"),
            (r#"{"peft_type": "ADALORA", "r": "x"}"#, "`peft_type` is ADALORA"),
            (r#"{"peft_type": "LORA"}"#, "`target_modules` is missing"),
            (r#"{"peft_type": "LORA", "target_modules": ["a"], "r": 0}"#, "`r` is 0"),
            (r#"{"peft_type": "LORA", "target_modules": ["a"], "r": 99999999}"#, "`r` is 99999999"),
            (r#"{"peft_type": "LORA", "target_modules": ["a"], "r": -1}"#, "`r`"),
        ] {
            let told = AdapterConfig::parse(text.as_bytes()).err().unwrap_or_default().join("\n");
            assert!(told.contains(part), "{text}: {told}");
        }
    }

    #[test]
    fn an_unknown_key_is_told_and_modules_are_whole_by_parts() {
        let config = parse(r#", "brand_new": {"a": 1}, "quiet": null, "modules_to_save": ["merger", "lm_head"]"#).unwrap();
        assert_eq!(config.unknown, ["brand_new"]);
        assert!(config.is_whole("model.visual.merger.mlp.0") && config.is_whole("lm_head") && !config.is_whole("model.mergers"));
    }
}
