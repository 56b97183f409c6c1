//! Work that is done once for all who ask for it at the same time.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

/// How far work has come.
#[derive(Debug, Clone)]
pub enum Step<V> {
    /// It waits for its turn.
    Waits,
    /// It is being done.
    Runs,
    /// It is done.
    Done(V),
}

/// Why there is no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Late {
    /// Its turn did not come in time.
    Waits,
    /// It is still being done.
    Runs,
    /// It broke off.
    Broke,
}

type UnderWay<V> = HashMap<String, Arc<watch::Sender<Step<V>>>>;

/// Work under way, by what is asked for.
pub struct Flights<V> {
    under_way: Mutex<UnderWay<V>>,
}

impl<V> Default for Flights<V> {
    fn default() -> Self {
        Self { under_way: Mutex::default() }
    }
}

impl<V> fmt::Debug for Flights<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flights").field("under_way", &self.lock().len()).finish()
    }
}

impl<V> Flights<V> {
    fn lock(&self) -> MutexGuard<'_, UnderWay<V>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes what is asked for, if it is this work and not a later one.
    fn remove(&self, key: &str, tell: &Arc<watch::Sender<Step<V>>>) {
        let mut under_way = self.lock();
        if under_way.get(key).is_some_and(|there| Arc::ptr_eq(there, tell)) {
            under_way.remove(key);
        }
    }
}

impl<V: Clone + Send + Sync + 'static> Flights<V> {
    /// Takes part in the work that `key` asks for; `work` does it where nobody does. The work
    /// goes on when who began it leaves. It calls [`Flight::begin`] when its turn has come.
    pub fn join<F>(self: &Arc<Self>, key: &str, work: impl FnOnce(Arc<Flight<V>>) -> F) -> watch::Receiver<Step<V>>
    where
        F: Future<Output = Option<V>> + Send + 'static,
    {
        let mut under_way = self.lock();
        if let Some(tell) = under_way.get(key) {
            return tell.subscribe();
        }
        let (tell, told) = watch::channel(Step::Waits);
        let tell = Arc::new(tell);
        under_way.insert(key.to_string(), Arc::clone(&tell));
        drop(under_way);
        let flight = Arc::new(Flight { of: Arc::clone(self), key: key.to_string(), tell });
        let done = work(Arc::clone(&flight));
        tokio::spawn(async move {
            if let Some(value) = done.await {
                // Who comes after this begins anew, or finds it where it is kept.
                flight.of.remove(&flight.key, &flight.tell);
                flight.tell.send_replace(Step::Done(value));
            }
        });
        told
    }
}

/// One piece of work under way.
pub struct Flight<V> {
    of: Arc<Flights<V>>,
    key: String,
    tell: Arc<watch::Sender<Step<V>>>,
}

impl<V> Flight<V> {
    /// Says that the work's turn has come; `false` when nobody waits for it any more, so that it is not done.
    pub fn begin(&self) -> bool {
        let mut under_way = self.of.lock();
        // Nobody can join meanwhile.
        if self.tell.receiver_count() == 0 {
            under_way.remove(&self.key);
            return false;
        }
        drop(under_way);
        self.tell.send_replace(Step::Runs);
        true
    }
}

/// Work that ends without a result is not joined again.
impl<V> Drop for Flight<V> {
    fn drop(&mut self) {
        self.of.remove(&self.key, &self.tell);
    }
}

/// The result of work: at most `turn` until its turn comes, at most `most` while it is done.
///
/// # Errors
/// [`Late`] when it is not there by then.
pub async fn landed<V: Clone>(mut told: watch::Receiver<Step<V>>, turn: Duration, most: Duration) -> Result<V, Late> {
    let began = tokio::time::timeout(turn, told.wait_for(|step| !matches!(step, Step::Waits))).await.map(|step| step.is_ok());
    match began {
        Ok(true) => {}
        Ok(false) => return Err(Late::Broke),
        Err(_) => return Err(Late::Waits),
    }
    let value =
        tokio::time::timeout(most, told.wait_for(|step| matches!(step, Step::Done(_)))).await.map(|step| step.ok().map(|s| s.clone()));
    match value {
        Ok(Some(Step::Done(value))) => Ok(value),
        Ok(_) => Err(Late::Broke),
        Err(_) => Err(Late::Runs),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(20);

    fn run(work: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
    }

    #[test]
    fn all_who_ask_meanwhile_get_one_result() {
        run(async {
            let flights: Arc<Flights<usize>> = Arc::default();
            let (gate, times) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
            let ask = || {
                let (gate, times) = (Arc::clone(&gate), Arc::clone(&times));
                flights.join("a", move |flight| async move {
                    flight.begin();
                    let _turn = gate.acquire().await.ok()?;
                    Some(times.fetch_add(1, Ordering::Relaxed))
                })
            };
            let told: Vec<_> = (0..20).map(|_| ask()).collect();
            assert_eq!(landed(told[0].clone(), LONG, SHORT).await, Err(Late::Runs));
            gate.add_permits(1);
            for told in told {
                assert_eq!(landed(told, LONG, LONG).await, Ok(0));
            }
            assert_eq!(landed(ask(), LONG, LONG).await, Ok(1), "who asks afterwards gets a new one");
        });
    }

    #[test]
    fn what_nobody_waits_for_is_not_done() {
        run(async {
            let flights: Arc<Flights<usize>> = Arc::default();
            let (gate, times) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
            let ask = || {
                let (gate, times) = (Arc::clone(&gate), Arc::clone(&times));
                flights.join("a", move |flight| async move {
                    let _turn = gate.acquire().await.ok()?;
                    flight.begin().then(|| times.fetch_add(1, Ordering::Relaxed))
                })
            };
            assert_eq!(landed(ask(), SHORT, LONG).await, Err(Late::Waits));
            gate.add_permits(1);
            while !flights.lock().is_empty() {
                tokio::task::yield_now().await;
            }
            assert_eq!(times.load(Ordering::Relaxed), 0);
            assert_eq!(landed(ask(), LONG, LONG).await, Ok(0));
        });
    }

    #[test]
    fn work_that_breaks_off_says_so_and_is_begun_anew() {
        run(async {
            let flights: Arc<Flights<usize>> = Arc::default();
            let broken = flights.join("a", |flight| async move {
                flight.begin();
                None
            });
            assert_eq!(landed(broken, LONG, LONG).await, Err(Late::Broke));
            assert_eq!(landed(flights.join("a", |flight| async move { flight.begin().then_some(3) }), LONG, LONG).await, Ok(3));
        });
    }
}
