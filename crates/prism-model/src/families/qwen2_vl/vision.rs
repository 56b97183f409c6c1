//! The tower: blocks with LayerNorm and a two-layer feed-forward, each of which sees a whole frame.

use std::sync::Arc;

use crate::Result;
use crate::config::{Config, VisionConfig};
use crate::preprocess::{Grid, PixelValues};
use crate::vision::{Activation, Arrangement, Block, ImageFeatures, Merger, Norm, Parts, Patches, Perceptron, Tower};
use crate::weights::{Init, Loader, Scope};

/// Loads the tower under `model.visual`.
pub(super) fn tower(config: &Config, loader: &mut Loader) -> Result<Box<dyn Tower>> {
    let config = &config.vision;
    let mut scope = loader.at("model.visual");
    let patches = Patches::load(config, &mut scope, false)?;
    let block = |i: usize| Block::load(config, &mut scope.at(&format!("blocks.{i}")), ["mlp.fc1", "mlp.fc2"], Activation::QuickGelu);
    let blocks = (0..config.depth).map(block).collect::<Result<_>>()?;
    let merger = merger(config, &mut scope.at("merger"))?;
    Ok(Box::new(WholeTower { config: config.clone(), patches, blocks, merger }))
}

#[derive(Debug)]
struct WholeTower {
    config: VisionConfig,
    patches: Patches,
    blocks: Vec<Block>,
    merger: Merger,
}

/// LayerNorm of every patch, then Linear, GELU, Linear over the joined patches of a token.
fn merger(config: &VisionConfig, scope: &mut Scope<'_>) -> Result<Merger> {
    let joined = config.hidden_size * config.spatial_merge_size.pow(2);
    let norm = Norm::layer(scope, "ln_q", config.hidden_size)?;
    let widths = [joined, joined, config.out_hidden_size];
    let mlp = Perceptron::load(scope, ["mlp.0", "mlp.2"], widths, Activation::Gelu, Init::Normal(config.initializer_range))?;
    Ok(Merger::new(norm, false, joined, mlp))
}

impl Tower for WholeTower {
    fn forward(&self, images: &[PixelValues]) -> Result<ImageFeatures> {
        let grids: Vec<Grid> = images.iter().map(|image| image.grid).collect();
        let patches = self.patches.of(images)?;
        let Arrangement { frames, rotary, .. } = self.arrange(&grids)?;
        let frames = Arc::new(frames);
        let mut x = self.patches.embed(&patches)?;
        for block in &self.blocks {
            x = block.forward(&x, &frames, &rotary)?;
        }
        Ok(ImageFeatures::new(self.merger.forward(&x)?, Vec::new()))
    }

    fn parts(&self) -> Parts<'_> {
        let blocks = self.blocks.iter().map(Block::parts).collect();
        Parts { patches: &self.patches, blocks, levels: Vec::new(), merger: &self.merger }
    }

    fn arrange(&self, grids: &[Grid]) -> Result<Arrangement> {
        Arrangement::in_merge_order(&self.config, grids)
    }
}
