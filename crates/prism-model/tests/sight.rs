//! What control arms may see, and latents of the model's own, against Hugging Face
//! transformers with masks and passes written out (`oracle/sight.py`), and against a
//! decode that grows the sequence latent by latent.

mod common;

use std::path::PathBuf;

use prism_model::sight::{Kind, hidden};
use prism_model::tensor::{DType, Device, Tensor, Trainable, values};
use prism_model::{Config, Gradients, Model, PackLayout, ops};
use prism_run::Sight;
use safetensors::SafeTensors;
use serde_json::Value;

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).unwrap()
}

fn floats(file: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    bytemuck::pod_collect_to_vec(file.tensor(name).unwrap().data())
}

fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max)
}

fn kind(name: &Value) -> Kind {
    match name.as_str().unwrap() {
        "image" => Kind::Image,
        "start" => Kind::BlockStart,
        "latent" => Kind::Latent,
        _ => Kind::Other,
    }
}

fn at(kinds: &[Kind], kind: Kind) -> Vec<u32> {
    kinds.iter().zip(0u32..).filter(|(k, _)| **k == kind).map(|(_, i)| i).collect()
}

#[test]
fn states_and_gradients_agree_with_transformers() {
    let told: Value = serde_json::from_slice(&fixture("sight.json")).unwrap();
    let (expected, inputs) = (fixture("sight.safetensors"), fixture("text_lvr.safetensors"));
    let (expected, inputs) = (SafeTensors::deserialize(&expected).unwrap(), SafeTensors::deserialize(&inputs).unwrap());
    let kinds: Vec<Kind> = told["kinds"].as_array().unwrap().iter().map(kind).collect();
    let latents = at(&kinds, Kind::Latent);
    let model = Model::open(&common::golden("checkpoints/lvr"), &Device::Cpu, DType::F32, Trainable::Text).unwrap();
    let pack: Value = serde_json::from_slice(&std::fs::read(common::golden("expected/train_lvr.json")).unwrap()).unwrap();
    let numbers = |key: &str| pack[0][key].as_array().unwrap().iter().map(|v| v.as_i64().unwrap()).collect::<Vec<_>>();
    let ids: Vec<u32> = numbers("input_ids").into_iter().map(|id| id as u32).collect();
    let counted = numbers("labels").into_iter().zip(&kinds).map(|(l, k)| u32::try_from(l).ok().filter(|_| *k != Kind::Latent));
    let labels: Vec<Option<u32>> = counted.skip(1).chain([None]).collect();
    let width = model.config.text.hidden_size;
    let matrix = |name: &str| {
        let v = floats(&inputs, name);
        Tensor::from_slice(&v, (v.len() / width, width), &Device::Cpu).unwrap()
    };
    let positions: Vec<i64> = bytemuck::pod_collect_to_vec(inputs.tensor("positions").unwrap().data());
    let positions: Vec<[u32; 3]> = positions.chunks(3).map(|p| [p[0] as u32, p[1] as u32, p[2] as u32]).collect();
    let targets = matrix("embeds").index_select(&Tensor::new(latents.as_slice(), &Device::Cpu).unwrap(), 0).unwrap();

    for (case, sight, own) in [
        ("bottleneck", Sight::Bottleneck, false),
        ("blindfold", Sight::Blindfold, false),
        ("open-own", Sight::Open, true),
        ("bottleneck-own", Sight::Bottleneck, true),
    ] {
        let layout = PackLayout::single(positions.clone()).with_hidden(hidden(sight, &kinds));
        let embeds = ops::replace_rows(&model.embed(&ids).unwrap(), &at(&kinds, Kind::Image), &matrix("features")).unwrap();
        let states = match own {
            true => model.forward_feeding(&embeds, &layout, std::slice::from_ref(&latents)).unwrap(),
            false => model.forward(&ops::replace_rows(&embeds, &latents, &targets).unwrap(), &layout).unwrap(),
        };
        let d = distance(&values(&states).unwrap(), &floats(&expected, &format!("{case}.hidden")));
        assert!(d < 1e-4, "{case}: hidden states differ by {d}");
        let loss = ops::cross_entropy(&states, model.text.lm_head.tensor().unwrap(), &labels).unwrap();
        let (got, told) = (f64::from(loss.to_scalar::<f32>().unwrap()), &told["cases"][case]);
        assert!((got / told["loss"].as_f64().unwrap() - 1.0).abs() < 1e-5, "{case}: loss {got}");
        let mut gradients = Gradients::new(&model.parameters());
        gradients.backward(&loss).unwrap();
        let mut whole = 0;
        for i in 0..gradients.len() {
            let name = gradients.name(i);
            let short = name.trim_start_matches("model.language_model.");
            let norm = told["grad_norm"][short].as_f64().unwrap_or_else(|| panic!("{name}"));
            assert!((gradients.norm(i) / norm - 1.0).abs() < 1e-3, "{case}, {name}: {} against {norm}", gradients.norm(i));
            if let Ok(view) = expected.tensor(&format!("{case}.{short}")) {
                let expected: Vec<f32> = bytemuck::pod_collect_to_vec(view.data());
                let scale = expected.iter().fold(0f32, |m, v| m.max(v.abs()));
                assert!(distance(gradients.get(i).unwrap(), &expected) < 1e-3 * scale, "{case}: gradient of {name}");
                whole += 1;
            }
        }
        assert_eq!(whole, 4, "{case}");
    }
}

/// A small random model, and a pack of three sequences with four, no and two latents.
struct Case {
    model: Model,
    ids: Vec<u32>,
    lengths: Vec<usize>,
    chains: Vec<Vec<u32>>,
    kinds: Vec<Vec<Kind>>,
}

impl Case {
    fn new() -> Self {
        use Kind::{BlockStart as S, Image as I, Latent as L, Other as O};
        let config = Config::tiny().with([("initializer_range".to_owned(), 0.2.into())]).unwrap();
        let kinds: Vec<Vec<Kind>> =
            vec![vec![O, I, I, I, O, O, S, L, L, L, L, O, O], vec![O, I, I, O, O], vec![O, I, I, O, S, L, O, O, S, L, O, O]];
        let lengths: Vec<usize> = kinds.iter().map(Vec::len).collect();
        let mut start = 0;
        let chain = |kinds: &Vec<Kind>| {
            let rows = at(kinds, L).into_iter().map(|i| i + start).collect();
            start += kinds.len() as u32;
            rows
        };
        let chains = kinds.iter().map(chain).collect();
        let ids = (0..lengths.iter().sum::<usize>() as u32).map(|i| i * 17 % 47).collect();
        Self { model: Model::random(config, 4, &Device::Cpu, Trainable::Text).unwrap(), ids, lengths, chains, kinds }
    }

    fn sequence(&self, s: usize, length: usize, sight: Sight) -> PackLayout {
        let positions = (0..length as u32).map(|p| [p; 3]).collect();
        PackLayout::single(positions).with_hidden(hidden(sight, &self.kinds[s][..length]))
    }

    fn pack(&self, sight: Sight) -> PackLayout {
        let mut pack = PackLayout::default();
        for (s, length) in self.lengths.iter().enumerate() {
            let one = self.sequence(s, *length, sight);
            pack.push_hidden(&one.positions, &one.hidden);
        }
        pack
    }

    /// Gradients of every parameter for some loss of the states.
    fn gradients(&self, states: &Tensor) -> Vec<Vec<f32>> {
        let labels: Vec<Option<u32>> = self.ids.iter().map(|id| Some((id * 5 + 3) % 64)).collect();
        let loss = ops::cross_entropy(states, self.model.text.lm_head.tensor().unwrap(), &labels).unwrap();
        let mut gradients = Gradients::new(&self.model.parameters());
        gradients.backward(&loss).unwrap();
        (0..gradients.len()).map(|i| gradients.get(i).unwrap().to_vec()).collect()
    }
}

/// Piece by piece equals a decode of each sequence that prefills it anew for every latent.
#[test]
fn own_latents_are_those_of_a_growing_prefill() {
    let case = Case::new();
    let width = case.model.config.text.hidden_size;
    for sight in Sight::ALL {
        let embeds = case.model.embed(&case.ids).unwrap();
        let states = values(&case.model.forward_feeding(&embeds, &case.pack(sight), &case.chains).unwrap()).unwrap();
        let mut first = 0;
        for (s, &length) in case.lengths.iter().enumerate() {
            let mut own = embeds.narrow(0, first, length).unwrap().detach();
            for row in case.chains[s].iter().map(|&row| row as usize - first) {
                let (states, _) = case.model.prefill(&own.narrow(0, 0, row).unwrap(), &case.sequence(s, row, sight)).unwrap();
                own = ops::replace_rows(&own, &[row as u32], &states.narrow(0, row - 1, 1).unwrap()).unwrap();
            }
            let (alone, _) = case.model.prefill(&own, &case.sequence(s, length, sight)).unwrap();
            let d = distance(&values(&alone).unwrap(), &states[first * width..(first + length) * width]);
            assert!(d < 1e-5, "{sight}, sequence {s}: {d}");
            first += length;
        }
    }
}

/// One pass with shared keys and values gives the states and gradients of K + 1 whole passes.
#[test]
fn pieces_equal_whole_passes_with_their_gradients() {
    let case = Case::new();
    for sight in Sight::ALL {
        let pack = case.pack(sight);
        let pieces = case.model.forward_feeding(&case.model.embed(&case.ids).unwrap(), &pack, &case.chains).unwrap();
        let mut embeds = case.model.embed(&case.ids).unwrap();
        for step in 0..4 {
            let latents: Vec<u32> = case.chains.iter().filter_map(|chain| chain.get(step)).copied().collect();
            let before: Vec<u32> = latents.iter().map(|row| row - 1).collect();
            let states = case.model.forward(&embeds, &pack).unwrap();
            let fed = states.index_select(&Tensor::new(before, &Device::Cpu).unwrap(), 0).unwrap();
            embeds = ops::replace_rows(&embeds, &latents, &fed).unwrap();
        }
        let whole = case.model.forward(&embeds, &pack).unwrap();
        assert!(distance(&values(&pieces).unwrap(), &values(&whole).unwrap()) < 1e-5, "{sight}");
        for (a, b) in case.gradients(&pieces).iter().zip(case.gradients(&whole)) {
            let scale = b.iter().fold(1e-3f32, |m, v| m.max(v.abs()));
            let d = distance(a, &b);
            assert!(d < 2e-5 * scale, "{sight}: {d} of {scale}");
        }
    }
}

#[test]
fn latent_rows_that_do_not_fit_are_refused() {
    let case = Case::new();
    let embeds = case.model.embed(&case.ids).unwrap();
    for chains in [vec![vec![7]], vec![vec![0], vec![], vec![]], vec![vec![8, 7], vec![], vec![]], vec![vec![], vec![7], vec![]]] {
        let error = case.model.forward_feeding(&embeds, &case.pack(Sight::Open), &chains).unwrap_err().to_string();
        assert!(error.contains("latent rows"), "{error}");
    }
}
