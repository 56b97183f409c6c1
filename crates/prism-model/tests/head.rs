//! The latent heads against PyTorch (`oracle/latent_head.py`).

mod common;

use common::{fixture, tensors_at};
use prism_model::tensor::{Device, Tensor, values};
use prism_model::{LatentHead, Linear, Matrix};

#[test]
fn both_heads_compute_what_pytorch_does() {
    let stored = tensors_at(&fixture("latent_head.safetensors"));
    let tensor = |name: &str| {
        let (shape, values) = &stored[name];
        Tensor::from_slice(values, shape.as_slice(), &Device::Cpu).unwrap()
    };
    let pair = |name: &str| (tensor(&format!("lvr_head.{name}.weight")), tensor(&format!("lvr_head.{name}.bias")));
    let linear = |name: &str| {
        let (weight, bias) = pair(name);
        Linear { weight: Matrix::Tensor(weight), bias: Some(bias) }
    };
    let simple = LatentHead::Simple { norm: pair("ln_q"), first: linear("mlp.0"), second: linear("mlp.2") };
    let glu = LatentHead::Glu { gate: linear("gate_proj"), up: linear("up_proj"), down: linear("down_proj") };
    for (name, head) in [("simple", simple), ("glu", glu)] {
        let got = values(&head.forward(&tensor("h")).unwrap()).unwrap();
        let worst = got.iter().zip(&stored[name].1).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-6, "{name}: {worst:e}");
    }
}
