//! The golden data: what the paper's release computed on tiny checkpoints.

#[path = "../../../../tests/golden.rs"]
mod reference;

use prism_run::{RegionBox, TrainingRecord, Turn};
pub use reference::golden;
use serde_json::Value;

/// Pixel limits of the golden runs.
pub const PIXELS: (usize, usize) = (28 * 28 * 4, 28 * 28 * 64);

/// A JSON file below the golden folder.
pub fn json(path: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(golden().join(path)).unwrap()).unwrap()
}

/// The forty training records.
pub fn records() -> Vec<TrainingRecord> {
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    let number = |v: &Value| v.as_f64().unwrap();
    let record = |(row, v): (usize, &Value)| TrainingRecord {
        id: format!("mini/{row}"),
        row,
        images: vec![golden().join("examples").join(text(&v["image"][0]))],
        turns: vec![Turn { question: text(&v["conversations"][0]["value"]), answer: text(&v["conversations"][1]["value"]) }],
        boxes: v["bboxes"].as_array().unwrap().iter().map(|b| RegionBox(std::array::from_fn(|i| number(&b[i])))).collect(),
        text: None,
        label: None,
    };
    json("examples/data.json").as_array().unwrap().iter().enumerate().map(record).collect()
}
