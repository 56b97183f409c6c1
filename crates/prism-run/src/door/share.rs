//! What the tables that a process holds take in memory together: one table may stand at its limit, ten may not.
//!
//! Counted is what a table takes beyond [`PER_BYTE`](super::limits::PER_BYTE) times the length of its columns in the file:
//! next to nothing for records that somebody made, and all of it for a few bytes that unpack to gigabytes.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::limits::Limit;
use crate::{Error, Result};

/// Bytes of all that is held.
#[derive(Debug)]
struct Pool(AtomicU64);

/// That of this process.
#[cfg(not(test))]
fn pool() -> &'static Pool {
    static ALL: Pool = Pool(AtomicU64::new(0));
    &ALL
}

/// Tests run side by side in one process: each has its own.
#[cfg(test)]
fn pool() -> &'static Pool {
    thread_local! {
        static OWN: &'static Pool = Box::leak(Box::new(Pool(AtomicU64::new(0))));
    }
    OWN.with(|own| *own)
}

/// A share of what all tables may take, given back when it is dropped. It goes along with the rows it was taken for.
#[derive(Debug)]
pub struct Share {
    bytes: u64,
    pool: &'static Pool,
}

impl Share {
    /// Grows to `bytes`.
    ///
    /// # Errors
    /// [`Error::Content`] when all tables together would take more than they may.
    pub(super) fn grow_to(&mut self, bytes: u64, path: &Path) -> Result<()> {
        let more = bytes.saturating_sub(self.bytes);
        let before = self.pool.0.fetch_add(more, Ordering::Relaxed);
        self.bytes += more;
        if more > 0 && before.saturating_add(more) > Limit::Held.value() {
            let cause = format!("{}, with the tables that are held already", Limit::Held.cause());
            return Err(Error::content(path, cause, "name fewer runs at a time, or if you trust them, raise the limits with `--limits 4`"));
        }
        Ok(())
    }

    /// Gives back all but `bytes`: of the rows that it was taken for no more is kept.
    pub fn shrink_to(&mut self, bytes: usize) {
        let less = self.bytes.saturating_sub(bytes as u64);
        self.pool.0.fetch_sub(less, Ordering::Relaxed);
        self.bytes -= less;
    }

    /// Takes another's share over.
    pub fn add(&mut self, mut other: Self) {
        self.bytes += std::mem::take(&mut other.bytes);
    }
}

impl Default for Share {
    fn default() -> Self {
        Self { bytes: 0, pool: pool() }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.pool.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A copy of rows takes as much again.
impl Clone for Share {
    fn clone(&self) -> Self {
        self.pool.0.fetch_add(self.bytes, Ordering::Relaxed);
        Self { bytes: self.bytes, pool: self.pool }
    }
}

/// What is held of memory makes no rows differ.
impl PartialEq for Share {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_counted_together_and_given_back() {
        let (path, most) = (Path::new("t.parquet"), Limit::Held.value());
        let mut one = Share::default();
        one.grow_to(most / 2, path).unwrap();
        one.grow_to(most / 4, path).unwrap();
        let mut other = Share::default();
        let told = other.grow_to(most / 2 + 1, path).unwrap_err().to_string();
        assert!(
            told.contains("t.parquet") && told.contains("256 MiB of all tables in memory at once") && told.contains("fewer runs"),
            "{told}"
        );
        drop(other);
        let copied = one.clone();
        assert!(Share::default().grow_to(1, path).is_err(), "a copy counts");
        drop(one);
        let mut both = Share::default();
        both.add(copied);
        assert!(Share::default().grow_to(most / 2 + 1, path).is_err());
        both.shrink_to(usize::MAX);
        assert!(Share::default().grow_to(most / 2 + 1, path).is_err());
        both.shrink_to(7);
        assert!(Share::default().grow_to(most - 7, path).is_ok() && Share::default().grow_to(most - 6, path).is_err());
        drop(both);
        assert!(Share::default().grow_to(most / 4, path).is_ok(), "all was given back");
    }
}
