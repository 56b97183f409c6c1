//! The indices last asked for, each as long as its run does not change.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use prism_run::Error;

use super::index::{self, Index};
use super::library::Run;

/// Runs whose index is kept, at most; all of them together take no more memory than one may.
const MOST_KEPT: usize = 8;

/// An index, or why there is none; shared, for several pages may wait for it.
type Made = Result<Arc<Index>, Arc<Error>>;

/// The indices last asked for, each as long as its run does not change.
#[derive(Debug, Default)]
pub struct Indices {
    /// The one asked for last is last.
    kept: Mutex<Vec<Kept>>,
}

#[derive(Debug, Clone)]
struct Kept {
    run: PathBuf,
    stamp: u64,
    index: Arc<OnceLock<Made>>,
}

impl Kept {
    fn weight(&self) -> usize {
        match self.index.get() {
            Some(Ok(index)) => index.weight(),
            Some(Err(_)) | None => 0,
        }
    }
}

impl Indices {
    /// The index of a run, read when it is not kept or the run has changed. While one run is read,
    /// the indices of others can be had.
    ///
    /// # Errors
    /// As [`Index::read`].
    pub fn of(&self, run: &Run) -> Made {
        let wanted = self.place(run);
        let made = wanted.index.get_or_init(|| Index::read(&run.path).map(Arc::new).map_err(Arc::new)).clone();
        let mut kept = self.lock();
        if made.is_err() {
            // The system may give later what it refused now.
            kept.retain(|other| !Arc::ptr_eq(&other.index, &wanted.index));
        }
        while kept.len() > 1 && (kept.len() > MOST_KEPT || kept.iter().map(Kept::weight).sum::<usize>() > index::most_bytes()) {
            kept.remove(0);
        }
        made
    }

    /// The place of a run's index, which may have to be filled.
    fn place(&self, run: &Run) -> Kept {
        let mut kept = self.lock();
        let place = match kept.iter().position(|kept| kept.run == run.path) {
            Some(there) => Some(kept.remove(there)).filter(|kept| kept.stamp == run.stamp),
            None => None,
        };
        let place = place.unwrap_or_else(|| Kept { run: run.path.clone(), stamp: run.stamp, index: Arc::default() });
        kept.push(place.clone());
        place
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
