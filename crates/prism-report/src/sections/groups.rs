//! What the recipe asks of groups of arms: does a high cosine go with a low accuracy inside the group?

use prism_audit::findings::{BudgetFinding, ContrastFinding, GroupFinding};

use super::{Builder, styles};
use crate::charts::Run;
use crate::charts::cosine_accuracy::{self, Axes, Point};
use crate::document::table::KEY;
use crate::document::{Cell, Column, Figure, Form, Prose, Row, RunName, Section, Table, Tone, Value};
use crate::study::{Part, Study};

const HEADING: &str = "Cosine and accuracy, group by group";
/// Why there is no K in a row.
const DECLARED: &str = "at the K declared for the study";

/// The section.
pub fn section(study: &Study, part: &Part, builder: &mut Builder) -> Option<Section> {
    let Some((_, findings)) = study.comparison.as_ref().filter(|(_, f)| study.parts.len() == 1 && !f.groups.is_empty()) else {
        return builder.absent(HEADING, "the recipe names no groups of arms; see `question.groups`");
    };
    let arms = arms(study, &findings.budgets, &findings.groups);
    let groups = correlations(&findings.groups);
    let contrasts = contrasts(study, &findings.contrasts);
    let figure = figure(study, part, &findings.groups, &groups, &arms);
    let section = Section::new("groups", HEADING).with(figure).with(groups);
    let section = if arms.is_empty() { section } else { section.with(arms) };
    Some(if contrasts.is_empty() { section } else { section.with(contrasts) })
}

/// A panel a group, with the arms of the group as its marks.
fn figure(study: &Study, part: &Part, found: &[GroupFinding], groups: &Table, arms: &Table) -> Figure {
    let declared = || found.iter().zip(groups.rows()).filter(|(group, _)| group.k.is_none() && group.x == "cosine");
    let marks = |group: &GroupFinding| -> Vec<Point<'_>> {
        let all = arms.estimates("accuracy", Some("accuracy_interval"));
        all.filter_map(|e| {
            let variant = e.row.variant.as_ref()?;
            let (name, cosine) = (e.run()?, arms.number(e.row, "cosine")?);
            let run = Run { style: name.style.as_ref()?, label: name.label.clone() };
            let point = Point { run, cosine, accuracy: e.value, low: e.low, high: e.high, cell: Some(e.name) };
            group.arms.contains(variant).then_some(point)
        })
        .collect()
    };
    // One pair of axes for all groups: a cloud that only looks steep because its axis is short must look short.
    let all: Vec<Point<'_>> = declared().flat_map(|(group, _)| marks(group)).collect();
    let axes = Axes::around(&all);
    let caption = "Clean accuracy against the {cosine} of {latent} and teacher target ({teacher-forced}, the published measure), at the length each \
        arm was trained with. One mark per arm and training seed; bars are 95 % intervals over questions. *r*: mean over seeds of the \
        correlation over the arms of one seed, with Student\u{2019}s 95 % interval over seeds. All panels have the same axes.";
    let mut figure = Figure::new("groups", caption).variants(&styles(study, part)).of("arms");
    for (group, row) in declared() {
        let title = Prose::plain(group.group.clone()).and(": r ").number(groups, "r", &row.key);
        let title = title.and(" ").number(groups, "r_interval", &row.key);
        figure = figure.panel(title, axes.and_then(|axes| cosine_accuracy::spec_on(&marks(group), "cosine, teacher-forced", axes)));
    }
    figure
}

/// The arms of all groups at the declared K, a row for every training seed.
fn arms(study: &Study, found: &[BudgetFinding], groups: &[GroupFinding]) -> Table {
    let accuracy = Column::percent("accuracy", "accuracy, %");
    let interval = accuracy.interval("accuracy_interval", "95 %");
    let columns = vec![
        Column::run(),
        Column::count("n", "n").priority(2),
        Column::decimal("cosine", "cosine, teacher-forced", 3).because("not measured"),
        accuracy,
        interval,
    ];
    let mut table = Table::new("arms", columns);
    for f in found.iter().filter(|f| f.k.is_none() && groups.iter().any(|group| group.arms.contains(&f.variant))) {
        let label = f.seed.map_or_else(|| f.name.clone(), |seed| format!("{} \u{b7} {seed}", f.name));
        let style = study.variants.iter().find(|v| v.id == f.variant).cloned();
        table.push(Row::of_run(RunName { style, label, note: None }, &f.variant, f.seed).cells([
            Cell::count(f.examples),
            Cell::number(f.cosine),
            Cell::number(f.accuracy).strong(),
            Cell::interval(f.accuracy_low, f.accuracy_high),
        ]));
    }
    table.captioned("The arms of the groups at the K declared for the study, with Wilson\u{2019}s 95 % interval of the clean accuracy.")
}

/// A row for every group, K and cosine, in the order of the findings.
fn correlations(groups: &[GroupFinding]) -> Table {
    let r = Column::correlation("r", "*r*");
    let interval = r.interval("r_interval", "95 %");
    let columns = vec![
        Column::words("group", "group").priority(KEY),
        Column::text("arms", "arms").priority(3),
        Column::count("k", "K").priority(KEY).because(DECLARED),
        Column::words("cosine", "cosine").priority(KEY),
        Column::count("seeds", "seeds").priority(2),
        r,
        interval,
        Column::correlation("least", "smallest").priority(2),
        Column::correlation("greatest", "largest").attached().priority(2),
        Column::words("below_zero", "below 0"),
    ];
    let mut table = Table::new("groups", columns);
    for g in groups {
        let x = if g.x == "cosine" { "teacher-forced" } else { "free-running" };
        let below = match g.below_zero {
            Some(true) => Cell::words("yes", Tone::Changes),
            Some(false) => Cell::words("not shown", Tone::Undecided),
            None => Cell::absent(""),
        };
        table.push(Row::new(&g.group).at(at(g.k)).at(x).because(g.reason.as_deref()).cells([
            Cell::text(g.group.clone()),
            Cell::text(g.arms.join(", ")),
            Cell::count(g.k).or(DECLARED),
            Cell::words(x, Tone::Plain),
            Cell::count(g.seeds),
            Cell::number(g.r).strong(),
            Cell::interval(g.low, g.high),
            Cell::number(g.least),
            Cell::number(g.greatest),
            below,
        ]));
    }
    table.captioned(
        "Correlation of cosine and clean accuracy over the arms of a group; the training seed is the unit. Smallest and largest: of a seed. \
         Below 0: whether the interval is.",
    )
}

/// One arm against another, paired by training seed.
fn contrasts(study: &Study, found: &[ContrastFinding]) -> Table {
    let delta = Column::points("delta", "change");
    let interval = delta.interval("delta_interval", "95 %");
    let columns = vec![
        Column::new("arm", "arm", Form::Run).priority(KEY),
        Column::words("against", "against").priority(KEY),
        Column::count("k", "K").priority(KEY).because(DECLARED),
        Column::count("seeds", "seeds").priority(2),
        delta,
        interval,
        Column::p("p", "*p*"),
    ];
    let named = |id: &str| study.variants.iter().find(|v| v.id == id);
    let name = |id: &str| named(id).map_or_else(|| id.to_string(), |v| v.name.clone());
    let mut table = Table::new("contrasts", columns);
    for c in found {
        let arm = Value::Run(RunName { style: named(&c.arm).cloned(), label: name(&c.arm), note: None });
        let row = Row { variant: Some(c.arm.clone()), ..Row::new(&c.arm).at(&c.against).at(at(c.k)) };
        table.push(row.because(c.reason.as_deref()).cell(arm).cells([
            Cell::text(name(&c.against)),
            Cell::count(c.k).or(DECLARED),
            Cell::count(c.seeds),
            Cell::number(c.delta).strong(),
            Cell::interval(c.low, c.high),
            Cell::number(c.p),
        ]));
    }
    table.captioned(
        "Clean accuracy of one arm minus another\u{2019}s, in points, paired by training seed, with Student\u{2019}s 95 % interval over seeds.",
    )
}

/// A K as a key has it.
fn at(k: Option<usize>) -> String {
    k.map_or_else(|| "declared".to_string(), |k| format!("k={k}"))
}
