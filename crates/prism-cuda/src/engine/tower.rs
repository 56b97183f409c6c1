//! The vision tower's weights on a device, whatever its family.

use prism_model::linear::Linear;
use prism_model::vision::parts::{BlockParts, FeedForward};
use prism_model::vision::{Activation, Merger, Norm, Parts};
use prism_model::{Result, tensor};

use super::weights::{Affine, vectors};
use crate::device::{Buffer, Queue, Span};
use crate::kernels::ActivationKind;

/// A norm: scale, and shift where it has one.
#[derive(Debug)]
pub struct NormOnDevice(Buffer, Option<Buffer>);

impl NormOnDevice {
    fn of(queue: &Queue, norm: &Norm) -> Result<Self> {
        Ok(match norm {
            Norm::Rms(scale) => Self(vectors(queue, &[scale])?, None),
            Norm::Layer(scale, shift) => Self(vectors(queue, &[scale])?, Some(vectors(queue, &[shift])?)),
        })
    }

    /// Scale and shift.
    pub fn spans(&self) -> [Span<'_>; 2] {
        [self.0.all(), self.1.as_ref().map_or(Span::NONE, Buffer::all)]
    }
}

/// A block.
#[derive(Debug)]
pub struct Block {
    pub norm1: NormOnDevice,
    pub qkv: Affine,
    pub proj: Affine,
    pub norm2: NormOnDevice,
    pub wide: Wide,
    pub down: Affine,
    pub is_whole: bool,
}

/// The first half of a feed-forward.
#[derive(Debug)]
pub enum Wide {
    /// Linear, activation.
    Plain(Affine, ActivationKind),
    /// `silu(gate) * up`.
    Gated(Affine),
}

impl Wide {
    /// Numbers of a row that the matrix makes.
    pub fn columns(&self) -> usize {
        match self {
            Self::Plain(affine, _) | Self::Gated(affine) => affine.columns,
        }
    }
}

/// What makes one token of neighbouring patches.
#[derive(Debug)]
pub struct MergerOnDevice {
    pub norm: NormOnDevice,
    pub joins_first: bool,
    pub joined: usize,
    pub first: Affine,
    pub activation: ActivationKind,
    pub second: Affine,
}

/// A tower.
#[derive(Debug)]
pub struct TowerOnDevice {
    pub patches: Affine,
    pub blocks: Vec<Block>,
    /// Block, and what makes the next level of its output.
    pub levels: Vec<(usize, MergerOnDevice)>,
    pub merger: MergerOnDevice,
    /// Numbers of a patch inside.
    pub width: usize,
}

impl TowerOnDevice {
    /// Copies the weights to the device.
    ///
    /// # Errors
    /// They have no room, or the device fails.
    pub fn of(queue: &Queue, parts: &Parts<'_>) -> Result<Self> {
        let patches = parts.patches;
        let (width, length) = patches.weight.dims2()?;
        let weight = queue.reals(width * length)?;
        queue.upload_reals(weight.all(), &tensor::values(&patches.weight)?)?;
        let bias = patches.bias.as_ref().map(|bias| vectors(queue, &[bias])).transpose()?;
        let level = |(after, merger): &(usize, &Merger)| Ok((*after, MergerOnDevice::of(queue, merger)?));
        Ok(Self {
            patches: Affine { weight, bias, inner: length, columns: width },
            blocks: parts.blocks.iter().map(|block| Block::of(queue, block)).collect::<Result<_>>()?,
            levels: parts.levels.iter().map(level).collect::<Result<_>>()?,
            merger: MergerOnDevice::of(queue, parts.merger)?,
            width,
        })
    }
}

impl Block {
    fn of(queue: &Queue, parts: &BlockParts<'_>) -> Result<Self> {
        let one = |linear: &Linear| Affine::of(queue, &[linear]);
        let (wide, down) = match &parts.feed_forward {
            FeedForward::Perceptron(layers) => (Wide::Plain(one(&layers.first)?, kind(layers.activation)), one(&layers.second)?),
            FeedForward::Gated { gate, up, down } => (Wide::Gated(Affine::of(queue, &[gate, up])?), one(down)?),
        };
        Ok(Self {
            norm1: NormOnDevice::of(queue, parts.norm1)?,
            qkv: one(&parts.attention.qkv)?,
            proj: one(&parts.attention.proj)?,
            norm2: NormOnDevice::of(queue, parts.norm2)?,
            wide,
            down,
            is_whole: parts.is_whole,
        })
    }
}

impl MergerOnDevice {
    fn of(queue: &Queue, merger: &Merger) -> Result<Self> {
        Ok(Self {
            norm: NormOnDevice::of(queue, &merger.norm)?,
            joins_first: merger.joins_first,
            joined: merger.joined,
            first: Affine::of(queue, &[&merger.mlp.first])?,
            activation: kind(merger.mlp.activation),
            second: Affine::of(queue, &[&merger.mlp.second])?,
        })
    }
}

fn kind(activation: Activation) -> ActivationKind {
    match activation {
        Activation::Gelu => ActivationKind::Gelu,
        Activation::GeluTanh => ActivationKind::GeluTanh,
        Activation::QuickGelu => ActivationKind::QuickGelu,
    }
}
