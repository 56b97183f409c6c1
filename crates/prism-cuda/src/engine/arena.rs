//! Keys and values on the device: one array of rows for all prompts and generated tokens, so that a launch can point into any of
//! them. It grows by doubling, between steps.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prism_model::Result;

use crate::device::{Buffer, Queue, Span};

/// Rows at first.
const FIRST: usize = 4096;

/// The array, `real [layers, 2, capacity, width]`: keys, then values.
#[derive(Debug)]
pub struct Arena {
    queue: Queue,
    layers: usize,
    width: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    buffer: Buffer,
    capacity: usize,
    /// Rows that nobody holds: rising and apart.
    free: Vec<Range<usize>>,
}

/// Rows of the arena, given back when dropped.
#[derive(Debug)]
pub struct Lease {
    arena: Arc<Arena>,
    rows: Range<usize>,
}

/// The array while nobody else may grow it.
pub struct Held<'a> {
    state: MutexGuard<'a, State>,
    row: usize,
}

impl Arena {
    /// An array of `layers` layers whose keys, and values, are `width` numbers a row.
    ///
    /// # Errors
    /// There is not so much memory.
    pub fn new(queue: &Queue, layers: usize, width: usize) -> Result<Arc<Self>> {
        let buffer = queue.reals(layers * 2 * FIRST * width)?;
        let state = State { buffer, capacity: FIRST, free: std::iter::once(0..FIRST).collect() };
        Ok(Arc::new(Self { queue: queue.clone(), layers, width, state: Mutex::new(state) }))
    }

    /// `count` rows, one behind the other.
    ///
    /// # Errors
    /// There is not so much memory.
    pub fn take(self: &Arc<Self>, count: usize) -> Result<Lease> {
        let mut state = self.state();
        if !state.free.iter().any(|range| range.len() >= count) {
            self.grow(&mut state, count)?;
        }
        // The first range that is long enough: there is one now.
        let at = state.free.iter().position(|range| range.len() >= count).unwrap_or(0);
        let start = state.free[at].start;
        state.free[at].start += count;
        state.free.retain(|range| !range.is_empty());
        Ok(Lease { arena: self.clone(), rows: start..start + count })
    }

    /// Bytes of a row: keys and values of all layers.
    pub fn bytes_of_row(&self) -> usize {
        self.layers * 2 * self.width * self.queue.kind().bytes()
    }

    /// The array, held until the result is dropped.
    pub fn hold(&self) -> Held<'_> {
        Held { state: self.state(), row: self.width * self.queue.kind().bytes() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn grow(&self, state: &mut State, count: usize) -> Result<()> {
        let capacity = (state.capacity * 2).max(state.capacity + count);
        let row = self.width * self.queue.kind().bytes();
        let buffer = self.queue.bytes(self.layers * 2 * capacity * row)?;
        for part in 0..self.layers * 2 {
            let from = state.buffer.all().part(part * state.capacity * row, state.capacity * row)?;
            self.queue.copy(buffer.all().part(part * capacity * row, capacity * row)?, from)?;
        }
        let new = state.capacity..capacity;
        (state.buffer, state.capacity) = (buffer, capacity);
        give_back(&mut state.free, new);
        Ok(())
    }
}

impl Held<'_> {
    /// Keys and values of a layer, `[capacity, width]` each.
    ///
    /// # Errors
    /// There is no such layer.
    pub fn layer(&self, layer: usize) -> Result<[Span<'_>; 2]> {
        let bytes = self.state.capacity * self.row;
        let part = |i: usize| self.state.buffer.all().part(i * bytes, bytes);
        Ok([part(2 * layer)?, part(2 * layer + 1)?])
    }

    /// Bytes of a row of one of them.
    pub fn row(&self) -> usize {
        self.row
    }
}

impl Lease {
    /// The first row.
    pub fn start(&self) -> u32 {
        self.rows.start as u32
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        give_back(&mut self.arena.state().free, self.rows.clone());
    }
}

/// Adds a range to the free ones and joins neighbours.
fn give_back(free: &mut Vec<Range<usize>>, range: Range<usize>) {
    if range.is_empty() {
        return;
    }
    let at = free.partition_point(|known| known.start < range.start);
    free.insert(at, range);
    free.dedup_by(|next, known| {
        let joins = known.end == next.start;
        if joins {
            known.end = next.end;
        }
        joins
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::standin::{StandIn, Work};
    use crate::host::Order;
    use crate::kernels::Kind;

    #[test]
    fn rows_are_given_once_and_come_back() {
        let device = StandIn::new(Work::Done(Order::Rising), 1 << 24);
        let arena = Arena::new(&Queue::new(device, Kind::F32), 2, 4).unwrap();
        let (first, second, third) = (arena.take(10).unwrap(), arena.take(20).unwrap(), arena.take(5).unwrap());
        assert_eq!([first.start(), second.start(), third.start()], [0, 10, 30]);
        drop(second);
        assert_eq!(arena.take(20).unwrap().start(), 10);
        assert_eq!(arena.take(21).unwrap().start(), 35);
        drop((first, third));
        assert_eq!(arena.state().free, std::iter::once(0..FIRST).collect::<Vec<_>>());
    }

    #[test]
    fn growing_keeps_what_was_written() {
        let device = StandIn::new(Work::Done(Order::Rising), 1 << 24);
        let queue = Queue::new(device, Kind::F32);
        let arena = Arena::new(&queue, 2, 4).unwrap();
        let lease = arena.take(2).unwrap();
        let write = |layer: usize, values: &[f32; 8]| {
            let held = arena.hold();
            let [keys, of_values] = held.layer(layer).unwrap();
            queue.upload(keys, values).unwrap();
            queue.upload(of_values, &values.map(|x| x + 100.0)).unwrap();
        };
        let (one, two) = ([1.0; 8], [2.0; 8]);
        write(0, &one);
        write(1, &two);
        let large = arena.take(FIRST).unwrap();
        assert_eq!((lease.start(), large.start()), (0, 2));
        for (layer, expected) in [(0, one), (1, two)] {
            let held = arena.hold();
            let [keys, values] = held.layer(layer).unwrap();
            let mut read = [0f32; 8];
            queue.download(keys, &mut read).unwrap();
            assert_eq!(read, expected);
            queue.download(values, &mut read).unwrap();
            assert_eq!(read, expected.map(|x| x + 100.0));
        }
    }
}
