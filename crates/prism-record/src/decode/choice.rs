//! From logits to the token that is said: penalties that read the sequence so far, and sampling.
//!
//! The order and the arithmetic are those of transformers: repetition penalty, repeated n-grams,
//! suppressed tokens; then, where a branch samples, temperature, top-k, top-p and min-p. Greedy
//! decoding takes the largest of what is left, the first of equals.

use std::collections::HashSet;
use std::sync::Arc;

use prism_model::generation::{Generation, Sampling};
use prism_run::Stage;
use prism_run::random::Stream;

use super::block_begin_end::Place;
use super::trajectory::Trajectory;

/// What a clean run appended at its latent forwards, by stage and step: what a penalty sees in the place
/// of a branch's own block tokens. Otherwise an exchange of latents would reach the answer through the
/// tokens that the block happened to say, not through what the latents hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlockTokens {
    context: Vec<Option<u32>>,
    target: Vec<Option<u32>>,
}

impl BlockTokens {
    /// Those of a run.
    pub fn of(run: &Trajectory) -> Self {
        let of = |stage| run.latent_forwards().filter(|(place, _)| place.stage == stage).map(|(_, forward)| forward.appended).collect();
        Self { context: of(Stage::Context), target: of(Stage::Target) }
    }

    fn at(&self, place: Place) -> Option<u32> {
        let tokens = if place.stage == Stage::Context { &self.context } else { &self.target };
        tokens.get(place.step).copied().flatten()
    }
}

/// The sequence as penalties see it.
#[derive(Debug, Clone, Default)]
pub(super) struct History {
    tokens: Vec<u32>,
    seen: HashSet<u32>,
    /// Of another run, in the place of what this one appends at its latent forwards.
    block: Option<Arc<BlockTokens>>,
}

impl History {
    /// That of a prompt.
    pub fn of(prompt: &[u32], block: Option<Arc<BlockTokens>>) -> Self {
        Self { tokens: prompt.to_vec(), seen: prompt.iter().copied().collect(), block }
    }

    /// A forward at `place`, none for one that read a token, appended `token`.
    pub fn push(&mut self, token: u32, place: Option<Place>) {
        let given = place.zip(self.block.as_ref()).and_then(|(place, block)| block.at(place));
        let token = given.unwrap_or(token);
        self.tokens.push(token);
        self.seen.insert(token);
    }
}

/// The token that is said, other than the likeliest of the plain logits. `first` at the first one of a sequence;
/// `draw` where it is sampled.
pub(super) fn choose(logits: &[f32], settings: &Generation, history: &History, first: bool, draw: Option<&mut Stream>) -> u32 {
    let scores = scores(logits, settings, history, first);
    match draw {
        Some(stream) => sample(&scores, &settings.sampling, stream.uniform()),
        None => argmax(&scores),
    }
}

/// Logits after penalties and what is forbidden.
fn scores(logits: &[f32], settings: &Generation, history: &History, first: bool) -> Vec<f32> {
    let mut scores = logits.to_vec();
    penalise(&mut scores, settings.repetition_penalty as f32, &history.seen);
    forbid(&mut scores, repeated(&history.tokens, settings.no_repeat_ngram_size));
    forbid(&mut scores, settings.suppress_tokens.iter().copied());
    if first {
        forbid(&mut scores, settings.begin_suppress_tokens.iter().copied());
    }
    scores
}

/// Index of the largest value, the first of equals; not-a-number never wins.
pub(super) fn argmax(values: &[f32]) -> u32 {
    let mut best = (0usize, f32::NEG_INFINITY);
    for (i, &value) in values.iter().enumerate() {
        if value > best.1 {
            best = (i, value);
        }
    }
    best.0 as u32
}

fn penalise(scores: &mut [f32], penalty: f32, seen: &HashSet<u32>) {
    if penalty != 1.0 {
        for token in seen {
            if let Some(score) = scores.get_mut(*token as usize) {
                *score = if *score < 0.0 { *score * penalty } else { *score / penalty };
            }
        }
    }
}

fn forbid(scores: &mut [f32], tokens: impl IntoIterator<Item = u32>) {
    for token in tokens {
        if let Some(score) = scores.get_mut(token as usize) {
            *score = f32::NEG_INFINITY;
        }
    }
}

/// Tokens that would complete an n-gram that stands in the sequence already.
fn repeated(tokens: &[u32], n: usize) -> Vec<u32> {
    if n == 0 || tokens.len() + 1 < n {
        return Vec::new();
    }
    let tail = &tokens[tokens.len() + 1 - n..];
    tokens.windows(n).filter(|gram| gram.starts_with(tail)).filter_map(|gram| gram.last().copied()).collect()
}

/// The token at `draw` (uniform in 0..1) of the distribution that is left, ids in rising order.
fn sample(scores: &[f32], sampling: &Sampling, draw: f64) -> u32 {
    let weights = weights(scores, sampling);
    let total: f64 = weights.iter().sum();
    let mut left = draw * total;
    let mut last = 0;
    for (token, &weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
        last = token;
        left -= weight;
        if left < 0.0 {
            break;
        }
    }
    last as u32
}

/// The distribution that is left, up to a factor.
fn weights(scores: &[f32], sampling: &Sampling) -> Vec<f64> {
    let scaled: Vec<f64> = scores.iter().map(|&score| f64::from(score) / sampling.temperature).collect();
    let most = scaled.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut weights: Vec<f64> = scaled.iter().map(|score| (score - most).exp()).collect();
    keep(&mut weights, sampling);
    weights
}

/// Takes out what top-k, top-p and min-p take out, in this order; at least one token stays.
fn keep(weights: &mut [f64], sampling: &Sampling) {
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by(|a, b| weights[*b].total_cmp(&weights[*a]).then(a.cmp(b)));
    if sampling.top_k > 0
        && let Some(kth) = order.get(sampling.top_k.min(order.len()).saturating_sub(1)).map(|token| weights[*token])
    {
        weights.iter_mut().filter(|weight| **weight < kth).for_each(|weight| *weight = 0.0);
    }
    if sampling.top_p < 1.0 {
        let total: f64 = weights.iter().sum();
        let mut rest = total;
        // From the least likely up, as long as what is taken out is at most 1 - p.
        for token in order.iter().skip(1).rev() {
            rest -= weights[*token];
            if total - rest > (1.0 - sampling.top_p) * total {
                break;
            }
            weights[*token] = 0.0;
        }
    }
    if sampling.min_p > 0.0 {
        let least = sampling.min_p * weights.iter().copied().fold(0.0, f64::max);
        weights.iter_mut().filter(|weight| **weight < least).for_each(|weight| *weight = 0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Generation {
        Generation { repetition_penalty: 2.0, ..Generation::plain() }
    }

    #[test]
    fn argmax_takes_the_first_of_equals() {
        assert_eq!(argmax(&[1.0, 3.0, 3.0, f32::NAN]), 1);
        assert_eq!(argmax(&[]), 0);
    }

    #[test]
    fn a_penalty_divides_above_0_and_multiplies_below() {
        let history = History::of(&[1, 2, 1], None);
        assert_eq!(choose(&[1.0, 1.9, -5.0, -1.0], &settings(), &history, false, None), 0);
        assert_eq!(choose(&[-3.0, -2.0, -1.0, -1.5], &settings(), &history, false, None), 3);
        assert_eq!(choose(&[1.0, 1.9], &Generation::plain(), &history, false, None), 1);
    }

    #[test]
    fn repeated_n_grams_and_suppressed_tokens_are_not_said() {
        let history = History::of(&[3, 1, 2, 3, 1], None);
        let trigram = Generation { no_repeat_ngram_size: 3, ..Generation::plain() };
        assert_eq!(choose(&[0.0, 1.0, 9.0, 2.0], &trigram, &history, false, None), 3);
        let suppressed = Generation { suppress_tokens: vec![2], begin_suppress_tokens: vec![3], ..Generation::plain() };
        assert_eq!(choose(&[0.0, 1.0, 9.0, 2.0], &suppressed, &history, true, None), 1);
        assert_eq!(choose(&[0.0, 1.0, 9.0, 2.0], &suppressed, &history, false, None), 3);
    }

    #[test]
    fn a_branch_sees_the_clean_runs_block_tokens() {
        let place = Place { stage: Stage::Target, block: 0, step: 0, block_step: 0 };
        let clean = BlockTokens { context: vec![], target: vec![Some(7)] };
        let mut history = History::of(&[1], Some(Arc::new(clean)));
        history.push(5, Some(place));
        history.push(6, None);
        history.push(8, Some(Place { step: 1, ..place }));
        assert_eq!(history.tokens, [1, 7, 6, 8]);
    }

    /// `oracle/generation.py`.
    #[test]
    fn what_is_left_is_what_transformers_leaves() {
        let stored: serde_json::Value = serde_json::from_str(include_str!("../../tests/fixtures/generation.json")).unwrap();
        let cases = stored["cases"].as_array().unwrap();
        for (i, case) in cases.iter().enumerate() {
            let ids = |key: &str| case[key].as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u32).collect::<Vec<_>>();
            let number = |key: &str| case[key].as_f64().unwrap();
            let whole = |key: &str| case[key].as_u64().unwrap() as usize;
            let settings = Generation {
                repetition_penalty: number("repetition_penalty"),
                no_repeat_ngram_size: whole("no_repeat_ngram_size"),
                suppress_tokens: ids("suppress_tokens"),
                begin_suppress_tokens: ids("begin_suppress_tokens"),
                sampling: Sampling {
                    temperature: number("temperature"),
                    top_k: whole("top_k"),
                    top_p: number("top_p"),
                    min_p: number("min_p"),
                },
                ..Generation::plain()
            };
            let logits: Vec<f32> = case["logits"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect();
            let (history, first) = (History::of(&ids("history"), None), ids("history").len() == whole("prompt"));
            assert_eq!(u64::from(choose(&logits, &settings, &history, first, None)), case["greedy"], "case {i}");
            let left = weights(&scores(&logits, &settings, &history, first), &settings.sampling);
            let total: f64 = left.iter().sum();
            for (token, (weight, wanted)) in left.iter().zip(case["probabilities"].as_array().unwrap()).enumerate() {
                let (found, wanted) = (weight / total, wanted.as_f64().unwrap());
                assert!((found - wanted).abs() < 1e-5, "case {i}, token {token}: {found}, transformers {wanted}");
            }
        }
        assert_eq!(cases.len(), 60);
    }

    #[test]
    fn top_k_and_top_p_keep_what_transformers_keeps() {
        // Probabilities 0.5, 0.25, 0.15, 0.1.
        let scores: Vec<f32> = [0.5f64, 0.25, 0.15, 0.1].iter().map(|p| p.ln() as f32).collect();
        let at = |sampling: Sampling, draw| sample(&scores, &sampling, draw);
        let open = Sampling { temperature: 1.0, top_k: 0, top_p: 1.0, min_p: 0.0 };
        assert_eq!([0.0, 0.49, 0.51, 0.74, 0.76, 0.89, 0.91, 0.999].map(|draw| at(open, draw)), [0, 0, 1, 1, 2, 2, 3, 3]);
        assert_eq!(at(Sampling { top_k: 2, ..open }, 0.999), 1);
        // Cumulated from below 0.1, 0.25, 0.5, 1: with p = 0.8 only the last is taken out, with 0.7 two are.
        assert_eq!(at(Sampling { top_p: 0.8, ..open }, 0.999), 2);
        assert_eq!(at(Sampling { top_p: 0.7, ..open }, 0.999), 1);
        assert_eq!(at(Sampling { top_p: 0.01, ..open }, 0.999), 0);
        assert_eq!(at(Sampling { min_p: 0.4, ..open }, 0.999), 1);
        assert_eq!(at(Sampling { temperature: 1e-6, ..open }, 0.999), 0);
    }
}
