//! The manifests of the runs that were found: read again only when they change, and bounded together.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use prism_run::Error;
use prism_run::folder::names;
use prism_run::manifest::Manifest;
use serde_json::Value;

use super::walk::{self, About};
use prism_report::html::clipped;

/// Bytes of manifests that one look reads, at most; what is left is read by the next.
const MOST_READ: u64 = 64 << 20;
/// Memory that all manifests may take together, bytes.
const MOST_KEPT: usize = 128 << 20;
/// Memory that the settings, or the rest, of one may take, bytes.
const HEAVIEST: usize = 512 << 10;
/// Longest name of a variant or benchmark, in characters.
const LONGEST_NAME: usize = 200;
/// What stands for what is too large to keep.
const LEFT_OUT: &str = "longer than the explorer keeps; read run.json itself";

/// What a folder with a manifest is.
#[derive(Debug, Clone)]
pub enum Read {
    /// A run that is shown, with its manifest.
    Run(Arc<Manifest>),
    /// Something else, such as a study.
    Other,
    /// Not to be read, for this reason.
    Damaged(String),
}

#[derive(Debug, Clone)]
struct Known {
    about: About,
    read: Read,
    weight: usize,
}

/// The manifests read so far.
#[derive(Debug)]
pub struct Manifests {
    most_read: u64,
    most_kept: usize,
    before: HashMap<PathBuf, Known>,
    now: HashMap<PathBuf, Known>,
    read: u64,
    weight: usize,
}

impl Default for Manifests {
    fn default() -> Self {
        Self { most_read: MOST_READ, most_kept: MOST_KEPT, before: HashMap::new(), now: HashMap::new(), read: 0, weight: 0 }
    }
}

impl Manifests {
    /// Begins another look.
    pub fn begin(&mut self) {
        self.before = std::mem::take(&mut self.now);
        (self.read, self.weight) = (0, 0);
    }

    /// Ends it: what was not asked for is forgotten.
    pub fn end(&mut self) {
        self.before = HashMap::new();
    }

    /// What lies in a folder.
    pub fn of(&mut self, folder: &Path) -> Read {
        let path = folder.join(names::MANIFEST);
        let Some(about) = walk::about(&path) else { return Read::Damaged(format!("{} is gone", path.display())) };
        let known = match self.before.remove(folder).filter(|known| known.about == about) {
            Some(known) => known,
            // In memory it takes more than in the file.
            None if about.length.saturating_add(self.weight as u64) > self.most_kept as u64 => return left_out(&path),
            None if self.read.saturating_add(about.length) > self.most_read => {
                let reason = "is not read yet: the manifests here are long, and only some are read at a time";
                return Read::Damaged(format!("{} {reason}", path.display()));
            }
            None => {
                self.read += about.length;
                match Manifest::read(folder) {
                    Ok(manifest) => slim(about, manifest),
                    Err(e) => {
                        let read = Read::Damaged(e.to_string());
                        // The system may give tomorrow what it refuses today.
                        if matches!(e, Error::Io { .. }) {
                            return read;
                        }
                        Known { about, read, weight: 0 }
                    }
                }
            }
        };
        if self.weight.saturating_add(known.weight) > self.most_kept {
            return left_out(&path);
        }
        self.weight += known.weight;
        let read = known.read.clone();
        self.now.insert(folder.to_path_buf(), known);
        read
    }
}

fn left_out(path: &Path) -> Read {
    let reason = "is left out: the manifests here take more memory than the explorer has for them; name a folder further down";
    Read::Damaged(format!("{} {reason}", path.display()))
}

/// A manifest that was read, without what no page has room for.
fn slim(about: About, mut manifest: Manifest) -> Known {
    if !matches!(manifest.kind.as_str(), "audit" | "eval" | "train") {
        return Known { about, read: Read::Other, weight: 0 };
    }
    for text in [&mut manifest.variant, &mut manifest.name, &mut manifest.benchmark, &mut manifest.ended].into_iter().flatten() {
        *text = clipped(text, LONGEST_NAME);
    }
    for text in
        [&mut manifest.version, &mut manifest.commit, &mut manifest.host, &mut manifest.device, &mut manifest.dtype, &mut manifest.started]
    {
        *text = clipped(text, LONGEST_NAME);
    }
    if of_map(&manifest.settings, of_value) > HEAVIEST {
        manifest.settings = BTreeMap::from([("left_out".to_string(), Value::from(LEFT_OUT))]);
    }
    let rest = |m: &Manifest| {
        let command: usize = m.command.iter().map(|word| NODE + word.len()).sum();
        command + of_map(&m.inputs, |hash| NODE + hash.len()) + of_map(&m.outcomes, |_| NODE) + of_map(&m.causes, |_| NODE)
    };
    if rest(&manifest) > HEAVIEST {
        manifest.command = vec![LEFT_OUT.into()];
        (manifest.inputs, manifest.outcomes, manifest.causes) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    }
    let weight = 12 * 4 * LONGEST_NAME + rest(&manifest) + of_map(&manifest.settings, of_value);
    Known { about, read: Read::Run(Arc::new(manifest)), weight }
}

/// Bytes of a value in memory, without what it points to.
const NODE: usize = 64;
/// Bytes of the smallest map with something in it.
const MAP: usize = 640;

fn of_map<V>(map: &BTreeMap<String, V>, of_value: impl Fn(&V) -> usize) -> usize {
    MAP + map.iter().map(|(key, value)| NODE + key.len() + of_value(value)).sum::<usize>()
}

/// Bytes that a value takes in memory, about; its depth is bounded by the parser.
fn of_value(value: &Value) -> usize {
    match value {
        Value::String(text) => NODE + text.len(),
        Value::Array(values) => NODE + values.iter().map(of_value).sum::<usize>(),
        Value::Object(values) => MAP + values.iter().map(|(key, value)| NODE + key.len() + of_value(value)).sum::<usize>(),
        Value::Null | Value::Bool(_) | Value::Number(_) => NODE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, change: impl Fn(&mut Value)) {
        let mut manifest = serde_json::json!({"schema": 1, "kind": "audit", "version": "0", "command": [], "commit": "", "host": "",
            "device": "", "dtype": "", "threads": 1, "inputs": {}, "settings": {"steps": 8}, "started": ""});
        change(&mut manifest);
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join(names::MANIFEST), manifest.to_string()).unwrap();
    }

    fn look(manifests: &mut Manifests, folder: &Path) -> Read {
        manifests.begin();
        let read = manifests.of(folder);
        manifests.end();
        read
    }

    #[test]
    fn a_manifest_is_read_again_when_it_changes_and_not_before() {
        let dir = tempfile::tempdir().unwrap();
        let mut manifests = Manifests::default();
        write(dir.path(), |_| {});
        let (Read::Run(first), Read::Run(second)) = (look(&mut manifests, dir.path()), look(&mut manifests, dir.path())) else { panic!() };
        assert!(Arc::ptr_eq(&first, &second));
        write(dir.path(), |m| m["host"] = "another".into());
        assert!(matches!(look(&mut manifests, dir.path()), Read::Run(third) if third.host == "another"));
        write(dir.path(), |m| m["kind"] = "study".into());
        assert!(matches!(look(&mut manifests, dir.path()), Read::Other));
        write(dir.path(), |m| m["schema"] = 2.into());
        assert!(matches!(look(&mut manifests, dir.path()), Read::Damaged(_)));
    }

    #[test]
    fn what_no_page_has_room_for_is_not_kept() {
        let dir = tempfile::tempdir().unwrap();
        // A few bytes each in the file, hundreds in memory.
        write(dir.path(), |m| {
            m["settings"] = serde_json::json!({"all": vec![serde_json::json!({"": 0}); 2_000]});
            m["command"] = vec!["x"; 20_000].into();
            m["name"] = "n".repeat(100_000).into();
        });
        let Read::Run(manifest) = look(&mut Manifests::default(), dir.path()) else { panic!() };
        assert_eq!(manifest.settings["left_out"], LEFT_OUT);
        assert_eq!(manifest.command, [LEFT_OUT]);
        assert!(manifest.name.as_ref().unwrap().len() < 300);
    }

    #[test]
    fn all_of_them_together_are_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let folders: Vec<PathBuf> = (0..40).map(|i| dir.path().join(i.to_string())).collect();
        for folder in &folders {
            write(folder, |m| m["settings"] = serde_json::json!({"text": "x".repeat(16 << 10)}));
        }
        let mut manifests = Manifests { most_read: 64 << 10, most_kept: 256 << 10, ..Manifests::default() };
        let mut shown = Vec::new();
        // What the first look leaves, the next ones read, as long as there is room.
        for _ in 0..8 {
            manifests.begin();
            shown.push(folders.iter().filter(|folder| matches!(manifests.of(folder), Read::Run(_))).count());
            manifests.end();
            assert!(manifests.weight <= 256 << 10 && manifests.read <= 64 << 10);
        }
        assert!(shown[0] > 1 && shown[0] < 5 && shown[7] > shown[0] && shown[7] < 16, "{shown:?}");
    }
}
