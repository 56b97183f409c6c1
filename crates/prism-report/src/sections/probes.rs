//! Where the answer can be read: probes by position, with their floors (method, section 6).

mod table;

use prism_audit::findings::ProbeFinding;
use prism_audit::probe::row::OWN;
use prism_run::{Cloud, Position, Stage};

use super::{Builder, DRAWN, is_drawn, run, styles};
use crate::charts::lines::{self, Look};
use crate::charts::{Run, probes};
use crate::document::table::Estimate;
use crate::document::{Figure, Prose, Section, Table};
use crate::study::{Audit, Part, Study};

const HEADING: &str = "Where the answer can be read";
/// The target of the figures.
const GOLD: &str = "gold";

/// The section.
pub fn section(study: &Study, part: &Part, builder: &mut Builder) -> Option<Section> {
    let whole = table::last(study, part);
    if whole.is_empty() {
        return builder.absent(HEADING, "no probe was run; an audit that records hidden states makes them");
    }
    let layered = table::by_layer(study, part);
    let majority = majority(part, &whole);
    let section = Section::new("probes", HEADING)
        .with(positions(study, part, &whole, majority.as_ref()))
        .maybe(steps(study, part, &whole, majority.as_ref()))
        .maybe(layers(study, part, &whole, &layered));
    let section = section.with(whole);
    Some(if layered.is_empty() { section } else { section.with(layered) })
}

/// Whether a finding is of the run's own vectors at the last layer, for gold.
fn charted(f: &ProbeFinding) -> bool {
    f.target == GOLD && f.source == OWN && f.layer.is_none()
}

/// Stage and step of a position that is one latent fed back.
fn fed(position: &str) -> Option<(Stage, usize)> {
    match Cloud::step(position)? {
        (Cloud::FreeRunning, stage, step) => Some((stage, step)),
        _ => None,
    }
}

/// A position's place among all.
fn place(position: &str) -> usize {
    Position::ALL.iter().position(|p| p.name() == position).unwrap_or(Position::ALL.len())
}

/// A position in words, with the paper's letter.
fn label(name: &str) -> String {
    let words = match Position::from_name(name) {
        Some(Position::AnswerState) => "answer state (a)",
        Some(Position::LatentLast) => "last latent (b)",
        Some(Position::LatentMean) => "mean latent (c)",
        Some(Position::ContextLast) => "last context latent",
        Some(Position::ContextMean) => "mean context latent",
        Some(Position::QuestionMean) => "question mean",
        Some(Position::VisualMean) => "visual mean",
        None => {
            return match fed(name) {
                Some((stage, step)) => format!("latent, {stage} step {step}"),
                None => name.replace('_', " "),
            };
        }
    };
    words.into()
}

/// The largest share of the most common letter over runs, of the positions that most examples have: among the few that
/// reach a late stage one letter may be the only one.
fn majority<'a>(part: &'a Part, whole: &'a Table) -> Option<Estimate<'a>> {
    let found = table::of_rows(whole, table::whole(part));
    let most = found.values().filter(|(_, f)| charted(f)).map(|(_, f)| f.rows).max()?;
    let fits = |e: &Estimate<'_>| found.get(e.row.key.as_str()).is_some_and(|(_, f)| charted(f) && f.rows == most);
    whole.estimates("majority", None).filter(fits).max_by(|a, b| a.value.total_cmp(&b.value))
}

/// A mark a run and position, with its floors.
fn positions(study: &Study, part: &Part, whole: &Table, majority: Option<&Estimate<'_>>) -> Figure {
    let found = table::of_rows(whole, table::whole(part));
    let point = |e: &Estimate<'_>| {
        let (_, f) = found.get(e.row.key.as_str()).filter(|(_, f)| charted(f) && fed(&f.position).is_none())?;
        // The paper's pipeline has no interval over examples.
        let sd = whole.number(e.row, "accuracy_sd");
        Some((place(&f.position), e.low.or(sd.map(|sd| e.value - sd)), e.high.or(sd.map(|sd| e.value + sd)), label(&f.position)))
    };
    let mut all: Vec<(usize, probes::Point<'_>)> = Vec::new();
    for e in whole.estimates("accuracy", Some("accuracy_interval")) {
        let (Some(name), Some((place, low, high, position))) = (e.run(), point(&e)) else { continue };
        let Some(style) = &name.style else { continue };
        let (run, control) = (Run { style, label: name.label.clone() }, whole.number(e.row, "control"));
        all.push((place, probes::Point { run, position, accuracy: e.value, low, high, control, cell: Some(e.name) }));
    }
    all.sort_by_key(|(place, _)| *place);
    let points: Vec<probes::Point<'_>> = all.into_iter().map(|(_, point)| point).collect();
    let mut caption = Prose::said(
        "{Linear probes|linear probe} for the gold letter, by position. Bars: 95 % intervals over examples (± one standard deviation over folds where the \
         paper\u{2019}s pipeline gives no more). Grey rings: the same probe on labels exchanged within question type.",
    );
    if let Some(floor) = majority {
        caption = caption
            .and(" Dashed line: the share of the most common letter, ")
            .number(whole, "majority", &floor.row.key)
            .and(" %, where most examples have the position (the largest over runs).");
    }
    Figure::new("probes", caption.and(" What can be read need not be used: read this together with [the interventions](#corruption)."))
        .panel("", probes::spec(&points, majority.map(|floor| floor.value)))
        .variants(&styles(study, part))
        .of("probes")
}

/// Vectors of the position that most examples of a run have.
fn most(audit: &Audit) -> usize {
    audit.findings.probe.iter().filter(|f| charted(f)).map(|f| f.rows).max().unwrap_or_default()
}

/// The same probe along the block, latent by latent.
fn steps(study: &Study, part: &Part, whole: &Table, majority: Option<&Estimate<'_>>) -> Option<Figure> {
    let found = table::of_rows(whole, table::whole(part));
    let lines = lines::of_table(whole.estimates("accuracy", Some("accuracy_interval")), |e| {
        let (_, f) = found.get(e.row.key.as_str()).filter(|(audit, f)| charted(f) && is_drawn(f.rows, most(audit)))?;
        let (stage, step) = fed(&f.position).filter(|(stage, _)| *stage != Stage::Free)?;
        Some((format!("{stage} stage"), step as f64))
    });
    let look = Look {
        what: "Probes along the block",
        x: "latent step",
        counts: true,
        y: "probe accuracy, %",
        scale: 100.0,
        digits: 1,
        band: None,
        reference: majority.map(|floor| floor.value),
    };
    let spec = lines::spec(&lines, &look)?;
    let bounded = lines.iter().flat_map(|line| &line.points).any(|point| point.low.is_some());
    let intervals = if bounded { ", with the 95 % interval over examples" } else { " (no interval is computed for these)" };
    let caption = Prose::said("The probe for the gold letter on each latent as it is fed back")
        .and(intervals)
        .and("; dashed: share of the most common letter.")
        .and(DRAWN);
    Some(Figure::new("probe-steps", caption).panel("", Some(spec)).variants(&styles(study, part)).of("probes"))
}

/// A heat map for every run that recorded its layers, all in one scale.
fn layers(study: &Study, part: &Part, whole: &Table, layered: &Table) -> Option<Figure> {
    let mut cells: Vec<(&Audit, (usize, usize), probes::Cell)> = Vec::new();
    let mut floor = 1.0_f64;
    let tables = [(whole, table::of_rows(whole, table::whole(part))), (layered, table::of_rows(layered, table::layered(part)))];
    for (table, found) in &tables {
        for e in table.estimates("accuracy", None) {
            let Some((audit, f)) = found.get(e.row.key.as_str()).copied() else { continue };
            if f.target != GOLD || f.source != OWN || fed(&f.position).is_some() {
                continue;
            }
            floor = table.number(e.row, "majority").map_or(floor, |share| floor.min(share));
            let layer = f.layer.map_or_else(|| "last".to_string(), |layer| layer.to_string());
            let cell = probes::Cell { position: label(&f.position), layer, accuracy: e.value, cell: Some(e.name) };
            cells.push((audit, (f.layer.unwrap_or(usize::MAX), place(&f.position)), cell));
        }
    }
    cells.sort_by_key(|(_, at, _)| *at);
    let range = [floor, cells.iter().map(|(_, _, cell)| cell.accuracy).fold(floor, f64::max)];
    let caption = "Accuracy of the probe for the gold letter by position and layer: 0 is the input embedding, last is after the final norm. C \
        is chosen in an inner loop, with one repeat of the folds (the last layer: all repeats). The palest colour is the share of the most \
        common letter or less; an empty cell means that the position was not kept at that layer.";
    let mut figure = Figure::new("probe-layers", caption).variants(&styles(study, part)).of("probe-layers");
    for audit in &part.audits {
        let of: Vec<_> = cells.iter().filter(|(whose, _, _)| std::ptr::eq(*whose, audit)).collect();
        if of.iter().any(|(_, (layer, _), _)| *layer != usize::MAX) {
            let drawn: Vec<probes::Cell> = of.into_iter().map(|(_, _, cell)| cell.clone()).collect();
            figure = figure.panel(part.run_name(study, audit), probes::layers(&run(study, part, audit), &drawn, range));
        }
    }
    (!figure.panels.is_empty()).then_some(figure)
}
