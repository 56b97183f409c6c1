//! A run's verdict as one JSON object: both answers, the sentence, K, and what every intervention shows.

use prism_audit::Findings;
use prism_audit::faithfulness::ALL;
use prism_audit::findings::{FaithfulnessFinding, VerdictFinding};
use prism_audit::settings::Compat;
use prism_run::manifest::Manifest;
use serde_json::{Map, Value, json};

/// Columns of Table 1 that hold words.
const WORDS: [&str; 4] = ["word", "presence", "sentence", "qualifier"];

/// The object of a run, its findings included; without words under `--compat paper`.
pub fn account(manifest: &Manifest, findings: &Findings) -> anyhow::Result<Value> {
    let mut account = tables(manifest, findings)?;
    account.extend(verdict(manifest, findings)?);
    Ok(Value::Object(account))
}

/// The findings, table by table; under `--compat paper` without the words that its pipeline does not have.
pub fn tables(manifest: &Manifest, findings: &Findings) -> anyhow::Result<Map<String, Value>> {
    let Value::Object(mut tables) = serde_json::to_value(findings)? else { return Ok(Map::new()) };
    if compat(manifest) == Compat::Paper {
        for line in tables.get_mut("table1").and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut) {
            line.retain(|column, _| !WORDS.contains(&column.as_str()));
        }
    }
    Ok(tables)
}

/// The verdict alone, with what could not be run.
pub fn verdict(manifest: &Manifest, findings: &Findings) -> anyhow::Result<Map<String, Value>> {
    let mut told = Map::new();
    if let Some(c) = findings.conclusion.first() {
        let Value::Object(fields) = serde_json::to_value(c)? else { return Ok(told) };
        let kept = [
            "content",
            "presence",
            "word",
            "sentence",
            "qualifier",
            "rule",
            "examples",
            "opened",
            "changed_bound",
            "needed",
            "margin",
            "alpha",
        ];
        told.extend(fields.into_iter().filter(|(key, _)| kept.contains(&key.as_str())));
    }
    told.insert("answers".into(), json!(manifest.answers()));
    told.insert("failures".into(), json!(findings.failures));
    told.insert("k".into(), manifest.steps_by_stage().map_or(Value::Null, |steps| json!(steps)));
    told.insert("trained_lengths".into(), manifest.trained_lengths().map_or(Value::Null, |lengths| json!(lengths)));
    told.insert("inside_lengths".into(), findings.conclusion.first().map_or(Value::Null, |c| json!(c.inside_lengths)));
    told.insert(
        "interventions".into(),
        if compat(manifest) == Compat::Paper {
            let changes = findings.faithfulness.iter().filter(|f| f.category == ALL && !f.intervention.is_clean());
            changes.map(changed).collect()
        } else {
            findings.verdict.iter().map(shown).collect()
        },
    );
    Ok(told)
}

/// Whose pipeline made the findings.
pub fn compat(manifest: &Manifest) -> Compat {
    let key = manifest.settings.get("analysis").and_then(|analysis| analysis.get("compat"));
    key.and_then(|compat| serde_json::from_value(compat.clone()).ok()).unwrap_or_default()
}

fn shown(v: &VerdictFinding) -> Value {
    json!({
        "intervention": v.intervention,
        "class": v.class,
        "family": v.family,
        "strength": v.strength,
        "examples": v.examples,
        "changed": v.changed,
        "changed_bound": v.changed_bound,
        "delta": v.delta,
        "interval": [v.delta_low, v.delta_high],
        "p": v.clustered_p.or(v.mcnemar_p),
        "adjusted_p": v.holm_p,
        "equivalence_p": v.equivalence_p,
        "verdict": v.verdict,
    })
}

/// What the published pipeline has of an intervention: the change of accuracy.
fn changed(f: &FaithfulnessFinding) -> Value {
    json!({
        "intervention": f.intervention,
        "class": f.intervention.class(),
        "examples": f.examples,
        "delta": f.delta,
        "interval": [f.delta_low, f.delta_high],
        "p": f.mcnemar_p,
    })
}
