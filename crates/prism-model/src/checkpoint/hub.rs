//! Checkpoints by their Hub name: `org/name` in the local Hugging Face cache.
//!
//! The cache is found as `huggingface_hub` finds it, and nothing is downloaded here. A
//! repository lies in `models--org--name`; `refs/main` holds the commit whose files
//! are in `snapshots/COMMIT`. `org/name@REVISION` names another branch, tag or commit.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use crate::{Error, Result};

/// The branch meant when none is named.
const MAIN: &str = "main";

/// The local Hub cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubCache {
    /// The folder that holds `models--org--name`.
    pub root: PathBuf,
    /// The variables that decided, for the reader: `HF_HOME`, or `the default`.
    pub decided_by: &'static str,
}

impl HubCache {
    /// The cache of this process's environment.
    pub fn from_environment() -> Self {
        Self::of(|name| std::env::var_os(name))
    }

    /// The cache under given variables: `HF_HUB_CACHE`, else `HUGGINGFACE_HUB_CACHE`, else
    /// `HF_HOME/hub`, else `XDG_CACHE_HOME/huggingface/hub`, else `~/.cache/huggingface/hub`.
    pub fn of(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = set("HOME").unwrap_or_default();
        let expand = |path: PathBuf| match path.strip_prefix("~") {
            Ok(rest) => home.join(rest),
            Err(_) => path,
        };
        for name in ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"] {
            if let Some(path) = set(name) {
                return Self { root: expand(path), decided_by: name };
            }
        }
        if let Some(path) = set("HF_HOME") {
            return Self { root: expand(path).join("hub"), decided_by: "HF_HOME" };
        }
        let (cache, decided_by) = match set("XDG_CACHE_HOME") {
            Some(path) => (expand(path), "XDG_CACHE_HOME"),
            None => (home.join(".cache"), "the default"),
        };
        Self { root: cache.join("huggingface/hub"), decided_by }
    }

    /// The folder of a checkpoint: `name` itself if it is a folder, else what the cache
    /// holds under that name.
    ///
    /// # Errors
    /// When it is neither; the message says where was looked and how to fetch it.
    pub fn locate(&self, name: &Path) -> Result<PathBuf> {
        if name.is_dir() {
            return Ok(name.to_path_buf());
        }
        match Repository::parse(name) {
            Some(repository) => self.snapshot(&repository),
            None => {
                Err(Error::content(name, "no such checkpoint folder", "give the folder that holds config.json, or a Hub name (org/name)"))
            }
        }
    }

    fn snapshot(&self, wanted: &Repository) -> Result<PathBuf> {
        let folder = self.root.join(format!("models--{}--{}", wanted.organisation, wanted.name));
        let refused = |cause: String| {
            let revision = if wanted.revision == MAIN { String::new() } else { format!(" --revision {}", wanted.revision) };
            let remedy = format!(
                "nothing is downloaded unasked: give --download, fetch it with `huggingface-cli download {}/{}{revision}`, or set HF_HOME \
                 or HF_HUB_CACHE to the cache that has it",
                wanted.organisation, wanted.name
            );
            Error::input(wanted.to_string(), cause, remedy)
        };
        if !folder.is_dir() {
            let cause = format!("no such folder, and not in the Hub cache (looked for {}, set by {})", folder.display(), self.decided_by);
            return Err(refused(cause));
        }
        let named = folder.join("refs").join(&wanted.revision);
        let commit = match std::fs::read_to_string(&named) {
            Ok(text) => text.trim().to_owned(),
            Err(_) => wanted.revision.clone(),
        };
        let snapshot = folder.join("snapshots").join(&commit);
        if is_plain(&commit) && snapshot.is_dir() {
            return Ok(snapshot);
        }
        if named.is_file() {
            let cause = format!("{} names the snapshot `{commit}`, which is not there: its download did not finish", named.display());
            return Err(refused(cause));
        }
        let there = names(&folder.join("refs"));
        let there = if there.is_empty() { names(&folder.join("snapshots")) } else { there };
        let cause = format!("{} has no revision `{}`; it has {}", folder.display(), wanted.revision, listed(&there));
        Err(refused(cause))
    }

    /// Names of the repositories of models that the cache holds, sorted.
    pub fn repositories(&self) -> Vec<String> {
        let folders = names(&self.root);
        folders.iter().filter_map(|name| name.strip_prefix("models--")?.split_once("--")).map(|(a, b)| format!("{a}/{b}")).collect()
    }
}

/// `org/name` or `org/name@REVISION`, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Whose it is.
    pub organisation: String,
    /// What it is called.
    pub name: String,
    /// Branch, tag or commit; `main` where none is named.
    pub revision: String,
}

impl Repository {
    /// The parts of such a name; `None` where it cannot be one.
    pub fn parse(path: &Path) -> Option<Self> {
        let (repository, revision) = match path.to_str()?.split_once('@') {
            Some((repository, revision)) => (repository, revision),
            None => (path.to_str()?, MAIN),
        };
        let (organisation, name) = repository.split_once('/')?;
        // A branch may have slashes (`refs/pr/1`), but nothing leads out of its folder.
        let inside = !revision.is_empty() && Path::new(revision).components().all(|part| matches!(part, Component::Normal(_)));
        let whole = is_plain(organisation) && is_plain(name) && inside;
        whole.then(|| Self { organisation: organisation.into(), name: name.into(), revision: revision.into() })
    }
}

impl std::fmt::Display for Repository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.organisation, self.name)?;
        if self.revision != MAIN { write!(f, "@{}", self.revision) } else { Ok(()) }
    }
}

/// Whether it can be one folder's name on the Hub.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}
