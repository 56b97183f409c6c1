//! The sign of life of a lock's holder: the file, written again every few seconds.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::file::is_at;
use crate::shown;

/// What a holder shows of itself.
pub(super) struct Sign {
    /// The lock file.
    pub path: PathBuf,
    /// What stands in it.
    pub text: Vec<u8>,
    /// Told in one line when the file is another's, or gone.
    pub alarm: fn(&str),
}

/// A thread that writes the file again, until this is dropped or the file is another's.
#[derive(Debug)]
pub(super) struct Beat {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Beat {
    /// Starts; `None` where the system gives no thread: the kernel's lock holds without.
    pub fn start(file: &File, sign: Sign, every: Duration) -> Option<Self> {
        let mut file = file.try_clone().ok()?;
        let (stop, stopped) = channel::<()>();
        let beat = move || {
            while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                // A look that fails, at a server that does not answer, says nothing: the next may not.
                if is_at(&file, &sign.path).is_ok_and(|own| !own) {
                    return (sign.alarm)(&lost(&sign.path));
                }
                // The same bytes, so that a reader finds them whole at any moment; written, so that
                // the server's clock says when.
                let _ = file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(&sign.text)).and_then(|()| file.sync_data());
            }
        };
        let thread = std::thread::Builder::new().name("lock".into()).spawn(beat).ok()?;
        Some(Self { stop: Some(stop), thread: Some(thread) })
    }
}

/// For the holder whose lock file is no longer its own.
fn lost(path: &Path) -> String {
    format!(
        "{}: this lock file was removed or replaced while its run was being written; make sure that no other command writes there",
        shown(&path.to_string_lossy())
    )
}

impl Drop for Beat {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
