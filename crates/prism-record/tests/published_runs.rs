//! Every published run of the reference data: prompt, tokens, what each forward read, runs of latents and
//! the vectors fed, against what the methods' own runners did (`tests/golden/README.md`).
//!
//! The repository holds a part of the data, and the weights of three of the methods
//! (`oracle/published_fixtures.py`); with `PRISM_METHODS` set to a folder that holds all of it, all of it
//! is compared.

mod golden;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use prism_model::Model;
use prism_model::generation::Generation;
use prism_model::preprocess::Preprocessor;
use prism_model::prompt::Prompter;
use prism_model::tensor::{DType, Device, Trainable};
use prism_record::decode::{Branch, ControlTokens, Decoder, Prefiller, Prefix, Strategy, Trajectory, Untouched};
use prism_record::runs;
use prism_run::protocol::{ExitChoice, ExitKind};
use prism_run::{Budget, Example, Protocol};
use safetensors::SafeTensors;
use serde_json::Value;

/// What is asked beside the protocol.
#[derive(Clone, Copy, Default)]
struct Asked {
    set: &'static [(&'static str, &'static str)],
    pixels: (Option<usize>, Option<usize>),
    steps: Option<usize>,
    exit: Option<ExitKind>,
    force_open: bool,
    penalty: Option<f64>,
}

/// A run of the reference data and what is asked for it.
fn asked(method: &str, run: &str) -> Asked {
    let base = match method {
        "swimbird" => Asked { pixels: (Some(3136), Some(28_224)), ..Asked::default() },
        "ivtlr" => Asked { set: &[("blocks.0.insert", "8"), ("pixels.side", "140")], ..Asked::default() },
        _ => Asked::default(),
    };
    match (method, run) {
        ("monet", "greedy_rp") => Asked { penalty: Some(1.01), ..base },
        (_, "greedy_rp") => Asked { penalty: Some(1.05), ..base },
        (_, "latent_size4") => Asked { steps: Some(4), ..base },
        (_, "steps4") => Asked { steps: Some(4), exit: Some(ExitKind::Steps), ..base },
        (_, "repetition_exit") => Asked { set: &[("repetition", "3")], ..base },
        (_, "forced_steps4") => Asked { steps: Some(4), force_open: true, ..base },
        _ => base,
    }
}

struct Opened {
    model: Model,
    prompter: Prompter,
    preprocessor: Preprocessor,
    tokens: ControlTokens,
    strategy: Strategy,
    protocol: Protocol,
}

impl Opened {
    fn new(folder: &Path, method: &str, asked: Asked, max_new_tokens: usize) -> Self {
        let checkpoint = folder.join("checkpoint");
        let model = Model::open(&checkpoint, &Device::Cpu, DType::F32, Trainable::No).unwrap();
        let set: Vec<(String, String)> = asked.set.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let protocol = Protocol::load_with(method, &set).unwrap().with_config(|key| model.config.key(key)).unwrap();
        let prompter = Prompter::from_dir(&checkpoint).unwrap();
        let mut tokens = ControlTokens::read(&checkpoint, &model.config, prompter.tokenizer(), Some(&protocol)).unwrap();
        tokens.generation = Generation { repetition_penalty: asked.penalty.unwrap_or(1.0), ..Generation::plain() };
        let prompter = tokens.lay_out(prompter, Some(&protocol));
        let (preprocessor, _) = Preprocessor::from_dir(&checkpoint).unwrap().for_method(&protocol.pixels, asked.pixels).unwrap();
        let exit = protocol.exit(&ExitChoice { kind: asked.exit, ..ExitChoice::default() }).unwrap();
        let steps = Budget::Steps(asked.steps.unwrap_or(protocol.steps));
        let strategy = Strategy { steps, max_new_tokens, exit, force_open: asked.force_open };
        Self { model, prompter, preprocessor, tokens, strategy, protocol }
    }

    fn run(&self, example: &Example) -> (Prefix, Trajectory) {
        let prefiller = Prefiller { model: &self.model, prompter: &self.prompter, preprocessor: &self.preprocessor, layers: false };
        let prefix = prefiller.prefix(example).unwrap();
        let decoder = Decoder { model: &self.model, tokenizer: self.prompter.tokenizer(), tokens: &self.tokens, strategy: self.strategy };
        let run = decoder.decode(vec![Branch::new(&prefix, Untouched)]).unwrap().pop().unwrap();
        (prefix, run)
    }
}

/// Options of a question, as the reader of such files finds them.
fn options(question: &str) -> Vec<String> {
    let lines = question.lines().skip_while(|line| *line != "Options:").skip(1);
    lines.filter_map(|line| line.split_once(". ").map(|(_, option)| option.to_string())).collect()
}

fn example(folder: &Path, row: usize, value: &Value, protocol: &Protocol) -> Example {
    let question = value["question"].as_str().unwrap();
    let options = options(question);
    Example {
        id: row.to_string(),
        row,
        question_id: row.to_string(),
        images: value["images"].as_array().unwrap().iter().map(|i| folder.join(i.as_str().unwrap())).collect(),
        prompt: protocol.prompt.wrap(question, &options),
        options,
        label: value["label"].as_str().unwrap_or("A").to_string(),
        boxes: vec![],
        category: None,
        pair: None,
        counterfactual: None,
    }
}

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u32).collect()
}

/// The vectors of the reference, by name.
struct Vectors(Vec<u8>);

impl Vectors {
    fn get(&self, name: &str) -> Option<Vec<f32>> {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        let bytes = file.tensor(name).ok()?.data().to_vec();
        Some(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    }
}

/// The largest distance of two vectors, over the norm of the second.
fn farthest(a: &[f32], b: &[f32], width: usize) -> f64 {
    assert_eq!(a.len(), b.len());
    let norm = |values: &mut dyn Iterator<Item = f32>| values.map(|v| f64::from(v).powi(2)).sum::<f64>().sqrt();
    let pairs = a.chunks_exact(width).zip(b.chunks_exact(width));
    pairs.map(|(a, b)| norm(&mut a.iter().zip(b).map(|(a, b)| a - b)) / norm(&mut b.iter().copied())).fold(0.0, f64::max)
}

#[derive(Default)]
struct Tally {
    equal: usize,
    different: Vec<String>,
    farthest: f64,
    vectors: usize,
}

impl Tally {
    fn take(&mut self, what: String, found: Result<(), String>) {
        match found {
            Ok(()) => self.equal += 1,
            Err(why) => self.different.push(format!("{what}: {why}")),
        }
    }
}

/// What differs in the steps of a run.
fn steps_differ(run: &Trajectory, expected: &Value) -> Result<(), String> {
    let steps = runs::steps(run);
    let expected = expected.as_array().unwrap();
    if steps.len() != expected.len() {
        return Err(format!("{} forwards, expected {}", steps.len(), expected.len()));
    }
    for (i, (step, wanted)) in steps.iter().zip(expected).enumerate() {
        let told = serde_json::to_value(step).unwrap();
        if told["read"] != wanted["read"] || (i > 0 && told["token"] != wanted["token"]) {
            return Err(format!("forward {i} reads {told}, expected {wanted}"));
        }
        if let (Some(norm), Some(wanted)) = (step.norm, wanted["norm"].as_f64())
            && (norm - wanted).abs() > 2e-4
        {
            return Err(format!("forward {i} reads a vector of norm {norm}, expected {wanted}"));
        }
        // Two logits nearer than the arithmetic of two machines agrees may change places.
        let decided = wanted["margin"].as_f64().is_none_or(|margin| margin > 1e-4);
        let (argmax, appended) = (run.forwards[i].argmax, run.forwards[i].appended);
        if (decided && argmax.map(u64::from) != wanted["argmax"].as_u64()) || appended.map(u64::from) != wanted["append"].as_u64() {
            return Err(format!("forward {i} says {argmax:?} and appends {appended:?}, expected {wanted}"));
        }
    }
    Ok(())
}

fn blocks_differ(run: &Trajectory, opened: &Opened, expected: &Value) -> Result<(), String> {
    let longest = opened.strategy.by_stage(&opened.protocol);
    let found = serde_json::to_value(runs::blocks(run, &opened.tokens, longest)).unwrap();
    let wanted: Vec<Value> =
        expected.as_array().unwrap().iter().map(|b| serde_json::json!({"first": b["first"], "n": b["n"], "end": b["end"]})).collect();
    if found == Value::Array(wanted.clone()) { Ok(()) } else { Err(format!("blocks {found}, expected {}", Value::Array(wanted))) }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, wanted: &T) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("{what} {found:?}\n     expected {wanted:?}")) }
}

/// The runs of one method.
fn compare(folder: &Path, method: &str) -> BTreeMap<String, Tally> {
    let read = |name: &str| serde_json::from_slice::<Value>(&std::fs::read(folder.join(name)).unwrap()).unwrap();
    let expected = read("expected.json");
    let vectors = Vectors(std::fs::read(folder.join("vectors.safetensors")).unwrap_or_default());
    let max_new_tokens = expected["max_new_tokens"].as_u64().unwrap() as usize;
    let all = expected["examples"].as_array().unwrap();
    let names: Vec<String> = match all[0].get("runs") {
        Some(runs) => runs.as_object().unwrap().keys().cloned().collect(),
        None => vec!["greedy".to_string()],
    };
    let mut tallies = BTreeMap::new();
    for name in names {
        let opened = Opened::new(folder, method, asked(method, &name), max_new_tokens);
        let mut tally = Tally::default();
        for value in all {
            let id = value["id"].as_u64().unwrap() as usize;
            let (prefix, run) = opened.run(&example(folder, id, value, &opened.protocol));
            let wanted = value.get("runs").map_or(value, |runs| &runs[&name]);
            let mut found = same("prompt", &prefix.whole_prompt(), &ids(&value["prompt_ids"]));
            found = found.and_then(|()| same("tokens", &run.generated, &ids(&wanted["generated_ids"])));
            if wanted.get("steps").is_some() {
                found = found.and_then(|()| steps_differ(&run, &wanted["steps"]));
                found = found.and_then(|()| blocks_differ(&run, &opened, &wanted["blocks"]));
            }
            if let Some(passes) = wanted.get("passes") {
                let latents = run.latent_forwards().count();
                found = found.and_then(|()| same("latents", &latents, &passes.as_array().unwrap().len()));
            }
            let fed: Vec<f32> = run.latent_forwards().flat_map(|(_, f)| f.fed.clone().unwrap()).collect();
            let named = [format!("{name}.{id}.fed"), format!("{id}.fed"), format!("{id}.latents")];
            if let Some(reference) = named.iter().find_map(|name| vectors.get(name)) {
                let width = opened.model.config.text.hidden_size;
                if fed.len() == reference.len() {
                    tally.farthest = tally.farthest.max(farthest(&fed, &reference, width));
                    tally.vectors += fed.len() / width;
                } else {
                    found = found.and(Err(format!("{} numbers fed, expected {}", fed.len(), reference.len())));
                }
            }
            tally.take(format!("{method} {name} {id}"), found);
        }
        tallies.insert(name, tally);
    }
    tallies
}

fn folder() -> PathBuf {
    match std::env::var_os("PRISM_METHODS") {
        Some(folder) => PathBuf::from(folder),
        None => golden::folder().join("methods"),
    }
}

#[test]
fn every_published_run_is_reproduced() {
    let (mut equal, mut different, mut far) = (0, Vec::new(), 0f64);
    for method in Protocol::preset_ids() {
        let folder = folder().join(method);
        if !folder.join("expected.json").is_file() || !folder.join("checkpoint/model.safetensors").is_file() {
            continue;
        }
        for (name, tally) in compare(&folder, method) {
            let Tally { equal: same, different: other, farthest, vectors } = tally;
            println!("{method:<9} {name:<16} {same} of {} equal; {vectors} vectors within {farthest:.1e}", same + other.len());
            equal += same;
            far = far.max(farthest);
            different.extend(other);
        }
    }
    different.iter().take(12).for_each(|line| println!("{line}"));
    println!("{equal} equal, {} different, vectors within {far:.1e}", different.len());
    assert!(equal > 0 && different.is_empty() && far < 1e-4);
}
