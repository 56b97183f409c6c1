//! In what two runs differ, in words: what a refusal names.

use std::collections::{BTreeMap, BTreeSet};

use prism_run::manifest::Manifest;
use serde_json::Value;

/// Longest value that is told, in characters of JSON.
const SHORT: usize = 40;
/// Differences that are named; of more, only the number is told.
const NAMED: usize = 6;

/// The settings, but for those of `ignored` names, and the inputs in which `wanted` differs
/// from the run that is `there`; empty when there are none.
pub fn between(there: &Manifest, wanted: &Manifest, ignored: &[&str]) -> String {
    let settings = changed(&there.settings, &wanted.settings).into_iter().filter(|name| !ignored.contains(name));
    let mut words: Vec<String> = settings.map(|name| told(name, there.settings.get(name), wanted.settings.get(name))).collect();
    words.extend(changed(&there.inputs, &wanted.inputs).into_iter().map(|name| format!("contents of {name}")));
    let more = words.len().saturating_sub(NAMED);
    words.truncate(NAMED);
    match more {
        0 => words.join(", "),
        more => format!("{}, and {more} more", words.join(", ")),
    }
}

/// Keys that do not have the same value in both.
fn changed<'a, V: PartialEq>(there: &'a BTreeMap<String, V>, wanted: &'a BTreeMap<String, V>) -> Vec<&'a str> {
    let keys: BTreeSet<&String> = there.keys().chain(wanted.keys()).collect();
    keys.into_iter().filter(|key| there.get(*key) != wanted.get(*key)).map(String::as_str).collect()
}

/// A setting's name, and both values where they are short.
fn told(name: &str, there: Option<&Value>, wanted: Option<&Value>) -> String {
    let text = |value: Option<&Value>| value.map_or("none".into(), Value::to_string);
    let (there, wanted) = (text(there), text(wanted));
    if there.len() > SHORT || wanted.len() > SHORT {
        return name.into();
    }
    format!("{name}: {there} there, {wanted} asked for")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(settings: Value, inputs: &[&str]) -> Manifest {
        Manifest {
            schema: 1,
            kind: "audit".into(),
            version: String::new(),
            variant: None,
            name: None,
            seed: None,
            benchmark: None,
            command: Vec::new(),
            commit: String::new(),
            host: String::new(),
            device: String::new(),
            dtype: String::new(),
            threads: 1,
            inputs: inputs.iter().map(|name| ((*name).into(), "0".into())).collect(),
            outcomes: BTreeMap::new(),
            causes: BTreeMap::new(),
            settings: settings.as_object().cloned().unwrap_or_default().into_iter().collect(),
            started: String::new(),
            ended: None,
        }
    }

    #[test]
    fn what_differs_is_named_and_what_is_ignored_is_not() {
        let one = manifest(serde_json::json!({"dtype": "f32", "limit": null, "analysis": 1}), &["images"]);
        let other = manifest(serde_json::json!({"dtype": "bf16", "limit": null, "analysis": 2}), &[]);
        assert_eq!(between(&one, &other, &["analysis"]), "dtype: \"f32\" there, \"bf16\" asked for, contents of images");
        assert_eq!(between(&one, &one, &[]), "");
        let many: Vec<String> = (0..9).map(|i| format!("image {i}")).collect();
        let many = manifest(serde_json::json!({}), &many.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(between(&many, &manifest(serde_json::json!({}), &[]), &[]).ends_with(", and 3 more"));
    }
}
