//! The page's tables as files: every table as CSV, Markdown and LaTeX, under its number on the page.
//!
//! Nothing is drawn for it, so a build without the crate of the figures writes them too.

use std::path::{Path, PathBuf};

use prism_run::folder::write_atomic;

use crate::document::{Table, csv, latex, markdown};
use crate::sections::Numbered;
use crate::study::Study;
use crate::{Error, ReportInputs, page};

/// Files written, and what is to be known of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Written {
    /// In the order they were written.
    pub files: Vec<PathBuf>,
    /// What is not as it should be in them, one line each.
    pub notes: Vec<String>,
}

/// A table in each of its forms, under the stem of its files.
#[derive(Debug, Clone)]
pub struct Listed {
    /// File name without its end.
    pub stem: String,
    /// For programs.
    pub csv: String,
    /// As printed.
    pub markdown: String,
    /// As printed, labelled `tab:STEM`.
    pub latex: String,
}

impl Listed {
    /// A table of the document.
    pub fn of(stem: String, table: &Table) -> Self {
        let latex = latex::latex(table, &format!("tab:{stem}"));
        Self { csv: csv::csv(table), markdown: markdown::markdown(table), latex, stem }
    }
}

/// Writes the tables of the page over `inputs` into a folder.
///
/// # Errors
/// As [`crate::build_report`].
pub fn write(inputs: &ReportInputs, folder: &Path) -> Result<Written, Error> {
    let mut left_out = Vec::new();
    let study = Study::read(inputs, &mut left_out)?;
    // The whole page, gallery and all: its numbers are the files'.
    let (_, _, builder) = page::html(&study, inputs.title.as_deref(), inputs.gallery, &mut left_out);
    let mut listed = Vec::new();
    let mut number = 0;
    for item in &builder.numbered {
        match item {
            Numbered::Typed(table) => {
                number += 1;
                listed.push(Listed::of(format!("table-{number}"), table));
            }
            Numbered::Drawn(_) => {}
        }
    }
    let mut written = Written::default();
    write_tables(&listed, folder, &mut written)?;
    Ok(written)
}

/// Writes tables into a folder.
///
/// # Errors
/// When a file cannot be written.
pub fn write_tables(tables: &[Listed], folder: &Path, written: &mut Written) -> Result<(), Error> {
    refuse_a_file(folder)?;
    for table in tables {
        for (end, text) in [("csv", &table.csv), ("md", &table.markdown), ("tex", &table.latex)] {
            put(&folder.join(format!("{}.{end}", table.stem)), text.as_bytes(), written)?;
        }
    }
    Ok(())
}

/// Writes one file, whole or not at all.
///
/// # Errors
/// When it cannot be written.
pub fn put(path: &Path, bytes: &[u8], written: &mut Written) -> Result<(), Error> {
    write_atomic(path, bytes)?;
    written.files.push(path.to_path_buf());
    Ok(())
}

/// Refuses a folder that is a file.
///
/// # Errors
/// Where there is a file of that name.
pub fn refuse_a_file(folder: &Path) -> Result<(), Error> {
    if folder.exists() && !folder.is_dir() {
        return Err(
            prism_run::Error::content(folder, "a file, not a folder", "name a folder for the files, or one that is not there yet").into()
        );
    }
    Ok(())
}
