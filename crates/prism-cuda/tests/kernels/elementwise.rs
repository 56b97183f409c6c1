//! Activations, biases, moved rows and conversions.

use prism_cuda::Address;
use prism_cuda::kernels::{
    self, Activation, ActivationKind, BiasAdded, Narrow, RowsAdded, RowsMoved, RowsToStream, SiluTimesUp, Widen, over_rows,
};

use crate::memory::{Array, Bf16, Real, assert_close, assert_same, in_all_orders, kept, real, run};
use crate::random::Random;

crate::for_both_kinds! { activations products_of_gates rows_that_move conversions }

const SHAPES: [(usize, usize); 5] = [(1, 1), (3, 7), (2, 1024), (1, 1025), (4, 2500)];

/// The error function by its series, for |x| < 4.
fn erf(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for n in 1..120 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * 2.0 / std::f64::consts::PI.sqrt()
}

fn expected(kind: ActivationKind, x: f64) -> f64 {
    match kind {
        ActivationKind::Identity => x,
        ActivationKind::Gelu => 0.5 * x * (1.0 + erf(x / std::f64::consts::SQRT_2)),
        ActivationKind::GeluTanh => 0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh()),
        ActivationKind::QuickGelu => x / (1.0 + (-1.702 * x).exp()),
        ActivationKind::Silu => x / (1.0 + (-x).exp()),
    }
}

fn activations<R: Real>() {
    use ActivationKind::{Gelu, GeluTanh, Identity, QuickGelu, Silu};
    let mut random = Random(2);
    for (rows, width) in SHAPES {
        for (kind, has_bias) in [(Identity, true), (Gelu, false), (Gelu, true), (GeluTanh, true), (QuickGelu, true), (Silu, false)] {
            let values: Vec<f64> = random.numbers(rows * width).iter().map(|x| 4.0 * x).collect();
            let bias = random.numbers(width);
            let got = in_all_orders(|order| {
                let (mut x, mut bias) = (real::<R>(&values), real::<R>(&bias));
                let bias = if has_bias { bias.address() } else { Address::NONE };
                let arguments = kernels::Activate { x: x.address(), bias, width: width as u32, kind };
                run::<Activation>(R::KIND, over_rows(rows as u32, width as u32), &arguments, order);
                x.values()
            });
            let bias = kept::<R>(&bias);
            let x = kept::<R>(&values);
            let wanted: Vec<f64> = (0..x.len()).map(|i| expected(kind, x[i] + if has_bias { bias[i % width] } else { 0.0 })).collect();
            assert_close(&got, &wanted, R::STEP, 2e-6, &format!("{kind:?} {rows} x {width}"));
        }
    }
}

fn products_of_gates<R: Real>() {
    let mut random = Random(3);
    for (rows, inner) in SHAPES {
        for has_bias in [false, true] {
            let (values, bias) = (random.numbers(rows * 2 * inner), random.numbers(2 * inner));
            let device = |values: &[f64]| {
                in_all_orders(|order| {
                    let (mut gate_up, mut bias, mut y) = (real::<R>(values), real::<R>(&bias), Array::<R>::poisoned(values.len() / 2));
                    let bias = if has_bias { bias.address() } else { Address::NONE };
                    let arguments = kernels::SiluTimes { gate_up: gate_up.address(), bias, y: y.address(), inner: inner as u32 };
                    run::<SiluTimesUp>(R::KIND, over_rows((values.len() / (2 * inner)) as u32, inner as u32), &arguments, order);
                    y.values()
                })
            };
            let got = device(&values);
            let (x, b) = (kept::<R>(&values), kept::<R>(&bias));
            let with_bias = |row: usize, i: usize| x[row * 2 * inner + i] + if has_bias { b[i] } else { 0.0 };
            let of = |i: usize| expected(ActivationKind::Silu, with_bias(i / inner, i % inner)) * with_bias(i / inner, inner + i % inner);
            assert_close(&got, &(0..rows * inner).map(of).collect::<Vec<_>>(), R::STEP, 2e-6, &format!("{rows} x {inner}"));
            for r in 0..rows {
                assert_same(&device(&values[r * 2 * inner..(r + 1) * 2 * inner]), &got[r * inner..(r + 1) * inner], "alone");
            }
        }
    }
}

fn rows_that_move<R: Real>() {
    let mut random = Random(4);
    for (rows, width) in SHAPES {
        let (table, stream) = (random.numbers(9 * width), kept::<f32>(&random.numbers(11 * width)));
        // The second row stays as it is.
        let sources: Vec<u32> = (0..rows).map(|r| if r == 1 { kernels::NONE } else { (7 * r as u32 + 2) % 9 }).collect();
        let targets: Vec<u32> = (0..rows).map(|r| (10 - 2 * r) as u32).collect();
        let (grid, w) = (over_rows(rows as u32, width as u32), width as u32);
        let kept_table = kept::<R>(&table);

        let got = in_all_orders(|order| {
            let (mut x, mut table) = (real::<f32>(&stream), real::<R>(&table));
            let (mut sources, mut targets) = (Array::of(&sources), Array::of(&targets));
            let arguments = kernels::ToStream {
                x: x.address(),
                table: table.address(),
                sources: sources.address(),
                targets: targets.address(),
                width: w,
            };
            run::<RowsToStream>(R::KIND, grid, &arguments, order);
            x.values()
        });
        let mut wanted = stream.clone();
        for (&source, &target) in sources.iter().zip(&targets).filter(|(source, _)| **source != kernels::NONE) {
            wanted[target as usize * width..][..width].copy_from_slice(&kept_table[source as usize * width..][..width]);
        }
        assert_same(&got, &wanted, "to the stream");

        let got = in_all_orders(|order| {
            let (mut x, mut values, mut rows) = (real::<f32>(&stream), real::<R>(&table[..rows.min(9) * width]), Array::of(&targets));
            run::<RowsAdded>(
                R::KIND,
                grid,
                &kernels::AddRows { x: x.address(), values: values.address(), rows: rows.address(), width: w },
                order,
            );
            x.values()
        });
        let mut wanted = stream.clone();
        for (r, &target) in targets.iter().enumerate() {
            (0..width).for_each(|i| wanted[target as usize * width + i] += kept_table[r * width + i]);
        }
        assert_close(&got, &wanted, 1e-7, 1e-7, "added rows");

        let got = in_all_orders(|order| {
            let (mut x, mut bias) = (real::<f32>(&stream), real::<R>(&table[..width]));
            run::<BiasAdded>(R::KIND, over_rows(11, w), &kernels::AddBias { x: x.address(), bias: bias.address(), width: w }, order);
            x.values()
        });
        let wanted: Vec<f64> = stream.iter().enumerate().map(|(i, x)| x + kept_table[i % width]).collect();
        assert_close(&got, &wanted, 1e-7, 1e-7, "added bias");

        // Into every second row; the rows between keep their poison.
        let stride = 2 * width as u32;
        let got = in_all_orders(|order| {
            let (mut to, mut from, mut sources) = (Array::<R>::poisoned(rows * 2 * width), real::<R>(&table), Array::of(&sources));
            let (to_, from_) = (to.address(), from.address());
            let arguments = kernels::MoveRows {
                to: to_,
                from: from_,
                sources: sources.address(),
                targets: Address::NONE,
                width: w,
                to_stride: stride,
                from_stride: w,
            };
            run::<RowsMoved>(R::KIND, grid, &arguments, order);
            to.values()
        });
        for (r, row) in got.chunks(2 * width).enumerate() {
            let (written, between) = row.split_at(width);
            assert!(between.iter().all(|x| x.is_nan()));
            match sources[r] {
                kernels::NONE => assert!(written.iter().all(|x| x.is_nan())),
                source => assert_same(written, &kept_table[source as usize * width..][..width], "moved rows"),
            }
        }
    }
}

fn conversions<R: Real>() {
    let mut random = Random(5);
    // Ties, the largest numbers, the smallest, infinities, and what is none.
    let odd =
        [0.0, -0.0, f32::MAX, f32::MIN_POSITIVE, 1e-42, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1.0 + 1.0 / 256.0, 1.0 + 3.0 / 256.0];
    for count in [1, 1023, 1025, 3000] {
        let mut values: Vec<f32> = random.numbers(count).iter().map(|x| (x * 1e3) as f32).collect();
        values.iter_mut().zip(odd).for_each(|(value, odd)| *value = odd);
        let blocks = [(count as u32).div_ceil(kernels::STRETCH), 1, 1];
        let got = in_all_orders(|order| {
            let (mut from, mut narrow, mut wide) = (Array::of(&values), Array::<R>::poisoned(count), Array::<f32>::poisoned(count));
            let count = count as u64;
            run::<Narrow>(R::KIND, blocks, &kernels::Convert { from: from.address(), to: narrow.address(), count }, order);
            run::<Widen>(R::KIND, blocks, &kernels::Convert { from: narrow.address(), to: wide.address(), count }, order);
            wide.values()
        });
        let wanted: Vec<f64> = values.iter().map(|&x| R::of(f64::from(x)).value()).collect();
        assert!(got.iter().zip(&wanted).all(|(g, w)| g == w || (g.is_nan() && w.is_nan())));
    }
}

#[test]
fn the_tests_own_bf16_rounds_ties_to_even() {
    let rounded = |x: f64| Bf16::of(x).value();
    assert_eq!([1.0 + 1.0 / 256.0, 1.0 + 3.0 / 256.0, -1.0 - 1.0 / 256.0].map(rounded), [1.0, 1.0 + 4.0 / 256.0, -1.0]);
}
