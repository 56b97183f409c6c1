//! The vision tower against transformers (`oracle/vision_features.py`).

mod common;

use prism_model::Model;
use prism_model::preprocess::{Grid, PixelValues};
use prism_model::tensor::{self, DType, Device, Trainable};

struct Fixture {
    images: Vec<PixelValues>,
    features: Vec<f32>,
    norms: Vec<(String, f64)>,
}

fn fixture() -> Fixture {
    let tensors = common::tensors_at(&common::fixture("vision_features.safetensors"));
    let (shape, table) = &tensors["table"];
    let patches: Vec<&[f32]> = tensors["rows"].1.iter().map(|row| &table[*row as usize * shape[1]..][..shape[1]]).collect();
    let mut at = 0;
    let images = tensors["grids"].1.chunks(3).map(|grid| {
        let grid = Grid { t: grid[0] as usize, h: grid[1] as usize, w: grid[2] as usize };
        let values = patches[at..at + grid.patches()].concat();
        at += grid.patches();
        PixelValues { values, grid }
    });
    let norms = tensors.iter().filter_map(|(name, (_, v))| Some((name.strip_prefix("norm.")?.to_owned(), f64::from(v[0]))));
    Fixture { images: images.collect(), features: tensors["features"].1.clone(), norms: norms.collect() }
}

fn open(training: Trainable) -> Model {
    Model::open(&common::golden("checkpoints/base"), &Device::Cpu, DType::F32, training).unwrap()
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max)
}

#[test]
fn features_equal_the_reference_for_every_shape() {
    let fixture = fixture();
    let model = open(Trainable::No);
    let features = tensor::values(model.image_features(&fixture.images).unwrap().tokens()).unwrap();
    let difference = largest_difference(&features, &fixture.features);
    println!("largest difference {difference:e}");
    assert!(difference < 1e-5, "{difference}");
}

#[test]
fn an_image_does_not_see_the_others() {
    let fixture = fixture();
    let model = open(Trainable::No);
    let together = tensor::values(model.image_features(&fixture.images).unwrap().tokens()).unwrap();
    let alone: Vec<f32> = fixture
        .images
        .iter()
        .flat_map(|image| tensor::values(model.image_features(std::slice::from_ref(image)).unwrap().tokens()).unwrap())
        .collect();
    let difference = largest_difference(&together, &alone);
    assert!(difference < 1e-5, "{difference}");
}

#[test]
fn every_parameter_of_the_tower_gets_its_gradient() {
    let fixture = fixture();
    let model = open(Trainable::All);
    let loss = model.image_features(&fixture.images).unwrap().tokens().sqr().unwrap().mean_all().unwrap();
    let gradients = loss.backward().unwrap();
    let parameters = model.parameters();
    assert_eq!(fixture.norms.len(), parameters.iter().filter(|(name, _)| name.starts_with("model.visual.")).count());
    for (name, expected) in &fixture.norms {
        let (_, variable) = parameters.iter().find(|(n, _)| n == &format!("model.visual.{name}")).unwrap();
        let gradient = gradients.get(variable).unwrap_or_else(|| panic!("{name} has no gradient"));
        let norm = tensor::values(gradient).unwrap().iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        assert!((norm - expected).abs() <= 1e-4 * expected + 1e-9, "{name}: {norm} against {expected}");
    }
}

#[test]
fn pixels_of_another_shape_are_refused() {
    let model = open(Trainable::No);
    let image = |values: usize, h: usize, w: usize| PixelValues { values: vec![0.0; values], grid: Grid { t: 1, h, w } };
    for wrong in [vec![], vec![image(100, 2, 2)], vec![image(3 * 2 * 1176, 3, 2)], vec![image(0, 0, 2)]] {
        assert!(model.image_features(&wrong).is_err());
    }
}
