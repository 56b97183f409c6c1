//! A prompt through the language model.

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

use prism_model::engine::{Passage, Prefilled, See, own};
use prism_model::{Error, Result};

use super::arena::Lease;
use super::decoder::{Heads, Pass};
use super::features::OnDevice;
use super::packet::{Packet, Place, sent};
use super::workspace::Workspace;
use super::{DeviceEngine, State};
use crate::HiddenSets;
use crate::device::Span;
use crate::kernels::{self, Attend};
use crate::tiles;

/// Keys and values of a prompt on the device.
#[derive(Debug)]
pub struct OfPrompt {
    pub lease: Lease,
    pub tokens: usize,
    pub next_position: u32,
    pub bytes: usize,
    /// The engine that made it.
    pub engine: u64,
}

impl Prefilled for OfPrompt {
    fn tokens(&self) -> usize {
        self.tokens
    }

    fn next_position(&self) -> u32 {
        self.next_position
    }

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Where the arrays of a prompt's packet lie.
struct Sent {
    ids: Place,
    positions: Place,
    image_tokens: Place,
    latents: [Place; 2],
    tiles: Place,
    hidden: [Place; 3],
}

impl DeviceEngine {
    /// Runs a prompt; its states are those after the final norm.
    pub(super) fn run_prompt(&self, passage: Passage<'_>, mut see: Option<See<'_>>) -> Result<(Vec<f32>, OfPrompt)> {
        let features: &OnDevice = own("features", passage.features.as_any())?;
        self.check(&passage, features)?;
        let tokens = passage.ids.len();
        let lease = self.arena.take(tokens)?;
        let mut state = self.state();
        let state = &mut *state;
        let (packet, at, tile_count) = self.packet(&passage, lease.start())?;
        Workspace::fit(&mut state.space, &self.queue, &self.text.config, tokens)?;
        packet.send(&self.queue, &mut state.small)?;
        let State { space: Some(space), small, .. } = &*state else {
            return Err(Error::input("prompt", "has no memory", "report this as a bug"));
        };
        let pass = Pass { queue: &self.queue, text: &self.text, space, rows: tokens };
        self.embed_passage(&passage, features, small, &at, space)?;
        pass.rotary(sent(small, at.positions)?)?;
        let held = self.arena.hold();
        let config = &self.text.config;
        for (i, layer) in self.text.layers.iter().enumerate() {
            if let Some(see) = see.as_mut() {
                let mut x = vec![0f32; tokens * config.hidden_size];
                self.queue.download(space.x.all(), &mut x)?;
                see(&x)?;
            }
            let [keys, values] = held.layer(i)?;
            let first = lease.start() as usize * held.row();
            let bytes = tokens * held.row();
            pass.before_attention(layer)?;
            let heads = Heads {
                finish: true,
                turn: true,
                queries: (space.queries.all(), config.attention_width()),
                keys: (keys.part(first, bytes)?, values.part(first, bytes)?, config.key_value_width()),
                key_rows: Span::NONE,
            };
            pass.heads(layer, heads)?;
            let hidden = [sent(small, at.hidden[0])?, sent(small, at.hidden[1])?, sent(small, at.hidden[2])?];
            self.attend(pass, [keys, values], (sent(small, at.tiles)?, tile_count), hidden)?;
            pass.after_attention(layer)?;
            for (_, level) in features.levels.iter().filter(|(after, _)| *after == i && !passage.image_tokens.is_empty()) {
                let rows = passage.image_tokens.len();
                self.queue.add_rows(space.x.all(), level.all(), sent(small, at.image_tokens)?, [rows, config.hidden_size])?;
            }
        }
        drop(held);
        let states = pass.states()?;
        let next_position = passage.layout.positions.iter().flatten().max().map_or(0, |position| position + 1);
        let bytes = tokens * self.arena.bytes_of_row();
        Ok((states, OfPrompt { lease, tokens, next_position, bytes, engine: self.id }))
    }

    /// That the parts of a passage fit together.
    fn check(&self, passage: &Passage<'_>, features: &OnDevice) -> Result<()> {
        let (tokens, vocab) = (passage.ids.len(), self.text.config.vocab_size);
        passage.layout.check(tokens)?;
        if passage.layout.lengths.len() != 1 {
            let cause = format!("got {} sequences", passage.layout.lengths.len());
            return Err(Error::input("prefill", cause, "give one sequence at a time"));
        }
        if let Some(id) = passage.ids.iter().find(|id| **id as usize >= vocab) {
            let cause = format!("{id} lies outside the vocabulary of {vocab}");
            return Err(Error::input("token id", cause, "use the checkpoint's own tokenizer"));
        }
        let mut at: Vec<usize> = passage.image_tokens.to_vec();
        at.sort_unstable();
        let repeats = at.windows(2).any(|pair| pair[0] == pair[1]);
        let outside = at.last().is_some_and(|last| *last >= tokens);
        if repeats || outside || at.len() != features.rows {
            let cause = format!("{} image tokens among {tokens} for {} features", at.len(), features.rows);
            return Err(Error::input("image tokens", cause, "give one token per feature"));
        }
        if passage.latents.iter().any(|(at, from)| *at >= tokens || *from >= features.rows) {
            return Err(Error::input(
                "latents",
                "stand outside the sequence, or for no image token",
                "give tokens and image tokens that exist",
            ));
        }
        if let Some((after, _)) = features.levels.iter().find(|(after, _)| *after >= self.text.layers.len()) {
            let cause = format!("are added after layer {after} of {}", self.text.layers.len());
            return Err(Error::input("features", cause, "use the checkpoint's own tower"));
        }
        Ok(())
    }

    fn packet(&self, passage: &Passage<'_>, first: u32) -> Result<(Packet, Sent, usize)> {
        let mut packet = Packet::default();
        let whole = |numbers: &mut dyn Iterator<Item = usize>| -> Vec<u32> { numbers.map(|number| number as u32).collect() };
        let tokens = crate::device::count(passage.ids.len())?;
        let tiles = tiles::causal(0, first, tokens);
        let hidden = HiddenSets::new(
            (0..passage.ids.len()).map(|token| ranges(passage.layout.hidden.ranges(token))).collect::<Vec<_>>().iter().map(Vec::as_slice),
        );
        let at = Sent {
            ids: packet.push(passage.ids),
            positions: packet.push_all(&passage.layout.positions),
            image_tokens: packet.push(&whole(&mut passage.image_tokens.iter().copied())),
            latents: [
                packet.push(&whole(&mut passage.latents.iter().map(|(_, from)| *from))),
                packet.push(&whole(&mut passage.latents.iter().map(|(at, _)| *at))),
            ],
            tiles: packet.push_all(&tiles),
            hidden: match hidden.is_empty() {
                true => [Place::NONE; 3],
                false => [packet.push(&hidden.of), packet.push(&hidden.bounds), packet.push(&hidden.ranges)],
            },
        };
        Ok((packet, at, tiles.len()))
    }

    /// Embeddings, and features and latents in their places.
    fn embed_passage(
        &self,
        passage: &Passage<'_>,
        features: &OnDevice,
        small: &Option<crate::device::Buffer>,
        at: &Sent,
        space: &Workspace,
    ) -> Result<()> {
        let (x, width) = (space.x.all(), self.text.config.hidden_size);
        self.queue.to_stream(x, self.text.embedding.all(), [sent(small, at.ids)?, Span::NONE], [passage.ids.len(), width])?;
        if !passage.image_tokens.is_empty() {
            let targets = sent(small, at.image_tokens)?;
            self.queue.to_stream(x, features.tokens.all(), [Span::NONE, targets], [passage.image_tokens.len(), width])?;
        }
        if !passage.latents.is_empty() {
            let rows = [sent(small, at.latents[0])?, sent(small, at.latents[1])?];
            self.queue.to_stream(x, features.tokens.all(), rows, [passage.latents.len(), width])?;
        }
        Ok(())
    }

    /// Attention of a prompt.
    fn attend(
        &self,
        pass: Pass<'_>,
        [keys, values]: [Span<'_>; 2],
        (tiles, count): (Span<'_>, usize),
        hidden: [Span<'_>; 3],
    ) -> Result<()> {
        let config = &self.text.config;
        let (real, width) = (self.queue.kind().bytes(), config.attention_width());
        let arguments = kernels::Attention {
            queries: pass.space.queries.all().room(pass.rows * width * real)?,
            keys: keys.address(),
            values: values.address(),
            tiles: tiles.room(count * size_of::<tiles::Tile>())?,
            hidden_set: hidden[0].holding(pass.rows * 4)?,
            set_bounds: hidden[1].address(),
            ranges: hidden[2].address(),
            y: pass.space.attended.all().room(pass.rows * width * real)?,
            part_sums: kernels::Address::NONE,
            part_values: kernels::Address::NONE,
            heads: config.num_attention_heads as u32,
            kv_heads: config.num_key_value_heads as u32,
            width: config.head_dim as u32,
            query_stride: width as u32,
            key_stride: config.key_value_width() as u32,
            y_stride: width as u32,
            causal: 1,
            parts: 0,
            scale: 1.0 / (config.head_dim as f32).sqrt(),
        };
        // SAFETY: queries and results are as long as the tiles' rows; the tiles name keys of the prompt's own rows of the arena.
        unsafe { self.queue.launch::<Attend>([count as u32, config.num_attention_heads as u32, 1], &arguments) }
    }
}

/// Ranges as the kernels read them.
pub(super) fn ranges(ranges: &[Range<usize>]) -> Vec<Range<u32>> {
    ranges.iter().filter(|range| !range.is_empty()).map(|range| range.start as u32..range.end as u32).collect()
}

impl OfPrompt {
    /// What `made` is, if this engine made it.
    pub(super) fn of(made: &Arc<dyn Prefilled>, engine: u64) -> Result<Kept> {
        let prompt: &OfPrompt = own("keys and values", made.as_any())?;
        if prompt.engine != engine {
            return Err(Error::input("keys and values", "were made by another engine", "report this as a bug"));
        }
        Ok(Kept { _made: made.clone(), first: prompt.lease.start(), tokens: prompt.tokens as u32, next_position: prompt.next_position })
    }
}

/// A prompt that rows stand behind.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Keeps its rows of the arena.
    _made: Arc<dyn Prefilled>,
    pub first: u32,
    pub tokens: u32,
    pub next_position: u32,
}
