//! The tower: patches with learned positions, blocks that see a whole frame, and mergers: one for the
//! tokens, and one after each block of the deepstack.

use std::sync::Arc;

use super::config::DEEPSTACK;
use super::positions_table::PositionTable;
use crate::Result;
use crate::config::{Config, VisionConfig};
use crate::preprocess::{Grid, PixelValues};
use crate::vision::{Activation, Arrangement, Block, ImageFeatures, Merger, Norm, Parts, Patches, Perceptron, Tower};
use crate::weights::{Init, Loader, Scope};

/// The names of a feed-forward's layers, in blocks and mergers.
const LAYERS: [&str; 2] = ["linear_fc1", "linear_fc2"];

/// Loads the tower under `model.visual`.
pub(super) fn tower(config: &Config, loader: &mut Loader) -> Result<Box<dyn Tower>> {
    let config = &config.vision;
    let mut scope = loader.at("model.visual");
    let patches = Patches::load(config, &mut scope, true)?;
    let positions = PositionTable::load(config, &mut scope)?;
    let names = ["mlp.linear_fc1", "mlp.linear_fc2"];
    let block = |i: usize| Block::load(config, &mut scope.at(&format!("blocks.{i}")), names, Activation::GeluTanh);
    let blocks = (0..config.depth).map(block).collect::<Result<_>>()?;
    let merged = merger(config, &mut scope.at("merger"), false)?;
    let level = |i: usize| merger(config, &mut scope.at(&format!("deepstack_merger_list.{i}")), true);
    let deepstack = (0..config.own.list(DEEPSTACK).len()).map(level).collect::<Result<_>>()?;
    Ok(Box::new(StackedTower { config: config.clone(), patches, positions, blocks, merger: merged, deepstack }))
}

#[derive(Debug)]
struct StackedTower {
    config: VisionConfig,
    patches: Patches,
    positions: PositionTable,
    blocks: Vec<Block>,
    merger: Merger,
    /// In the order in which `config.json` names their blocks.
    deepstack: Vec<Merger>,
}

/// LayerNorm, of every patch or of a token's joined patches, then Linear, GELU, Linear over the joined ones.
fn merger(config: &VisionConfig, scope: &mut Scope<'_>, joins_first: bool) -> Result<Merger> {
    let joined = config.hidden_size * config.spatial_merge_size.pow(2);
    let norm = Norm::layer(scope, "norm", if joins_first { joined } else { config.hidden_size })?;
    let widths = [joined, joined, config.out_hidden_size];
    let mlp = Perceptron::load(scope, LAYERS, widths, Activation::Gelu, Init::Normal(config.initializer_range))?;
    Ok(Merger::new(norm, joins_first, joined, mlp))
}

impl Tower for StackedTower {
    fn forward(&self, images: &[PixelValues]) -> Result<ImageFeatures> {
        let grids: Vec<Grid> = images.iter().map(|image| image.grid).collect();
        let patches = self.patches.of(images)?;
        let Arrangement { frames, rotary, positions, .. } = self.arrange(&grids)?;
        let frames = Arc::new(frames);
        let mut x = self.patches.embed(&patches)?;
        if let Some(positions) = positions {
            x = (x + positions)?;
        }
        let mut levels = Vec::with_capacity(self.deepstack.len());
        for (i, block) in self.blocks.iter().enumerate() {
            x = block.forward(&x, &frames, &rotary)?;
            if let Some(merger) = self.level_after(i) {
                levels.push((levels.len(), merger.forward(&x)?));
            }
        }
        Ok(ImageFeatures::new(self.merger.forward(&x)?, levels))
    }

    fn parts(&self) -> Parts<'_> {
        let blocks = self.blocks.iter().map(Block::parts).collect();
        let levels = (0..self.blocks.len()).filter_map(|i| Some((i, self.level_after(i)?))).collect();
        Parts { patches: &self.patches, blocks, levels, merger: &self.merger }
    }

    fn arrange(&self, grids: &[Grid]) -> Result<Arrangement> {
        let arranged = Arrangement::in_merge_order(&self.config, grids)?;
        Ok(Arrangement { positions: Some(self.positions.of(grids)?), ..arranged })
    }
}

impl StackedTower {
    /// What makes a level of features after block `i`. The i-th level in the order of the blocks is added after decoder layer i,
    /// whatever its merger's number.
    fn level_after(&self, i: usize) -> Option<&Merger> {
        let merger = self.config.own.list(DEEPSTACK).iter().position(|&after| after == i)?;
        self.deepstack.get(merger)
    }
}
