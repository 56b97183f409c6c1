//! `run.json`: what ran, on what, and how it ended.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Error, Result, folder};

/// Version of the run folder's layout.
pub const SCHEMA: u32 = 1;

/// The provenance header of a run folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Layout version.
    pub schema: u32,
    /// What kind of run: `train`, `audit`, `eval`, `study`, `world`, `base`.
    pub kind: String,
    /// Version of Prism.
    pub version: String,
    /// Variant id, when the run has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Printed name of the variant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Training seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Benchmark name of an audit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub benchmark: Option<String>,
    /// The command line as typed.
    pub command: Vec<String>,
    /// Git commit the binary was built from, `-dirty` when the tree had changes.
    pub commit: String,
    /// Host name.
    pub host: String,
    /// Device and the reason for it.
    pub device: String,
    /// Dtype and the reason for it.
    pub dtype: String,
    /// Worker threads.
    pub threads: usize,
    /// SHA-256 of each input by name (data file, checkpoint weights, recipe).
    pub inputs: BTreeMap<String, String>,
    /// Examples per outcome.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outcomes: BTreeMap<String, usize>,
    /// Anything else worth keeping (decoding budget, steps, donors' pool, ...).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, serde_json::Value>,
    /// UTC time of start and end, RFC 3339; never part of findings.
    pub started: String,
    /// End; absent while running or after a kill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
}

impl Manifest {
    /// Reads `run.json` of the run folder.
    ///
    /// # Errors
    /// When it is absent or not a manifest of a known schema.
    pub fn read(run: &Path) -> Result<Self> {
        let path = run.join(folder::names::MANIFEST);
        let text = std::fs::read_to_string(&path).map_err(|e| Error::io("not a run folder: cannot read", &path, e))?;
        let manifest: Self =
            serde_json::from_str(&text).map_err(|e| Error::content(&path, e.to_string(), "run the command that made this folder again"))?;
        if manifest.schema != SCHEMA {
            let cause = format!("schema {} is not {SCHEMA}", manifest.schema);
            return Err(Error::content(&path, cause, "use the version of Prism that wrote it, or run again"));
        }
        Ok(manifest)
    }

    /// Writes `run.json` into the run folder, atomically.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be written.
    pub fn write(&self, run: &Path) -> Result<()> {
        let path = run.join(folder::names::MANIFEST);
        let mut text = serde_json::to_string_pretty(self).map_err(|e| Error::content(&path, e.to_string(), "report this as a bug"))?;
        text.push('\n');
        folder::write_atomic(&path, text.as_bytes())
    }
}
