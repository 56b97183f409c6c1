//! A group of examples through all branches, and the rows that come of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use prism_model::{Result, clock};
use prism_run::outcome::Cause;
use prism_run::records::{AnswerRow, ExampleRow, LatentRow, TimingRow};
use prism_run::{Example, Intervention, Outcome, Stage, View};

use super::answered::{self, Scored};
use super::branch::{Ingredients, Ready};
use super::donors::Donors;
use super::notes::{self, Reader};
use super::prompted::{Failed, Prompted};
use super::strength::Measured;
use super::{Records, Setup};
use super::{lens, maps};
use crate::alignment::Targets;
use crate::decode::{Branch, Decoder, Latents, Prefix, Strategy, Trajectory};

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
    /// Whether keys and values of clean runs are kept: some branch exchanges them.
    pub keys_values: bool,
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

/// One arm's branches of an example, of which those without unknown donors have run.
pub(super) struct Begun {
    /// One per branch.
    slots: Vec<Slot>,
    /// Clean latents, when the example ran.
    pub latents: Option<Arc<Latents>>,
    /// Clean keys and values, where they are kept.
    pub keys_values: Option<Arc<Latents>>,
    /// Time in decoding, and forwards made.
    decode: Duration,
    forwards: usize,
}

impl Begun {
    /// The clean run, if it ran.
    pub fn clean(&self) -> Option<&Trajectory> {
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
        let mut all: Vec<Begun> = group
            .iter()
            .map(|_| Begun { slots: waiting(), latents: None, keys_values: None, decode: Duration::ZERO, forwards: 0 })
            .collect();
        self.run_waiting(group, &mut all, donors)?;
        for (prompted, begun) in group.iter().zip(&mut all) {
            let Some(Slot::Done { trajectory, .. }) = begun.slots.first_mut() else { continue };
            begun.latents = Some(Arc::new(trajectory.latents(prompted.example.row)));
            begun.keys_values = self.keys_values.then(|| Arc::new(trajectory.take_keys_values(prompted.example.row)));
        }
        Ok(all)
    }

    /// Runs the waiting branches and gives one example's records each.
    pub fn complete(&self, group: &[Prompted<'_>], mut all: Vec<Begun>, donors: &Donors) -> Result<Vec<Records>> {
        self.run_waiting(group, &mut all, Some(donors))?;
        group.iter().zip(&all).map(|(prompted, begun)| self.records(prompted, begun, donors)).collect()
    }

    /// Runs, side by side, the waiting branches that can run by now.
    fn run_waiting(&self, group: &[Prompted<'_>], all: &mut [Begun], donors: Option<&Donors>) -> Result<()> {
        let mut results: Vec<(usize, usize, Slot)> = Vec::new();
        let mut places: Vec<(usize, usize, Option<usize>)> = Vec::new();
        let mut branches: Vec<Branch<'_>> = Vec::new();
        for (i, (prompted, begun)) in group.iter().zip(all.iter()).enumerate() {
            let made = Ingredients { setup: self.setup, strategy: self.strategy, prompted, begun, keys_values: self.keys_values, donors };
            for (k, (intervention, slot)) in self.branches.iter().zip(&begun.slots).enumerate() {
                if !matches!(slot, Slot::Waiting) {
                    continue;
                }
                match made.branch(intervention) {
                    Ready::Waits => {}
                    Ready::Refused(reason) => results.push((i, k, Slot::Refused(reason))),
                    Ready::Runs { branch, donor } => {
                        places.push((i, k, donor));
                        branches.push(branch);
                    }
                }
            }
        }
        if branches.is_empty() && results.is_empty() {
            return Ok(());
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
    fn records(&self, prompted: &Prompted<'_>, begun: &Begun, donors: &Donors) -> Result<Records> {
        let example = prompted.example;
        let mut records = Records::default();
        let mut messages: Vec<String> = prompted.failure.iter().map(|failed| failed.message.clone()).collect();
        let absent = |branch| Scored::absent(Outcome::Error).of_branch(example, branch);
        for (branch, slot) in self.branches.iter().zip(&begun.slots) {
            let row = match slot {
                Slot::Done { donor, trajectory } => {
                    let strength = Measured { begun, donors, donor: *donor }.strength(branch, trajectory);
                    let row = self.answer(example, begun, branch, donor.map(|row| (row, donors)), trajectory);
                    AnswerRow { strength: strength.filter(|_| row.outcome != Outcome::Error), ..row }
                }
                // Without a block there is no site: the branch is the clean run, and says so. Under another view of the
                // image it is another run, which was not made.
                Slot::Refused(_) if begun.never_opened() && !branch.view.changes_prompt() => match begun.clean() {
                    Some(clean) => self.answer(example, begun, branch, None, clean),
                    None => absent(branch),
                },
                Slot::Refused(reason) => {
                    messages.push(format!("{branch}: {reason}"));
                    absent(branch)
                }
                Slot::Waiting => absent(branch),
            };
            if let Slot::Done { trajectory, .. } = slot
                && let Some(reason) = &trajectory.refusal
            {
                messages.push(format!("{branch}: {reason}"));
            }
            records.answers.push(row);
        }
        if let (Some(prefix), Some(clean)) = (prompted.open(), begun.clean()) {
            let targets = match (&self.setup.layout, example.boxes.is_empty()) {
                (Some(layout), false) => Some(Targets::new(self.setup.prompter, layout, example, prefix)),
                _ => None,
            };
            let wanted = self.aligned.contains(&example.row);
            match targets.as_ref() {
                Some(Ok(targets)) if wanted => self.alignment(&mut records, targets, prefix, clean)?,
                Some(Err(e)) if wanted => messages.push(format!("alignment: {e}")),
                _ => {}
            }
            if self.setup.vectors {
                let region = targets.as_ref().and_then(|t| t.as_ref().ok()).map(Targets::region);
                records.attention = notes::attention(example.row, prefix, clean, region.as_ref());
                let blind = prompted.prefix(View::NoImage).and_then(|made| made.as_ref().ok());
                notes::vectors(&mut records, example.row, prefix, blind, clean);
                records.steps = self.steps(example, begun)?;
                let Setup { model, prompter, .. } = *self.setup;
                records.maps = maps::maps(example.row, prefix, model.config().vision.spatial_merge_size, clean)?;
                records.lens = lens::layers(example.row, model, prompter.tokenizer(), self.gold(example), clean)?;
            }
        }
        records.examples.push(self.example_row(prompted, records.answers.first(), messages));
        if self.setup.timing {
            records.timing.push(timing_row(prompted, begun));
        }
        Ok(records)
    }

    fn alignment(&self, records: &mut Records, targets: &Targets, prefix: &Prefix, clean: &Trajectory) -> Result<()> {
        let row = targets.row();
        let (rows, pairs) = targets.teacher_forced(self.setup.model, prefix)?;
        records.alignment = rows;
        records.alignment.extend(targets.free_running(clean));
        // As many as the free run's first block has steps: what its latents are compared with. A block that opens again
        // is of another region.
        let first = |stage| clean.latent_forwards().filter(|(p, _)| p.stage == stage && p.block == 0).count();
        for pair in pairs.iter().filter(|pair| pair.step < first(pair.stage)) {
            let (stage, step) = (pair.stage.name(), pair.step);
            records.push_vector(&format!("forced.{stage}.{step}"), row, &pair.latent);
            records.push_vector(&format!("teacher.{stage}.{step}"), row, &pair.target);
        }
        Ok(())
    }

    /// Ids of the gold letter's spellings.
    fn gold(&self, example: &Example) -> &[u32] {
        answered::gold(example).and_then(|index| self.letters.get(index)).map_or(&[][..], Vec::as_slice)
    }

    /// The latent steps of all branches.
    fn steps(&self, example: &Example, begun: &Begun) -> Result<Vec<LatentRow>> {
        let ends: Vec<(Stage, u32)> = self.setup.tokens.starts.iter().filter_map(|s| Some((s.stage, s.end?))).collect();
        let Setup { model, prompter, .. } = *self.setup;
        let reader = Reader { row: example.row, model, tokenizer: prompter.tokenizer(), ends: &ends, gold: self.gold(example) };
        let mut rows = Vec::new();
        for (branch, slot) in self.branches.iter().zip(&begun.slots) {
            if let Slot::Done { trajectory, .. } = slot {
                let clean = begun.clean().filter(|_| !branch.is_clean());
                rows.extend(reader.steps(*branch, trajectory, clean)?);
            }
        }
        Ok(rows)
    }

    fn example_row(&self, prompted: &Prompted<'_>, clean: Option<&AnswerRow>, messages: Vec<String>) -> ExampleRow {
        let outcome = clean.map_or(Outcome::Error, |a| a.outcome);
        described(prompted.example, prompted.open(), outcome, prompted.failure.as_ref(), messages)
    }

    fn answer(
        &self,
        example: &Example,
        begun: &Begun,
        branch: &Intervention,
        donor: Option<(usize, &Donors)>,
        trajectory: &Trajectory,
    ) -> AnswerRow {
        let donor_row = donor.map(|(row, _)| row);
        if trajectory.refusal.is_some() {
            return AnswerRow { donor: donor_row, ..Scored::stopped(trajectory).of_branch(example, branch) };
        }
        let donor_label = donor.and_then(|(row, donors)| donors.label(row)).map(str::to_string);
        let donors_letter = donor_label.as_deref().and_then(answered::index).filter(|index| *index < example.options.len());
        let donors_distribution = |letter| answered::distribution(example, self.letters, trajectory, letter);
        // Without a block there is nothing to count where the branch is to have none.
        let latents = if branch.action.skips_block() {
            begun.latents.as_ref().map_or(0, |l| l.stages())
        } else {
            trajectory.steps(Stage::Context) + trajectory.steps(Stage::Target)
        };
        AnswerRow {
            donor: donor_row,
            changed: begun.clean().map(|clean| clean.generated != trajectory.generated),
            donor_margin: donors_letter.and_then(|letter| donors_distribution(letter)?.gold_margin),
            donor_label,
            ..Scored::of(example, self.letters, trajectory, latents).of_branch(example, branch)
        }
    }
}

/// The row of an example. An `outcome` of error has the cause of the failure that is known.
pub(super) fn described(
    example: &Example,
    prefix: Option<&Prefix>,
    outcome: Outcome,
    failed: Option<&Failed>,
    messages: Vec<String>,
) -> ExampleRow {
    let boxes: Vec<String> = example.boxes.iter().map(|b| format!("[{},{},{},{}]", b.0[0], b.0[1], b.0[2], b.0[3])).collect();
    ExampleRow {
        row: example.row,
        id: example.id.clone(),
        question_id: example.question_id.clone(),
        category: example.category.clone(),
        pair: example.pair.clone(),
        counterfactual: example.counterfactual.clone(),
        prompt: example.prompt.clone(),
        options: example.options.clone(),
        label: example.label.clone(),
        image: example.images.first().map(|p| p.display().to_string()).unwrap_or_default(),
        images: example.images.len(),
        boxes: format!("[{}]", boxes.join(",")),
        prompt_tokens: prefix.map_or(0, |p| p.prompt_ids.len()),
        visual_tokens: prefix.map_or(0, Prefix::visual_tokens),
        outcome,
        cause: (outcome == Outcome::Error).then(|| failed.map_or(Cause::Other, |failed| failed.cause)),
        message: (!messages.is_empty()).then(|| messages.join("; ")),
    }
}

fn timing_row(prompted: &Prompted<'_>, begun: &Begun) -> TimingRow {
    let times = &prompted.times;
    TimingRow {
        row: prompted.example.row,
        id: prompted.example.id.clone(),
        visual_tokens: prompted.open().map_or(0, Prefix::visual_tokens),
        prompt_tokens: prompted.open().map_or(0, |p| p.prompt_ids.len()),
        image: times.image.as_secs_f64(),
        vision: times.vision.as_secs_f64(),
        prefill: times.prefill.as_secs_f64(),
        decode: begun.decode.as_secs_f64(),
        prefills: times.prefills,
        forwards: begun.forwards,
    }
}
