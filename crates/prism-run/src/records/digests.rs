//! Digests of records: what the files held when the model run ended.
//!
//! `records/digests.json` names every other file of the folder and its SHA-256. An audit reads
//! records that it did not make; a file that was exchanged or cut off since shows here.

use std::collections::BTreeMap;
use std::path::Path;

use crate::door::{self, Limit};
use crate::folder::{hash_reader, write_atomic};
use crate::shown::files::json_text;
use crate::{Error, Result};

/// Name of the file inside `records/`.
pub const DIGESTS: &str = "digests.json";

/// Hashes every file of `folder`, which is to become the records of a run, and writes the
/// digests beside them. The same files give the same bytes.
///
/// # Errors
/// When a file cannot be read or written.
pub fn write(folder: &Path) -> Result<()> {
    let path = folder.join(DIGESTS);
    write_atomic(&path, json_text(&hashes(folder)?, &path)?.as_bytes())
}

/// Names of the files in the records of `run` that are not what was written: changed, gone, or
/// added since; sorted. `None` where there are no digests: the records were made by an older
/// version, and nothing can be said of them.
///
/// # Errors
/// When the digests or a file cannot be read.
pub fn check(run: &Path) -> Result<Option<Vec<String>>> {
    let folder = super::folder(run);
    let path = folder.join(DIGESTS);
    if !door::stands(&path) {
        return Ok(None);
    }
    let text = door::read_bytes(&path, Limit::Manifest)?;
    let remedy = "record the run again: remove its `records` folder and run the same command";
    let known: BTreeMap<String, String> = serde_json::from_slice(&text).map_err(|e| Error::content(&path, e.to_string(), remedy))?;
    let found = hashes(&folder)?;
    let mut names: Vec<&String> = known.keys().chain(found.keys()).collect();
    names.sort_unstable();
    names.dedup();
    Ok(Some(names.into_iter().filter(|name| known.get(*name) != found.get(*name)).cloned().collect()))
}

/// SHA-256 of the files in `folder`, the digests apart, by name.
fn hashes(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut hashes = BTreeMap::new();
    for entry in door::entries(folder)? {
        if entry.name != DIGESTS && !entry.is_folder {
            let path = folder.join(&entry.name);
            hashes.insert(entry.name.to_string_lossy().into_owned(), hash_reader(&path, door::open(&path)?)?);
        }
    }
    Ok(hashes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_went_or_came_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let folder = crate::records::folder(dir.path());
        let put = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
        std::fs::create_dir(&folder).unwrap();
        for name in ["a", "b", "c"] {
            put(name, name);
        }
        assert_eq!(check(dir.path()).unwrap(), None, "records of an older version");
        write(&folder).unwrap();
        let first = std::fs::read_to_string(folder.join(DIGESTS)).unwrap();
        // SHA-256 of the one letter `a`, as sha256sum has it.
        assert!(first.contains("\"a\": \"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb\""), "{first}");
        assert_eq!(check(dir.path()).unwrap(), Some(vec![]));
        write(&folder).unwrap();
        assert_eq!(std::fs::read_to_string(folder.join(DIGESTS)).unwrap(), first);
        put("b", "other");
        put("d", "new");
        std::fs::remove_file(folder.join("c")).unwrap();
        assert_eq!(check(dir.path()).unwrap(), Some(vec!["b".into(), "c".into(), "d".into()]));
        put(DIGESTS, "{");
        assert!(check(dir.path()).unwrap_err().to_string().contains(DIGESTS));
    }
}
