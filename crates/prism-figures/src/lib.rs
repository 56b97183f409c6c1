//! Figures as files: every figure of the page as SVG, PNG and its Vega-Lite specification,
//! together with the tables that [`prism_report::files`] writes.
//!
//! Nothing is drawn anew for it: [`prism_report::page`] builds the page, and what went
//! onto it is written out. [`engine`] runs the page's own Vega without a browser,
//! [`canvas`] paints, [`paper`] makes the source paper's figures and tables. The same
//! inputs give the same bytes on every machine.

pub mod alone;
pub mod canvas;
pub mod engine;
pub mod font;
pub mod paper;

use std::fmt::Write;
use std::path::Path;

use prism_run::shown::files::json_text;
use serde_json::Value;

use engine::Engine;
use prism_report::document::markdown;
pub use prism_report::files::{Listed, Written, write_tables};
use prism_report::files::{put, refuse_a_file};
use prism_report::sections::Numbered;
use prism_report::study::Study;
use prism_report::{Error, ReportInputs, page};

/// A figure to be written: the stem of its files, its specification, its caption.
#[derive(Debug, Clone)]
pub struct Figure {
    /// File name without its end.
    pub stem: String,
    /// Complete by itself.
    pub specification: Value,
    /// What it shows.
    pub caption: String,
}

/// Writes the figures and tables of the page over `inputs` into the folders that are given.
///
/// # Errors
/// As [`prism_report::build_report`]; [`Error::Figure`] names a figure that Vega refuses.
pub fn write(inputs: &ReportInputs, figures: Option<&Path>, tables: Option<&Path>) -> Result<Written, Error> {
    let mut left_out = Vec::new();
    let study = Study::read(inputs, &mut left_out)?;
    // The whole page, gallery and all: its numbers are the files'.
    let (_, _, builder) = page::html(&study, inputs.title.as_deref(), inputs.gallery, &mut left_out);
    let (mut drawn, mut listed) = (Vec::new(), Vec::new());
    let (mut figure, mut number) = (0, 0);
    for item in &builder.numbered {
        match item {
            Numbered::Drawn(of) => {
                figure += 1;
                let drawable: Vec<_> = of.panels.iter().filter_map(|panel| Some((panel, panel.spec.as_ref()?))).collect();
                for (place, (panel, spec)) in drawable.iter().enumerate() {
                    let letter = if drawable.len() > 1 { format!("-{}", place + 1) } else { String::new() };
                    drawn.push(Figure {
                        stem: format!("figure-{figure}{letter}"),
                        specification: alone::alone(spec, &panel.title.as_text(), of.variants.len()),
                        caption: of.caption.as_text(),
                    });
                }
            }
            Numbered::Typed(of) => {
                number += 1;
                listed.push(Listed::of(format!("table-{number}"), of));
            }
        }
    }
    let mut written = Written::default();
    if let Some(folder) = figures {
        write_figures(&drawn, folder, &mut written)?;
    }
    if let Some(folder) = tables {
        write_tables(&listed, folder, &mut written)?;
    }
    Ok(written)
}

/// Draws figures into a folder, with their captions in `captions.md`.
///
/// # Errors
/// [`Error::Figure`] naming one that cannot be drawn; when a file cannot be written.
pub fn write_figures(figures: &[Figure], folder: &Path, written: &mut Written) -> Result<(), Error> {
    refuse_a_file(folder)?;
    let failed = |figure: &str, why: String| Error::Figure { figure: figure.to_string(), why };
    let engine = Engine::start().map_err(|why| failed("the drawing engine", why))?;
    let mut captions = String::new();
    for figure in figures {
        let drawing = engine.draw(&figure.specification).map_err(|why| failed(&figure.stem, why))?;
        if !drawing.lacking.is_empty() {
            let lacking: String = drawing.lacking.iter().collect();
            written.notes.push(format!("{}.png: the shipped typeface has no shape for {lacking}; use the SVG", figure.stem));
        }
        let spec = json_text(&figure.specification, &folder.join(format!("{}.vl.json", figure.stem)))?;
        for (end, bytes) in [("svg", drawing.svg.as_bytes()), ("png", &drawing.png), ("vl.json", spec.as_bytes())] {
            put(&folder.join(format!("{}.{end}", figure.stem)), bytes, written)?;
        }
        let _ = writeln!(captions, "- **{}** {}", figure.stem, markdown::escape(&figure.caption));
    }
    put(&folder.join("captions.md"), captions.as_bytes(), written)
}
