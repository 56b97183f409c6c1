//! Necessity and sufficiency: the latents damaged or not, the image in view or not, in one
//! two-by-two (method, section 7).

use maud::{Markup, html};
use prism_audit::findings::VisibilityFinding;
use prism_run::{Action, Class, Intervention, View};

use super::{Builder, first_seed_note, first_seeds, row, styles, swatch};
use crate::charts::forest::{self, Look, Mark};
use crate::document::html::Safe;
use crate::document::table::{FILES, KEY};
use crate::document::{self, Block, Cell, CellName, Column, Figure, Form, Prose, Row, Section, Table, Tone, Value};
use crate::study::{Audit, Part, Study};

const HEADING: &str = "Necessary, sufficient, or neither";
/// Why a row of the clean run has no effect of damage.
const ALONE: &str = "the view alone: nothing is done to the latents";
/// Why an effect has no interval.
const SAME: &str = "the same in every question";

/// What the table's columns are.
const CAPTION: &str = "The image in view or not, the latents damaged or not. n counts the questions that ran in all four cells, which every \
    number of the row is over. Accuracy in percent; commonest letter: what a constant answer gets. Effects in points of accuracy, with \
    95 % intervals: necessity is what the damage costs with the image in view, sufficiency what it costs without. Interaction: \
    sufficiency − necessity, how far the image stands in for the latents. The view alone: what taking the image away costs. *p* by sign \
    flips, clusters flipped whole, not adjusted over this table.";

/// The section.
pub fn section(study: &Study, part: &Part, builder: &mut Builder) -> Option<Section> {
    if part.audits.iter().flat_map(|a| &a.findings.visibility).all(|f| is_alone(f.intervention)) {
        return builder.absent(
            HEADING,
            "no intervention was crossed with another view of the image; add `clean@image-hidden` and `zero@image-hidden` to the audit\u{2019}s interventions",
        );
    }
    let table = table(study, part);
    let figure = figure(study, part, &table);
    let section = Section::new("visibility", HEADING);
    let section = match squares(study, part, &table, &builder.prefix) {
        Some(squares) => section.with(Block::Own(squares)).with(
            Prose::said("Accuracy in percent in each of the four cells, over the questions that ran in all of them.")
                .and(first_seed_note(part)),
        ),
        None => section,
    };
    Some(section.with(figure).with(table.captioned(CAPTION)))
}

/// Whether nothing is done to the latents: the row is of the view alone.
fn is_alone(intervention: Intervention) -> bool {
    intervention.action == Action::Clean
}

fn columns() -> Vec<Column> {
    let accuracy = |name: &'static str, heading: &'static str| Column::percent(name, heading).group("accuracy, %").priority(2);
    let p = |name: &'static str| Column::p(name, "*p*").attached().priority(3);
    let margin = |name: &'static str, heading: &'static str| {
        Column::nats(name, heading).priority(FILES).because("no log-probability of the options was recorded")
    };
    let necessity = Column::points("necessity", "necessity");
    let necessity_interval = necessity.interval("necessity_interval", "95 %").because(SAME);
    let sufficiency = Column::points("sufficiency", "sufficiency");
    let sufficiency_interval = sufficiency.interval("sufficiency_interval", "95 %").because(SAME);
    let interaction = Column::points("interaction", "interaction").priority(2);
    let interaction_interval = interaction.interval("interaction_interval", "95 %").because(SAME);
    let image = Column::points("image_effect", "the view alone").priority(2);
    let image_interval = image.interval("image_effect_interval", "95 %").because(SAME);
    vec![
        Column::run(),
        Column::words("view", "image").priority(KEY),
        Column::new("intervention", "latents", Form::Intervention).priority(KEY),
        Column::count("examples", "n").priority(2),
        accuracy("open_clean", "in view, intact"),
        accuracy("open_damaged", "in view, damaged"),
        accuracy("view_clean", "out of view, intact"),
        accuracy("view_damaged", "out of view, damaged"),
        accuracy("majority", "commonest letter").priority(3),
        necessity,
        necessity_interval,
        p("necessity_p"),
        sufficiency,
        sufficiency_interval,
        p("sufficiency_p"),
        interaction,
        interaction_interval,
        p("interaction_p"),
        image,
        image_interval,
        p("image_effect_p"),
        margin("necessity_margin", "necessity, nats"),
        margin("sufficiency_margin", "sufficiency, nats"),
    ]
}

/// A row for every run, view and intervention, that of the view alone first.
pub fn table(study: &Study, part: &Part) -> Table {
    let mut table = Table::new("visibility", columns());
    for audit in &part.audits {
        for f in &audit.findings.visibility {
            table.push(row_of(study, part, audit, f));
        }
    }
    table
}

fn row_of(study: &Study, part: &Part, audit: &Audit, f: &VisibilityFinding) -> Row {
    let alone = is_alone(f.intervention);
    // Where no latent ran nothing was damaged: a zero would be no finding.
    let silent = audit.is_silent() && !alone;
    let damage = |v: Option<f64>| Cell::number(v.filter(|_| !silent && !alone));
    let bounds = |low: Option<f64>, high: Option<f64>| if silent || alone { Cell::absent("") } else { Cell::interval(low, high) };
    // A row that has numbers may have a reason, too: why the interaction has no interval.
    let missing = f.reason.as_deref().filter(|_| f.open_clean.is_none());
    let why = if silent { Some("no latents ran") } else { missing.or(alone.then_some(ALONE)) };
    let row = key(study, part, audit, f);
    let named = if alone { Cell::words("clean", Tone::Plain) } else { Cell::intervention(f.intervention) };
    row.because(why).cells([
        Cell::text(view(f.view)),
        named,
        Cell::count(f.examples),
        Cell::number(f.open_clean),
        Cell::number(f.open_damaged),
        Cell::number(f.view_clean),
        Cell::number(f.view_damaged),
        Cell::number(f.majority),
        damage(f.necessity).strong(),
        bounds(f.necessity_low, f.necessity_high),
        damage(f.necessity_p),
        damage(f.sufficiency).strong(),
        bounds(f.sufficiency_low, f.sufficiency_high),
        damage(f.sufficiency_p),
        damage(f.interaction).strong(),
        bounds(f.interaction_low, f.interaction_high).or(f.reason.as_deref().filter(|_| why.is_none()).unwrap_or_default()),
        damage(f.interaction_p),
        Cell::number(f.image_effect).strong(),
        Cell::interval(f.image_effect_low, f.image_effect_high),
        Cell::number(f.image_effect_p),
        damage(f.necessity_margin),
        damage(f.sufficiency_margin),
    ])
}

/// The start of a row. That of the view alone is of no intervention: the page does not hide it when it shows one of them.
fn key(study: &Study, part: &Part, audit: &Audit, f: &VisibilityFinding) -> Row {
    let row = row(study, part, audit).at(f.view);
    if is_alone(f.intervention) { row.at(f.intervention) } else { row.under(f.intervention) }
}

/// A view in words, e.g. `image hidden`.
fn view(view: View) -> String {
    view.name().replace('-', " ")
}

fn figure(study: &Study, part: &Part, table: &Table) -> Figure {
    let hidden = view(View::ImageHidden);
    let marks = |column: &'static str, interval: &'static str| -> Vec<Mark<'_>> {
        let of_damage = table.estimates(column, Some(interval)).filter_map(|e| {
            let intervention = e.row.intervention?;
            let seen = table.written("view", &e.row.key);
            Mark::of(&e, if seen == hidden { intervention.to_string() } else { format!("{intervention} ({seen})") })
        });
        of_damage.collect()
    };
    let look = |what, title| Look { what, title, scale: 100.0, digits: 1, band: part.margin(), reference: Some(0.0) };
    let necessity = look("Necessity of the latents", "accuracy lost in full view, points");
    let sufficiency = look("Sufficiency of the latents", "accuracy lost in that view, points");
    let mut caption = Prose::said(
        "By what is done to the latents. Left, necessity: what damage to the latents costs while the answer can look at the image. Right, \
         sufficiency: what the same damage costs when it cannot (the image is hidden, where no other view is named). If the answer rests on \
         the latents, the right is high; if nothing else holds the answer, the left is high too. The teacher\u{2019}s targets are no damage: \
         against them a model can only lose. One mark per run; bars are 95 % intervals of the paired difference.",
    );
    if part.margin().is_some() {
        caption = caption.and(" The band is the equivalence {margin}.");
    }
    Figure::new("visibility", caption)
        .panel("Necessity", forest::spec(&marks("necessity", "necessity_interval"), &necessity))
        .panel("Sufficiency", forest::spec(&marks("sufficiency", "sufficiency_interval"), &sufficiency))
        .variants(&styles(study, part))
        .of("visibility")
}

/// One two-by-two for each variant, of the pair of view and damage that most runs share: the first of each run.
fn squares(study: &Study, part: &Part, table: &Table, prefix: &str) -> Option<Markup> {
    let mut pair: Option<(View, Intervention)> = None;
    let mut all: Vec<Markup> = Vec::new();
    for audit in first_seeds(part) {
        // A square is of damage; what the teacher gives is none.
        let gives = |i: Intervention| is_alone(i) || i.class() == Class::Help;
        // Zero is the damage every study does; it stands here where it was crossed.
        let mut damages: Vec<&VisibilityFinding> = audit.findings.visibility.iter().filter(|f| !gives(f.intervention)).collect();
        damages.sort_by_key(|f| f.intervention.action != Action::Zero);
        let mut of = damages.into_iter();
        let found = match &pair {
            Some((view, intervention)) => of.find(|f| f.view == *view && f.intervention == *intervention),
            None => of.next(),
        };
        let Some(f) = found else { continue };
        pair.get_or_insert((f.view, f.intervention));
        all.push(square(study, audit, (table, prefix), f, &key(study, part, audit, f).key));
    }
    (!all.is_empty()).then(|| html! { div.squares { @for square in &all { (square) } } })
}

/// The four accuracies of a row of the table, the darker the higher.
fn square(study: &Study, audit: &Audit, (table, prefix): (&Table, &str), f: &VisibilityFinding, row: &str) -> Markup {
    let style = study.style(audit);
    let shade = |column: &str| match table.cell(column, row).map(|(_, cell)| &cell.value) {
        Some(Value::Number(share)) => (share * 60.0).clamp(0.0, 60.0),
        _ => 0.0,
    };
    let cell = |column: &str| {
        let name = CellName { table: table.name.into(), column: column.into(), row: row.into() };
        html! {
            td style={ "--shade:" (format!("{:.0}", shade(column))) "%" } title=(Safe(&name.to_string())) {
                (Safe(&table.written(column, row)))
            }
        }
    };
    let n = document::html::prose(&Prose::said("n = ").number(table, "examples", row), prefix);
    html! {
        table.square data-variant=(Safe(&style.id)) {
            caption { (swatch(style)) (Safe(&style.name)) " " small { (n) } }
            thead {
                tr {
                    td {}
                    th scope="col" { "latents" br; "as they are" }
                    th scope="col" { "latents" br; (f.intervention) }
                }
            }
            tbody {
                tr { th scope="row" { "image in view" } (cell("open_clean")) (cell("open_damaged")) }
                tr { th scope="row" { (Safe(&view(f.view))) } (cell("view_clean")) (cell("view_damaged")) }
            }
        }
    }
}
