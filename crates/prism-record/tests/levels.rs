//! Deepstack features through everything that is recorded: every view of the images, decoding with latents,
//! and a teacher's latents, each against one pass in which the features are put in place by hand.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use prism_model::engine::Passage;
use prism_model::preprocess::{PixelValues, Preprocessor};
use prism_model::prompt::{Prompt, Prompter};
use prism_model::tensor::{self, DType, Device, Tensor, Trainable};
use prism_model::text::{Additions, Inputs, Unwatched};
use prism_model::{Engine, Model, PackLayout};
use prism_record::decode::{Prefiller, Prefix};
use prism_run::Example;
use prism_run::random::Stream;

const TOLERANCE: f32 = 1e-4;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../prism-model/tests/fixtures").join(name)
}

/// A checkpoint with two levels.
struct Opened {
    model: Model,
    prompter: Prompter,
    preprocessor: Preprocessor,
}

impl Opened {
    fn new() -> Self {
        let folder = fixture("families/qwen3_vl/plain");
        Self {
            model: Model::open(&folder, &Device::Cpu, DType::F32, Trainable::No).unwrap(),
            prompter: Prompter::from_dir(&folder).unwrap(),
            preprocessor: Preprocessor::from_dir(&folder).unwrap(),
        }
    }

    fn prefiller(&self) -> Prefiller<'_> {
        Prefiller { model: &self.model, prompter: &self.prompter, preprocessor: &self.preprocessor, layers: false }
    }

    fn pixels(&self, example: &Example) -> Vec<PixelValues> {
        example.images.iter().map(|image| self.preprocessor.open(image).unwrap()).collect()
    }

    fn prompt(&self, example: &Example, prefix: &Prefix) -> Prompt {
        let prompt = self.prompter.example(example, &prefix.grids).unwrap();
        assert_eq!(prompt.ids, prefix.prompt_ids);
        prompt
    }

    /// The states of a pass over a prompt and what follows it, in which row `i` of every one of `rows` stands at,
    /// or is added to, the prompt's i-th image token.
    fn states(&self, prompt: &Prompt, rows: &Rows, following: &[Vec<f32>]) -> Vec<Vec<f32>> {
        let width = self.model.config.text.hidden_size;
        let mut embeds = tensor::values(&self.model.embed(&prompt.ids).unwrap()).unwrap();
        for (at, row) in prompt.image_tokens.iter().zip(rows.tokens.chunks_exact(width)) {
            embeds[at * width..][..width].copy_from_slice(row);
        }
        embeds.extend(following.concat());
        let tensor = |values: &[f32]| Tensor::from_slice(values, (values.len() / width, width), &Device::Cpu).unwrap();
        let added = Additions {
            rows: Arc::new(prompt.image_tokens.iter().map(|&at| at as u32).collect()),
            after: rows.levels.iter().map(|(layer, values)| (*layer, tensor(values))).collect(),
        };
        let mut positions = prompt.positions.clone();
        positions.extend((0..following.len() as u32).map(|step| [prompt.next_position + step; 3]));
        let added = (!prompt.image_tokens.is_empty()).then_some(added);
        let states = self.model.forward(Inputs { embeds: tensor(&embeds), added }, &PackLayout::single(positions)).unwrap();
        tensor::values(&states).unwrap().chunks_exact(width).map(<[f32]>::to_vec).collect()
    }
}

/// Values of features, row-major.
#[derive(Clone)]
struct Rows {
    tokens: Vec<f32>,
    levels: Vec<(usize, Vec<f32>)>,
}

impl Rows {
    fn of(opened: &Opened, images: &[PixelValues]) -> Self {
        if images.is_empty() {
            return Self { tokens: Vec::new(), levels: Vec::new() };
        }
        let features = opened.model.image_features(images).unwrap();
        let levels = features.levels().iter().map(|(layer, values)| (*layer, tensor::values(values).unwrap()));
        Self { tokens: tensor::values(features.tokens()).unwrap(), levels: levels.collect() }
    }

    fn in_order(&self, order: &[usize], width: usize) -> Self {
        let moved = |values: &[f32]| order.iter().flat_map(|row| values[row * width..][..width].to_vec()).collect::<Vec<f32>>();
        Self { tokens: moved(&self.tokens), levels: self.levels.iter().map(|(layer, values)| (*layer, moved(values))).collect() }
    }
}

fn example(images: &[&str]) -> Example {
    Example {
        id: "two".into(),
        row: 0,
        question_id: "two".into(),
        images: images.iter().map(|name| fixture(name)).collect(),
        prompt: "Which is the larger one?".into(),
        options: Vec::new(),
        label: "A".into(),
        boxes: Vec::new(),
        category: None,
        pair: None,
        counterfactual: None,
    }
}

fn two_images() -> Example {
    example(&["preprocess/square.png", "families/images/ribbon.png"])
}

fn apart(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, |largest, d| if d <= largest { largest } else { d })
}

#[test]
fn every_view_has_the_features_of_what_is_seen() {
    let opened = Opened::new();
    let (prefiller, example) = (opened.prefiller(), two_images());
    let width = opened.model.config.text.hidden_size;
    let images = opened.pixels(&example);
    let seen = Rows::of(&opened, &images);
    assert_eq!(seen.levels.len(), 2);

    let grey: Vec<PixelValues> = images.iter().map(|image| opened.preprocessor.grey(image.grid).unwrap()).collect();
    let stream = |image: usize| Stream::new(5, "order", &[&image.to_string()]);
    let mut order: Vec<usize> = Vec::new();
    for (i, image) in images.iter().enumerate() {
        let from = order.len();
        let mut own: Vec<usize> = (from..from + image.grid.tokens(2)).collect();
        stream(i).shuffle(&mut own);
        order.extend(own);
    }
    let blind = Example { images: Vec::new(), ..example.clone() };
    let other = Example { images: example.images.iter().rev().cloned().collect(), ..example.clone() };
    let views = [
        ("open", &example, prefiller.prefix(&example).unwrap(), seen.clone()),
        ("grey", &example, prefiller.grey(&example).unwrap(), Rows::of(&opened, &grey)),
        ("shuffled", &example, prefiller.shuffled(&example, stream).unwrap(), seen.in_order(&order, width)),
        ("none", &blind, prefiller.prefix(&blind).unwrap(), Rows::of(&opened, &[])),
        ("other", &other, prefiller.prefix(&other).unwrap(), Rows::of(&opened, &opened.pixels(&other))),
    ];
    for (name, example, prefix, rows) in views {
        let prompt = opened.prompt(example, &prefix);
        let states = opened.states(&prompt, &rows, &[]);
        assert!(apart(&prefix.last_state, states.last().unwrap()) < TOLERANCE, "{name}");
        let mean = |places: &[usize]| -> Vec<f32> {
            (0..width).map(|i| places.iter().map(|at| states[*at][i]).sum::<f32>() / places.len() as f32).collect()
        };
        assert_eq!(prefix.visual_mean.is_some(), !prompt.image_tokens.is_empty(), "{name}");
        if let Some(ours) = &prefix.visual_mean {
            assert!(apart(ours, &mean(&prompt.image_tokens)) < TOLERANCE, "{name}");
            // Without the levels, or with those of another order, it is another state.
            let without = Rows { levels: Vec::new(), ..rows.clone() };
            let none = opened.states(&prompt, &without, &[]);
            assert!(apart(&prefix.last_state, none.last().unwrap()) > 100.0 * TOLERANCE, "{name}");
        }
    }
}

#[test]
fn decoding_adds_nothing_and_sees_what_was_added() {
    let opened = Opened::new();
    let example = two_images();
    let prefix = opened.prefiller().prefix(&example).unwrap();
    let prompt = opened.prompt(&example, &prefix);
    let rows = Rows::of(&opened, &opened.pixels(&example));
    let engine: &dyn Engine = &opened.model;
    let mut decoding = engine.rows(std::slice::from_ref(&prefix.cache)).unwrap();
    // A latent that is the state before it, and one that is an image token's embedding.
    let width = opened.model.config.text.hidden_size;
    let fed = [prefix.last_state.clone(), rows.tokens[width..2 * width].to_vec(), prefix.last_state.clone()];
    let stepped: Vec<Vec<f32>> = fed.iter().map(|x| decoding.step(x, &mut Unwatched).unwrap()).collect();
    let whole = opened.states(&prompt, &rows, &fed);
    for (step, (state, whole)) in stepped.iter().zip(&whole[prompt.len()..]).enumerate() {
        assert!(apart(state, whole) < TOLERANCE, "step {step}");
    }
}

#[test]
fn nothing_is_added_where_a_teachers_latent_stands() {
    let opened = Opened::new();
    let example = two_images();
    let prefix = opened.prefiller().prefix(&example).unwrap();
    let prompt = opened.prompt(&example, &prefix);
    let rows = Rows::of(&opened, &opened.pixels(&example));
    let width = opened.model.config.text.hidden_size;
    let from = [3usize, 4, 1];
    let ids: Vec<u32> = prompt.ids.iter().copied().chain(from.map(|_| 0)).collect();
    let latents: Vec<(usize, usize)> = from.iter().enumerate().map(|(i, row)| (prompt.len() + i, *row)).collect();
    let positions = prompt.positions.iter().copied().chain((0..3).map(|step| [prompt.next_position + step; 3]));
    let layout = PackLayout::single(positions.collect());
    let passage =
        Passage { ids: &ids, layout: &layout, image_tokens: &prompt.image_tokens, features: &*prefix.features, latents: &latents };
    let states = Engine::states(&opened.model, passage).unwrap();
    let fed = from.map(|row| rows.tokens[row * width..][..width].to_vec());
    let whole = opened.states(&prompt, &rows, &fed).concat();
    assert!(apart(&states, &whole) < TOLERANCE);
}
