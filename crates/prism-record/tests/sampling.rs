//! Sampled runs: the same whatever runs beside them, others for another key, greedy where nothing is left
//! to choose; and what a penalty sees in a branch whose latents are exchanged.

mod golden;

use std::sync::Arc;

use golden::{Opened, examples};
use prism_model::generation::{Generation, Sampling};
use prism_record::decode::{BlockTokens, Branch, Prefix, Trajectory, Untouched};
use prism_run::random::Stream;

const STEPS: usize = 4;
const BUDGET: usize = 32;

fn sampled(prefix: &Prefix, sample: usize) -> Branch<'_> {
    let mut branch = Branch::new(prefix, Untouched);
    branch.course.draws = Some(Stream::new(3, "sampling", &["x", &sample.to_string()]));
    branch
}

fn decode(opened: &Opened, branches: Vec<Branch<'_>>) -> Vec<Trajectory> {
    opened.decoder(STEPS, BUDGET).decode(branches).unwrap()
}

fn with(sampling: Sampling) -> Opened {
    let mut opened = Opened::new("lvr");
    opened.tokens.generation = Generation { sampling, ..Generation::plain() };
    opened
}

#[test]
fn a_sample_is_the_same_alone_and_beside_others() {
    let opened = with(Sampling { temperature: 1.5, top_k: 0, top_p: 1.0, min_p: 0.0 });
    let prefixes: Vec<Prefix> = examples(2).iter().map(|example| opened.prefiller().prefix(example).unwrap()).collect();
    let alone: Vec<Trajectory> = (0..4).flat_map(|s| decode(&opened, vec![sampled(&prefixes[0], s)])).collect();
    let mut company: Vec<Branch<'_>> = (0..4).map(|s| sampled(&prefixes[0], s)).collect();
    company.insert(1, Branch::new(&prefixes[1], Untouched));
    let mut beside = decode(&opened, company);
    beside.remove(1);
    assert_eq!(beside, alone);
    assert!(alone.iter().any(|run| run.generated != alone[0].generated), "samples differ");
}

#[test]
fn with_one_token_left_a_sample_is_greedy() {
    let opened = with(Sampling { temperature: 1.5, top_k: 1, top_p: 1.0, min_p: 0.0 });
    let prefix = opened.prefiller().prefix(&examples(1)[0]).unwrap();
    let [greedy, one] = [Branch::new(&prefix, Untouched), sampled(&prefix, 0)].map(|branch| decode(&opened, vec![branch]).remove(0));
    assert_eq!(greedy.generated, one.generated);
}

/// A branch whose history holds its own clean block tokens is the clean run; with others in their place the penalty
/// says something else from its second latent forward on, and nothing before it.
#[test]
fn a_penalty_sees_the_block_tokens_that_are_given() {
    let mut opened = Opened::new("lvr");
    opened.tokens.generation = Generation { repetition_penalty: 50.0, ..Generation::plain() };
    let mut told_apart = 0;
    for example in examples(6) {
        let prefix = opened.prefiller().prefix(&example).unwrap();
        let with = |said: Option<BlockTokens>| {
            let mut branch = Branch::new(&prefix, Untouched);
            branch.course.said = said.map(Arc::new);
            decode(&opened, vec![branch]).remove(0)
        };
        let clean = with(None);
        assert_eq!(with(Some(BlockTokens::of(&clean))), clean, "its own tokens change nothing");
        // As if the block had said what is said behind it.
        let Some(last) = clean.forwards.iter().rposition(|f| f.place.is_some()) else { continue };
        let mut other = clean.clone();
        let behind = other.forwards.get(last + 1).and_then(|f| f.appended);
        other.forwards.iter_mut().filter(|f| f.place.is_some()).for_each(|f| f.appended = behind);
        let given = with(Some(BlockTokens::of(&other)));
        let first = clean.forwards.iter().position(|f| f.place.is_some()).unwrap_or(0);
        assert_eq!(given.generated[..=first], clean.generated[..=first]);
        told_apart += usize::from(given.generated != clean.generated);
    }
    assert!(told_apart > 0, "the history reaches what is said");
}
