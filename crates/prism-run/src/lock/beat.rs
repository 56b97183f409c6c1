//! The sign of life of a lock's holder: the file, written again every few seconds.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::file::is_at;

/// A thread that writes the file again, until this is dropped or the file is another's.
#[derive(Debug)]
pub(super) struct Beat {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Beat {
    /// Starts; `None` where the system gives no thread: the kernel's lock holds without.
    pub fn start(file: &File, text: Vec<u8>, path: &Path, every: Duration) -> Option<Self> {
        let (mut file, path) = (file.try_clone().ok()?, path.to_path_buf());
        let (stop, stopped) = channel::<()>();
        let beat = move || {
            while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) && is_at(&file, &path) {
                // The same bytes, so that a reader finds them whole at any moment; written, so that
                // the server's clock says when.
                let _ = file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(&text)).and_then(|()| file.sync_data());
            }
        };
        let thread = std::thread::Builder::new().name("lock".into()).spawn(beat).ok()?;
        Some(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
