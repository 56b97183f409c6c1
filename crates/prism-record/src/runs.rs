//! A decode as a published runner's log tells it: what every forward read, and the runs of latents with
//! what ended them.

use prism_run::StageSteps;
use serde::Serialize;

use crate::decode::{ControlTokens, Forward, Read, Trajectory};

/// What one forward read.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// What it read.
    pub read: StepRead,
    /// The token that stands there; `null` for the prompt and an image token.
    pub token: Option<u32>,
    /// L2 norm of what it read; `null` for the prompt.
    pub norm: Option<f64>,
}

/// The words for [`Read`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepRead {
    /// The prompt.
    Prompt,
    /// A token's embedding.
    Token,
    /// A fed-back vector.
    Latent,
    /// The embedding of an image token, before a latent.
    Image,
}

impl From<Read> for StepRead {
    fn from(read: Read) -> Self {
        match read {
            Read::Prompt => Self::Prompt,
            Read::Token => Self::Token,
            Read::Latent => Self::Latent,
            Read::Image => Self::Image,
        }
    }
}

/// What every forward read.
pub fn steps(run: &Trajectory) -> Vec<Step> {
    run.forwards.iter().map(|f| Step { read: f.read.into(), token: f.standing, norm: f.read_norm }).collect()
}

/// Why a run of latent forwards ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockEnd {
    /// The end token was said.
    Token,
    /// The block was as long as it may be, and its end token was appended.
    Cap,
    /// Both at once.
    TokenAtCap,
    /// The end token was appended before that: the block repeated itself, or others counted too.
    ForcedEnd,
    /// After its steps.
    Steps,
    /// A start token was said in it and read.
    StartTokenReadAgain,
    /// A stop token was said in it.
    Eos,
    /// The budget was used up.
    Length,
    /// Near the end embedding, or a start token that opened nothing.
    Other,
}

/// A run of latent forwards; of none, where a start token was read and no latent followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BlockRun {
    /// Index of its first forward.
    pub first: usize,
    /// Latent forwards.
    pub n: usize,
    /// What ended it.
    pub end: BlockEnd,
}

/// The runs of latent forwards, in order. `longest`: the most forwards of a block, by stage.
pub fn blocks(run: &Trajectory, tokens: &ControlTokens, longest: StageSteps) -> Vec<BlockRun> {
    let is_latent = |i: usize| run.forwards.get(i).is_some_and(|f| matches!(f.read, Read::Latent | Read::Image));
    let reads_start = |f: &Forward| f.read == Read::Token && f.standing.is_some_and(|id| tokens.starts.iter().any(|s| s.token == id));
    let ends = |id: Option<u32>| id.is_some_and(|id| tokens.starts.iter().any(|start| start.end == Some(id)));
    let mut found = Vec::new();
    let mut i = 0;
    while let Some(forward) = run.forwards.get(i) {
        let last_of_all = |at: usize| at + 1 == run.forwards.len();
        if is_latent(i) {
            let last = (i..run.forwards.len()).take_while(|at| is_latent(*at)).last().unwrap_or(i);
            let n = (i..=last).filter(|at| run.forwards.get(*at).is_some_and(|f| f.place.is_some())).count();
            let stage = forward.place.map(|place| place.stage);
            let full = stage.and_then(|stage| longest.stage(stage)).is_some_and(|most| n == most);
            let (said, appended) = run.forwards.get(last).map_or((None, None), |f| (f.argmax, f.appended));
            let starts = appended.is_some_and(|id| tokens.starts.iter().any(|start| start.token == id));
            let end = match () {
                () if ends(appended) && ends(said) => {
                    if full {
                        BlockEnd::TokenAtCap
                    } else {
                        BlockEnd::Token
                    }
                }
                () if ends(appended) => {
                    if full {
                        BlockEnd::Cap
                    } else {
                        BlockEnd::ForcedEnd
                    }
                }
                () if starts => BlockEnd::StartTokenReadAgain,
                () if appended.is_some_and(|id| tokens.stops.contains(&id)) => BlockEnd::Eos,
                () if last_of_all(last) => BlockEnd::Length,
                () if full => BlockEnd::Steps,
                () => BlockEnd::Other,
            };
            found.push(BlockRun { first: i, n, end });
            i = last + 1;
            continue;
        }
        if reads_start(forward) && !is_latent(i + 1) {
            let end = match () {
                () if ends(forward.appended) => BlockEnd::Token,
                () if last_of_all(i) => BlockEnd::Length,
                () => BlockEnd::Other,
            };
            found.push(BlockRun { first: i + 1, n: 0, end });
        }
        i += 1;
    }
    found
}
