//! A group of examples through all branches, and the rows that come of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use prism_run::records::{AlignmentRow, AnswerRow, ExampleRow, TimingRow};
use prism_run::{Example, Intervention, Outcome, Position, Stage};

use super::donors::Donors;
use super::{Records, Setup};
use crate::alignment::Targets;
use crate::clock;
use crate::decode::answer::{self, Distribution};
use crate::decode::{Branch, Decoder, Latents, Noise, NoiseSource, Prefiller, Prefix, Strategy, Swap, Trajectory, Untouched, Zero};
use crate::error::Result;
use crate::model::Model;
use crate::prompt::BlockLayout;
use crate::tokenizer::Tokenizer;

/// Ids of each letter's one-token spellings, A to Z: with and without a space before it.
pub(super) fn letter_forms(tokenizer: &Tokenizer) -> Result<Vec<Vec<u32>>> {
    let mut all = Vec::with_capacity(26);
    for letter in 'A'..='Z' {
        let mut forms = Vec::new();
        for text in [format!(" {letter}"), letter.to_string()] {
            // A letter the tokenizer cannot spell has no form; a space of its own is no letter.
            if let Ok(&[id]) = tokenizer.encode(&text).as_deref() {
                forms.push(id);
            }
        }
        all.push(forms);
    }
    Ok(all)
}

/// What is the same for every example.
#[derive(Clone)]
pub(super) struct Runner<'a> {
    pub setup: &'a Setup<'a>,
    /// One arm's of a sweep.
    pub strategy: Strategy,
    pub branches: &'a [Intervention],
    /// Rows whose alignment is measured.
    pub aligned: &'a BTreeSet<usize>,
    pub letters: &'a [Vec<u32>],
}

/// How far one branch of one example is.
enum Slot {
    /// It waits for donors' latents, or for the clean run's.
    Waiting,
    /// It ran.
    Done { donor: Option<usize>, trajectory: Box<Trajectory> },
    /// It cannot be run.
    Refused(String),
}

/// What an example took so far.
#[derive(Debug, Clone, Copy, Default)]
struct Times {
    image: Duration,
    vision: Duration,
    prefill: Duration,
    prefills: usize,
}

impl Times {
    /// An example's prefix; what it took is added.
    fn prefix(&mut self, setup: &Setup<'_>, example: &Example) -> Result<Prefix> {
        let Setup { model, prompter, preprocessor, .. } = *setup;
        let (prefix, took, spent) = clock::timed(|| Prefiller { model, prompter, preprocessor }.prefix(example));
        self.vision += spent.vision;
        self.prefill += spent.prefill;
        self.image += took.saturating_sub(spent.vision + spent.prefill);
        self.prefills += 1;
        prefix
    }
}

/// An example with its vision pass and prefill, which all branches of all arms share.
pub(super) struct Prompted<'e> {
    pub example: &'e Example,
    /// Absent when the example failed, or when it was dropped to save memory.
    prefix: Option<Prefix>,
    /// Why the example cannot be run at all.
    failure: Option<String>,
    times: Times,
}

impl<'e> Prompted<'e> {
    /// Runs vision tower and prefill of every example of a group.
    pub fn group(setup: &Setup<'_>, group: &[&'e Example]) -> Vec<Self> {
        let prompted = |&example: &&'e Example| {
            let mut times = Times::default();
            match times.prefix(setup, example) {
                Ok(prefix) => Self { example, prefix: Some(prefix), failure: None, times },
                Err(e) => Self { example, prefix: None, failure: Some(e.to_string()), times },
            }
        };
        group.iter().map(prompted).collect()
    }

    /// Roughly what the prefix holds in memory.
    pub fn prefix_bytes(&self, model: &Model) -> usize {
        let Some(prefix) = &self.prefix else { return 0 };
        let text = &model.config.text;
        let kv = 2 * text.num_hidden_layers * text.num_key_value_heads * text.head_dim();
        (prefix.prompt_ids.len() * kv + prefix.visual_tokens() * text.hidden_size) * model.dtype.size_in_bytes()
    }

    /// Forgets the prefix.
    pub fn drop_prefix(&mut self) {
        self.prefix = None;
    }

    /// Makes a dropped prefix again; whether there was one to make.
    pub fn restore_prefix(&mut self, setup: &Setup<'_>) -> Result<bool> {
        let dropped = self.prefix.is_none() && self.failure.is_none();
        if dropped {
            self.prefix = Some(self.times.prefix(setup, self.example)?);
        }
        Ok(dropped)
    }
}

/// One arm's branches of an example, of which those without unknown donors have run.
pub(super) struct Begun {
    /// One per branch.
    slots: Vec<Slot>,
    /// Clean latents, when the example ran.
    pub latents: Option<Arc<Latents>>,
    /// Time in decoding, and forwards made.
    decode: Duration,
    forwards: usize,
}

impl Begun {
    fn clean(&self) -> Option<&Trajectory> {
        match self.slots.first() {
            Some(Slot::Done { trajectory, .. }) => Some(trajectory),
            _ => None,
        }
    }

    fn never_opened(&self) -> bool {
        self.latents.as_ref().is_some_and(|l| l.is_empty())
    }
}

impl<'a> Runner<'a> {
    fn decode<'p>(&'p self, branches: Vec<Branch<'p>>) -> Result<Vec<Trajectory>> {
        let Setup { model, prompter, tokens, .. } = *self.setup;
        Decoder { model, tokenizer: prompter.tokenizer(), tokens, strategy: self.strategy }.decode(branches)
    }

    /// Every branch of the group that can run by now, side by side. Without `donors`, swaps wait.
    pub fn begin(&self, group: &[Prompted<'_>], donors: Option<&Donors>) -> Result<Vec<Begun>> {
        let waiting = || self.branches.iter().map(|_| Slot::Waiting).collect();
        let mut all: Vec<Begun> =
            group.iter().map(|_| Begun { slots: waiting(), latents: None, decode: Duration::ZERO, forwards: 0 }).collect();
        self.run_waiting(group, &mut all, |prompted, _, branch| match (branch, donors) {
            (Intervention::Sham, _) => None,
            (Intervention::Swap | Intervention::SwapWith(_), donors) => {
                donors.map(|donors| donors.choose(prompted.example, branch, self.setup.seed))
            }
            _ => Some(Ok(Arc::new(Latents::default()))),
        })?;
        for (prompted, begun) in group.iter().zip(&mut all) {
            begun.latents = begun.clean().map(|t| Arc::new(t.latents(prompted.example.row)));
        }
        Ok(all)
    }

    /// Runs the waiting branches and gives one example's records each.
    pub fn complete(&self, group: &[Prompted<'_>], mut all: Vec<Begun>, donors: &Donors) -> Result<Vec<Records>> {
        self.run_waiting(group, &mut all, |prompted, begun, branch| {
            Some(match branch {
                Intervention::Sham => begun.latents.clone().ok_or_else(|| "the clean run failed".to_string()),
                _ => donors.choose(prompted.example, branch, self.setup.seed),
            })
        })?;
        group.iter().zip(&all).map(|(prompted, begun)| self.records(prompted, begun)).collect()
    }

    /// Runs, side by side, the waiting branches for which `donor` has an answer.
    fn run_waiting(
        &self,
        group: &[Prompted<'_>],
        all: &mut [Begun],
        donor: impl Fn(&Prompted<'_>, &Begun, &Intervention) -> Option<std::result::Result<Arc<Latents>, String>>,
    ) -> Result<()> {
        let mut results: Vec<(usize, usize, Slot)> = Vec::new();
        let mut places: Vec<(usize, usize, Option<usize>)> = Vec::new();
        let mut branches: Vec<Branch<'_>> = Vec::new();
        for (i, (prompted, begun)) in group.iter().zip(all.iter()).enumerate() {
            let Some(prefix) = &prompted.prefix else { continue };
            for (k, (branch, slot)) in self.branches.iter().zip(&begun.slots).enumerate() {
                if !matches!(slot, Slot::Waiting) {
                    continue;
                }
                let latents = match donor(prompted, begun, branch) {
                    None => continue,
                    Some(Err(reason)) => {
                        results.push((i, k, Slot::Refused(reason)));
                        continue;
                    }
                    Some(Ok(latents)) => latents,
                };
                places.push((i, k, branch.needs_donor().then_some(latents.row)));
                branches.push(match branch {
                    Intervention::Clean => Branch::new(prefix, Untouched),
                    Intervention::Zero => Branch::new(prefix, Zero),
                    Intervention::Noise(sigma) => {
                        let source = NoiseSource::Keyed { seed: self.setup.seed, example: prompted.example.id.clone() };
                        Branch::new(prefix, Noise { sigma: *sigma, source })
                    }
                    Intervention::Swap | Intervention::SwapWith(_) | Intervention::Sham => Branch::new(prefix, Swap { donor: latents }),
                });
            }
        }
        let (trajectories, took) = clock::own(|| self.decode(branches));
        let trajectories = trajectories?;
        let total: usize = trajectories.iter().map(|t| t.forwards.len()).sum();
        let mut shares: Vec<(usize, usize)> = Vec::new();
        for ((i, k, donor), trajectory) in places.into_iter().zip(trajectories) {
            shares.push((i, trajectory.forwards.len()));
            results.push((i, k, Slot::Done { donor, trajectory: Box::new(trajectory) }));
        }
        for (i, forwards) in shares {
            if let Some(begun) = all.get_mut(i) {
                begun.forwards += forwards;
                begun.decode += took.mul_f64(forwards as f64 / total.max(1) as f64);
            }
        }
        for (i, k, result) in results {
            if let Some(slot) = all.get_mut(i).and_then(|b| b.slots.get_mut(k)) {
                *slot = result;
            }
        }
        Ok(())
    }

    /// The rows and vectors of one example.
    fn records(&self, prompted: &Prompted<'_>, begun: &Begun) -> Result<Records> {
        let example = prompted.example;
        let mut records = Records::default();
        let mut messages: Vec<String> = prompted.failure.iter().cloned().collect();
        for (branch, slot) in self.branches.iter().zip(&begun.slots) {
            let row = match slot {
                Slot::Done { donor, trajectory } => self.answer(example, begun, branch, *donor, trajectory),
                // Without a block there is no site: the branch is the clean run, and says so.
                Slot::Refused(_) if begun.never_opened() => match begun.clean() {
                    Some(clean) => self.answer(example, begun, branch, None, clean),
                    None => unanswered(example, branch, "error"),
                },
                Slot::Refused(reason) => {
                    messages.push(format!("{branch}: {reason}"));
                    unanswered(example, branch, "error")
                }
                Slot::Waiting => unanswered(example, branch, "error"),
            };
            if let Slot::Done { trajectory, .. } = slot
                && let Some(reason) = &trajectory.refusal
            {
                messages.push(format!("{branch}: {reason}"));
            }
            records.answers.push(row);
        }
        if let (Some(prefix), Some(clean)) = (&prompted.prefix, begun.clean()) {
            let positions = if self.setup.vectors { &Position::ALL[..] } else { &[] };
            for &position in positions {
                if let Some(vector) = prefix.probe(position).or_else(|| clean.probe(position)) {
                    records.push_vector(position.name(), example.row, &vector);
                }
            }
            if let (true, Some(layout)) = (self.aligned.contains(&example.row), &self.setup.layout) {
                match self.alignment(example, prefix, clean, layout) {
                    Ok(rows) => records.alignment = rows,
                    Err(e) => messages.push(format!("alignment: {e}")),
                }
            }
        }
        records.examples.push(self.example_row(prompted, records.answers.first(), messages));
        if self.setup.timing {
            records.timing.push(timing_row(prompted, begun));
        }
        Ok(records)
    }

    fn alignment(&self, example: &Example, prefix: &Prefix, clean: &Trajectory, layout: &BlockLayout) -> Result<Vec<AlignmentRow>> {
        let targets = Targets::new(self.setup.prompter, layout, example, prefix)?;
        let mut rows = targets.teacher_forced(self.setup.model, prefix)?;
        rows.extend(targets.free_running(clean));
        Ok(rows)
    }

    fn example_row(&self, prompted: &Prompted<'_>, clean: Option<&AnswerRow>, messages: Vec<String>) -> ExampleRow {
        let example = prompted.example;
        let boxes: Vec<String> = example.boxes.iter().map(|b| format!("[{},{},{},{}]", b.0[0], b.0[1], b.0[2], b.0[3])).collect();
        ExampleRow {
            row: example.row,
            id: example.id.clone(),
            question_id: example.question_id.clone(),
            category: example.category.clone(),
            pair: example.pair.clone(),
            counterfactual: example.counterfactual.clone(),
            prompt: example.prompt.clone(),
            options: example.options.join("\n"),
            label: example.label.clone(),
            image: example.images.first().map(|p| p.display().to_string()).unwrap_or_default(),
            images: example.images.len(),
            boxes: format!("[{}]", boxes.join(",")),
            prompt_tokens: prompted.prefix.as_ref().map_or(0, |p| p.prompt_ids.len()),
            visual_tokens: prompted.prefix.as_ref().map_or(0, Prefix::visual_tokens),
            outcome: clean.map_or(Outcome::Error.name().to_string(), |a| a.outcome.clone()),
            message: (!messages.is_empty()).then(|| messages.join("; ")),
        }
    }

    fn distribution(&self, example: &Example, trajectory: &Trajectory) -> Option<Distribution> {
        let mut label = example.label.chars();
        let gold = match (label.next(), label.next()) {
            (Some(letter @ 'A'..='Z'), None) => letter as usize - 'A' as usize,
            _ => return None,
        };
        let forms = self.letters.get(..example.options.len())?;
        answer::distribution(trajectory.answer_logits.as_deref()?, forms, gold)
    }

    fn answer(&self, example: &Example, begun: &Begun, branch: &Intervention, donor: Option<usize>, trajectory: &Trajectory) -> AnswerRow {
        if trajectory.refusal.is_some() {
            let (steps_context, steps_target) = (trajectory.steps(Stage::Context), trajectory.steps(Stage::Target));
            return AnswerRow { donor, steps_context, steps_target, ..unanswered(example, branch, "error") };
        }
        let letter = answer::parse(&trajectory.text);
        let distribution = self.distribution(example, trajectory);
        AnswerRow {
            row: example.row,
            id: example.id.clone(),
            intervention: branch.to_string(),
            donor,
            outcome: answer::outcome(example, letter, trajectory.latent_forwards().count()).name().to_string(),
            answer: letter.filter(|&l| answer::is_option(example, l)).map(String::from),
            correct: Some(answer::is_correct(example, letter)),
            text: trajectory.text.clone(),
            generated: trajectory.generated.iter().map(|&id| i64::from(id)).collect(),
            changed: begun.clean().map(|clean| clean.generated != trajectory.generated),
            steps_context: trajectory.steps(Stage::Context),
            steps_target: trajectory.steps(Stage::Target),
            gold_margin: distribution.and_then(|d| d.gold_margin),
            gold_logprob: distribution.map(|d| d.gold_logprob),
            answer_entropy: distribution.map(|d| d.entropy),
            latent_norm: trajectory.latent_norm(),
            perturbation_norm: trajectory.perturbation_norm(),
        }
    }
}

fn timing_row(prompted: &Prompted<'_>, begun: &Begun) -> TimingRow {
    let times = &prompted.times;
    TimingRow {
        row: prompted.example.row,
        id: prompted.example.id.clone(),
        visual_tokens: prompted.prefix.as_ref().map_or(0, Prefix::visual_tokens),
        prompt_tokens: prompted.prefix.as_ref().map_or(0, |p| p.prompt_ids.len()),
        image: times.image.as_secs_f64(),
        vision: times.vision.as_secs_f64(),
        prefill: times.prefill.as_secs_f64(),
        decode: begun.decode.as_secs_f64(),
        prefills: times.prefills,
        forwards: begun.forwards,
    }
}

/// The row of a branch that did not run.
fn unanswered(example: &Example, branch: &Intervention, outcome: &str) -> AnswerRow {
    AnswerRow {
        row: example.row,
        id: example.id.clone(),
        intervention: branch.to_string(),
        donor: None,
        outcome: outcome.to_string(),
        answer: None,
        correct: None,
        text: String::new(),
        generated: Vec::new(),
        changed: None,
        steps_context: 0,
        steps_target: 0,
        gold_margin: None,
        gold_logprob: None,
        answer_entropy: None,
        latent_norm: None,
        perturbation_norm: None,
    }
}
