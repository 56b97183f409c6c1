//! Whose turn it is to be made: few pages at the same time, those that read much fewer still, and
//! those of one run fewer than these.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::limits::Limits;

/// How much a page reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Weight {
    /// Little.
    Light,
    /// Much, of the run of that id.
    OfRun(String),
    /// Much, of several.
    OfMany,
}

/// The turns of pages.
#[derive(Debug)]
pub struct Turns {
    light: Arc<Semaphore>,
    heavy: Arc<Semaphore>,
    of_one: usize,
    of_runs: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// A page's turn, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    _page: OwnedSemaphorePermit,
    _of_run: Option<OwnedSemaphorePermit>,
}

impl Turns {
    /// As many at a time as the limits allow, at least one of each kind.
    pub fn new(limits: &Limits) -> Self {
        let turns = |count: usize| Arc::new(Semaphore::new(count.max(1)));
        Self { light: turns(limits.light), heavy: turns(limits.heavy), of_one: limits.heavy_of_run.max(1), of_runs: Mutex::default() }
    }

    /// Pages that may have their turn at the same time.
    pub fn most(limits: &Limits) -> usize {
        limits.light.max(1) + limits.heavy.max(1)
    }

    /// Waits for the turn of a page.
    pub async fn wait(&self, weight: &Weight) -> Option<Turn> {
        let group = match weight {
            Weight::Light => return Some(Turn { _page: Arc::clone(&self.light).acquire_owned().await.ok()?, _of_run: None }),
            Weight::OfRun(id) => id.as_str(),
            Weight::OfMany => "",
        };
        // First among the pages of the run, so that they take no turns of others while they wait.
        let of_run = self.group(group).acquire_owned().await.ok()?;
        Some(Turn { _page: Arc::clone(&self.heavy).acquire_owned().await.ok()?, _of_run: Some(of_run) })
    }

    /// The turns of one run's pages.
    fn group(&self, id: &str) -> Arc<Semaphore> {
        let mut of_runs = self.of_runs.lock().unwrap_or_else(PoisonError::into_inner);
        // Of the others only those are needed that somebody has or waits for.
        of_runs.retain(|_, turns| Arc::strong_count(turns) > 1);
        Arc::clone(of_runs.entry(id.to_string()).or_insert_with(|| Arc::new(Semaphore::new(self.of_one))))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_run_that_takes_its_turns_leaves_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let turns = Turns::new(&Limits { heavy: 3, heavy_of_run: 2, light: 1, ..Limits::default() });
            let soon = async |weight: &Weight| tokio::time::timeout(Duration::from_millis(20), turns.wait(weight)).await.ok().flatten();
            let [a, b] = ["a", "b"].map(|id| Weight::OfRun(id.into()));
            let first = [soon(&a).await.unwrap(), soon(&a).await.unwrap()];
            assert!(soon(&a).await.is_none());
            let second = soon(&b).await.unwrap();
            assert!(soon(&b).await.is_none() && soon(&Weight::OfMany).await.is_none());
            let light = soon(&Weight::Light).await;
            assert!(light.is_some() && soon(&Weight::Light).await.is_none());
            drop(first);
            assert!(soon(&a).await.is_some() && soon(&b).await.is_some());
            drop(second);
            for id in 0..100 {
                assert!(soon(&Weight::OfRun(id.to_string())).await.is_some());
            }
            assert!(turns.of_runs.lock().unwrap().len() < 3, "no run is remembered whose pages nobody wants");
        });
    }
}
