//! `prism doctor`: this machine, this binary, and whether a checkpoint can be run.

use std::collections::BTreeMap;
use std::path::PathBuf;

use prism_data::readers::cache_folder;
use prism_model::checkpoint::HubCache;
use prism_run::manifest::SCHEMA;
use prism_run::{TrainedLengths, lengths, shown};
use serde::Serialize;

use super::opened::locate_as;
use crate::Context;
use crate::cli::DoctorArguments;
use crate::exit::ExitStatus;
use crate::machine::{Machine, gibibytes};

/// Variables that decide what the commands do.
const VARIABLES: [&str; 14] = [
    "PRISM_DEVICE",
    "PRISM_DTYPE",
    "PRISM_THREADS",
    "PRISM_LIMITS",
    "PRISM_CACHE",
    "HF_HOME",
    "HF_HUB_CACHE",
    "HUGGINGFACE_HUB_CACHE",
    "XDG_CACHE_HOME",
    "SLURM_JOB_ID",
    "SLURM_CPUS_PER_TASK",
    "SLURM_ARRAY_TASK_ID",
    "SLURM_ARRAY_TASK_COUNT",
    "SLURM_ARRAY_TASK_MIN",
];

#[derive(Serialize)]
struct Diagnosis {
    version: &'static str,
    commit: &'static str,
    compiler: &'static str,
    engine: &'static str,
    schema: u32,
    device: String,
    dtype: String,
    threads: usize,
    machine: Machine,
    #[serde(serialize_with = "prism_run::as_text::one")]
    hub_cache: PathBuf,
    hub_cache_set_by: &'static str,
    hub_models: Vec<String>,
    #[serde(serialize_with = "prism_run::as_text::one")]
    image_cache: PathBuf,
    variables: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "prism_run::as_text::some")]
    checkpoint: Option<PathBuf>,
    /// Absent when no checkpoint was named, empty when nothing is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    faults: Option<Vec<String>>,
    /// What stops nothing and should be known: tensors that are not used, parts of an adapter that are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    /// With what lengths of blocks the checkpoint was trained; absent where it does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    trained_lengths: Option<TrainedLengths>,
}

/// Runs the verb.
pub fn run(arguments: DoctorArguments, context: &Context) -> anyhow::Result<ExitStatus> {
    let hub = HubCache::from_environment();
    let mut found = Diagnosis {
        version: env!("CARGO_PKG_VERSION"),
        commit: env!("PRISM_COMMIT"),
        compiler: env!("PRISM_COMPILER"),
        engine: env!("PRISM_ENGINE"),
        schema: SCHEMA,
        device: context.hardware.device_line(),
        dtype: context.hardware.dtype_line(),
        threads: context.hardware.threads,
        machine: Machine::look(),
        hub_models: hub.repositories(),
        hub_cache_set_by: hub.decided_by,
        hub_cache: hub.root,
        image_cache: cache_folder(),
        variables: VARIABLES.into_iter().filter_map(|name| Some((name, std::env::var(name).ok()?))).collect(),
        checkpoint: None,
        faults: None,
        notes: Vec::new(),
        trained_lengths: None,
    };
    if let Some(name) = &arguments.checkpoint {
        let folder = locate_as(name, &arguments.source, context)?;
        let inspected = prism_record::inspect(&folder)?;
        found.trained_lengths = inspected.config.as_ref().and_then(|config| config.latent_lengths().ok().flatten());
        found.faults = Some(inspected.faults);
        found.notes = inspected.notes;
        found.checkpoint = Some(folder);
    }
    context.printer.result(&describe(&found));
    context.printer.result_json(&found)?;
    Ok(if found.faults.is_none_or(|faults| faults.is_empty()) { ExitStatus::Success } else { ExitStatus::Input })
}

fn describe(found: &Diagnosis) -> String {
    let machine = &found.machine;
    let memory = |bytes: Option<u64>| bytes.map_or("unknown".into(), gibibytes);
    let limit = machine.memory_limit.map_or(String::new(), |bytes| format!(", this process may use {}", gibibytes(bytes)));
    let sets = if machine.instruction_sets.is_empty() { "none known".into() } else { machine.instruction_sets.join(" ") };
    let models = match found.hub_models.len() {
        0 => "no models".into(),
        n => format!("{n} models: {}", found.hub_models.join(", ")),
    };
    let mut lines = vec![
        format!("prism         {} ({}), run folders of schema {}", found.version, found.commit, found.schema),
        format!("built with    {}, {}", found.compiler, found.engine),
        format!("device        {}", found.device),
        format!("dtype         {}", found.dtype),
        format!("threads       {} of {} cores", found.threads, machine.cores),
        format!("processor     {} ({})", machine.processor.as_deref().unwrap_or("unknown"), machine.target),
        format!("instructions  {sets}; kernels use {}", machine.kernels),
        format!("memory        {}, {} available{limit}", memory(machine.memory), memory(machine.memory_available)),
        format!("Hub cache     {} (set by {}), {models}", found.hub_cache.display(), found.hub_cache_set_by),
        format!("image cache   {}", found.image_cache.display()),
    ];
    for (name, value) in &found.variables {
        lines.push(format!("variable      {name}={value}"));
    }
    if let (Some(checkpoint), Some(faults)) = (&found.checkpoint, &found.faults) {
        lines.push(format!("checkpoint    {}", checkpoint.display()));
        lines.push(format!("trained       block lengths: {}", lengths::in_words(found.trained_lengths.as_ref())));
        lines.extend(found.notes.iter().map(|note| format!("note          {}", shown(note))));
        lines.extend(faults.iter().map(|fault| format!("broken        {}", shown(fault))));
        lines.push(match faults.len() {
            0 => "              nothing is wrong with it".into(),
            n => format!("              {n} faults: copy or download it again, or correct config.json"),
        });
    }
    lines.join("\n")
}
