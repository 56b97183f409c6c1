//! An intervention on an example becomes a branch of the decode loop.

use std::sync::Arc;

use prism_run::random::Stream;
use prism_run::{Action, Donor, Example, Intervention, Mixture, RegionBox, Stage, View};

use super::Setup;
use super::donors::Donors;
use super::example::Begun;
use super::prompted::Prompted;
use crate::alignment::Targets;
use crate::decode::{
    Block, BlockTokens, Branch, Course, Eviction, Exchange, FirstRepeat, FromPool, Hook, Latents, LayerHook, Mix, Noise, NoiseSource,
    NormMatched, Notes, Prefix, RelativeNoise, Scoped, Strategy, Swap, Typical, Untouched, Zero,
};

/// Whether a branch can run by now.
pub(super) enum Ready<'p> {
    /// Not before donors or the own clean run are known.
    Waits,
    /// It cannot be run, and why.
    Refused(String),
    /// It can.
    Runs {
        /// The branch.
        branch: Branch<'p>,
        /// Row of the donor, if there is one.
        donor: Option<usize>,
    },
}

/// What a branch is made of.
pub(super) struct Ingredients<'p> {
    pub setup: &'p Setup<'p>,
    pub strategy: Strategy,
    pub prompted: &'p Prompted<'p>,
    pub begun: &'p Begun,
    /// Whether the clean run notes keys and values for others.
    pub keys_values: bool,
    /// Absent while they are not known.
    pub donors: Option<&'p Donors>,
}

impl<'p> Ingredients<'p> {
    /// The branch of `intervention`.
    pub fn branch(&self, intervention: &Intervention) -> Ready<'p> {
        let Intervention { action, scope, view } = *intervention;
        let prefix = match self.prompted.prefix(view) {
            None => return Ready::Waits,
            Some(Err(reason)) => return Ready::Refused(reason.clone()),
            Some(Ok(prefix)) => prefix,
        };
        // A penalty reads the clean run's block tokens in every other branch.
        let reads_clean = self.setup.tokens.generation.reads_history() && !intervention.is_clean();
        if self.waits_for_donors(action) || ((action.needs_own_clean() || reads_clean) && self.begun.latents.is_none()) {
            return Ready::Waits;
        }
        if view == View::ImageHidden && self.setup.tokens.rules.prompt_block.is_some_and(|block| block.insert > 0) {
            return Ready::Refused(
                "the protocol reads image tokens again inside its block, so hiding the prompt's shows them still".into(),
            );
        }
        match self.course_and_hook(action, intervention, prefix) {
            Err(reason) => Ready::Refused(reason),
            Ok((mut branch, donor)) => {
                if let Some(layer) = scope.layer {
                    let hook = std::mem::replace(&mut branch.hook, Box::new(Untouched));
                    branch.course.layer = Some(LayerHook { layer, hook: Box::new(Scoped { scope, hook }) });
                } else if action.replaces() {
                    let hook = std::mem::replace(&mut branch.hook, Box::new(Untouched));
                    branch.hook = Box::new(Scoped { scope, hook });
                }
                branch.course.hide_image = view == View::ImageHidden;
                branch.course.said = self.begun.clean().filter(|_| reads_clean).map(|clean| Arc::new(BlockTokens::of(clean)));
                if intervention.is_clean() {
                    let vectors = self.setup.vectors;
                    branch.course.notes =
                        Notes { attention: vectors, layers: self.setup.layers, logits: vectors, keys_values: self.keys_values };
                }
                Ready::Runs { branch, donor }
            }
        }
    }

    fn waits_for_donors(&self, action: Action) -> bool {
        let of_others = action.donor().is_some_and(|donor| donor != Donor::Itself);
        self.donors.is_none() && (of_others || action.needs_pool_statistics())
    }

    fn course_and_hook(
        &self,
        action: Action,
        intervention: &Intervention,
        prefix: &'p Prefix,
    ) -> Result<(Branch<'p>, Option<usize>), String> {
        let (seed, example) = (self.setup.seed, self.prompted.example);
        let source = NoiseSource::Keyed { seed, example: example.id.clone() };
        let unknown = || "the donors are not known".to_string();
        let statistics = || self.donors.map(Donors::statistics).ok_or_else(unknown);
        let from_pool = |typical| statistics().map(|statistics| boxed(FromPool { statistics, typical }));
        let given = |donor: Arc<Latents>| boxed(Swap { donor });
        let course = |block, evict| Course { block, evict, ..Course::default() };
        let mut donor_row = None;
        let mut ordinary = Course::default();
        let hook: Box<dyn Hook + 'p> = match action {
            Action::Clean => Box::new(Untouched),
            Action::Zero => Box::new(Zero),
            Action::Noise(sigma) => Box::new(Noise { sigma, source }),
            Action::RelativeNoise(scale) => Box::new(RelativeNoise { scale, statistics: statistics()?, source }),
            Action::NormMatched => Box::new(NormMatched { source }),
            Action::Mean => from_pool(Typical::Mean)?,
            Action::Constant => from_pool(Typical::Constant)?,
            Action::Draw => from_pool(Typical::Draw(seed, example.id.clone()))?,
            Action::FirstRepeat => Box::new(FirstRepeat::default()),
            Action::Reversed => given(Arc::new(reordered(self.own()?.as_ref(), |order| order.reverse()))),
            Action::Shuffled => {
                let mut stream = Stream::new(seed, "shuffled latents", &[&example.id]);
                given(Arc::new(reordered(self.own()?.as_ref(), |order| stream.shuffle(order))))
            }
            Action::Swap(donor) | Action::SwapKv(donor) | Action::Mix(Mixture { donor, .. }) => {
                let latents = match donor {
                    Donor::Itself => self.own()?,
                    _ => self.donors.ok_or_else(unknown)?.choose(example, donor)?,
                };
                donor_row = Some(latents.row);
                match action {
                    Action::SwapKv(_) => {
                        let donor = self.keys_values(latents.row)?;
                        ordinary.exchange = Some(Exchange { donor, scope: intervention.scope });
                        Box::new(Untouched)
                    }
                    Action::Mix(Mixture { share, .. }) => Box::new(Mix { share, donor: latents }),
                    _ => given(latents),
                }
            }
            Action::Oracle => given(Arc::new(self.targets(&example.boxes)?)),
            Action::WrongOracle => given(Arc::new(self.targets(&self.elsewhere()?)?)),
            Action::Forced(steps) => {
                let scope = prism_run::Scope { steps: steps.checked_sub(1).map(|last| (0, last)), ..Default::default() };
                match steps {
                    0 => Box::new(Untouched),
                    _ => Box::new(Scoped { scope, hook: given(Arc::new(self.targets(&example.boxes)?)) }),
                }
            }
            Action::Remove => {
                ordinary = course(Block::Removed, Eviction::None);
                Box::new(Untouched)
            }
            Action::Markers => {
                ordinary = course(Block::Markers, Eviction::None);
                Box::new(Untouched)
            }
            Action::Format => {
                ordinary = course(Block::Replaced(self.written()?), Eviction::None);
                Box::new(Untouched)
            }
            Action::Evict => {
                ordinary = course(Block::Ordinary, intervention.scope.stage.map_or(Eviction::All, Eviction::Stage));
                Box::new(Untouched)
            }
        };
        Ok((Branch { course: ordinary, ..Branch::boxed(prefix, hook) }, donor_row))
    }

    /// The example's own clean latents.
    fn own(&self) -> Result<Arc<Latents>, String> {
        self.begun.latents.clone().ok_or_else(|| "the clean run failed".to_string())
    }

    /// Clean keys and values of the donor at `row`, which may be the example itself.
    fn keys_values(&self, row: usize) -> Result<Arc<Latents>, String> {
        let of_others = || self.donors.and_then(|donors| donors.keys_values(row));
        let found = if row == self.prompted.example.row { self.begun.keys_values.as_ref() } else { of_others() };
        found.cloned().ok_or_else(|| format!("the keys and values of row {row} are not known"))
    }

    /// What the clean run wrote from the end of its last block up to `<answer>`.
    fn written(&self) -> Result<Vec<u32>, String> {
        let clean = self.begun.clean().ok_or("the clean run failed")?;
        let last = clean.forwards.iter().rposition(|f| f.place.is_some()).ok_or("the clean run opened no block")?;
        let answer = clean.answer_forward.ok_or("the clean run wrote no <answer> and no \\boxed{")?;
        // The last latent forward's argmax is the block's end token; the next one's stands behind it.
        let behind = clean.forwards.get(last + 1..answer).ok_or("the clean run wrote its <answer> before the block's end")?;
        Ok(behind.iter().filter_map(|forward| forward.appended).collect())
    }

    /// Teacher targets of `boxes`, as many a stage as its block has steps.
    fn targets(&self, boxes: &[RegionBox]) -> Result<Latents, String> {
        let layout = self.setup.layout.as_ref().ok_or("the model has no known layout of teacher targets")?;
        if boxes.is_empty() {
            return Err("the example has no boxes, so no teacher targets".into());
        }
        let prefix = self.prompted.prefix(View::Open).and_then(|p| p.as_ref().ok()).ok_or("the prompt could not be run")?;
        let example = Example { boxes: boxes.to_vec(), ..self.prompted.example.clone() };
        let targets = Targets::new(self.setup.prompter, layout, &example, prefix).map_err(|e| e.to_string())?;
        let length = |stage: Stage| {
            let start = self.setup.tokens.starts.iter().find(|start| start.stage == stage);
            start.map_or(0, |start| self.strategy.limit(start.stage, start.length))
        };
        Ok(targets.latents(length))
    }

    /// Boxes of the same size elsewhere: of 64 drawn places the one that covers the least of any box; none where even
    /// that covers more than a quarter of its own area.
    fn elsewhere(&self) -> Result<Vec<RegionBox>, String> {
        let example = self.prompted.example;
        let mut stream = Stream::new(self.setup.seed, "wrong region", &[&example.id]);
        let mut moved = |of: &RegionBox| {
            let [x0, y0, x1, y1] = of.0;
            let (w, h) = (x1 - x0, y1 - y0);
            let mut best = (f64::INFINITY, *of);
            for _ in 0..64 {
                let (x, y) = (stream.uniform() * (1.0 - w), stream.uniform() * (1.0 - h));
                let place = RegionBox([x, y, x + w, y + h]);
                let covered: f64 = example.boxes.iter().map(|b| overlap(&place, b)).sum();
                if covered < best.0 {
                    best = (covered, place);
                }
            }
            if best.0 > 0.25 * w * h {
                return Err("no other region of the box's size: it fills too much of the image".to_string());
            }
            Ok(best.1)
        };
        example.boxes.iter().map(&mut moved).collect()
    }
}

fn boxed<'p>(hook: impl Hook + 'p) -> Box<dyn Hook + 'p> {
    Box::new(hook)
}

/// Area that two boxes share.
fn overlap(a: &RegionBox, b: &RegionBox) -> f64 {
    let side = |low: usize, high: usize| (a.0[high].min(b.0[high]) - a.0[low].max(b.0[low])).max(0.0);
    side(0, 2) * side(1, 3)
}

/// The same vectors in another order, each stage for itself.
fn reordered(latents: &Latents, mut order: impl FnMut(&mut [Vec<f32>])) -> Latents {
    let mut new = latents.clone();
    order(&mut new.context);
    order(&mut new.target);
    new
}
