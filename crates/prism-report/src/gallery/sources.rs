//! Where a page may take pictures from: the run, the world of its study, and folders that the user
//! named for their pictures.
//!
//! A record names its image by a path, and a record may come from anybody. A page is passed on,
//! so a picture from anywhere else on the machine has no place in it, and none of another run
//! that happens to be shown too.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Component, Path, PathBuf};

use prism_run::door;
use prism_run::folder::names;
use prism_run::manifest::Manifest;

/// Parts of a path that are looked at from its end, at most.
const LONGEST_END: usize = 16;

/// Folders below which pictures may lie, besides the run itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// What is shown: runs, studies, or folders that hold some.
    shown: Vec<PathBuf>,
    /// Folders named for their pictures.
    named: Vec<PathBuf>,
}

/// One folder of pictures.
struct Source {
    /// The folder out of which no link leads.
    folder: PathBuf,
    /// The part of it that holds the pictures.
    part: &'static str,
}

impl Source {
    /// A whole folder.
    fn whole(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf(), part: "" }
    }

    /// The picture of that name, if it is there.
    fn open(&self, name: &Path) -> Option<Result<File, String>> {
        let found = door::open_below(&self.folder, &Path::new(self.part).join(name))?;
        Some(found.map_err(|e| e.to_string()))
    }

    /// What is left of a whole path that leads below it.
    fn rest<'p>(&self, path: &'p Path) -> Option<&'p Path> {
        let at = |folder: PathBuf| path.strip_prefix(folder.join(self.part)).ok();
        at(std::path::absolute(&self.folder).ok()?).or_else(|| at(self.folder.canonicalize().ok()?))
    }
}

impl Sources {
    /// Pictures of the worlds of studies that are shown, and those below folders named for their pictures.
    pub fn new(shown: &[PathBuf], named: &[PathBuf]) -> Self {
        Self { shown: shown.to_vec(), named: named.to_vec() }
    }

    /// Opens the image that the records of `run` name.
    ///
    /// The path is tried as it is written. Where it leads nowhere, as in a folder that was moved, its
    /// end is looked for below the folders: in a run or a world a folder and a name at least, below a
    /// folder named for its pictures the name alone will do.
    ///
    /// # Errors
    /// The reason in words: the same whether the file exists elsewhere or not.
    pub fn open(&self, image: &str, run: &Path) -> Result<File, String> {
        let image = Path::new(image);
        let own: Vec<Source> = std::iter::once(Source::whole(run)).chain(self.world(run)).collect();
        let named: Vec<Source> = self.named.iter().map(|folder| Source::whole(folder)).collect();
        // A path that begins elsewhere is not even looked at: it may lie on a network that answers, or never does.
        let written = || {
            let whole = plain(&std::path::absolute(image).ok()?)?;
            own.iter().chain(&named).find_map(|source| source.open(source.rest(&whole)?))
        };
        let parts: Vec<&OsStr> = image.components().filter_map(name).collect();
        // A path with `..` in it has no end that could be trusted to mean one file.
        let is_plain = image.components().all(|part| !matches!(part, Component::ParentDir));
        let least = 2.min(parts.len());
        let below = |sources: &[Source], least: usize| {
            let first = parts.len().saturating_sub(LONGEST_END);
            let end = |from: usize| parts[from..].iter().collect::<PathBuf>();
            (first..(parts.len() + 1).saturating_sub(least.max(1)))
                .find_map(|from| sources.iter().find_map(|source| source.open(&end(from))))
        };
        let ends = || if is_plain { below(&own, least).or_else(|| below(&named, 1)) } else { None };
        written().or_else(ends).unwrap_or_else(|| {
            Err(format!(
                "{} lies neither in the run nor below a folder named with --images",
                image.file_name().unwrap_or_default().to_string_lossy()
            ))
        })
    }

    /// The world of the study that holds the run, where that study lies at or below what is shown.
    fn world(&self, run: &Path) -> Option<Source> {
        let is_shown = |folder: &Path| self.shown.iter().any(|shown| folder.starts_with(shown));
        let is_study = |folder: &Path| Manifest::read(folder).is_ok_and(|manifest| manifest.kind == "study");
        let study = run.ancestors().take_while(|folder| is_shown(folder)).find(|folder| is_study(folder))?;
        Some(Source { folder: study.to_path_buf(), part: names::WORLD })
    }
}

/// The name in a part of a path, if it has one.
fn name(part: Component<'_>) -> Option<&OsStr> {
    match part {
        Component::Normal(name) => Some(name),
        Component::RootDir | Component::CurDir | Component::ParentDir | Component::Prefix(_) => None,
    }
}

/// A whole path without `..`, taken as it is written; `None` where it climbs above the root.
fn plain(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => plain.pop().then_some(())?,
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    struct Place {
        dir: tempfile::TempDir,
        study: PathBuf,
        run: PathBuf,
        elsewhere: PathBuf,
    }

    /// What a picture holds, instead of a picture.
    type Seen = Result<String, String>;

    fn seen(sources: &Sources, image: impl AsRef<Path>, run: &Path) -> Seen {
        let mut text = String::new();
        sources.open(&image.as_ref().to_string_lossy(), run)?.read_to_string(&mut text).unwrap();
        Ok(text)
    }

    fn is_refused(seen: &Seen) -> bool {
        seen.as_ref().is_err_and(|told| told.contains("neither in the run nor below"))
    }

    fn place() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let (study, elsewhere) = (root.join("study"), root.join("elsewhere"));
        let run = study.join("seed-1/lvr/audit");
        for (folder, kind) in [(&run, "audit"), (&study, "study"), (&elsewhere, "audit")] {
            std::fs::create_dir_all(folder).unwrap();
            let manifest = serde_json::json!({"schema": 1, "kind": kind, "version": "0", "command": [], "commit": "", "host": "",
                "device": "", "dtype": "", "threads": 1, "inputs": {}, "started": ""});
            serde_json::from_value::<Manifest>(manifest).unwrap().write(folder).unwrap();
        }
        for (picture, text) in [
            (study.join("world/images/1.png"), "one"),
            (study.join("private.png"), "private"),
            (study.join("seed-1/notes/private.png"), "private"),
            (elsewhere.join("images/2.png"), "two"),
            (elsewhere.join("private.png"), "private"),
            (root.join("private.png"), "private"),
        ] {
            std::fs::create_dir_all(picture.parent().unwrap()).unwrap();
            std::fs::write(picture, text).unwrap();
        }
        Place { dir, study, run, elsewhere }
    }

    #[test]
    fn a_study_shows_its_world_wherever_it_was_moved_to() {
        let p = place();
        let shown = Sources::new(std::slice::from_ref(&p.study), &[]);
        let here = p.study.join("world/images/1.png");
        for name in [Path::new("/old/place/study/world/images/1.png"), Path::new("world/images/1.png"), &here] {
            assert_eq!(seen(&shown, name, &p.run).as_deref(), Ok("one"), "{}", name.display());
        }
        // The run alone does not show what lies beside it.
        assert!(is_refused(&seen(&Sources::default(), "world/images/1.png", &p.run)));
        // A name alone could be any file of a study.
        assert!(is_refused(&seen(&shown, "1.png", &p.run)));
        assert_eq!(seen(&Sources::new(&[], &[p.study.join("world/images")]), "1.png", &p.run).as_deref(), Ok("one"));
        // So does a folder that holds the study.
        let above = Sources::new(&[p.dir.path().canonicalize().unwrap()], &[]);
        assert_eq!(seen(&above, "world/images/1.png", &p.run).as_deref(), Ok("one"));
    }

    #[test]
    fn a_run_shows_nothing_of_what_lies_beside_it_though_that_is_shown_too() {
        let p = place();
        let root = p.dir.path().canonicalize().unwrap();
        let shown = Sources::new(&[root.clone(), p.study.clone(), p.elsewhere.clone()], &[]);
        for name in [root.join("private.png"), p.study.join("private.png"), p.elsewhere.join("private.png"), "private.png".into()] {
            assert!(is_refused(&seen(&shown, &name, &p.run)), "{}", name.display());
        }
        for name in ["notes/private.png", "elsewhere/images/2.png", "images/2.png", "world/../private.png", "seed-1/notes/private.png"] {
            assert!(is_refused(&seen(&shown, name, &p.run)), "{name}");
            assert!(is_refused(&seen(&shown, p.study.join(name), &p.run)), "{name}");
        }
        // A run of another folder has no part in the study's world.
        assert!(is_refused(&seen(&shown, p.study.join("world/images/1.png"), &p.elsewhere)));
        assert_eq!(seen(&shown, "images/2.png", &p.elsewhere).as_deref(), Ok("two"));
    }

    #[test]
    fn nothing_elsewhere_is_found_and_nothing_tells_whether_it_is_there() {
        let p = place();
        let shown = Sources::new(std::slice::from_ref(&p.study), &[]);
        let told = |name: &str| seen(&shown, name, &p.run).unwrap_err();
        for base in [p.elsewhere.display().to_string(), "../../../../elsewhere".into(), "../elsewhere/../../elsewhere".into()] {
            let (there, absent) = (told(&format!("{base}/images/2.png")), told(&format!("{base}/images/3.png")));
            assert_eq!(there, absent.replace("3.png", "2.png"));
        }
        let named = Sources::new(&[], std::slice::from_ref(&p.elsewhere));
        for name in ["/gone/images/2.png", "2.png"] {
            assert_eq!(seen(&named, name, &p.run).is_ok(), name != "2.png", "{name}");
        }
        let climbing = p.elsewhere.join("images/../images/2.png");
        assert_eq!(seen(&named, climbing, &p.run).as_deref(), Ok("two"));
    }

    #[cfg(unix)]
    #[test]
    fn links_in_a_run_lead_to_no_picture_elsewhere() {
        let p = place();
        std::os::unix::fs::symlink(p.elsewhere.join("images"), p.run.join("images")).unwrap();
        std::os::unix::fs::symlink(p.elsewhere.join("images/2.png"), p.run.join("2.png")).unwrap();
        for name in ["images/2.png", "2.png", "./images/2.png"] {
            assert!(is_refused(&seen(&Sources::default(), name, &p.run)), "{name}");
        }
        // Nor in the place of a world.
        std::fs::rename(p.study.join("world"), p.study.join("away")).unwrap();
        std::os::unix::fs::symlink(&p.elsewhere, p.study.join("world")).unwrap();
        let shown = Sources::new(std::slice::from_ref(&p.study), &[]);
        for name in ["world/images/2.png", "images/2.png", "private.png"] {
            assert!(is_refused(&seen(&shown, name, &p.run)), "{name}");
        }
    }

    /// While the folder of its pictures is a link to another one at times, no picture of that is shown.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_folder_that_is_exchanged_while_it_is_read_shows_nothing_else() {
        use std::sync::atomic::{AtomicBool, Ordering};

        use rustix::fs::{CWD, RenameFlags, renameat_with};

        let p = place();
        let (pictures, trap) = (p.run.join("pictures"), p.dir.path().join("trap"));
        std::fs::create_dir(&pictures).unwrap();
        std::fs::write(pictures.join("private.png"), "own").unwrap();
        std::os::unix::fs::symlink(&p.elsewhere, &trap).unwrap();
        let stop = AtomicBool::new(false);
        let all: Vec<Seen> = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    renameat_with(CWD, &trap, CWD, &pictures, RenameFlags::EXCHANGE).unwrap();
                }
            });
            let all = (0..4000).map(|_| seen(&Sources::default(), "pictures/private.png", &p.run)).collect();
            stop.store(true, Ordering::Relaxed);
            all
        });
        let read = |text: &str| all.iter().filter(|seen| seen.as_deref() == Ok(text)).count();
        assert_eq!(read("private"), 0, "of {} that were read", all.iter().flatten().count());
        assert!(read("own") > 0, "nothing was read");
    }
}
