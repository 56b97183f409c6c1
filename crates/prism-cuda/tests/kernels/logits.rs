//! What is noted of logits.

use prism_cuda::kernels::{self, Noted};

use crate::memory::{Array, Real, assert_close, assert_same, in_all_orders, run};
use crate::random::Random;

crate::for_both_kinds! { notes }

/// Best, finite, normalizer and log-probabilities of rows.
fn device<R: Real>(logits: &[f32], vocab: usize, options: &[u32]) -> Vec<f64> {
    let rows = logits.len() / vocab;
    in_all_orders(|order| {
        let (mut l, mut o) = (Array::of(logits), Array::of(options));
        let (mut best, mut finite) = (Array::<u32>::poisoned(rows), Array::<u32>::poisoned(rows));
        let (mut normalizer, mut logprobs) = (Array::<f32>::poisoned(rows), Array::<f32>::poisoned(options.len()));
        let arguments = kernels::Note {
            logits: l.address(),
            options: o.address(),
            best: best.address(),
            finite: finite.address(),
            normalizer: normalizer.address(),
            option_logprobs: logprobs.address(),
            vocab: vocab as u32,
            count: (options.len() / rows) as u32,
        };
        run::<Noted>(R::KIND, [rows as u32, 1, 1], &arguments, order);
        let whole = [best.read(), finite.read()].concat();
        whole.iter().map(|&x| f64::from(x)).chain(normalizer.values()).chain(logprobs.values()).collect()
    })
}

fn notes<R: Real>() {
    let mut random = Random(9);
    for (rows, vocab, count) in [(1, 1, 1), (3, 100, 4), (2, 257, 0), (4, 5003, 300)] {
        let mut logits: Vec<f32> = random.numbers(rows * vocab).iter().map(|x| (x * 20.0) as f32).collect();
        // The largest twice: the first counts.
        if let Some([early, late]) = (vocab > 50).then_some([vocab / 3, vocab / 2]) {
            (logits[early], logits[late]) = (30.0, 30.0);
        }
        let mut options: Vec<u32> = (0..rows * count).map(|_| random.below(0..vocab) as u32).collect();
        if let Some(last) = options.last_mut() {
            *last = kernels::NONE;
        }
        let got = device::<R>(&logits, vocab, &options);
        for (r, row) in logits.chunks(vocab).enumerate() {
            let best = row.iter().enumerate().fold(0, |best, (i, x)| if *x > row[best] { i } else { best });
            let normalizer = row.iter().map(|&x| f64::from(x).exp()).sum::<f64>().ln();
            let options = &options[r * count..(r + 1) * count];
            assert_eq!((got[r], got[rows + r]), (best as f64, 1.0));
            assert_close(&[got[2 * rows + r]], &[normalizer], 1e-6, 1e-6, "normalizer");
            let got_options = &got[3 * rows + r * count..3 * rows + (r + 1) * count];
            for (id, logprob) in options.iter().zip(got_options) {
                match row.get(*id as usize) {
                    Some(logit) => assert!((logprob - (f64::from(*logit) - normalizer)).abs() < 1e-5),
                    None => assert_eq!(*logprob, f64::NEG_INFINITY),
                }
            }
            let alone = device::<R>(row, vocab, options);
            assert_same(&alone, &[&[got[r], got[rows + r], got[2 * rows + r]], got_options].concat(), "alone");
        }
    }
}

#[test]
fn what_is_not_finite_is_told() {
    for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut logits = vec![0.5; 700];
        logits[600] = odd;
        logits[3] = 1.0;
        let got = device::<f32>(&logits, 700, &[]);
        assert_eq!((got[0], got[1]), (if odd == f32::INFINITY { 600.0 } else { 3.0 }, 0.0), "{odd}");
    }
    assert_eq!(device::<f32>(&[f32::NAN; 5], 5, &[])[..2], [0.0, 0.0]);
}
