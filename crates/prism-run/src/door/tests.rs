//! The door: what it lets pass, and what it refuses.

use super::*;

#[test]
fn a_runs_parts_are_known_by_name() {
    for (path, run) in [
        ("a/run.json", "a"),
        ("a/records/answers.parquet", "a"),
        ("a/records.parts/part-00001/t.parquet", "a"),
        ("run.json", ""),
        ("/x/images/1.png", "/x"),
        // A run of any name.
        ("part-1/report.html", "part-1"),
        ("records/run.json", "records"),
        ("images/records/part-1/records/t.parquet", "images/records/part-1"),
        ("images/records/t.parquet", "images"),
    ] {
        assert_eq!(run_of(Path::new(path)), Path::new(run), "{path}");
    }
}

#[cfg(unix)]
#[test]
fn links_lead_nowhere_out_of_a_run() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let (run, other) = (dir.path().join("run"), dir.path().join("other"));
    std::fs::create_dir_all(run.join("records")).unwrap();
    std::fs::create_dir_all(&other).unwrap();
    std::fs::write(other.join("secret"), "secret").unwrap();
    std::fs::write(run.join("kept"), "kept").unwrap();
    symlink(other.join("secret"), run.join("a")).unwrap();
    symlink(&other, run.join("findings")).unwrap();
    symlink("../kept", run.join("records/b")).unwrap();
    symlink(other.join("nothing"), run.join("c")).unwrap();
    for name in ["a", "c", "findings/secret", "findings/absent"] {
        let told = open(&run.join(name)).unwrap_err().to_string();
        assert!(told.ends_with(&format!("a link leads from there out of the run folder; {COPY}")), "{told}");
    }
    assert_eq!(read_text(&run.join("records/b"), Limit::Manifest).unwrap(), "kept");
    // The run folder itself may be reached by a link.
    symlink(&run, dir.path().join("linked")).unwrap();
    assert_eq!(read_text(&dir.path().join("linked/kept"), Limit::Manifest).unwrap(), "kept");
    let opens = |name: &str| open_below(&run, Path::new(name)).is_some();
    for name in ["../other/secret", "findings/secret", "records/../../other/secret", "a", "c", "records", "/etc/passwd", ""] {
        assert!(!opens(name), "{name}");
    }
    for name in ["kept", "./kept", "records/b", "records/../kept"] {
        assert!(opens(name), "{name}");
    }
    // By a link that names the run from the root of the file system.
    symlink(run.join("kept"), run.join("records/whole")).unwrap();
    assert!(opens("records/whole"));
    // By a link to itself, and on a way without end.
    symlink("loop", run.join("loop")).unwrap();
    assert!(!opens("loop") && !opens(&"records/../".repeat(1000)));
    assert!(stands(&run.join("a")) && stands(&run.join("findings/x")) && !stands(&run.join("none")));
    assert!(holds_folder(&run.join("records")) && !holds_folder(&run.join("findings")));
    assert!(holds_file(&run.join("kept")) && !holds_file(&run.join("records/b")) && holds(&run.join("records/b")));
}

#[cfg(unix)]
#[test]
fn no_link_is_followed_from_a_folder_that_was_named_to_a_run() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let (study, other) = (dir.path().join("study"), dir.path().join("other"));
    for run in [study.join("seed/run"), other.join("run")] {
        std::fs::create_dir_all(run.join("records")).unwrap();
        std::fs::write(run.join("run.json"), "{}").unwrap();
    }
    symlink(&other, study.join("linked")).unwrap();
    let files = ["seed", "linked"].map(|seed| study.join(seed).join("run/run.json"));
    assert!(files.iter().all(|file| holds(file)), "both are the user's own as long as each is the path that was named");
    named(&study);
    assert!(holds(&files[0]) && !holds(&files[1]));
    assert!(open(&files[1]).unwrap_err().to_string().contains(LEADS_OUT));
    assert!(entries(&study.join("linked/run")).is_err() && !holds_folder(&study.join("linked/run/records")));
    let mut found: Vec<_> = entries(&study).unwrap().into_iter().map(|e| (e.name.into_string().unwrap(), e.is_folder)).collect();
    found.sort();
    assert_eq!(found, [("linked".to_string(), false), ("seed".to_string(), true)]);
    // Named itself, it is followed.
    named(&study.join("linked/run"));
    assert!(holds(&files[1]));
}

/// While one part of a path goes back and forth between what it was and a link that leads out, nothing outside is read.
#[cfg(target_os = "linux")]
#[test]
fn what_is_exchanged_while_it_is_read_leads_nowhere_else() {
    use std::sync::atomic::{AtomicBool, Ordering};

    use rustix::fs::{CWD, RenameFlags, renameat_with};

    let dir = tempfile::tempdir().unwrap();
    let (run, other, trap) = (dir.path().join("all/run"), dir.path().join("other"), dir.path().join("trap"));
    for (folder, text) in [(&run, "own"), (&other, "private")] {
        std::fs::create_dir_all(folder.join("records")).unwrap();
        std::fs::write(folder.join("records/t"), text).unwrap();
    }
    named(&dir.path().join("all"));
    let texts = || {
        let opened = open_below(&run, Path::new("records/t")).and_then(|file| std::io::read_to_string(file.ok()?).ok());
        [read_text(&run.join("records/t"), Limit::Manifest).ok(), opened]
    };
    for part in ["records/t", "records", ""] {
        let place = if part.is_empty() { run.clone() } else { run.join(part) };
        std::os::unix::fs::symlink(other.join(part), &trap).unwrap();
        let exchange = || renameat_with(CWD, &trap, CWD, &place, RenameFlags::EXCHANGE);
        let stop = AtomicBool::new(false);
        let seen: Vec<String> = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    exchange().unwrap();
                }
            });
            let seen = (0..4000).flat_map(|_| texts()).flatten().collect();
            stop.store(true, Ordering::Relaxed);
            seen
        });
        assert!(seen.iter().any(|text| text == "own"), "{part}: nothing is read");
        assert!(seen.iter().all(|text| text == "own"), "{part}: what lies outside is read");
        if std::fs::symlink_metadata(&place).unwrap().is_symlink() {
            exchange().unwrap();
        }
        std::fs::remove_file(&trap).unwrap();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_no_file_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert!(open(&pipe).unwrap_err().to_string().contains("not a regular file"));
    assert!(read_linked(&pipe, Limit::Manifest).unwrap_err().to_string().contains("not a regular file"));
    assert!(open(dir.path()).is_err());
    assert!(open(Path::new("/dev/zero")).is_err());
    let hollow = File::create(dir.path().join("hollow")).unwrap();
    hollow.set_len(1 << 40).unwrap();
    assert!(open(&dir.path().join("hollow")).unwrap_err().to_string().contains("holes"));
}

#[test]
fn a_long_file_is_told_from_one_that_just_fits() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.json");
    let most = Limit::Manifest.value() as usize;
    std::fs::write(&path, vec![b' '; most]).unwrap();
    assert_eq!(read_bytes(&path, Limit::Manifest).unwrap().len(), most);
    std::fs::write(&path, vec![b' '; most + 1]).unwrap();
    let told = read_bytes(&path, Limit::Manifest).unwrap_err().to_string();
    assert!(told.contains("run.json") && told.contains("--limits"), "{told}");
}
