//! The arms of a sweep, side by side: a group of examples is prompted once, then every
//! arm that lacks its part decodes its own branches from the shared prefixes.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use prism_model::{Error, Result, clock};
use prism_run::{Cancel, Example, Intervention, Progress};
use rayon::prelude::*;

use super::donors::{CleanRuns, Declared, Donors};
use super::example::{Begun, Runner};
use super::parts::Parts;
use super::prompted::Prompted;
use super::views::Views;
use super::{Records, Setup};

/// Bytes of prefixes kept for donors until all donors are known; the rest is prefilled again.
const KEPT_PREFIXES: usize = 512 << 20;

/// One strategy on its way to its run folder.
pub(super) struct Arm<'a> {
    /// Which of the sweep's strategies.
    pub index: usize,
    /// Its run folder.
    pub run: &'a Path,
    /// The plan of all shards, what [`super::parts::join`] needs to know of this one.
    pub whole: serde_json::Value,
    pub runner: Runner<'a>,
    pub parts: Parts,
    /// Its donors, once known.
    pub donors: Option<Donors>,
}

/// What all arms share.
pub(super) struct Recording<'a> {
    pub setup: &'a Setup<'a>,
    pub views: Views<'a>,
    pub progress: &'a dyn Progress,
    pub cancel: &'a Cancel,
    /// Prefills made so far.
    pub prefills: AtomicUsize,
}

/// A group of donors between the two halves of their work: one `Begun` list per arm.
struct Waiting<'e> {
    group: Vec<Prompted<'e>>,
    begun: Vec<Vec<Begun>>,
}

impl Recording<'_> {
    fn groups<'e>(&self, chunk: &[&'e Example]) -> Vec<Vec<&'e Example>> {
        chunk.chunks(self.setup.group.max(1)).map(<[_]>::to_vec).collect()
    }

    fn prompted<'e>(&self, group: &[&'e Example]) -> Vec<Prompted<'e>> {
        self.prefills.fetch_add(group.len(), Ordering::Relaxed);
        Prompted::group(self.setup, &self.views, group)
    }

    /// Runs one part of every arm that lacks it; the arms' donors are known.
    pub fn part(&self, arms: &[Arm<'_>], index: usize, chunk: &[&Example]) -> Result<()> {
        let arms: Vec<&Arm<'_>> = arms.iter().filter(|arm| !arm.parts.has(index)).collect();
        if arms.is_empty() {
            return Ok(());
        }
        let done: Vec<Vec<Vec<Records>>> = self
            .groups(chunk)
            .into_par_iter()
            .map(|group| {
                self.cancel.check()?;
                clock::task(|| {
                    let group = self.prompted(&group);
                    arms.iter()
                        .map(|arm| {
                            let donors = known(arm)?;
                            let records = arm.runner.complete(&group, arm.runner.begin(&group, Some(donors))?, donors)?;
                            self.progress.advance(group.len() as u64);
                            Ok(records)
                        })
                        .collect()
                })
            })
            .collect::<Result<_>>()?;
        write(&arms, index, done)
    }

    /// Runs the donors' parts of every arm whose donors are not known: first what needs
    /// no donor, then, all latents known, what does.
    pub fn donors(
        &self,
        arms: &mut [Arm<'_>],
        chunks: &[(usize, &[&Example])],
        foreign: &[&Example],
        declared: &Arc<Declared>,
    ) -> Result<()> {
        let mut arms: Vec<&mut Arm<'_>> = arms.iter_mut().filter(|arm| arm.donors.is_none()).collect();
        if arms.is_empty() {
            return Ok(());
        }
        let kept = AtomicUsize::new(0);
        let mut waiting: Vec<(usize, Vec<Waiting<'_>>)> = Vec::new();
        let runners: Vec<&Runner<'_>> = arms.iter().map(|arm| &arm.runner).collect();
        let mut clean = self.foreign(&runners, foreign)?;
        for (index, chunk) in chunks {
            let groups: Vec<Waiting<'_>> =
                self.groups(chunk).into_par_iter().map(|group| self.begin(&runners, &group, &kept)).collect::<Result<_>>()?;
            collect(&mut clean, &groups);
            waiting.push((*index, groups));
        }
        for (arm, clean) in arms.iter_mut().zip(clean) {
            arm.parts.write_donors(&clean)?;
            arm.donors = Some(Donors::new(declared.clone(), clean));
        }
        let arms: Vec<&Arm<'_>> = arms.iter().map(|arm| &**arm).collect();
        for (index, groups) in waiting {
            let lacking: Vec<bool> = arms.iter().map(|arm| !arm.parts.has(index)).collect();
            if !lacking.contains(&true) {
                continue;
            }
            let arms: Vec<&Arm<'_>> = arms.iter().zip(&lacking).filter(|(_, lacks)| **lacks).map(|(arm, _)| *arm).collect();
            let done: Vec<Vec<Vec<Records>>> = groups
                .into_par_iter()
                .map(|Waiting { mut group, begun }| {
                    self.cancel.check()?;
                    clock::task(|| {
                        for prompted in &mut group {
                            self.prefills.fetch_add(usize::from(prompted.restore_prefix(self.setup, &self.views)?), Ordering::Relaxed);
                        }
                        let begun = begun.into_iter().zip(&lacking).filter(|(_, lacks)| **lacks).map(|(begun, _)| begun);
                        arms.iter()
                            .zip(begun)
                            .map(|(arm, begun)| {
                                let records = arm.runner.complete(&group, begun, known(arm)?)?;
                                self.progress.advance(group.len() as u64);
                                Ok(records)
                            })
                            .collect()
                    })
                })
                .collect::<Result<_>>()?;
            write(&arms, index, done)?;
        }
        Ok(())
    }

    /// Clean runs, by arm, of donors whose records are another shard's or are made later.
    fn foreign(&self, runners: &[&Runner<'_>], donors: &[&Example]) -> Result<Vec<CleanRuns>> {
        let mut all: Vec<CleanRuns> = runners.iter().map(|_| CleanRuns::default()).collect();
        if donors.is_empty() {
            return Ok(all);
        }
        self.progress.say(&format!("{} donors belong to other shards or wait for too many others: they are run clean first", donors.len()));
        let unaligned = BTreeSet::new();
        let clean: Vec<Runner<'_>> =
            runners.iter().map(|runner| Runner { branches: &[Intervention::CLEAN], aligned: &unaligned, ..(*runner).clone() }).collect();
        let clean: Vec<&Runner<'_>> = clean.iter().collect();
        // No prefix is kept: nothing more is asked of these.
        let full = AtomicUsize::new(KEPT_PREFIXES);
        let groups: Vec<Waiting<'_>> =
            self.groups(donors).into_par_iter().map(|group| self.begin(&clean, &group, &full)).collect::<Result<_>>()?;
        collect(&mut all, &groups);
        Ok(all)
    }

    /// The first half of a group of donors; prefixes beyond the memory set aside are dropped.
    fn begin<'e>(&self, runners: &[&Runner<'_>], group: &[&'e Example], kept: &AtomicUsize) -> Result<Waiting<'e>> {
        self.cancel.check()?;
        let (mut group, begun) = clock::task(|| -> Result<_> {
            let group = self.prompted(group);
            let begun = runners.iter().map(|runner| runner.begin(&group, None)).collect::<Result<_>>()?;
            Ok((group, begun))
        })?;
        for prompted in &mut group {
            let bytes = prompted.prefix_bytes();
            if kept.fetch_add(bytes, Ordering::Relaxed) + bytes > KEPT_PREFIXES {
                prompted.drop_prefix();
            }
        }
        Ok(Waiting { group, begun })
    }
}

/// Adds the groups' clean runs to those of their arms.
fn collect(clean: &mut [CleanRuns], groups: &[Waiting<'_>]) {
    for Waiting { group, begun } in groups {
        for (clean, begun) in clean.iter_mut().zip(begun) {
            for (prompted, begun) in group.iter().zip(begun) {
                let row = prompted.example.row;
                clean.latents.extend(begun.latents.clone().map(|latents| (row, latents)));
                clean.keys_values.extend(begun.keys_values.clone().map(|keys_values| (row, keys_values)));
            }
        }
    }
}

fn known<'a>(arm: &'a Arm<'_>) -> Result<&'a Donors> {
    arm.donors.as_ref().ok_or_else(|| Error::input("donors", "are asked for before they are known", "report this as a bug"))
}

/// Writes one part per arm from records by group and arm.
fn write(arms: &[&Arm<'_>], index: usize, done: Vec<Vec<Vec<Records>>>) -> Result<()> {
    let mut parts: Vec<Records> = arms.iter().map(|_| Records::default()).collect();
    for of_arms in done {
        for (part, records) in parts.iter_mut().zip(of_arms) {
            records.into_iter().for_each(|records| part.extend(records));
        }
    }
    arms.iter().zip(parts).try_for_each(|(arm, part)| arm.parts.write(index, part))
}
