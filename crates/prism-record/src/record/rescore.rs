//! Answers read again from the texts that records hold, by other rules and without a model.
//!
//! A recording reads answers by the rule `tagged`; what a branch generated stands in its row, so any other rule can be
//! applied later, and back. Of the records only three columns change: the answer, whether it is right, and the outcome of
//! what ran a block (`scored` or `no_answer`). Margins, entropies and probe positions stay where the model run took them.

use std::collections::BTreeMap;
use std::path::Path;

use prism_model::{Error, Result};
use prism_run::answer::Asked;
use prism_run::folder::PartialFolder;
use prism_run::kept::keep_rows;
use prism_run::records::digests::{self, DIGESTS};
use prism_run::records::scoring::{SCORING, Scoring};
use prism_run::records::{self, AnswerRow, ExampleRow, files};
use prism_run::stream::{RowReader, RowWriter};
use prism_run::{Outcome, door};

/// Reads the answers of `run` by `scoring`; whether anything in the records is another now.
///
/// The records appear whole: a kill leaves those of before or those of after.
///
/// # Errors
/// When there are no finished records, they were changed after they were written, are damaged, or cannot be written.
pub fn rescore(run: &Path, scoring: &Scoring) -> Result<bool> {
    let folder = records::folder(run);
    let answers = folder.join(files::ANSWERS);
    if !door::stands(&answers) {
        return Err(Error::content(run, "holds no finished records", "record the run to its end first"));
    }
    if Scoring::read(run)? == *scoring {
        return Ok(false);
    }
    let digests = digests::check(run)?;
    if let Some(changed) = digests.as_ref().filter(|changed| !changed.is_empty()) {
        let cause = format!("were changed after they were written ({})", changed.join(", "));
        return Err(Error::content(&folder, cause, "record the run again before it is scored by another rule"));
    }
    let mut examples = keep_rows::<ExampleRow>(&folder.join(files::EXAMPLES))?;
    let places: BTreeMap<usize, usize> = examples.iter().enumerate().map(|(place, example)| (example.row, place)).collect();
    let partial = PartialFolder::create(&folder)?;
    let mut writer = RowWriter::create(&partial.path().join(files::ANSWERS))?;
    let mut changed = 0usize;
    for answer in RowReader::<AnswerRow>::open(&answers)? {
        let mut answer = answer?;
        let example = places.get(&answer.row).and_then(|place| examples.get_mut(*place));
        let Some(example) = example else {
            let cause = format!("holds row {}, which {} does not", answer.row, files::EXAMPLES);
            return Err(Error::content(&answers, cause, "record the run again"));
        };
        changed += usize::from(read_again(&mut answer, example, scoring));
        if answer.intervention.is_clean() {
            example.outcome = answer.outcome;
        }
        writer.push(answer)?;
    }
    writer.finish()?;
    if changed > 0 {
        let mut writer = RowWriter::create(&partial.path().join(files::EXAMPLES))?;
        examples.iter().cloned().try_for_each(|example| writer.push(example))?;
        writer.finish()?;
    }
    let rewritten = [files::ANSWERS, DIGESTS, SCORING];
    for entry in door::entries(&folder)? {
        let name = entry.name.to_string_lossy();
        let kept = !(rewritten.contains(&&*name) || changed > 0 && name == files::EXAMPLES);
        if kept && !entry.is_folder {
            take_over(&folder.join(&entry.name), &partial.path().join(&entry.name))?;
        }
    }
    scoring.write(partial.path())?;
    if digests.is_some() {
        digests::write(partial.path())?;
    }
    partial.finish()?;
    Ok(changed > 0)
}

/// What a row of records says under the rules; whether that is something else than before. An error stays one.
fn read_again(answer: &mut AnswerRow, example: &ExampleRow, scoring: &Scoring) -> bool {
    if answer.outcome == Outcome::Error {
        return false;
    }
    let score = scoring.of(answer.intervention.view).score(&answer.text, &Asked::from(example), &example.label);
    let outcome = match (answer.outcome, &score.answer) {
        (Outcome::NoLatents, _) => Outcome::NoLatents,
        (_, Some(_)) => Outcome::Scored,
        (_, None) => Outcome::NoAnswer,
    };
    let before = (std::mem::replace(&mut answer.answer, score.answer), answer.correct.replace(score.correct), answer.outcome);
    answer.outcome = outcome;
    before != (answer.answer.clone(), answer.correct, outcome)
}

/// A file of the records under its name in the new folder: linked where the file system can, for vectors are large.
fn take_over(from: &Path, to: &Path) -> Result<()> {
    let linked = std::fs::symlink_metadata(from).is_ok_and(|about| about.is_file()) && std::fs::hard_link(from, to).is_ok();
    if linked {
        return Ok(());
    }
    let failed = |e| prism_run::Error::io("cannot copy", from, e);
    let mut file = door::open(from)?;
    let mut copy = std::fs::File::create(to).map_err(failed)?;
    std::io::copy(&mut file, &mut copy).map_err(failed)?;
    Ok(())
}
