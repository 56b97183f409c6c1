//! What lies among the files of a run and was made by nobody who makes runs: it is never replaced.

use std::fs::DirEntry;
use std::path::{Path, PathBuf};

use prism_run::{door, records};

use crate::exit::Refused;

/// How the names of files end that a run writes into its records and findings, or leaves there when it is killed.
const ENDS: [&str; 4] = [".parquet", ".safetensors", ".json", ".tmp"];

/// Refuses to replace the records and findings of `run` where something else lies in them: a folder, which may be another
/// run, or a file of a name that no run gives.
///
/// # Errors
/// [`Refused`], which names what lies there.
pub fn refuse(run: &Path) -> anyhow::Result<()> {
    refuse_but(run, is_ours)
}

/// As [`refuse`], where a manifest says that records and findings are a run's: only a folder is none of its own.
///
/// # Errors
/// As [`refuse`].
pub fn refuse_folders(run: &Path) -> anyhow::Result<()> {
    refuse_but(run, |_| true)
}

fn refuse_but(run: &Path, passes: impl Fn(&str) -> bool) -> anyhow::Result<()> {
    let parts = [records::folder(run), prism_audit::findings::folder(run)];
    let Some(found) = parts.iter().find_map(|part| strange(part, &passes)) else { return Ok(()) };
    let text = format!("holds `{}`, which is no part of this run and would be lost; move it away, or give another --out", found.display());
    anyhow::bail!(Refused(format!("{}: {text}", run.display())))
}

/// The first entry of `part`, by name, that is a folder or has a name that does not pass. A link is replaced as a link.
fn strange(part: &Path, passes: impl Fn(&str) -> bool) -> Option<PathBuf> {
    if !door::holds_folder(part) {
        return None;
    }
    let is_strange = |entry: &DirEntry| {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        is_folder || !passes(&entry.file_name().to_string_lossy())
    };
    let mut all: Vec<DirEntry> = std::fs::read_dir(part).ok()?.flatten().filter(is_strange).collect();
    all.sort_by_key(DirEntry::file_name);
    all.first().map(DirEntry::path)
}

/// Whether a run gives such names. Hidden files are locks, and what file systems and desktops leave.
fn is_ours(name: &str) -> bool {
    name.starts_with('.') || ENDS.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_a_run_writes_may_be_replaced_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        assert!(refuse(&run).is_ok(), "there is nothing yet");
        let records = records::folder(&run);
        fs::create_dir_all(&records).unwrap();
        assert!(refuse(&run).is_ok() && refuse_folders(&run).is_ok(), "an empty folder");
        for name in ["answers.parquet", "plan.json", "latents.safetensors", "x.parquet.1-0123abcd-2.tmp", ".nfs0001"] {
            fs::write(records.join(name), "").unwrap();
        }
        assert!(refuse(&run).is_ok() && refuse_folders(&run).is_ok());
        fs::write(records.join("taxes.txt"), "mine").unwrap();
        let told = refuse(&run).unwrap_err().to_string();
        assert!(told.contains("taxes.txt") && told.contains("move it away"), "{told}");
        assert!(refuse_folders(&run).is_ok(), "a run whose manifest is there has its files replaced, as ever");
        fs::remove_file(records.join("taxes.txt")).unwrap();
        fs::create_dir(prism_audit::findings::folder(&run)).unwrap();
        fs::create_dir(prism_audit::findings::folder(&run).join("inner")).unwrap();
        for told in [refuse(&run), refuse_folders(&run)] {
            assert!(told.unwrap_err().to_string().contains("inner"));
        }
    }
}
