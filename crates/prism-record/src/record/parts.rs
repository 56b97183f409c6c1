//! Parts: the finished pieces of an unfinished recording.
//!
//! `records.parts/` stands beside `records/` while a recording runs. Each part is a
//! folder that appears whole; `plan.json` says what they are parts of, so that
//! parts of another checkpoint, benchmark or setting are never mixed in; the
//! donors' latents are kept once known. All of it is removed when the parts have
//! been merged.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use prism_model::{Error, Result};
use prism_run::door::Limit;
use prism_run::folder::{self, PartialFolder, hash_bytes, write_atomic};
use prism_run::records::scoring::Scoring;
use prism_run::records::{AnswerRow, digests};
use prism_run::table::Table;
use prism_run::vectors::{self, Vectors};
use prism_run::{Stage, records};

use super::donors::CleanRuns;
use super::merge;
use super::rows::{Answered, Records};
use crate::decode::Latents;

const PLAN: &str = "plan.json";
/// In a shard's records: the plan of the whole they are a part of.
const WHOLE: &str = "whole.json";
const DONORS: &str = "donors.safetensors";
const DONOR_ROWS: &str = "donors.json";
/// Before the stage in the names of keys and values; vectors fed are named by their stage alone.
const KEYS_VALUES: &str = "keys_values.";

fn parts_folder(run: &Path) -> PathBuf {
    records::folder(run).with_extension("parts")
}

fn hash(plan: &serde_json::Value) -> String {
    hash_bytes(plan.to_string().as_bytes())
}

/// What the plan in a folder says, if there is one.
fn plan_of(folder: &Path) -> Option<String> {
    prism_run::door::read_text(&folder.join(PLAN), Limit::Manifest).ok()
}

/// Whether the records of `run` are complete and of this plan.
///
/// # Errors
/// When what is left of their parts cannot be removed.
pub fn recorded(run: &Path, plan: &serde_json::Value) -> Result<bool> {
    if plan_of(&records::folder(run)).as_deref() != Some(hash(plan).as_str()) {
        return Ok(false);
    }
    folder::remove(&parts_folder(run))?;
    Ok(true)
}

/// Whether `run` holds a finished part of unfinished records.
pub fn any(run: &Path) -> bool {
    let finished = |name: &str| name.starts_with("part-") && !name.ends_with(".tmp");
    prism_run::door::entries(&parts_folder(run)).is_ok_and(|all| all.iter().any(|entry| finished(&entry.name.to_string_lossy())))
}

/// Removes what is damaged among the finished parts of `run`, so that it is recorded again: what `--overwrite` does before a
/// recording goes on.
///
/// # Errors
/// When it cannot be removed.
pub fn discard_damaged(run: &Path) -> Result<()> {
    let folder = parts_folder(run);
    let Ok(all) = prism_run::door::entries(&folder) else { return Ok(()) };
    for part in all.iter().map(|entry| folder.join(&entry.name)).filter(|part| prism_run::door::holds_folder(part)) {
        let files = prism_run::door::entries(&part).map(|files| files.into_iter().map(|file| part.join(file.name)).collect::<Vec<_>>());
        if !files.is_ok_and(|files| files.iter().all(|file| can_be_read(file))) {
            folder::remove(&part)?;
        }
    }
    Ok(())
}

/// Whether a file of a part can be read to its end.
fn can_be_read(file: &Path) -> bool {
    match file.extension().and_then(|end| end.to_str()) {
        Some("parquet") => Table::read(file).is_ok(),
        Some("safetensors") => vectors::read(file).is_ok(),
        _ => prism_run::door::read_text(file, Limit::Manifest).is_ok(),
    }
}

/// The folder of parts of one recording.
#[derive(Debug)]
pub struct Parts {
    folder: PathBuf,
    /// What they are parts of.
    plan: String,
}

impl Parts {
    /// Opens the parts beside `run`'s records; those of another plan are removed.
    ///
    /// # Errors
    /// When the folder cannot be read or written.
    pub fn open(run: &Path, plan: &serde_json::Value) -> Result<Self> {
        let (folder, plan) = (parts_folder(run), hash(plan));
        if plan_of(&folder).as_deref() == Some(plan.as_str()) {
            folder::repair(&folder)?;
            // A folder in the place of a file is nothing that this recording wrote, and would be in its way.
            for name in [DONORS, DONOR_ROWS].map(|name| folder.join(name)) {
                if prism_run::door::holds_folder(&name) {
                    folder::remove(&name)?;
                }
            }
        } else {
            folder::remove(&folder)?;
            write_atomic(&folder.join(PLAN), plan.as_bytes())?;
        }
        Ok(Self { folder, plan })
    }

    fn path(&self, index: usize) -> PathBuf {
        self.folder.join(format!("part-{index:05}"))
    }

    /// Whether the part is finished.
    pub fn has(&self, index: usize) -> bool {
        prism_run::door::holds_folder(&self.path(index))
    }

    /// Writes a part; it appears whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write<A: Answered>(&self, index: usize, mut part: Records<A>) -> Result<()> {
        part.sort();
        let folder = PartialFolder::create(&self.path(index))?;
        part.write_timing(folder.path())?;
        part.write(folder.path())?;
        Ok(folder.finish()?)
    }

    /// Keeps what the donors' clean runs left.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_donors(&self, donors: &CleanRuns) -> Result<()> {
        let mut all: BTreeMap<String, Vectors> = BTreeMap::new();
        for (prefix, runs) in [("", &donors.latents), (KEYS_VALUES, &donors.keys_values)] {
            for (row, latents) in runs {
                for stage in [Stage::Context, Stage::Target] {
                    for vector in latents.stage(stage) {
                        all.entry(format!("{prefix}{stage}")).or_default().push(*row as i64, vector);
                    }
                }
            }
        }
        vectors::write(&self.folder.join(DONORS), &all)?;
        // Written last: it says that the donors are known, those without latents included.
        let rows: [Vec<usize>; 2] = [&donors.latents, &donors.keys_values].map(|runs| runs.keys().copied().collect());
        Ok(write_atomic(&self.folder.join(DONOR_ROWS), format!("{rows:?}").as_bytes())?)
    }

    /// What the donors' clean runs left, if it was kept; what is damaged counts as not kept, and is made again.
    pub fn donors(&self) -> Option<CleanRuns> {
        let text = prism_run::door::read_text(&self.folder.join(DONOR_ROWS), Limit::Manifest).ok()?;
        let rows: [Vec<usize>; 2] = serde_json::from_str(&text).ok()?;
        let empty = |rows: Vec<usize>| rows.into_iter().map(|row| (row, Latents { row, ..Latents::default() })).collect::<BTreeMap<_, _>>();
        let [mut fed, mut keys_values] = rows.map(empty);
        for (name, all) in vectors::read(&self.folder.join(DONORS)).ok()? {
            let (runs, stage) = match name.strip_prefix(KEYS_VALUES) {
                Some(stage) => (&mut keys_values, stage),
                None => (&mut fed, name.as_str()),
            };
            let Some(stage) = Stage::from_name(stage) else { continue };
            for (i, row) in all.rows.iter().enumerate() {
                if let Some(latents) = usize::try_from(*row).ok().and_then(|row| runs.get_mut(&row)) {
                    latents.push(stage, all.vector(i).to_vec());
                }
            }
        }
        let [latents, keys_values] = [fed, keys_values].map(|runs| runs.into_iter().map(|(row, run)| (row, Arc::new(run))).collect());
        Some(CleanRuns { latents, keys_values })
    }

    /// Puts `count` parts together, sorted by row, as `run`'s records, and removes the parts.
    /// Where they are a shard's, `whole` is the plan of the unsharded run.
    ///
    /// # Errors
    /// When a part is absent or damaged, or the records cannot be written.
    pub fn merge<A: Answered>(self, run: &Path, count: usize, whole: Option<&serde_json::Value>) -> Result<()> {
        let parts: Vec<PathBuf> = (0..count).map(|index| self.path(index)).collect();
        let folder = PartialFolder::create(&records::folder(run))?;
        merge::merge::<A>(&parts, folder.path())?;
        // Records that know their plan are not made again for the same one.
        write_atomic(&folder.path().join(PLAN), self.plan.as_bytes())?;
        if let Some(whole) = whole {
            write_atomic(&folder.path().join(WHOLE), hash(whole).as_bytes())?;
        }
        digests::write(folder.path())?;
        merge::timing(&parts, folder.path(), run)?;
        folder.finish()?;
        Ok(folder::remove(&self.folder)?)
    }
}

/// Joins the records of all shards of one plan as `run`'s, as the unsharded run would
/// have written them; gives the number of examples.
///
/// # Errors
/// When a folder holds no finished shard, they are of different plans, two hold the same
/// example, or a file is damaged or cannot be written.
pub fn join(run: &Path, shards: &[PathBuf]) -> Result<usize> {
    let mut plan: Option<(String, &Path)> = None;
    let mut scored: Option<Scoring> = None;
    for shard in shards {
        let scoring = Scoring::read(shard)?;
        if let Some(other) = scored.replace(scoring.clone()).filter(|other| *other != scoring) {
            let cause = format!("is scored by {scoring}, the shards before it by {other}");
            return Err(Error::content(shard, cause, "score all shards by one rule with `prism rescore`"));
        }
        let whole = prism_run::door::read_text(&records::folder(shard).join(WHOLE), Limit::Manifest)
            .map_err(|_| Error::content(shard, "holds no finished records of a shard", "run that shard to its end first"))?;
        match &plan {
            Some((known, first)) if *known != whole => {
                let cause = format!("was recorded with other inputs or settings than {}", first.display());
                return Err(Error::content(shard, cause, "join shards of one run only"));
            }
            Some(_) => {}
            None => plan = Some((whole, shard)),
        }
    }
    let Some((plan, _)) = plan else { return Err(Error::input("shards", "are none", "name the shards' run folders")) };
    let folder = PartialFolder::create(&records::folder(run))?;
    let of_shards: Vec<PathBuf> = shards.iter().map(|shard| records::folder(shard)).collect();
    let examples = merge::merge::<AnswerRow>(&of_shards, folder.path())?;
    write_atomic(&folder.path().join(PLAN), plan.as_bytes())?;
    scored.unwrap_or_default().write(folder.path())?;
    digests::write(folder.path())?;
    merge::timing(shards, folder.path(), run)?;
    folder.finish()?;
    Ok(examples)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn part(rows: &[usize]) -> Records {
        let mut part = Records::default();
        for &row in rows {
            part.push_vector("latent_last", row, &[row as f32, 0.5]);
        }
        part
    }

    #[test]
    fn parts_merge_sorted_and_leave_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let parts = Parts::open(dir.path(), &json!({"seed": 1})).unwrap();
        assert!(!any(dir.path()));
        parts.write(0, part(&[4, 1])).unwrap();
        assert!(any(dir.path()) && !recorded(dir.path(), &json!({"seed": 1})).unwrap());
        parts.write(1, part(&[0, 3])).unwrap();
        let parts = Parts::open(dir.path(), &json!({"seed": 1})).unwrap();
        assert!(parts.has(0) && parts.has(1) && !parts.has(2));
        parts.merge::<AnswerRow>(dir.path(), 2, None).unwrap();
        assert_eq!(digests::check(dir.path()).unwrap(), Some(vec![]));
        let merged = Records::<AnswerRow>::read(&records::folder(dir.path())).unwrap();
        assert_eq!(merged.vectors["latent_last"].rows, [0, 1, 3, 4]);
        assert_eq!(merged.vectors["latent_last"].vector(3), [4.0, 0.5]);
        let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["records"]);
        // The same plan finds them; another does not.
        assert!(recorded(dir.path(), &json!({"seed": 1})).unwrap());
        assert!(!recorded(dir.path(), &json!({"seed": 2})).unwrap());
    }

    #[test]
    fn parts_of_another_plan_are_not_used() {
        let dir = tempfile::tempdir().unwrap();
        Parts::open(dir.path(), &json!({"seed": 1})).unwrap().write(0, part(&[1])).unwrap();
        assert!(!Parts::open(dir.path(), &json!({"seed": 2})).unwrap().has(0));
    }

    #[test]
    fn donors_survive_those_without_latents_too() {
        let dir = tempfile::tempdir().unwrap();
        let parts = Parts::open(dir.path(), &json!(1)).unwrap();
        assert!(parts.donors().is_none());
        let full = Latents { row: 3, context: vec![vec![1.0, 2.0], vec![3.0, 4.0]], target: vec![vec![5.0, 6.0]] };
        let keys_values = Latents { row: 3, context: vec![vec![7.0], vec![8.0]], target: vec![vec![9.0]] };
        let by_row = |full| [full, Latents { row: 8, ..Latents::default() }].into_iter().map(|l| (l.row, Arc::new(l))).collect();
        for keys_values in [by_row(keys_values), BTreeMap::new()] {
            let donors = CleanRuns { latents: by_row(full.clone()), keys_values };
            parts.write_donors(&donors).unwrap();
            assert_eq!(parts.donors().unwrap(), donors);
        }
    }

    #[test]
    fn what_is_damaged_is_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let parts = Parts::open(dir.path(), &json!(1)).unwrap();
        parts.write(0, part(&[1])).unwrap();
        parts.write(1, part(&[2])).unwrap();
        let answers = parts.path(1).join("answers.parquet");
        assert!(answers.is_file());
        std::fs::write(&answers, "no table").unwrap();
        discard_damaged(dir.path()).unwrap();
        assert!(parts.has(0) && !parts.has(1));
        // Folders in the place of the donors' files, and donors that cannot be read.
        std::fs::create_dir(parts.folder.join(DONOR_ROWS)).unwrap();
        std::fs::create_dir(parts.folder.join(DONORS)).unwrap();
        let parts = Parts::open(dir.path(), &json!(1)).unwrap();
        assert!(parts.has(0) && parts.donors().is_none());
        let donors = CleanRuns::default();
        parts.write_donors(&donors).unwrap();
        assert_eq!(parts.donors().unwrap(), donors);
        std::fs::write(parts.folder.join(DONORS), "no vectors").unwrap();
        assert!(parts.donors().is_none());
    }
}
