//! The bodies in memory: counted from when they are made until the last client has read them.

use std::sync::Arc;

use axum::body::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that bodies are counted by.
const PIECE: usize = 1024;

/// Room for bodies.
#[derive(Debug)]
pub struct Bodies {
    room: Arc<Semaphore>,
}

impl Bodies {
    /// Room for `most` bytes.
    pub fn new(most: usize) -> Self {
        Self { room: Arc::new(Semaphore::new((most / PIECE).clamp(1, Semaphore::MAX_PERMITS))) }
    }

    /// The same bytes, which take their place until the last copy is dropped; `None` where there is no room.
    pub fn placed(&self, bytes: Bytes) -> Option<Bytes> {
        let pieces = u32::try_from(bytes.len().div_ceil(PIECE)).ok()?;
        let place = Arc::clone(&self.room).try_acquire_many_owned(pieces).ok()?;
        Some(Bytes::from_owner(Whole { bytes, _place: place }))
    }
}

/// Bytes with their place.
struct Whole {
    bytes: Bytes,
    _place: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Whole {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_its_place_until_its_last_copy_is_dropped() {
        let bodies = Bodies::new(3 * PIECE);
        let made = Bytes::from(vec![b'x'; PIECE + 1]);
        let at = made.as_ptr();
        let placed = bodies.placed(made).unwrap();
        assert_eq!((placed.as_ptr(), placed.len()), (at, PIECE + 1), "the bytes are not copied");
        let copies = [placed.clone(), placed.slice(1..), placed];
        assert!(bodies.placed(Bytes::from(vec![0; 2 * PIECE])).is_none());
        let [first, part, last] = copies;
        drop((first, last));
        assert!(bodies.placed(Bytes::from(vec![0; 2 * PIECE])).is_none());
        drop(part);
        assert!(bodies.placed(Bytes::from(vec![0; 3 * PIECE])).is_some());
    }
}
