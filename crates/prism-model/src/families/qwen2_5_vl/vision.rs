//! The tower: blocks with RMSNorm and SwiGLU that look at windows of the image, except in a few that see
//! it whole ([`super::layout`]). All linear layers of a block have biases.

use std::sync::Arc;

use super::config::WHOLE;
use super::layout::Layout;
use crate::Result;
use crate::config::{Config, VisionConfig};
use crate::linear::Linear;
use crate::ops::{self, Rotary};
use crate::preprocess::{Grid, PixelValues};
use crate::tensor::Tensor;
use crate::vision::parts::{BlockParts, FeedForward};
use crate::vision::{Activation, Arrangement, ImageFeatures, Merger, Norm, Parts, Patches, Perceptron, Tower, VisionAttention};
use crate::weights::{Init, Loader, Scope};

/// Loads the tower under `model.visual`.
pub(super) fn tower(config: &Config, loader: &mut Loader) -> Result<Box<dyn Tower>> {
    let config = &config.vision;
    let mut scope = loader.at("model.visual");
    let patches = Patches::load(config, &mut scope, false)?;
    let blocks = (0..config.depth).map(|i| Block::load(config, &mut scope.at(&format!("blocks.{i}")))).collect::<Result<_>>()?;
    let merger = merger(config, &mut scope.at("merger"))?;
    Ok(Box::new(WindowedTower { config: config.clone(), patches, blocks, merger }))
}

#[derive(Debug)]
struct WindowedTower {
    config: VisionConfig,
    patches: Patches,
    blocks: Vec<Block>,
    merger: Merger,
}

/// RMSNorm of every patch, then Linear, GELU, Linear over the joined patches of a token.
fn merger(config: &VisionConfig, scope: &mut Scope<'_>) -> Result<Merger> {
    let joined = config.hidden_size * config.spatial_merge_size.pow(2);
    let norm = Norm::rms(scope, "ln_q", config.hidden_size)?;
    let widths = [joined, joined, config.out_hidden_size];
    let mlp = Perceptron::load(scope, ["mlp.0", "mlp.2"], widths, Activation::Gelu, Init::Normal(config.initializer_range))?;
    Ok(Merger::new(norm, false, joined, mlp))
}

impl Tower for WindowedTower {
    fn forward(&self, images: &[PixelValues]) -> Result<ImageFeatures> {
        let grids: Vec<Grid> = images.iter().map(|image| image.grid).collect();
        let patches = self.patches.of(images)?;
        let layout = Layout::new(&self.config, &grids)?;
        let index = |rows: &[u32]| Tensor::new(rows, patches.device());
        // Permuting before the embedding is the same and leaves less to differentiate.
        let patches = patches.index_select(&index(&layout.patch_order)?, 0)?;
        let mut x = self.patches.embed(&patches)?;
        let windows = Arc::new(layout.window_bounds);
        let frames = Arc::new(layout.frame_bounds);
        for (i, block) in self.blocks.iter().enumerate() {
            let whole = self.config.own.list(WHOLE).contains(&i);
            x = block.forward(&x, if whole { &frames } else { &windows }, &layout.rotary)?;
        }
        let tokens = self.merger.forward(&x)?.index_select(&index(&layout.token_order)?, 0)?;
        Ok(ImageFeatures::new(tokens, Vec::new()))
    }

    fn parts(&self) -> Parts<'_> {
        let whole = self.config.own.list(WHOLE);
        let blocks = self.blocks.iter().enumerate().map(|(i, block)| block.parts(whole.contains(&i))).collect();
        Parts { patches: &self.patches, blocks, levels: Vec::new(), merger: &self.merger }
    }

    fn arrange(&self, grids: &[Grid]) -> Result<Arrangement> {
        let Layout { patch_order, token_order, window_bounds, frame_bounds, rotary } = Layout::new(&self.config, grids)?;
        Ok(Arrangement {
            patch_order: Some(patch_order),
            token_order: Some(token_order),
            windows: window_bounds,
            frames: frame_bounds,
            rotary,
            positions: None,
        })
    }
}

/// Attention, then SwiGLU, each behind an RMSNorm and with a residual.
#[derive(Debug)]
struct Block {
    norm1: Norm,
    norm2: Norm,
    attention: VisionAttention,
    gate_proj: Linear,
    up_proj: Linear,
    down_proj: Linear,
}

impl Block {
    fn load(config: &VisionConfig, scope: &mut Scope<'_>) -> Result<Self> {
        let (hidden, inner, spread) = (config.hidden_size, config.intermediate_size, Init::Normal(config.initializer_range));
        let mut norm = |name| Norm::rms(scope, name, hidden);
        let (norm1, norm2) = (norm("norm1")?, norm("norm2")?);
        let attention = VisionAttention::load(config, scope)?;
        let mut linear = |name, shape| Linear::load(scope, name, shape, true, spread);
        Ok(Self {
            norm1,
            norm2,
            attention,
            gate_proj: linear("mlp.gate_proj", [inner, hidden])?,
            up_proj: linear("mlp.up_proj", [inner, hidden])?,
            down_proj: linear("mlp.down_proj", [hidden, inner])?,
        })
    }

    fn parts(&self, is_whole: bool) -> BlockParts<'_> {
        let feed_forward = FeedForward::Gated { gate: &self.gate_proj, up: &self.up_proj, down: &self.down_proj };
        BlockParts { norm1: &self.norm1, attention: &self.attention, norm2: &self.norm2, feed_forward, is_whole }
    }

    /// x: `[patches, hidden]`; attention stays inside each pair of `bounds`.
    fn forward(&self, x: &Tensor, bounds: &Arc<Vec<usize>>, rotary: &Rotary) -> Result<Tensor> {
        let x = (x + self.attention.forward(&self.norm1.forward(x)?, bounds, rotary)?)?;
        let y = self.norm2.forward(&x)?;
        let inner = ops::swiglu(&self.gate_proj.forward(&y)?, &self.up_proj.forward(&y)?)?;
        Ok((&x + self.down_proj.forward(&inner)?)?)
    }
}
