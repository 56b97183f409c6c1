//! Images through the tower.

use prism_model::preprocess::{Grid, PixelValues};
use prism_model::vision::Arrangement;
use prism_model::vision::norm::EPS;
use prism_model::{Error, Result, tensor};

use super::features::OnDevice;
use super::packet::{Packet, sent};
use super::tower::{Block, MergerOnDevice, Wide};
use super::weights::Affine;
use super::{DeviceEngine, State};
use crate::device::{Buffer, Operands, Queue, Span, To};
use crate::kernels::{self, Address, Attend, HeadsOf};
use crate::tiles::{self, Tile};

/// Patches are rounded up to a multiple of this, so that images of about one size share their memory.
const STEP: usize = 256;

/// Memory that a tower works in, kept from image to image.
#[derive(Debug)]
pub struct VisionSpace {
    patches: usize,
    pixels: Buffer,
    x: Buffer,
    normed: Buffer,
    qkv: Buffer,
    queries: Buffer,
    keys: Buffer,
    values: Buffer,
    attended: Buffer,
    wide: Buffer,
    inner: Buffer,
    cosines: Buffer,
    sines: Buffer,
}

/// One pass of the tower.
#[derive(Clone, Copy)]
struct Pass<'a> {
    queue: &'a Queue,
    space: &'a VisionSpace,
    patches: usize,
    width: usize,
    heads: usize,
}

impl DeviceEngine {
    /// Features of images, computed on the device.
    pub(super) fn see(&self, images: &[PixelValues]) -> Result<OnDevice> {
        let grids: Vec<Grid> = images.iter().map(|image| image.grid).collect();
        let patches: usize = grids.iter().map(|grid| grid.patches()).sum();
        let length = self.tower.patches.inner;
        if images.iter().any(|image| image.values.len() != image.grid.patches() * length) {
            let cause = format!("{} images whose patches are not all {length} numbers long", images.len());
            return Err(Error::input("pixels", cause, "preprocess them with the checkpoint's own preprocessor_config.json"));
        }
        let arranged = self.arranging.arrange(&grids)?;
        let mut state = self.state();
        self.fit_vision(&mut state.vision, patches)?;
        let mut packet = Packet::default();
        let whole = |bounds: &[usize]| tiles::whole(&bounds.iter().map(|bound| *bound as u32).collect::<Vec<_>>());
        let (windows, frames) = (whole(&arranged.windows), whole(&arranged.frames));
        let order = arranged.token_order.as_deref().unwrap_or_default();
        let places = [packet.push_all(&windows), packet.push_all(&frames), packet.push(order)];
        packet.send(&self.queue, &mut state.small)?;
        let State { vision: Some(space), small, .. } = &*state else {
            return Err(Error::input("images", "have no memory", "report this as a bug"));
        };
        let pass = Pass { queue: &self.queue, space, patches, width: self.tower.width, heads: self.config.vision.num_heads };
        self.enter(images, &arranged, pass)?;
        let mut levels = Vec::with_capacity(self.tower.levels.len());
        for (i, block) in self.tower.blocks.iter().enumerate() {
            let (tiles, place) = if block.is_whole { (&frames, places[1]) } else { (&windows, places[0]) };
            pass.block(block, (sent(small, place)?, tiles.len()))?;
            if let Some((_, merger)) = self.tower.levels.iter().find(|(after, _)| *after == i) {
                levels.push((levels.len(), self.merged(merger, pass, sent(small, places[2])?)?));
            }
        }
        let tokens = self.merged(&self.tower.merger, pass, sent(small, places[2])?)?;
        let width = self.text.config.hidden_size;
        let rows = patches * self.tower.width / self.tower.merger.joined;
        Ok(OnDevice { queue: self.queue.clone(), rows, width, tokens, levels })
    }

    fn fit_vision(&self, space: &mut Option<VisionSpace>, patches: usize) -> Result<()> {
        if space.as_ref().is_some_and(|space| space.patches >= patches) {
            return Ok(());
        }
        *space = None;
        let (queue, tower) = (&self.queue, &self.tower);
        let (rows, width) = (patches.next_multiple_of(STEP), tower.width);
        let head = self.config.vision.head_dim();
        let merger = &tower.merger;
        // A merger has fewer rows, and wider ones.
        let tokens = rows * width / merger.joined;
        let of_blocks = tower.blocks.iter().map(|block| block.wide.columns()).max().unwrap_or(0) * rows;
        let wide = of_blocks.max(tokens * merger.first.columns);
        *space = Some(VisionSpace {
            patches: rows,
            pixels: queue.reals(rows * tower.patches.inner)?,
            x: queue.bytes(rows * width * 4)?,
            normed: queue.reals(rows * width)?,
            qkv: queue.reals(rows * 3 * width)?,
            queries: queue.reals(rows * width)?,
            keys: queue.reals(rows * width)?,
            values: queue.reals(rows * width)?,
            attended: queue.reals(rows * width)?,
            wide: queue.reals(wide)?,
            inner: queue.reals(wide)?,
            cosines: queue.bytes(rows * head / 2 * 4)?,
            sines: queue.bytes(rows * head / 2 * 4)?,
        });
        Ok(())
    }

    /// Pixels to rows of the stream.
    fn enter(&self, images: &[PixelValues], arranged: &Arrangement, pass: Pass<'_>) -> Result<()> {
        let Pass { queue, space, patches, width, .. } = pass;
        let affine = &self.tower.patches;
        let values = images.iter().flat_map(|image| &image.values);
        let values: Vec<f32> = match &arranged.patch_order {
            None => values.copied().collect(),
            Some(order) => {
                let all: Vec<f32> = values.copied().collect();
                order.iter().flat_map(|patch| &all[*patch as usize * affine.inner..(*patch as usize + 1) * affine.inner]).copied().collect()
            }
        };
        queue.upload_reals(space.pixels.all(), &values)?;
        queue.upload(space.cosines.all(), &arranged.rotary.cos)?;
        queue.upload(space.sines.all(), &arranged.rotary.sin)?;
        let operands = Operands { x: space.pixels.all(), weight: affine.weight.all(), rows: patches, inner: affine.inner, columns: width };
        queue.product(operands, To::Single(space.x.all()))?;
        if !affine.bias().is_none() {
            queue.add_bias(space.x.all(), affine.bias(), [patches, width])?;
        }
        if let Some(positions) = &arranged.positions {
            // The place of the norm's result is free here.
            queue.upload_reals(space.normed.all(), &tensor::values(positions)?)?;
            queue.add_rows(space.x.all(), space.normed.all(), Span::NONE, [patches, width])?;
        }
        Ok(())
    }

    /// A merger's tokens, in their order.
    fn merged(&self, merger: &MergerOnDevice, pass: Pass<'_>, order: Span<'_>) -> Result<Buffer> {
        let Pass { queue, space, patches, width, .. } = pass;
        let tokens = patches * width / merger.joined;
        let rows = if merger.joins_first { [tokens, merger.joined] } else { [patches, width] };
        queue.norm(space.x.all(), merger.norm.spans(), space.normed.all(), rows, EPS)?;
        let made = queue.reals(tokens * merger.second.columns)?;
        let operands = |x, of: &Affine| (x, of.inner, of.columns);
        let (x, inner, columns) = operands(space.normed.all(), &merger.first);
        queue.product(Operands { x, weight: merger.first.weight.all(), rows: tokens, inner, columns }, To::Real(space.wide.all()))?;
        queue.activate(space.wide.all(), merger.first.bias(), [tokens, columns], merger.activation)?;
        let (x, inner, columns) = operands(space.wide.all(), &merger.second);
        queue.product(Operands { x, weight: merger.second.weight.all(), rows: tokens, inner, columns }, To::Real(made.all()))?;
        if !merger.second.bias().is_none() {
            queue.activate(made.all(), merger.second.bias(), [tokens, columns], kernels::ActivationKind::Identity)?;
        }
        if order.is_none() {
            return Ok(made);
        }
        let ordered = queue.reals(tokens * columns)?;
        queue.gather(ordered.all(), made.all(), order, [tokens, columns])?;
        Ok(ordered)
    }
}

impl Pass<'_> {
    fn block(self, block: &Block, tiles: (Span<'_>, usize)) -> Result<()> {
        let Self { queue, space, patches, width, .. } = self;
        let x = space.x.all();
        queue.norm(x, block.norm1.spans(), space.normed.all(), [patches, width], EPS)?;
        self.product(&block.qkv, space.normed.all(), To::Real(space.qkv.all()))?;
        self.heads(&block.qkv)?;
        self.attend(tiles)?;
        self.product(&block.proj, space.attended.all(), To::Sum(x))?;
        queue.add_bias(x, block.proj.bias(), [patches, width])?;
        queue.norm(x, block.norm2.spans(), space.normed.all(), [patches, width], EPS)?;
        let inner = match &block.wide {
            Wide::Plain(affine, activation) => {
                self.product(affine, space.normed.all(), To::Real(space.wide.all()))?;
                queue.activate(space.wide.all(), affine.bias(), [patches, affine.columns], *activation)?;
                space.wide.all()
            }
            Wide::Gated(affine) => {
                self.product(affine, space.normed.all(), To::Real(space.wide.all()))?;
                queue.silu_times(space.wide.all(), affine.bias(), space.inner.all(), [patches, affine.columns / 2])?;
                space.inner.all()
            }
        };
        self.product(&block.down, inner, To::Sum(x))?;
        queue.add_bias(x, block.down.bias(), [patches, width])
    }

    fn product(self, of: &Affine, x: Span<'_>, to: To<'_>) -> Result<()> {
        let operands = Operands { x, weight: of.weight.all(), rows: self.patches, inner: of.inner, columns: of.columns };
        self.queue.product(operands, to)
    }

    /// Bias and turn of queries and keys; bias of values.
    fn heads(self, qkv: &Affine) -> Result<()> {
        let Self { queue, space, patches, width, heads } = self;
        let (real, head) = (queue.kind().bytes(), width / heads);
        let rows = patches * width * real;
        let arguments = kernels::Heads {
            qkv: space.qkv.all().room(3 * rows)?,
            bias: qkv.bias().holding(3 * width * real)?,
            query_norm: Address::NONE,
            key_norm: Address::NONE,
            cosines: space.cosines.all().room(patches * head / 2 * 4)?,
            sines: space.sines.all().room(patches * head / 2 * 4)?,
            key_rows: Address::NONE,
            queries: space.queries.all().room(rows)?,
            keys: space.keys.all().room(rows)?,
            values: space.values.all().room(rows)?,
            heads: heads as u32,
            kv_heads: heads as u32,
            width: head as u32,
            query_stride: width as u32,
            key_stride: width as u32,
            eps: 0.0,
        };
        // SAFETY: every array is as long as the kernel reads and writes.
        unsafe { queue.launch::<HeadsOf>([patches as u32, 3 * heads as u32, 1], &arguments) }
    }

    /// Attention inside each stretch of the tiles.
    fn attend(self, (tiles, count): (Span<'_>, usize)) -> Result<()> {
        let Self { queue, space, patches, width, heads } = self;
        let rows = patches * width * queue.kind().bytes();
        let arguments = kernels::Attention {
            queries: space.queries.all().room(rows)?,
            keys: space.keys.all().room(rows)?,
            values: space.values.all().room(rows)?,
            tiles: tiles.room(count * size_of::<Tile>())?,
            hidden_set: Address::NONE,
            set_bounds: Address::NONE,
            ranges: Address::NONE,
            y: space.attended.all().room(rows)?,
            part_sums: Address::NONE,
            part_values: Address::NONE,
            heads: heads as u32,
            kv_heads: heads as u32,
            width: (width / heads) as u32,
            query_stride: width as u32,
            key_stride: width as u32,
            y_stride: width as u32,
            causal: 0,
            parts: 0,
            scale: 1.0 / ((width / heads) as f32).sqrt(),
        };
        // SAFETY: every array has a row per patch, and the tiles name patches of the bounds.
        unsafe { queue.launch::<Attend>([count as u32, heads as u32, 1], &arguments) }
    }
}
