//! The latent block step by step: where each latent looks, and what it would say.

use std::fmt::Write;

use prism_run::records::{AttentionRow, LatentRow, MapRow};
use prism_run::{Mode, NotedAt, Outcome, RegionBox};

use super::heat::{self, Ink};
use super::{Example, Links, boxes};
use prism_report::html::escape;
use prism_report::number;

/// Steps drawn on a page, maps of a step, and layers of its lens: far above any run's, for records may come from anybody.
pub const MOST_STEPS: usize = 512;
const MOST_MAPS: usize = 32;
const MOST_LAYERS: usize = 256;

/// What stands there instead of the maps when none can be drawn.
const NO_MAPS: &str = "The records hold no maps of this example (records/maps.parquet).";

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

/// The section's content.
pub fn html(example: &Example, links: &Links<'_>) -> String {
    let steps: Vec<&LatentRow> = example.steps().collect();
    if steps.is_empty() {
        let why = match example.clean().map(|a| a.outcome) {
            Some(Outcome::NoLatents) => "The latent block never opened on this example: there are no steps.".to_string(),
            Some(Outcome::Error) => "The example could not be run: there are no steps.".to_string(),
            _ => example
                .absent
                .iter()
                .find(|a| a.contains("steps"))
                .map_or_else(|| "The records hold no latent steps of the clean run.".to_string(), |a| super::cut(a, 400).0.to_string()),
        };
        return format!("<p class=\"absent\">{}</p>", escape(&why));
    }
    let scales = Scales::of(&example.maps);
    let mut out = String::new();
    if example.maps.is_empty() {
        let _ = write!(out, "<p class=\"absent\">{NO_MAPS}</p>");
    } else {
        let _ = write!(out, "<p>{}</p>", legend(&scales));
    }
    out.push_str("<ol class=\"steps\">");
    for step in steps.iter().take(MOST_STEPS) {
        out.push_str(&card(example, links, step, &scales));
    }
    if steps.len() > MOST_STEPS {
        let _ = write!(out, "<li class=\"rest\">{} more steps are in the records.</li>", steps.len() - MOST_STEPS);
    }
    out.push_str(&answer_card(example, links, &scales));
    out.push_str("</ol>");
    out
}

fn legend(scales: &Scales) -> String {
    let mut out = String::from("Every map lies over the image in grey, one cell an image token. ");
    if let Some((low, high)) = scales.cosine {
        let _ = write!(
            out,
            "<span class=\"ink cosine\"></span> cosine of the latent with the image token, clear at {} to full at {}; the square marks the nearest. ",
            number::decimal(Some(low), 3),
            number::decimal(Some(high), 3)
        );
    }
    if let Some((_, high)) = scales.attention {
        let _ = write!(
            out,
            "<span class=\"ink attention\"></span> the forward’s attention on it (mean over heads and layers), clear at 0 to full at {} %. ",
            number::percent(Some(high))
        );
    }
    out.push_str("The scales are the same for all steps of this example.");
    out
}

fn card(example: &Example, links: &Links<'_>, step: &LatentRow, scales: &Scales) -> String {
    let stage = step.stage;
    let mut out =
        format!("<li id=\"step-{stage}-{n}\" class=\"step\"><h3><span class=\"chip {stage}\">{stage} {n}</span></h3>", n = step.step);
    let maps: Vec<&MapRow> =
        example.maps.iter().filter(|m| m.place == NotedAt::from(stage) && m.step == Some(step.step)).take(MOST_MAPS).collect();
    out.push_str(&maps_html(example, links, &maps, scales, &format!("{} step {}", step.stage, step.step)));
    out.push_str("<dl>");
    let mut line = |name: &str, value: String| {
        let _ = write!(out, "<dt>{name}</dt><dd>{value}</dd>");
    };
    line("norm", number::decimal(Some(step.norm), 2));
    line("nearest token", nearest(example, &maps));
    line("would say", said(step));
    let within: Vec<String> = example
        .lens
        .iter()
        .filter(|l| l.stage == step.stage && l.step == step.step)
        .take(MOST_LAYERS)
        .map(|l| format!("<span title=\"input of layer {}, probability {:.3}\">{}</span>", l.layer, l.probability, word(&l.token)))
        .collect();
    if !within.is_empty() {
        line("by layer", within.join(" "));
    }
    if step.previous_cosine.is_some() || step.end_cosine.is_some() {
        line(
            "cosine",
            format!(
                "{} to the step before, {} to the end token",
                number::decimal(step.previous_cosine, 3),
                number::decimal(step.end_cosine, 3)
            ),
        );
    }
    let aligned =
        |mode: Mode| example.alignment.iter().find(|a| a.mode == mode && a.stage == step.stage && a.step == step.step).map(|a| a.cosine);
    if let Some(cosine) = aligned(Mode::FreeRunning) {
        line(
            "to its target",
            format!("{} as decoded, {} teacher-forced", number::decimal(Some(cosine), 3), number::decimal(aligned(Mode::TeacherForced), 3)),
        );
    }
    if let Some(shares) = attention(&example.attention, stage.into(), Some(step.step)) {
        line("attention", shares);
    }
    out.push_str("</dl></li>");
    out
}

/// The forward that produces the answer, when its map was kept.
fn answer_card(example: &Example, links: &Links<'_>, scales: &Scales) -> String {
    let maps: Vec<&MapRow> = example.maps.iter().filter(|m| m.place == NotedAt::Answer).take(MOST_MAPS).collect();
    let shares = attention(&example.attention, NotedAt::Answer, None);
    if maps.is_empty() && shares.is_none() {
        return String::new();
    }
    let mut out = String::from("<li id=\"step-answer\" class=\"step\"><h3><span class=\"chip answer\">answer</span></h3>");
    out.push_str(&maps_html(example, links, &maps, scales, "the answer"));
    let _ = write!(
        out,
        "<dl><dt>what</dt><dd>the forward that produces the answer token; nothing is fed back there</dd><dt>attention</dt><dd>{}</dd></dl></li>",
        shares.unwrap_or_else(|| "not recorded".into())
    );
    out
}

fn maps_html(example: &Example, links: &Links<'_>, maps: &[&MapRow], scales: &Scales, what: &str) -> String {
    let mut out = String::from("<div class=\"maps\">");
    for map in maps {
        if let (Some(values), Some(scale)) = (&map.cosine, scales.cosine) {
            out.push_str(&laid(example, links, map, values, scale, Ink::Cosine, what));
        }
        if let (Some(values), Some(scale)) = (&map.attention, scales.attention) {
            out.push_str(&laid(example, links, map, values, scale, Ink::Attention, what));
        }
    }
    out.push_str("</div>");
    out
}

/// One map over its image, with the boxes and the highest cell.
fn laid(example: &Example, links: &Links<'_>, map: &MapRow, values: &[f64], scale: (f64, f64), ink: Ink, what: &str) -> String {
    let Some(address) = heat::picture(values, map.height, map.width, scale, ink) else {
        return "<p class=\"absent\">A map that cannot be drawn: its values do not fill its grid, or do not vary.</p>".into();
    };
    let quantity = if ink == Ink::Cosine { "Cosine with" } else { "Attention on" };
    let top = heat::highest(values);
    let at = top.map_or_else(String::new, |i| {
        format!("; highest at row {}, column {}: {}", i / map.width + 1, i % map.width + 1, number::decimal(values.get(i).copied(), 3))
    });
    let alt = escape(&format!("{quantity} the {} by {} image tokens at {what}{at}", map.height, map.width));
    let mut out = String::from("<div class=\"frame map\">");
    // The path of the first image alone is in the records; the others' maps stand by themselves.
    let base = (map.image == 0).then(|| example.size.as_ref().ok().copied()).flatten();
    match base {
        Some((width, height)) => {
            let _ = write!(
                out,
                "<img class=\"base\" src=\"{}\" width=\"{width}\" height=\"{height}\" alt=\"\" loading=\"lazy\">",
                links.image(example.example.row)
            );
        }
        None => {
            let _ = write!(out, "<svg class=\"blank\" viewBox=\"0 0 {} {}\" aria-hidden=\"true\"></svg>", map.width, map.height);
        }
    }
    let _ = write!(out, "<img class=\"heat\" src=\"{address}\" alt=\"{alt}\" title=\"{alt}\">");
    if map.image == 0 {
        out.push_str(&boxes::drawn(&boxes::of(example), None));
    }
    if let Some(i) = top.filter(|_| ink == Ink::Cosine) {
        let _ = write!(
            out,
            "<svg viewBox=\"0 0 {w} {h}\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"under\" x=\"{x}\" y=\"{y}\" width=\"1\" height=\"1\"/><rect class=\"over nearest\" x=\"{x}\" y=\"{y}\" width=\"1\" height=\"1\"/></svg>",
            w = map.width,
            h = map.height,
            x = i % map.width,
            y = i / map.width
        );
    }
    if map.image > 0 {
        let _ = write!(out, "<small>image {}</small>", map.image + 1);
    }
    out.push_str("</div>");
    out
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
    format!("{image}row {}, column {}{place}: {}", row + 1, column + 1, number::decimal(Some(cosine), 3))
}

/// Whether a cell of the map shares area with the box.
fn overlaps(RegionBox([x0, y0, x1, y1]): RegionBox, row: usize, column: usize, map: &MapRow) -> bool {
    let (w, h) = (map.width as f64, map.height as f64);
    x0 * w < column as f64 + 1.0 && x1 * w > column as f64 && y0 * h < row as f64 + 1.0 && y1 * h > row as f64
}

/// The logit lens of the step after the last layer.
fn said(step: &LatentRow) -> String {
    match (&step.lens_token, step.lens_probability) {
        (Some(token), p) => format!(
            "{} ({}), gold letter {}, entropy {} nats",
            word(token),
            number::decimal(p, 3),
            number::decimal(step.lens_gold, 3),
            number::decimal(step.lens_entropy, 2)
        ),
        (None, _) => "not recorded".into(),
    }
}

fn word(token: &str) -> String {
    format!("<code>{}</code>", super::cut_html(&token.replace('\n', "↵"), 40))
}

/// Where a forward looks, mean over layers, in percent.
fn attention(rows: &[AttentionRow], place: NotedAt, step: Option<usize>) -> Option<String> {
    let rows: Vec<&AttentionRow> = rows.iter().filter(|a| a.place == place && a.step == step).collect();
    let mean = |of: &dyn Fn(&AttentionRow) -> Option<f64>| {
        let values: Vec<f64> = rows.iter().filter_map(|r| of(r)).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    // An exact nothing may be stored as -0.
    let share = |of: &dyn Fn(&AttentionRow) -> Option<f64>| number::percent(mean(of).map(|v| if v.abs() < 5e-5 { 0.0 } else { v }));
    if rows.is_empty() {
        return None;
    }
    let region = if rows.iter().any(|r| r.region.is_some()) { format!(" (boxes {} %)", share(&|r| r.region)) } else { String::new() };
    Some(format!(
        "image {} %{region}, text {} %, latents before {} %, other generated {} %",
        share(&|r| Some(r.image)),
        share(&|r| Some(r.text)),
        share(&|r| Some(r.latents)),
        share(&|r| Some(r.generated))
    ))
}
