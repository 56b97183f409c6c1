//! What a run is about: its examples, and everything its results depend on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use prism_data::{Benchmark, Images};
use prism_run::manifest::Manifest;
use prism_run::{Example, Protocol, as_text, door, folder, records};

use super::{AuditPlan, SHARD, Selection};
use crate::exit::Refused;
use crate::{Context, provenance};

/// The examples that were asked for.
///
/// # Errors
/// When a row is broken, a category is not there, or none is left.
pub fn examples(plan: &AuditPlan, benchmark: &Benchmark) -> anyhow::Result<Vec<Example>> {
    let Selection { limit, subset, .. } = &plan.selection;
    let images = Images::extracted(None);
    let examples = if subset.is_empty() { benchmark.read(&images, *limit)? } else { of_subsets(benchmark.read(&images, None)?, plan)? };
    if examples.is_empty() {
        anyhow::bail!(Refused(format!(
            "{}: no example is left to run; give a benchmark with questions and a --limit above 0",
            plan.benchmark.display()
        )));
    }
    Ok(examples)
}

/// The examples of the named categories, as many as were asked for.
fn of_subsets(examples: Vec<Example>, plan: &AuditPlan) -> anyhow::Result<Vec<Example>> {
    let Selection { limit, subset, .. } = &plan.selection;
    let known: BTreeSet<&str> = examples.iter().filter_map(|e| e.category.as_deref()).collect();
    if let Some(unknown) = subset.iter().find(|name| !known.contains(name.as_str())) {
        let known = if known.is_empty() { "none".to_string() } else { known.into_iter().collect::<Vec<_>>().join(", ") };
        let path = plan.benchmark.display();
        anyhow::bail!(Refused(format!("--subset {unknown}: {path} has no such category; it has {known}")));
    }
    let chosen = examples.into_iter().filter(|e| e.category.as_ref().is_some_and(|category| subset.contains(category)));
    Ok(chosen.take(limit.unwrap_or(usize::MAX)).collect())
}

/// What a checkpoint is called that nobody named: its folder, with the one above where all
/// trainings have folders of that name; `org/name` as it is.
pub fn called(checkpoint: &Path) -> String {
    let absolute = std::path::absolute(checkpoint).unwrap_or_else(|_| checkpoint.to_path_buf());
    let whole = if checkpoint.exists() { absolute.as_path() } else { checkpoint };
    let parts: Vec<String> = whole.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let last = parts.last().cloned().unwrap_or_default();
    match parts.len().checked_sub(2).map(|above| &parts[above]) {
        Some(above) if !checkpoint.exists() || last.starts_with("checkpoint-") => format!("{above}/{last}"),
        _ => last,
    }
}

/// The manifest of a run, but for what its arms differ in.
///
/// # Errors
/// When an input cannot be read.
pub fn manifest(
    plan: &AuditPlan,
    protocol: Option<&Protocol>,
    benchmark: &Benchmark,
    examples: &[Example],
    context: &Context,
) -> anyhow::Result<Manifest> {
    let mut manifest = provenance::manifest(plan.kind.name(), &context.hardware);
    // A checkpoint that is no known variant is one of its own: runs of two can be compared.
    manifest.variant = plan.name.clone().or_else(|| plan.variant.as_ref().map(|v| v.id.clone()));
    manifest.name = plan.name.clone().or_else(|| plan.variant.as_ref().map(|v| v.name.clone()));
    manifest.seed = plan.training_seed;
    manifest.benchmark = Some(benchmark.name());
    provenance::hash_checkpoint(&mut manifest, &plan.checkpoint)?;
    provenance::hash_benchmark(&mut manifest, benchmark)?;
    provenance::hash_images(&mut manifest, examples.iter().flat_map(|e| &e.images).map(PathBuf::as_path))?;
    if let Some(protocol) = protocol {
        manifest.inputs.insert("protocol".into(), folder::hash_bytes(&serde_json::to_vec(protocol)?));
    }
    let mut set = |key: &str, value: serde_json::Value| manifest.settings.insert(key.into(), value);
    set("checkpoint", as_text::of(&plan.checkpoint).into());
    set("benchmark", as_text::of(&plan.benchmark).into());
    set("benchmark_version", format!("{} {}", benchmark.description.id, benchmark.description.version).into());
    if let Some(release) = benchmark.release(examples) {
        set("benchmark_labels", serde_json::json!(release));
    }
    set("protocol", serde_json::json!(protocol.map(|protocol| &protocol.id)));
    plan.decoding.write(&plan.checkpoint, protocol, &mut manifest)?;
    plan.images.write(&plan.checkpoint, protocol, &mut manifest.settings)?;
    let mut set = |key: &str, value: serde_json::Value| manifest.settings.insert(key.into(), value);
    set("max_new_tokens", plan.decoding.max_new_tokens.into());
    set("interventions", serde_json::json!(plan.interventions));
    set("seed", plan.seed.into());
    set("donor_pool", plan.pool.into());
    set("alignment", plan.alignment.into());
    set("device", context.hardware.device_name().into());
    set("dtype", context.hardware.dtype.as_str().into());
    set("variant", serde_json::json!(plan.variant));
    set("limit", serde_json::json!(plan.selection.limit));
    set("subset", serde_json::json!(plan.selection.subset));
    set(SHARD, serde_json::json!(plan.selection.shard));
    set("analysis", serde_json::json!(plan.settings));
    if !plan.settings.floors.is_empty() {
        let vectors = |run: &PathBuf| records::folder(run).join(records::files::LATENTS);
        let hash = |run: &PathBuf| {
            let vectors = vectors(run);
            folder::hash_reader(&vectors, door::open(&vectors)?)
        };
        let hashes = plan.settings.floors.iter().map(|(name, run)| Ok((name, hash(run)?)));
        let hashes = hashes.collect::<prism_run::Result<BTreeMap<_, _>>>()?;
        set("floors", serde_json::json!(hashes));
    }
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_called_as_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        for (path, name) in [("mine", "mine"), ("lvr/checkpoint-600", "lvr/checkpoint-600"), ("mine/", "mine")] {
            std::fs::create_dir_all(folder.path().join(path)).unwrap();
            assert_eq!(called(&folder.path().join(path)), name);
        }
        assert_eq!(called(Path::new("org/name")), "org/name");
    }
}
