//! RMSNorm and LayerNorm, with what is added before them.

use prism_cuda::Address;
use prism_cuda::kernels::{LayerNorm, Norm, RmsNorm};

use crate::memory::{Array, Real, assert_close, assert_same, in_all_orders, kept, real, run};
use crate::random::Random;

crate::for_both_kinds! { norms }

const EPS: f64 = 1e-6;

struct Case {
    width: usize,
    x: Vec<f64>,
    added: Option<Vec<f64>>,
    added_bias: Option<Vec<f64>>,
    weight: Vec<f64>,
    bias: Vec<f64>,
    is_layer: bool,
}

impl Case {
    fn random(random: &mut Random, rows: usize, width: usize, flags: usize) -> Self {
        let mut numbers = |count| random.numbers(count);
        Self {
            width,
            x: kept::<f32>(&numbers(rows * width)),
            added: (flags & 1 != 0).then(|| numbers(rows * width)),
            added_bias: (flags & 2 != 0).then(|| numbers(width)),
            weight: numbers(width),
            bias: numbers(width),
            is_layer: flags & 4 != 0,
        }
    }

    fn row(&self, r: usize) -> Self {
        let row = |values: &[f64]| values[r * self.width..(r + 1) * self.width].to_vec();
        let added = self.added.as_deref().map(row);
        Self { x: row(&self.x), added, added_bias: self.added_bias.clone(), weight: self.weight.clone(), bias: self.bias.clone(), ..*self }
    }

    /// The stream after the addition, then the norm.
    fn device<R: Real>(&self) -> Vec<f64> {
        in_all_orders(|order| {
            let mut x = real::<f32>(&self.x);
            let mut y = Array::<R>::poisoned(self.x.len());
            let (mut added, mut added_bias) = (self.added.as_deref().map(real::<R>), self.added_bias.as_deref().map(real::<R>));
            let (mut weight, mut bias) = (real::<R>(&self.weight), real::<R>(&self.bias));
            let address = |array: &mut Option<Array<R>>| array.as_mut().map_or(Address::NONE, Array::address);
            let arguments = Norm {
                x: x.address(),
                added: address(&mut added),
                added_bias: address(&mut added_bias),
                weight: weight.address(),
                bias: bias.address(),
                y: y.address(),
                width: self.width as u32,
                eps: EPS as f32,
            };
            let grid = [(self.x.len() / self.width) as u32, 1, 1];
            match self.is_layer {
                true => run::<LayerNorm>(R::KIND, grid, &arguments, order),
                false => run::<RmsNorm>(R::KIND, grid, &arguments, order),
            }
            [x.values(), y.values()].concat()
        })
    }

    fn expected<R: Real>(&self) -> (Vec<f64>, Vec<f64>) {
        let (weight, bias) = (kept::<R>(&self.weight), kept::<R>(&self.bias));
        let added = self.added.as_deref().map(kept::<R>);
        let added_bias = self.added_bias.as_deref().map(kept::<R>);
        let sum = |i: usize| self.x[i] + added.as_ref().map_or(0.0, |a| a[i]) + added_bias.as_ref().map_or(0.0, |b| b[i % self.width]);
        let x: Vec<f64> = (0..self.x.len()).map(sum).collect();
        let norm = |row: &[f64]| -> Vec<f64> {
            let mean = if self.is_layer { row.iter().sum::<f64>() / row.len() as f64 } else { 0.0 };
            let scale = 1.0 / (row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / row.len() as f64 + EPS).sqrt();
            row.iter().enumerate().map(|(i, x)| (x - mean) * scale * weight[i] + if self.is_layer { bias[i] } else { 0.0 }).collect()
        };
        let y = x.chunks(self.width).flat_map(norm).collect();
        (x, y)
    }
}

fn norms<R: Real>() {
    let mut random = Random(1);
    for (rows, width) in [(1, 1), (1, 7), (3, 64), (2, 255), (5, 257), (2, 2048), (1, 3584)] {
        for flags in 0..8 {
            let case = Case::random(&mut random, rows, width, flags);
            let what = format!("{rows} x {width}, {flags}");
            let got = case.device::<R>();
            let (x, y) = case.expected::<R>();
            assert_close(&got[..x.len()], &x, 1e-6, 1e-6, &what);
            assert_close(&got[x.len()..], &y, R::STEP, 1e-5, &what);
            for r in 0..rows {
                let alone = case.row(r).device::<R>();
                let among = [&got[r * width..(r + 1) * width], &got[x.len() + r * width..x.len() + (r + 1) * width]].concat();
                assert_same(&alone, &among, &what);
            }
        }
    }
}
