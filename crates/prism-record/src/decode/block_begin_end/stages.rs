//! How far the blocks of each stage are.

use prism_run::Stage;

use super::Place;

/// One stage's progress.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Progress {
    /// Blocks opened so far.
    pub blocks: usize,
    /// Forwards of this stage, over all its blocks.
    pub steps: usize,
    /// Forwards of this stage in its latest block.
    pub taken: usize,
    /// Forwards for which the latest block still lasts at most; 0 = closed.
    pub left: usize,
    /// End token of the latest block.
    pub end: Option<u32>,
}

/// Both stages.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stages {
    context: Progress,
    target: Progress,
}

impl Stages {
    pub fn of(&self, stage: Stage) -> &Progress {
        match stage {
            Stage::Context => &self.context,
            Stage::Free | Stage::Target => &self.target,
        }
    }

    fn of_mut(&mut self, stage: Stage) -> &mut Progress {
        match stage {
            Stage::Context => &mut self.context,
            Stage::Free | Stage::Target => &mut self.target,
        }
    }

    pub fn all(&mut self) -> [&mut Progress; 2] {
        [&mut self.context, &mut self.target]
    }

    /// Opens a block of `left` forwards; of none it stays closed and is not counted.
    pub fn open(&mut self, stage: Stage, left: usize, end: Option<u32>) {
        let progress = self.of_mut(stage);
        *progress = Progress { blocks: progress.blocks + usize::from(left > 0), taken: 0, left, end, ..*progress };
    }

    /// A latent forward of `stage` was made: every open block is one nearer its end.
    pub fn count(&mut self, stage: Stage) {
        let progress = self.of_mut(stage);
        progress.steps += 1;
        progress.taken += 1;
        self.all().into_iter().for_each(|progress| progress.left = progress.left.saturating_sub(1));
    }

    /// Closes every block.
    pub fn close(&mut self) {
        self.all().into_iter().for_each(|progress| progress.left = 0);
    }

    /// The place of the next latent forward, if a block is open: the target stage's before the context's.
    pub fn next(&self) -> Option<Place> {
        let open = [(Stage::Target, self.target), (Stage::Context, self.context)].into_iter().find(|(_, p)| p.left > 0);
        open.map(|(stage, p)| Place { stage, block: p.blocks - 1, step: p.steps, block_step: p.taken })
    }
}
