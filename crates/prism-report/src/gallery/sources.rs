//! Where a page may take pictures from: the run, and folders that the user named.
//!
//! A record names its image by a path, and a record may come from anybody. A page is passed on,
//! so a picture from anywhere else on the machine has no place in it.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use prism_run::door;

/// Parts of a path that are looked at from its end, at most.
const LONGEST_END: usize = 16;

/// Folders below which pictures may lie, besides the run itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// Runs and studies that are shown.
    shown: Vec<PathBuf>,
    /// Folders named for their pictures.
    named: Vec<PathBuf>,
}

impl Sources {
    /// Pictures below the folders that are shown, and below those named for their pictures.
    pub fn new(shown: &[PathBuf], named: &[PathBuf]) -> Self {
        let whole = |folders: &[PathBuf]| folders.iter().filter_map(|folder| folder.canonicalize().ok()).collect();
        Self { shown: whole(shown), named: whole(named) }
    }

    /// The file of an image as the records of `run` name it.
    ///
    /// The path is tried as it is written. Where it leads nowhere, as in a folder that was moved, its
    /// end is looked for below the folders: in a run or study a folder and a name at least, below a
    /// folder named for its pictures the name alone will do.
    ///
    /// # Errors
    /// The reason in words: the same whether the file exists elsewhere or not.
    pub fn find(&self, image: &str, run: &Path) -> Result<PathBuf, String> {
        let image = Path::new(image);
        let run = run.canonicalize().ok();
        let shown: Vec<&Path> = run.iter().chain(&self.shown).map(PathBuf::as_path).collect();
        let named: Vec<&Path> = self.named.iter().map(PathBuf::as_path).collect();
        // A path that begins elsewhere is not even looked at: it may lie on a network that answers, or never does.
        let near = !image.is_absolute() || shown.iter().chain(&named).any(|folder| image.starts_with(folder));
        if near
            && let Ok(whole) = image.canonicalize()
            && shown.iter().chain(&named).any(|folder| whole.starts_with(folder))
            && whole.is_file()
        {
            return Ok(whole);
        }
        let parts: Vec<&OsStr> = image.components().filter_map(name).collect();
        // A path with `..` in it has no end that could be trusted to mean one file.
        let plain = image.components().all(|part| !matches!(part, Component::ParentDir));
        let least = 2.min(parts.len());
        let below = |folders: &[&Path], least: usize| {
            let first = parts.len().saturating_sub(LONGEST_END);
            let end = |from: usize| parts[from..].iter().collect::<PathBuf>();
            (first..(parts.len() + 1).saturating_sub(least.max(1)))
                .find_map(|from| folders.iter().find_map(|folder| door::below(folder, &end(from))))
        };
        let found = if plain { below(&shown, least).or_else(|| below(&named, 1)) } else { None };
        found.ok_or_else(|| {
            format!(
                "{} lies neither in the run nor below a folder named with --images",
                image.file_name().unwrap_or_default().to_string_lossy()
            )
        })
    }
}

/// The name in a part of a path, if it has one.
fn name(part: Component<'_>) -> Option<&OsStr> {
    match part {
        Component::Normal(name) => Some(name),
        Component::RootDir | Component::CurDir | Component::ParentDir | Component::Prefix(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place {
        _dir: tempfile::TempDir,
        study: PathBuf,
        run: PathBuf,
        elsewhere: PathBuf,
    }

    fn place() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let (study, elsewhere) = (root.join("study"), root.join("elsewhere"));
        let run = study.join("seed-1/lvr/audit");
        for folder in [&run, &study.join("world/images"), &elsewhere.join("images")] {
            std::fs::create_dir_all(folder).unwrap();
        }
        std::fs::write(study.join("world/images/1.png"), "1").unwrap();
        std::fs::write(elsewhere.join("images/2.png"), "2").unwrap();
        Place { _dir: dir, study, run, elsewhere }
    }

    #[test]
    fn a_study_shows_its_world_wherever_it_was_moved_to() {
        let p = place();
        let shown = Sources::new(std::slice::from_ref(&p.study), &[]);
        for name in ["/old/place/study/world/images/1.png", "runs/study/world/images/1.png", "world/images/1.png"] {
            assert_eq!(shown.find(name, &p.run).unwrap(), p.study.join("world/images/1.png"), "{name}");
        }
        // The run alone does not show what lies beside it.
        assert!(Sources::default().find("world/images/1.png", &p.run).is_err());
        // A name alone could be any file of a study.
        assert!(shown.find("1.png", &p.run).is_err());
        assert!(Sources::new(&[], &[p.study.join("world/images")]).find("1.png", &p.run).is_ok());
    }

    #[test]
    fn nothing_elsewhere_is_found_and_nothing_tells_whether_it_is_there() {
        let p = place();
        let shown = Sources::new(std::slice::from_ref(&p.study), &[]);
        let told = |name: &str| shown.find(name, &p.run).unwrap_err();
        for base in [p.elsewhere.display().to_string(), "../../../../elsewhere".into(), "../elsewhere/../../elsewhere".into()] {
            let (there, absent) = (told(&format!("{base}/images/2.png")), told(&format!("{base}/images/3.png")));
            assert_eq!(there, absent.replace("3.png", "2.png"));
        }
        assert!(Sources::new(&[], std::slice::from_ref(&p.elsewhere)).find("/gone/images/2.png", &p.run).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn links_in_a_run_lead_to_no_picture_elsewhere() {
        let p = place();
        std::os::unix::fs::symlink(p.elsewhere.join("images"), p.run.join("images")).unwrap();
        std::os::unix::fs::symlink(p.elsewhere.join("images/2.png"), p.run.join("2.png")).unwrap();
        for name in ["images/2.png", "2.png", "./images/2.png"] {
            assert!(Sources::default().find(name, &p.run).is_err(), "{name}");
        }
    }
}
