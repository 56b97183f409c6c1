//! The connections that are held, and which of them goes when there are too many.
//!
//! Any account of the machine can open connections. One that has shown no token goes first, the
//! oldest before the others; then one with the token on which nothing moves. So a crowd of
//! half-open connections does not keep out the one who started the explorer. Every connection has a
//! moment to show the token: while all that have shown none are younger, another one waits.
//!
//! A client with the token may ask again and again and never read: something moves, or an answer is
//! always being made. So none keeps its place for good. Where all are taken, the one that was opened
//! first goes when it has had its place for a while, whatever is done on it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// How long nothing has moved on a connection with the token before it may be ended for another.
const QUIET: Duration = Duration::from_secs(1);
/// How long a connection may take to show the token before it may be ended for another.
const YOUNG: Duration = Duration::from_millis(50);
/// How often room is looked for.
const GLANCE: Duration = Duration::from_millis(50);

/// What is known of one connection.
#[derive(Debug)]
pub struct Connection {
    begun: Instant,
    admitted: AtomicBool,
    making: AtomicUsize,
    /// Milliseconds from `begun` to when something moved last.
    moved: AtomicU64,
    given_up: AtomicBool,
    leave: Notify,
}

impl Connection {
    /// A connection that has just been opened.
    pub fn new() -> Self {
        Self {
            begun: Instant::now(),
            admitted: AtomicBool::new(false),
            making: AtomicUsize::new(0),
            moved: AtomicU64::new(0),
            given_up: AtomicBool::new(false),
            leave: Notify::new(),
        }
    }

    /// Notes that it has shown the token.
    pub fn admit(&self) {
        self.admitted.store(true, Ordering::Relaxed);
    }

    /// Notes that something was read or written.
    pub fn moves(&self) {
        let since = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved.store(since, Ordering::Relaxed);
    }

    /// Whether it was opened a moment ago.
    fn is_young(&self) -> bool {
        self.begun.elapsed() < YOUNG
    }

    /// How long nothing was read or written.
    fn quiet(&self) -> Duration {
        self.begun.elapsed().saturating_sub(Duration::from_millis(self.moved.load(Ordering::Relaxed)))
    }

    /// Notes that an answer is being made, until what is returned is dropped.
    pub fn makes(self: &Arc<Self>) -> Making {
        self.making.fetch_add(1, Ordering::Relaxed);
        Making(Arc::clone(self))
    }

    /// Ends it, whatever was not sent yet.
    pub fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
        self.leave.notify_one();
    }

    /// Whether it was given up.
    pub fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }

    /// Waits until it is given up.
    pub async fn ended(&self) {
        self.leave.notified().await;
    }

    fn is_idle(&self) -> bool {
        self.making.load(Ordering::Relaxed) == 0
    }

    fn is_admitted(&self) -> bool {
        self.admitted.load(Ordering::Relaxed)
    }
}

impl Default for Connection {
    fn default() -> Self {
        Self::new()
    }
}

/// An answer being made on a connection.
#[derive(Debug)]
pub struct Making(Arc<Connection>);

impl Drop for Making {
    fn drop(&mut self) {
        self.0.making.fetch_sub(1, Ordering::Relaxed);
        self.0.moves();
    }
}

/// The connections held at the same time.
#[derive(Debug)]
pub struct Connections {
    most: usize,
    /// How long one with the token keeps its place whatever others want.
    held: Duration,
    open: Mutex<Open>,
    ended: Notify,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    /// By the order in which they were opened.
    all: BTreeMap<u64, Arc<Connection>>,
}

impl Connections {
    /// Room for `most`, at least one, each of which keeps its place for `held` if it shows the token.
    pub fn new(most: usize, held: Duration) -> Self {
        Self { most: most.max(1), held, open: Mutex::default(), ended: Notify::new() }
    }

    /// A place for another, as soon as there is one.
    pub async fn enter(self: &Arc<Self>) -> Place {
        loop {
            if let Some(place) = self.try_enter() {
                return place;
            }
            let _ = tokio::time::timeout(GLANCE, self.ended.notified()).await;
        }
    }

    /// A place for another, if need be that of the one needed least.
    fn try_enter(self: &Arc<Self>) -> Option<Place> {
        let mut open = self.lock();
        if open.all.len() >= self.most {
            let least = least_needed(&open.all, self.held)?;
            if let Some(connection) = open.all.remove(&least) {
                connection.give_up();
            }
        }
        let id = open.next;
        open.next += 1;
        let connection = Arc::new(Connection::new());
        open.all.insert(id, Arc::clone(&connection));
        Some(Place { of: Arc::clone(self), id, connection })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.lock().all.len()
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connection that may go first, if any may.
fn least_needed(all: &BTreeMap<u64, Arc<Connection>>, held: Duration) -> Option<u64> {
    let idle = || all.iter().filter(|(_, connection)| connection.is_idle());
    let quiet = || idle().filter(|(_, connection)| connection.quiet() >= QUIET).max_by_key(|(_, connection)| connection.quiet());
    match idle().find(|(_, connection)| !connection.is_admitted()) {
        // It is the oldest of its kind. Where it is young, so are the others, and none has to go yet.
        Some((id, connection)) => (!connection.is_young()).then_some(*id),
        None => quiet().or_else(|| all.iter().next().filter(|(_, first)| first.begun.elapsed() >= held)).map(|(id, _)| *id),
    }
}

/// A connection among those held, until it is dropped.
#[derive(Debug)]
pub struct Place {
    of: Arc<Connections>,
    id: u64,
    connection: Arc<Connection>,
}

impl Place {
    /// The connection.
    pub fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.of.lock().all.remove(&self.id);
        self.of.ended.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn one_with_the_token_has_its_place_for_a_while_and_not_for_good() {
        let all = Arc::new(Connections::new(2, 3 * YOUNG));
        let begun = Instant::now();
        let places = [all.try_enter().unwrap(), all.try_enter().unwrap()];
        places.iter().for_each(|place| place.connection().admit());
        // One is always at work, and on the other something moves all the time.
        let _making = places[0].connection().makes();
        let third = loop {
            places[1].connection().moves();
            match all.try_enter() {
                Some(place) => break place,
                None => std::thread::sleep(YOUNG / 10),
            }
        };
        assert!(begun.elapsed() >= 3 * YOUNG);
        assert!(places[0].connection().is_given_up() && !places[1].connection().is_given_up());
        drop(third);
    }

    #[test]
    fn one_without_the_token_goes_first_and_one_at_work_stays() {
        let all = Arc::new(Connections::new(3, LONG));
        let places: Vec<Place> = (0..3).map(|_| all.try_enter().unwrap()).collect();
        places[0].connection().admit();
        let _making = places[1].connection().makes();
        std::thread::sleep(YOUNG);
        let fourth = all.try_enter().unwrap();
        assert_eq!(all.count(), 3);
        assert_eq!(all.lock().all.keys().copied().collect::<Vec<_>>(), [0, 1, 3]);
        // The one that went gives nothing back that is not its own.
        drop(places);
        assert_eq!(all.count(), 1);
        fourth.connection().admit();
        let _others = [all.try_enter().unwrap(), all.try_enter().unwrap()].map(|place| {
            place.connection().admit();
            place
        });
        assert!(all.try_enter().is_none(), "all have shown the token, and something moved just now");
    }

    #[test]
    fn one_that_was_just_opened_has_a_moment_to_show_the_token() {
        let all = Arc::new(Connections::new(2, LONG));
        let begun = Instant::now();
        let admitted = all.try_enter().unwrap();
        admitted.connection().admit();
        let _new = all.try_enter().unwrap();
        // On a machine that is busy the moment may be over before anybody asks.
        let third = all.try_enter();
        assert!(third.is_none() || begun.elapsed() >= YOUNG, "it was ended at once");
        drop(third);
        std::thread::sleep(YOUNG);
        assert!(all.try_enter().is_some());
        assert!(!admitted.connection().is_given_up());
    }

    #[test]
    fn one_with_the_token_goes_when_nothing_moves() {
        let all = Arc::new(Connections::new(1, LONG));
        let place = all.try_enter().unwrap();
        place.connection().admit();
        assert!(all.try_enter().is_none());
        std::thread::sleep(QUIET + Duration::from_millis(50));
        assert!(all.try_enter().is_some());
    }
}
