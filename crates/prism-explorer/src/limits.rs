//! How much a server holds and does at once, and how long it waits: every number in one place.

use std::time::Duration;

/// The numbers of a [`super::Server`]. A test gives its own; everybody else has these.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections held at once. Beyond, the one that is needed least is ended.
    pub connections: usize,
    /// How long one that has shown the token keeps its place while all are taken, whatever is done on it.
    pub held: Duration,
    /// How long the head of a request may take, from the moment the connection waits for it: so
    /// long, too, may a connection stay that asks for nothing more.
    pub head: Duration,
    /// Bytes of a request's head.
    pub head_bytes: usize,
    /// How long a client may take to accept [`Limits::swallow_bytes`] of an answer that waits for it.
    pub swallow: Duration,
    /// Bytes it must accept in that time, or be cut off.
    pub swallow_bytes: usize,
    /// Pages made at the same time that read much: those of one run, and comparisons.
    pub heavy: usize,
    /// Of these, pages of one run.
    pub heavy_of_run: usize,
    /// Pages made at the same time that read little: the list of runs, and whether anything changed.
    pub light: usize,
    /// How long a page may wait for its turn.
    pub turn: Duration,
    /// How long a client waits for a page that is being made. The page is made all the same, and
    /// the next who asks gets it.
    pub making: Duration,
    /// Bytes of all bodies in memory: those being sent, and those kept. Equal ones count once.
    pub bodies: usize,
    /// Bytes of one body.
    pub body: usize,
    /// Bytes of the finished pages that are kept for the next who asks.
    pub kept: usize,
    /// How long a page is kept, at most: what it is made from may change without a sign.
    pub fresh: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            held: Duration::from_secs(20),
            head: Duration::from_secs(10),
            head_bytes: 64 << 10,
            swallow: Duration::from_secs(30),
            swallow_bytes: 32 << 10,
            heavy: 4,
            heavy_of_run: 2,
            light: 3,
            turn: Duration::from_secs(20),
            making: Duration::from_secs(120),
            bodies: 256 << 20,
            body: 64 << 20,
            kept: 64 << 20,
            fresh: Duration::from_secs(30),
        }
    }
}
