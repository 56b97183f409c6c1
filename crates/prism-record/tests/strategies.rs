//! The exits of a latent block against a loop over Hugging Face's own model
//! (`oracle/strategies.py`): tokens and latent forwards of 16 examples a case, for the three
//! criteria, the cap and the end token, with one stage and with two.

mod golden;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use golden::{Opened, examples, ids};
use prism_model::Matrix;
use prism_model::tensor::{DType, Device, Tensor};
use prism_record::decode::{Branch, Prefix, Strategy, Trajectory, Untouched};
use prism_run::Stage;
use prism_run::protocol::{Exit, ExitChoice};
use serde_json::Value;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../prism-model/tests/fixtures").join(name)
}

/// An `lm_head` in which only some tokens have a row.
fn lively(tensors: &HashMap<String, Tensor>, variant: &str, own: &Tensor) -> Tensor {
    let live: Vec<i64> = tensors[&format!("{variant}.live")].to_vec1().unwrap();
    let rows: Vec<Vec<f32>> = tensors[&format!("{variant}.rows")].to_vec2().unwrap();
    let (vocab, hidden) = own.dims2().unwrap();
    let mut values = vec![0f32; vocab * hidden];
    for (id, row) in live.iter().zip(rows) {
        let at = usize::try_from(*id).unwrap() * hidden;
        values[at..at + hidden].copy_from_slice(&row);
    }
    Tensor::from_vec(values, (vocab, hidden), &Device::Cpu).unwrap()
}

fn exit(case: &Value) -> Exit {
    let text = |key: &str| case.get(key).and_then(Value::as_str);
    ExitChoice {
        kind: text("exit").map(|kind| kind.parse().unwrap()),
        criterion: text("criterion").map(|criterion| criterion.parse().unwrap()),
        threshold: case.get("threshold").and_then(Value::as_f64),
        cap: case.get("cap").and_then(Value::as_u64).map(|cap| cap as usize),
    }
    .resolve()
    .unwrap()
}

/// Per forward the stage's initial, `.` for one that read a token.
fn picture(run: &Trajectory) -> String {
    let letter = |stage| if stage == Stage::Context { 'c' } else { 't' };
    run.forwards.iter().map(|f| f.place.map_or('.', |place| letter(place.stage))).collect()
}

#[test]
fn every_block_is_left_where_the_reference_leaves_it() {
    let stored: Value = serde_json::from_slice(&std::fs::read(fixture("strategies.json")).unwrap()).unwrap();
    let tensors = candle_core::safetensors::load(fixture("strategies.safetensors"), &Device::Cpu).unwrap();
    let max_new_tokens = stored["max_new_tokens"].as_u64().unwrap() as usize;
    let mut kinds = std::collections::BTreeSet::new();
    for (variant, cases) in stored["checkpoints"].as_object().unwrap() {
        let mut opened = Opened::new(variant);
        let own = opened.model.text.lm_head.clone();
        let lively = lively(&tensors, variant, own.tensor().unwrap());
        let prefixes: Vec<Prefix> = examples(16).iter().map(|e| opened.prefiller().prefix(e).unwrap()).collect();
        for case in cases.as_array().unwrap() {
            let head = case["head"].as_str().unwrap();
            opened.model.text.lm_head = if head == "own" { own.clone() } else { Matrix::Tensor(lively.clone()) };
            opened.model.latent_end = Some(tensors[&format!("{variant}.{head}.end")].to_dtype(DType::F32).unwrap());
            let strategy = Strategy { exit: exit(case), ..Strategy::of_steps(case["steps"].as_u64().unwrap() as usize, max_new_tokens) };
            let runs = opened.decoder_of(strategy).decode(prefixes.iter().map(|p| Branch::new(p, Untouched)).collect()).unwrap();
            assert_eq!(runs.len(), case["generated"].as_array().unwrap().len());
            for (row, run) in runs.iter().enumerate() {
                let what = format!("{variant}, {head} head, {strategy:?}, row {row}");
                assert_eq!(picture(run), case["forwards"][row].as_str().unwrap(), "{what}");
                assert_eq!(run.generated, ids(&case["generated"][row]), "{what}");
            }
            kinds.insert((variant.clone(), case["exit"].to_string(), case["criterion"].to_string()));
        }
    }
    assert_eq!(kinds.len(), 2 * 5, "steps, token and three criteria on both checkpoints");
}

#[test]
fn an_exit_the_checkpoint_cannot_take_is_refused() {
    let mut opened = Opened::new("lvr");
    let exit = |kind: &str| ExitChoice { kind: Some(kind.parse().unwrap()), ..ExitChoice::default() }.resolve().unwrap();
    let refused = |opened: &Opened, kind: &str| {
        let strategy = Strategy { exit: exit(kind), ..Strategy::of_steps(4, 8) };
        opened.decoder_of(strategy).decode(Vec::new()).unwrap_err().to_string()
    };
    assert!(refused(&opened, "latent").contains("lvr_latent_end_emb"));
    opened.tokens.starts[0].end = None;
    assert!(refused(&opened, "token").contains("end token"));
}
