//! `prism merge`: the shards of a run become the run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use prism_record::record::parts;
use prism_run::folder::{self, names};
use prism_run::manifest::Manifest;
use prism_run::{Shard, door, records};

use super::audit::{Kind, SHARD, account, describe, difference, ended, failures, opened, places};
use super::{analysis, strangers};
use crate::cli::MergeArguments;
use crate::exit::{ExitStatus, Refused};
use crate::{Context, provenance};

/// A finished shard.
struct Part {
    folder: PathBuf,
    manifest: Manifest,
    shard: Shard,
}

impl Part {
    fn read(folder: PathBuf) -> anyhow::Result<Self> {
        let manifest = Manifest::read(&folder)?;
        let shard = manifest.settings.get(SHARD).and_then(|value| serde_json::from_value::<Shard>(value.clone()).ok());
        let refused = |cause: &str| anyhow::Error::from(Refused(format!("{}: {cause}", folder.join(names::MANIFEST).display())));
        match shard {
            Some(shard) if !shard.is_whole() && Kind::from_name(&manifest.kind).is_some() => {
                if manifest.ended.is_none() {
                    return Err(refused(&format!("shard {shard} is not finished; give its command again")));
                }
                Ok(Self { folder, manifest, shard })
            }
            _ => Err(refused("is no shard of an audit or evaluation; name folders written with --shard")),
        }
    }

    /// What must be the same in every shard.
    fn identity(&self) -> BTreeMap<String, serde_json::Value> {
        let settings = self.manifest.settings.iter().filter(|(key, _)| *key != SHARD).map(|(key, value)| (key.clone(), value.clone()));
        let inputs = self.manifest.inputs.iter().map(|(name, hash)| (name.clone(), hash.clone().into()));
        settings.chain(inputs).chain([("kind".into(), self.manifest.kind.clone().into())]).collect()
    }
}

/// Runs the verb.
pub fn run(arguments: MergeArguments, context: &Context) -> anyhow::Result<ExitStatus> {
    // A shard that is named is followed wherever it leads, one that is found only within the run.
    arguments.shards.iter().chain([&arguments.out]).for_each(|folder| door::named(folder));
    let folders = if arguments.shards.is_empty() { found(&arguments.out)? } else { arguments.shards };
    // Of the shards only what is finished is read; the run is this command's to write.
    let _lock = context.lock(&arguments.out)?;
    let mut shards = folders.into_iter().map(Part::read).collect::<anyhow::Result<Vec<_>>>()?;
    shards.sort_by_key(|part| part.shard);
    let manifest = joined(&shards)?;
    refuse_another(&arguments.out, &manifest)?;
    let from = shards.first().map_or(arguments.out.as_path(), |part| part.folder.as_path());
    let settings = analysis::settings(&manifest, from, &arguments.out, context)?;
    let kind = Kind::from_name(&manifest.kind).unwrap_or(Kind::Audit);
    if arguments.report && kind == Kind::Eval {
        anyhow::bail!(Refused("--report: an evaluation makes no page; merge without it, or audit".into()));
    }

    let folders: Vec<PathBuf> = shards.iter().map(|part| part.folder.clone()).collect();
    let undo = Undo::of(&arguments.out);
    // Whose the records are that come is known at any moment; what an earlier merge of the same
    // shards left is whole until it is replaced.
    if !door::stands(&arguments.out.join(names::MANIFEST)) {
        manifest.write(&arguments.out)?;
    }
    context.cancel.check()?;
    let examples = parts::join(&arguments.out, &folders)?;
    context.cancel.check()?;
    let findings = prism_audit::audit_run(&arguments.out, &settings)?;
    context.cancel.check()?;
    Manifest { ended: Some(provenance::now()), ..manifest.clone() }.write(&arguments.out)?;
    undo.keep();

    context.printer.narrate(&format!("{} shards, {} examples: {}", shards.len(), examples, arguments.out.display()));
    describe(kind, &arguments.out, &findings, context)?;
    context.printer.result_json(&account::account(&Manifest::read(&arguments.out)?, &findings)?)?;
    if arguments.report {
        let page = arguments.out.join(names::REPORT);
        let mut inputs = prism_report::ReportInputs::new(vec![arguments.out.clone()]);
        inputs.folders = vec![arguments.out.clone()];
        prism_report::build_report(&inputs, &page)?;
    }
    places(kind, &arguments.out, context);
    Ok(match failures::ended(&arguments.out, &findings, failures::Again::Shards, context)? {
        Some(status) => status,
        None => ended(kind, &arguments.out, opened(&manifest), examples, context),
    })
}

/// What a merge writes; dropped without [`Undo::keep`], all of it goes that was not there before.
struct Undo {
    written: Vec<PathBuf>,
}

impl Undo {
    fn of(out: &Path) -> Self {
        let all = [out.join(names::MANIFEST), records::folder(out), out.join(names::TIMING), prism_audit::findings::folder(out)];
        Self { written: all.into_iter().filter(|path| std::fs::symlink_metadata(path).is_err()).collect() }
    }

    fn keep(mut self) {
        self.written.clear();
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        for path in &self.written {
            let _ = folder::remove(path);
        }
    }
}

/// The shards' folders below the run's.
fn found(out: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let shards = door::entries(out)?.into_iter().filter(|entry| entry.name.to_str().is_some_and(|name| name.starts_with("shard-")));
    let mut folders: Vec<PathBuf> = shards.map(|entry| out.join(entry.name)).collect();
    folders.retain(|path| door::stands(&path.join(names::MANIFEST)));
    if folders.is_empty() {
        anyhow::bail!(Refused(format!("{}: holds no shard; run shards into it with --shard I/N, or name their folders", out.display())));
    }
    Ok(folders)
}

/// The manifest of the whole run, if these are all of its shards and no others.
fn joined(shards: &[Part]) -> anyhow::Result<Manifest> {
    let Some(first) = shards.first() else { anyhow::bail!(Refused("no shard is named".into())) };
    let identity = first.identity();
    for part in shards {
        let other = part.identity();
        let mut changed: Vec<&str> =
            identity.keys().chain(other.keys()).filter(|key| identity.get(*key) != other.get(*key)).map(String::as_str).collect();
        changed.sort_unstable();
        changed.dedup();
        if !changed.is_empty() {
            anyhow::bail!(Refused(format!(
                "{}: is of another run than {} ({} differ); join shards of one run",
                part.folder.display(),
                first.folder.display(),
                changed.join(", ")
            )));
        }
        if part.shard.count() != first.shard.count() {
            anyhow::bail!(Refused(format!(
                "{}: shard {} is of another division than {}; name the shards of one, or remove the others",
                part.folder.display(),
                part.shard,
                first.shard
            )));
        }
    }
    let count = first.shard.count();
    let there: BTreeSet<usize> = shards.iter().map(|part| part.shard.number()).collect();
    let absent: Vec<String> = (1..=count).filter(|number| !there.contains(number)).map(|n| format!("{n}/{count}")).collect();
    if !absent.is_empty() {
        let more = absent.len().saturating_sub(10);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let first: Vec<String> = absent.into_iter().take(10).collect();
        anyhow::bail!(Refused(format!("shards {}{more} of this run are missing; run them first", first.join(", "))));
    }
    if let Some(pair) = shards.windows(2).find(|pair| pair[0].shard == pair[1].shard) {
        anyhow::bail!(Refused(format!("{} and {} are the same shard", pair[0].folder.display(), pair[1].folder.display())));
    }
    let mut manifest = first.manifest.clone();
    manifest.command = provenance::command();
    manifest.settings.insert(SHARD.into(), serde_json::json!(Shard::WHOLE));
    manifest.started = shards.iter().map(|part| part.manifest.started.clone()).min().unwrap_or_default();
    manifest.ended = None;
    manifest.outcomes = added(shards.iter().flat_map(|part| &part.manifest.outcomes));
    manifest.causes = added(shards.iter().flat_map(|part| &part.manifest.causes));
    Ok(manifest)
}

/// Counts of one name are added up. A shard's manifest may say any number: a sum stops at the greatest there is.
fn added<'a>(counts: impl Iterator<Item = (&'a String, &'a usize)>) -> BTreeMap<String, usize> {
    let mut sums = BTreeMap::<String, usize>::new();
    for (name, count) in counts {
        let sum = sums.entry(name.clone()).or_default();
        *sum = sum.saturating_add(*count);
    }
    sums
}

/// Refuses a folder that holds another run.
fn refuse_another(out: &Path, manifest: &Manifest) -> anyhow::Result<()> {
    if !door::stands(&out.join(names::MANIFEST)) {
        // What an earlier merge left is a run's by its files.
        return strangers::refuse(out);
    }
    strangers::refuse_folders(out)?;
    let there = Manifest::read(out)?;
    let changed = difference::between(&there, manifest, &[]);
    if there.kind != manifest.kind || !changed.is_empty() {
        let changed = if changed.is_empty() { format!("`{}`", there.kind) } else { changed };
        anyhow::bail!(Refused(format!("{}: holds another run ({changed}); give another folder, or remove what is there", out.display())));
    }
    Ok(())
}
