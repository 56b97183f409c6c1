//! The golden data: what the paper's release computed on tiny checkpoints.

use std::path::{Path, PathBuf};

use prism_model::Model;
use prism_model::preprocess::{Grid, Preprocessor};
use prism_model::prompt::{Prompter, TrainingSample};
use prism_model::tensor::{DType, Device, Trainable};
use prism_run::{RegionBox, TrainingRecord, Turn, Variant};
use prism_train::records::layout;
use prism_train::{PackLosses, PackSample, pack_losses};
use serde_json::Value;

/// Preset and golden name of the five variants.
pub const VARIANTS: [(&str, &str); 5] = [("lvr", "lvr"), ("n-lvr", "nlvr"), ("d-lvr", "dlvr"), ("p-lvr-2", "plvr2"), ("p-lvr-3", "plvr3")];

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

/// One golden checkpoint and what turns records into its samples.
pub struct Opened {
    pub model: Model,
    pub variant: Variant,
    prompter: Prompter,
    preprocessor: Preprocessor,
}

impl Opened {
    pub fn new(preset: &str, name: &str, trainable: Trainable) -> Self {
        let folder = golden().join("checkpoints").join(name);
        let preprocessor = Preprocessor::from_dir(&folder).unwrap().with_pixels(Some(PIXELS.0), Some(PIXELS.1)).unwrap();
        Self {
            model: Model::open(&folder, &Device::Cpu, DType::F32, trainable).unwrap(),
            variant: Variant::load(preset).unwrap(),
            prompter: Prompter::from_dir(&folder).unwrap(),
            preprocessor,
        }
    }

    pub fn sample(&self, record: &TrainingRecord) -> TrainingSample {
        let grids: Vec<Grid> = record.images.iter().map(|path| self.preprocessor.grid_of(path).unwrap()).collect();
        self.prompter.sample(record, &grids, &layout(&self.variant, &self.prompter)).unwrap()
    }

    pub fn losses(&self, records: &[TrainingRecord], rows: &[usize], gradients: bool) -> PackLosses {
        let samples: Vec<_> = rows.iter().map(|&row| self.sample(&records[row])).collect();
        let pack: Vec<_> = samples.iter().map(|sample| PackSample { sample, images: &records[sample.row].images }).collect();
        pack_losses(&self.model, &self.preprocessor, &pack, &self.variant, self.variant.reduction, gradients).unwrap()
    }

    pub fn preprocessor(&self) -> &Preprocessor {
        &self.preprocessor
    }
}

/// The rows of a golden pack.
pub fn rows(pack: &Value) -> Vec<usize> {
    pack["rows"].as_array().unwrap().iter().map(|r| r.as_u64().unwrap() as usize).collect()
}

/// Asserts `got` within `relative` of a golden number; both may be absent.
pub fn close(what: &str, got: Option<f64>, expected: &Value, relative: f64) {
    match (got, expected.as_f64()) {
        (Some(got), Some(expected)) => {
            let error = (got - expected).abs() / expected.abs().max(1e-12);
            assert!(error <= relative, "{what}: {got} is not {expected} (relative error {error:.1e})");
        }
        (None, None) => {}
        _ => panic!("{what}: {got:?} is not {expected}"),
    }
}
