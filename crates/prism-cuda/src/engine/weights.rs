//! The language model's weights on a device: what is multiplied together lies in one matrix.

use prism_model::config::TextConfig;
use prism_model::head::LatentHead;
use prism_model::linear::Linear;
use prism_model::matrix::Matrix;
use prism_model::tensor::{self, Tensor};
use prism_model::{Model, Result};

use crate::device::{Buffer, Queue, Span};
use crate::kernels::Kind;

/// A matrix `[columns, inner]` and its bias.
#[derive(Debug)]
pub struct Affine {
    pub weight: Buffer,
    pub bias: Option<Buffer>,
    pub inner: usize,
    pub columns: usize,
}

impl Affine {
    /// The matrices one under the other, and their biases if they have some.
    pub fn of(queue: &Queue, parts: &[&Linear]) -> Result<Self> {
        let matrices: Vec<&Matrix> = parts.iter().map(|part| &part.weight).collect();
        let (weight, columns, inner) = stacked(queue, &matrices)?;
        let biases: Option<Vec<&Tensor>> = parts.iter().map(|part| part.bias.as_ref()).collect();
        let bias = biases.map(|biases| vectors(queue, &biases)).transpose()?;
        Ok(Self { weight, bias, inner, columns })
    }

    /// The bias, or nothing.
    pub fn bias(&self) -> Span<'_> {
        self.bias.as_ref().map_or(Span::NONE, Buffer::all)
    }
}

/// A decoder layer.
#[derive(Debug)]
pub struct Layer {
    pub input_norm: Buffer,
    pub qkv: Affine,
    /// Of queries and of keys.
    pub qk_norm: Option<[Buffer; 2]>,
    pub output: Affine,
    pub middle_norm: Buffer,
    pub gate_up: Buffer,
    pub down: Buffer,
}

/// The language model.
#[derive(Debug)]
pub struct Text {
    pub config: TextConfig,
    pub embedding: Buffer,
    pub layers: Vec<Layer>,
    pub norm: Buffer,
    /// `None` where it is the embedding.
    pub head: Option<Buffer>,
    pub frequencies: Buffer,
    pub axes: Buffer,
}

impl Text {
    /// Copies the weights of `model` to the device.
    ///
    /// # Errors
    /// They have no room, or the device fails.
    pub fn of(queue: &Queue, model: &Model) -> Result<Self> {
        let text = &model.text;
        let config = text.config().clone();
        let (frequencies, axes) = rotary(&config);
        let placed = |bytes: &[u8]| -> Result<Buffer> {
            let buffer = queue.bytes(bytes.len())?;
            queue.upload(buffer.all(), bytes)?;
            Ok(buffer)
        };
        Ok(Self {
            embedding: stacked(queue, &[&text.embed_tokens])?.0,
            layers: text.layers.iter().map(|layer| Layer::of(queue, layer)).collect::<Result<_>>()?,
            norm: vectors(queue, &[&text.norm])?,
            head: if model.config.tie_word_embeddings { None } else { Some(stacked(queue, &[&text.lm_head])?.0) },
            frequencies: placed(bytemuck::cast_slice(&frequencies))?,
            axes: placed(bytemuck::cast_slice(&axes))?,
            config,
        })
    }

    /// The matrix of the logits.
    pub fn output(&self) -> Span<'_> {
        self.head.as_ref().unwrap_or(&self.embedding).all()
    }
}

impl Layer {
    fn of(queue: &Queue, layer: &prism_model::text::Layer) -> Result<Self> {
        let one = |tensor: &Tensor| vectors(queue, &[tensor]);
        Ok(Self {
            input_norm: one(&layer.input_layernorm)?,
            qkv: Affine::of(queue, &[&layer.q_proj, &layer.k_proj, &layer.v_proj])?,
            qk_norm: layer.qk_norm.as_ref().map(|(queries, keys)| Ok::<_, prism_model::Error>([one(queries)?, one(keys)?])).transpose()?,
            output: Affine::of(queue, &[&layer.o_proj])?,
            middle_norm: one(&layer.post_attention_layernorm)?,
            gate_up: stacked(queue, &[&layer.gate_proj, &layer.up_proj])?.0,
            down: stacked(queue, &[&layer.down_proj])?.0,
        })
    }
}

/// The latent head.
#[derive(Debug)]
pub enum Head {
    /// Norm with a shift, linear, GELU, linear.
    Simple { norm: [Buffer; 2], first: Affine, second: Affine },
    /// Linear, GELU, linear, norm with a shift.
    Projector { first: Affine, second: Affine, norm: [Buffer; 2] },
    /// `down(silu(gate) * up)`.
    Glu { gate_up: Affine, down: Affine },
}

impl Head {
    /// Copies the head's weights to the device.
    ///
    /// # Errors
    /// They have no room, or the device fails.
    pub fn of(queue: &Queue, head: &LatentHead) -> Result<Self> {
        let one = |linear: &Linear| Affine::of(queue, &[linear]);
        let both =
            |(scale, shift): &(Tensor, Tensor)| -> Result<[Buffer; 2]> { Ok([vectors(queue, &[scale])?, vectors(queue, &[shift])?]) };
        Ok(match head {
            LatentHead::Simple { norm, first, second } => Self::Simple { norm: both(norm)?, first: one(first)?, second: one(second)? },
            LatentHead::Projector { first, second, norm } => {
                Self::Projector { first: one(first)?, second: one(second)?, norm: both(norm)? }
            }
            LatentHead::Glu { gate, up, down } => Self::Glu { gate_up: Affine::of(queue, &[gate, up])?, down: one(down)? },
        })
    }
}

/// Matrices of one width, one under the other; rows and width of the whole.
fn stacked(queue: &Queue, matrices: &[&Matrix]) -> Result<(Buffer, usize, usize)> {
    let mut rows = 0;
    let mut inner = 0;
    for matrix in matrices {
        let (output, input) = matrix.dims()?;
        rows += output;
        inner = input;
    }
    let buffer = queue.reals(rows * inner)?;
    let mut at = 0;
    for matrix in matrices {
        let (output, input) = matrix.dims()?;
        let bytes = output * input * queue.kind().bytes();
        let place = buffer.all().part(at, bytes)?;
        match queue.kind() {
            Kind::Bf16 => queue.upload(place, &matrix.to_bf16()?)?,
            Kind::F32 => queue.upload(place, &matrix.to_f32()?)?,
        }
        at += bytes;
    }
    Ok((buffer, rows, inner))
}

/// Vectors end to end.
pub(super) fn vectors(queue: &Queue, parts: &[&Tensor]) -> Result<Buffer> {
    let mut values = Vec::new();
    for part in parts {
        values.extend(tensor::values(part)?);
    }
    let buffer = queue.reals(values.len())?;
    queue.upload_reals(buffer.all(), &values)?;
    Ok(buffer)
}

/// Frequencies of the rotary angles, and which of the three positions each reads.
fn rotary(config: &TextConfig) -> (Vec<f32>, Vec<u32>) {
    let axes = prism_model::ops::Rotary::axes(config.mrope_section, config.mrope_interleaved);
    (prism_model::ops::Rotary::frequencies(axes.len(), config.rope_theta), axes.into_iter().map(|axis| axis as u32).collect())
}
