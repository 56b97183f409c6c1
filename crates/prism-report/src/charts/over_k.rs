//! Accuracy over the number of latent steps K as SVG, made here as the forest plot beside it is ([`super::still`]).
//!
//! A line for each variant where the study was audited at several K, a mark where at one. What every accuracy is compared with
//! is drawn across: the model all variants started from, and guessing. The lengths of training are shaded: outside them
//! nothing was learnt. Names stand at the ends of the lines, so that no legend and no colour is needed.

use maud::{Markup, html};

use super::svg::{At, name, picture, rectangle, rule, text};
use super::theme::VariantStyle;
use crate::document::CellName;

/// One accuracy.
#[derive(Debug, Clone)]
pub struct Point {
    /// Latent steps.
    pub k: f64,
    /// In percent.
    pub accuracy: f64,
    /// The ends of its interval, in percent.
    pub bounds: Option<(f64, f64)>,
    /// Its cell.
    pub cell: Option<CellName>,
}

/// A variant's accuracies.
#[derive(Debug, Clone)]
pub struct Line {
    /// Its look, with its name.
    pub style: VariantStyle,
    /// In the order of K.
    pub points: Vec<Point>,
}

/// What accuracies are compared with, drawn across.
#[derive(Debug, Clone)]
pub struct Level {
    /// Its name.
    pub name: &'static str,
    /// In percent.
    pub value: f64,
    /// As its table writes it.
    pub written: String,
    /// Its cell.
    pub cell: CellName,
}

/// The lengths of training that are known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Trained {
    /// The 5th and the 95th percentile.
    Between(usize, usize),
    /// Nobody wrote them down.
    Unknown,
}

/// What is drawn.
#[derive(Debug, Clone)]
pub struct OverK {
    /// The variants.
    pub lines: Vec<Line>,
    /// What they are compared with.
    pub levels: Vec<Level>,
    /// The lengths they were trained with, each once.
    pub trained: Vec<Trained>,
}

/// A name at the end of a line.
struct Label {
    y: f64,
    class: String,
    text: String,
    cell: Option<CellName>,
}

/// Units between two names.
const APART: f64 = 14.0;

impl OverK {
    /// Whether there is nothing to draw.
    pub fn is_empty(&self) -> bool {
        self.points().next().is_none()
    }

    fn points(&self) -> impl Iterator<Item = &Point> {
        self.lines.iter().flat_map(|line| &line.points).filter(|p| p.k.is_finite() && p.accuracy.is_finite())
    }

    fn bands(&self) -> impl Iterator<Item = (f64, f64)> {
        self.trained.iter().filter_map(|t| if let Trained::Between(low, high) = t { Some((*low as f64, *high as f64)) } else { None })
    }

    /// The lowest and the highest K, and whether the axis doubles instead of counting.
    fn across(&self) -> (f64, f64, bool) {
        let all = self.points().map(|p| p.k).chain(self.bands().flat_map(|(low, high)| [low, high]));
        let (low, high) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), k| (low.min(k), high.max(k)));
        let (low, high) = (low.max(0.0), high.clamp(1.0, 1e6));
        (low.min(high), high, low >= 1.0 && high >= 8.0 * low)
    }

    /// The lowest and the highest accuracy of the axis, at full tens.
    fn up(&self) -> (f64, f64) {
        let all = self.points().flat_map(|p| [Some(p.accuracy), p.bounds.map(|b| b.0), p.bounds.map(|b| b.1)]).flatten();
        let all = all.chain(self.levels.iter().map(|level| level.value)).filter(|v| v.is_finite());
        let (low, high) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        let (low, high) = ((low / 10.0).floor().clamp(0.0, 9.0) * 10.0, (high / 10.0).ceil().clamp(1.0, 10.0) * 10.0);
        (low.min(high - 10.0), high)
    }

    /// The picture in a box of that width and height.
    pub fn picture(&self, width: f64, height: f64) -> Markup {
        let (left, right, top, bottom) = (26.0, width - 82.0, 26.0, height - 36.0);
        let (first, last, doubles) = self.across();
        let scaled = |k: f64| if doubles { k.max(1.0).ln() } else { k };
        // Half a step is free at both ends, so that no mark lies on an edge.
        let free = if doubles { 0.2 } else { 0.5 };
        let (from, to) = (scaled(first) - free, scaled(last) + free);
        // Marks at one K stand side by side, and need room for that.
        let inset = if self.stands_alone() { 24.0 } else { 0.0 };
        let at = |scaled: f64| left + inset + (right - left - 2.0 * inset) * (scaled - from) / (to - from);
        let x = |k: f64| at(scaled(k.clamp(first, last)));
        let edge = |k: f64, by: f64| at(scaled(k) + by).clamp(left, right);
        let (low, high) = self.up();
        let y = |v: f64| bottom - (bottom - top) * (v.clamp(low, high) - low) / (high - low);
        let mut out = vec![text((0.0, 13.0), "title", "start", "accuracy, %", None)];
        for (low, high) in self.bands() {
            let (a, b) = (edge(low, -free), edge(high, free));
            out.push(rectangle("band", (a, top, b - a, bottom - top)));
        }
        if let Some((low, high)) = self.bands().next() {
            let said = match self.bands().count() {
                1 if low < high => format!("trained {low:.0}\u{2013}{high:.0}"),
                1 => format!("trained {low:.0}"),
                _ => "trained".to_string(),
            };
            // Inside the picture, where the band is narrower than its name.
            let half = said.chars().count() as f64 * 3.2;
            let middle = ((edge(low, -free) + edge(high, free)) / 2.0).max(left + half).min(right - half);
            out.push(text((middle, top + 12.0), "note", "middle", &said, None));
        }
        let step = if high - low > 40.0 { 20.0 } else { 10.0 };
        let mut tick = low;
        while tick <= high {
            out.push(rule("grid", (left, y(tick)), (right, y(tick))));
            out.push(text((left - 5.0, y(tick) + 4.0), "tick", "end", &format!("{tick:.0}"), None));
            tick += step;
        }
        for k in self.ticks(&x) {
            out.push(rule("tick", (x(k), bottom), (x(k), bottom + 3.0)));
            out.push(text((x(k), bottom + 15.0), "tick", "middle", &format!("{k:.0}"), None));
        }
        out.push(text(((left + right) / 2.0, bottom + 31.0), "note", "middle", "steps K", None));
        if self.trained.contains(&Trained::Unknown) && self.bands().next().is_none() {
            out.push(text(((left + right) / 2.0, top + 12.0), "note", "middle", "trained lengths unknown", None));
        }
        let mut labels = Vec::new();
        for level in &self.levels {
            out.push(rule("level", (left, y(level.value)), (right, y(level.value))));
            let text = format!("{} {}", level.name, level.written);
            labels.push(Label { y: y(level.value), class: "level".into(), text, cell: Some(level.cell.clone()) });
        }
        for line in &self.lines {
            out.push(self.line(line, &x, &y));
            if let Some(end) = line.points.last() {
                let class = format!("name v{}", line.style.class);
                labels.push(Label { y: y(end.accuracy), class, text: line.style.name.clone(), cell: None });
            }
        }
        for label in apart(labels, top, bottom) {
            out.push(text((right + 7.0, label.y + 4.0), &label.class, "start", &label.text, label.cell.as_ref()));
        }
        picture("over-k", (width, height), &self.said(), &out)
    }

    /// Whether every variant was audited at one K.
    fn stands_alone(&self) -> bool {
        self.lines.iter().all(|line| line.points.len() == 1)
    }

    /// A variant's line with its marks and their intervals.
    fn line(&self, line: &Line, x: &impl Fn(f64) -> f64, y: &impl Fn(f64) -> f64) -> Markup {
        let path: Vec<String> = line.points.iter().map(|p| format!("{:.1},{:.1}", x(p.k), y(p.accuracy))).collect();
        // Marks at one K would hide each other: each variant's stands a little aside.
        let place = self.lines.iter().position(|other| other.style == line.style).unwrap_or_default() as f64;
        let middle = (self.lines.len() as f64 - 1.0) / 2.0;
        let aside = if self.stands_alone() { (place - middle) * 9.0_f64.min(40.0 / self.lines.len().max(1) as f64) } else { 0.0 };
        html! {
            g class={ "v" (line.style.class) } {
                @if path.len() > 1 { polyline points=(path.join(" ")) {} }
                @for point in &line.points {
                    @let at = (x(point.k) + aside, y(point.accuracy));
                    @if let Some((low, high)) = point.bounds { (rule("interval", (at.0, y(low)), (at.0, y(high)))) }
                    path transform={ "translate(" (At(at.0)) "," (At(at.1)) ") scale(.8)" } d=(line.style.path()) data-cell=[name(point.cell.as_ref())] {}
                }
            }
        }
    }

    /// The K that are named on the axis: those that occur, as far as their names have room.
    fn ticks(&self, x: &impl Fn(f64) -> f64) -> Vec<f64> {
        let mut all: Vec<f64> = self.points().map(|p| p.k).chain(self.bands().flat_map(|(low, high)| [low, high])).collect();
        all.sort_by(f64::total_cmp);
        all.dedup();
        let mut kept: Vec<f64> = Vec::new();
        for k in all {
            if kept.last().is_none_or(|last| x(k) - x(*last) >= 16.0) {
                kept.push(k);
            }
        }
        kept
    }

    /// The picture in words.
    fn said(&self) -> String {
        let one = |line: &Line| {
            let points = line.points.iter().map(|p| format!("{:.1} % at K = {:.0}", p.accuracy, p.k)).collect::<Vec<_>>();
            format!("{}: {}", line.style.name, points.join(", "))
        };
        let levels = self.levels.iter().map(|level| format!("{}: {} %", level.name, level.written));
        let trained = self.trained.iter().map(|trained| match trained {
            Trained::Between(low, high) => format!("trained with {low} to {high} steps"),
            Trained::Unknown => "trained lengths unknown".to_string(),
        });
        let all: Vec<String> = self.lines.iter().map(one).chain(levels).chain(trained).collect();
        format!("Clean accuracy over the number of latent steps. {}", all.join("; "))
    }
}

/// Names from top to bottom, none nearer to the next than [`APART`]. Where there are too many for the height, those of
/// variants go: the picture beside names them.
fn apart(mut labels: Vec<Label>, top: f64, bottom: f64) -> Vec<Label> {
    if labels.len() as f64 * APART > bottom - top + APART {
        labels.retain(|label| label.class == "level");
    }
    labels.sort_by(|a, b| a.y.total_cmp(&b.y));
    let mut least = top;
    for label in &mut labels {
        label.y = label.y.max(least);
        least = label.y + APART;
    }
    let mut most = bottom;
    for label in labels.iter_mut().rev() {
        label.y = label.y.min(most);
        most = label.y - APART;
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(ks: &[f64], names: &[&str]) -> OverK {
        let cell = CellName { table: "table-1".into(), column: "accuracy".into(), row: "base".into() };
        let line = |(place, name): (usize, &&str)| Line {
            style: VariantStyle::new(place, name, name),
            points: ks.iter().map(|k| Point { k: *k, accuracy: 70.0 + place as f64, bounds: Some((62.0, 78.0)), cell: None }).collect(),
        };
        OverK {
            lines: names.iter().enumerate().map(line).collect(),
            levels: vec![Level { name: "guess", value: 37.5, written: "37.5".into(), cell }],
            trained: vec![Trained::Between(1, 4)],
        }
    }

    fn heights(svg: &str, class: &str) -> Vec<f64> {
        let begins = format!("<text class=\"{class}");
        let all = svg.split(&begins).skip(1);
        all.map(|rest| rest.split(" y=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap()).collect()
    }

    #[test]
    fn names_at_one_height_are_set_apart_and_the_range_of_training_is_shaded() {
        let svg = over(&[1.0, 2.0, 4.0, 8.0], &["LVR", "N-LVR", "D-LVR"]).picture(270.0, 300.0).into_string();
        let mut names = heights(&svg, "name");
        names.sort_by(f64::total_cmp);
        assert!(names.windows(2).all(|pair| pair[1] - pair[0] >= APART - 0.2), "{names:?}");
        assert_eq!((svg.matches("<polyline").count(), svg.matches("class=\"band\"").count()), (3, 1));
        assert!(svg.contains(">guess 37.5</text>") && svg.contains(">trained 1\u{2013}4</text>") && svg.contains("70.0 % at K = 8"));
    }

    #[test]
    fn one_k_is_a_mark_a_variant_and_lengths_that_nobody_wrote_down_are_said_to_be_unknown() {
        let mut one = over(&[8.0], &["LVR", "</svg><script>"]);
        one.trained = vec![Trained::Unknown];
        let svg = one.picture(270.0, 300.0).into_string();
        assert_eq!((svg.matches("<path").count(), svg.matches("<polyline").count()), (2, 0));
        assert!(svg.contains("trained lengths unknown") && !svg.contains("<script") && !svg.contains("NaN") && !svg.contains("inf"));
    }

    #[test]
    fn names_that_have_no_room_are_left_to_the_picture_beside() {
        let names: Vec<String> = (0..30).map(|i| format!("v{i}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let svg = over(&[8.0], &names).picture(270.0, 200.0).into_string();
        assert_eq!((heights(&svg, "name").len(), heights(&svg, "level").len()), (0, 1));
    }

    #[test]
    fn nothing_to_draw_is_said() {
        assert!(over(&[], &["LVR"]).is_empty() && !over(&[1.0], &["LVR"]).is_empty());
    }
}
