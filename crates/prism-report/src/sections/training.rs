//! Training curves, one line a run.

use super::Builder;
use crate::charts::Run;
use crate::charts::theme::VariantStyle;
use crate::charts::training::{self, Line};
use crate::curves::{self, Curves};
use crate::document::{Cell, Column, Figure, Prose, Row, RunName, Section, Table};
use crate::study::{Study, Training};

/// The section; nothing when no training run was given. Runs without a readable
/// log are named in `left_out`.
pub fn section(study: &Study, builder: &mut Builder, left_out: &mut Vec<String>) -> Option<Section> {
    let mut read: Vec<(&Training, Curves)> = Vec::new();
    for training in &study.trainings {
        match curves::read(&training.folder) {
            Ok(c) => {
                if c.damaged > 0 {
                    left_out.push(format!("{}: {} lines of the log could not be read", training.folder.display(), c.damaged));
                }
                read.push((training, c));
            }
            Err(e) => left_out.push(format!("training curves: {e}")),
        }
    }
    if read.is_empty() {
        return builder.absent("Training", "no training run, or none with a log, was given");
    }
    let table = table(study, &read);
    let figure = figure(study, &read, &table);
    Some(Section::new("training", "Training").with(figure).with(table))
}

/// The variants of the runs, each once.
fn styles<'a>(study: &'a Study, read: &[(&Training, Curves)]) -> Vec<&'a VariantStyle> {
    let mut styles: Vec<&VariantStyle> = Vec::new();
    for (training, _) in read {
        let style = &study.variants[training.variant];
        if !styles.iter().any(|s| s.id == style.id) {
            styles.push(style);
        }
    }
    styles
}

/// The name of a run: its variant, and its seed where a variant has several.
fn label(study: &Study, training: &Training, seeds: bool) -> String {
    let name = &study.variants[training.variant].name;
    match training.seed {
        Some(seed) if seeds => format!("{name} · {seed}"),
        _ => name.clone(),
    }
}

fn figure(study: &Study, read: &[(&Training, Curves)], table: &Table) -> Figure {
    let styles = styles(study, read);
    let seeds = styles.len() < read.len();
    let lines = |pick: fn(&Curves) -> &Vec<(f64, f64)>| -> Vec<Line<'_>> {
        let of = read.iter().filter(|(_, c)| !pick(c).is_empty());
        of.map(|(t, c)| Line { run: Run { style: &study.variants[t.variant], label: label(study, t, seeds) }, points: pick(c).clone() })
            .collect()
    };
    let longest = |column: &str| table.rows().iter().max_by_key(|row| table.count(row, column)).map_or("", |row| row.key.as_str());
    let caption = Prose::said("Training losses by step, one line a run, of up to ").number(table, "steps", longest("steps")).and(
        " logged steps; the latent loss is shown before its weight. With the release\u{2019}s reduction the latent loss of staged variants \
             is a sum over stages, regions and samples, so its height does not compare with that of the others.",
    );
    let thinned = read.iter().any(|(_, c)| c.averaged > 1);
    let caption = if thinned {
        caption.and(" Each drawn point is the mean of up to ").number(table, "averaged", longest("averaged")).and(" logged steps.")
    } else {
        caption
    };
    Figure::new("training", caption)
        .panel("Cross-entropy", training::spec(&lines(|c| &c.ce), "cross-entropy, nats"))
        .panel("Latent loss", training::spec(&lines(|c| &c.latent), "latent loss"))
        .variants(&styles)
        .of("training")
}

/// A row a run: where its curves begin and end.
fn table(study: &Study, read: &[(&Training, Curves)]) -> Table {
    let columns = vec![
        Column::run(),
        Column::count("steps", "logged steps"),
        Column::count("averaged", "steps a point").priority(3),
        Column::decimal("ce_first", "cross-entropy, nats: from", 3).because("not logged"),
        Column::decimal("ce_last", "to", 3).attached().because("not logged"),
        Column::decimal("latent_first", "latent loss: from", 4).because("not logged"),
        Column::decimal("latent_last", "to", 4).attached().because("not logged"),
    ];
    let seeds = styles(study, read).len() < read.len();
    let mut table = Table::new("training", columns);
    for (training, c) in read {
        let style = &study.variants[training.variant];
        let name = RunName { style: Some(style.clone()), label: label(study, training, seeds), note: None };
        let value = |point: Option<&(f64, f64)>| Cell::number(point.map(|point| point.1));
        table.push(Row::of_run(name, &style.id, training.seed.filter(|_| seeds)).cells([
            Cell::count(c.steps),
            Cell::count(c.averaged),
            value(c.ce.first()),
            value(c.ce.last()),
            value(c.latent.first()),
            value(c.latent.last()),
        ]));
    }
    table.captioned("Where each curve begins and ends: its first and its last drawn point.")
}
