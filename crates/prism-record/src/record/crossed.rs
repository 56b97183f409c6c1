//! A few examples through every cell of a crossing, and the rows that come of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use prism_model::{Error, Result};
use prism_run::protocol::Exit;
use prism_run::records::CellRow;
use prism_run::{Example, Outcome, PathCell, Position, Source, Stage, Weights};

use super::Records;
use super::answered::Scored;
use super::crossing::{Crossing, Side};
use super::prompted::Failed;
use crate::alignment::Targets;
use crate::decode::{
    Block, Branch, ControlTokens, Course, Decoder, Hook, Latents, Notes, Prefiller, Prefix, Strategy, Swap, Trajectory, Untouched, Written,
};

/// Where states of the two free runs are kept.
const POSITIONS: [Position; 3] = [Position::QuestionMean, Position::VisualMean, Position::AnswerState];

/// A group under way.
pub(super) struct Group<'a> {
    pub crossing: &'a Crossing<'a>,
    /// Ids of each letter's spellings.
    pub letters: &'a [Vec<u32>],
    pub examples: &'a [Example],
}

/// What one cell of one example came to.
type Outcomes = BTreeMap<PathCell, std::result::Result<Trajectory, Absent>>;

/// Why a cell of an example is absent.
#[derive(Debug, Clone)]
struct Absent {
    outcome: Outcome,
    reason: String,
}

impl Absent {
    fn error(reason: impl Into<String>) -> Self {
        Self { outcome: Outcome::Error, reason: reason.into() }
    }
}

/// What the variant's clean run leaves to be replayed.
#[derive(Default)]
struct Replay {
    /// With its latent forwards; absent without any.
    whole: Option<Arc<Vec<Written>>>,
    /// Every token of it that is read.
    markers: Arc<Vec<Written>>,
    /// Without the block.
    bare: Arc<Vec<Written>>,
    latents: Arc<Latents>,
}

impl Replay {
    fn of(clean: &Trajectory, row: usize, side: &Side<'_>) -> std::result::Result<Self, String> {
        let answer = clean.answer_forward.ok_or("the variant's clean run wrote no <answer>, so there is nothing to replay up to it")?;
        let place = |forward: usize| clean.forwards.get(forward).and_then(|f| f.place);
        let written = |at: usize| clean.forwards.get(at)?.appended.map(|token| Written { token, next: place(at + 1) });
        let latent = |forward: &usize| place(*forward).is_some();
        let (first, last) = ((0..clean.forwards.len()).find(latent), (0..clean.forwards.len()).rfind(latent));
        let whole: Vec<Written> = (0..answer).filter_map(written).collect();
        let Some((first, last)) = first.zip(last) else { return Ok(Self { bare: Arc::new(whole), ..Self::default() }) };
        if last + 1 >= answer {
            return Err("the variant's clean run wrote its <answer> before the end of its block".into());
        }
        // Before the first latent forward stand the start token and the argmax behind it, which nothing reads.
        let mut bare: Vec<Written> = (0..first.saturating_sub(2)).filter_map(written).collect();
        // Behind the latents stand their end tokens and the white space that sets the block apart.
        let tokenizer = side.prompter.tokenizer();
        let ends = || side.tokens.starts.iter().filter_map(|start| start.end).chain(side.tokens.latent_end);
        let of_block = |written: &Written| {
            ends().any(|end| end == written.token) || tokenizer.decode(&[written.token]).is_ok_and(|text| text.trim().is_empty())
        };
        bare.extend((last + 1..answer).filter_map(written).skip_while(of_block));
        let read = whole.iter().filter(|written| written.next.is_none()).copied();
        Ok(Self {
            markers: Arc::new(read.collect()),
            whole: Some(Arc::new(whole)),
            bare: Arc::new(bare),
            latents: Arc::new(clean.latents(row)),
        })
    }
}

/// One example's prompts on both sides.
struct Prompted {
    base: Prefix,
    variant: Prefix,
}

/// A branch that is to run, and whose it is.
struct Asked<'p> {
    example: usize,
    cell: PathCell,
    branch: Branch<'p>,
}

impl Group<'_> {
    /// The records of the group.
    ///
    /// # Errors
    /// When a model or the tokenizer fails.
    pub fn records(&self) -> Result<Records<CellRow>> {
        let prompted: Vec<std::result::Result<Prompted, Failed>> =
            self.examples.iter().map(|example| self.prompt(example).map_err(Failed::from)).collect();
        let mut outcomes: Vec<Outcomes> = prompted.iter().map(|_| Outcomes::new()).collect();
        let ready = || prompted.iter().enumerate().filter_map(|(i, prompted)| Some((i, prompted.as_ref().ok()?)));

        let free = |prefix| {
            let notes = Notes { layers: true, ..Notes::default() };
            Branch { course: Course { notes, ..Course::default() }, ..Branch::new(prefix, Untouched) }
        };
        for weights in Weights::ALL {
            let cell = PathCell::of(weights, Source::Free);
            let asked = ready().map(|(example, both)| Asked { example, cell, branch: free(both.of(weights)) });
            decode(self.side(weights).decoder(), asked.collect(), &mut outcomes)?;
        }
        let mut replays: BTreeMap<usize, Replay> = BTreeMap::new();
        for (i, _) in ready() {
            let clean = outcomes[i].get(&PathCell::of(Weights::Variant, Source::Free)).and_then(|run| run.as_ref().ok());
            let replay = clean
                .ok_or_else(|| "the variant's clean run failed".to_string())
                .and_then(|run| Replay::of(run, self.examples[i].row, &self.crossing.variant));
            match replay {
                Ok(replay) => drop(replays.insert(i, replay)),
                Err(reason) => outcomes[i].extend(crossed().map(|cell| (cell, Err(Absent::error(reason.clone()))))),
            }
        }
        // The base's own latents come first: its run under the replay makes them.
        let tokens = self.base_tokens();
        let steps = Strategy { exit: Exit::Steps, ..self.crossing.variant.strategy };
        let replayer = |weights| {
            let side = self.side(weights);
            let tokens = if weights == Weights::Base { &tokens } else { side.tokens };
            Decoder { model: side.model, tokenizer: self.crossing.variant.prompter.tokenizer(), tokens, strategy: steps }
        };
        for weights in Weights::ALL {
            let mut asked = Vec::new();
            for (example, both) in ready() {
                let Some(replay) = replays.get(&example) else { continue };
                for latents in Source::CROSSED {
                    let cell = PathCell::of(weights, latents);
                    let fed = outcomes[example].get(&PathCell::of(Weights::Base, Source::Base)).and_then(|run| run.as_ref().ok());
                    match self.branch(cell, &self.examples[example], both, replay, fed) {
                        Ok(branch) => asked.push(Asked { example, cell, branch }),
                        Err(absent) => drop(outcomes[example].insert(cell, Err(absent))),
                    }
                }
            }
            decode(replayer(weights), asked, &mut outcomes)?;
        }
        let mut records = Records::default();
        for ((example, prompted), outcomes) in self.examples.iter().zip(&prompted).zip(&outcomes) {
            self.write(example, prompted.as_ref(), outcomes, &mut records);
        }
        Ok(records)
    }

    fn side(&self, weights: Weights) -> Side<'_> {
        match weights {
            Weights::Base => self.crossing.base,
            Weights::Variant => self.crossing.variant,
        }
    }

    /// What steers the base under the replay: the variant's tokens, under the base's own mask.
    fn base_tokens(&self) -> ControlTokens {
        ControlTokens { sight: self.crossing.base.tokens.sight, ..self.crossing.variant.tokens.clone() }
    }

    fn prompt(&self, example: &Example) -> Result<Prompted> {
        let Crossing { base, variant, preprocessor, .. } = *self.crossing;
        let prefix = |side: Side<'_>| {
            // Both read the variant's prompt; that it is the base's too is looked at below.
            Prefiller { model: side.model, prompter: variant.prompter, preprocessor, layers: true }.prefix(example)
        };
        let both = Prompted { base: prefix(base)?, variant: prefix(variant)? };
        if base.prompter.example(example, &both.variant.grids)?.ids != both.variant.prompt_ids {
            let cause = "is another prompt to the base than to the variant";
            return Err(Error::input(format!("example {}", example.id), cause, "give checkpoints with one chat template and tokenizer"));
        }
        Ok(both)
    }

    /// The branch of a crossed cell, or why this example has none.
    fn branch<'p>(
        &self,
        cell: PathCell,
        example: &Example,
        both: &'p Prompted,
        replay: &Replay,
        base: Option<&Trajectory>,
    ) -> std::result::Result<Branch<'p>, Absent> {
        if let Some(reason) = self.crossing.undefined(cell) {
            return Err(Absent { outcome: Outcome::NoLatents, reason });
        }
        let script = match (cell.latents, &replay.whole) {
            (Source::None | Source::Free, _) => replay.bare.clone(),
            (Source::Markers, Some(_)) => replay.markers.clone(),
            (_, Some(whole)) => whole.clone(),
            (_, None) => {
                let reason = "the variant's block did not open".into();
                return Err(Absent { outcome: Outcome::NoLatents, reason });
            }
        };
        let rows = self.side(cell.weights).model.config().text.vocab_size;
        let read = script.iter().filter(|written| written.next.is_none()).map(|written| written.token);
        if let Some(token) = read.max().filter(|token| *token as usize >= rows) {
            return Err(Absent::error(format!("token {token} of the replay has no embedding row in the {}", cell.weights.name())));
        }
        let swap = |donor| -> Box<dyn Hook> { Box::new(Swap { donor }) };
        let hook: Box<dyn Hook> = match (cell.weights, cell.latents) {
            (_, Source::None | Source::Markers | Source::Free) | (Weights::Base, Source::Base) => Box::new(Untouched),
            (_, Source::Variant) => swap(replay.latents.clone()),
            (Weights::Variant, Source::Base) => {
                let base = base.ok_or_else(|| Absent::error("the base's run under the replay failed"))?;
                swap(Arc::new(base.latents(example.row)))
            }
            (_, Source::Oracle) => swap(Arc::new(self.targets(example, both.of(cell.weights)).map_err(Absent::error)?)),
        };
        let course = Course { block: Block::Replayed(script), ..Course::default() };
        Ok(Branch { course, ..Branch::boxed(both.of(cell.weights), hook) })
    }

    /// The teacher targets of the example's boxes, by the weights' own vision tower.
    fn targets(&self, example: &Example, prefix: &Prefix) -> std::result::Result<Latents, String> {
        let Crossing { variant, layout, .. } = self.crossing;
        let layout = layout.as_ref().ok_or("the variant has no known layout of teacher targets")?;
        if example.boxes.is_empty() {
            return Err("the example has no boxes, so no teacher targets".into());
        }
        let targets = Targets::new(variant.prompter, layout, example, prefix).map_err(|e| e.to_string())?;
        let length = |stage: Stage| {
            let start = variant.tokens.starts.iter().find(|start| start.stage == stage);
            start.map_or(0, |start| variant.strategy.limit(start.stage, start.length))
        };
        Ok(targets.latents(length))
    }

    fn write(
        &self,
        example: &Example,
        prompted: std::result::Result<&Prompted, &Failed>,
        outcomes: &Outcomes,
        records: &mut Records<CellRow>,
    ) {
        let failed = prompted.err();
        let mut messages: Vec<String> = failed.iter().map(|failed| failed.message.clone()).collect();
        let clean = outcomes.get(&PathCell::of(Weights::Variant, Source::Free)).and_then(|run| run.as_ref().ok());
        let absent = |cell, outcome| Scored::absent(outcome).of_cell(example, cell);
        for cell in PathCell::all() {
            let row = match outcomes.get(&cell) {
                Some(Ok(run)) if run.refusal.is_none() => self.answer(example, cell, run, clean),
                Some(Ok(run)) => {
                    messages.extend(run.refusal.iter().map(|reason| format!("{cell}: {reason}")));
                    absent(cell, Outcome::Error)
                }
                Some(Err(Absent { outcome, reason })) => {
                    messages.push(format!("{cell}: {reason}"));
                    absent(cell, *outcome)
                }
                None => absent(cell, Outcome::Error),
            };
            records.answers.push(row);
        }
        if let Ok(both) = prompted {
            for weights in Weights::ALL {
                if let Some(Ok(run)) = outcomes.get(&PathCell::of(weights, Source::Free)) {
                    states(records, example.row, weights, both.of(weights), run);
                }
            }
        }
        let as_it_is = PathCell::of(Weights::Variant, Source::Free);
        let outcome = records.answers.iter().rev().find(|a| a.intervention == as_it_is).map_or(Outcome::Error, |a| a.outcome);
        let prefix = prompted.ok().map(|both| &both.variant);
        records.examples.push(super::example::described(example, prefix, outcome, failed, messages));
    }

    fn answer(&self, example: &Example, cell: PathCell, run: &Trajectory, clean: Option<&Trajectory>) -> CellRow {
        // Only the variant as it is was to open a block by itself.
        let has_block = self.crossing.variant.tokens.has_block();
        let expected = cell == PathCell::of(Weights::Variant, Source::Free) && has_block;
        let latents = if expected { run.steps(Stage::Context) + run.steps(Stage::Target) } else { 1 };
        let is_check = cell == PathCell::of(Weights::Variant, Source::Variant);
        let changed = if is_check { clean.map(|clean| !is_same(clean, run)) } else { None };
        CellRow { changed, ..Scored::of(example, self.letters, run, latents).of_cell(example, cell) }
    }
}

impl Prompted {
    fn of(&self, weights: Weights) -> &Prefix {
        match weights {
            Weights::Base => &self.base,
            Weights::Variant => &self.variant,
        }
    }
}

/// Cells that are made by a replay.
fn crossed() -> impl Iterator<Item = PathCell> {
    PathCell::all().filter(|cell| cell.latents != Source::Free)
}

/// Whether two runs are the same to the bit: tokens, states, and what the answer was read from.
fn is_same(one: &Trajectory, other: &Trajectory) -> bool {
    let bits = |a: &[f32], b: &[f32]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits());
    let states = one.forwards.iter().zip(&other.forwards).all(|(a, b)| bits(&a.state, &b.state));
    let answer = bits(one.answer_logits.as_deref().unwrap_or_default(), other.answer_logits.as_deref().unwrap_or_default());
    one.generated == other.generated && one.forwards.len() == other.forwards.len() && states && answer
}

fn decode<'p>(decoder: Decoder<'p>, asked: Vec<Asked<'p>>, outcomes: &mut [Outcomes]) -> Result<()> {
    let mut places = Vec::with_capacity(asked.len());
    let mut branches = Vec::with_capacity(asked.len());
    for Asked { example, cell, branch } in asked {
        places.push((example, cell));
        branches.push(branch);
    }
    if branches.is_empty() {
        return Ok(());
    }
    for ((example, cell), run) in places.into_iter().zip(decoder.decode(branches)?) {
        outcomes[example].insert(cell, Ok(run));
    }
    Ok(())
}

/// The states of a checkpoint's free run at every layer and after the final norm.
fn states(records: &mut Records<CellRow>, row: usize, weights: Weights, prefix: &Prefix, run: &Trajectory) {
    let side = weights.name();
    for position in POSITIONS {
        if let Some(vector) = prefix.probe(position).or_else(|| run.probe(position)) {
            records.push_vector(&format!("{side}.{}", position.name()), row, &vector);
        }
        for layer in 0..prefix.layers.len() {
            if let Some(vector) = prefix.probe_at(position, layer).or_else(|| run.probe_at(position, layer)) {
                records.push_vector(&format!("{side}.{}@{layer}", position.name()), row, &vector);
            }
        }
    }
}
