//! Does cosine track accuracy? The scatter, its honest statistics, the table of
//! correlations, and alignment as it is measured (method, sections 5 and 8).

use prism_audit::findings::ComparisonFinding;
use prism_run::{Mode, Stage};

use super::{Builder, row, styles};
use crate::charts::Run;
use crate::charts::cosine_accuracy::{self, Point};
use crate::document::table::KEY;
use crate::document::{Block, Cell, Column, Figure, Form, Prose, Row, Section, Table, Tone, Unit};
use crate::html::dashed;
use crate::study::{Part, Study};
use crate::verdict;

/// The section on cosine and accuracy.
pub fn section(study: &Study, part: &Part, _: &mut Builder) -> Section {
    let points = points(study, part);
    let figure = figure(study, part, &points);
    let mut section = Section::new("cosine", "Cosine against accuracy");
    let compared = study.comparison.as_ref().map(|(_, findings)| findings.comparison.as_slice());
    let correlations = correlations(compared.unwrap_or_default());
    match compared {
        None => section = section.with("The runs were not compared, so no correlation is given; `prism compare` makes one."),
        Some(rows) => {
            if let Some((place, row)) = verdict::headline(rows).and_then(|row| Some((rows.iter().position(|r| std::ptr::eq(r, row))?, row)))
            {
                section = section.with(headline(row, &correlations, place)).maybe(clusters(row));
            }
        }
    }
    section = section.with(figure).with(points);
    if !correlations.is_empty() {
        section = section.with(correlations);
    }
    let alignment = alignment(study, part);
    if alignment.is_empty() { section } else { section.with(alignment) }
}

/// What the figure draws: a row a run.
fn points(study: &Study, part: &Part) -> Table {
    let accuracy = Column::percent("accuracy", "accuracy, %");
    let interval = accuracy.interval("accuracy_interval", "95 %");
    let columns = vec![
        Column::run(),
        Column::decimal("cosine", "cosine, teacher-forced", 3).because("not measured"),
        Column::decimal("cosine_free", "free-running", 3).because("not measured"),
        Column::count("targets", "over").priority(2).because("not measured"),
        accuracy,
        interval,
        Column::count("n", "n").priority(2),
    ];
    let mut table = Table::new("cosine", columns);
    for audit in &part.audits {
        let (summary, clean) = (audit.summary(), audit.clean());
        let forced = audit.findings.alignment.iter().filter(|f| f.stage == Stage::Target && f.mode == Mode::TeacherForced);
        table.push(row(study, part, audit).cells([
            Cell::number(summary.and_then(|s| s.cosine)),
            Cell::number(summary.and_then(|s| s.cosine_free)),
            Cell::count(forced.map(|f| f.examples).max()),
            Cell::number(clean.and_then(|c| c.accuracy)).strong(),
            Cell::interval(clean.and_then(|c| c.accuracy_low), clean.and_then(|c| c.accuracy_high)),
            Cell::count(audit.examples()),
        ]));
    }
    table.captioned(
        "Each run\u{2019}s cosine in the target stage and its clean accuracy, with Wilson\u{2019}s 95 % interval. Over: questions that have a \
         target, over which the cosine is a mean.",
    )
}

fn figure(study: &Study, part: &Part, table: &Table) -> Figure {
    let points = |column: &str| -> Vec<Point<'_>> {
        let all = table.estimates("accuracy", Some("accuracy_interval"));
        all.filter_map(|e| {
            let name = e.run()?;
            let (run, cosine) = (Run { style: name.style.as_ref()?, label: name.label.clone() }, table.number(e.row, column)?);
            Some(Point { run, cosine, accuracy: e.value, low: e.low, high: e.high, cell: Some(e.name) })
        })
        .collect()
    };
    let forced = cosine_accuracy::spec(&points("cosine"), "cosine, teacher-forced, target stage");
    let free = cosine_accuracy::spec(&points("cosine_free"), "cosine, free-running, target stage");
    let mut caption = Prose::said("Accuracy against the {cosine} of {latent} and teacher target. One point per run (n = ");
    caption = ranged(caption, table, "n").and("; cosines over ");
    caption = ranged(caption, table, "targets").and("); bars are Wilson 95 % intervals.");
    let styles = styles(study, part);
    let figure = |caption: Prose| Figure::new("cosine", caption).panel("Teacher-forced", forced).variants(&styles).of("cosine");
    if free.is_none() {
        return figure(caption);
    }
    let caption = caption.and(
        " The left panel is the paper\u{2019}s measure, {teacher-forced}: it feeds the model the targets. The right one lets it run on its own \
         latents.",
    );
    figure(caption).panel("Free-running", free)
}

/// The whole number of a column, or the smallest and the largest where rows differ.
fn ranged(prose: Prose, table: &Table, column: &str) -> Prose {
    let counts = || table.rows().iter().filter_map(move |row| Some((table.count(row, column)?, row)));
    match (counts().min_by_key(|(count, _)| *count), counts().max_by_key(|(count, _)| *count)) {
        (Some((low, first)), Some((high, _))) if low == high => prose.number(table, column, &first.key),
        (Some((_, least)), Some((_, most))) => prose.number(table, column, &least.key).and(" to ").number(table, column, &most.key),
        _ => prose.and("a number not given"),
    }
}

/// The correlation of cosine and accuracy in words; `place` is its row's.
fn headline(row: &ComparisonFinding, table: &Table, place: usize) -> Prose {
    let key = table.rows().get(place).map_or("", |row| row.key.as_str());
    if row.r.is_none() {
        let said = Prose::said("No correlation of cosine and accuracy is given");
        return match row.reason.as_deref() {
            Some(why) => said.and(": ").typeset(why.trim_end_matches('.')).and("."),
            None => said.and("."),
        };
    }
    let what = if row.unit == "run" { " runs" } else { " variants" };
    Prose::said("Across ")
        .number(table, "points", key)
        .and(what)
        .and(", cosine and accuracy correlate at *r* = ")
        .number(table, "r", key)
        .and(" (exact *p* ")
        .number(table, "exact_p", key)
        .and("). The 95 % interval is ")
        .number(table, "fisher", key)
        .and(" by Fisher\u{2019}s transformation and ")
        .number(table, "bootstrap", key)
        .and(" when accuracies are redrawn binomially, which leaves training seeds out. With any one point left out, *r* lies in ")
        .number(table, "leave_one_out", key)
        .and(".")
}

fn clusters(row: &ComparisonFinding) -> Option<Block> {
    let warning = row.cluster_warning.as_deref()?;
    Some(Block::Aside(Tone::Warn, Prose::said("**The points cluster.** ").typeset(warning)))
}

/// Every correlation of a comparison, in its order.
pub fn correlations(rows: &[ComparisonFinding]) -> Table {
    let r = correlation("r", "*r*", rows.iter().map(|row| row.r));
    let interval = |name: &'static str, heading: &'static str, ends: Vec<Option<f64>>| {
        correlation(name, heading, ends.into_iter()).interval(name, heading)
    };
    let bootstrap = interval("bootstrap", "bootstrap 95 %", rows.iter().flat_map(|row| [row.low, row.high]).collect());
    let fisher = interval("fisher", "Fisher 95 %", rows.iter().flat_map(|row| [row.fisher_low, row.fisher_high]).collect());
    let left_out = rows.iter().flat_map(|row| [row.leave_one_out_low, row.leave_one_out_high]).collect();
    let left_out = interval("leave_one_out", "one left out", left_out);
    let apart = |column: Column| Column { attached: false, ..column };
    let columns = vec![
        Column::words("x", "x").priority(KEY),
        Column::words("y", "y").priority(KEY),
        Column::words("given", "given").priority(KEY).because("nothing is held fixed"),
        Column::words("unit", "a point is").priority(KEY),
        Column::count("points", "points").priority(2),
        r,
        bootstrap,
        apart(fisher).priority(2).because("not defined for these points"),
        Column::p("exact_p", "exact *p*"),
        apart(left_out).priority(2),
    ];
    let mut table = Table::new("correlations", columns);
    for row in rows {
        let unit = if row.unit == "run" { "run" } else { "variant" };
        let mut key = Row::new(unit).at(&row.x).at(&row.y);
        if let Some(given) = &row.given {
            key = key.at(format!("given={given}"));
        }
        let given = row.given.as_deref().map_or_else(|| Cell::absent("nothing is held fixed"), |given| Cell::text(quantity(given)));
        table.push(key.because(row.reason.as_deref()).cells([
            Cell::text(quantity(&row.x)),
            Cell::text(quantity(&row.y)),
            given,
            Cell::words(unit, Tone::Plain),
            Cell::count(row.variants),
            Cell::number(row.r).strong(),
            Cell::interval(row.low, row.high),
            Cell::interval(row.fisher_low, row.fisher_high),
            Cell::number(row.exact_p),
            Cell::interval(row.leave_one_out_low, row.leave_one_out_high),
        ]));
    }
    table.captioned(
        "Pearson correlations across the points. The bootstrap redraws each accuracy binomially; *p* is exact, over all permutations; one \
         left out: smallest and largest *r* with one point left out.",
    )
}

/// A column of correlations: two digits, three where two would round one of them to 1.
fn correlation(name: &'static str, heading: &'static str, mut values: impl Iterator<Item = Option<f64>>) -> Column {
    let rounds = values.any(|value| value.is_some_and(|r| (0.995..1.0).contains(&r.abs())));
    Column::new(name, heading, Form::Number { unit: Unit::Plain, digits: if rounds { 3 } else { 2 }, signed: true })
}

/// A column of Table 1 in words.
fn quantity(name: &str) -> String {
    match name {
        "cosine" => "cosine".into(),
        "cosine_free" => "cosine, free-running".into(),
        "probe_a" => "probe (a)".into(),
        "probe_b" => "probe (b)".into(),
        "gap" => "gap G".into(),
        "question_mean" => "probe, question mean".into(),
        "delta_truncate" => "change under zero".into(),
        "delta_noise_01" => "change under noise:0.1".into(),
        "delta_noise_03" => "change under noise:0.3".into(),
        "delta_noise_10" => "change under noise:1".into(),
        "delta_swap" => "change under swap".into(),
        other => other.replace('_', " "),
    }
}

/// Alignment as it is measured: a row for every run, mode and stage.
fn alignment(study: &Study, part: &Part) -> Table {
    let columns = vec![
        Column::run(),
        Column::words("mode", "mode").priority(KEY),
        Column::words("stage", "stage").priority(KEY),
        Column::count("examples", "n").priority(2),
        Column::count("positions", "positions").priority(2),
        Column::decimal("cosine", "cosine", 3),
        Column::decimal("cosine_sd", "sd", 3).attached().priority(2).because("of one example there is none"),
        Column::decimal("mse", "MSE", 4),
        Column::decimal("latent_norm", "|h|", 2).priority(2),
        Column::decimal("target_norm", "|v|", 2).priority(2),
        Column::decimal("norm_ratio", "|h| / |v|", 2).priority(2),
    ];
    let mut table = Table::new("alignment", columns);
    for audit in &part.audits {
        for f in &audit.findings.alignment {
            let mode = dashed(f.mode);
            table.push(row(study, part, audit).at(&mode).at(f.stage).because(f.reason.as_deref()).cells([
                Cell::words(mode, Tone::Plain),
                Cell::words(f.stage.to_string(), Tone::Plain),
                Cell::count(f.examples),
                Cell::count(f.positions),
                Cell::number(f.cosine).strong(),
                Cell::number(f.cosine_sd),
                Cell::number(f.mse),
                Cell::number(f.latent_norm),
                Cell::number(f.target_norm),
                Cell::number(f.norm_ratio),
            ]));
        }
    }
    table.captioned(
        "Alignment of latents *h* with teacher targets *v*: mean over examples of each example\u{2019}s mean over positions; sd over examples. \
         Teacher-forced positions were fed the targets; free-running ones the model\u{2019}s own latents.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_correlation_that_two_digits_would_round_to_one_has_three() {
        let digits = |values: &[f64]| correlation("r", "r", values.iter().map(|v| Some(*v))).form;
        assert_eq!(digits(&[0.5, -0.94]), Form::Number { unit: Unit::Plain, digits: 2, signed: true });
        assert_eq!(digits(&[0.5, -0.996]), Form::Number { unit: Unit::Plain, digits: 3, signed: true });
        assert_eq!(digits(&[1.0]), Form::Number { unit: Unit::Plain, digits: 2, signed: true });
    }
}
