//! A number along steps, layers or doses: one line a run, with the interval of each point.

use prism_run::Intervention;
use serde_json::{Value, json};

use super::{Run, chart, colour, shape, styles_of, theme, told, tooltip, with_interval};
use crate::document::form::exact;
use crate::document::{CellName, Estimate};
use crate::number::decimal;

/// One run's line.
#[derive(Debug, Clone)]
pub struct Line<'a> {
    /// Whose.
    pub run: Run<'a>,
    /// Which of the run's lines, as printed; lines of one name share a dash.
    pub name: String,
    /// In order of `x`.
    pub points: Vec<Point>,
}

/// One point of a line.
#[derive(Debug, Clone, Default)]
pub struct Point {
    /// Step, layer or dose.
    pub x: f64,
    /// The number.
    pub y: f64,
    /// 95 % interval.
    pub low: Option<f64>,
    /// 95 % interval.
    pub high: Option<f64>,
    /// The intervention it is of, if of one.
    pub key: Option<Intervention>,
    /// The cell of a table that says it.
    pub cell: Option<CellName>,
}

impl Point {
    /// The point of a cell, at `x`.
    pub fn of(estimate: &Estimate<'_>, x: f64) -> Self {
        let Estimate { row, value, low, high, name } = estimate;
        Self { x, y: *value, low: *low, high: *high, key: row.intervention, cell: Some(name.clone()) }
    }
}

/// The lines of a table's numbers, one for each run and name, their points in order of `x`. `at` gives a number the name of
/// its line and its place along it, or nothing where it is not drawn.
pub fn of_table<'a>(estimates: impl Iterator<Item = Estimate<'a>>, at: impl Fn(&Estimate<'a>) -> Option<(String, f64)>) -> Vec<Line<'a>> {
    let mut lines: Vec<Line<'a>> = Vec::new();
    for estimate in estimates {
        let (Some(run), Some((name, x))) = (estimate.run(), at(&estimate)) else { continue };
        let Some(style) = &run.style else { continue };
        let point = Point::of(&estimate, x);
        match lines.iter_mut().find(|line| line.run.label == run.label && line.name == name) {
            Some(line) => line.points.push(point),
            None => lines.push(Line { run: Run { style, label: run.label.clone() }, name, points: vec![point] }),
        }
    }
    lines.iter_mut().for_each(|line| line.points.sort_by(|a, b| a.x.total_cmp(&b.x)));
    lines
}

/// What the chart is of.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// In words, for the description.
    pub what: &'a str,
    /// Title of the horizontal axis.
    pub x: &'a str,
    /// Whether it counts (steps, layers).
    pub counts: bool,
    /// Title of the vertical axis.
    pub y: &'a str,
    /// Factor from the numbers to what is printed: 100 for shares.
    pub scale: f64,
    /// Digits printed.
    pub digits: usize,
    /// Half-width of a band about 0.
    pub band: Option<f64>,
    /// Where a line is drawn across.
    pub reference: Option<f64>,
}

/// The chart; `None` when there is nothing to draw.
pub fn spec(lines: &[Line<'_>], look: &Look<'_>) -> Option<Value> {
    let drawn = |p: &&Point| p.x.is_finite() && p.y.is_finite();
    let points: Vec<(&Line<'_>, &Point)> = lines.iter().flat_map(|l| l.points.iter().filter(drawn).map(move |p| (l, p))).collect();
    if points.is_empty() {
        return None;
    }
    let styles = styles_of(points.iter().map(|(l, _)| l.run.style));
    let mut names: Vec<&str> = Vec::new();
    for (line, _) in &points {
        if !names.contains(&line.name.as_str()) {
            names.push(&line.name);
        }
    }
    let scaled = |v: Option<f64>| v.filter(|v| v.is_finite()).map(|v| exact(v * look.scale));
    let data: Vec<Value> = points
        .iter()
        .map(|(l, p)| {
            let y = exact(p.y * look.scale);
            let mut mark = l.run.mark(json!({"line": l.name, "x": p.x, "y": y, "low": scaled(p.low), "high": scaled(p.high)}));
            if let Some(key) = p.key {
                mark["intervention_id"] = key.to_string().into();
            }
            if let Some(cell) = &p.cell {
                mark["cell"] = cell.to_string().into();
            }
            mark
        })
        .collect();
    let axis = if look.counts { json!({"grid": false, "tickMinStep": 1, "format": "d"}) } else { json!({"grid": false}) };
    let x = json!({"field": "x", "type": "quantitative", "title": look.x, "scale": {"zero": false, "nice": false, "padding": 10}, "axis": axis});
    let y = |field: &str| json!({"field": field, "type": "quantitative", "title": look.y, "scale": {"zero": look.reference == Some(0.0), "nice": true}});
    let mut layers = Vec::new();
    if let Some(band) = look.band {
        layers.push(json!({"data": {"values": [{"from": -band * look.scale, "to": band * look.scale}]},
            "mark": {"type": "rect", "color": theme::BAND}, "encoding": {"y": y("from"), "y2": {"field": "to"}}}));
    }
    if let Some(at) = look.reference {
        layers.push(json!({"data": {"values": [{"at": at * look.scale}]},
            "mark": {"type": "rule", "color": theme::RULE, "strokeDash": [4, 3]}, "encoding": {"y": y("at")}}));
    }
    let mut line = json!({"x": x, "y": y("y"), "color": colour(&styles), "detail": [{"field": "run"}, {"field": "line"}]});
    if let (true, Some(line)) = (names.len() > 1, line.as_object_mut()) {
        let dashes: Vec<Value> = (0..names.len()).map(|i| DASHES[i % DASHES.len()].into()).collect();
        line.insert(
            "strokeDash".into(),
            json!({"field": "line", "type": "nominal", "scale": {"domain": names, "range": dashes},
            "legend": {"orient": "top", "title": null, "symbolStrokeColor": theme::FAINT, "symbolSize": 300}}),
        );
    }
    layers.push(json!({"mark": {"type": "rule", "strokeWidth": 1.3, "opacity": 0.45},
        "encoding": {"x": x, "y": y("low"), "y2": {"field": "high"}, "color": colour(&styles)}}));
    layers.push(json!({"mark": {"type": "line", "strokeWidth": 1.5, "opacity": 0.8}, "encoding": line}));
    let format = format!(".{}f", look.digits);
    layers.push(json!({"mark": {"type": "point", "filled": true, "opacity": 1, "size": if points.len() > 120 { 22 } else { 45 }},
        "encoding": {"x": x, "y": y("y"), "color": colour(&styles), "shape": shape(&styles),
            "tooltip": tooltip(&[("run", "run", ""), ("line", "of", ""), ("x", look.x, if look.counts { "d" } else { ".3~f" }),
                ("y", look.y, &format), ("low", "95 % from", &format), ("high", "to", &format)])}}));
    let show = |v: Option<f64>| decimal(scaled(v), look.digits);
    let words = points.iter().map(|(l, p)| {
        let of = if l.name.is_empty() { String::new() } else { format!(", {}", l.name) };
        format!(
            "{}{of}, {} {}: {}",
            l.run.label,
            look.x,
            decimal(Some(p.x), if look.counts { 0 } else { 2 }),
            with_interval(p.y, p.low, p.high, show)
        )
    });
    let description = told(&format!("{}: {} by {}", look.what, look.y, look.x), words);
    Some(chart(&description, json!(240), data.into(), json!({"layer": layers})))
}

/// Dashes of a run's lines in turn; the first is whole.
const DASHES: [&[u8]; 4] = [&[1, 0], &[5, 3], &[1, 3], &[8, 3, 2, 3]];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::charts::theme::VariantStyle;
    use crate::document::{Cell, Column, Row, RunName, Table};

    #[test]
    fn lines_of_a_table_run_along_x_and_name_their_cells() {
        let delta = Column::points("delta", "change");
        let interval = delta.interval("delta_interval", "95 %");
        let mut table = Table::new("made", vec![Column::run(), Column::count("step", "step"), delta, interval]);
        for (step, value) in [(2_usize, Some(-0.07)), (0, Some(0.1)), (1, None)] {
            let run = RunName { style: Some(VariantStyle::new(0, "lvr", "LVR")), label: "LVR".into(), note: None };
            let cells = [Cell::count(step), Cell::number(value), Cell::interval(value, value)];
            table.push(Row::of_run(run, "lvr", None).at(step).cells(cells));
        }
        let step = |e: &Estimate<'_>| Some((String::new(), table.count(e.row, "step")? as f64));
        let lines = of_table(table.estimates("delta", Some("delta_interval")), step);
        let places: Vec<f64> = lines[0].points.iter().map(|point| point.x).collect();
        assert_eq!((lines.len(), places), (1, vec![0.0, 2.0]));
        let look =
            Look { what: "Made", x: "step", counts: true, y: "change, points", scale: 100.0, digits: 1, band: None, reference: None };
        let marks = spec(&lines, &look).unwrap()["data"]["values"].clone();
        assert_eq!((&marks[1]["y"], &marks[1]["cell"]), (&json!(-7.0), &json!("made.delta[lvr/2]")));
    }
}
