//! Qwen2-VL and Qwen3-VL against transformers: the tiny checkpoints of `oracle/families.py`, 20 examples each
//! (`oracle/families_expected.py` says what its files hold), and the golden data of both families.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use prism_model::preprocess::{Grid, PixelValues, Preprocessor, Processor};
use prism_model::prompt::{Prompt, Prompter};
use prism_model::tensor::{self, DType, Device, Tensor, Trainable};
use prism_model::text::Inputs;
use prism_model::vision::ImageFeatures;
use prism_model::{BranchCache, Gradients, Model, PackLayout, ops, tokenizer};
use safetensors::SafeTensors;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A checkpoint and what sets it apart.
struct Case {
    name: &'static str,
    /// The dtype its weights are stored in.
    stored: safetensors::Dtype,
}

/// The table of cases, and every test for each: a test of its own, so that they spread over threads.
macro_rules! cases {
    ($($module:ident: $name:literal $stored:ident,)*) => {
        /// Every folder of `fixtures/families`; the oracle's table has their sizes.
        const CASES: &[Case] = &[$(Case { name: $name, stored: safetensors::Dtype::$stored }),*];
        $(mod $module {
            use super::Case;

            const CASE: Case = Case { name: $name, stored: safetensors::Dtype::$stored };

            #[test]
            fn prompts_and_positions_are_equal() {
                super::prompts_and_positions_are_equal(&CASE);
            }

            #[test]
            fn every_pixel_value_is_equal() {
                super::every_pixel_value_is_equal(&CASE);
            }

            #[test]
            fn features_and_levels_are_equal() {
                super::features_and_levels_are_equal(&CASE);
            }

            #[test]
            fn states_and_logits_are_equal_in_single_precision() {
                super::states_and_logits_are_equal_in_single_precision(&CASE);
            }

            #[test]
            fn logits_in_bf16_are_as_near_as_the_reference_is_to_itself() {
                super::logits_in_bf16_are_as_near_as_the_reference_is_to_itself(&CASE);
            }

            #[test]
            fn greedy_sequences_are_equal() {
                super::greedy_sequences_are_equal(&CASE);
            }

            #[test]
            fn every_gradient_is_equal() {
                super::every_gradient_is_equal(&CASE);
            }

            #[test]
            fn what_is_saved_opens_here_and_there() {
                super::what_is_saved_opens_here_and_there(&CASE);
            }
        })*
    };
}

cases! {
    qwen2_vl_plain: "qwen2_vl/plain" F32,
    qwen2_vl_tied: "qwen2_vl/tied" BF16,
    qwen2_vl_sharded: "qwen2_vl/sharded" BF16,
    qwen2_vl_wide: "qwen2_vl/wide" BF16,
    qwen2_vl_small_patches: "qwen2_vl/small_patches" BF16,
    qwen2_vl_flat: "qwen2_vl/flat" BF16,
    qwen2_vl_newer: "qwen2_vl/newer" F16,
    qwen3_vl_plain: "qwen3_vl/plain" F32,
    qwen3_vl_tied: "qwen3_vl/tied" BF16,
    qwen3_vl_wide_heads: "qwen3_vl/wide_heads" BF16,
    qwen3_vl_biased: "qwen3_vl/biased" BF16,
    qwen3_vl_late: "qwen3_vl/late" BF16,
    qwen3_vl_crossed: "qwen3_vl/crossed" BF16,
    qwen3_vl_sharded: "qwen3_vl/sharded" BF16,
    qwen3_vl_newer: "qwen3_vl/newer" F16,
}

/// The families whose folders these are.
const FAMILIES: [&str; 2] = ["qwen2_vl", "qwen3_vl"];
/// Largest difference of a feature, a state or a logit in f32.
const TOLERANCE: f32 = 1e-4;
/// Largest distance of a gradient, in norms of it.
const RELATIVE: f64 = 1e-3;
/// Tokens each sequence was continued by.
const NEW_TOKENS: usize = 8;
/// Groups of columns whose logits are summed, and of numbers whose gradients are.
const LOGIT_GROUPS: usize = 4;
const GRADIENT_GROUPS: usize = 16;
/// What the weights of `saved.json` were multiplied by.
const SCALE: f32 = 0.75;

fn fixtures() -> PathBuf {
    common::fixture("families")
}

/// A question and its images.
struct Example {
    question: String,
    images: Vec<PathBuf>,
}

/// The oracle's examples.
fn examples() -> Vec<Example> {
    let strings = common::json_at(&common::fixture("checkpoints/strings.json"));
    let list = common::json_at(&fixtures().join("examples.json"));
    let example = |entry: &Value| Example {
        question: strings["strings"][number(&entry["question"])].as_str().unwrap().to_owned(),
        images: entry["images"].as_array().unwrap().iter().map(|name| common::fixture(name.as_str().unwrap())).collect(),
    };
    list.as_array().unwrap().iter().map(example).collect()
}

fn number(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

fn numbers(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(number).collect()
}

fn ids(value: &Value) -> Vec<u32> {
    numbers(value).iter().map(|&id| id as u32).collect()
}

/// A folder, opened.
struct Opened {
    model: Model,
    prompter: Prompter,
    preprocessor: Preprocessor,
}

impl Opened {
    fn at(folder: &Path, dtype: DType, training: Trainable) -> Self {
        let model = Model::open(folder, &Device::Cpu, dtype, training).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        Self { model, prompter: Prompter::from_dir(folder).unwrap(), preprocessor: Preprocessor::from_dir(folder).unwrap() }
    }

    fn pixels(&self, example: &Example) -> Vec<PixelValues> {
        example.images.iter().map(|path| self.preprocessor.open(path).unwrap()).collect()
    }

    fn prompt(&self, example: &Example) -> Prompt {
        let grids: Vec<Grid> = example.images.iter().map(|path| self.preprocessor.grid_of(path).unwrap()).collect();
        self.prompter.question(&example.question, &grids).unwrap()
    }

    fn features(&self, images: &[PixelValues]) -> ImageFeatures {
        match images {
            [] => ImageFeatures::none(self.model.config.text.hidden_size, self.model.dtype, &Device::Cpu).unwrap(),
            _ => self.model.image_features(images).unwrap(),
        }
    }

    /// The prompt of an example, and what the first layer reads.
    fn inputs(&self, example: &Example) -> (Prompt, Inputs) {
        let prompt = self.prompt(example);
        let rows: Vec<u32> = prompt.image_tokens.iter().map(|&at| at as u32).collect();
        let embeds = self.model.embed(&prompt.ids).unwrap();
        let inputs = self.features(&self.pixels(example)).stand_in(&embeds, &rows).unwrap();
        (prompt, inputs)
    }

    /// Logits of every token of a prompt.
    fn logits(&self, example: &Example) -> Logits {
        let (prompt, inputs) = self.inputs(example);
        let hidden = self.model.forward(inputs, &PackLayout::single(prompt.positions)).unwrap();
        let logits = self.model.logits(&hidden).unwrap();
        Logits { columns: logits.dims2().unwrap().1, values: tensor::values(&logits).unwrap() }
    }

    /// The tokens that follow a prompt, each the likeliest, up to the first that stops.
    fn continued(&self, example: &Example, stops: &[u32], most: usize) -> Vec<u32> {
        let (prompt, inputs) = self.inputs(example);
        let last = prompt.len() - 1;
        let (hidden, prefix) = self.model.prefill(inputs, &PackLayout::single(prompt.positions)).unwrap();
        let mut cache = BranchCache::new([prefix]);
        let mut state = hidden.narrow(0, last, 1).unwrap().contiguous().unwrap();
        let mut generated = Vec::new();
        loop {
            let token = likeliest(&tensor::values(&self.model.decode_logits(&state).unwrap()).unwrap());
            generated.push(token);
            if generated.len() == most || stops.contains(&token) {
                return generated;
            }
            state = self.model.decode_step(&self.model.embed(&[token]).unwrap(), &mut cache).unwrap();
        }
    }
}

/// The first of the largest.
fn likeliest(logits: &[f32]) -> u32 {
    let mut best = 0;
    for (column, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = column;
        }
    }
    best as u32
}

/// Token ids that stop, of a folder.
fn stops(folder: &Path) -> Vec<u32> {
    match &common::json_at(&folder.join("generation_config.json"))["eos_token_id"] {
        Value::Array(list) => list.iter().map(|id| number(id) as u32).collect(),
        one => vec![number(one) as u32],
    }
}

/// Logits of one example, `[tokens, columns]`.
struct Logits {
    values: Vec<f32>,
    columns: usize,
}

impl Logits {
    fn tokens(&self) -> usize {
        self.values.len() / self.columns
    }

    /// For every token the signed sums of its logits by group. One logit that is wrong by some amount moves
    /// its group's sum by as much.
    fn signed_sums(&self) -> impl Iterator<Item = f32> {
        self.values.chunks_exact(self.columns).flat_map(signed_sums::<LOGIT_GROUPS>).map(|sum| sum as f32)
    }
}

/// Sums of every `GROUPS`-th number, each with a sign of its own (`oracle/checkpoints_whole.py`).
fn signed_sums<const GROUPS: usize>(values: &[f32]) -> [f64; GROUPS] {
    let sign = |index: usize| {
        let mut hash = (index as u32).wrapping_mul(0x9E37_79B1);
        for (shift, factor) in [(15, 0x85EB_CA77u32), (13, 0xC2B2_AE3D)] {
            hash = (hash ^ hash >> shift).wrapping_mul(factor);
        }
        f64::from(hash >> 16 & 1) * 2.0 - 1.0
    };
    let mut sums = [0.0; GROUPS];
    values.iter().enumerate().for_each(|(index, value)| sums[index % GROUPS] += f64::from(*value) * sign(index));
    sums
}

/// A case and what the oracle says of it.
struct Expected {
    folder: PathBuf,
    said: Value,
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    /// Of all prompts' tokens.
    positions: Vec<[u32; 3]>,
}

impl Expected {
    fn of(case: &Case) -> Self {
        let folder = fixtures().join(case.name);
        let path = folder.join("expected.safetensors");
        let bytes = std::fs::read(&path).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let stored = file.tensor("positions").unwrap();
        assert_eq!(stored.dtype(), safetensors::Dtype::I16);
        let stored: Vec<u32> = stored.data().chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]]) as u32).collect();
        Self {
            said: common::json_at(&folder.join("expected.json")),
            tensors: common::tensors_at(&path),
            positions: stored.chunks_exact(3).map(|p| [p[0], p[1], p[2]]).collect(),
            folder,
        }
    }

    fn open(&self, dtype: DType, training: Trainable) -> Opened {
        Opened::at(&self.folder, dtype, training)
    }

    fn tensor(&self, name: &str) -> &[f32] {
        &self.tensors.get(name).unwrap_or_else(|| panic!("no {name}")).1
    }

    fn rows(&self) -> &Vec<Value> {
        self.said["examples"].as_array().unwrap()
    }
}

/// Largest difference; not a number is no small difference.
fn apart(ours: &[f32], theirs: &[f32]) -> f32 {
    assert_eq!(ours.len(), theirs.len());
    ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, |largest, d| if d <= largest { largest } else { d })
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

fn weights_of(folder: &Path) -> Vec<PathBuf> {
    let is_weights = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("model") && name.ends_with(".safetensors")
    };
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(is_weights).collect()
}

/// Names and shapes of the tensors in a folder.
fn stored(folder: &Path) -> BTreeMap<String, Vec<usize>> {
    let of_file = |path: PathBuf| {
        let bytes = std::fs::read(path).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        file.tensors().into_iter().map(|(name, view)| (name, view.shape().to_vec())).collect::<Vec<_>>()
    };
    weights_of(folder).into_iter().flat_map(of_file).collect()
}

#[test]
fn the_table_names_every_checkpoint() {
    let mut found = BTreeSet::new();
    for family in FAMILIES {
        for entry in std::fs::read_dir(fixtures().join(family)).unwrap() {
            found.insert(format!("{family}/{}", entry.unwrap().file_name().to_string_lossy()));
        }
    }
    assert_eq!(found, CASES.iter().map(|case| case.name.to_owned()).collect());
    let examples = examples();
    assert!(examples.len() >= 20 && examples.iter().any(|e| e.images.is_empty()) && examples.iter().any(|e| e.images.len() == 4));
}

#[test]
fn stored_dtypes_are_what_the_table_says() {
    for case in CASES {
        let bytes = std::fs::read(&weights_of(&fixtures().join(case.name))[0]).unwrap();
        assert_eq!(SafeTensors::deserialize(&bytes).unwrap().tensors()[0].1.dtype(), case.stored, "{}", case.name);
    }
}

fn prompts_and_positions_are_equal(case: &Case) {
    let (examples, expected) = (examples(), Expected::of(case));
    let opened = expected.open(DType::F32, Trainable::No);
    assert_eq!(expected.rows().len(), examples.len());
    let mut positions = Vec::new();
    for (at, (example, row)) in examples.iter().zip(expected.rows()).enumerate() {
        let prompt = opened.prompt(example);
        let grids: Vec<[usize; 3]> = prompt.grids.iter().map(|g| [g.t, g.h, g.w]).collect();
        assert_eq!(serde_json::json!(grids), row["grids"], "{} {at}", case.name);
        let ids = collapsed(&prompt.ids, opened.model.config.image_token_id);
        assert_eq!(serde_json::json!(ids), row["ids"], "{} {at}: {:?}", case.name, example.question);
        positions.extend(prompt.positions);
    }
    assert_eq!(positions, expected.positions, "{}", case.name);
}

fn every_pixel_value_is_equal(case: &Case) {
    let expected = Expected::of(case);
    let mut preprocessor = Preprocessor::from_dir(&expected.folder).unwrap();
    let processors = expected.said["processors"].as_array().unwrap();
    let kind = |name: &Value| if name == "fast" { Processor::Fast } else { Processor::Slow };
    assert_eq!(preprocessor.config.processor, kind(&processors[0]), "{}", case.name);
    let mut wrong = Vec::new();
    for (at, processor) in processors.iter().enumerate() {
        preprocessor.config.processor = kind(processor);
        for (image, hashes) in expected.said["pixels"].as_object().unwrap() {
            let pixels = preprocessor.open(&common::fixture(image)).unwrap();
            let bytes: Vec<u8> = pixels.values.iter().flat_map(|v| v.to_le_bytes()).collect();
            let ours: String = Sha256::digest(&bytes).iter().take(16).map(|b| format!("{b:02x}")).collect();
            if ours != hashes[at].as_str().unwrap() {
                wrong.push(format!("{image} {processor}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}: {wrong:#?}", case.name);
}

fn features_and_levels_are_equal(case: &Case) {
    let (examples, expected) = (examples(), Expected::of(case));
    let opened = expected.open(DType::F32, Trainable::No);
    let config = common::json_at(&expected.folder.join("config.json"));
    let levels = config["vision_config"]["deepstack_visual_indexes"].as_array().map_or(0, Vec::len);
    let mut seen = 0;
    for (name, (_, theirs)) in &expected.tensors {
        let Some(at) = name.strip_prefix("features.") else { continue };
        seen += 1;
        let example = &examples[at.parse::<usize>().unwrap()];
        let features = opened.features(&opened.pixels(example));
        let mut worst = apart(&tensor::values(features.tokens()).unwrap(), theirs);
        let (prompt, inputs) = opened.inputs(example);
        let after = inputs.added.map_or_else(Vec::new, |added| {
            assert_eq!(added.rows.iter().map(|&row| row as usize).collect::<Vec<_>>(), prompt.image_tokens);
            added.after
        });
        assert_eq!(after.len(), levels, "{}", case.name);
        for (level, (layer, values)) in after.iter().enumerate() {
            assert_eq!(*layer, level, "{}", case.name);
            worst = worst.max(apart(&tensor::values(values).unwrap(), expected.tensor(&format!("deepstack.{at}.{level}"))));
        }
        println!("{} {at}: {worst:e}", case.name);
        assert!(worst < TOLERANCE, "{} {at}: {worst:e}", case.name);
    }
    assert_eq!(seen, 3);
}

fn states_and_logits_are_equal_in_single_precision(case: &Case) {
    let (examples, expected) = (examples(), Expected::of(case));
    let opened = expected.open(DType::F32, Trainable::No);
    // What each layer reads, the additions in it, at some tokens; then the state after the final norm.
    let (prompt, inputs) = opened.inputs(&examples[number(&expected.said["hidden"]["example"])]);
    let tokens = numbers(&expected.said["hidden"]["tokens"]);
    let states = opened.model.forward_layers(inputs, &PackLayout::single(prompt.positions)).unwrap();
    let width = opened.model.config.text.hidden_size;
    let at = |state: &Tensor| {
        let values = tensor::values(state).unwrap();
        tokens.iter().flat_map(|token| values[token * width..][..width].to_vec()).collect::<Vec<f32>>()
    };
    let hidden: Vec<Vec<f32>> = states.iter().map(at).collect();
    let theirs: Vec<&[f32]> = expected.tensor("hidden").chunks_exact(tokens.len() * width).collect();
    assert_eq!(hidden.len(), theirs.len());
    for (layer, (ours, theirs)) in hidden.iter().zip(&theirs).enumerate() {
        let worst = apart(ours, theirs);
        assert!(worst < TOLERANCE, "{}: states {layer} differ by {worst:e}", case.name);
    }

    let logits: Vec<Logits> = examples.iter().map(|example| opened.logits(example)).collect();
    let (shape, single) = &expected.tensors["f32"];
    let (places, chosen) = (shape[1], shape[2]);
    let mut ours = Vec::with_capacity(single.len());
    for (number, logits) in logits.iter().enumerate() {
        for at in [logits.tokens() / 3, 2 * logits.tokens() / 3, logits.tokens() - 1] {
            let column = |j: usize| (number * 7 + j * (logits.columns / chosen)) % logits.columns;
            ours.extend((0..chosen).map(|j| logits.values[at * logits.columns + column(j)]));
        }
    }
    assert_eq!(places, 3);
    let worst = apart(&ours, single);
    // Every token and every column, drawn together in groups.
    let sums: Vec<f32> = logits.iter().flat_map(Logits::signed_sums).collect();
    let together = apart(&sums, expected.tensor("sums"));
    println!("{}: largest difference {worst:e}, of {} signed sums {together:e}", case.name, sums.len());
    // Errors within the tolerance that have nothing to do with each other add up as their squares do.
    let tolerance = TOLERANCE * (logits[0].columns as f32 / LOGIT_GROUPS as f32).sqrt();
    assert!(worst < TOLERANCE && together < tolerance, "{}: {worst:e}, {together:e}", case.name);
}

fn logits_in_bf16_are_as_near_as_the_reference_is_to_itself(case: &Case) {
    let (examples, expected) = (examples(), Expected::of(case));
    let (exact, rounded) = (expected.open(DType::F32, Trainable::No), expected.open(DType::BF16, Trainable::No));
    let (mut sum, mut count, mut largest) = (0.0f64, 0usize, 0.0f32);
    for example in &examples {
        let (exact, rounded) = (exact.logits(example), rounded.logits(example));
        let worst = apart(&exact.values, &rounded.values);
        largest = if worst <= largest { largest } else { worst };
        sum += exact.values.iter().zip(&rounded.values).map(|(a, b)| f64::from((a - b).abs())).sum::<f64>();
        count += exact.values.len();
    }
    let mean = sum / count as f64;
    let [their_largest, their_mean] = expected.tensor("bf16")[..] else { panic!("{}: two numbers", case.name) };
    println!("{}: {mean} in the mean and {largest} at most, the reference {their_mean} and {their_largest}", case.name);
    // The mean, for the largest of thousands says which draw was unlucky, not which arithmetic is worse.
    assert!(mean <= f64::from(their_mean), "{}: {mean} of {their_mean}", case.name);
}

fn greedy_sequences_are_equal(case: &Case) {
    let (examples, expected) = (examples(), Expected::of(case));
    let (opened, stops) = (expected.open(DType::F32, Trainable::No), stops(&expected.folder));
    for (at, (example, row)) in examples.iter().zip(expected.rows()).enumerate() {
        let ours = opened.continued(example, &stops, NEW_TOKENS);
        assert_eq!(ours, ids(&row["greedy"]), "{} {at}: the smallest lead of all steps is {}", case.name, expected.said["margin"]);
    }
}

/// Two examples in one pack: the additions of both must find their rows.
fn every_gradient_is_equal(case: &Case) {
    let (examples, expected) = (examples(), Expected::of(case));
    let opened = expected.open(DType::F32, Trainable::All);
    let said = &expected.said["gradients"];
    let answer = ids(&said["answer"]);
    let (mut all_ids, mut pack, mut labels) = (Vec::new(), PackLayout::default(), Vec::new());
    let (mut image_rows, mut images) = (Vec::new(), Vec::new());
    for at in numbers(&said["examples"]) {
        let mut prompt = opened.prompt(&examples[at]);
        images.extend(opened.pixels(&examples[at]));
        image_rows.extend(prompt.image_tokens.iter().map(|row| (all_ids.len() + row) as u32));
        // The last token of the prompt is asked for the first of the answer; nothing for the last of that.
        labels.resize(labels.len() + prompt.len() - 1, None);
        labels.extend(answer.iter().map(|&id| Some(id)).chain([None]));
        prompt.positions.extend((0..answer.len() as u32).map(|step| [prompt.next_position + step; 3]));
        pack.push(&prompt.positions);
        all_ids.extend(prompt.ids.iter().chain(&answer));
    }
    let embeds = opened.model.embed(&all_ids).unwrap();
    let inputs = opened.features(&images).stand_in(&embeds, &image_rows).unwrap();
    let hidden = opened.model.forward(inputs, &pack).unwrap();
    let loss = ops::cross_entropy(&hidden, opened.model.output().unwrap(), &labels).unwrap();
    let value = f64::from(loss.to_scalar::<f32>().unwrap());
    assert!((value / said["loss"].as_f64().unwrap() - 1.0).abs() < 1e-5, "{}: loss {value} of {}", case.name, said["loss"]);

    let mut gradients = Gradients::new(&opened.model.parameters());
    gradients.backward(&loss).unwrap();
    let names: Vec<&str> = said["names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let ours: BTreeMap<&str, usize> = (0..gradients.len()).map(|i| (gradients.name(i), i)).collect();
    assert_eq!(ours.keys().copied().collect::<BTreeSet<_>>(), names.iter().copied().collect(), "{}", case.name);
    let mut wrong = Vec::new();
    for (name, theirs) in names.iter().zip(expected.tensor("gradients").chunks_exact(1 + GRADIENT_GROUPS)) {
        let norm = f64::from(theirs[0]);
        // What is added after the last layer reaches no answer: its gradient is zero, or is not there.
        let Some(gradient) = gradients.get(ours[name]) else {
            wrong.extend((norm > 0.0).then(|| format!("{name}: none")));
            continue;
        };
        // Signs of numbers that have nothing to do with them: the sums of a difference are as large as it, in the mean of squares.
        let sums = signed_sums::<GRADIENT_GROUPS>(gradient);
        let distance = sums.iter().zip(&theirs[1..]).map(|(a, b)| (a - f64::from(*b)).powi(2)).sum::<f64>().sqrt();
        let difference = (gradients.norm(ours[name]) - norm).abs();
        let near = distance <= RELATIVE * norm && difference <= RELATIVE * norm;
        wrong.extend((!near).then(|| format!("{name}: {} and {} of {norm}", distance / norm, difference / norm)));
        if let Some((_, whole)) = expected.tensors.get(&format!("gradient.{name}")) {
            let apart = gradient.iter().zip(whole).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt();
            assert_eq!(gradient.len(), whole.len(), "{name}");
            let near = apart <= RELATIVE * norm;
            wrong.extend((!near).then(|| format!("{name}, whole: {}", apart / norm)));
        }
    }
    assert_eq!(expected.tensors.keys().filter(|key| key.starts_with("gradient.")).count(), 5);
    assert!(wrong.is_empty(), "{}: {wrong:#?}", case.name);
}

fn what_is_saved_opens_here_and_there(case: &Case) {
    let expected = Expected::of(case);
    let opened = expected.open(DType::F32, Trainable::All);
    for (_, variable) in opened.model.parameters() {
        tensor::update(&variable, |values| values.iter_mut().for_each(|v| *v *= SCALE)).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    opened.model.save(folder.path()).unwrap();
    tokenizer::files::copy(&expected.folder, folder.path()).unwrap();
    let again = Opened::at(folder.path(), DType::F32, Trainable::No);
    assert_eq!(opened.model.config, again.model.config, "{}", case.name);
    for (a, b) in opened.model.weights().iter().zip(again.model.weights()) {
        assert_eq!(a.name, b.name, "{}", case.name);
        assert_eq!(tensor::values(&a.tensor).unwrap(), tensor::values(&b.tensor).unwrap(), "{} {}", case.name, a.name);
    }
    assert_eq!(
        common::json_at(&expected.folder.join("config.json")),
        common::json_at(&folder.path().join("config.json")),
        "no key is lost"
    );
    // Only transformers 5 writes Qwen2-VL under the names it has in memory.
    if case.name != "qwen2_vl/newer" {
        assert_eq!(stored(folder.path()), stored(&expected.folder), "{}: names as transformers writes them", case.name);
    }
    if let Ok(theirs) = std::fs::read(expected.folder.join("saved.json")) {
        compare(case, &again, &serde_json::from_slice::<Vec<Value>>(&theirs).unwrap());
    }
    let Some(python) = std::env::var_os("PRISM_PYTHON") else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../oracle/read_family.py");
    let output = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}: {}", case.name, String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    match lines.iter().find_map(|line| line["skipped"].as_str()) {
        Some(why) => println!("{}: {why}", case.name),
        None => compare(case, &again, &lines),
    }
}

/// What `oracle/read_family.py` printed, and this model: the prompt and the last token's logits.
fn compare(case: &Case, opened: &Opened, lines: &[Value]) {
    assert!(!lines.is_empty());
    let examples = examples();
    for line in lines {
        let example = &examples[number(&line["example"])];
        let ids = collapsed(&opened.prompt(example).ids, opened.model.config.image_token_id);
        assert_eq!(serde_json::json!(ids), line["ids"], "{}", case.name);
        let theirs: Vec<f32> = line["logits"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect();
        let logits = opened.logits(example);
        let worst = apart(&logits.values[logits.values.len() - logits.columns..], &theirs);
        assert!(worst < TOLERANCE, "{}: {worst:e}", case.name);
    }
}

/// The golden data: a folder, the checkpoint in it, and the ending of its files.
const GOLDEN: [(&str, &str, &str); 3] =
    [("qwen2vl", "checkpoint", ""), ("qwen3vl", "checkpoint_tied", "_tied"), ("qwen3vl", "checkpoint_untied", "_untied")];

#[test]
fn the_golden_data_agrees() {
    for (family, checkpoint, ending) in GOLDEN {
        let folder = common::golden("methods").join(family);
        let opened = Opened::at(&folder.join(checkpoint), DType::F32, Trainable::No);
        let said = common::json_at(&folder.join(format!("expected{ending}.json")));
        let bytes = std::fs::read(folder.join(format!("vectors{ending}.safetensors"))).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let floats = |name: String| file.tensor(&name).ok().map(|t| bytemuck::pod_collect_to_vec::<u8, f32>(t.data()));
        let stops = stops(&folder.join(checkpoint));
        for row in said["examples"].as_array().unwrap() {
            let (what, at) = (format!("{family}{ending} {}", row["id"]), number(&row["id"]));
            let example = Example {
                question: row["question"].as_str().unwrap().to_owned(),
                images: row["images"].as_array().unwrap().iter().map(|name| folder.join(name.as_str().unwrap())).collect(),
            };
            let (images, (prompt, inputs)) = (opened.pixels(&example), opened.inputs(&example));
            assert_eq!(prompt.ids, ids(&row["prompt_ids"]), "{what}");
            let grids: Vec<[usize; 3]> = prompt.grids.iter().map(|g| [g.t, g.h, g.w]).collect();
            assert_eq!(serde_json::json!(grids), row["image_grid_thw"], "{what}");
            assert_eq!(i64::from(prompt.next_position) - prompt.len() as i64, row["rope_delta"].as_i64().unwrap(), "{what}");
            let positions: Vec<i64> = bytemuck::pod_collect_to_vec(file.tensor(&format!("{at}.position_ids")).unwrap().data());
            let ours = (0..3).flat_map(|axis| prompt.positions.iter().map(move |p| i64::from(p[axis])));
            assert_eq!(ours.collect::<Vec<_>>(), positions, "{what}");
            let pixels: Vec<f32> = images.iter().flat_map(|image| image.values.clone()).collect();
            let sum: f64 = pixels.iter().map(|&v| f64::from(v)).sum();
            assert!((sum - row["pixel_values_sum"].as_f64().unwrap()).abs() < 1e-3, "{what}: {sum}");
            if let Some(theirs) = floats(format!("{at}.pixel_values")) {
                assert_eq!(pixels, theirs, "{what}");
            }
            let mut compared = 0;
            let mut near = |name: &str, ours: Vec<f32>| {
                // Of some examples only the last token's logits are stored.
                if let Some(theirs) = floats(format!("{at}.{name}")) {
                    let worst = apart(&ours[ours.len() - theirs.len()..], &theirs);
                    assert!(worst < TOLERANCE, "{what} {name}: {worst:e}");
                    compared += 1;
                }
            };
            near("features", tensor::values(opened.features(&images).tokens()).unwrap());
            for (level, (_, values)) in inputs.added.iter().flat_map(|added| &added.after).enumerate() {
                near(&format!("deepstack_{level}"), tensor::values(values).unwrap());
            }
            let states = opened.model.forward_layers(inputs, &PackLayout::single(prompt.positions)).unwrap();
            let last = states.len() - 1;
            near("logits", tensor::values(&opened.model.logits(&states[last]).unwrap()).unwrap());
            for (layer, state) in states.iter().enumerate() {
                // The last one of Qwen3-VL was taken before the final norm, whatever its README says.
                if layer < last || family == "qwen2vl" {
                    near(&format!("hidden_{layer}"), tensor::values(state).unwrap());
                }
            }
            assert!(compared > 0, "{what}");
            let most = number(&said["max_new_tokens"]);
            assert_eq!(opened.continued(&example, &stops, most), ids(&row["generated_ids"]), "{what}");
        }
    }
}
