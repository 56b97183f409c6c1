//! Whether runs were made alike. A benchmark is its bytes, not its file's name, and an
//! accuracy belongs to a decoding budget: what decides either must agree. What only
//! changes the draws or the branches is told.

use std::path::{Path, PathBuf};

use prism_run::StageSteps;
use prism_run::manifest::Manifest;
use prism_run::records::scoring;
use prism_run::steps::keys;
use serde_json::Value;

use crate::findings::WarningFinding;
use crate::{Error, Result};

/// Settings of an audit that must agree: they decide what was asked and at what budget.
const MUST: [&str; 5] = ["limit", "steps", "max_new_tokens", "exit", "pixels"];
/// Settings that may differ, and are told: corrupted draws, donors, branches, and the rules that read answers.
const TOLD: [&str; 5] = ["interventions", "seed", "donor_pool", "analysis", scoring::ANSWERS];

/// Compares each manifest with the first; a key that either lacks is not compared.
///
/// # Errors
/// [`Error::Compare`] naming the first difference in the benchmark's hash or in [`MUST`].
pub fn check(folders: &[PathBuf], manifests: &[Manifest]) -> Result<Vec<WarningFinding>> {
    let mut told: Vec<WarningFinding> = Vec::new();
    // The first run with a block, if there is one, is what the others are held against.
    let start = manifests.iter().position(|manifest| !without_block(manifest)).unwrap_or(0);
    let Some(first) = manifests.get(start) else { return Ok(told) };
    let name = |i: usize| folders.get(i).map_or_else(String::new, |f: &PathBuf| Path::display(f).to_string());
    for (i, other) in manifests.iter().enumerate().filter(|(i, _)| *i != start) {
        let (one, two) = (name(start), name(i));
        if let Some((a, b)) = first.inputs.get("benchmark").zip(other.inputs.get("benchmark")).filter(|(a, b)| a != b) {
            let short = |hash: &str| hash.chars().take(12).collect::<String>();
            let cause = format!("the benchmark file of `{one}` (SHA-256 {}...) is not that of `{two}` ({}...)", short(a), short(b));
            return Err(Error::Compare { cause, remedy: "audit both on the same file".into() });
        }
        let differs = |key: &str| -> Option<(String, String)> {
            let (a, b): (&Value, &Value) = (first.settings.get(key)?, other.settings.get(key)?);
            (a != b).then(|| (a.to_string(), b.to_string()))
        };
        for key in MUST {
            // A run without a block has no K.
            if key == keys::STEPS && (without_block(first) || without_block(other)) {
                continue;
            }
            if let Some((a, b)) = differs(key) {
                let cause = format!("`{key}` is {a} in `{one}` and {b} in `{two}`");
                return Err(Error::Compare { cause, remedy: "audit both with the same budget on the same questions".into() });
            }
        }
        for key in TOLD {
            if let Some((a, b)) = differs(key) {
                let text = format!("`{key}` differs between the runs: {a} in {one}, {b} in {two}");
                told.push(WarningFinding { about: "comparison".into(), text });
            }
        }
    }
    Ok(told)
}

/// Whether no latent block could open in the run: nothing has a length there.
fn without_block(manifest: &Manifest) -> bool {
    manifest.steps_by_stage().is_some_and(|steps| steps == StageSteps::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(benchmark: &str, settings: &Value) -> Manifest {
        let whole = serde_json::json!({"schema": 1, "kind": "audit", "version": "0", "command": [], "commit": "", "host": "", "device": "",
            "dtype": "", "threads": 1, "inputs": {"benchmark": benchmark}, "settings": settings, "started": ""});
        serde_json::from_value(whole).unwrap()
    }

    #[test]
    fn another_file_or_budget_is_refused_by_name_and_another_draw_told() {
        let folders = [PathBuf::from("one"), PathBuf::from("two")];
        let base = || manifest("aa", &serde_json::json!({"steps": 8, "max_new_tokens": 64, "seed": 1}));
        let with = |other: Manifest| check(&folders, &[base(), other]);
        assert_eq!(with(base()).unwrap(), []);
        assert!(with(manifest("bb", &serde_json::json!({}))).unwrap_err().to_string().contains("SHA-256"));
        let error = with(manifest("aa", &serde_json::json!({"steps": 4}))).unwrap_err().to_string();
        assert!(error.contains("`steps` is 8 in `one` and 4 in `two`"), "{error}");
        let told = with(manifest("aa", &serde_json::json!({"steps": 8, "seed": 2}))).unwrap();
        assert!(told.len() == 1 && told[0].text.contains("`seed` differs"), "{told:?}");
        // An arm without a block stands beside arms at the lengths they were trained with, wherever it comes in the row.
        let none = || manifest("aa", &serde_json::json!({"steps": 8, "steps_by_stage": {}}));
        let trained = |k: usize| manifest("aa", &serde_json::json!({"steps": "trained", "steps_by_stage": {"target": k}}));
        let three = [folders[0].clone(), folders[1].clone(), PathBuf::from("three")];
        assert_eq!(check(&three, &[none(), trained(4), trained(4)]).unwrap(), []);
        assert!(check(&three, &[none(), trained(4), base()]).unwrap_err().to_string().contains("`two`"));
    }
}
