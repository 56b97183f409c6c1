//! How attention is cut into pieces: tiles of queries that look at the same keys, and in decoding parts of the keys.
//!
//! What is cut depends on the sequence alone, never on what else is in the batch; with the kernels' fixed order inside
//! a piece, a row's numbers are the same in any company.

use std::ops::Range;

/// Queries of a tile, in prompts and images.
pub const QUERIES: u32 = 32;

/// Keys of a part of a prompt, in decoding, counted from its first token.
pub const PART: u32 = 256;

/// Keys of a part of a row's generated tokens, counted from the first of them: what a row takes of memory at a time.
pub const PAGE: u32 = 64;

/// Queries that look at the same keys; the structure of `kernels/arguments.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::NoUninit)]
#[repr(C)]
pub struct Tile {
    /// First row of queries.
    pub query: u32,
    /// Rows of queries.
    pub queries: u32,
    /// First row of keys.
    pub key: u32,
    /// Rows of keys.
    pub keys: u32,
    /// What the first key is to the ranges of hidden keys.
    pub index: u32,
    /// Keys that the first query sees; each further one sees one more. Only where attention is causal.
    pub seen: u32,
    /// Which part of its rows' keys this is, in decoding.
    pub part: u32,
}

/// Tiles of a prompt of `tokens` tokens whose queries begin at row `query` and whose keys begin at row `key`.
pub fn causal(query: u32, key: u32, tokens: u32) -> Vec<Tile> {
    starts(tokens, QUERIES)
        .map(|(start, queries)| Tile { query: query + start, queries, key, keys: start + queries, index: 0, seen: start + 1, part: 0 })
        .collect()
}

/// Tiles of sequences that see themselves whole: frames or windows of images, from `bounds` `[0, .., n]`.
pub fn whole(bounds: &[u32]) -> Vec<Tile> {
    let sequence = |pair: &[u32]| {
        let (key, keys) = (pair[0], pair[1] - pair[0]);
        starts(keys, QUERIES).map(move |(start, queries)| Tile { query: key + start, queries, key, keys, index: 0, seen: keys, part: 0 })
    };
    bounds.windows(2).flat_map(sequence).collect()
}

/// A prompt and the rows that decode behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    /// First row of the prompt's keys.
    pub key: u32,
    /// Tokens of the prompt.
    pub tokens: u32,
    /// The rows.
    pub rows: Range<u32>,
}

/// The generated tokens of a decoding row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// First row of the keys of each [`PAGE`] of them.
    pub pages: Vec<u32>,
    /// How many, the present one and evicted ones among them.
    pub tokens: u32,
}

/// The work of a decoding step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoding {
    /// For [`crate::kernels::AttendPart`].
    pub tiles: Vec<Tile>,
    /// Parts of each row, for [`crate::kernels::JoinParts`].
    pub parts_of: Vec<u32>,
}

/// Cuts a decoding step: each part of a prompt is one tile for all rows behind it, each part of a row's generated tokens
/// one for the row. The rows of the prompts are all rows, each once, in order; a row has a page for every [`PAGE`] of its tokens.
pub fn decoding(prompts: &[Behind], generated: &[Generated]) -> Decoding {
    let mut work = Decoding { tiles: Vec::new(), parts_of: Vec::with_capacity(generated.len()) };
    for prompt in prompts {
        let before = prompt.tokens.div_ceil(PART);
        for (part, (start, keys)) in (0..).zip(starts(prompt.tokens, PART)) {
            let (query, queries) = (prompt.rows.start, prompt.rows.len() as u32);
            work.tiles.push(Tile { query, queries, key: prompt.key + start, keys, index: start, seen: keys, part });
        }
        for (query, row) in prompt.rows.clone().zip(&generated[prompt.rows.start as usize..prompt.rows.end as usize]) {
            for ((part, (start, keys)), page) in (before..).zip(starts(row.tokens, PAGE)).zip(&row.pages) {
                let index = prompt.tokens + start;
                work.tiles.push(Tile { query, queries: 1, key: *page, keys, index, seen: keys, part });
            }
            work.parts_of.push(before + row.tokens.div_ceil(PAGE));
        }
    }
    work
}

/// `count` things in pieces of `size`: start and length of each.
fn starts(count: u32, size: u32) -> impl Iterator<Item = (u32, u32)> {
    (0..count.div_ceil(size)).map(move |i| (i * size, size.min(count - i * size)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_cut_alike_in_any_company() {
        let tail = |key| Generated { pages: (0..5).map(|page| key + 2 * page * PAGE).collect(), tokens: 300 };
        let together = decoding(
            &[Behind { key: 0, tokens: 600, rows: 0..2 }, Behind { key: 600, tokens: 5, rows: 2..3 }],
            &[tail(700), tail(1000), tail(1300)],
        );
        assert_eq!(together.parts_of, [8, 8, 6]);
        let alone = decoding(&[Behind { key: 600, tokens: 5, rows: 0..1 }], &[tail(1300)]);
        let of_last: Vec<Tile> = together.tiles.iter().filter(|tile| tile.query == 2).map(|tile| Tile { query: 0, ..*tile }).collect();
        assert_eq!(of_last, alone.tiles);
        let keys =
            |row: u32| together.tiles.iter().filter(move |t| (t.query..t.query + t.queries).contains(&row)).map(|t| t.keys).sum::<u32>();
        assert_eq!([0, 1, 2].map(keys), [900, 900, 305]);
    }

    #[test]
    fn prompts_and_windows_are_covered_once() {
        let tiles = causal(10, 20, 70);
        assert_eq!(
            tiles.iter().map(|t| (t.query, t.queries, t.key, t.keys, t.seen)).collect::<Vec<_>>(),
            [(10, 32, 20, 32, 1), (42, 32, 20, 64, 33), (74, 6, 20, 70, 65)]
        );
        let tiles = whole(&[0, 4, 4, 40]);
        assert_eq!(
            tiles.iter().map(|t| (t.query, t.queries, t.key, t.keys)).collect::<Vec<_>>(),
            [(0, 4, 0, 4), (4, 32, 4, 36), (36, 4, 4, 36)]
        );
    }
}
