//! Every way to hold, to lose and to find a lock, with the kernel's locks and without.

use std::process::{Child, Command};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use super::*;

const SOON: Duration = Duration::from_millis(300);

/// As usual, but quicker.
fn rules(kernel: bool) -> Rules {
    let milliseconds = Duration::from_millis;
    Rules { kernel, every: milliseconds(30), stale: SOON, poll: milliseconds(20), settle: milliseconds(100) }
}

/// Rules under which a test that waits fails.
fn impatient(kernel: bool) -> Rules {
    let long = Duration::from_secs(3600);
    Rules { kernel, stale: long, poll: long, ..rules(kernel) }
}

/// What any of these tests' holders was told, from threads of their own.
static ALARMS: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn alarm(line: &str) {
    ALARMS.lock().unwrap().push(line.into());
}

/// How often the holder of that folder was told that it holds it no more.
fn alarms(folder: &Path) -> usize {
    let path = folder.join(names::LOCK).display().to_string();
    ALARMS.lock().unwrap().iter().filter(|line| line.starts_with(&path) && line.lines().count() == 1).count()
}

/// Keeps what is said.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Progress for Heard {
    fn begin(&self, _: &str, _: &str, _: u64, _: u64) {}
    fn advance(&self, _: u64) {}
    fn note(&self, _: &str) {}
    fn end(&self) {}
    fn say(&self, line: &str) {
        self.0.lock().unwrap().push(line.into());
    }
}

fn take_heard(folder: &Path, rules: &Rules, heard: &Heard) -> Result<Lock> {
    let (command, since) = ("prism audit --out run", "2026-01-02T03:04:05Z");
    let claim = Claim { command, since, progress: heard, cancel: &Cancel::default(), alarm };
    Lock::take_by(folder, &claim, rules)
}

fn take(folder: &Path, rules: &Rules) -> Result<Lock> {
    take_heard(folder, rules, &Heard::default())
}

/// A lock file that some other process left.
fn leave(folder: &Path, process: Process) {
    leave_by(folder, process, true);
}

/// A lock file that some other process left, which had the kernel's lock on it or had not.
fn leave_by(folder: &Path, process: Process, kernel: bool) {
    let holder = Holder { process, since: "2025-12-31T00:00:00Z".into(), command: "prism train".into(), kernel };
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join(names::LOCK), holder.text(folder).unwrap()).unwrap();
}

/// A process of another machine.
fn elsewhere() -> Process {
    Process { host: "node7".into(), number: 4242, boot: Some("of node7".into()), ..Process::this().clone() }
}

fn refused(taken: Result<Lock>) -> String {
    let error = taken.unwrap_err();
    assert!(matches!(error, Error::Busy { .. }), "{error}");
    error.to_string()
}

fn written_ago(path: &Path, ago: Duration) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - ago).unwrap();
}

#[test]
fn a_second_writer_is_refused_in_one_line_and_the_folder_is_free_afterwards() {
    for kernel in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("a/run");
        let lock = take(&run, &rules(kernel)).unwrap();
        assert!(lock.is_fresh() && run.join(names::LOCK).is_file());
        let told = refused(take(&run, &impatient(kernel)));
        let process = format!("process {} on {}", std::process::id(), host());
        for words in [run.to_str().unwrap(), &process, "since 2026-01-02T03:04:05Z", "`prism audit --out run`", "another folder"] {
            assert!(told.contains(words), "`{words}` is not in: {told}");
        }
        assert_eq!(told.lines().count(), 1);
        // Another folder is another run, above or below.
        let below = take(&run.join("shard-1-of-2"), &rules(kernel)).unwrap();
        drop((below, take(dir.path(), &rules(kernel)).unwrap()));
        drop(lock);
        assert!(!dir.path().join("a").exists(), "what was made for the lock alone goes with it");
        assert!(dir.path().exists());
        fs::create_dir_all(&run).unwrap();
        fs::write(run.join("run.json"), "{}").unwrap();
        let lock = take(&run, &rules(kernel)).unwrap();
        assert!(!lock.is_fresh());
        drop(lock);
        assert_eq!(fs::read_dir(&run).unwrap().count(), 1, "no lock is left, and no other file of it");
    }
}

/// What a killed process left is taken over at once: with the kernel's lock, and by asking for the process.
#[test]
fn a_dead_holder_is_no_holder() {
    for kernel in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        leave(dir.path(), Process { number: child.id(), began: Some(1), ..Process::this().clone() });
        let lock = take(dir.path(), &impatient(kernel)).unwrap();
        refused(take(dir.path(), &impatient(kernel)));
        drop(lock);
        assert_eq!(fs::read_dir(dir.path()).map_or(0, Iterator::count), 0);
    }
}

#[test]
fn who_only_looks_sees_a_holder_and_disturbs_none() {
    let dir = tempfile::tempdir().unwrap();
    let (run, whole) = (dir.path().join("run"), dir.path().join("whole"));
    assert!(!is_held(&run), "where no folder is nobody writes");
    for kernel in [true, false] {
        let lock = take(&run, &rules(kernel)).unwrap();
        assert!(is_held(&run) && is_held(&run));
        refused(take(&run, &impatient(kernel)));
        drop(lock);
        assert!(!is_held(&run));
    }
    let claim = Claim { command: "", since: "", progress: &Heard::default(), cancel: &Cancel::default(), alarm };
    let beside = Lock::take_beside(&whole, &claim).unwrap();
    assert!(is_held(&whole) && !is_held(&run));
    drop(beside);
    // One that is dead, however young its file; one of another machine while it writes.
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    leave(&run, Process { number: child.id(), began: Some(1), ..Process::this().clone() });
    assert!(!is_held(&run));
    leave(&run, elsewhere());
    assert!(is_held(&run));
    written_ago(&run.join(names::LOCK), Duration::from_secs(60));
    assert!(!is_held(&run));
    // A link is nobody's lock.
    fs::remove_file(run.join(names::LOCK)).unwrap();
    std::os::unix::fs::symlink("/dev/zero", run.join(names::LOCK)).unwrap();
    assert!(!is_held(&run));
}

/// A living process that is not this one.
struct Sleeper(Child);

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn without_the_kernels_locks_a_living_process_is_a_holder_however_old_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let child = Sleeper(Command::new("sleep").arg("60").spawn().unwrap());
    // After its name in brackets the beginning is the 20th field.
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.0.id())).unwrap();
    let began = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().parse().ok();
    let process = Process { number: child.0.id(), began, ..Process::this().clone() };
    leave_by(dir.path(), process.clone(), false);
    written_ago(&dir.path().join(names::LOCK), Duration::from_secs(7200));
    // It got no lock of the kernel, as where the server of the locks was not up yet: that it has none proves nothing.
    for kernel in [false, true] {
        assert!(refused(take(dir.path(), &impatient(kernel))).contains(&format!("process {}", child.0.id())));
    }
    // One that got it and has it no more has ended, whatever bears its number now.
    leave_by(dir.path(), process, true);
    take(dir.path(), &impatient(true)).unwrap();
}

#[test]
fn another_machine_is_a_holder_while_it_writes_its_file_again() {
    for kernel in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(names::LOCK);
        leave(dir.path(), elsewhere());
        let text = fs::read(&path).unwrap();
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let mut file = File::options().write(true).open(&path).unwrap();
                    std::io::Write::write_all(&mut file, &text).unwrap();
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
            let heard = Heard::default();
            let told = take_heard(dir.path(), &Rules { stale: Duration::from_secs(30), ..rules(kernel) }, &heard);
            over.store(true, Ordering::Relaxed);
            let told = refused(told);
            assert!(told.contains("process 4242 on node7 (since 2025-12-31T00:00:00Z, `prism train`)"), "{told}");
            let heard = heard.0.into_inner().unwrap();
            assert!(heard.len() <= 1 && heard.iter().all(|line| line.contains("node7") && line.contains("waiting")), "{heard:?}");
        });
        assert_eq!(fs::read(&path).unwrap(), text, "what it holds is not touched");
    }
}

#[test]
fn another_machine_that_stopped_writing_is_waited_for_and_taken_over() {
    for kernel in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        leave(dir.path(), elsewhere());
        let (heard, began) = (Heard::default(), Instant::now());
        let lock = take_heard(dir.path(), &rules(kernel), &heard).unwrap();
        assert!(began.elapsed() >= SOON / 2, "{:?}", began.elapsed());
        assert_eq!(heard.0.lock().unwrap().len(), 1, "one line says why it waits");
        refused(take(dir.path(), &impatient(kernel)));
        drop(lock);

        // One that is old already is not waited for; nor one whose clock runs ahead for ever.
        for (ago, waits) in [(Duration::from_secs(7200), false), (Duration::ZERO, true)] {
            leave(dir.path(), elsewhere());
            let path = dir.path().join(names::LOCK);
            match waits {
                false => written_ago(&path, ago),
                true => {
                    File::options().write(true).open(&path).unwrap().set_modified(SystemTime::now() + Duration::from_secs(7200)).unwrap()
                }
            }
            let heard = Heard::default();
            drop(take_heard(dir.path(), &rules(kernel), &heard).unwrap());
            assert_eq!(heard.0.into_inner().unwrap().len(), usize::from(waits));
        }
    }
}

#[test]
fn a_stop_ends_the_waiting() {
    let dir = tempfile::tempdir().unwrap();
    leave(dir.path(), elsewhere());
    let cancel = Cancel::default();
    let claim = Claim { command: "prism", since: "", progress: &Heard::default(), cancel: &cancel, alarm };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(50));
            cancel.request();
        });
        let rules = Rules { stale: Duration::from_secs(3600), ..rules(true) };
        assert!(matches!(Lock::take_by(dir.path(), &claim, &rules), Err(Error::Interrupted)));
    });
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "the other's file alone");
}

/// Nothing that lies in the place of a lock file is followed, waited for or believed.
#[test]
fn what_is_no_lock_file_stops_nobody() {
    for kernel in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let (run, kept) = (dir.path().join("run"), dir.path().join("kept"));
        let path = run.join(names::LOCK);
        fs::create_dir(&run).unwrap();
        fs::write(&kept, "kept").unwrap();
        fs::write(run.join("other"), "").unwrap();
        std::os::unix::fs::symlink(&kept, &path).unwrap();
        drop(take(&run, &impatient(kernel)).unwrap());
        assert_eq!(fs::read_to_string(&kept).unwrap(), "kept");
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        drop(take(&run, &impatient(kernel)).unwrap());
        fs::create_dir(&path).unwrap();
        drop(take(&run, &impatient(kernel)).unwrap());
        for text in ["", "{}", "{\"process\": 1, \"host\": 3}", "not JSON \u{1b}[2J"] {
            fs::write(&path, text).unwrap();
            written_ago(&path, Duration::from_secs(60));
            drop(take(&run, &rules(kernel)).unwrap());
        }
        assert_eq!(fs::read_dir(&run).unwrap().count(), 1);
        // A name that is meant for the terminal of whoever is refused.
        let evil = Process { host: "a\u{1b}[2J\nb".into(), ..elsewhere() };
        let holder = Holder { process: evil, since: "\u{202e}".into(), command: "x".repeat(9000), kernel: true };
        let told = Error::Busy { path: run.clone(), holder: holder.words() }.to_string();
        assert!(!told.chars().any(crate::shown::is_obeyed) && told.len() < 600, "{told}");
    }
}

/// Of many that come at once, again and again, no two ever hold the folder.
#[test]
fn of_many_at_once_one_holds() {
    for (kernel, stale_first) in [(true, false), (false, false), (true, true), (false, true)] {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        if stale_first {
            leave(&run, elsewhere());
            written_ago(&run.join(names::LOCK), Duration::from_secs(7200));
        }
        let (holders, won) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let rules = Rules { stale: Duration::from_secs(60), settle: Duration::from_millis(400), ..rules(kernel) };
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        match take(&run, &rules) {
                            Ok(lock) => {
                                assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0, "kernel {kernel}, stale {stale_first}");
                                std::thread::sleep(Duration::from_millis(2));
                                holders.fetch_sub(1, Ordering::SeqCst);
                                won.fetch_add(1, Ordering::SeqCst);
                                drop(lock);
                            }
                            Err(error) => assert!(matches!(error, Error::Busy { .. }), "{error}"),
                        }
                    }
                });
            }
        });
        assert!(won.load(Ordering::SeqCst) > 0, "kernel {kernel}, stale {stale_first}");
        assert_eq!(fs::read_dir(&run).map_or(0, Iterator::count), 0, "no file is left");
    }
}

#[test]
fn a_holder_writes_its_file_again_and_leaves_that_of_another_alone() {
    for kernel in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(names::LOCK);
        let lock = take(dir.path(), &rules(kernel)).unwrap();
        let text = fs::read(&path).unwrap();
        written_ago(&path, Duration::from_secs(7200));
        let old = SystemTime::now() - Duration::from_secs(3600);
        let began = Instant::now();
        while fs::metadata(&path).unwrap().modified().unwrap() < old {
            assert!(began.elapsed() < Duration::from_secs(20), "it does not beat");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(fs::read(&path).unwrap(), text, "a beat changes no byte");
        // Somebody removed it by hand, and another took its place.
        fs::remove_file(&path).unwrap();
        leave(dir.path(), elsewhere());
        written_ago(&path, Duration::from_secs(7200));
        std::thread::sleep(Duration::from_millis(100));
        let began = Instant::now();
        while alarms(dir.path()) == 0 {
            assert!(began.elapsed() < Duration::from_secs(20), "the holder is told nothing");
            std::thread::sleep(Duration::from_millis(5));
        }
        drop(lock);
        assert!(path.is_file() && fs::metadata(&path).unwrap().modified().unwrap() < old);
        assert_eq!(alarms(dir.path()), 1);
    }
}

/// A server that does not answer for a moment: the holder goes on beating.
#[test]
fn a_look_that_fails_ends_no_beat() {
    let dir = tempfile::tempdir().unwrap();
    let (own, looping) = (dir.path().join("own"), dir.path().join("loop"));
    fs::write(&own, "text").unwrap();
    // What leads to itself can be neither seen nor said to be absent.
    std::os::unix::fs::symlink("loop", &looping).unwrap();
    let path = looping.join(names::LOCK);
    let file = File::options().read(true).write(true).open(&own).unwrap();
    assert!(file::is_at(&file, &path).is_err());
    let beat = Beat::start(&file, Sign { path, text: b"text".to_vec(), alarm }, Duration::from_millis(5)).unwrap();
    let old = SystemTime::now() - Duration::from_secs(3600);
    for _ in 0..2 {
        written_ago(&own, Duration::from_secs(7200));
        let began = Instant::now();
        while fs::metadata(&own).unwrap().modified().unwrap() < old {
            assert!(began.elapsed() < Duration::from_secs(20), "it does not beat any more");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    drop(beat);
    assert_eq!(alarms(&looping), 0);
}

#[test]
fn a_failed_run_is_cleared_and_runs_below_it_stay() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let lock = take(&run, &rules(true)).unwrap();
    fs::write(run.join(names::MANIFEST), "{}").unwrap();
    fs::create_dir_all(run.join(names::PARTS).join("part-00000")).unwrap();
    fs::create_dir_all(run.join("shard-1-of-2")).unwrap();
    lock.clear();
    let left: Vec<_> = fs::read_dir(&run).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(left.len() == 2 && left.contains(&".lock".to_string()) && left.contains(&"shard-1-of-2".to_string()), "{left:?}");
    drop(lock);
    assert!(run.join("shard-1-of-2").is_dir() && !run.join(names::LOCK).exists());
}

#[test]
fn a_folder_that_is_replaced_is_locked_from_beside() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("world");
    let cancel = Cancel::default();
    let heard = Heard::default();
    let claim = Claim { command: "prism world", since: "", progress: &heard, cancel: &cancel, alarm };
    let lock = Lock::take_beside(&target, &claim).unwrap();
    assert!(lock.is_fresh() && !target.exists() && dir.path().join(".world.lock").is_file());
    assert!(refused(Lock::take_beside(&target, &claim)).contains("world"));
    let partial = crate::folder::PartialFolder::create(&target).unwrap();
    fs::write(partial.path().join("a"), "a").unwrap();
    partial.finish().unwrap();
    drop(lock);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    assert!(!Lock::take_beside(&target, &claim).unwrap().is_fresh());
}

/// Nobody can write there, so nobody has to be kept away. The superuser can write anywhere.
#[test]
fn a_folder_that_cannot_be_written_needs_no_lock() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    fs::create_dir(&run).unwrap();
    fs::set_permissions(&run, fs::Permissions::from_mode(0o500)).unwrap();
    let lock = take(&run, &rules(true)).unwrap();
    let writable = fs::write(run.join("probe"), "").is_ok();
    assert_eq!(run.join(names::LOCK).exists(), writable);
    drop(lock);
    fs::set_permissions(&run, fs::Permissions::from_mode(0o700)).unwrap();
}
