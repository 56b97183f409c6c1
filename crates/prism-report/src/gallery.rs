//! The gallery: which examples are shown, and what is known of each.
//!
//! Records are read one run at a time, and of all examples only their ids and flips are
//! kept; the chosen ones are read again, whole.

pub mod card;
pub mod picture;
mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use prism_run::door::share::Share;
use prism_run::kept::{Kept, keep_rows, keep_where};
use prism_run::records::narrow::{ExampleKey, Given, Judged};
use prism_run::records::{self, ExampleRow, files};
use prism_run::stream::RowReader;
use prism_run::{Intervention, Outcome};

pub use sources::Sources;

use crate::study::{Audit, Part};

/// Boxes drawn on an image, at most.
pub const MOST_BOXES: usize = 64;
/// Longest generated text shown, in characters.
const LONGEST_TEXT: usize = 600;
/// Characters of generated text shown in all; what comes after is counted only.
const ALL_TEXT: usize = 400_000;
/// Flips listed, over all runs and interventions.
const MOST_FLIPS: usize = 400;

/// What stands in place of a letter where none was parsed.
pub fn no_letter(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::NoLatents => "○",
        Outcome::Error => "!",
        Outcome::Scored | Outcome::NoAnswer => "∅",
    }
}

/// One run's answer under one intervention.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The parsed letter.
    pub letter: Option<String>,
    /// Whether it is right.
    pub correct: Option<bool>,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether the generated tokens differ from the clean run's.
    pub changed: Option<bool>,
    /// The generated text, cut.
    pub text: String,
    /// Characters cut off.
    pub cut: usize,
}

/// A change between right and wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Flip {
    /// Index of the run into the part's audits.
    pub run: usize,
    /// The intervention.
    pub intervention: Intervention,
    /// The clean answer.
    pub from: Option<String>,
    /// The answer under the intervention.
    pub to: Option<String>,
    /// Whether it became right; else it became wrong.
    pub gained: bool,
}

/// One example with the answers of the runs shown.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The example.
    pub example: ExampleRow,
    /// Where it changes between right and wrong, in the order of runs and interventions.
    pub flipped: Vec<Flip>,
    /// Per run (index into the part's audits): intervention to answer.
    pub answers: BTreeMap<usize, BTreeMap<Intervention, Answer>>,
}

/// The chosen examples and how they were chosen.
#[derive(Debug, Clone, Default)]
pub struct Gallery {
    /// In the order shown.
    pub shown: Vec<Shown>,
    /// Indices of the audits whose answers are shown: the first seed of each variant.
    pub runs: Vec<usize>,
    /// Examples of the benchmark.
    pub total: usize,
    /// Those that flip in at least one of those runs.
    pub flipping: usize,
    /// Flips with the id of their example, by run and intervention; at most a share of
    /// [`MOST_FLIPS`] of each pair.
    pub flips: Vec<(String, Flip)>,
    /// Flips in all.
    pub flips_total: usize,
    /// What the examples hold of the memory that all tables may take.
    pub held: Share,
}

/// Chooses at most `most` examples: first so that every run and intervention that flips any
/// has one of each kind (lost, lost for want of an answer, gained), then those with most flips, then by row. Runs whose records cannot be read are
/// named in `left_out`.
pub fn choose(part: &Part, most: usize, left_out: &mut Vec<String>) -> Gallery {
    let mut runs = Vec::new();
    for variant in part.variants() {
        if let Some(index) = part.audits.iter().position(|a| a.variant == variant) {
            runs.push(index);
        }
    }
    let mut examples: BTreeMap<String, Place> = BTreeMap::new();
    let mut flips: BTreeMap<String, Vec<Flip>> = BTreeMap::new();
    let mut readable = Vec::new();
    // Ids and letters are as long as a file has them.
    let mut of_ids = Share::default();
    for &index in &runs {
        let Some(audit) = part.audits.get(index) else { continue };
        match (keep_rows::<ExampleKey>(&examples_of(audit)), keep_rows::<Judged>(&answers_of(audit))) {
            (Ok(keys), Ok(answers)) => {
                find_flips(index, &answers, &mut flips);
                let mut of_flips = answers.apart().1;
                of_flips.shrink_to(weight(index, &flips));
                of_ids.add(of_flips);
                let (keys, of_keys) = keys.apart();
                of_ids.add(of_keys);
                for key in keys {
                    examples.entry(key.id).or_insert(Place { row: key.row, run: index });
                }
                readable.push(index);
            }
            (Err(e), _) | (_, Err(e)) => left_out.push(format!("examples of {}: {e}", audit.folder.display())),
        }
    }
    let total = examples.len();
    let flipping = flips.len();
    let flips_total = flips.values().map(Vec::len).sum();
    let listed = listed(&examples, &flips);
    if flips_total > listed.len() {
        left_out.push(format!("{} of {flips_total} flips of {} are not listed", flips_total - listed.len(), part.benchmark));
    }
    let mut all: Vec<(String, Place)> = examples.into_iter().collect();
    all.sort_by(|(x, at), (y, other)| at.row.cmp(&other.row).then(x.cmp(y)));
    let chosen = chosen(all, &flips, most);
    let (mut whole, held) = whole(part, &chosen, left_out);
    let shown = chosen.into_iter().filter_map(|(id, _)| Some((whole.remove(&id)?, id)));
    let shown = shown.map(|(example, id)| Shown { flipped: flips.remove(&id).unwrap_or_default(), example, answers: BTreeMap::new() });
    let mut shown: Vec<Shown> = shown.collect();
    let mut room = ALL_TEXT;
    for &index in &readable {
        let Some(answers) = part.audits.get(index).and_then(|audit| RowReader::<Given>::open(&answers_of(audit)).ok()) else { continue };
        // One that is damaged further on is shown as far as it goes.
        for answer in answers.map_while(Result::ok) {
            if let Some(s) = shown.iter_mut().find(|s| s.example.id == answer.id) {
                let kept = keep(answer, room);
                room = room.saturating_sub(kept.1.text.len());
                s.answers.entry(index).or_default().insert(kept.0, kept.1);
            }
        }
    }
    if room == 0 {
        left_out.push(format!("generated texts of {} after the first {ALL_TEXT} bytes", part.benchmark));
    }
    if total > shown.len() {
        left_out.push(format!("{} of {total} examples of {} are not in the gallery", total - shown.len(), part.benchmark));
    }
    if part.has_seeds() {
        left_out.push(format!("the gallery of {} shows the first seed of each variant only", part.benchmark));
    }
    Gallery { shown, runs: readable, total, flipping, flips: listed, flips_total, held }
}

/// The chosen examples by id, with what they hold. Runs of which they cannot be read are named in `left_out`.
fn whole(part: &Part, chosen: &[(String, Place)], left_out: &mut Vec<String>) -> (BTreeMap<String, ExampleRow>, Share) {
    let (mut found, mut held) = (BTreeMap::new(), Share::default());
    let mut runs: Vec<usize> = chosen.iter().map(|(_, place)| place.run).collect();
    runs.sort_unstable();
    runs.dedup();
    for run in runs {
        let Some(audit) = part.audits.get(run) else { continue };
        let wanted: BTreeSet<(usize, &str)> =
            chosen.iter().filter(|(_, place)| place.run == run).map(|(id, place)| (place.row, id.as_str())).collect();
        match keep_where(&examples_of(audit), |e: &ExampleRow| wanted.contains(&(e.row, e.id.as_str()))).map(Kept::apart) {
            Ok((rows, of_rows)) => {
                held.add(of_rows);
                for row in rows {
                    found.entry(row.id.clone()).or_insert(row);
                }
            }
            Err(e) => left_out.push(format!("examples of {}: {e}", audit.folder.display())),
        }
    }
    (found, held)
}

/// Where an example stands: its row, and the index of the first run that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    row: usize,
    run: usize,
}

/// The examples chosen, in the order shown: most flips first.
fn chosen(all: Vec<(String, Place)>, flips: &BTreeMap<String, Vec<Flip>>, most: usize) -> Vec<(String, Place)> {
    type Kind = (usize, Intervention, bool, bool);
    fn kind(f: &Flip) -> Kind {
        (f.run, f.intervention, f.gained, f.to.is_none())
    }
    let of = |id: &str| -> Vec<Kind> { flips.get(id).map_or_else(Vec::new, |f| f.iter().map(kind).collect()) };
    let mut open: BTreeSet<Kind> = flips.values().flatten().map(kind).collect();
    let count = |(id, _): &(String, Place)| flips.get(id).map_or(0, Vec::len);
    let mut taken = vec![false; all.len()];
    for _ in 0..most {
        // `max_by_key` keeps the last of equals; seen from the end that is the first row.
        let gain = |i: usize| all.get(i).map_or(0, |(id, _)| of(id).iter().filter(|p| open.contains(*p)).count());
        let next = (0..all.len()).rev().filter(|i| !taken[*i]).max_by_key(|&i| (gain(i), all.get(i).map_or(0, count)));
        let Some(next) = next else { break };
        taken[next] = true;
        of(&all[next].0).iter().for_each(|p| {
            open.remove(p);
        });
    }
    let mut kept: Vec<(String, Place)> = all.into_iter().zip(taken).filter(|(_, taken)| *taken).map(|(e, _)| e).collect();
    kept.sort_by_key(|e| std::cmp::Reverse(count(e)));
    kept
}

/// The flips to list: of every run and intervention the first of the file, all alike many.
fn listed(examples: &BTreeMap<String, Place>, flips: &BTreeMap<String, Vec<Flip>>) -> Vec<(String, Flip)> {
    /// Row and id of the example, and its flip.
    type Flipped<'a> = (usize, &'a str, &'a Flip);
    let mut by_pair: BTreeMap<(usize, Intervention), Vec<Flipped<'_>>> = BTreeMap::new();
    for (id, of) in flips {
        let row = examples.get(id).map_or(usize::MAX, |place| place.row);
        for flip in of {
            by_pair.entry((flip.run, flip.intervention)).or_default().push((row, id, flip));
        }
    }
    let each = (MOST_FLIPS / by_pair.len().max(1)).max(2);
    let mut out = Vec::new();
    for of in by_pair.values_mut() {
        of.sort_by_key(|(row, id, _)| (*row, *id));
        out.extend(of.iter().take(each).map(|(_, id, flip)| ((*id).to_string(), (*flip).clone())));
    }
    out
}

fn examples_of(audit: &Audit) -> PathBuf {
    records::folder(&audit.folder).join(files::EXAMPLES)
}

fn answers_of(audit: &Audit) -> PathBuf {
    records::folder(&audit.folder).join(files::ANSWERS)
}

/// Longest letter kept, in characters: a file may have any text in its place.
const LONGEST_LETTER: usize = 40;

fn letter(answer: Option<&str>) -> Option<String> {
    answer.map(|text| text.chars().take(LONGEST_LETTER).collect())
}

fn find_flips(run: usize, answers: &[Judged], flips: &mut BTreeMap<String, Vec<Flip>>) {
    let clean: BTreeMap<&str, (&Judged, bool)> =
        answers.iter().filter(|a| a.intervention.is_clean()).filter_map(|a| Some((a.id.as_str(), (a, a.correct?)))).collect();
    for a in answers {
        if let (Some((before, was)), Some(is)) = (clean.get(a.id.as_str()), a.correct)
            && *was != is
        {
            flips.entry(a.id.clone()).or_default().push(Flip {
                run,
                intervention: a.intervention,
                from: letter(before.answer.as_deref()),
                to: letter(a.answer.as_deref()),
                gained: is,
            });
        }
    }
}

/// Bytes that a run's flips take in memory, about.
fn weight(run: usize, flips: &BTreeMap<String, Vec<Flip>>) -> usize {
    let of_run = |of: &[Flip]| of.iter().filter(|flip| flip.run == run).count();
    flips.iter().map(|(id, of)| (of_run(of), id)).map(|(many, id)| many * (size_of::<Flip>() + 2 * LONGEST_LETTER) + id.len()).sum()
}

/// What the card needs of an answer, with at most `room` bytes of its text, under its intervention.
fn keep(answer: Given, room: usize) -> (Intervention, Answer) {
    let most = LONGEST_TEXT.min(room);
    let end = answer.text.char_indices().nth(most).map_or(answer.text.len(), |(end, _)| end);
    let cut = answer.text[end..].chars().count();
    let text = answer.text[..end].to_string();
    let letter = letter(answer.answer.as_deref());
    let kept = Answer { letter, correct: answer.correct, outcome: answer.outcome, changed: answer.changed, text, cut };
    (answer.intervention, kept)
}
