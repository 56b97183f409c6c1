//! The runs an explorer shows: found below the folders given at its start, and looked for
//! again while a study goes on.
//!
//! A run has an id made from its place below the folder given. Ids are looked up in what was
//! found; nothing of a request is ever made into a path.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use prism_run::folder::names;
use prism_run::manifest::Manifest;
use prism_run::records::{self, files};
use prism_run::variant::Variant;

use crate::charts::theme::VariantStyle;

/// Folders below a given one that are looked into, at most.
const MOST_FOLDERS: usize = 8192;
/// How deep below a given folder runs are looked for.
const DEEPEST: usize = 4;
/// How long what was found counts as fresh.
const FRESH: Duration = Duration::from_millis(800);

/// A folder given at the start.
#[derive(Debug, Clone)]
pub struct Root {
    /// Id of the folder, for its report.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
}

/// A run folder that was found.
#[derive(Debug, Clone)]
pub struct Run {
    /// Id, unique in this explorer.
    pub id: String,
    /// Which of the folders given it lies in.
    pub root: usize,
    /// Where it is.
    pub path: PathBuf,
    /// Its manifest.
    pub manifest: Manifest,
    /// Index into [`Snapshot::variants`].
    pub variant: usize,
    /// Changes when a file of the run does.
    pub stamp: u64,
}

impl Run {
    /// Whether it was audited or evaluated, so that it has examples.
    pub fn is_audited(&self) -> bool {
        matches!(self.manifest.kind.as_str(), "audit" | "eval")
    }

    /// The benchmark it ran on.
    pub fn benchmark(&self) -> &str {
        self.manifest.benchmark.as_deref().unwrap_or("benchmark not named")
    }
}

/// What is there at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Audits, evaluations and trainings, in the order of folders, variants and seeds.
    pub runs: Vec<Run>,
    /// Every variant of these runs, with its look.
    pub variants: Vec<VariantStyle>,
    /// Folders whose manifest could not be read, with the reason.
    pub damaged: Vec<String>,
    /// Changes when anything does.
    pub stamp: u64,
}

impl Snapshot {
    /// The run of that id.
    pub fn run(&self, id: &str) -> Option<&Run> {
        self.runs.iter().find(|r| r.id == id)
    }

    /// The look of a run's variant.
    pub fn style(&self, run: &Run) -> &VariantStyle {
        &self.variants[run.variant]
    }

    /// A run's name among those of its folder: its variant and seed, and its id where
    /// others there have the same.
    pub fn short_name(&self, run: &Run) -> String {
        let name = self.plain_name(run);
        let twin = |r: &&Run| r.root == run.root && r.id != run.id && r.is_audited() == run.is_audited();
        if self.runs.iter().filter(twin).any(|r| self.plain_name(r) == name) { format!("{name} ({})", run.id) } else { name }
    }

    /// A run's name among all.
    pub fn name(&self, run: &Run) -> String {
        let name = self.short_name(run);
        let twin = |r: &&Run| r.root != run.root && r.is_audited() == run.is_audited();
        if self.runs.iter().filter(twin).any(|r| self.short_name(r) == name) { format!("{name} ({})", run.id) } else { name }
    }

    fn plain_name(&self, run: &Run) -> String {
        let name = &self.style(run).name;
        run.manifest.seed.filter(|_| run.manifest.variant.is_some()).map_or_else(|| name.clone(), |seed| format!("{name} · {seed}"))
    }
}

/// The folders given, and what was last found below them.
#[derive(Debug)]
pub struct Library {
    roots: Vec<Root>,
    found: Mutex<Option<(Instant, Arc<Snapshot>)>>,
}

impl Library {
    /// Opens folders: runs, studies, or folders that hold some.
    ///
    /// # Errors
    /// When a folder cannot be read, or neither is a run folder nor holds one.
    pub fn open(folders: &[PathBuf]) -> Result<Self, prism_run::Error> {
        let mut roots: Vec<Root> = Vec::new();
        for folder in folders {
            let path = folder.canonicalize().map_err(|e| prism_run::Error::io("cannot open", folder, e))?;
            let mut found = Vec::new();
            manifests(&path, DEEPEST, &mut 0, &mut found);
            if found.is_empty() {
                let remedy = "name a run, a study, or a folder that holds some (each has a run.json)";
                return Err(prism_run::Error::content(folder, "no run folder is there", remedy));
            }
            if roots.iter().all(|r| r.path != path) {
                let name = name_of(&path);
                let taken: Vec<&str> = roots.iter().map(|r| r.id.as_str()).collect();
                roots.push(Root { id: unique(&slug(&name), &taken), name, path });
            }
        }
        Ok(Self { roots, found: Mutex::new(None) })
    }

    /// The folders given.
    pub fn roots(&self) -> &[Root] {
        &self.roots
    }

    /// What is there now, looked for again when the last look is older than a moment.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        match &*found {
            Some((when, snapshot)) if when.elapsed() < FRESH => Arc::clone(snapshot),
            _ => {
                let snapshot = Arc::new(self.look());
                *found = Some((Instant::now(), Arc::clone(&snapshot)));
                snapshot
            }
        }
    }

    fn look(&self) -> Snapshot {
        let mut runs: Vec<(String, usize, PathBuf, Manifest, u64)> = Vec::new();
        let mut damaged = Vec::new();
        let mut seen: Vec<PathBuf> = Vec::new();
        let mut hash = DefaultHasher::new();
        for (place, root) in self.roots.iter().enumerate() {
            let mut folders = Vec::new();
            manifests(&root.path, DEEPEST, &mut 0, &mut folders);
            stat(&root.path.join(names::REPORT), &mut hash);
            for folder in folders {
                // A folder inside another one that was given too.
                if seen.contains(&folder) {
                    continue;
                }
                match Manifest::read(&folder) {
                    Ok(manifest) if matches!(manifest.kind.as_str(), "audit" | "eval" | "train") => {
                        let taken: Vec<&str> = runs.iter().map(|r| r.0.as_str()).collect();
                        let id = unique(&id_of(root, &folder), &taken);
                        let stamp = stamp_of(&folder);
                        stamp.hash(&mut hash);
                        runs.push((id, place, folder.clone(), manifest, stamp));
                    }
                    Ok(_) => {}
                    Err(e) => damaged.push(e.to_string()),
                }
                seen.push(folder);
            }
        }
        damaged.hash(&mut hash);
        let mut names: Vec<(String, String)> = Vec::new();
        let key = |path: &Path, m: &Manifest| {
            let id = m.variant.clone().unwrap_or_else(|| name_of(path));
            let name = if id == names::BASE_AUDIT { "base model".into() } else { id.clone() };
            (id, m.name.clone().unwrap_or(name))
        };
        for (_, _, path, manifest, _) in &runs {
            let named = key(path, manifest);
            if !names.iter().any(|(id, _)| *id == named.0) {
                names.push(named);
            }
        }
        let presets: Vec<&str> = Variant::preset_ids().collect();
        // A stable sort, as in the report: presets in the paper's order, the others as they came.
        names.sort_by_key(|(id, _)| presets.iter().position(|p| p == id).unwrap_or(presets.len()));
        let variants: Vec<VariantStyle> = names.iter().enumerate().map(|(i, (id, name))| VariantStyle::new(i, id, name)).collect();
        let places: BTreeMap<&str, usize> = names.iter().enumerate().map(|(i, (id, _))| (id.as_str(), i)).collect();
        let mut runs: Vec<Run> = runs
            .into_iter()
            .map(|(id, root, path, manifest, stamp)| {
                let variant = places.get(key(&path, &manifest).0.as_str()).copied().unwrap_or_default();
                Run { id, root, path, manifest, variant, stamp }
            })
            .collect();
        runs.sort_by(|a, b| (a.root, a.variant, a.manifest.seed, &a.id).cmp(&(b.root, b.variant, b.manifest.seed, &b.id)));
        Snapshot { runs, variants, damaged, stamp: hash.finish() }
    }
}

/// Folders with a manifest at and below `path`, in order of name; links are not followed.
fn manifests(path: &Path, deep: usize, looked: &mut usize, found: &mut Vec<PathBuf>) {
    *looked += 1;
    if *looked > MOST_FOLDERS {
        return;
    }
    if path.join(names::MANIFEST).is_file() {
        found.push(path.to_path_buf());
    }
    if deep == 0 {
        return;
    }
    let Ok(entries) = std::fs::read_dir(path) else { return };
    let mut below: Vec<PathBuf> =
        entries.flatten().filter(|e| e.file_type().is_ok_and(|t| t.is_dir())).map(|e| e.path()).filter(|p| !is_content(p)).collect();
    below.sort();
    for folder in below {
        manifests(&folder, deep - 1, looked, found);
    }
}

/// Whether a folder is part of a run rather than a place where runs lie.
fn is_content(path: &Path) -> bool {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let parts = [names::RECORDS, names::FINDINGS, "images"];
    parts.contains(&name.as_str()) || name.starts_with("checkpoint-") || name.starts_with('.') || name.ends_with(".tmp")
}

/// Changes when a file of the run does that a page may show.
fn stamp_of(run: &Path) -> u64 {
    let mut hash = DefaultHasher::new();
    for name in [names::MANIFEST, names::LOG, names::REPORT, names::FINDINGS, names::RECORDS] {
        stat(&run.join(name), &mut hash);
    }
    for name in [files::EXAMPLES, files::ANSWERS, files::STEPS, files::MAPS] {
        stat(&records::folder(run).join(name), &mut hash);
    }
    hash.finish()
}

fn stat(path: &Path, hash: &mut DefaultHasher) {
    let of = std::fs::metadata(path).ok().map(|m| (m.len(), m.modified().ok()));
    of.hash(hash);
}

/// The name of a folder; that of an audit below its training is the training's.
fn name_of(path: &Path) -> String {
    let part = |p: &Path| p.file_name().map(|n| n.to_string_lossy().into_owned());
    match part(path) {
        Some(name) if name == "audit" => path.parent().and_then(part).unwrap_or(name),
        Some(name) => name,
        None => "runs".into(),
    }
}

fn id_of(root: &Root, folder: &Path) -> String {
    let inside = folder.strip_prefix(&root.path).unwrap_or(folder);
    let kept: Vec<String> = inside.components().map(|c| c.as_os_str().to_string_lossy().into_owned()).collect();
    let audit = kept.last().is_some_and(|last| last == "audit");
    let kept = if audit { &kept[..kept.len() - 1] } else { &kept[..] };
    let trained = !audit && folder.join("audit").join(names::MANIFEST).is_file();
    let tail = if trained { Some("training".to_string()) } else { None };
    let all: Vec<String> = std::iter::once(root.id.clone()).chain(kept.iter().map(|k| slug(k))).chain(tail).collect();
    all.join("-")
}

/// Letters, digits and dashes only.
fn slug(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let plain = plain.trim_matches('-');
    if plain.is_empty() { "run".into() } else { plain.chars().take(80).collect() }
}

fn unique(id: &str, taken: &[&str]) -> String {
    let free = |candidate: &str| !taken.contains(&candidate);
    if free(id) {
        return id.to_string();
    }
    (2..).map(|n| format!("{id}-{n}")).find(|candidate| free(candidate)).unwrap_or_default()
}
