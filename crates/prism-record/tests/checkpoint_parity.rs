//! Checkpoints as transformers writes them, against transformers
//! (`oracle/checkpoints.py`, `oracle/checkpoints_expected.py`): prompt, pixels, logits
//! and greedy tokens of 40 examples each.

#[path = "../../prism-model/tests/common/mod.rs"]
mod common;

use std::path::{Path, PathBuf};

use prism_model::positions::PackLayout;
use prism_model::preprocess::{Grid, PixelValues, Preprocessor, Processor};
use prism_model::prompt::Prompter;
use prism_model::tensor::{self, DType, Device, Tensor, Trainable};
use prism_model::{Inputs, Model};
use prism_record::decode::{Branch, ControlTokens, Decoder, Prefiller, Strategy, Untouched};
use prism_run::Example;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A checkpoint and what sets it apart.
struct Case {
    name: &'static str,
    /// The dtype its weights are stored in.
    stored: DType,
}

/// Every folder of `fixtures/checkpoints`; the oracle's table has their sizes.
const CASES: [Case; 14] = [
    Case { name: "plain", stored: DType::F32 },
    Case { name: "tied", stored: DType::BF16 },
    Case { name: "half", stored: DType::F16 },
    Case { name: "one_key_head", stored: DType::BF16 },
    Case { name: "sharded", stored: DType::BF16 },
    Case { name: "extra_rows", stored: DType::BF16 },
    Case { name: "small_windows", stored: DType::BF16 },
    Case { name: "windows_only", stored: DType::BF16 },
    Case { name: "no_windows", stored: DType::BF16 },
    Case { name: "small_patches", stored: DType::F32 },
    Case { name: "wide", stored: DType::BF16 },
    Case { name: "flat", stored: DType::BF16 },
    Case { name: "newer", stored: DType::F16 },
    Case { name: "newer_sharded", stored: DType::BF16 },
];

/// Tokens each sequence was continued by.
const NEW_TOKENS: usize = 8;
/// Largest difference of a logit in f32.
const TOLERANCE: f32 = 1e-4;

fn folder(name: &str) -> PathBuf {
    common::fixture("checkpoints").join(name)
}

/// The oracle's examples, their images as paths.
fn examples() -> Vec<Example> {
    let strings = common::json_at(&folder("strings.json"));
    let list = common::json_at(&folder("examples.json"));
    let example = |(row, entry): (usize, &Value)| Example {
        id: row.to_string(),
        row,
        question_id: row.to_string(),
        images: entry["images"].as_array().unwrap().iter().map(|name| common::fixture(name.as_str().unwrap())).collect(),
        prompt: strings["strings"][entry["question"].as_u64().unwrap() as usize].as_str().unwrap().to_owned(),
        options: Vec::new(),
        label: "A".into(),
        boxes: Vec::new(),
        category: None,
        pair: None,
        counterfactual: None,
    };
    list.as_array().unwrap().iter().enumerate().map(example).collect()
}

/// Everything that is read from a checkpoint's folder.
struct Opened {
    model: Model,
    prompter: Prompter,
    preprocessor: Preprocessor,
    tokens: ControlTokens,
    expected: Value,
}

fn open(name: &str, dtype: DType) -> Opened {
    let folder = folder(name);
    let model = Model::open(&folder, &Device::Cpu, dtype, Trainable::No).unwrap_or_else(|e| panic!("{name}: {e}"));
    let prompter = Prompter::from_dir(&folder).unwrap();
    let mut preprocessor = Preprocessor::from_dir(&folder).unwrap();
    let expected = common::json_at(&folder.join("expected.json"));
    let saved_with = if expected["processor"] == "fast" { Processor::Fast } else { Processor::Slow };
    assert_eq!(preprocessor.config.processor, saved_with, "{name}");
    // The oracle's prompts and logits come from the slow processor.
    preprocessor.config.processor = Processor::Slow;
    let tokens = ControlTokens::read(&folder, &model.config, prompter.tokenizer(), None).unwrap();
    Opened { model, prompter, preprocessor, tokens, expected }
}

impl Opened {
    fn rows(&self) -> &Vec<Value> {
        self.expected["examples"].as_array().unwrap()
    }

    fn pixels(&self, example: &Example) -> Vec<PixelValues> {
        example.images.iter().map(|path| self.preprocessor.open(path).unwrap()).collect()
    }

    /// Logits of every prompt token, `[tokens, vocab]`.
    fn logits(&self, example: &Example) -> Tensor {
        let images = self.pixels(example);
        let grids: Vec<Grid> = images.iter().map(|image| image.grid).collect();
        let prompt = self.prompter.example(example, &grids).unwrap();
        let embeds = self.model.embed(&prompt.ids).unwrap();
        let mut inputs = Inputs::from(&embeds);
        if !images.is_empty() {
            let at: Vec<u32> = prompt.image_tokens.iter().map(|&i| i as u32).collect();
            inputs = self.model.image_features(&images).unwrap().stand_in(&embeds, &at).unwrap();
        }
        let hidden = self.model.forward(inputs, &PackLayout::single(prompt.positions)).unwrap();
        self.model.logits(&hidden).unwrap()
    }

    /// Logits of every example's prompt tokens.
    fn all_logits(&self) -> Vec<Logits> {
        let of = |example: &Example| {
            let logits = self.logits(example);
            Logits { columns: logits.dims2().unwrap().1, values: tensor::values(&logits).unwrap() }
        };
        examples().iter().map(of).collect()
    }
}

/// Logits of one example, `[tokens, columns]`.
struct Logits {
    values: Vec<f32>,
    columns: usize,
}

/// Largest and mean of some differences. Not a number is no small difference.
fn spread(differences: impl Iterator<Item = f32>) -> (f32, f64) {
    let (mut largest, mut sum, mut count) = (0.0f32, 0.0f64, 0usize);
    for difference in differences {
        sum += f64::from(difference);
        count += 1;
        largest = if difference <= largest { largest } else { difference };
    }
    (largest, sum / count as f64)
}

/// Largest and mean difference to the oracle's logits, `[examples, places, columns]` each.
fn differences(ours: &[Logits], expected: &[f32], shape: &[usize]) -> (f32, f64) {
    let (places, chosen) = (shape[1], shape[2]);
    let of_example = |(number, (ours, expected)): (usize, (&Logits, &[f32]))| -> Vec<f32> {
        let tokens = ours.values.len() / ours.columns;
        let at = [tokens / 3, 2 * tokens / 3, tokens - 1];
        let column = |j: usize| (number * 7 + j * (ours.columns / chosen)) % ours.columns;
        let ours = at.iter().flat_map(|at| (0..chosen).map(move |j| ours.values[at * ours.columns + column(j)]));
        ours.zip(expected).map(|(ours, expected)| (ours - expected).abs()).collect()
    };
    assert_eq!(ours.len() * places * chosen, expected.len());
    spread(ours.iter().zip(expected.chunks_exact(places * chosen)).enumerate().flat_map(of_example))
}

/// Prompt ids with each run of image tokens as minus its length, as the oracle writes them.
fn collapsed(ids: &[u32], pad: u32) -> Vec<i64> {
    let mut result: Vec<i64> = Vec::new();
    for &id in ids {
        match result.last_mut() {
            Some(last) if id == pad && *last < 0 => *last -= 1,
            _ => result.push(if id == pad { -1 } else { i64::from(id) }),
        }
    }
    result
}

fn hash(pixels: &PixelValues) -> String {
    let bytes: Vec<u8> = pixels.values.iter().flat_map(|v| v.to_le_bytes()).collect();
    Sha256::digest(&bytes).iter().take(16).map(|b| format!("{b:02x}")).collect()
}

#[test]
fn the_table_names_every_checkpoint() {
    let mut folders: Vec<String> = std::fs::read_dir(common::fixture("checkpoints"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    folders.sort();
    let mut named: Vec<&str> = CASES.iter().map(|case| case.name).collect();
    named.sort();
    assert_eq!(folders, named);
    assert!(examples().len() >= 40);
}

#[test]
fn stored_dtypes_are_what_the_table_says() {
    for case in &CASES {
        let first = std::fs::read_dir(folder(case.name)).unwrap().map(|entry| entry.unwrap().path());
        let shard = first.into_iter().find(|path| is_weights(path)).unwrap();
        let bytes = std::fs::read(shard).unwrap();
        let dtype = safetensors::SafeTensors::deserialize(&bytes).unwrap().tensors()[0].1.dtype();
        let expected = match case.stored {
            DType::F32 => safetensors::Dtype::F32,
            DType::F16 => safetensors::Dtype::F16,
            _ => safetensors::Dtype::BF16,
        };
        assert_eq!(dtype, expected, "{}", case.name);
    }
}

fn is_weights(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("model") && name.ends_with(".safetensors")
}

#[test]
fn prompts_are_equal() {
    let examples = examples();
    for case in &CASES {
        let opened = open(case.name, DType::F32);
        assert_eq!(opened.rows().len(), examples.len());
        for (example, row) in examples.iter().zip(opened.rows()) {
            let grids: Vec<Grid> = example.images.iter().map(|path| opened.preprocessor.grid_of(path).unwrap()).collect();
            let ours: Vec<[usize; 3]> = grids.iter().map(|g| [g.t, g.h, g.w]).collect();
            assert_eq!(serde_json::json!(ours), row["grids"], "{} {}", case.name, example.row);
            let prompt = opened.prompter.example(example, &grids).unwrap();
            let ids = collapsed(&prompt.ids, opened.model.config.image_token_id);
            assert_eq!(serde_json::json!(ids), row["ids"], "{} {}: {:?}", case.name, example.row, example.prompt);
        }
    }
}

#[test]
fn every_pixel_value_is_equal_by_both_processors() {
    let mut wrong = Vec::new();
    for case in &CASES {
        let mut opened = open(case.name, DType::F32);
        let pixels = opened.expected["pixels"].as_object().unwrap().clone();
        assert!(pixels.len() > 40);
        for (kind, processor) in [Processor::Slow, Processor::Fast].into_iter().enumerate() {
            opened.preprocessor.config.processor = processor;
            for (image, hashes) in &pixels {
                let ours = hash(&opened.preprocessor.open(&common::fixture(image)).unwrap());
                if ours != hashes[kind].as_str().unwrap() {
                    wrong.push(format!("{} {image} {processor:?}", case.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ: {wrong:#?}", wrong.len());
}

#[test]
fn logits_are_equal_in_single_precision() {
    for case in &CASES {
        let ours = open(case.name, DType::F32).all_logits();
        let (shape, expected) = expected_logits(case.name, "f32");
        let (largest, _) = differences(&ours, &expected, &shape);
        // Every token and every column, drawn together in groups.
        let whole = common::tensors_at(&folder(case.name).join("whole.safetensors"));
        let (shape, sums) = &whole["sums"];
        let drawn: Vec<f32> = ours.iter().flat_map(signed_sums).collect();
        assert_eq!((drawn.len(), shape[1]), (sums.len(), GROUPS), "{}", case.name);
        let (together, _) = spread(drawn.iter().zip(sums).map(|(a, b)| (a - b).abs()));
        println!("{}: largest difference {largest:e}, of {} signed sums {together:e}", case.name, sums.len());
        // Errors within the tolerance that have nothing to do with each other add up as their squares do.
        let tolerance = TOLERANCE * (ours[0].columns as f32 / GROUPS as f32).sqrt();
        assert!(largest < TOLERANCE && together < tolerance, "{}: {largest}, {together}", case.name);
    }
}

/// Groups of columns whose logits are summed.
const GROUPS: usize = 16;

/// For every token the signed sums of its logits by group (`oracle/checkpoints_whole.py`). One
/// logit that is wrong by some amount moves its group's sum by as much.
fn signed_sums(logits: &Logits) -> Vec<f32> {
    let sign = |column: usize| {
        let mut hash = (column as u32).wrapping_mul(0x9E37_79B1);
        for (shift, factor) in [(15, 0x85EB_CA77u32), (13, 0xC2B2_AE3D)] {
            hash = (hash ^ hash >> shift).wrapping_mul(factor);
        }
        f64::from(hash >> 16 & 1) * 2.0 - 1.0
    };
    let signs: Vec<f64> = (0..logits.columns).map(sign).collect();
    let of_token = |row: &[f32]| {
        let mut sums = [0.0f64; GROUPS];
        row.iter().zip(&signs).enumerate().for_each(|(column, (logit, sign))| sums[column % GROUPS] += f64::from(*logit) * sign);
        sums.map(|sum| sum as f32)
    };
    logits.values.chunks_exact(logits.columns).flat_map(of_token).collect()
}

#[test]
fn logits_in_bf16_are_as_near_as_the_reference_is_to_itself() {
    let mut wrong = Vec::new();
    for case in &CASES {
        let ours = open(case.name, DType::BF16).all_logits();
        let ((shape, single), (_, half)) = (expected_logits(case.name, "f32"), expected_logits(case.name, "bf16"));
        // The mean, for the largest of thousands says which draw was unlucky, not which arithmetic is worse.
        let (_, theirs) = spread(single.iter().zip(&half).map(|(a, b)| (a - b).abs()));
        let (_, difference) = differences(&ours, &single, &shape);
        // The same over every token and column, our own single precision standing for the reference's.
        let exact = open(case.name, DType::F32).all_logits();
        let pairs = ours.iter().zip(&exact).flat_map(|(a, b)| a.values.iter().zip(&b.values));
        let (largest, mean) = spread(pairs.map(|(a, b)| (a - b).abs()));
        let whole = common::tensors_at(&folder(case.name).join("whole.safetensors"));
        let [their_largest, their_mean] = whole["bf16"].1[..] else { panic!("{}: two numbers", case.name) };
        println!(
            "{}: {difference} from f32 in the mean, the reference in bf16 {theirs}; over all logits {mean} and at most {largest}, \
             the reference {their_mean} and {their_largest}",
            case.name
        );
        let near = difference <= theirs && mean <= f64::from(their_mean);
        wrong.extend((!near).then(|| format!("{}: {difference} of {theirs}, {mean} of {their_mean}", case.name)));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Shape and values of the oracle's logits of one dtype, as f32.
fn expected_logits(name: &str, dtype: &str) -> (Vec<usize>, Vec<f32>) {
    let bytes = std::fs::read(folder(name).join("expected.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let view = file.tensor(dtype).unwrap();
    let stored = if dtype == "f32" { DType::F32 } else { DType::BF16 };
    let tensor = Tensor::from_raw_buffer(view.data(), stored, view.shape(), &Device::Cpu).unwrap();
    (view.shape().to_vec(), tensor::values(&tensor).unwrap())
}

#[test]
fn greedy_sequences_are_equal() {
    let examples = examples();
    for case in &CASES {
        let opened = open(case.name, DType::F32);
        let prefiller = Prefiller { model: &opened.model, prompter: &opened.prompter, preprocessor: &opened.preprocessor, layers: false };
        let prefixes: Vec<_> = examples.iter().map(|example| prefiller.prefix(example).unwrap()).collect();
        let decoder = Decoder {
            model: &opened.model,
            tokenizer: opened.prompter.tokenizer(),
            tokens: &opened.tokens,
            strategy: Strategy::of_steps(1, NEW_TOKENS),
        };
        let trajectories = decoder.decode(prefixes.iter().map(|prefix| Branch::new(prefix, Untouched)).collect()).unwrap();
        for ((example, trajectory), row) in examples.iter().zip(&trajectories).zip(opened.rows()) {
            assert_eq!(serde_json::json!(trajectory.generated), row["greedy"], "{} {}", case.name, example.row);
        }
    }
}
