//! The runs an explorer shows: found below the folders given at its start, and looked for
//! again while a study goes on.
//!
//! A run has an id made from its place below the folder given. Ids are looked up in what was
//! found; nothing of a request is ever made into a path.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use prism_run::folder::names;
use prism_run::manifest::Manifest;
use prism_run::variant::Variant;

use super::manifests::{Manifests, Read};
use super::naming::{self, Among, Ids};
use super::state::State;
use super::walk;
use prism_report::charts::theme::VariantStyle;
use prism_report::html::clipped;

/// How long what was found counts as fresh, or three times as long as it took to find it.
const FRESH: Duration = Duration::from_millis(800);
/// Reasons told why folders could not be read, at most.
const MOST_DAMAGED: usize = 100;
/// Longest of them, in characters.
const LONGEST_REASON: usize = 600;

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
    /// Its manifest, without what no page has room for.
    pub manifest: Arc<Manifest>,
    /// Index into [`Snapshot::variants`].
    pub variant: usize,
    /// Changes when a file of the run does, or its state.
    pub stamp: u64,
    /// Whether it goes on.
    pub state: State,
    /// Its name among those of its folder, and among all.
    names: (String, String),
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

    /// Id and name of its variant.
    fn variant_names(&self) -> (String, String) {
        let id = self.manifest.variant.clone().unwrap_or_else(|| naming::name_of(&self.path));
        let name = if id == names::BASE_AUDIT { "base model".into() } else { id.clone() };
        (id, self.manifest.name.clone().unwrap_or(name))
    }
}

/// What is there at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Audits, evaluations and trainings, in the order of folders, variants and seeds.
    pub runs: Vec<Run>,
    /// Every variant of these runs, with its look.
    pub variants: Vec<VariantStyle>,
    /// Folders that could not be read, with the reason; at most a hundred, and how many more.
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
        run.names.0.clone()
    }

    /// A run's name among all.
    pub fn name(&self, run: &Run) -> String {
        run.names.1.clone()
    }

    /// Gives every run its variant, its place and its names.
    fn arrange(&mut self) {
        let mut named: Vec<(String, String)> = Vec::new();
        let mut seen = HashSet::new();
        for names in self.runs.iter().map(Run::variant_names) {
            if seen.insert(names.0.clone()) {
                named.push(names);
            }
        }
        let presets: Vec<&str> = Variant::preset_ids().collect();
        // A stable sort, as in the report: presets in the paper's order, the others as they came.
        named.sort_by_key(|(id, _)| presets.iter().position(|p| p == id).unwrap_or(presets.len()));
        self.variants = named.iter().enumerate().map(|(i, (id, name))| VariantStyle::new(i, id, name)).collect();
        let places: HashMap<&str, usize> = named.iter().enumerate().map(|(i, (id, _))| (id.as_str(), i)).collect();
        for run in &mut self.runs {
            run.variant = places.get(run.variant_names().0.as_str()).copied().unwrap_or_default();
        }
        self.runs.sort_by(|a, b| (a.root, a.variant, a.manifest.seed, &a.id).cmp(&(b.root, b.variant, b.manifest.seed, &b.id)));
        let plain: Vec<String> = self.runs.iter().map(|run| self.plain_name(run)).collect();
        let among = |(run, plain): (&Run, &String)| (run.root, run.is_audited(), plain.clone(), run.id.clone());
        let all: Vec<(usize, bool, String, String)> = self.runs.iter().zip(&plain).map(among).collect();
        let all: Vec<Among<'_>> =
            all.iter().map(|(root, audited, plain, id)| Among { root: *root, audited: *audited, plain, id }).collect();
        for (run, names) in self.runs.iter_mut().zip(naming::distinct(&all)) {
            run.names = names;
        }
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
    found: Mutex<Option<Found>>,
    /// Held by the one that looks.
    looking: Mutex<Manifests>,
}

#[derive(Debug)]
struct Found {
    until: Instant,
    snapshot: Arc<Snapshot>,
}

impl Library {
    /// Opens folders: runs, studies, or folders that hold some.
    ///
    /// # Errors
    /// When a folder cannot be read, or neither is a run folder nor holds one.
    pub fn open(folders: &[PathBuf]) -> Result<Self, prism_run::Error> {
        let mut roots: Vec<Root> = Vec::new();
        let mut ids = Ids::default();
        for folder in folders {
            let path = folder.canonicalize().map_err(|e| prism_run::Error::io("cannot open", folder, e))?;
            prism_run::door::named(&path);
            if walk::below(&path).folders.is_empty() {
                let remedy = "name a run, a study, or a folder that holds some (each has a run.json)";
                return Err(prism_run::Error::content(folder, "no run folder is there", remedy));
            }
            if roots.iter().all(|r| r.path != path) {
                let name = naming::name_of(&path);
                roots.push(Root { id: ids.take(&naming::slug(&name)), name, path });
            }
        }
        Ok(Self { roots, found: Mutex::new(None), looking: Mutex::default() })
    }

    /// The folders given.
    pub fn roots(&self) -> &[Root] {
        &self.roots
    }

    /// What was found a moment ago, if it was.
    pub fn fresh(&self) -> Option<Arc<Snapshot>> {
        self.found().as_ref().filter(|found| Instant::now() < found.until).map(|found| Arc::clone(&found.snapshot))
    }

    /// What is there now, looked for again when the last look is older than a moment. One looks;
    /// who asks meanwhile waits for what it finds.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        if let Some(snapshot) = self.fresh() {
            return snapshot;
        }
        let mut manifests = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(snapshot) = self.fresh() {
            return snapshot;
        }
        let begun = Instant::now();
        let snapshot = Arc::new(self.look(&mut manifests));
        let until = Instant::now() + FRESH.max(begun.elapsed().saturating_mul(3));
        *self.found() = Some(Found { until, snapshot: Arc::clone(&snapshot) });
        snapshot
    }

    fn found(&self) -> MutexGuard<'_, Option<Found>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self, manifests: &mut Manifests) -> Snapshot {
        let mut snapshot = Snapshot::default();
        let (mut seen, mut ids, mut left) = (HashSet::new(), Ids::default(), 0_usize);
        let mut hash = DefaultHasher::new();
        let mut damaged = |told: &str| match snapshot.damaged.len() {
            MOST_DAMAGED.. => left += 1,
            _ => snapshot.damaged.push(clipped(told, LONGEST_REASON)),
        };
        manifests.begin();
        for (place, root) in self.roots.iter().enumerate() {
            walk::about(&root.path.join(names::REPORT)).hash(&mut hash);
            let found = walk::below(&root.path);
            if found.more {
                let reason =
                    "holds more folders than the explorer looks into: the runs in the others are not shown; name a folder further down";
                damaged(&format!("{} {reason}", root.path.display()));
            }
            for folder in found.folders {
                // A folder inside another one that was given too.
                if seen.contains(&folder) {
                    continue;
                }
                match manifests.of(&folder) {
                    Read::Run(manifest) => snapshot.runs.push(run(place, root, &folder, manifest, &mut ids, &mut hash)),
                    Read::Other => {}
                    Read::Damaged(told) => damaged(&told),
                }
                seen.insert(folder);
            }
        }
        manifests.end();
        if left > 0 {
            snapshot.damaged.push(format!("and {left} more"));
        }
        snapshot.damaged.hash(&mut hash);
        snapshot.stamp = hash.finish();
        snapshot.arrange();
        snapshot
    }
}

fn run(place: usize, root: &Root, folder: &Path, manifest: Arc<Manifest>, ids: &mut Ids, hash: &mut DefaultHasher) -> Run {
    let id = ids.take(&naming::id_of(&root.path, &root.id, folder));
    let state = State::of(folder, &manifest);
    let mut own = DefaultHasher::new();
    (walk::stamp_of(folder), state).hash(&mut own);
    let stamp = own.finish();
    (&id, folder, stamp).hash(hash);
    Run { id, root: place, path: folder.to_path_buf(), manifest, variant: 0, stamp, state, names: <(String, String)>::default() }
}
