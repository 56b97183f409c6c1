//! Commands as children: their memory limited, their end waited for, what they print looked at.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Address space of a child in KiB: 1 GB, of which threads, program and libraries take a quarter.
const SPACE: &str = "976562";
/// When a child that has not ended counts as hanging.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// `prism VERB` under the limit; more arguments follow.
pub fn prism(verb: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v \"$0\" && exec \"$@\"", SPACE, env!("CARGO_BIN_EXE_prism"), verb, "--threads", "2"]);
    for name in ["ID", "COUNT", "MIN", "STEP"] {
        command.env_remove(format!("SLURM_ARRAY_TASK_{name}"));
    }
    // Allocators reserve address space they never use: with these they ask for what they need.
    command.env("MIMALLOC_ARENA_RESERVE", "0").env("MALLOC_ARENA_MAX", "2");
    command.env_remove("PRISM_LIMITS").env("LC_ALL", "C.UTF-8").env("COLUMNS", "100");
    command.stdin(Stdio::null());
    command
}

/// A line that stands in texts of files, for one that a command might have printed.
pub const FORGED: &str = "error: forged";

/// A command that came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code.
    pub code: i32,
    /// What it printed as results.
    pub out: String,
    /// What it said.
    pub err: String,
}

/// Runs a command to its end, and looks at how it came there.
pub fn run(command: &mut Command) -> Ended {
    let [out, err] = [0; 2].map(|_| tempfile::tempfile().unwrap());
    let mut child = command.stdout(out.try_clone().unwrap()).stderr(err.try_clone().unwrap()).spawn().unwrap();
    let status = wait(&mut child, PATIENCE);
    let [out, err] = [out, err].map(|file| text(&file));
    ended(&format!("{command:?}"), status, out, err)
}

/// What a child wrote into a file so far. The file has one place with the child's, which is left where it is.
pub fn text(file: &File) -> String {
    let mut bytes = vec![0; usize::try_from(file.metadata().unwrap().len()).unwrap()];
    file.read_exact_at(&mut bytes, 0).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Waits for a child's end; `None`, and an end to it, where it does not come.
pub fn wait(child: &mut Child, patience: Duration) -> Option<ExitStatus> {
    let begun = Instant::now();
    while begun.elapsed() < patience {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}

/// Looks at a child's end: no hang, no signal (an allocation that fails is one), no panic, no code
/// that says the fault is Prism's, nothing a terminal would obey, no line that a file made.
pub fn ended(what: &str, status: Option<ExitStatus>, out: String, err: String) -> Ended {
    let status = status.unwrap_or_else(|| panic!("{what} hangs: {err}"));
    let code = status.code().unwrap_or_else(|| panic!("{what}: {status}: {err}"));
    assert!(matches!(code, 0 | 3 | 4), "{what} ended with {code}: {err}");
    assert!(!err.contains("panicked"), "{what}: {err}");
    for (which, printed) in [("stdout", &out), ("stderr", &err)] {
        if let Some(at) = printed.find(|c| is_raw(c) || is_unseen(c)) {
            panic!("{which} of {what} has a raw character: {:?}", near(printed, at));
        }
        assert!(!printed.lines().any(|line| line.starts_with(FORGED)), "{which} of {what} has a line that a file made: {printed}");
    }
    Ended { code, out, err }
}

impl Ended {
    /// That it was refused, by a message that names the file, the cause and the remedy.
    pub fn refused(&self, file: &str) -> &Self {
        assert_eq!(self.code, 3, "{self:?}");
        self.tells(file)
    }

    /// That it names the file, the cause and the remedy, whether or not it went on without the file.
    pub fn tells(&self, file: &str) -> &Self {
        let told = self.err.lines().find(|line| line.contains(file)).unwrap_or_else(|| panic!("`{file}` is not named: {self:?}"));
        let (cause, remedy) = told.rsplit_once("; ").unwrap_or_else(|| panic!("no remedy: {told}"));
        assert!(cause.split_once(file).is_some_and(|(_, cause)| cause.len() > 8) && remedy.len() > 8, "{told}");
        self
    }
}

/// What a terminal obeys instead of showing it: controls but line feed and tab, and what turns the
/// direction of text.
pub fn is_raw(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (c.is_control() && !matches!(c, '\n' | '\t')) || turns
}

/// What nobody sees where it stands in the texts that these tests put into files. Prism itself prints none of them.
pub fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}')
}

/// The text about a place.
pub fn near(text: &str, at: usize) -> String {
    let before = text[..at].chars().rev().take(60).collect::<Vec<_>>();
    before.into_iter().rev().chain(text[at..].chars().take(20)).collect()
}

/// `report`, `show` (as text and as JSON) and `compare` over a run folder; the page lies at `page`.
pub fn readers(run: &Path, page: &Path) -> [Ended; 4] {
    let report = self::run(prism("report").arg(run).arg("--out").arg(page));
    if let Ok(html) = std::fs::read_to_string(page) {
        let raw = html.find(|c| is_raw(c) && c != '\r');
        assert!(raw.is_none(), "the page has a raw character: {:?}", raw.map(|at| near(&html, at)));
        assert!(html.len() < 64 << 20, "a page of {} MB", html.len() >> 20);
    }
    [report, self::run(prism("show").arg(run)), self::run(prism("show").arg(run).arg("--json")), self::run(prism("compare").arg(run))]
}

/// `merge` of the shards of the honest run's copy at `run`, into a folder beside it.
pub fn merge(run: &Path) -> Ended {
    let out = run.with_file_name("merged");
    let _ = std::fs::remove_dir_all(&out);
    let shards = ["shard-1-of-2", "shard-2-of-2"].map(|shard| run.join(shard));
    self::run(prism("merge").arg(&out).args(shards))
}
