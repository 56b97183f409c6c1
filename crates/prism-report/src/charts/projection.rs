//! The latents of one run in the plane of their first two principal components: the colour
//! is the step, the shape the letter answered.

use prism_run::Stage;
use serde_json::{Value, json};

use super::{Run, chart, theme, told, tooltip};

/// Shapes of the answers A to E, the same in every chart.
const SHAPES: [&str; 5] = ["circle", "square", "triangle-up", "diamond", "triangle-down"];
/// The shape of every other answer, and of none.
const OTHER: &str = "cross";

fn shape(answer: &str) -> &'static str {
    let letter = ["A", "B", "C", "D", "E"].iter().position(|letter| *letter == answer);
    letter.map_or(OTHER, |at| SHAPES[at])
}

/// One latent.
#[derive(Debug, Clone)]
pub struct Point {
    /// Id of its example.
    pub example: String,
    /// Step within its stage.
    pub step: usize,
    /// First component.
    pub x: f64,
    /// Second component.
    pub y: f64,
    /// The letter given, or what stands for none.
    pub answer: String,
    /// The gold letter.
    pub label: String,
}

/// The chart of one run and stage; `shares` are those of the variance along the two axes, in percent, as the table writes them.
pub fn spec(run: &Run<'_>, stage: Stage, points: &[Point], shares: &[String; 2]) -> Option<Value> {
    let points: Vec<&Point> = points.iter().filter(|p| p.x.is_finite() && p.y.is_finite()).collect();
    let last = points.iter().map(|p| p.step).max()?;
    let mut answers: Vec<&str> = points.iter().map(|p| p.answer.as_str()).collect();
    answers.sort_unstable();
    answers.dedup();
    let shapes: Vec<&str> = answers.iter().map(|answer| shape(answer)).collect();
    let data: Vec<Value> = points
        .iter()
        .map(|p| run.mark(json!({"example": p.example, "step": p.step, "x": p.x, "y": p.y, "answer": p.answer, "gold": p.label})))
        .collect();
    let [first, second] = shares;
    let axis = |field: &str, name: &str, share: &str| {
        json!({"field": field, "type": "quantitative", "title": format!("{name} component, {share} % of variance"),
            "scale": {"zero": false, "nice": true}, "axis": {"grid": false, "tickCount": 4}})
    };
    let legend = json!({"orient": "bottom", "titleOrient": "left"});
    let mut of_step = legend.clone();
    of_step["gradientLength"] = json!(90);
    of_step["tickMinStep"] = json!(1);
    of_step["format"] = json!("d");
    let body = json!({"mark": {"type": "point", "filled": true, "size": if points.len() > 400 { 22 } else { 36 }, "opacity": 0.75},
        "encoding": {
            "x": axis("x", "first", first), "y": axis("y", "second", second),
            "color": {"field": "step", "type": "quantitative", "title": "step", "scale": {"domain": [0, last.max(1)], "range": [theme::PALE, theme::HEAT]}, "legend": of_step},
            "shape": {"field": "answer", "type": "nominal", "title": "answer", "scale": {"domain": answers, "range": shapes}, "legend": legend},
            "tooltip": tooltip(&[("example", "example", ""), ("step", "step", "d"), ("answer", "answer", ""), ("gold", "gold", "")])}});
    let words = format!("{} latents; the two components hold {first} % and {second} % of the variance", points.len());
    let what = format!("Latents of {}, {stage} stage, in the plane of their first two principal components", run.label);
    Some(chart(&told(&what, std::iter::once(words)), json!(300), data.into(), body))
}
