//! Buffers that are reused instead of allocated and zeroed.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// Largest number of idle buffers a thread keeps.
const KEPT: usize = 96;

thread_local! {
    static IDLE: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer of f32 whose content at the start is arbitrary; goes back to the
/// thread that drops it.
#[derive(Debug)]
pub struct Scratch {
    buffer: Vec<f32>,
    len: usize,
}

/// A buffer of `len` values, of arbitrary content.
pub fn take(len: usize) -> Scratch {
    let reused = IDLE.with(|idle| {
        let mut idle = idle.borrow_mut();
        let fits = |b: &Vec<f32>| b.len() >= len && b.len() <= 2 * len + 4096;
        let best = idle.iter().enumerate().filter(|(_, b)| fits(b)).min_by_key(|(_, b)| b.len()).map(|(i, _)| i);
        best.map(|i| idle.swap_remove(i))
    });
    Scratch { buffer: reused.unwrap_or_else(|| vec![0.0; len]), len }
}

impl Deref for Scratch {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.buffer[..self.len]
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.buffer[..self.len]
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        // The list is gone when a thread ends while a buffer is still alive: then it is simply freed.
        let _ = IDLE.try_with(|idle| {
            let mut idle = idle.borrow_mut();
            if idle.len() >= KEPT {
                idle.swap_remove(0);
            }
            idle.push(buffer);
        });
    }
}
