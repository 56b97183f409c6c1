//! Examples that could not be run, counted by cause, and what is said of them: one sentence a
//! cause, the same in the terminal, on pages and in JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{Cause, Outcome};
use crate::records::{self, ExampleRow};
use crate::stream::RowReader;
use crate::{Result, shown};

/// Longest message, id or path that is kept of an example, in characters.
const LONGEST: usize = 400;

/// The examples of a run that could not be run for one cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Why.
    pub cause: Cause,
    /// How many examples.
    pub examples: usize,
    /// Of how many.
    pub of: usize,
    /// Image files concerned, and image files in all, where every example has one image.
    pub images: Option<(usize, usize)>,
    /// Id of the first of the examples.
    pub id: String,
    /// Its first image.
    pub image: String,
    /// What its record says: of an image the file and what is wrong with it.
    pub message: Option<String>,
}

impl Failure {
    /// What happened to how many, to which for instance, and what to do: one sentence.
    pub fn sentence(&self) -> String {
        let (did, remedy) = words(self.cause);
        let (examples, of) = (self.examples, self.of);
        let (what, counted) = match (is_of_image(self.cause), self.images) {
            (true, Some((images, all))) if (images, all) == (examples, of) => (format!("{images} of {all} images {did}"), images),
            (true, Some((images, all))) => {
                (format!("{images} of {all} images {did}, so {examples} of {of} examples could not be run"), images)
            }
            (true, None) => (format!("In {examples} of {of} examples an image {did}"), examples),
            (false, _) => (format!("{examples} of {of} {did}"), examples),
        };
        let first = self.message.as_deref().map_or_else(String::new, |message| format!(": {}", shown(message)));
        let more = if counted > 1 { format!(" (and {} more)", counted - 1) } else { String::new() };
        format!("{what}{first}{more}; {remedy}.")
    }
}

/// What befell images, or whatever else is counted; and what to do.
fn words(cause: Cause) -> (&'static str, &'static str) {
    match cause {
        Cause::ImageAbsent => ("could not be found", "put the files where the benchmark names them"),
        Cause::ImageUnreadable => ("could not be read", "give the account that runs leave to read the files"),
        Cause::ImageUndecodable => {
            ("could not be decoded", "replace what is broken or convert it to PNG: `prism benchmark check --decode` lists every such file")
        }
        Cause::ImageTooLarge => {
            ("could not be taken at their size", "scale them down: `prism benchmark check --decode` lists every such file")
        }
        Cause::ImageShape => ("could not be resized", "crop or scale them: `prism benchmark check --decode` lists every such file"),
        Cause::PromptUnfit => ("prompts could not be made", "correct the questions, or take tokenizer and config.json from one checkpoint"),
        Cause::DeviceRefused => {
            ("examples could not be run on the device", "most often its memory is full: lower --batch-size or --max-pixels")
        }
        Cause::ModelFailed => {
            ("examples could not be run by the model", "look at the checkpoint with `prism inspect`; if it is whole, report this as a bug")
        }
        Cause::Other => ("examples could not be run", "`message` in records/examples.parquet says why of each"),
    }
}

/// Whether it lies in an image file.
fn is_of_image(cause: Cause) -> bool {
    match cause {
        Cause::ImageAbsent | Cause::ImageUnreadable | Cause::ImageUndecodable | Cause::ImageTooLarge | Cause::ImageShape => true,
        Cause::PromptUnfit | Cause::DeviceRefused | Cause::ModelFailed | Cause::Other => false,
    }
}

/// Counts the examples of a run, one after the other.
#[derive(Debug, Default)]
pub struct Tally {
    examples: usize,
    /// Whether an example has no image, or several.
    uneven: bool,
    images: BTreeSet<String>,
    by_cause: BTreeMap<Cause, Counted>,
}

/// The examples of one cause.
#[derive(Debug)]
struct Counted {
    examples: usize,
    images: BTreeSet<String>,
    id: String,
    image: String,
    message: Option<String>,
}

impl Tally {
    /// Counts an example.
    pub fn add(&mut self, example: &ExampleRow) {
        self.examples += 1;
        self.uneven |= example.images != 1;
        self.images.insert(example.image.clone());
        if example.outcome != Outcome::Error {
            return;
        }
        let first = || Counted {
            examples: 0,
            images: BTreeSet::new(),
            id: clipped(&example.id),
            image: clipped(&example.image),
            message: example.message.as_deref().map(clipped),
        };
        let counted = self.by_cause.entry(example.cause.unwrap_or(Cause::Other)).or_insert_with(first);
        counted.examples += 1;
        counted.images.insert(example.image.clone());
    }

    /// What was counted: one a cause, the commonest first.
    pub fn failures(self) -> Vec<Failure> {
        let Self { examples: of, uneven, images: all, by_cause } = self;
        let failure = |(cause, counted): (Cause, Counted)| Failure {
            cause,
            examples: counted.examples,
            of,
            images: (!uneven).then_some((counted.images.len(), all.len())),
            id: counted.id,
            image: counted.image,
            message: counted.message,
        };
        let mut found: Vec<Failure> = by_cause.into_iter().map(failure).collect();
        found.sort_by_key(|failure| (std::cmp::Reverse(failure.examples), failure.cause));
        found
    }
}

/// What could not be run, by cause.
pub fn failures<'a>(examples: impl IntoIterator<Item = &'a ExampleRow>) -> Vec<Failure> {
    let mut tally = Tally::default();
    examples.into_iter().for_each(|example| tally.add(example));
    tally.failures()
}

/// What could not be run of a run folder's records, by cause.
///
/// # Errors
/// When the table of examples is absent or damaged.
pub fn of_run(run: &Path) -> Result<Vec<Failure>> {
    let mut tally = Tally::default();
    for example in RowReader::<ExampleRow>::open(&records::folder(run).join(records::files::EXAMPLES))? {
        tally.add(&example?);
    }
    Ok(tally.failures())
}

/// Whether not one example could be run: there is nothing to say of the model.
pub fn nothing_ran(failures: &[Failure]) -> bool {
    let failed = failures.iter().map(|failure| failure.examples).fold(0, usize::saturating_add);
    failures.first().is_some_and(|first| failed == first.of)
}

fn clipped(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}\u{2026}", &text[..end]),
        None => text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Row, Table};

    fn example(row: usize, cause: Option<Cause>) -> ExampleRow {
        ExampleRow {
            row,
            id: format!("q{row}"),
            question_id: row.to_string(),
            category: None,
            pair: None,
            counterfactual: None,
            prompt: "?".into(),
            options: Vec::new(),
            label: "A".into(),
            image: format!("{row}.png"),
            images: 1,
            boxes: "[]".into(),
            prompt_tokens: 0,
            visual_tokens: 0,
            outcome: if cause.is_some() { Outcome::Error } else { Outcome::Scored },
            message: cause.map(|_| format!("{row}.png: unexpected end of file")),
            cause,
        }
    }

    #[test]
    fn every_cause_is_counted_with_its_first_example_and_what_to_do() {
        let broken = Some(Cause::ImageUndecodable);
        let all: Vec<ExampleRow> = (0..600).map(|row| example(row, broken)).collect();
        let found = failures(&all);
        assert!(found.len() == 1 && nothing_ran(&found), "{found:?}");
        let said = found[0].sentence();
        assert!(said.starts_with("600 of 600 images could not be decoded: 0.png: unexpected end of file (and 599 more); "), "{said}");
        assert!(said.contains("convert it to PNG") && said.contains("--decode"), "{said}");

        let mixed = [None, broken, Some(Cause::ImageTooLarge), None, Some(Cause::ImageTooLarge), Some(Cause::ModelFailed)];
        let mixed: Vec<ExampleRow> = mixed.into_iter().enumerate().map(|(row, cause)| example(row, cause)).collect();
        let found = failures(&mixed);
        assert_eq!(found.iter().map(|f| f.cause).collect::<Vec<_>>(), [Cause::ImageTooLarge, Cause::ImageUndecodable, Cause::ModelFailed]);
        assert!(!nothing_ran(&found) && !nothing_ran(&[]));
        assert!(found[0].sentence().starts_with("2 of 6 images could not be taken at their size: 2.png"), "{}", found[0].sentence());
        assert!(found[1].sentence().starts_with("1 of 6 images could not be decoded: 1.png: unexpected end of file; "), "{found:?}");
        assert!(found[2].sentence().starts_with("1 of 6 examples could not be run by the model: "), "{found:?}");
    }

    #[test]
    fn questions_on_one_image_and_questions_on_several_are_told_apart() {
        let shared: Vec<ExampleRow> =
            (0..4).map(|row| ExampleRow { image: "a.png".into(), ..example(row, Some(Cause::ImageAbsent)) }).collect();
        let said = failures(&shared)[0].sentence();
        assert!(said.starts_with("1 of 1 images could not be found, so 4 of 4 examples could not be run: 0.png"), "{said}");
        let several = ExampleRow { images: 3, ..example(1, Some(Cause::ImageShape)) };
        let said = failures(&[example(0, None), several])[0].sentence();
        assert!(said.starts_with("In 1 of 2 examples an image could not be resized: 1.png"), "{said}");
    }

    #[test]
    fn what_a_file_says_is_shown_and_not_obeyed_and_never_endless() {
        let hostile = ExampleRow { message: Some(format!("a\u{1b}[2J{}", "x".repeat(3_000_000))), ..example(0, Some(Cause::Other)) };
        let said = failures(&[hostile])[0].sentence();
        assert!(said.len() < 1000 && !said.contains('\u{1b}'), "{}", said.len());
    }

    #[test]
    fn records_of_before_causes_were_kept_are_read() {
        let row = example(3, Some(Cause::ImageAbsent));
        let mut table = Table::from_rows([row.clone()]);
        assert_eq!(ExampleRow::get(&table, 0).unwrap(), row);
        table.columns.retain(|(name, _)| name != "cause");
        let old = ExampleRow::get(&table, 0).unwrap();
        assert_eq!((old.cause, old.outcome), (None, Outcome::Error));
        let said = failures(&[old])[0].sentence();
        assert!(said.starts_with("1 of 1 examples could not be run: 3.png"), "{said}");
    }
}
