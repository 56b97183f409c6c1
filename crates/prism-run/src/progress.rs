//! How long work tells about itself, without knowing who listens.

/// A listener for one piece of long work. The binary draws bars; tests are silent.
pub trait Progress: Send + Sync {
    /// Work of `total` units named `what` (unit e.g. `examples`) begins, `done` of it already finished.
    fn begin(&self, what: &str, unit: &str, total: u64, done: u64);
    /// `n` more units are done.
    fn advance(&self, n: u64);
    /// A short remark beside the bar (loss, rate).
    fn note(&self, text: &str);
    /// What the work minimises, now; nothing unless a listener draws it.
    fn measure(&self, _: f64) {}
    /// The work is over.
    fn end(&self);
    /// One line of narration that outlives the bar.
    fn say(&self, line: &str);
}

/// A listener that listens to nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: &str, _: &str, _: u64, _: u64) {}
    fn advance(&self, _: u64) {}
    fn note(&self, _: &str) {}
    fn end(&self) {}
    fn say(&self, _: &str) {}
}
