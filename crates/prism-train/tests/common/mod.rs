//! The golden data: what the paper's release computed on tiny checkpoints.

use std::path::{Path, PathBuf};

use prism_run::{RegionBox, TrainingRecord, Turn};
use serde_json::Value;

/// Pixel limits of the golden runs.
pub const PIXELS: (usize, usize) = (28 * 28 * 4, 28 * 28 * 64);

/// The golden folder: `PRISM_GOLDEN`, or beside the project.
pub fn golden() -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/golden");
    let named = std::env::var_os("PRISM_GOLDEN").map(PathBuf::from);
    let folder = named.clone().unwrap_or_else(|| beside.clone());
    assert!(folder.join("expected").is_dir(), "no golden data: PRISM_GOLDEN is {named:?}, and looked in {}", beside.display());
    folder
}

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
