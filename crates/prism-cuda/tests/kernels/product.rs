//! The matrix product for checks.

use prism_cuda::Address;
use prism_cuda::kernels::{self, MatrixProduct};

use crate::memory::{Array, Real, assert_close, assert_same, in_all_orders, kept, real, run};
use crate::random::Random;

crate::for_both_kinds! { products }

/// Product and sum of `x [rows, inner]` and `weight [columns, inner]`.
fn device<R: Real>(x: &[f64], weight: &[f64], sum: &[f64], inner: usize) -> Vec<f64> {
    let (rows, columns) = (x.len() / inner, weight.len() / inner);
    in_all_orders(|order| {
        let (mut x, mut weight, mut sum, mut y) = (real::<R>(x), real::<R>(weight), real::<f32>(sum), Array::<R>::poisoned(rows * columns));
        let mut arguments = kernels::Product {
            x: x.address(),
            weight: weight.address(),
            y: y.address(),
            sum: Address::NONE,
            rows: rows as u32,
            inner: inner as u32,
            columns: columns as u32,
            x_stride: inner as u32,
            y_stride: columns as u32,
        };
        let grid = [(rows as u32).div_ceil(16), (columns as u32).div_ceil(16), 1];
        run::<MatrixProduct>(R::KIND, grid, &arguments, order);
        (arguments.y, arguments.sum) = (Address::NONE, sum.address());
        run::<MatrixProduct>(R::KIND, grid, &arguments, order);
        [y.values(), sum.values()].concat()
    })
}

fn products<R: Real>() {
    let mut random = Random(10);
    for [rows, inner, columns] in [[1, 1, 1], [1, 33, 17], [16, 16, 16], [19, 100, 5], [3, 257, 40]] {
        let (x, weight) = (random.numbers(rows * inner), random.numbers(columns * inner));
        let sum = kept::<f32>(&random.numbers(rows * columns));
        let got = device::<R>(&x, &weight, &sum, inner);
        let (kept_x, kept_weight) = (kept::<R>(&x), kept::<R>(&weight));
        let dot = |i: usize| (0..inner).map(|k| kept_x[i / columns * inner + k] * kept_weight[i % columns * inner + k]).sum::<f64>();
        let wanted: Vec<f64> = (0..rows * columns).map(dot).collect();
        let added: Vec<f64> = wanted.iter().zip(&sum).map(|(a, b)| a + b).collect();
        assert_close(&got[..wanted.len()], &wanted, R::STEP, 2e-5, "product");
        assert_close(&got[wanted.len()..], &added, 1e-6, 2e-5, "sum");
        for r in 0..rows {
            let of = |values: &[f64]| values[r * columns..(r + 1) * columns].to_vec();
            let alone = device::<R>(&x[r * inner..(r + 1) * inner], &weight, &of(&sum), inner);
            assert_same(&alone, &[of(&got[..wanted.len()]), of(&got[wanted.len()..])].concat(), "alone");
        }
    }
}
