//! `--download`: a checkpoint fetched from the Hub into its usual cache, with the Hub's own client.
//!
//! Only the files that a run reads are fetched. A download that was stopped goes on where it was. Every file is held
//! against the hash by which the Hub names it, and a name on the Hub is only put in place (`refs/main`) once all of its
//! files are there, so that nothing half-fetched is ever opened.

use std::collections::BTreeSet;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use hf_hub::api::sync::{Api, ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Repo, RepoType};
use prism_model::checkpoint::HubCache;
use prism_model::checkpoint::hub::Repository;
use prism_run::contained::contained;
use prism_run::shown;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::Context;
use crate::exit::Refused;

/// Where the Hub is, if it is not the public one.
const ENDPOINT: &str = "HF_ENDPOINT";
const PUBLIC: &str = "https://huggingface.co";
/// Names in a repository that are looked at.
const MOST_FILES: usize = 10_000;
/// Bytes of a file that is no weights.
const MOST_SMALL: usize = 256 << 20;

/// Fetches what is missing of a checkpoint; the folder of its snapshot.
///
/// # Errors
/// There is no network, the Hub has no such checkpoint or does not give it, or what came is not what the Hub names.
pub fn fetch(name: &Path, hub: &HubCache, context: &Context) -> anyhow::Result<PathBuf> {
    let Some(wanted) = Repository::parse(name) else {
        anyhow::bail!(Refused(format!("--download {}: is no name on the Hub; give org/name or org/name@REVISION", name.display())));
    };
    let endpoint = std::env::var(ENDPOINT).ok().filter(|text| !text.is_empty()).unwrap_or_else(|| PUBLIC.into());
    let fetching = Fetching { wanted: &wanted, endpoint: endpoint.trim_end_matches('/'), hub, context };
    // The client trusts the server's headers, and panics over bad ones: that ends here, in silence.
    let run = || anyhow::Ok(catch_unwind(AssertUnwindSafe(|| fetching.run())));
    contained(name, "try again", run)?.unwrap_or_else(|_| Err(fetching.wrong("answers what its client cannot read".into())))
}

struct Fetching<'a> {
    wanted: &'a Repository,
    endpoint: &'a str,
    hub: &'a HubCache,
    context: &'a Context,
}

impl Fetching<'_> {
    fn run(&self) -> anyhow::Result<PathBuf> {
        let api = self.api()?;
        let id = format!("{}/{}", self.wanted.organisation, self.wanted.name);
        let at = |revision: &str| api.repo(Repo::with_revision(id.clone(), RepoType::Model, revision.to_owned()));
        let info = at(&self.wanted.revision).info().map_err(|e| self.refused("is not there to be asked", &e))?;
        if !is_hex(&info.sha, &[40]) {
            return Err(self.wrong(format!("names the commit `{}`", info.sha)));
        }
        let there: BTreeSet<&str> = info.siblings.iter().take(MOST_FILES).map(|file| file.rfilename.as_str()).collect();
        let repo = at(&info.sha);
        for file in small_files(&there) {
            self.file(&api, &repo, &info.sha, file)?;
        }
        let snapshot = self.folder().join("snapshots").join(&info.sha);
        let weights = weights(&there, &snapshot);
        if weights.is_empty() {
            return Err(self.wrong("has no safetensors weights".into()));
        }
        for file in &weights {
            self.context.cancel.check()?;
            self.file(&api, &repo, &info.sha, file)?;
        }
        // The client names the commit itself; what was asked for is put in place last.
        let named = self.folder().join("refs").join(&self.wanted.revision);
        if self.wanted.revision != info.sha {
            std::fs::create_dir_all(named.parent().unwrap_or(&named))?;
            prism_run::folder::write_atomic(&named, info.sha.as_bytes())?;
        }
        Ok(snapshot)
    }

    fn api(&self) -> anyhow::Result<Api> {
        let builder = ApiBuilder::new().with_cache_dir(self.hub.root.clone()).with_endpoint(self.endpoint.to_owned());
        let token = std::env::var("HF_TOKEN").ok().filter(|token| !token.is_empty());
        let builder = if token.is_some() { builder.with_token(token) } else { builder };
        builder.with_progress(false).with_retries(3).build().map_err(|e| self.refused("cannot be asked", &e))
    }

    fn folder(&self) -> PathBuf {
        self.hub.root.join(format!("models--{}--{}", self.wanted.organisation, self.wanted.name))
    }

    /// Fetches one file unless it is there, and holds it against its hash.
    fn file(&self, api: &Api, repo: &ApiRepo, commit: &str, file: &str) -> anyhow::Result<()> {
        let place = self.folder().join("snapshots").join(commit).join(file);
        let about = api.metadata(&repo.url(file)).map_err(|e| self.refused(&format!("does not give {file}"), &e))?;
        let (etag, size) = (about.etag().to_owned(), about.size());
        if about.commit_hash() != commit || !is_hex(&etag, &[40, 64]) {
            return Err(self.wrong(format!("names {file} by `{etag}` of the commit `{}`", about.commit_hash())));
        }
        if !file.ends_with(".safetensors") && size > MOST_SMALL {
            return Err(self.wrong(format!("has {size} bytes in {file}, which is no file of weights")));
        }
        let blob = self.folder().join("blobs").join(&etag);
        if place.is_file() && place.canonicalize().ok() == blob.canonicalize().ok() && is_of(&blob, size, &etag)? {
            return Ok(());
        }
        self.context.printer.narrate(&format!("fetching {} ({} MiB)", shown(file), size >> 20));
        let part = blob.with_extension("part");
        if std::fs::metadata(&part).is_ok_and(|there| there.len() >= size as u64) {
            // All of it came and was not put in place: the client would ask for what lies behind its end.
            std::fs::remove_file(&part)?;
        }
        repo.download_with_progress(file, ()).map_err(|e| self.refused(&format!("did not give {file} to its end"), &e))?;
        if is_of(&blob, size, &etag)? {
            return Ok(());
        }
        // What is not the Hub's file must not be found by anyone.
        for path in [&place, &blob] {
            let _ = std::fs::remove_file(path);
        }
        Err(self.wrong(format!("gave another content of {file} than its hash `{etag}` says; it was thrown away")))
    }

    fn wrong(&self, cause: String) -> anyhow::Error {
        let text = format!("--download {}: {} {cause}; try again, or fetch it with `hf download`", self.wanted, self.endpoint);
        anyhow::anyhow!(Refused(text))
    }

    /// A refusal of the client's in words that say what to do.
    fn refused(&self, what: &str, error: &ApiError) -> anyhow::Error {
        let said = error.to_string();
        let status = |code: &str| said.contains(&format!("http status: {code}"));
        let remedy = if status("401") || status("403") {
            "it is private or gated, or its name is wrong: check the name, accept its terms on the Hub, and set HF_TOKEN"
        } else if status("404") {
            "there is no such checkpoint, revision or file: check the name"
        } else if matches!(error, ApiError::LockAcquisition(_)) {
            "another process is fetching it: wait for that one"
        } else {
            "is there a network? On a machine without one copy the Hub cache from another (HF_HOME), and leave --download out; \
             what was fetched is kept, and the same command goes on"
        };
        anyhow::anyhow!(Refused(format!("--download {}: {} {what} ({}); {remedy}", self.wanted, self.endpoint, shown(&said))))
    }
}

/// Configuration, tokenizer, processor and adapter settings, at the top of the repository.
fn small_files<'a>(there: &BTreeSet<&'a str>) -> Vec<&'a str> {
    let kind = |name: &str| [".json", ".txt", ".jinja"].iter().any(|end| name.ends_with(end));
    there.iter().copied().filter(|name| is_plain(name) && kind(name) && !name.starts_with("trainer_state")).collect()
}

/// The files of weights: those that the index names, else the one file; an adapter's too.
fn weights(there: &BTreeSet<&str>, snapshot: &Path) -> Vec<String> {
    let index = std::fs::read(snapshot.join("model.safetensors.index.json")).ok();
    let index: Option<serde_json::Value> = index.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let places = index.as_ref().and_then(|index| index.get("weight_map")?.as_object());
    let named: BTreeSet<&str> = places.into_iter().flat_map(|map| map.values()).filter_map(|name| name.as_str()).collect();
    let single = ["model.safetensors", "adapter_model.safetensors"];
    let one = single.into_iter().filter(|name| there.contains(name));
    let all: BTreeSet<&str> = named.into_iter().filter(|name| is_plain(name) && there.contains(name)).chain(one).collect();
    all.into_iter().map(str::to_owned).collect()
}

/// Whether it is one file's name, and leads nowhere.
fn is_plain(name: &str) -> bool {
    !name.starts_with('.') && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

fn is_hex(text: &str, lengths: &[usize]) -> bool {
    lengths.contains(&text.len()) && text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
}

/// Whether a file is the one that the Hub calls `etag`: SHA-256 of a large file, Git's own hash of a small one.
fn is_of(path: &Path, size: usize, etag: &str) -> anyhow::Result<bool> {
    let Ok(mut file) = std::fs::File::open(path) else { return Ok(false) };
    if file.metadata()?.len() != size as u64 {
        return Ok(false);
    }
    let mut block = vec![0; 1 << 20];
    let (mut long, mut short) = (Sha256::new(), Sha1::new());
    short.update(format!("blob {size}\0").as_bytes());
    loop {
        let read = file.read(&mut block)?;
        let Some(part) = block.get(..read).filter(|part| !part.is_empty()) else { break };
        if etag.len() == 64 { long.update(part) } else { short.update(part) }
    }
    let hash: Vec<u8> = if etag.len() == 64 { long.finalize().to_vec() } else { short.finalize().to_vec() };
    Ok(hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>() == etag)
}
