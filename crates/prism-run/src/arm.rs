//! An arm of a study, as its recipe names it: a preset, a file, or either with keys
//! changed. A list of values for one key is as many arms.
//!
//! ```toml
//! variants = ["lvr", { preset = "lvr", id = "lvr-l1", latent_weight = 1.0 },
//!             { preset = "lvr", id = "lvr-lambda", latent_weight = [0.01, 1.0] }]
//! ```

use std::path::Path;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::{Error, Result, Variant, safe_toml};

/// One entry of a recipe's `variants`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Arm {
    /// A preset's id or the path of a TOML file.
    Named(String),
    /// `preset` (an id or a path), `id`, and keys of a variant to change.
    Changed(Table),
}

impl Arm {
    /// The preset's id or path, if one is given.
    pub fn source_mut(&mut self) -> Option<&mut String> {
        match self {
            Arm::Named(source) => Some(source),
            Arm::Changed(keys) => match keys.get_mut("preset") {
                Some(Value::String(source)) => Some(source),
                _ => None,
            },
        }
    }

    /// The variants it stands for: one, or one per value of the key that has a list.
    ///
    /// # Errors
    /// The preset or a key is unknown or wrong, or changed keys come without an id of their own.
    pub fn variants(&self) -> Result<Vec<Variant>> {
        let keys = match self {
            Arm::Named(source) => return Ok(vec![Variant::load(source)?]),
            Arm::Changed(keys) => keys,
        };
        let refuse = |cause: &str, remedy: &str| {
            let value = keys.to_string().trim().replace('\n', ", ");
            Err(Error::Value { what: "arm", value, cause: cause.into(), remedy: remedy.into() })
        };
        let mut changed = keys.clone();
        let Some(Value::String(source)) = changed.remove("preset") else {
            return refuse("names no preset", "add preset = \"lvr\", or the path of a .toml file");
        };
        let Some(Value::String(id)) = changed.remove("id") else {
            return refuse("has no id", "add an id of its own: it names the runs");
        };
        let name = match changed.remove("name") {
            Some(Value::String(name)) => name,
            _ => id.clone(),
        };
        let lists: Vec<(String, Vec<Value>)> =
            changed.iter().filter_map(|(key, value)| Some((key.clone(), value.as_array()?.clone()))).collect();
        let base = Variant::load(&source)?;
        match &lists[..] {
            [] => Ok(vec![with(&base, &changed, id, name)?]),
            [(key, values)] if !values.is_empty() => {
                let one = |value: &Value| {
                    let mut keys = changed.clone();
                    keys.insert(key.clone(), value.clone());
                    let told = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    with(&base, &keys, format!("{id}-{told}"), format!("{name} {told}"))
                };
                values.iter().map(one).collect()
            }
            _ => refuse("has an empty list, or two", "give one key a list of values, and the others one value each"),
        }
    }
}

/// `base` with keys changed.
fn with(base: &Variant, keys: &Table, id: String, name: String) -> Result<Variant> {
    let path = format!("arm {id}");
    let wrong = |e: toml::ser::Error| Error::content(Path::new(&path), e.to_string(), "correct the arm's keys");
    let mut table = Table::try_from(base).map_err(wrong)?;
    table.extend(keys.clone());
    table.extend([("id".to_owned(), id.into()), ("name".to_owned(), name.into())]);
    safe_toml::from_str::<Variant>(&toml::to_string(&table).map_err(wrong)?, Path::new(&path))?.check()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Recipe {
        variants: Vec<Arm>,
    }

    fn variants(text: &str) -> Result<Vec<Variant>> {
        let recipe: Recipe = safe_toml::from_str(&format!("variants = [{text}]"), Path::new("study.toml"))?;
        let variants: Result<Vec<Vec<Variant>>> = recipe.variants.iter().map(Arm::variants).collect();
        Ok(variants?.concat())
    }

    #[test]
    fn keys_are_changed_and_lists_become_arms() {
        let lvr = Variant::load("lvr").unwrap();
        let arms = variants(
            r#""lvr", { preset = "lvr", id = "l1", latent_weight = 1.0 }, { preset = "lvr", id = "w", name = "W", latent_weight = [0.01, 3.0] },
               { preset = "lvr", id = "form", latent_loss = ["mae", "cosine"] }"#,
        )
        .unwrap();
        let told: Vec<(&str, &str, f64)> = arms.iter().map(|v| (v.id.as_str(), v.name.as_str(), v.latent_weight)).collect();
        let expected = [("lvr", "LVR", 0.1), ("l1", "l1", 1.0), ("w-0.01", "W 0.01", 0.01), ("w-3.0", "W 3.0", 3.0)];
        assert_eq!(told[..4], expected);
        assert_eq!((told[4].0, told[5].0), ("form-mae", "form-cosine"));
        assert_eq!(arms[1], Variant { id: "l1".into(), name: "l1".into(), latent_weight: 1.0, ..lvr });
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, part) in [
            (r#"{ id = "a", latent_weight = 1.0 }"#, "preset"),
            (r#"{ preset = "lvr", latent_weight = 1.0 }"#, "id"),
            (r#"{ preset = "lvr", id = "a", lamda = 1.0 }"#, "lamda"),
            (r#"{ preset = "lvr", id = "a", latent_weight = -1.0 }"#, "latent_weight"),
            (r#"{ preset = "lvr", id = "a", latent_weight = [] }"#, "list"),
            (r#"{ preset = "lvr", id = "a", latent_weight = [1.0], noise_std = [0.1] }"#, "list"),
            (r#"{ preset = "no-latents", id = "a", sight = "bottleneck" }"#, "sight"),
            (r#"{ preset = "nothing", id = "a" }"#, "nothing"),
        ] {
            let message = variants(text).unwrap_err().to_string();
            assert!(message.contains(part), "{text}: {message}");
        }
    }
}
