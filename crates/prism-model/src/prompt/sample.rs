//! A training record as token ids, labels and latent positions (method, sections 2 and 3).

use std::ops::Range;

use prism_run::training::{IMAGE_MARKER, REGION_MARKER};
use prism_run::{Example, RegionBox, Sight, Stage, Stages, TrainingRecord, Turn, Variant};

use super::Prompter;
use crate::ops::Hidden;
use crate::preprocess::Grid;
use crate::sight::{self, Kind};
use crate::tokenizer::latent::StagedTokens;
use crate::tokenizer::{LatentTokens, StageTokens};
use crate::{Error, Result, regions};

/// What an image marker becomes.
const IMAGE: &str = "<|vision_start|><|image_pad|><|vision_end|>";

/// How one region is laid out as latent blocks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlockLayout {
    /// The stages.
    pub stages: Stages,
    /// Context box = target box scaled by this about its centre.
    pub context_scale: f64,
    /// Free tokens of a region.
    pub free_tokens: usize,
    /// Whether `<|lvr_latent_end|>` closes the latents of each stage, before the stage's
    /// end token, as the golden runs of the release have it.
    pub latent_end: bool,
    /// Whether the latent positions are asked for the record's label too.
    pub asked: bool,
    /// Whether the block is left out behind its start token, as `remove` leaves it out.
    pub skipped: bool,
    /// Whether only the first region has a block.
    pub once: bool,
    /// Latent positions of a block, without teacher targets; `None`: one per visual token of the region.
    pub steps: Option<usize>,
    /// What the positions may see.
    pub sight: Sight,
}

impl BlockLayout {
    /// The layout of a variant, without `<|lvr_latent_end|>`.
    pub fn of(variant: &Variant) -> Self {
        Self {
            stages: variant.stages,
            context_scale: variant.context_scale,
            free_tokens: variant.free_tokens,
            latent_end: false,
            asked: variant.asked,
            skipped: false,
            once: variant.opens_once(),
            steps: variant.block_steps,
            sight: variant.sight,
        }
    }

    /// The same with `<|lvr_latent_end|>` after the latents of each stage.
    pub fn with_latent_end(self, latent_end: bool) -> Self {
        Self { latent_end, ..self }
    }

    /// Stage and length of each latent block that the regions become in an image of that grid: what
    /// [`TrainingSample::runs`] has, without laying a record out. `merge`: patches on a merged token's side.
    pub fn blocks(&self, regions: &[RegionBox], grid: Grid, merge: usize) -> Vec<(Stage, usize)> {
        let stages = self.stages.list().iter().copied().filter(|stage| *stage != Stage::Free);
        let length = |region, stage| self.steps.unwrap_or_else(|| regions::tokens(self.region(region, stage), grid, merge).len());
        regions
            .iter()
            .take(self.most(regions.len()))
            .flat_map(|&region| stages.clone().map(move |stage| (stage, length(region, stage))))
            .collect()
    }

    /// How many of so many regions have a block.
    fn most(&self, regions: usize) -> usize {
        if self.once { regions.min(1) } else { regions }
    }

    /// The box of a stage.
    pub fn region(&self, target: RegionBox, stage: Stage) -> RegionBox {
        if stage == Stage::Context { target.scaled(self.context_scale) } else { target }
    }
}

/// One `<|lvr|>` position with a teacher target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LatentPosition {
    /// Index in the sequence. The hidden state that predicts it is the one at `at - 1`.
    pub at: usize,
    /// Index of the region in the record.
    pub region: usize,
    /// Stage it belongs to.
    pub stage: Stage,
    /// Row of its teacher target among the sample's visual tokens.
    pub visual: usize,
}

/// The `<|lvr|>` positions of one stage of one region, with teacher targets or without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LatentRun {
    /// Index of the region in the record.
    pub region: usize,
    /// Stage it belongs to.
    pub stage: Stage,
    /// Indices in the sequence; the block's start token stands right before.
    pub at: Range<usize>,
}

/// The `<|free|>` positions of one region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreeRun {
    /// Index of the region in the record.
    pub region: usize,
    /// Indices in the sequence.
    pub at: Range<usize>,
}

/// A training record laid out.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingSample {
    /// The record's row in the corpus.
    pub row: usize,
    /// Token ids, image tokens expanded.
    pub ids: Vec<u32>,
    /// The token itself where the cross-entropy counts it: the answers with their end of
    /// turn, latent and free positions not. Not shifted.
    pub labels: Vec<Option<u32>>,
    /// Rotary position (temporal, height, width) of each token.
    pub positions: Vec<[u32; 3]>,
    /// Sizes of the images in patches, in order.
    pub grids: Vec<Grid>,
    /// Index of each image token; the k-th takes the k-th row of the images' visual tokens.
    pub image_tokens: Vec<usize>,
    /// Every `<|lvr|>` position that has a teacher target, in order.
    pub latents: Vec<LatentPosition>,
    /// Every run of `<|lvr|>` positions, in order.
    pub runs: Vec<LatentRun>,
    /// The free positions, region by region.
    pub free: Vec<FreeRun>,
    /// Keys that its tokens may not see.
    pub hidden: Hidden,
}

impl TrainingSample {
    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are no tokens.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The labels as the predicting positions see them: `labels` one place to the left.
    pub fn shifted_labels(&self) -> Vec<Option<u32>> {
        self.labels.iter().skip(1).copied().chain([None]).take(self.labels.len()).collect()
    }
}

/// Ids and what is known of them, while the sample grows.
#[derive(Default)]
struct Draft {
    ids: Vec<u32>,
    counted: Vec<bool>,
    latents: Vec<LatentPosition>,
    runs: Vec<LatentRun>,
    free: Vec<FreeRun>,
}

impl Draft {
    fn push(&mut self, ids: impl IntoIterator<Item = u32>, counted: bool) {
        self.ids.extend(ids);
        self.counted.resize(self.ids.len(), counted);
    }

    /// What every token is.
    fn kinds(&self, image_tokens: &[usize]) -> Vec<Kind> {
        let mut kinds = vec![Kind::Other; self.ids.len()];
        image_tokens.iter().for_each(|&at| kinds[at] = Kind::Image);
        for run in &self.runs {
            kinds[run.at.start - 1] = Kind::BlockStart;
            kinds[run.at.clone()].fill(Kind::Latent);
        }
        kinds
    }
}

impl Prompter {
    /// The training sample of a record; `grids`: one per image.
    ///
    /// # Errors
    /// When the model lacks a token that the layout needs, or markers, images and boxes do not match.
    pub fn sample(&self, record: &TrainingRecord, grids: &[Grid], layout: &BlockLayout) -> Result<TrainingSample> {
        let refuse = |cause: String| Error::input(format!("training record {}", record.id), cause, "correct or drop the record");
        if grids.len() != record.images.len() {
            return Err(refuse(format!("{} grids for {} images", grids.len(), record.images.len())));
        }
        let asked: usize = record.turns.iter().map(|turn| turn.answer.matches(REGION_MARKER).count()).sum();
        if asked != record.boxes.len() {
            return Err(refuse(format!("{asked} {REGION_MARKER} markers for {} boxes", record.boxes.len())));
        }
        let blocks = layout.stages != Stages::None && !record.boxes.is_empty();
        if blocks && grids.len() != 1 {
            return Err(refuse(format!("it has boxes and {} images: which image they lie in is not said", grids.len())));
        }
        let tokens = match self.latent() {
            Some(tokens) => Some(tokens),
            None if !blocks => None,
            None => return Err(refuse("the model has no latent block: add its tokens to the base checkpoint".into())),
        };
        let mut draft = Draft::default();
        let mut images = grids.iter();
        let mut boxes = record.boxes.iter().copied().enumerate().take(layout.most(record.boxes.len()));
        if let Some(system) = self.config.family.system {
            draft.push(self.tokenizer().encode(&format!("<|im_start|>system\n{system}<|im_end|>\n"))?, false);
        }
        for Turn { question, answer } in &record.turns {
            let asked = format!("<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n", with_images(question));
            let asked = self.tokenizer().encode(&asked)?;
            let pads = asked.iter().filter(|id| **id == self.chat.image_pad).count();
            let here: Vec<Grid> = images.by_ref().take(pads).copied().collect();
            draft.push(self.expand(&asked, &here)?, false);
            let answered = format!("{answer}<|im_end|>\n");
            for (i, text) in answered.split(REGION_MARKER).enumerate() {
                if i > 0
                    && let (Some(tokens), Some((region, target)), Some(grid)) = (tokens, boxes.next(), grids.first())
                {
                    let block = Block { tokens, layout, region, target, grid: *grid, merge: self.config.vision.spatial_merge_size };
                    block.push(&mut draft).map_err(&refuse)?;
                }
                // Without a block its marker takes the newline behind it along: the answer begins as the base's do.
                let text = if i > 0 && layout.stages == Stages::None { text.strip_prefix('\n').unwrap_or(text) } else { text };
                draft.push(self.tokenizer().encode(text)?, true);
            }
        }
        let (positions, _) = self.positions(&draft.ids, grids)?;
        let image_tokens = self.image_tokens(&draft.ids);
        let hidden = sight::hidden(layout.sight, &draft.kinds(&image_tokens));
        let mut labels: Vec<Option<u32>> = draft.ids.iter().zip(&draft.counted).map(|(id, counted)| counted.then_some(*id)).collect();
        if layout.asked {
            let letter = self.letter(record, &labels).ok_or_else(|| refuse("its label is no token of its answer".into()))?;
            // A position's answer stands in the place behind it; behind the last one the block ends.
            draft.runs.iter().flat_map(|run| run.at.clone().skip(1)).for_each(|at| labels[at] = Some(letter));
        }
        Ok(TrainingSample {
            row: record.row,
            labels,
            positions,
            grids: grids.to_vec(),
            image_tokens,
            ids: draft.ids,
            latents: draft.latents,
            runs: draft.runs,
            free: draft.free,
            hidden,
        })
    }

    /// The token of the record's label in its answer.
    fn letter(&self, record: &TrainingRecord, labels: &[Option<u32>]) -> Option<u32> {
        let label = record.label.as_deref()?;
        let forms = [label.to_string(), format!(" {label}")];
        let tokens = forms.iter().filter_map(|form| self.tokenizer().encode(form).ok()?.last().copied());
        tokens.into_iter().find(|token| labels.contains(&Some(*token)))
    }

    /// The sample that teacher-forces an example: its regions in order, then its answer.
    ///
    /// # Errors
    /// As [`Prompter::sample`].
    pub fn teacher_forced(&self, example: &Example, grids: &[Grid], layout: &BlockLayout) -> Result<TrainingSample> {
        let question = format!("{}{}", IMAGE_MARKER.repeat(example.images.len()), example.prompt);
        let answer = format!("{}\n<answer> {} </answer>", REGION_MARKER.repeat(example.boxes.len()), example.label);
        let record = TrainingRecord {
            id: example.id.clone(),
            row: example.row,
            images: example.images.clone(),
            turns: vec![Turn { question, answer }],
            boxes: example.boxes.clone(),
            text: None,
            label: None,
        };
        self.sample(&record, grids, layout)
    }
}

/// The question with each image marker, and a newline on either side of it, replaced.
fn with_images(question: &str) -> String {
    let mut out = String::with_capacity(question.len() + IMAGE.len());
    let mut pieces = question.split(IMAGE_MARKER);
    out.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        if out.ends_with('\n') {
            out.pop();
        }
        out.push_str(IMAGE);
        out.push_str(piece.strip_prefix('\n').unwrap_or(piece));
    }
    out
}

/// The latent blocks of one region.
struct Block<'a> {
    tokens: &'a LatentTokens,
    layout: &'a BlockLayout,
    region: usize,
    target: RegionBox,
    grid: Grid,
    merge: usize,
}

impl Block<'_> {
    /// Appends every stage of the region; says which token is missing.
    fn push(&self, draft: &mut Draft) -> Result<(), String> {
        for &stage in self.layout.stages.list() {
            let StageTokens { start, end } = self
                .tokens
                .stage(self.layout.stages, stage)
                .ok_or_else(|| format!("the model has no tokens for the {} stage: train a staged checkpoint", stage.name()))?;
            draft.push([start], true);
            if self.layout.skipped {
                continue;
            }
            if stage == Stage::Free {
                self.push_free(draft)?;
            } else {
                self.push_latents(draft, stage);
            }
            if self.layout.latent_end {
                let latent_end = self.tokens.latent_end.ok_or("the model has no token <|lvr_latent_end|>")?;
                draft.push([latent_end], true);
            }
            draft.push([end], true);
        }
        Ok(())
    }

    fn push_latents(&self, draft: &mut Draft, stage: Stage) {
        let start = draft.ids.len();
        match self.layout.steps {
            Some(steps) => draft.push(std::iter::repeat_n(self.tokens.lvr, steps), false),
            None => self.push_targets(draft, stage),
        }
        draft.runs.push(LatentRun { region: self.region, stage, at: start..draft.ids.len() });
    }

    fn push_targets(&self, draft: &mut Draft, stage: Stage) {
        for visual in regions::tokens(self.layout.region(self.target, stage), self.grid, self.merge) {
            draft.latents.push(LatentPosition { at: draft.ids.len(), region: self.region, stage, visual });
            draft.push([self.tokens.lvr], false);
        }
    }

    fn push_free(&self, draft: &mut Draft) -> Result<(), String> {
        let StagedTokens { free, .. } = self.tokens.staged.ok_or("the model has no token <|free|>")?;
        let start = draft.ids.len();
        draft.push(std::iter::repeat_n(free, self.layout.free_tokens), false);
        draft.free.push(FreeRun { region: self.region, at: start..draft.ids.len() });
        Ok(())
    }
}
