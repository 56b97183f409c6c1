//! The latent block step by step: where each latent looks, and what it would say.

use maud::{Markup, html};
use prism_run::records::{AttentionRow, LatentRow, MapRow};
use prism_run::{Mode, NotedAt, Outcome, RegionBox};

use super::heat::{self, Ink};
use super::{Cut, Example, Links, boxes};
use prism_report::document::form::Unit;
use prism_report::document::html::Safe;
use prism_report::document::{Cell, Column, Form, Row, Table};

/// Steps drawn on a page, maps of a step, and layers of its lens: far above any run's, for records may come from anybody.
pub const MOST_STEPS: usize = 512;
const MOST_MAPS: usize = 32;
const MOST_LAYERS: usize = 256;
/// Longest token shown, in characters.
const LONGEST_TOKEN: usize = 40;

/// Row of the forward that produces the answer, in the table of steps.
const ANSWER: &str = "answer";
/// What stands there instead of the maps when none can be drawn.
const NO_MAPS: &str = "The records hold no maps of this example (records/maps.parquet).";
/// How a cosine or a probability is written.
const SHARE: Form = Form::Number { unit: Unit::Plain, digits: 3, signed: false };
/// How an attention is written.
const PERCENT: Form = Form::Number { unit: Unit::Percent, digits: 1, signed: false };

fn written(form: Form, value: impl Into<Option<f64>>) -> String {
    form.write(&Cell::number(value).value)
}

/// The scales that all maps of the example share, so that they can be compared.
struct Scales {
    cosine: Option<(f64, f64)>,
    attention: Option<(f64, f64)>,
}

impl Scales {
    fn of(maps: &[MapRow]) -> Self {
        let attention = heat::range(maps.iter().filter_map(|m| m.attention.as_ref()).flatten());
        Self {
            cosine: heat::range(maps.iter().filter_map(|m| m.cosine.as_ref()).flatten()),
            attention: attention.map(|(_, high)| (0.0, high)),
        }
    }
}

/// The numbers of the clean run's steps and of the answer's forward, a row each.
pub fn table(example: &Example) -> Table {
    let of_attention = |name: &'static str, heading: &'static str| Column::percent(name, heading).group("attention, %");
    let mut table = Table::new(
        "steps",
        vec![
            Column::words("step", "step").priority(0),
            Column::decimal("norm", "norm", 2),
            Column::decimal("lens_probability", "probability of its likeliest token", 3),
            Column::decimal("lens_gold", "of the gold letter", 3),
            Column::decimal("lens_entropy", "entropy, nats", 2),
            Column::decimal("previous_cosine", "cosine to the step before", 3),
            Column::decimal("end_cosine", "cosine to the end token", 3),
            Column::decimal("cosine_free", "cosine to its target, as decoded", 3),
            Column::decimal("cosine_forced", "teacher-forced", 3),
            of_attention("image", "image"),
            of_attention("region", "boxes"),
            of_attention("text", "text"),
            of_attention("latents", "latents before"),
            of_attention("generated", "other generated"),
        ],
    );
    for step in example.steps().take(MOST_STEPS) {
        let aligned = |mode: Mode| {
            let of = example.alignment.iter().find(|a| a.mode == mode && a.stage == step.stage && a.step == step.step);
            Cell::number(of.map(|a| a.cosine))
        };
        let row = Row::new(key(step)).because(Some("not recorded")).cells([
            Cell::text(format!("{} {}", step.stage, step.step)),
            Cell::number(step.norm),
            Cell::number(step.lens_probability),
            Cell::number(step.lens_gold),
            Cell::number(step.lens_entropy),
            Cell::number(step.previous_cosine),
            Cell::number(step.end_cosine),
            aligned(Mode::FreeRunning),
            aligned(Mode::TeacherForced),
        ]);
        table.push(row.cells(attention(&example.attention, step.stage.into(), Some(step.step))));
    }
    let nothing = (0..8).map(|_| Cell::absent("nothing is fed back there"));
    let row = Row::new(ANSWER).because(Some("not recorded")).cell(Cell::text(ANSWER)).cells(nothing);
    table.push(row.cells(attention(&example.attention, NotedAt::Answer, None)));
    table
}

/// The key of a step's row.
fn key(step: &LatentRow) -> String {
    format!("{}/{}", step.stage, step.step)
}

/// The section's content.
pub fn html(example: &Example, links: &Links<'_>) -> Markup {
    let steps: Vec<&LatentRow> = example.steps().collect();
    if steps.is_empty() {
        let absent = || example.absent.iter().find(|a| a.contains("steps")).map(String::as_str);
        let why = match example.clean().map(|a| a.outcome) {
            Some(Outcome::NoLatents) => "The latent block never opened on this example: there are no steps.",
            Some(Outcome::Error) => "The example could not be run: there are no steps.",
            _ => absent().unwrap_or("The records hold no latent steps of the clean run."),
        };
        return html! { p.absent { (Cut(why, 400)) } };
    }
    let scales = Scales::of(&example.maps);
    let table = table(example);
    html! {
        @if example.maps.is_empty() { p.absent { (NO_MAPS) } } @else { p { (legend(example, &scales)) } }
        ol.steps {
            @for step in steps.iter().take(MOST_STEPS) { (card(example, links, step, &scales, &table)) }
            @if steps.len() > MOST_STEPS { li.rest { (steps.len() - MOST_STEPS) " more steps are in the records." } }
            (answer_card(example, links, &scales, &table))
        }
    }
}

fn legend(example: &Example, scales: &Scales) -> Markup {
    html! {
        "Every map lies over the image in grey, one cell an image token. "
        @if let Some((low, high)) = scales.cosine {
            span class="ink cosine" {} " cosine of the latent with the image token, clear at " (written(SHARE, low)) " to full at "
            (written(SHARE, high)) "; the square marks the nearest. "
        }
        @if let Some((_, high)) = scales.attention {
            span class="ink attention" {} " the forward’s attention on it (mean over heads and layers), clear at 0 to full at "
            (written(PERCENT, high)) " %. "
        }
        "The scales are the same for all steps of this example."
        @if example.example.images > 1 {
            " Of several images each has maps of its own. The records name the file of the first alone, so the maps of the others stand without \
             their image."
        }
    }
}

fn card(example: &Example, links: &Links<'_>, step: &LatentRow, scales: &Scales, table: &Table) -> Markup {
    let (stage, n, key) = (step.stage, step.step, key(step));
    let of_step = |m: &&MapRow| m.place == NotedAt::from(stage) && m.step == Some(n);
    let maps: Vec<&MapRow> = example.maps.iter().filter(of_step).take(MOST_MAPS).collect();
    let layers: Vec<_> = example.lens.iter().filter(|l| l.stage == stage && l.step == n).take(MOST_LAYERS).collect();
    let number = |column: &str| table.written(column, &key);
    let is = |column: &str| table.cell(column, &key).is_some_and(|(_, cell)| cell.reason().is_none());
    html! {
        li.step id={ "step-" (stage) "-" (n) } {
            h3 { span class={ "chip " (stage) } { (stage) " " (n) } }
            (over(example, links, &maps, scales, &format!("{stage} step {n}")))
            dl {
                dt { "norm" } dd { (number("norm")) }
                dt { "nearest token" } dd { (nearest(example, &maps)) }
                dt { "would say" }
                dd {
                    @match &step.lens_token {
                        Some(token) => {
                            (word(token)) " (" (number("lens_probability")) "), gold letter " (number("lens_gold")) ", entropy "
                            (number("lens_entropy")) " nats"
                        }
                        None => "not recorded",
                    }
                }
                @if !layers.is_empty() {
                    dt { "by layer" }
                    dd {
                        @for l in &layers {
                            span title={ "input of layer " (l.layer) ", probability " (written(SHARE, l.probability)) } { (word(&l.token)) } " "
                        }
                    }
                }
                @if is("previous_cosine") || is("end_cosine") {
                    dt { "cosine" }
                    dd { (number("previous_cosine")) " to the step before, " (number("end_cosine")) " to the end token" }
                }
                @if is("cosine_free") {
                    dt { "to its target" } dd { (number("cosine_free")) " as decoded, " (number("cosine_forced")) " teacher-forced" }
                }
                @if is("image") { dt { "attention" } dd { (looks(table, &key)) } }
            }
        }
    }
}

/// The forward that produces the answer, when its map was kept.
fn answer_card(example: &Example, links: &Links<'_>, scales: &Scales, table: &Table) -> Markup {
    let maps: Vec<&MapRow> = example.maps.iter().filter(|m| m.place == NotedAt::Answer).take(MOST_MAPS).collect();
    let known = table.cell("image", ANSWER).is_some_and(|(_, cell)| cell.reason().is_none());
    html! {
        @if known || !maps.is_empty() {
            li.step id="step-answer" {
                h3 { span class="chip answer" { "answer" } }
                (over(example, links, &maps, scales, "the answer"))
                dl {
                    dt { "what" } dd { "the forward that produces the answer token; nothing is fed back there" }
                    dt { "attention" } dd { @if known { (looks(table, ANSWER)) } @else { "not recorded" } }
                }
            }
        }
    }
}

/// Where a forward looks.
fn looks(table: &Table, key: &str) -> Markup {
    let number = |column: &str| table.written(column, key);
    let boxes = table.cell("region", key).is_some_and(|(_, cell)| cell.reason().is_none());
    html! {
        "image " (number("image")) " %" @if boxes { " (boxes " (number("region")) " %)" }
        ", text " (number("text")) " %, latents before " (number("latents")) " %, other generated " (number("generated")) " %"
    }
}

fn over(example: &Example, links: &Links<'_>, maps: &[&MapRow], scales: &Scales, what: &str) -> Markup {
    html! {
        div.maps {
            @for map in maps {
                @if let (Some(values), Some(scale)) = (&map.cosine, scales.cosine) {
                    (laid(example, links, map, values, scale, Ink::Cosine, what))
                }
                @if let (Some(values), Some(scale)) = (&map.attention, scales.attention) {
                    (laid(example, links, map, values, scale, Ink::Attention, what))
                }
            }
        }
    }
}

/// One map over its image, with the boxes and the highest cell.
fn laid(example: &Example, links: &Links<'_>, map: &MapRow, values: &[f64], scale: (f64, f64), ink: Ink, what: &str) -> Markup {
    let Some(address) = heat::picture(values, map.height, map.width, scale, ink) else {
        return html! { p.absent { "A map that cannot be drawn: its values do not fill its grid, or do not vary." } };
    };
    let quantity = if ink == Ink::Cosine { "Cosine with" } else { "Attention on" };
    let top = heat::highest(values);
    let at = top.map_or_else(String::new, |i| {
        format!("; highest at row {}, column {}: {}", i / map.width + 1, i % map.width + 1, written(SHARE, values.get(i).copied()))
    });
    let whose = if map.image > 0 { format!(" of image {}", map.image + 1) } else { String::new() };
    let alt = format!("{quantity} the {} by {} image tokens{whose} at {what}{at}", map.height, map.width);
    // The path of the first image alone is in the records; the others' maps stand by themselves.
    let base = (map.image == 0).then(|| example.size.as_ref().ok().copied()).flatten();
    html! {
        div class="frame map" {
            @match base {
                Some((width, height)) => {
                    img.base src=(Safe(&links.image(example.example.row))) width=(width) height=(height) alt="" loading="lazy";
                }
                None => svg.blank viewBox={ "0 0 " (map.width) " " (map.height) } aria-hidden="true" {},
            }
            img.heat src=(Safe(&address)) alt=(Safe(&alt)) title=(Safe(&alt));
            @if map.image == 0 { (boxes::drawn(&boxes::of(example), None)) }
            @if let Some(i) = top.filter(|_| ink == Ink::Cosine) { (square(map, i)) }
            @if map.image > 0 { small { "image " (map.image + 1) } }
        }
    }
}

/// A square around a cell of a map.
fn square(map: &MapRow, cell: usize) -> Markup {
    let (x, y) = (cell % map.width, cell / map.width);
    html! {
        svg viewBox={ "0 0 " (map.width) " " (map.height) } preserveAspectRatio="none" aria-hidden="true" {
            rect class="under" x=(x) y=(y) width="1" height="1" {}
            rect class="over nearest" x=(x) y=(y) width="1" height="1" {}
        }
    }
}

/// The image token nearest to the latent, and whether it lies in a box.
fn nearest(example: &Example, maps: &[&MapRow]) -> String {
    let best = maps
        .iter()
        .filter_map(|m| {
            let values = m.cosine.as_ref()?;
            let i = heat::highest(values)?;
            Some((*m, i, *values.get(i)?))
        })
        .fold(None, |best: Option<(&MapRow, usize, f64)>, next| if best.is_some_and(|b| b.2 >= next.2) { best } else { Some(next) });
    let Some((map, i, cosine)) = best.filter(|(m, _, _)| m.width > 0 && m.height > 0) else {
        return if maps.is_empty() { "not recorded" } else { "none: the latent has no length" }.into();
    };
    let (row, column) = (i / map.width, i % map.width);
    let boxes = boxes::of(example);
    let place = if map.image > 0 || boxes.is_empty() {
        ""
    } else if boxes.iter().any(|b| overlaps(*b, row, column, map)) {
        ", in the box"
    } else {
        ", outside the box"
    };
    let image = if maps.len() > 1 { format!("image {}, ", map.image + 1) } else { String::new() };
    format!("{image}row {}, column {}{place}: {}", row + 1, column + 1, written(SHARE, cosine))
}

/// Whether a cell of the map shares area with the box.
fn overlaps(RegionBox([x0, y0, x1, y1]): RegionBox, row: usize, column: usize, map: &MapRow) -> bool {
    let (w, h) = (map.width as f64, map.height as f64);
    x0 * w < column as f64 + 1.0 && x1 * w > column as f64 && y0 * h < row as f64 + 1.0 && y1 * h > row as f64
}

fn word(token: &str) -> Markup {
    html! { code { (Cut(&token.replace('\n', "↵"), LONGEST_TOKEN)) } }
}

/// Where a forward looks, mean over layers: the last five cells of its row.
fn attention(rows: &[AttentionRow], place: NotedAt, step: Option<usize>) -> [Cell; 5] {
    let rows: Vec<&AttentionRow> = rows.iter().filter(|a| a.place == place && a.step == step).collect();
    let mean = |of: fn(&AttentionRow) -> Option<f64>| {
        let values: Vec<f64> = rows.iter().filter_map(|r| of(r)).collect();
        Cell::number((!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64))
    };
    [mean(|r| Some(r.image)), mean(|r| r.region), mean(|r| Some(r.text)), mean(|r| Some(r.latents)), mean(|r| Some(r.generated))]
}
