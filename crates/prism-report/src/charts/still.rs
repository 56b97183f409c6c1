//! The forest plot by class as SVG, made here: it is painted with the page's first paint, stands where scripts are off, and
//! draws the cells of a table as the charts do.
//!
//! Small multiples: a panel for each variant, the same rows and one axis for all, so that no colour is needed to tell variants
//! apart. What decides (content, presence) is set in the accent; what explains is grey. On a narrow screen the variants stand
//! one below the other, with the rows of content alone.
//!
//! Above each panel stand its variant, the variant's two words (what its latents are, what its block is) and its clean accuracy,
//! so that the picture says by itself which variants the sentence over it speaks of, and what every change is measured against.

use maud::{Markup, html};
use prism_run::{Class, Intervention};

use super::svg::{At, name, picture, rectangle, rule, text};
use crate::document::form::exact;
use crate::document::{CellName, Estimate, Table, Tone};
use crate::interventions::{CLASSES, place, rank};
use crate::number::points;

/// Interventions of a class that explains, before they are folded to the one with the largest change.
const MOST_OF_CLASS: usize = 3;
/// Variants of which a narrow screen shows more than one row.
const MOST_NARROW: usize = 5;
/// Units that the rows of a narrow screen may take in all.
const NARROW_HEIGHT: f64 = 400.0;
/// Panels of one row of a wide picture.
const MOST_ACROSS: usize = 8;
/// Half as wide as a number of the axis is.
const EDGE: f64 = 14.0;
/// Units between two numbers of the axis, at least.
const TICKS_APART: f64 = 34.0;
/// Units that the rows of a wide picture share: few rows stand further apart.
const ROWS_HEIGHT: f64 = 390.0;

/// One change of accuracy.
#[derive(Debug, Clone)]
pub struct Mark {
    /// Place of its panel.
    pub panel: usize,
    /// Its intervention.
    pub intervention: Intervention,
    /// In points.
    pub value: f64,
    /// The ends of its interval, in points.
    pub bounds: Option<(f64, f64)>,
    /// Its cell.
    pub cell: CellName,
}

/// A variant's panel.
#[derive(Debug, Clone)]
pub struct Panel {
    /// Id of the variant.
    pub variant: String,
    /// What stands above it.
    pub title: String,
    /// What stands below that, e.g. the clean accuracy.
    pub note: String,
    /// Why nothing is drawn in it, where nothing is; where a word stands above the panel, the word says so.
    pub silent: Option<String>,
}

/// What a panel says of its variant, beside the name.
#[derive(Debug, Clone, Default)]
pub struct Head {
    /// The variant's word, or nothing.
    pub word: String,
    /// How the word is set apart.
    pub tone: Tone,
    /// Whether the block is needed, or nothing.
    pub need: String,
    /// The clean accuracy, as its table writes it.
    pub accuracy: String,
    /// The cell of the clean accuracy.
    pub cell: Option<CellName>,
}

/// What is drawn.
#[derive(Debug, Clone)]
pub struct Forest {
    /// The variants.
    pub panels: Vec<Panel>,
    /// What is said above each panel; where this is empty, its note stands there.
    pub heads: Vec<Head>,
    /// Their changes.
    pub marks: Vec<Mark>,
    /// Half the width of the band, in points.
    pub margin: Option<f64>,
}

/// A row of the picture: an intervention, and how many of its class it stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Line {
    intervention: Intervention,
    of: usize,
}

impl Forest {
    /// The changes of a table, by the variants of its rows. Those of part of the block or under another view are left out.
    pub fn of(table: &Table, column: &str, interval: &str, panels: Vec<Panel>, margin: Option<f64>) -> Self {
        let mark = |e: Estimate<'_>| {
            let intervention = e.row.intervention.filter(Intervention::is_whole)?;
            let panel = panels.iter().position(|panel| Some(panel.variant.as_str()) == e.row.variant.as_deref())?;
            let scaled = |v: f64| exact(v * 100.0);
            let bounds = e.low.zip(e.high).map(|(low, high)| (scaled(low), scaled(high)));
            Some(Mark { panel, intervention, value: scaled(e.value), bounds, cell: e.name })
        };
        let marks = table.estimates(column, Some(interval)).filter_map(mark).collect();
        Self { panels, heads: Vec::new(), marks, margin: margin.map(|m| exact(m * 100.0)) }
    }

    /// Whether there is nothing to draw.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// The interventions in the order of the rows; a class that explains and has many is folded to the one that changes most.
    fn lines(&self) -> Vec<Line> {
        let mut all: Vec<Intervention> = self.marks.iter().map(|m| m.intervention).collect();
        all.sort_by_key(|i| place(*i));
        all.dedup();
        let mut lines = Vec::new();
        for class in CLASSES {
            let of: Vec<Intervention> = all.iter().copied().filter(|i| i.class() == class).collect();
            if decides(class) || of.len() <= MOST_OF_CLASS {
                lines.extend(of.into_iter().map(|intervention| Line { intervention, of: 1 }));
                continue;
            }
            let largest = |i: &Intervention| self.marks.iter().filter(|m| m.intervention == *i).map(|m| m.value.abs()).fold(0.0, f64::max);
            let most = of.iter().copied().max_by(|a, b| largest(a).total_cmp(&largest(b)));
            lines.extend(most.map(|intervention| Line { intervention, of: of.len() }));
        }
        lines
    }

    /// The lowest and the highest number on the axis, at full tens, and the step of its ticks.
    fn axis(&self, lines: &[Line]) -> (f64, f64, f64) {
        let drawn = self.marks.iter().filter(|m| lines.iter().any(|line| line.intervention == m.intervention));
        let ends = drawn.flat_map(|m| [Some(m.value), m.bounds.map(|b| b.0), m.bounds.map(|b| b.1)]);
        let ends = ends.flatten().chain(self.margin.iter().flat_map(|m| [-m, *m])).chain([0.0]);
        let (low, high) = ends.fold((0.0, 0.0), |(low, high): (f64, f64), v| (low.min(v), high.max(v)));
        let step = if high - low > 60.0 { 30.0 } else { 10.0 };
        // Changes of accuracy lie within a hundred points; a file may say otherwise.
        ((low / 10.0).floor().max(-10.0) * 10.0, (high / 10.0).ceil().clamp(1.0, 10.0) * 10.0, step)
    }

    /// The picture for a wide screen, so many units wide.
    pub fn wide(&self, width: f64) -> Markup {
        let all: Vec<usize> = (0..self.panels.len()).collect();
        let mut lines = self.lines();
        if all.len() > MOST_ACROSS {
            // Two rows of panels have no room for what explains.
            lines.retain(|line| decides(line.intervention.class()));
        }
        let axis = self.axis(&lines);
        let mut out = Vec::new();
        let mut top = 0.0;
        for (place, across) in all.chunks(MOST_ACROSS).enumerate() {
            top = self.across(&mut out, across, &lines, axis, (width, top), place == 0) + 14.0;
        }
        picture("forest wide", (width, (top - 14.0).max(1.0)), &self.said(), &out)
    }

    /// Panels side by side with the names of their rows; returns where they end. `first`: with the title of the axis.
    fn across(
        &self,
        out: &mut Vec<Markup>,
        panels: &[usize],
        lines: &[Line],
        axis: (f64, f64, f64),
        (width, top): (f64, f64),
        first: bool,
    ) -> f64 {
        const LABELS: f64 = 168.0;
        const GAP: f64 = 16.0;
        let needs = self.needs_differ();
        let head = if self.heads.is_empty() { 40.0 } else { 60.0 + if needs { 14.0 } else { 0.0 } };
        let classes = CLASSES.iter().filter(|class| lines.iter().any(|line| line.intervention.class() == **class)).count() as f64;
        let row = ((ROWS_HEIGHT - 22.0 * classes) / lines.len().max(1) as f64).clamp(17.0, 28.0);
        let panel = ((width - LABELS - GAP * (panels.len().max(1) as f64 - 1.0)) / panels.len().max(1) as f64).max(40.0);
        if !self.heads.is_empty() {
            out.push(text((0.0, top + head - 13.0), "note", "start", "clean accuracy, %", None));
            if needs {
                out.push(text((0.0, top + 45.0), "note", "start", "block", None));
            }
        }
        let mut y = top + head;
        let mut last: Option<Class> = None;
        let mut rows: Vec<(Line, f64)> = Vec::new();
        for line in lines {
            let class = line.intervention.class();
            if last.replace(class) != Some(class) {
                y += 6.0;
                out.push(text((0.0, y + 9.0), "class", "start", class.name(), None));
                y += 16.0;
            }
            let of = if line.of > 1 { format!("{} ({})", line.intervention, line.of) } else { line.intervention.to_string() };
            out.push(text((10.0, y + row / 2.0 + 4.0), if decides(class) { "row" } else { "row explains" }, "start", &of, None));
            rows.push((*line, y + row / 2.0));
            y += row;
        }
        let bottom = y + 4.0;
        for (place, index) in panels.iter().enumerate() {
            let x = LABELS + (panel + GAP) * place as f64;
            self.head(out, *index, x + panel / 2.0, top);
            self.panel(out, *index, (x, top + head, panel, bottom - top - head), axis, &rows);
        }
        if first {
            out.push(text((0.0, bottom + 15.0), "note", "start", "change, points", None));
        }
        bottom + 22.0
    }

    /// Whether the second question has several answers. Where it has one, the sentence above the picture says it.
    fn needs_differ(&self) -> bool {
        let mut said = self.heads.iter().map(|head| head.need.as_str()).filter(|need| !need.is_empty());
        said.next().is_some_and(|first| said.any(|need| need != first))
    }

    /// Name, words and clean accuracy of a variant, about a middle.
    fn head(&self, out: &mut Vec<Markup>, index: usize, middle: f64, top: f64) {
        let Some(of) = self.panels.get(index) else { return };
        out.push(text((middle, top + 13.0), "title", "middle", &of.title, None));
        match self.heads.get(index) {
            None => out.push(text((middle, top + 28.0), "note", "middle", &of.note, None)),
            Some(head) => {
                out.push(text((middle, top + 29.0), &format!("word {}", head.tone.class()), "middle", &marked(head), None));
                let mut y = top + 47.0;
                if self.needs_differ() {
                    out.push(text((middle, top + 45.0), "word", "middle", &head.need, None));
                    y += 14.0;
                }
                out.push(text((middle, y), "accuracy", "middle", &head.accuracy, head.cell.as_ref()));
            }
        }
    }

    /// The picture for a narrow screen: variants one below the other, the rows of content alone. Where there is no room for
    /// all of them, those under which accuracy moves most.
    pub fn narrow(&self, width: f64) -> Markup {
        const LABELS: f64 = 150.0;
        const ROW: f64 = 15.0;
        const HEAD: f64 = 19.0;
        let content: Vec<Line> = self.lines().into_iter().filter(|line| line.intervention.class() == Class::Content).collect();
        let count = self.panels.len().max(1) as f64;
        let most = if self.panels.len() > MOST_NARROW { 1 } else { ((NARROW_HEIGHT / count - HEAD - 4.0) / ROW).clamp(1.0, 4.0) as usize };
        let shared = self.largest(&content, most, None);
        let mut out = Vec::new();
        let mut y = 0.0;
        let axis = self.axis(&content);
        // The axis stands below the last variant in which anything is drawn.
        let last = self.panels.iter().rposition(|panel| panel.silent.is_none());
        for (index, of) in self.panels.iter().enumerate() {
            let own = if self.panels.len() > MOST_NARROW { self.largest(&content, 1, Some(index)) } else { shared.clone() };
            out.push(text((0.0, y + 13.0), "title", "start", &of.title, None));
            let said = |head: &Head| {
                let need = if head.need.is_empty() || !self.needs_differ() { String::new() } else { format!(", block {}", head.need) };
                format!("{}{need} · clean {} %", marked(head), head.accuracy)
            };
            let note = self.heads.get(index).map_or_else(|| of.note.clone(), said);
            let cell = self.heads.get(index).and_then(|head| head.cell.as_ref());
            out.push(text((width, y + 13.0), "note", "end", note.trim_start_matches(" · "), cell));
            let top = y + HEAD;
            let rows: Vec<(Line, f64)> = own.iter().enumerate().map(|(i, line)| (*line, top + ROW * (i as f64 + 0.5))).collect();
            for (line, at) in &rows {
                out.push(text((4.0, at + 4.0), "row", "start", &line.intervention.to_string(), None));
            }
            let height = ROW * rows.len().max(1) as f64;
            self.panel(
                &mut out,
                index,
                (LABELS, top, width - LABELS, height),
                if last == Some(index) { axis } else { (axis.0, axis.1, f64::INFINITY) },
                &rows,
            );
            y = top + height + 4.0;
        }
        out.push(text((0.0, y + 10.0), "note", "start", "change, points", None));
        picture("forest narrow", (width, y + 16.0), &self.said(), &out)
    }

    /// Of these rows so many, in their order: those with the largest change, of one panel or of any.
    fn largest(&self, lines: &[Line], most: usize, of: Option<usize>) -> Vec<Line> {
        let is = |m: &&Mark, line: &Line| m.intervention == line.intervention && of.is_none_or(|panel| m.panel == panel);
        let moves = |line: &Line| self.marks.iter().filter(|m| is(m, line)).map(|m| m.value.abs()).fold(-1.0, f64::max);
        let mut places: Vec<usize> = (0..lines.len()).collect();
        places.sort_by(|a, b| moves(&lines[*b]).total_cmp(&moves(&lines[*a])));
        places.truncate(most);
        places.sort_unstable();
        places.into_iter().map(|place| lines[place]).collect()
    }

    /// Band, axis and marks of one panel in a box of left, top, width and height.
    fn panel(
        &self,
        out: &mut Vec<Markup>,
        index: usize,
        (left, top, width, height): (f64, f64, f64, f64),
        (low, high, step): (f64, f64, f64),
        rows: &[(Line, f64)],
    ) {
        let x = |value: f64| left + width * (value.clamp(low, high) - low) / (high - low);
        let silent = self.panels.get(index).and_then(|panel| panel.silent.as_deref());
        if let Some(why) = silent.filter(|_| self.heads.is_empty()) {
            out.push(text((left + width / 2.0, top + height / 2.0), "note", "middle", why, None));
        }
        if silent.is_some() {
            return;
        }
        if let Some(margin) = self.margin {
            out.push(rectangle("band", (x(-margin), top, x(margin) - x(-margin), height)));
        }
        out.push(rule("zero", (x(0.0), top), (x(0.0), top + height)));
        if step.is_finite() {
            // Numbers that would run into each other stand at every other tick, and so on.
            let mut step = step;
            while width * step / (high - low) < TICKS_APART && step < high - low {
                step *= 2.0;
            }
            let first = (low / step).ceil() as i64;
            let ticks: Vec<f64> = (first..).map(|i| i as f64 * step).take_while(|tick| *tick <= high).collect();
            let is_edge = |at: f64| at < left + EDGE || at > left + width - EDGE;
            let inner = ticks.iter().filter(|tick| !is_edge(x(**tick))).count();
            for tick in ticks {
                out.push(rule("tick", (x(tick), top + height), (x(tick), top + height + 3.0)));
                // Beyond the edge of a panel stands the number of the next, or nothing is seen: a number there is left out, or
                // stays inside where there would be too few.
                let anchor = match x(tick) {
                    at if !is_edge(at) => "middle",
                    _ if inner > 1 => continue,
                    at if at < left + EDGE => "start",
                    _ => "end",
                };
                let said = points(Some(tick / 100.0));
                out.push(text((x(tick), top + height + 14.0), "tick", anchor, said.trim_end_matches(".0"), None));
            }
        }
        for (line, y) in rows {
            let class = if decides(line.intervention.class()) { "mark decides" } else { "mark" };
            let here: Vec<&Mark> = self.marks.iter().filter(|m| m.panel == index && m.intervention == line.intervention).collect();
            // Several seeds stand close together, each with its interval.
            let apart = if here.len() > 1 { 12.0 / here.len() as f64 } else { 0.0 };
            let radius = if here.len() > 1 { 2.2 } else { 3.4 };
            for (i, mark) in here.iter().enumerate() {
                let y = y + apart * (i as f64 - (here.len() as f64 - 1.0) / 2.0);
                out.push(html! {
                    g class=(class) data-cell=[name(Some(&mark.cell))] {
                        @if let Some((from, to)) = mark.bounds {
                            (rule("interval", (x(from), y), (x(to), y)))
                            @if here.len() == 1 {
                                @for end in [from, to] { (rule("interval", (x(end), y - 3.0), (x(end), y + 3.0))) }
                            }
                        }
                        circle cx=(At(x(mark.value))) cy=(At(y)) r=(radius) {}
                    }
                });
            }
        }
    }

    /// The picture in words.
    fn said(&self) -> String {
        let one = |m: &Mark| {
            let of = self.panels.get(m.panel).map_or("", |panel| panel.title.as_str());
            format!("{of}, {}: {}", m.intervention, points(Some(m.value / 100.0)))
        };
        let decisive = self.marks.iter().filter(|m| decides(m.intervention.class()));
        format!("Change in accuracy by class, in points. {}", decisive.map(one).collect::<Vec<_>>().join("; "))
    }
}

/// A variant's word; a fault has a mark before it, so that it is seen without colour.
fn marked(head: &Head) -> String {
    if head.tone == Tone::Silent { format!("! {}", head.word) } else { head.word.clone() }
}

/// Whether a class answers one of the two questions.
fn decides(class: Class) -> bool {
    rank(class) <= rank(Class::Presence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::charts::theme::VariantStyle;
    use crate::document::{Cell, Column, Row, RunName};

    fn of(text: &str) -> Intervention {
        text.parse().unwrap()
    }

    fn forest(variants: &[&str], interventions: &[&str]) -> Forest {
        let delta = Column::points("delta", "change");
        let interval = delta.interval("delta_interval", "95 %");
        let mut table = Table::new("corruption", vec![Column::run(), delta, interval]);
        for variant in variants {
            for (i, name) in interventions.iter().enumerate() {
                let run = RunName { style: Some(VariantStyle::new(0, variant, variant)), label: (*variant).into(), note: None };
                let value = -0.02 * i as f64;
                let cells = [Cell::number(value), Cell::interval(Some(value - 0.03), Some(value + 0.03))];
                table.push(Row::of_run(run, variant, None).under(of(name)).cells(cells));
            }
        }
        let panel = |variant: &&str| Panel { variant: (*variant).into(), title: (*variant).into(), note: String::new(), silent: None };
        Forest::of(&table, "delta", "delta_interval", variants.iter().map(panel).collect(), Some(0.05))
    }

    const ALL: [&str; 8] = ["swap", "swap-kv:other-answer", "remove", "zero", "noise:0.1", "noise:0.3", "noise:1", "zero@image-hidden"];

    #[test]
    fn every_variant_has_a_panel_and_what_explains_is_folded_to_the_largest() {
        let forest = forest(&["lvr", "n-lvr"], &ALL);
        assert_eq!(forest.marks.len(), 14, "another view has a figure of its own");
        let lines: Vec<(String, usize)> = forest.lines().iter().map(|line| (line.intervention.to_string(), line.of)).collect();
        assert_eq!(lines, [("swap".into(), 1), ("swap-kv:other-answer".into(), 1), ("remove".into(), 1), ("noise:1".into(), 4)]);
        let wide = forest.wide(860.0).into_string();
        assert_eq!((wide.matches("<circle").count(), wide.matches("class=\"band\"").count()), (8, 2));
        assert!(wide.contains("noise:1 (4)") && wide.contains("data-cell=\"corruption.delta[lvr/remove]\""));
        let narrow = forest.narrow(358.0).into_string();
        assert_eq!((narrow.matches("<circle").count(), narrow.contains("remove")), (4, true));
    }

    #[test]
    fn marks_lie_where_the_axis_puts_them() {
        let forest = forest(&["lvr"], &["swap", "remove"]);
        let lines = forest.lines();
        let (low, high, _) = forest.axis(&lines);
        assert_eq!((low, high), (-10.0, 10.0));
        let wide = forest.wide(168.0 + 200.0).into_string();
        let at = |piece: &str| -> f64 {
            wide.split(piece).nth(1).unwrap().split("cx=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
        };
        assert_eq!(at("corruption.delta[lvr/swap]"), 168.0 + 100.0, "a change of zero lies in the middle");
        assert_eq!(at("corruption.delta[lvr/remove]"), 168.0 + 80.0, "two points to the left of it");
    }

    #[test]
    fn a_panel_says_its_word_and_what_its_changes_are_measured_against() {
        let mut forest = forest(&["lvr", "n-lvr"], &["swap", "remove"]);
        let cell = CellName { table: "table-1".into(), column: "accuracy".into(), row: "lvr".into() };
        let head = |word: &str, tone: Tone| Head {
            word: word.into(),
            tone,
            need: if tone == Tone::Silent { String::new() } else { "needed".into() },
            accuracy: "72.5".into(),
            cell: Some(cell.clone()),
        };
        forest.heads = vec![head("bypassed", Tone::Bypassed), head("no latents ran", Tone::Silent)];
        let wide = forest.wide(860.0).into_string();
        assert!(wide.contains(">bypassed</text>") && wide.contains(">! no latents ran</text>") && wide.contains("clean accuracy, %"));
        assert_eq!(wide.matches("data-cell=\"table-1.accuracy[lvr]\"").count(), 2);
        // The second word stands where it differs; else the sentence above says it.
        assert!(!wide.contains(">needed</text>") && forest.narrow(358.0).into_string().contains("bypassed · clean 72.5 %"));
        let silent = std::mem::replace(&mut forest.heads[1], head("undecided", Tone::Undecided));
        forest.heads[1].need = "indifferent".into();
        assert!(forest.wide(860.0).into_string().contains(">indifferent</text>"));
        assert!(forest.narrow(358.0).into_string().contains("bypassed, block needed · clean 72.5 %"));
        forest.heads[1] = silent;
        assert!(forest.narrow(358.0).into_string().contains("! no latents ran · clean 72.5 %"));
        forest.panels[1].silent = Some("no latents ran".into());
        assert_eq!(forest.wide(860.0).into_string().matches("class=\"band\"").count(), 1, "nothing is drawn where nothing ran");
    }

    #[test]
    fn more_variants_than_fit_side_by_side_stand_in_two_rows_with_what_decides() {
        let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
        let wide = forest(&names, &ALL).wide(860.0).into_string();
        assert_eq!((wide.matches("class=\"band\"").count(), wide.contains(">noise:1 (4)</text>")), (9, false));
        assert_eq!(wide.matches(">remove</text>").count(), 2, "each row of panels names its rows");
    }

    #[test]
    fn many_variants_have_one_row_each_on_a_narrow_screen() {
        let names = ["a", "b", "c", "d", "e", "f"];
        let narrow = forest(&names, &["swap", "swap-kv:other-answer"]).narrow(358.0).into_string();
        assert_eq!(narrow.matches("<circle").count(), 6);
        assert_eq!(narrow.matches(">swap-kv:other-answer</text>").count(), 6, "the one that moves most");
    }

    #[test]
    fn hostile_names_are_text_and_numbers_that_no_accuracy_has_stay_inside() {
        let mut forest = forest(&["</svg><script>"], &["swap"]);
        forest.marks[0].value = 1e9;
        let wide = forest.wide(400.0).into_string();
        assert!(!wide.contains("<script") && !wide.contains("inf") && !wide.contains("NaN"), "{wide}");
    }
}
