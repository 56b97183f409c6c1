//! A template run where it does no harm. A checkpoint's template is a program from outside: it may nest without end, run into a
//! library's panic, or double a text until memory is full or time is, which no count of its instructions sees.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use prism_run::contained::contained;
use prism_run::{Error, Result};

use super::REMEDY;

/// Stack of the thread it runs on: enough for the deepest nesting that [`LONGEST_SOURCE`] has room for.
const STACK: usize = 256 << 20;
/// Bytes of a template's source at most.
const LONGEST_SOURCE: usize = 256 << 10;
/// Memory may grow by this much while one is run, bytes. Looked at from the first tick on: others run for less than one.
const MOST_GROWTH: u64 = 512 << 20;
const TICK: Duration = Duration::from_millis(10);
/// Time at most: a template runs for less than a millisecond.
const LONGEST: Duration = Duration::from_secs(30);

/// Refuses a source that no chat template needs.
///
/// # Errors
/// It is longer than any.
pub(super) fn check_length(source: &str, path: &Path) -> Result<()> {
    if source.len() <= LONGEST_SOURCE {
        return Ok(());
    }
    Err(Error::content(path, format!("the chat template is {} bytes long, more than {LONGEST_SOURCE}", source.len()), REMEDY))
}

/// Runs `work` on a thread of its own.
///
/// # Errors
/// `work`'s own; it panicked; or memory grew without end. Its thread is then left behind, and `given_up` keeps others from following.
pub(super) fn guarded<T: Send + 'static>(
    path: &Path,
    given_up: &AtomicBool,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let endless = || {
        let cause = format!("the chat template comes to no end within {} MiB and {} s", MOST_GROWTH >> 20, LONGEST.as_secs());
        Error::content(path, cause, REMEDY)
    };
    if given_up.load(Ordering::Relaxed) {
        return Err(endless());
    }
    let (send, receive) = sync_channel(1);
    let of = path.to_path_buf();
    let run = move || {
        // Nobody waits for what was given up.
        let _ = send.send(contained(&of, REMEDY, work));
    };
    let (began, at) = (resident(), Instant::now());
    let thread = std::thread::Builder::new().name("chat template".into()).stack_size(STACK).spawn(run);
    thread.map_err(|e| Error::io("cannot start a thread for", path, e))?;
    loop {
        match receive.recv_timeout(TICK) {
            Ok(done) => return done,
            Err(RecvTimeoutError::Disconnected) => return Err(Error::content(path, "the chat template's thread ended", REMEDY)),
            Err(RecvTimeoutError::Timeout) => {}
        }
        let grown = resident().zip(began).is_some_and(|(now, began)| now > began.saturating_add(MOST_GROWTH));
        if grown || at.elapsed() > LONGEST {
            given_up.store(true, Ordering::Relaxed);
            return Err(endless());
        }
    }
}

/// Memory of this process, bytes; absent where the system does not tell.
fn resident() -> Option<u64> {
    let pages: u64 = std::fs::read_to_string("/proc/self/statm").ok()?.split_whitespace().nth(1)?.parse().ok()?;
    // Linux on the machines that Prism is built for has pages of 4 KiB, else larger ones: the limit is then reached later.
    Some(pages << 12)
}
