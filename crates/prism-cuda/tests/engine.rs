//! The engine on the stand-in against the model on the CPU, for every family: states, rows, hooks, logits.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use prism_cuda::device::standin::{StandIn, Work};
use prism_cuda::host::Order;
use prism_cuda::{DeviceEngine, Kind, Queue};
use prism_model::engine::{Engine, Passage, Prefilled};
use prism_model::preprocess::{Grid, PixelValues};
use prism_model::tensor::{DType, Device, Trainable};
use prism_model::text::{Unwatched, Watcher};
use prism_model::{Model, PackLayout, positions};

/// Numbers that look random and are the same every time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn number(&mut self) -> f32 {
        self.next() as f32 / (1u64 << 30) as f32 - 1.0
    }

    fn numbers(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.number()).collect()
    }
}

fn checkpoints() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let families = root.join("crates/prism-model/tests/fixtures/families");
    let mut folders: Vec<PathBuf> = [families.join("qwen2_vl"), families.join("qwen3_vl"), root.join("tests/golden/checkpoints")]
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()))
        .filter(|path| path.join("config.json").is_file())
        .collect();
    folders.sort();
    assert!(folders.len() > 10, "{} checkpoints", folders.len());
    folders
}

fn model(folder: &Path) -> Model {
    Model::open(folder, &Device::Cpu, DType::F32, Trainable::No).unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
}

fn on_device(model: Model, order: Order) -> DeviceEngine {
    let device = StandIn::new(Work::Done(order), 4 << 30);
    DeviceEngine::new(Queue::new(device, Kind::F32), model).unwrap()
}

/// A prompt with images.
struct Sample {
    ids: Vec<u32>,
    images: Vec<PixelValues>,
    image_tokens: Vec<usize>,
    layout: PackLayout,
}

impl Sample {
    fn random(engine: &dyn Engine, random: &mut Random, grids: &[[usize; 3]], text: usize) -> Self {
        let config = engine.config();
        let vision = &config.vision;
        let length = vision.in_channels * vision.temporal_patch_size * vision.patch_size.pow(2);
        let mut ids = Vec::new();
        let words = |ids: &mut Vec<u32>, random: &mut Random| {
            for _ in 0..text {
                let id = random.next() as u32 % config.text.vocab_size as u32;
                ids.push(if id == config.image_token_id { 0 } else { id });
            }
        };
        words(&mut ids, random);
        let mut images = Vec::new();
        for &[t, h, w] in grids {
            let grid = Grid { t, h, w };
            images.push(PixelValues { values: random.numbers(grid.patches() * length), grid });
            ids.extend(std::iter::repeat_n(config.image_token_id, grid.tokens(vision.spatial_merge_size)));
            words(&mut ids, random);
        }
        let (positions, _) = positions::rope_positions(config, &ids, grids).unwrap();
        let image_tokens = (0..ids.len()).filter(|at| ids[*at] == config.image_token_id).collect();
        Self { ids, images, image_tokens, layout: PackLayout::single(positions) }
    }
}

fn worst(one: &[f32], other: &[f32]) -> f32 {
    assert_eq!(one.len(), other.len());
    assert!(one.iter().chain(other).all(|x| x.is_finite()), "there are numbers that are none");
    one.iter().zip(other).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn scale(values: &[f32]) -> f32 {
    values.iter().fold(1.0, |most, x| most.max(x.abs()))
}

/// What is made of a prompt and of rows behind it, hooks included.
#[derive(Default)]
struct Made {
    named: Vec<(String, Vec<f32>)>,
}

/// Notes all that it sees, and changes some of it.
struct Meddler {
    layers: bool,
    keys: Vec<usize>,
    attention: Vec<usize>,
    seen: Vec<f32>,
}

impl Watcher for Meddler {
    fn wants_layers(&self) -> bool {
        self.layers
    }

    fn layer(&mut self, layer: usize, row: usize, x: &mut [f32]) {
        self.seen.extend_from_slice(x);
        if layer == 1 && row == 1 {
            x.iter_mut().for_each(|x| *x *= 0.5);
        }
    }

    fn wants_keys_values(&self, row: usize) -> bool {
        self.keys.contains(&row)
    }

    fn keys_values(&mut self, _: usize, _: usize, keys: &mut [f32], values: &mut [f32]) {
        self.seen.extend_from_slice(keys);
        self.seen.extend_from_slice(values);
        keys.reverse();
        values.iter_mut().for_each(|x| *x += 0.1);
    }

    fn wants_attention(&self, row: usize) -> bool {
        self.attention.contains(&row)
    }

    fn attention(&mut self, _: usize, _: usize, weights: &[f32]) {
        assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        self.seen.extend_from_slice(weights);
    }
}

fn made(engine: &dyn Engine, samples: &[Sample], steps: usize) -> Made {
    let mut made = Made::default();
    let mut note = |name: String, values: Vec<f32>| made.named.push((name, values));
    let width = engine.config().text.hidden_size;
    let mut prompts: Vec<Arc<dyn Prefilled>> = Vec::new();
    for (i, sample) in samples.iter().enumerate() {
        let features = engine.image_features(&sample.images).unwrap();
        note(format!("features {i}"), features.values().unwrap());
        let passage =
            Passage { ids: &sample.ids, layout: &sample.layout, image_tokens: &sample.image_tokens, features: &*features, latents: &[] };
        let mut inputs = Vec::new();
        let mut see = |x: &[f32]| {
            inputs.extend_from_slice(x);
            Ok(())
        };
        let (states, prompt) = engine.prefill(passage, Some(&mut see)).unwrap();
        note(format!("inputs of the layers {i}"), inputs);
        let last = states[states.len() - width..].to_vec();
        note(format!("states {i}"), states);
        note(format!("logits {i}"), engine.logits(&last).unwrap());
        note(format!("feedback {i}"), engine.feedback(&last).unwrap());
        note(format!("norm {i}"), engine.norm(&last).unwrap());
        if sample.image_tokens.len() > 1 {
            let latents = [(sample.ids.len() - 1, 1), (sample.ids.len() - 2, 0)];
            note(format!("states with latents {i}"), engine.states(Passage { latents: &latents, ..passage }).unwrap());
        }
        prompts.extend([prompt.clone(), prompt]);
    }
    let mut rows = engine.rows(&prompts).unwrap();
    let mut random = Random(5);
    for step in 0..steps {
        let count = prompts.len() - usize::from(step > 4);
        let ids: Vec<u32> = (0..count).map(|_| random.next() as u32 % engine.config().text.vocab_size as u32).collect();
        if step == 2 {
            rows.hide(0, &Arc::new(vec![1..3, 4..5])).unwrap();
            rows.evict(1, 0..1).unwrap();
        }
        if step == 4 {
            rows.evict(1, 1..3).unwrap();
            assert_eq!(rows.held(1), Some(1));
        }
        if step == 5 {
            let mut keep = vec![true; prompts.len()];
            keep[0] = false;
            rows.retain(&keep);
        }
        let mut meddler = Meddler {
            layers: step == 1,
            keys: if step == 3 { vec![0, 2] } else { Vec::new() },
            attention: if step == 5 || step == 3 { vec![0, 1] } else { Vec::new() },
            seen: Vec::new(),
        };
        let states = rows.step(&engine.embed(&ids).unwrap(), &mut meddler).unwrap();
        note(format!("seen in step {step}"), meddler.seen);
        note(format!("step {step}"), states);
    }
    made
}

const GRIDS: [&[[usize; 3]]; 2] = [&[[1, 4, 8]], &[[1, 2, 2], [1, 6, 4]]];

#[test]
fn it_computes_what_the_model_computes() {
    for folder in checkpoints() {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let on_cpu = model(&folder);
        let mut random = Random(3);
        let samples: Vec<Sample> = GRIDS.iter().map(|grids| Sample::random(&on_cpu, &mut random, grids, 7)).collect();
        let expected = made(&on_cpu, &samples, 7);
        let engine = on_device(on_cpu, Order::Rising);
        let got = made(&engine, &samples, 7);
        assert_eq!(expected.named.len(), got.named.len());
        for ((what, expected), (_, got)) in expected.named.iter().zip(&got.named) {
            let off = worst(expected, got) / scale(expected);
            assert!(off <= 2e-5, "{name}, {what}: off by {off}");
        }
    }
}

#[test]
fn a_row_alone_is_the_row_among_others_and_twice_is_once() {
    let folder = checkpoints().into_iter().find(|path| path.ends_with("base")).unwrap();
    let engine = on_device(model(&folder), Order::Rising);
    let mut random = Random(4);
    let samples: Vec<Sample> = GRIDS.iter().map(|grids| Sample::random(&engine, &mut random, grids, 30)).collect();
    let prompt = |sample: &Sample| {
        let features = engine.image_features(&sample.images).unwrap();
        let (ids, layout) = (&sample.ids[..], &sample.layout);
        engine.prefill(Passage { ids, layout, image_tokens: &sample.image_tokens, features: &*features, latents: &[] }, None).unwrap()
    };
    let (first, second) = (prompt(&samples[0]), prompt(&samples[1]));
    assert_eq!(first.0, prompt(&samples[0]).0);
    let run = |prompts: &[Arc<dyn Prefilled>], row: Range<usize>| -> Vec<Vec<f32>> {
        let width = engine.config().text.hidden_size;
        let mut rows = engine.rows(prompts).unwrap();
        let mut random = Random(9);
        // More tokens than a page holds.
        (0..70)
            .map(|_| {
                let all: Vec<u32> = (0..9).map(|_| random.next() as u32 % 90).collect();
                let states = rows.step(&engine.embed(&all[row.start..row.start + prompts.len()]).unwrap(), &mut Unwatched).unwrap();
                let at = row.end - row.start - 1;
                states[at * width..(at + 1) * width].to_vec()
            })
            .collect()
    };
    let together: Vec<Arc<dyn Prefilled>> = [&first.1, &first.1, &second.1, &first.1].map(Arc::clone).to_vec();
    assert_eq!(run(&together, 0..3), run(std::slice::from_ref(&second.1), 2..3));
    assert_eq!(run(&together, 0..2), run(std::slice::from_ref(&first.1), 1..2));
    assert_eq!(run(&together, 0..3), run(&together, 0..3));
}
