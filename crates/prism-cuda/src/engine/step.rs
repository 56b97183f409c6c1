//! A decoding step: one token of every row.

use std::iter::once;

use prism_model::text::Watcher;
use prism_model::{Error, Result};

use super::decoder::{Heads, Pass};
use super::packet::{Packet, Place, sent};
use super::rows::{Row, behind};
use super::workspace::Workspace;
use super::{DeviceEngine, State};
use crate::HiddenSets;
use crate::device::{Buffer, Span};
use crate::kernels::{self, Address, AttendPart, JoinParts};
use crate::tiles::{self, Tile};

/// What a step's launches need to know.
struct Plan {
    packet: Packet,
    positions: Place,
    key_rows: Place,
    tiles: Place,
    tile_count: usize,
    /// Most queries that a tile has.
    queries: usize,
    parts_of: Place,
    parts: usize,
    hidden: [Place; 3],
}

/// The sums of the parts of each row's keys.
#[derive(Debug)]
pub struct Parts {
    room: usize,
    sums: Buffer,
    values: Buffer,
}

impl DeviceEngine {
    /// One token per row to the states after the final norm.
    pub(super) fn step(&self, rows: &mut [Row], embeds: &[f32], watcher: &mut dyn Watcher) -> Result<Vec<f32>> {
        let plan = self.plan(rows)?;
        let mut state = self.state();
        let state = &mut *state;
        Workspace::fit(&mut state.space, &self.queue, &self.text.config, rows.len())?;
        self.fit_parts(&mut state.parts, rows.len() * plan.parts)?;
        plan.packet.send(&self.queue, &mut state.small)?;
        let State { space: Some(space), parts: Some(parts), small, watched, .. } = state else {
            return Err(Error::input("step", "has no memory", "report this as a bug"));
        };
        self.queue.upload(space.x.all(), embeds)?;
        let pass = Pass { queue: &self.queue, text: &self.text, space, rows: rows.len() };
        pass.rotary(sent(small, plan.positions)?)?;
        let held = self.arena.hold();
        for (i, layer) in self.text.layers.iter().enumerate() {
            if watcher.wants_layers() {
                self.show_layer(i, pass, watcher)?;
            }
            pass.before_attention(layer)?;
            let finish = !(0..rows.len()).any(|row| watcher.wants_keys_values(row));
            if !finish {
                self.show_keys_values(layer, i, pass, watcher)?;
            }
            let keys = held.layer(i)?;
            let config = &self.text.config;
            let heads = Heads {
                finish,
                turn: true,
                queries: (space.queries.all(), config.attention_width()),
                keys: (keys[0], keys[1], config.key_value_width()),
                key_rows: sent(small, plan.key_rows)?,
            };
            pass.heads(layer, heads)?;
            self.attend_rows(pass, &plan, keys, parts, small)?;
            let wanting: Vec<usize> = (0..rows.len()).filter(|row| watcher.wants_attention(*row)).collect();
            if !wanting.is_empty() {
                self.show_attention(i, pass, rows, &wanting, keys, watched, watcher)?;
            }
            pass.after_attention(layer)?;
        }
        drop(held);
        pass.states()
    }

    /// Gives every row a place for its token, and lays out the step.
    fn plan(&self, rows: &mut [Row]) -> Result<Plan> {
        let mut packet = Packet::default();
        let key_rows = rows.iter_mut().map(|row| row.advance(self)).collect::<Result<Vec<u32>>>()?;
        let positions: Vec<[u32; 3]> = rows.iter_mut().map(Row::position).collect();
        let generated: Vec<_> = rows.iter().map(Row::generated).collect();
        let work = tiles::decoding(&behind(rows), &generated);
        let unseen: Vec<_> = rows.iter().map(Row::unseen).collect();
        let hidden = HiddenSets::new(unseen.iter().map(Vec::as_slice));
        Ok(Plan {
            positions: packet.push_all(&positions),
            key_rows: packet.push(&key_rows),
            tiles: packet.push_all(&work.tiles),
            tile_count: work.tiles.len(),
            queries: work.tiles.iter().map(|tile| tile.queries as usize).max().unwrap_or(0),
            parts_of: packet.push(&work.parts_of),
            parts: work.parts_of.iter().max().map_or(0, |parts| *parts as usize),
            hidden: match hidden.is_empty() {
                true => [Place::NONE; 3],
                false => [packet.push(&hidden.of), packet.push(&hidden.bounds), packet.push(&hidden.ranges)],
            },
            packet,
        })
    }

    /// Room for `count` parts of all heads; made once, and larger than asked for.
    fn fit_parts(&self, parts: &mut Option<Parts>, count: usize) -> Result<()> {
        if parts.as_ref().is_none_or(|parts| parts.room < count) {
            *parts = None;
            let room = count + count / 2;
            let heads = self.text.config.num_attention_heads;
            let (sums, values) = (room * heads * 2 * 4, room * heads * self.text.config.head_dim * 4);
            *parts = Some(Parts { room, sums: self.queue.bytes(sums)?, values: self.queue.bytes(values)? });
        }
        Ok(())
    }

    /// Attention of all rows: part by part, and the parts together.
    fn attend_rows(&self, pass: Pass<'_>, plan: &Plan, [keys, values]: [Span<'_>; 2], parts: &Parts, small: &Option<Buffer>) -> Result<()> {
        let config = &self.text.config;
        let (heads, kv_heads, width) = (config.num_attention_heads, config.num_key_value_heads, config.attention_width());
        let real = self.queue.kind().bytes();
        let count = pass.rows * heads * plan.parts;
        let part_sums = parts.sums.all().room(count * 2 * 4)?;
        let part_values = parts.values.all().room(count * config.head_dim * 4)?;
        let y = pass.space.attended.all().room(pass.rows * width * real)?;
        let [hidden_set, set_bounds, ranges] = plan.hidden;
        let arguments = kernels::Attention {
            queries: pass.space.queries.all().room(pass.rows * width * real)?,
            keys: keys.address(),
            values: values.address(),
            tiles: sent(small, plan.tiles)?.room(plan.tile_count * size_of::<Tile>())?,
            hidden_set: sent(small, hidden_set)?.holding(pass.rows * 4)?,
            set_bounds: sent(small, set_bounds)?.address(),
            ranges: sent(small, ranges)?.address(),
            y: Address::NONE,
            part_sums,
            part_values,
            heads: heads as u32,
            kv_heads: kv_heads as u32,
            width: config.head_dim as u32,
            query_stride: width as u32,
            key_stride: config.key_value_width() as u32,
            y_stride: width as u32,
            causal: 0,
            parts: plan.parts as u32,
            scale: 1.0 / (config.head_dim as f32).sqrt(),
        };
        let blocks = (plan.queries * (heads / kv_heads)).div_ceil(32);
        // SAFETY: queries and parts have room for every row; the tiles name rows of the arena that the rows and their prompts hold.
        unsafe { self.queue.launch::<AttendPart>([plan.tile_count as u32, kv_heads as u32, blocks as u32], &arguments)? };
        let join = kernels::Join {
            part_sums,
            part_values,
            parts_of: sent(small, plan.parts_of)?.room(pass.rows * 4)?,
            y,
            heads: heads as u32,
            width: config.head_dim as u32,
            parts: plan.parts as u32,
            y_stride: width as u32,
        };
        // SAFETY: as above.
        unsafe { self.queue.launch::<JoinParts>([pass.rows as u32, heads as u32, 1], &join) }
    }

    /// The input of a layer to the watcher and back.
    fn show_layer(&self, i: usize, pass: Pass<'_>, watcher: &mut dyn Watcher) -> Result<()> {
        let hidden = self.text.config.hidden_size;
        let mut x = vec![0f32; pass.rows * hidden];
        self.queue.download(pass.space.x.all(), &mut x)?;
        let before = x.clone();
        x.chunks_exact_mut(hidden).enumerate().for_each(|(row, x)| watcher.layer(i, row, x));
        // What nobody changed need not go back, and then has its own bits: NaN is not equal to itself.
        if x.iter().zip(&before).any(|(x, before)| x.to_bits() != before.to_bits()) {
            self.queue.upload(pass.space.x.all(), &x)?;
        }
        Ok(())
    }

    /// Keys and values, with their norm and not turned, to the watcher and back.
    fn show_keys_values(&self, layer: &super::weights::Layer, i: usize, pass: Pass<'_>, watcher: &mut dyn Watcher) -> Result<()> {
        let config = &self.text.config;
        let (queries, kv) = (config.attention_width(), config.key_value_width());
        let (stride, real) = (queries + 2 * kv, self.queue.kind().bytes());
        let qkv = pass.space.qkv.all();
        let from = |start: usize| qkv.part(start * real, (pass.rows * stride - start) * real);
        let heads = Heads {
            finish: true,
            turn: false,
            queries: (qkv, stride),
            keys: (from(queries)?, from(queries + kv)?, stride),
            key_rows: Span::NONE,
        };
        pass.heads(layer, heads)?;
        let mut all = self.queue.download_reals(qkv, pass.rows * stride)?;
        for (row, all) in all.chunks_exact_mut(stride).enumerate().filter(|(row, _)| watcher.wants_keys_values(*row)).collect::<Vec<_>>() {
            let (keys, values) = all[queries..].split_at_mut(kv);
            watcher.keys_values(i, row, keys, values);
        }
        self.queue.upload_reals(qkv, &all)
    }

    /// The attention weights of some rows to the watcher.
    #[allow(clippy::too_many_arguments)]
    fn show_attention(
        &self,
        i: usize,
        pass: Pass<'_>,
        rows: &[Row],
        wanting: &[usize],
        [keys, _]: [Span<'_>; 2],
        watched: &mut [Option<Buffer>; 2],
        watcher: &mut dyn Watcher,
    ) -> Result<()> {
        let config = &self.text.config;
        let (heads, kv_heads, width) = (config.num_attention_heads, config.num_key_value_heads, config.attention_width());
        for &r in wanting {
            let row = &rows[r];
            let one = row.generated();
            let work = tiles::decoding(&behind(&rows[r..=r]), std::slice::from_ref(&one));
            let hidden = HiddenSets::new(once(row.unseen().as_slice()));
            let total = row.keys() as usize;
            let mut packet = Packet::default();
            let tiles = packet.push_all(&work.tiles);
            let hidden = match hidden.is_empty() {
                true => [Place::NONE; 3],
                false => [packet.push(&hidden.of), packet.push(&hidden.bounds), packet.push(&hidden.ranges)],
            };
            let [small, weights] = &mut *watched;
            packet.send(&self.queue, small)?;
            let bytes = heads * total * 4;
            if weights.as_ref().is_none_or(|weights| weights.bytes() < bytes) {
                *weights = Some(self.queue.bytes(2 * bytes)?);
            }
            let Some(weights) = weights else { return Err(Error::input("step", "has no memory", "report this as a bug")) };
            let query = pass.space.queries.all().part(r * width * self.queue.kind().bytes(), width * self.queue.kind().bytes())?;
            let arguments = kernels::Scores {
                query: query.address(),
                keys: keys.address(),
                tiles: sent(small, tiles)?.room(work.tiles.len() * size_of::<Tile>())?,
                hidden_set: sent(small, hidden[0])?.holding(4)?,
                set_bounds: sent(small, hidden[1])?.address(),
                ranges: sent(small, hidden[2])?.address(),
                weights: weights.all().room(bytes)?,
                tile_count: work.tiles.len() as u32,
                heads: heads as u32,
                kv_heads: kv_heads as u32,
                width: config.head_dim as u32,
                key_stride: config.key_value_width() as u32,
                total: total as u32,
                scale: 1.0 / (config.head_dim as f32).sqrt(),
            };
            // SAFETY: the tiles name rows of the arena that the row and its prompt hold, `total` of them.
            unsafe { self.queue.launch::<kernels::AttentionWeights>([heads as u32, 1, 1], &arguments)? };
            let mut all = vec![0f32; heads * total];
            self.queue.download(weights.all(), &mut all)?;
            for head in all.chunks_exact(total) {
                let held: Vec<f32> = (0u32..).zip(head).filter(|(key, _)| row.is_held(*key)).map(|(_, weight)| *weight).collect();
                watcher.attention(i, r, &held);
            }
        }
        Ok(())
    }
}
