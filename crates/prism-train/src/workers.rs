//! Work on the items of a list by several threads, each kernel single-threaded,
//! results in the order of the list.
//!
//! A worker is a thread pool of one: whatever a kernel would spread over the
//! current pool stays on its worker.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::{Error, Result};

/// Threads that work side by side, and wait for work in between.
#[derive(Debug, Clone)]
pub struct Workers(Arc<Vec<ThreadPool>>);

/// Results that arrived before their turn, and the next turn.
struct Turnstile<R, F> {
    turn: usize,
    waiting: BTreeMap<usize, R>,
    accept: F,
}

impl Workers {
    /// `count` threads (at least one).
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn new(count: usize) -> Result<Self> {
        let pool = |i: usize| ThreadPoolBuilder::new().num_threads(1).thread_name(move |_| format!("worker-{i}")).build();
        let pools: Result<Vec<_>, _> = (0..count.max(1)).map(pool).collect();
        pools.map(|pools| Self(Arc::new(pools))).map_err(|e| Error::Workers { count, cause: e.to_string() })
    }

    /// Runs `work` on every item, in any order, and `accept` on every result, in
    /// the order of the items and one at a time. Stops at an error.
    ///
    /// # Errors
    /// The error of the first item, in their order, among those that failed.
    pub fn run<T: Sync, R: Send>(
        &self,
        items: &[T],
        work: impl Fn(&T) -> Result<R> + Sync,
        accept: impl FnMut(usize, R) -> Result<()> + Send,
    ) -> Result<()> {
        let next = AtomicUsize::new(0);
        let stop = AtomicBool::new(false);
        let failure: Mutex<Option<(usize, Error)>> = Mutex::new(None);
        let turnstile = Mutex::new(Turnstile { turn: 0, waiting: BTreeMap::new(), accept });
        let fail = |index: usize, error: Error| {
            stop.store(true, Ordering::Relaxed);
            let mut failure = lock(&failure);
            if failure.as_ref().is_none_or(|(i, _)| index < *i) {
                *failure = Some((index, error));
            }
        };
        let take_turns = || {
            while !stop.load(Ordering::Relaxed) {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(item) = items.get(index) else { break };
                match work(item).and_then(|result| pass(&mut lock(&turnstile), index, result)) {
                    Ok(()) => {}
                    Err(error) => fail(index, error),
                }
            }
        };
        side_by_side(&self.0[..self.0.len().min(items.len())], &take_turns);
        match failure.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }

    /// `work` on every item; the results in the order of the items.
    ///
    /// # Errors
    /// As [`Workers::run`].
    pub fn map<T: Sync, R: Send>(&self, items: &[T], work: impl Fn(&T) -> Result<R> + Sync) -> Result<Vec<R>> {
        let mut results = Vec::with_capacity(items.len());
        self.run(items, work, |_, result| {
            results.push(result);
            Ok(())
        })?;
        Ok(results)
    }
}

/// Runs `work` once on every pool at the same time, and waits.
fn side_by_side(pools: &[ThreadPool], work: &(impl Fn() + Sync)) {
    if let Some((pool, rest)) = pools.split_first() {
        pool.in_place_scope(|scope| {
            scope.spawn(|_| work());
            side_by_side(rest, work);
        });
    }
}

fn pass<R, F: FnMut(usize, R) -> Result<()>>(turnstile: &mut Turnstile<R, F>, index: usize, result: R) -> Result<()> {
    turnstile.waiting.insert(index, result);
    while let Some(result) = turnstile.waiting.remove(&turnstile.turn) {
        let turn = turnstile.turn;
        turnstile.turn += 1;
        (turnstile.accept)(turn, result)?;
    }
    Ok(())
}

/// A panic elsewhere is reported by the scope; the data are not read after it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_whatever_the_threads() {
        let items: Vec<usize> = (0..100).collect();
        for workers in [1, 2, 7] {
            let results = Workers::new(workers).unwrap().map(&items, |&i| {
                std::thread::sleep(std::time::Duration::from_micros((100 - i as u64) * 5));
                Ok(i * i)
            });
            assert_eq!(results.unwrap(), items.iter().map(|i| i * i).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_error_stops_the_work() {
        let refuse = |&i: &usize| match i {
            3.. => Err(Error::Diverged { step: i, what: "the loss" }),
            _ => Ok(i),
        };
        let error = Workers::new(2).unwrap().map(&[0, 1, 2, 3], refuse).unwrap_err();
        assert!(error.to_string().contains("step 3"), "{error}");
    }
}
