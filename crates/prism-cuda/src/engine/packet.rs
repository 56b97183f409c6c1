//! The small arrays of a pass, uploaded together.

use prism_model::Result;

use crate::device::{Buffer, Queue, Span};

/// Arrays of whole numbers, one behind the other.
#[derive(Debug, Default)]
pub struct Packet {
    words: Vec<u32>,
}

/// Where an array of a packet lies: bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    start: usize,
    bytes: usize,
}

impl Place {
    /// Of what is absent.
    pub const NONE: Self = Self { start: 0, bytes: 0 };
}

/// Numbers of an array begin at a multiple of so many words.
const ALIGNED: usize = 4;

impl Packet {
    /// Adds an array; an empty one is absent.
    pub fn push(&mut self, words: &[u32]) -> Place {
        if words.is_empty() {
            return Place::NONE;
        }
        let start = self.words.len().next_multiple_of(ALIGNED);
        self.words.resize(start, 0);
        self.words.extend_from_slice(words);
        Place { start: start * 4, bytes: words.len() * 4 }
    }

    /// Adds structures made of whole numbers.
    pub fn push_all<T: bytemuck::NoUninit>(&mut self, values: &[T]) -> Place {
        self.push(bytemuck::cast_slice(values))
    }

    /// Uploads all of it into `buffer`, which is made larger where it is too small.
    ///
    /// # Errors
    /// There is not so much memory, or the device fails.
    pub fn send(&self, queue: &Queue, buffer: &mut Option<Buffer>) -> Result<()> {
        let bytes = self.words.len() * 4;
        if buffer.as_ref().is_none_or(|buffer| buffer.bytes() < bytes) {
            *buffer = Some(queue.bytes((2 * bytes).max(1 << 16))?);
        }
        match buffer {
            Some(buffer) => queue.upload(buffer.all(), &self.words),
            None => Ok(()),
        }
    }
}

/// An array of a packet that was sent.
///
/// # Errors
/// It was not sent there.
pub fn sent(buffer: &Option<Buffer>, place: Place) -> Result<Span<'_>> {
    match buffer {
        Some(buffer) if place != Place::NONE => buffer.all().part(place.start, place.bytes),
        _ => Ok(Span::NONE),
    }
}
