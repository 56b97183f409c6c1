//! Rows that decode side by side on the device.

use std::ops::Range;
use std::sync::Arc;

use prism_model::engine::Rows;
use prism_model::text::Watcher;
use prism_model::{Error, Result};

use super::DeviceEngine;
use super::arena::Lease;
use super::prefill::{Kept, ranges};
use crate::tiles::{Behind, Generated, PAGE};

/// A row: its prompt, and where the keys and values of what it has generated lie.
#[derive(Debug)]
pub struct Row {
    pub prompt: Kept,
    pages: Vec<Lease>,
    /// Tokens generated, evicted ones among them.
    tokens: u32,
    /// Those that are gone, counted among all: rising and apart.
    evicted: Vec<Range<u32>>,
    /// Tokens of the prompt that are hidden.
    hidden: Arc<Vec<Range<usize>>>,
    next_position: u32,
}

/// Rows of an engine.
pub struct Decoding<'e> {
    pub engine: &'e DeviceEngine,
    pub rows: Vec<Row>,
}

impl Row {
    /// A row behind a prompt, with nothing generated.
    pub fn new(prompt: Kept) -> Self {
        let next_position = prompt.next_position;
        Self { prompt, pages: Vec::new(), tokens: 0, evicted: Vec::new(), hidden: Arc::default(), next_position }
    }

    fn held(&self) -> usize {
        self.tokens as usize - self.evicted.iter().map(ExactSizeIterator::len).sum::<usize>()
    }

    /// The place among all generated tokens of the `i`-th that is held.
    fn place(&self, i: u32) -> u32 {
        self.evicted.iter().fold(i, |place, gone| if gone.start <= place { place + gone.len() as u32 } else { place })
    }

    /// A place for one more token: the row of the arena.
    pub fn advance(&mut self, engine: &DeviceEngine) -> Result<u32> {
        if self.tokens as usize == self.pages.len() * PAGE as usize {
            self.pages.push(engine.arena.take(PAGE as usize)?);
        }
        let page = self.pages.last().map_or(0, Lease::start);
        self.tokens += 1;
        Ok(page + (self.tokens - 1) % PAGE)
    }

    /// The position of the token that is run now; the next one is one further.
    pub fn position(&mut self) -> [u32; 3] {
        self.next_position += 1;
        [self.next_position - 1; 3]
    }

    pub fn generated(&self) -> Generated {
        Generated { pages: self.pages.iter().map(Lease::start).collect(), tokens: self.tokens }
    }

    /// Keys that the row may not see: of the prompt, then of what it has generated.
    pub fn unseen(&self) -> Vec<Range<u32>> {
        let mut unseen = ranges(&self.hidden);
        unseen.sort_by_key(|range| range.start);
        unseen.dedup_by(|next, known| {
            let joins = next.start <= known.end;
            if joins {
                known.end = known.end.max(next.end);
            }
            joins
        });
        unseen.extend(self.evicted.iter().map(|gone| self.prompt.tokens + gone.start..self.prompt.tokens + gone.end));
        unseen
    }

    /// Whether its weights over all its keys show the key: evicted ones are no keys any more.
    pub fn is_held(&self, key: u32) -> bool {
        key < self.prompt.tokens || !self.evicted.iter().any(|gone| gone.contains(&(key - self.prompt.tokens)))
    }

    /// Keys of its prompt and of all it has generated.
    pub fn keys(&self) -> u32 {
        self.prompt.tokens + self.tokens
    }
}

/// The rows by their prompts: neighbours behind one prompt share its keys.
pub fn behind(rows: &[Row]) -> Vec<Behind> {
    let mut prompts: Vec<Behind> = Vec::new();
    for (at, row) in (0u32..).zip(rows) {
        match prompts.last_mut() {
            Some(last) if last.key == row.prompt.first && last.tokens == row.prompt.tokens => last.rows.end = at + 1,
            _ => prompts.push(Behind { key: row.prompt.first, tokens: row.prompt.tokens, rows: at..at + 1 }),
        }
    }
    prompts
}

fn no_row(row: usize, rows: usize) -> Error {
    Error::input("row", format!("{row} of {rows}"), "give a row of the cache")
}

impl Rows for Decoding<'_> {
    fn retain(&mut self, keep: &[bool]) {
        let mut flags = keep.iter();
        self.rows.retain(|_| *flags.next().unwrap_or(&true));
    }

    fn held(&self, row: usize) -> Option<usize> {
        self.rows.get(row).map(Row::held)
    }

    fn hide(&mut self, row: usize, ranges: &Arc<Vec<Range<usize>>>) -> Result<()> {
        let count = self.rows.len();
        let row = self.rows.get_mut(row).ok_or_else(|| no_row(row, count))?;
        let tokens = row.prompt.tokens as usize;
        if let Some(range) = ranges.iter().find(|range| range.start > range.end || range.end > tokens) {
            return Err(Error::input("hide", format!("tokens {range:?} of {tokens}"), "give ranges of the prompt"));
        }
        row.hidden = ranges.clone();
        Ok(())
    }

    fn evict(&mut self, row: usize, steps: Range<usize>) -> Result<()> {
        let count = self.rows.len();
        let row = self.rows.get_mut(row).ok_or_else(|| no_row(row, count))?;
        let held = row.held();
        if steps.start > steps.end || steps.end > held {
            return Err(Error::input("evict", format!("steps {steps:?} of {held} held"), "give a range of generated tokens"));
        }
        let gone: Vec<u32> = steps.map(|step| row.place(step as u32)).collect();
        for place in gone {
            row.evicted.push(place..place + 1);
        }
        row.evicted.sort_by_key(|range| range.start);
        row.evicted.dedup_by(|next, known| {
            let joins = next.start == known.end;
            if joins {
                known.end = next.end;
            }
            joins
        });
        Ok(())
    }

    fn step(&mut self, embeds: &[f32], watcher: &mut dyn Watcher) -> Result<Vec<f32>> {
        let width = self.engine.text.config.hidden_size;
        if embeds.len() != self.rows.len() * width {
            let cause = format!("{} numbers for {} rows of {width}", embeds.len(), self.rows.len());
            return Err(Error::input("decode_step", cause, "give one embedding per row of the cache"));
        }
        if self.rows.is_empty() {
            return Ok(Vec::new());
        }
        self.engine.step(&mut self.rows, embeds, watcher)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_counted_without_what_is_gone() {
        let row = |evicted: &[Range<u32>]| {
            let mut places = Vec::new();
            for i in 0..4 {
                let place =
                    evicted.iter().fold(i, |place, gone: &Range<u32>| if gone.start <= place { place + gone.len() as u32 } else { place });
                places.push(place);
            }
            places
        };
        assert_eq!(row(&[]), [0, 1, 2, 3]);
        assert_eq!(row(&[0..2, 3..5]), [2, 5, 6, 7]);
    }
}
