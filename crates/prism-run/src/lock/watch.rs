//! Whether a lock is held, seen by one who does not want it: nothing is written, and nobody waits.

use std::fs::{self, TryLockError};
use std::path::Path;
use std::time::SystemTime;

use super::file::{Holder, Rules};
use crate::door;

/// Whether the lock file at `path` has a holder. What tells it is the same as for who takes a lock, in the same order: its
/// process, where that is of this machine; the kernel's lock; and when the file was written last.
pub(super) fn is_held(path: &Path, rules: &Rules) -> bool {
    let Ok(about) = fs::symlink_metadata(path) else { return false };
    if !about.is_file() {
        return false;
    }
    // A clock of another machine may be ahead.
    let is_fresh = || about.modified().is_ok_and(|then| SystemTime::now().duration_since(then).unwrap_or_default() < rules.stale);
    let Ok(file) = door::open(path) else { return is_fresh() };
    let holder = Holder::read(&file);
    let lives = holder.as_ref().and_then(|holder| holder.process.lives());
    if lives == Some(false) {
        return false;
    }
    // Shared, and for this moment: of two that look, neither takes the other for a holder.
    let free = match rules.kernel.then(|| file.try_lock_shared()) {
        Some(Err(TryLockError::WouldBlock)) => return true,
        Some(Ok(())) => true,
        Some(Err(TryLockError::Error(_))) | None => false,
    };
    // A holder that had the kernel's lock and has it no more has ended, whatever has its number now.
    if free && holder.is_some_and(|holder| holder.kernel && holder.process.shares_kernel()) {
        return false;
    }
    lives.unwrap_or_else(is_fresh)
}
