//! One example's part of the records, and how parts are put together.

use std::collections::BTreeMap;
use std::path::Path;

use prism_model::Result;
use prism_run::folder::names;
use prism_run::records::{AlignmentRow, AnswerRow, AttentionRow, CellRow, ExampleRow, LatentRow, LensRow, MapRow, TimingRow, files};
use prism_run::table::{Row, read_rows, write_rows};
use prism_run::vectors::{self, Vectors};

/// A row of `answers.parquet`: an audit's or a crossing's.
pub trait Answered: Row {
    /// Row of the example.
    fn row(&self) -> usize;
}

impl Answered for AnswerRow {
    fn row(&self) -> usize {
        self.row
    }
}

impl Answered for CellRow {
    fn row(&self) -> usize {
        self.row
    }
}

/// Rows and vectors of some examples: a part, or the whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Records<A = AnswerRow> {
    /// One per example.
    pub examples: Vec<ExampleRow>,
    /// One per example and intervention, or cell of a crossing.
    pub answers: Vec<A>,
    /// One per latent position.
    pub alignment: Vec<AlignmentRow>,
    /// One per latent step of every branch.
    pub steps: Vec<LatentRow>,
    /// One per noted forward and layer.
    pub attention: Vec<AttentionRow>,
    /// One per noted forward and image.
    pub maps: Vec<MapRow>,
    /// One per latent step and layer.
    pub lens: Vec<LensRow>,
    /// Vectors by position's name.
    pub vectors: BTreeMap<String, Vectors>,
    /// One per example that was timed; kept beside the records, not among them.
    pub timing: Vec<TimingRow>,
}

impl<A> Default for Records<A> {
    fn default() -> Self {
        Self {
            examples: Vec::new(),
            answers: Vec::new(),
            alignment: Vec::new(),
            steps: Vec::new(),
            attention: Vec::new(),
            maps: Vec::new(),
            lens: Vec::new(),
            vectors: BTreeMap::new(),
            timing: Vec::new(),
        }
    }
}

impl<A: Answered> Records<A> {
    /// Appends another's rows.
    pub fn extend(&mut self, other: Self) {
        self.examples.extend(other.examples);
        self.answers.extend(other.answers);
        self.alignment.extend(other.alignment);
        self.steps.extend(other.steps);
        self.attention.extend(other.attention);
        self.maps.extend(other.maps);
        self.lens.extend(other.lens);
        self.timing.extend(other.timing);
        for (name, more) in other.vectors {
            let all = self.vectors.entry(name).or_default();
            for (i, row) in more.rows.iter().enumerate() {
                all.push(*row, more.vector(i));
            }
        }
    }

    /// Adds one vector.
    pub fn push_vector(&mut self, name: &str, row: usize, vector: &[f32]) {
        self.vectors.entry(name.to_string()).or_default().push(row as i64, vector);
    }

    /// Orders everything by the example's row; what belongs to one example keeps its order.
    pub fn sort(&mut self) {
        self.examples.sort_by_key(|r| r.row);
        self.answers.sort_by_key(Answered::row);
        self.alignment.sort_by_key(|r| r.row);
        self.steps.sort_by_key(|r| r.row);
        self.attention.sort_by_key(|r| r.row);
        self.maps.sort_by_key(|r| r.row);
        self.lens.sort_by_key(|r| r.row);
        self.timing.sort_by_key(|r| r.row);
        for all in self.vectors.values_mut() {
            let mut order: Vec<usize> = (0..all.rows.len()).collect();
            order.sort_by_key(|&i| all.rows.get(i).copied());
            let mut sorted = Vectors::default();
            for i in order {
                sorted.push(all.rows[i], all.vector(i));
            }
            *all = sorted;
        }
    }

    /// Writes the files into `folder`.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(self, folder: &Path) -> Result<()> {
        write_rows(&folder.join(files::EXAMPLES), self.examples)?;
        write_rows(&folder.join(files::ANSWERS), self.answers)?;
        write_rows(&folder.join(files::ALIGNMENT), self.alignment)?;
        write_rows(&folder.join(files::STEPS), self.steps)?;
        write_rows(&folder.join(files::ATTENTION), self.attention)?;
        write_rows(&folder.join(files::MAPS), self.maps)?;
        write_rows(&folder.join(files::LENS), self.lens)?;
        vectors::write(&folder.join(files::LATENTS), &self.vectors)?;
        Ok(())
    }

    /// Writes the times into `folder`, which is not that of the records; nothing when
    /// nothing was timed.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_timing(&self, folder: &Path) -> Result<()> {
        let path = folder.join(names::TIMING);
        if !self.timing.is_empty() {
            write_rows(&path, self.timing.iter().cloned())?;
        } else if path.exists() {
            // Those are the times of the records that these replace.
            std::fs::remove_file(&path).map_err(|e| prism_run::Error::io("cannot remove", &path, e))?;
        }
        Ok(())
    }

    /// Reads them back, and the times of that folder.
    ///
    /// # Errors
    /// When a file is absent or damaged.
    pub fn read(folder: &Path) -> Result<Self> {
        Ok(Self {
            examples: read_rows(&folder.join(files::EXAMPLES))?,
            answers: read_rows(&folder.join(files::ANSWERS))?,
            alignment: read_rows(&folder.join(files::ALIGNMENT))?,
            steps: read_rows(&folder.join(files::STEPS))?,
            attention: read_rows(&folder.join(files::ATTENTION))?,
            maps: read_rows(&folder.join(files::MAPS))?,
            lens: read_rows(&folder.join(files::LENS))?,
            vectors: vectors::read(&folder.join(files::LATENTS))?,
            timing: timing(folder)?,
        })
    }
}

/// The times in `folder`; none where nothing was timed.
///
/// # Errors
/// When the file is damaged.
pub fn timing(folder: &Path) -> Result<Vec<TimingRow>> {
    let path = folder.join(names::TIMING);
    if prism_run::door::stands(&path) { Ok(read_rows(&path)?) } else { Ok(Vec::new()) }
}
