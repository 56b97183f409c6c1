//! An adapter's folder and its base's, put together: a folder of links to the files of both, in Prism's cache.
//!
//! Everything that reads a checkpoint then finds one folder, and the hash of its files says which base and which
//! adapter were run. Weights and `generation_config.json` are the base's. The tokenizer, the chat template, the
//! processor and `config.json` are the adapter's where it has them, for training may have added tokens.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use prism_run::folder::hash_bytes;

use super::config::AdapterConfig;
use super::{CONFIG, WEIGHTS, is_in};
use crate::checkpoint::files::{INDEX, SINGLE};
use crate::checkpoint::{Files, HubCache};
use crate::{Error, Result};

/// Files that are taken together: from the adapter if it has one of the first, else from the base.
const GROUPS: [(&[&str], &[&str]); 3] = [
    (&["tokenizer.json", "vocab.json"], &["tokenizer_config.json", "merges.txt", "added_tokens.json", "special_tokens_map.json"]),
    (&["preprocessor_config.json", "processor_config.json"], &["video_preprocessor_config.json"]),
    (&["config.json"], &[]),
];
const TEMPLATES: [&str; 2] = ["chat_template.jinja", "chat_template.json"];

/// Where a checkpoint's parts were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The folder to open.
    pub folder: PathBuf,
    /// What was put together, for the reader; `None` where a folder is opened as it is.
    pub told: Option<String>,
}

/// The folder to open for `folder`: itself, unless it holds an adapter whose base lies elsewhere, in `base` if that was
/// given, else where `adapter_config.json` says. Links are made below `cache`.
///
/// # Errors
/// The base is not found, or is not sure; or the links cannot be made.
pub fn place(folder: &Path, base: Option<&Path>, hub: &HubCache, cache: &Path) -> Result<Placed> {
    if !is_in(folder) {
        return match base {
            None => Ok(Placed { folder: folder.to_path_buf(), told: None }),
            Some(_) => Err(Error::content(
                folder,
                format!("holds no {CONFIG}, so --base does nothing"),
                "give an adapter's folder, or leave --base out",
            )),
        };
    }
    let own = has_weights(folder);
    let base = match base {
        Some(base) => hub.locate(base)?,
        None => match (named(folder, hub), own) {
            (Ok(named), true) if !is_same(&named, folder) => return beside(folder, &named),
            (_, true) => return Ok(Placed { folder: folder.to_path_buf(), told: Some("an adapter, over the weights beside it".into()) }),
            (Ok(named), false) => named,
            (Err(error), false) => return Err(error),
        },
    };
    if is_same(&base, folder) && own {
        return Ok(Placed { folder: folder.to_path_buf(), told: Some("an adapter, over the weights beside it".into()) });
    }
    if !has_weights(&base) {
        return Err(Error::content(&base, format!("has neither {SINGLE} nor {INDEX}"), "give --base the folder of a whole model"));
    }
    if is_in(&base) {
        return Err(Error::content(
            &base,
            "is an adapter's folder itself",
            "merge that one first, or give --base the folder of a whole model",
        ));
    }
    let told = format!("the adapter {} over {}", folder.display(), base.display());
    Ok(Placed { folder: link(folder, &base, cache)?, told: Some(told) })
}

fn has_weights(folder: &Path) -> bool {
    [SINGLE, INDEX].iter().any(|name| folder.join(name).is_file())
}

fn is_same(a: &Path, b: &Path) -> bool {
    a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// The base that `adapter_config.json` names, if it is on this machine.
fn named(folder: &Path, hub: &HubCache) -> Result<PathBuf> {
    let config = AdapterConfig::read(folder).map_err(|problems| Error::Checkpoint { path: folder.to_path_buf(), problems })?;
    let missing = |cause: String| Error::content(folder, cause, "give its base: --base DIR, or --base org/name");
    let name = config.base.ok_or_else(|| missing(format!("{CONFIG} names no base")))?;
    hub.locate(Path::new(&name))
        .map_err(|_| missing(format!("is an adapter over {name}, which is neither a folder here nor in the Hub cache")))
}

/// An adapter beside weights, of which `adapter_config.json` names others: only where the two are the same is it sure
/// that the adapter has not been merged into them already.
fn beside(folder: &Path, named: &Path) -> Result<Placed> {
    let (own, other) = (Files::open(folder)?, Files::open(named)?);
    let changed: Vec<String> = own.adapter().into_iter().flat_map(|adapter| adapter.changed()).map(str::to_owned).collect();
    if let Some(name) = changed.iter().find(|name| !own.is_stored_alike(name, &other)) {
        let cause = format!(
            "holds an adapter beside weights that are not its base's ({name} differs from {}): merged already, or another base",
            named.display()
        );
        return Err(Error::content(folder, cause, "say which with --base DIR, or take the adapter's two files out of the folder"));
    }
    Ok(Placed { folder: folder.to_path_buf(), told: Some("an adapter, over the weights beside it".into()) })
}

/// What goes where: name and the file it stands for.
fn parts(adapter: &Path, base: &Path) -> Result<BTreeMap<OsString, PathBuf>> {
    let mut parts = BTreeMap::new();
    let entries = std::fs::read_dir(base).map_err(|e| Error::io("cannot read", base, e))?;
    for entry in entries {
        let path = entry.map_err(|e| Error::io("cannot read", base, e))?.path();
        if let (Some(name), true) = (path.file_name(), path.is_file()) {
            parts.insert(name.to_owned(), path);
        }
    }
    let has = |name: &str| adapter.join(name).is_file();
    let mut take = |names: &mut dyn Iterator<Item = &'static str>| {
        for name in names {
            parts.remove(std::ffi::OsStr::new(name));
            if has(name) {
                parts.insert(name.into(), adapter.join(name));
            }
        }
    };
    for (deciding, others) in GROUPS {
        if deciding.iter().any(|name| has(name)) {
            take(&mut deciding.iter().chain(others).copied());
        }
    }
    let in_config = || {
        let text = prism_run::door::read_linked(&adapter.join("tokenizer_config.json"), prism_run::door::Limit::Settings).ok();
        let value: Option<serde_json::Value> = text.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        has("tokenizer.json") && value.is_some_and(|value| value.get("chat_template").is_some_and(|template| !template.is_null()))
    };
    if TEMPLATES.iter().any(|name| has(name)) || in_config() {
        take(&mut TEMPLATES.into_iter());
    }
    take(&mut [CONFIG, WEIGHTS, "adapter_model.bin", "non_lora_state_dict.bin", "non_lora_trainables.bin"].into_iter());
    Ok(parts)
}

/// A folder of links to the parts, made whole and put in place at once.
fn link(adapter: &Path, base: &Path, cache: &Path) -> Result<PathBuf> {
    let whole = |path: &Path| path.canonicalize().map_err(|e| Error::io("cannot read", path, e));
    let (adapter, base) = (whole(adapter)?, whole(base)?);
    let parts = parts(&adapter, &base)?;
    // What is linked decides the name: with a file more or less it is another folder.
    let mut key = Vec::new();
    for (name, path) in &parts {
        key.extend_from_slice(name.as_encoded_bytes());
        key.push(0);
        key.extend_from_slice(path.as_os_str().as_encoded_bytes());
        key.push(0);
    }
    let hash = hash_bytes(&key);
    let called = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = format!("{}-over-{}-{}", called(&adapter), called(&base), hash.get(..16).unwrap_or(&hash));
    let folder = cache.join("adapters").join(name);
    let is_whole = |folder: &Path| parts.iter().all(|(name, path)| std::fs::read_link(folder.join(name)).is_ok_and(|to| to == *path));
    if is_whole(&folder) {
        return Ok(folder);
    }
    let beside = prism_run::folder::beside(&folder);
    let failed = |e: std::io::Error| Error::io("cannot make links in Prism's cache (PRISM_CACHE names another)", &beside, e);
    std::fs::create_dir_all(&beside).map_err(failed)?;
    for (name, path) in &parts {
        symlink(path, &beside.join(name)).map_err(failed)?;
    }
    // Another process may have been first, with the same links.
    if let Err(error) = std::fs::rename(&beside, &folder) {
        let _ = std::fs::remove_dir_all(&beside);
        if !is_whole(&folder) {
            let _ = std::fs::remove_dir_all(&folder);
            return Err(failed(error));
        }
    }
    Ok(folder)
}

#[cfg(unix)]
fn symlink(to: &Path, from: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(to, from)
}

#[cfg(not(unix))]
fn symlink(to: &Path, from: &Path) -> std::io::Result<()> {
    std::fs::hard_link(to, from)
}
