//! Losses, gradients and ten optimizer steps against the paper's release.

mod common;

use common::{PIXELS, golden, json, records};
use prism_model::Model;
use prism_model::preprocess::{Grid, Preprocessor};
use prism_model::prompt::{Prompter, TrainingSample};
use prism_model::tensor::{DType, Device, Trainable};
use prism_run::{TrainingRecord, Variant};
use prism_train::config::DecaySet;
use prism_train::objective::{self, NoiseKey, Objective, Terms};
use prism_train::pack::Pack;
use prism_train::records::layout;
use prism_train::step::{Accumulator, clip_scale};
use prism_train::{AdamW, Optimizer, PackLosses, PackSample, Parameters, Workers, pack_losses};
use serde_json::Value;

/// Preset and golden name of the five variants.
pub const VARIANTS: [(&str, &str); 5] = [("lvr", "lvr"), ("n-lvr", "nlvr"), ("d-lvr", "dlvr"), ("p-lvr-2", "plvr2"), ("p-lvr-3", "plvr3")];

/// One golden checkpoint and what turns records into its samples.
struct Opened {
    model: Model,
    variant: Variant,
    prompter: Prompter,
    preprocessor: Preprocessor,
}

impl Opened {
    fn new(preset: &str, name: &str, trainable: Trainable, dtype: DType) -> Self {
        let folder = golden().join("checkpoints").join(name);
        let preprocessor = Preprocessor::from_dir(&folder).unwrap().with_pixels(Some(PIXELS.0), Some(PIXELS.1)).unwrap();
        Self {
            model: Model::open(&folder, &Device::Cpu, dtype, trainable).unwrap(),
            variant: Variant::load(preset).unwrap(),
            prompter: Prompter::from_dir(&folder).unwrap(),
            preprocessor,
        }
    }

    fn sample(&self, record: &TrainingRecord) -> TrainingSample {
        let grids: Vec<Grid> = record.images.iter().map(|path| self.preprocessor.grid_of(path).unwrap()).collect();
        self.prompter.sample(record, &grids, &layout(&self.variant, &self.prompter)).unwrap()
    }

    fn losses(&self, records: &[TrainingRecord], rows: &[usize], gradients: bool) -> PackLosses {
        let samples: Vec<_> = rows.iter().map(|&row| self.sample(&records[row])).collect();
        let pack: Vec<_> = samples.iter().map(|sample| PackSample { sample, images: &records[sample.row].images }).collect();
        pack_losses(&self.model, &self.preprocessor, &pack, &self.variant, self.variant.reduction, gradients).unwrap()
    }
}

/// The rows of a golden pack.
fn rows(pack: &Value) -> Vec<usize> {
    pack["rows"].as_array().unwrap().iter().map(|r| r.as_u64().unwrap() as usize).collect()
}

/// Asserts `got` within `relative` of a golden number; both may be absent.
fn close(what: &str, got: Option<f64>, expected: &Value, relative: f64) {
    match (got, expected.as_f64()) {
        (Some(got), Some(expected)) => {
            let error = (got - expected).abs() / expected.abs().max(1e-12);
            assert!(error <= relative, "{what}: {got} is not {expected} (relative error {error:.1e})");
        }
        (None, None) => {}
        _ => panic!("{what}: {got:?} is not {expected}"),
    }
}

#[test]
fn loss_terms_and_gradients_of_every_variant() {
    let records = records();
    for (preset, name) in VARIANTS {
        let opened = Opened::new(preset, name, Trainable::All, DType::F32);
        for pack in json(&format!("expected/train_{name}.json")).as_array().unwrap() {
            let what = format!("{name}, pack {}", pack["pack"]);
            let got = opened.losses(&records, &rows(pack), true);
            close(&format!("{what}: ce"), Some(got.ce), &pack["ce"], 1e-5);
            close(&format!("{what}: latent"), got.latent, &pack["latent"], 1e-5);
            close(&format!("{what}: diversity"), got.diversity, &pack["diversity"], 1e-5);
            close(&format!("{what}: total"), Some(got.total), &pack["total"], 1e-5);
            let norms = got.grad_norm.unwrap();
            let expected = pack["grad_norm"].as_object().unwrap();
            assert_eq!(norms.len(), expected.len(), "{what}: {norms:?}");
            for (parameter, norm) in &norms {
                close(&format!("{what}: gradient of {parameter}"), Some(*norm), &expected[parameter], 1e-3);
            }
            if pack["pack"] == "four" {
                full_gradients(name, &got.gradients.unwrap());
            }
        }
    }
}

/// Some parameters' whole gradients, each within a thousandth of its norm.
fn full_gradients(name: &str, got: &[(String, Vec<f32>)]) {
    let bytes = std::fs::read(golden().join(format!("expected/train_{name}.safetensors"))).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut compared = 0;
    for (key, view) in file.tensors() {
        let Some(parameter) = key.strip_prefix("grad.") else { continue };
        let (_, gradient) = got.iter().find(|(n, _)| n == parameter).unwrap_or_else(|| panic!("{name}: no gradient of {parameter}"));
        let expected: Vec<f32> = view.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
        assert_eq!(expected.len(), gradient.len());
        let norm = |v: &mut dyn Iterator<Item = f32>| v.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        let error = norm(&mut expected.iter().zip(gradient).map(|(a, b)| a - b)) / norm(&mut expected.iter().copied());
        assert!(error < 1e-3, "{name}: gradient of {parameter} is off by {error:.1e} of its norm");
        compared += 1;
    }
    assert!(compared >= 5);
}

/// One step's terms, and its gradient norm.
type Step = (Terms, f64);

/// The ten golden steps taken here, with the model in `dtype`.
fn ten_steps(preset: &str, name: &str, expected: &[Value], dtype: DType) -> Vec<Step> {
    let records = records();
    let opened = Opened::new(preset, name, Trainable::Text, dtype);
    let adam = AdamW { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.1 };
    let mut optimizer = Optimizer::new(Parameters::new(opened.model.parameters()), adam, DecaySet::Release).unwrap();
    let mut gradients = Accumulator::new(optimizer.parameters(), Workers::new(1).unwrap());
    // The golden D-LVR steps are taken before its release.
    let objective = Objective { noise_std: 0.0, ..Objective::of(&opened.variant) };
    let mut steps = Vec::new();
    for (i, expected) in expected.iter().enumerate() {
        let samples: Vec<_> = rows(expected).into_iter().map(|row| opened.sample(&records[row])).collect();
        let pack = Pack::of(samples.iter().map(|s| (s, records[s.row].images.as_slice())));
        let pixels: Vec<_> = pack.images.iter().map(|path| opened.preprocessor.open(path).unwrap()).collect();
        let features = opened.model.image_features(&pixels).unwrap();
        let loss = |pack: &Pack| objective::loss(&opened.model, pack, Some(&features), &objective, NoiseKey { seed: 0, step: i + 1 });
        let terms = gradients.accumulate(&[pack], loss).unwrap()[0];
        let norm = gradients.norm();
        optimizer.step(&gradients, 1e-3, clip_scale(norm, 1.0)).unwrap();
        steps.push((terms, norm));
    }
    steps
}

/// Relative errors of a step's total, cross-entropy and latent loss.
fn errors((terms, _): &Step, expected: &Value) -> [f64; 3] {
    let error = |got: f64, key: &str| (got / expected[key].as_f64().unwrap() - 1.0).abs();
    [error(terms.total, "total"), error(terms.ce, "ce"), error(terms.latent.unwrap(), "latent")]
}

/// Ten losses within 1e-4. AdamW's first step divides each gradient by its own size,
/// so where gradients are rounding noise the noise decides the step: the golden
/// P-LVR-2 losses lie up to 1.5e-3 from the same steps with gradients in double
/// precision. Where ours are further than 1e-4 from the golden ones they must not be
/// further than those are.
#[test]
fn ten_optimizer_steps() {
    for (preset, name) in VARIANTS.into_iter().filter(|(_, name)| *name != "nlvr") {
        let golden = json(&format!("expected/adamw10_{name}.json"));
        let expected = golden["steps"].as_array().unwrap();
        let got = ten_steps(preset, name, expected, DType::F32);
        let within = |steps: &[Step], i: usize| errors(&steps[i], &expected[i]).into_iter().fold(0.0, f64::max);
        if (0..expected.len()).all(|i| within(&got, i) < 1e-4) {
            continue;
        }
        assert_eq!(name, "plvr2", "{got:?}");
        let exact = ten_steps(preset, name, expected, DType::F64);
        for i in 0..expected.len() {
            let (ours, double) = (within(&got, i), within(&exact, i));
            assert!(ours < 1e-4 || ours <= double + 1e-4, "{name}, step {}: {ours:.1e}, in double precision {double:.1e}", i + 1);
        }
    }
}
