//! What a table of examples needs of a run: of every example a line, of every answer a mark.
//!
//! Only some columns are read, and long questions are cut, so memory grows with the number of
//! answers and not with their texts. Records that would take more than an index may have are
//! refused: small files can hold many.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use prism_run::door::Limit;
use prism_run::kept::keep_rows;
use prism_run::records::{self, files};
use prism_run::{Error, Intervention, Outcome, table_row};

use prism_report::interventions::place;

/// Longest question kept, in characters.
const LONGEST_QUESTION: usize = 140;
/// Longest id, category, label or answer kept.
const LONGEST_WORD: usize = 80;
/// Interventions that a table has columns for; a full audit has some dozens.
const MOST_INTERVENTIONS: usize = 512;
/// Categories that a filter offers.
const MOST_CATEGORIES: usize = 500;
/// What to do about records beyond that.
const REMEDY: &str = "read the tables themselves, e.g. with pandas";

table_row! {
    /// The columns of an example that a table shows.
    pub struct ExampleColumns {
        /// Row in the benchmark file.
        pub row: usize,
        /// Unique id.
        pub id: String,
        /// Subset.
        pub category: Option<String>,
        /// Id of the counterfactual partner.
        pub counterfactual: Option<String>,
        /// The user turn's text.
        pub prompt: String,
        /// Gold letter.
        pub label: String,
        /// Outcome of the clean run.
        pub outcome: Outcome,
    }
}

table_row! {
    /// The columns of an answer that a table shows.
    pub struct AnswerColumns {
        /// Row of the example.
        pub row: usize,
        /// The intervention.
        pub intervention: Intervention,
        /// How it ended.
        pub outcome: Outcome,
        /// Parsed option letter.
        pub answer: Option<String>,
        /// Whether it is right.
        pub correct: Option<bool>,
        /// Whether the generated ids differ from the clean run's.
        pub changed: Option<bool>,
    }
}

/// An answer under one intervention.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Mark {
    /// The letter.
    pub answer: Option<Box<str>>,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether it is right.
    pub correct: Option<bool>,
    /// Whether the text changed.
    pub changed: Option<bool>,
}

/// One example in a line.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Its row.
    pub row: usize,
    /// Its id, whole: the partner is found by it.
    pub id: String,
    /// Its category.
    pub category: Option<String>,
    /// Id of its counterfactual partner.
    pub counterfactual: Option<String>,
    /// The begin of its question.
    pub question: String,
    /// Its gold label.
    pub label: String,
    /// Outcome of its clean run.
    pub outcome: Outcome,
    /// One mark per intervention of [`Index::interventions`]; `None` where it was not run.
    pub marks: Vec<Option<Mark>>,
}

impl Line {
    /// The clean answer.
    pub fn clean(&self) -> Option<&Mark> {
        self.marks.first()?.as_ref()
    }
}

/// Memory that an index may take, bytes; and all that are kept.
pub fn most_bytes() -> usize {
    Limit::Table.size()
}

/// The examples of a run, by row.
#[derive(Debug, Clone, Default)]
pub struct Index {
    /// The clean run, then interventions as pages list them.
    pub interventions: Vec<Intervention>,
    /// The examples.
    pub lines: Vec<Line>,
    by_id: HashMap<String, usize>,
    weight: usize,
}

impl Index {
    /// Reads it from the records of a run.
    ///
    /// # Errors
    /// When the examples or answers cannot be read, or are more than an index may hold.
    pub fn read(run: &Path) -> Result<Self, Error> {
        let folder = records::folder(run);
        let (examples, _held) = keep_rows::<ExampleColumns>(&folder.join(files::EXAMPLES))?.apart();
        let mut lines: Vec<Line> = examples
            .into_iter()
            .map(|e| Line {
                row: e.row,
                id: e.id,
                category: e.category.map(|c| short(&c, LONGEST_WORD)),
                counterfactual: e.counterfactual,
                question: short(e.prompt.trim_start().split('\n').next().unwrap_or_default(), LONGEST_QUESTION),
                label: short(&e.label, LONGEST_WORD),
                outcome: e.outcome,
                marks: Vec::new(),
            })
            .collect();
        lines.sort_by_key(|l| l.row);
        let rows: HashMap<usize, usize> = lines.iter().enumerate().map(|(i, l)| (l.row, i)).collect();
        let mut weight = Weight { of: folder.join(files::EXAMPLES), most: most_bytes(), taken: 0 };
        for line in &lines {
            let texts = [line.category.as_deref(), line.counterfactual.as_deref(), Some(line.question.as_str()), Some(line.label.as_str())];
            // The id is held twice.
            weight.add(2 * size_of::<Line>() + 2 * line.id.len() + texts.into_iter().flatten().map(str::len).sum::<usize>())?;
        }
        weight.of = folder.join(files::ANSWERS);
        let answers = keep_rows::<AnswerColumns>(&weight.of)?;
        let mut interventions = vec![Intervention::CLEAN];
        for answer in &answers {
            if !interventions.contains(&answer.intervention) {
                if interventions.len() >= MOST_INTERVENTIONS {
                    return Err(Error::content(&weight.of, format!("has more than {MOST_INTERVENTIONS} interventions"), REMEDY));
                }
                interventions.push(answer.intervention);
            }
        }
        interventions.sort_by_key(|i| (!i.is_clean(), place(*i)));
        for answer in &answers {
            let Some(place) = interventions.iter().position(|i| *i == answer.intervention) else { continue };
            let Some(line) = rows.get(&answer.row).and_then(|i| lines.get_mut(*i)) else { continue };
            let letter = answer.answer.as_ref().map(|a| short(a, LONGEST_WORD));
            let room = if line.marks.is_empty() { interventions.len() } else { 0 };
            weight.add(room * size_of::<Option<Mark>>() + letter.as_ref().map_or(0, String::len))?;
            line.marks.reserve_exact(room);
            if line.marks.len() <= place {
                line.marks.resize(place + 1, None);
            }
            line.marks[place] =
                Some(Mark { answer: letter.map(Into::into), outcome: answer.outcome, correct: answer.correct, changed: answer.changed });
        }
        let by_id = lines.iter().enumerate().map(|(i, l)| (l.id.clone(), i)).collect();
        Ok(Self { interventions, lines, by_id, weight: weight.taken })
    }

    /// Bytes that it takes in memory, about.
    pub fn weight(&self) -> usize {
        self.weight
    }

    /// The example of that row.
    pub fn of_row(&self, row: usize) -> Option<&Line> {
        self.lines.binary_search_by_key(&row, |l| l.row).ok().and_then(|i| self.lines.get(i))
    }

    /// The example of that id.
    pub fn of_id(&self, id: &str) -> Option<&Line> {
        self.by_id.get(id).and_then(|i| self.lines.get(*i))
    }

    /// The categories, sorted; the first of them where they are many.
    pub fn categories(&self) -> Vec<&str> {
        let mut all: Vec<&str> = self.lines.iter().filter_map(|l| l.category.as_deref()).collect();
        all.sort_unstable();
        all.dedup();
        all.truncate(MOST_CATEGORIES);
        all
    }

    /// The outcomes of the clean run, sorted.
    pub fn outcomes(&self) -> Vec<Outcome> {
        let mut all: Vec<Outcome> = self.lines.iter().map(|l| l.outcome).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

fn short(text: &str, most: usize) -> String {
    let (shown, left) = crate::content::cut(text, most);
    if left == 0 { shown.to_string() } else { format!("{shown}…") }
}

/// Memory that an index takes, counted while it is made.
struct Weight {
    /// The file that asks for it.
    of: PathBuf,
    most: usize,
    taken: usize,
}

impl Weight {
    fn add(&mut self, bytes: usize) -> Result<(), Error> {
        self.taken = self.taken.saturating_add(bytes);
        if self.taken <= self.most {
            return Ok(());
        }
        Err(Error::content(&self.of, format!("has more examples or answers than an index of {} MiB holds", self.most >> 20), REMEDY))
    }
}

#[cfg(test)]
mod tests {
    use prism_run::table::write_rows;

    use super::*;

    fn examples(count: usize) -> impl Iterator<Item = ExampleColumns> {
        (0..count).map(|row| ExampleColumns {
            row,
            id: row.to_string(),
            category: Some(format!("category {row}")),
            counterfactual: None,
            prompt: "Which?".into(),
            label: "A".into(),
            outcome: Outcome::Scored,
        })
    }

    fn answer(row: usize, intervention: Intervention) -> AnswerColumns {
        AnswerColumns { row, intervention, outcome: Outcome::Scored, answer: Some("A".into()), correct: Some(true), changed: Some(false) }
    }

    fn written(count: usize, answers: Vec<AnswerColumns>) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let folder = records::folder(dir.path());
        std::fs::create_dir_all(&folder).unwrap();
        write_rows(&folder.join(files::EXAMPLES), examples(count)).unwrap();
        write_rows(&folder.join(files::ANSWERS), answers).unwrap();
        dir
    }

    fn noise(i: usize) -> Intervention {
        format!("noise:{}", 1.0 + i as f64).parse().unwrap()
    }

    #[test]
    fn an_index_has_a_mark_for_every_answer_and_categories_up_to_a_number() {
        let answers = (0..600).flat_map(|row| [answer(row, noise(row % 3)), answer(row, Intervention::CLEAN)]);
        let dir = written(600, answers.collect());
        let index = Index::read(dir.path()).unwrap();
        assert_eq!((index.lines.len(), index.interventions.len(), index.categories().len()), (600, 4, MOST_CATEGORIES));
        assert!(index.lines.iter().all(|line| line.clean().is_some() && line.marks.iter().flatten().count() == 2));
        assert!(index.weight > 600 * size_of::<Line>() && index.weight < 1 << 20, "{}", index.weight);
    }

    #[test]
    fn columns_without_number_are_refused() {
        let dir = written(1, (0..2 * MOST_INTERVENTIONS).map(|i| answer(0, noise(i))).collect());
        let told = Index::read(dir.path()).unwrap_err().to_string();
        assert!(told.contains("answers.parquet") && told.contains("more than 512 interventions"), "{told}");
    }

    #[test]
    fn weight_ends_before_memory_does() {
        let mut weight = Weight { of: "answers.parquet".into(), most: 3 << 20, taken: 0 };
        assert!(weight.add(2 << 20).is_ok());
        assert!(weight.add(2 << 20).unwrap_err().to_string().contains("index of 3 MiB"));
        assert!(weight.add(usize::MAX).is_err());
    }
}
