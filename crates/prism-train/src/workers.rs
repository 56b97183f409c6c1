//! Work on the items of a list by several threads, each kernel single-threaded,
//! results in the order of the list.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::{Error, Result};

/// How many threads work side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workers(pub usize);

/// Results that arrived before their turn, and the next turn.
struct Turnstile<R, F> {
    turn: usize,
    waiting: BTreeMap<usize, R>,
    accept: F,
}

impl Workers {
    /// Runs `work` on every item, in any order, and `accept` on every result, in
    /// the order of the items and one at a time. Stops at an error.
    ///
    /// # Errors
    /// The error of the first item, in their order, among those that failed.
    pub fn run<T: Sync, R: Send>(
        self,
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
        let loop_ = || {
            while !stop.load(Ordering::Relaxed) {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(item) = items.get(index) else { break };
                match work(item).and_then(|result| pass(&mut lock(&turnstile), index, result)) {
                    Ok(()) => {}
                    Err(error) => fail(index, error),
                }
            }
        };
        let one = loop_;
        std::thread::scope(|scope| {
            (1..self.0.min(items.len())).for_each(|_| {
                scope.spawn(one);
            });
            one();
        });
        match failure.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }

    /// `work` on every item; the results in the order of the items.
    ///
    /// # Errors
    /// As [`Workers::run`].
    pub fn map<T: Sync, R: Send>(self, items: &[T], work: impl Fn(&T) -> Result<R> + Sync) -> Result<Vec<R>> {
        let mut results = Vec::with_capacity(items.len());
        self.run(items, work, |_, result| {
            results.push(result);
            Ok(())
        })?;
        Ok(results)
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
            let results = Workers(workers).map(&items, |&i| {
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
        let error = Workers(2).map(&[0, 1, 2, 3], refuse).unwrap_err();
        assert!(error.to_string().contains("step 3"), "{error}");
    }
}
