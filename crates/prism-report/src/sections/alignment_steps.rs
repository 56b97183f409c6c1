//! Alignment step by step, on the targets' own path and on the model's (method, section 5),
//! from the records: an audit's findings hold the mean over steps only.

use std::collections::BTreeMap;

use prism_audit::clusters::Clusters;
use prism_audit::statistics::cluster_robust::cluster_mean;
use prism_run::kept::keep_rows;
use prism_run::records::{self, AlignmentRow, ExampleRow, files};
use prism_run::{Mode, Stage};

use super::latent_steps::{Steps, key_count, key_words};
use super::{Builder, DRAWN, row, styles};
use crate::charts::lines::{self, Look};
use crate::document::{Cell, Column, Figure, Prose, Row, Section, Table};
use crate::html::dashed;
use crate::study::{Audit, Part, Study};

const HEADING: &str = "Alignment, step by step";
/// Modes of a panel each, with its title.
const MODES: [(Mode, &str); 2] = [(Mode::TeacherForced, "Teacher-forced"), (Mode::FreeRunning, "Free-running")];
/// How the charts are drawn.
const LOOK: Look<'static> = Look {
    what: "Alignment by step",
    x: "latent step",
    counts: true,
    y: "cosine of latent and target",
    scale: 1.0,
    digits: 3,
    band: None,
    reference: None,
};

/// Mode, stage and step of a mean.
type Place = (Mode, Stage, usize);

/// One mean over examples.
struct Mean {
    examples: usize,
    cosine: f64,
    low: Option<f64>,
    high: Option<f64>,
}

/// The section. Records that cannot be read are named in `left_out`.
pub fn section(study: &Study, part: &Part, builder: &mut Builder, left_out: &mut Vec<String>) -> Option<Section> {
    let table = table(study, part, left_out);
    if table.is_empty() {
        return builder.absent(
            HEADING,
            "no run recorded latents with their teacher targets: the examples have no boxes, the blocks never opened, or `alignment` was 0",
        );
    }
    let figure = figure(study, part, &table);
    let caption = "Cosine of latent and teacher target by step, mean over examples.";
    Some(Section::new("alignment-steps", HEADING).with(figure).with(table.captioned(caption)))
}

/// A row for each mode, stage and step of each run whose records can be read.
pub fn table(study: &Study, part: &Part, left_out: &mut Vec<String>) -> Table {
    let cosine = Column::decimal("cosine", "cosine", 3);
    let interval = cosine.interval("cosine_interval", "95 %").because("one example, or one cluster");
    let mut table = Table::new(
        "alignment-steps",
        vec![
            Column::run(),
            key_words("mode"),
            key_words("stage"),
            key_count("step"),
            Column::count("examples", "examples").priority(2),
            cosine,
            interval,
        ],
    );
    for audit in &part.audits {
        match means(audit) {
            Ok(means) => {
                for (place, mean) in &means {
                    table.push(of(study, part, audit, *place, mean));
                }
            }
            Err(e) => left_out.push(format!("alignment by step: {e}")),
        }
    }
    table
}

fn of(study: &Study, part: &Part, audit: &Audit, (mode, stage, step): Place, mean: &Mean) -> Row {
    row(study, part, audit).at(dashed(mode)).at(stage).at(step).cells([
        Cell::text(dashed(mode)),
        Cell::text(stage.name()),
        Cell::count(step),
        Cell::count(mean.examples),
        Cell::number(mean.cosine),
        Cell::interval(mean.low, mean.high),
    ])
}

fn figure(study: &Study, part: &Part, table: &Table) -> Figure {
    let steps = Steps::of(table, "examples");
    let caption = Prose::said(
        "{Cosine|cosine} of {latent} and teacher target at each step: the mean over examples with its 95 % interval (clusters kept whole). \
         {Teacher-forced|teacher-forced}, every step is fed the target before it; free-running, the model’s own latent. Where the right \
         panel falls below the left, the published measure is too favourable. Training has as many steps as the region has tokens, decoding \
         has *K*.",
    );
    let mut figure = Figure::new("alignment-steps", caption.and(DRAWN));
    for (mode, title) in MODES {
        figure = figure.panel(title, lines::spec(&steps.lines(&dashed(mode), "cosine", Some("cosine_interval")), &LOOK));
    }
    figure.variants(&styles(study, part)).of("alignment-steps")
}

fn means(audit: &Audit) -> Result<BTreeMap<Place, Mean>, prism_run::Error> {
    let path = records::folder(&audit.folder).join(files::ALIGNMENT);
    if !prism_run::door::stands(&path) {
        return Ok(BTreeMap::new());
    }
    let rows = keep_rows::<AlignmentRow>(&path)?;
    let clusters = Clusters::of(&keep_rows::<ExampleRow>(&records::folder(&audit.folder).join(files::EXAMPLES))?);
    // Regions of one example first: an example counts once.
    let mut of_examples: BTreeMap<Place, BTreeMap<usize, (f64, usize)>> = BTreeMap::new();
    for row in rows.iter().filter(|r| r.cosine.is_finite()) {
        let of = of_examples.entry((row.mode, row.stage, row.step)).or_default().entry(row.row).or_default();
        *of = (of.0 + row.cosine, of.1 + 1);
    }
    Ok(of_examples
        .into_iter()
        .filter_map(|(place, examples)| {
            let values: Vec<(usize, f64)> = examples.into_iter().map(|(row, (sum, n))| (row, sum / n as f64)).collect();
            let mean = cluster_mean(&clusters.sums(values.iter().copied()))?;
            let bounds = mean.interval(0.95);
            let found =
                Mean { examples: values.len(), cosine: mean.mean, low: bounds.as_ref().map(|b| b.low), high: bounds.map(|b| b.high) };
            Some((place, found))
        })
        .collect())
}
