//! Whose answer is given: do swapped-in latents bring their own answer along, and does a
//! change of the image that changes the answer arrive in the latents?

use prism_run::ArrivesAt;

use super::{Builder, row, styles};
use crate::charts::forest::{self, Look, Mark};
use crate::charts::lines;
use crate::document::table::KEY;
use crate::document::{Cell, Column, Figure, Prose, Section, Table, Tone};
use crate::study::{Part, Study};

const HEADING: &str = "Do answers follow the donor?";
const PARTNERS: &str = "Does a change that matters reach the latents?";

/// What the table of donors has in its columns.
const CAPTION: &str = "How often answers are the donor\u{2019}s gold letter. n counts the questions whose donor has another gold letter that \
    is among the question\u{2019}s own options, and whose answer could be read in both runs; left out: the others. Lift: swapped against \
    clean, in points, with *p* by sign flips, clusters flipped whole. Beyond damage: matches with the donor\u{2019}s letter above those with \
    donors exchanged among questions of the same gold letter and number of options, in points. Margin: change of the log-probability \
    margin of the donor\u{2019}s letter.";

/// The section on donors.
pub fn section(study: &Study, part: &Part, builder: &mut Builder) -> Option<Section> {
    if part.audits.iter().all(|a| a.findings.donors.is_empty()) {
        return builder
            .absent(HEADING, "no swap with a donor was run; add `swap` or `swap:counterfactual` to the audit\u{2019}s interventions");
    }
    let table = table(study, part);
    let figure = figure(study, part, &table);
    Some(Section::new("donors", HEADING).with(figure).with(table.captioned(CAPTION)))
}

fn columns() -> Vec<Column> {
    let rate = |name: &'static str, heading: &'static str, group: &'static str| Column::percent(name, heading).group(group).priority(2);
    let lift = Column::points("lift", "lift");
    let lift_interval = lift.interval("lift_interval", "95 %").because("the same in every question");
    let beyond = Column::points("transfer", "beyond damage").because("the donors of questions like these all have one letter");
    let beyond_interval = beyond.interval("transfer_interval", "95 %").because("the same in every question, or no donors to exchange");
    let margin = Column::nats("margin_lift", "margin, nats").priority(3).because("no log-probability of the options was recorded");
    let margin_interval = margin.interval("margin_interval", "95 %").because("the margin changes by the same in every question");
    vec![
        Column::run(),
        Column::intervention(),
        Column::count("examples", "n").priority(2),
        Column::count("left_out", "left out").priority(3),
        rate("donor_rate_clean", "clean", "donor\u{2019}s letter, %"),
        rate("donor_rate", "swapped", "donor\u{2019}s letter, %"),
        lift,
        lift_interval,
        Column::p("lift_p", "*p*").attached().priority(2),
        beyond,
        beyond_interval,
        Column::count("transfer_examples", "n beyond damage").priority(3),
        rate("gold_rate_clean", "clean", "own gold letter, %"),
        rate("gold_rate", "swapped", "own gold letter, %"),
        margin,
        margin_interval,
    ]
}

/// A row for every run and swap.
pub fn table(study: &Study, part: &Part) -> Table {
    let mut table = Table::new("donors", columns());
    for audit in &part.audits {
        let silent = audit.is_silent();
        for f in &audit.findings.donors {
            // Where no latent ran nothing was swapped: a zero would be no finding.
            let effect = |v: Option<f64>| v.filter(|_| !silent);
            let why = if silent { Some("no latents ran") } else { f.reason.as_deref() };
            table.push(row(study, part, audit).under(f.intervention).because(why).cells([
                Cell::intervention(f.intervention),
                Cell::count(f.examples),
                Cell::count(f.left_out),
                Cell::number(f.donor_rate_clean),
                Cell::number(f.donor_rate),
                Cell::number(effect(f.lift)).strong(),
                Cell::interval(effect(f.lift_low), effect(f.lift_high)),
                Cell::number(effect(f.lift_p)),
                Cell::number(effect(f.transfer)).strong(),
                Cell::interval(effect(f.transfer_low), effect(f.transfer_high)),
                Cell::count(f.transfer_examples),
                Cell::number(f.gold_rate_clean),
                Cell::number(f.gold_rate),
                Cell::number(effect(f.margin_lift)),
                Cell::interval(effect(f.margin_low), effect(f.margin_high)),
            ]));
        }
    }
    table
}

fn figure(study: &Study, part: &Part, table: &Table) -> Figure {
    let marks = |column: &'static str, interval: &'static str| -> Vec<Mark<'_>> {
        table.estimates(column, Some(interval)).filter_map(|e| Mark::of(&e, e.row.intervention?.to_string())).collect()
    };
    let lift = Look {
        what: "Donor-answer lift",
        title: "more answers with the donor\u{2019}s letter, points",
        scale: 100.0,
        digits: 1,
        band: None,
        reference: Some(0.0),
    };
    let beyond = Look { what: "Donor\u{2019}s letter beyond damage", title: "above donors exchanged, points", ..lift };
    let caption = Prose::said(
        "Left: how much more often the answer is the donor\u{2019}s gold letter once the donor\u{2019}s latents stand in the block, on questions \
         whose own gold letter is another. Damage that only makes a model guess raises this, too, by up to 50 points with two options and \
         25 with four. Right: matches with the donor\u{2019}s letter above what the same answers would match with donors exchanged among \
         questions of the same gold letter and number of options. Damage that does not know the donor leaves this at 0; latents that carry \
         the answer raise it. Bars are 95 % intervals of the paired difference.",
    );
    Figure::new("donors", caption)
        .panel("Donor-answer lift", forest::spec(&marks("lift", "lift_interval"), &lift))
        .panel("Beyond damage", forest::spec(&marks("transfer", "transfer_interval"), &beyond))
        .variants(&styles(study, part))
        .of("donors")
}

/// The section on counterfactual partners.
pub fn partners(study: &Study, part: &Part, builder: &mut Builder) -> Option<Section> {
    if part.audits.iter().all(|a| a.findings.counterfactual.is_empty()) {
        return builder.absent(PARTNERS, "the benchmark holds no pairs of counterfactual partners, or their vectors were not recorded");
    }
    let table = partners_table(study, part);
    let figure = partners_figure(study, part, &table);
    let caption = "Counterfactual partners by place, from the image to the answer. Change: mean squared distance of partners over that of \
                   strangers, with its 95 % interval over pairs.";
    Some(Section::new("counterfactual", PARTNERS).with(figure).with(table.captioned(caption)))
}

/// A place in words, e.g. `visual mean`.
fn words(place: ArrivesAt) -> String {
    place.name().replace('_', " ")
}

/// A row for every run, place and step, from the image to the answer.
pub fn partners_table(study: &Study, part: &Part) -> Table {
    const LETTERS: &str = "the answer is a letter and no vector";
    let cosine = |name: &'static str, heading: &'static str| {
        Column::decimal(name, heading, 3).group("cosine").priority(2).because("the answer is a letter, or a vector has no length")
    };
    let change = Column::decimal("change", "change", 2).because(LETTERS);
    let change_interval = change.interval("change_interval", "95 %").because("a letter, or the same in every pair");
    let of_answers = |name: &'static str, heading: &'static str| Column::percent(name, heading).priority(2).because("of the answer alone");
    let mut table = Table::new(
        "counterfactual",
        vec![
            Column::run(),
            Column::words("place", "place").priority(KEY),
            Column::count("step", "step").priority(KEY).because("not a step of the block"),
            Column::count("pairs", "pairs").priority(2),
            cosine("cosine", "of partners"),
            cosine("cosine_strangers", "of strangers"),
            change,
            change_interval,
            of_answers("answers_differ", "letters differ, %"),
            of_answers("both_right", "both right, %"),
        ],
    );
    for audit in &part.audits {
        for f in &audit.findings.counterfactual {
            let start = row(study, part, audit).at(f.place);
            let start = match f.step {
                Some(step) => start.at(step),
                None => start,
            };
            let why = f.reason.as_deref().unwrap_or_default();
            table.push(start.cells([
                Cell::words(words(f.place), Tone::Plain),
                Cell::count(f.step),
                Cell::count(f.pairs),
                Cell::number(f.cosine).or(why),
                Cell::number(f.cosine_strangers).or(why),
                Cell::number(f.change).strong().or(why),
                Cell::interval(f.change_low, f.change_high).or(why),
                Cell::number(f.answers_differ),
                Cell::number(f.both_right),
            ]));
        }
    }
    table
}

fn partners_figure(study: &Study, part: &Part, table: &Table) -> Figure {
    let changes = || table.estimates("change", Some("change_interval"));
    let place = |row: &str| table.written("place", row);
    let fixed = changes().filter(|e| table.count(e.row, "step").is_none());
    let fixed: Vec<Mark<'_>> = fixed.filter_map(|e| Mark::of(&e, place(&e.row.key))).collect();
    let along = lines::of_table(changes(), |e| Some((place(&e.row.key), table.count(e.row, "step")? as f64)));
    let forest = Look {
        what: "Counterfactual sensitivity",
        title: "distance of partners / of strangers",
        scale: 1.0,
        digits: 2,
        band: None,
        reference: Some(1.0),
    };
    let look = lines::Look {
        what: "Counterfactual sensitivity",
        x: "latent step",
        counts: true,
        y: "distance of partners / of strangers",
        scale: 1.0,
        digits: 2,
        band: None,
        reference: Some(1.0),
    };
    let caption = "An example and its counterfactual partner differ in the one attribute that changes the answer. Mean squared distance of \
                   partners over that of strangers: at 0 the change never arrived, at 1 partners differ as strangers do. Bars are 95 % \
                   intervals over pairs.";
    Figure::new("counterfactual", caption)
        .panel("From the image to the answer", forest::spec(&fixed, &forest))
        .panel("Along the block", lines::spec(&along, &look))
        .variants(&styles(study, part))
        .of("counterfactual")
}
