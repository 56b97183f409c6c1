//! Scripts of argmaxes and distances through the state machine.

use std::sync::Arc;

use prism_run::Sight;
use prism_run::protocol::Criterion;

use super::super::Start;
use super::super::course::Written;
use super::*;

const STOP: u32 = 9;

fn tokens() -> ControlTokens {
    let start = |token, stage, times, end| Start { token, stage, length: Length::Times(times), end: Some(end) };
    let starts = vec![start(1, Stage::Target, 1, 3), start(2, Stage::Context, 2, 4)];
    ControlTokens { starts, stops: vec![STOP], ..ControlTokens::default() }
}

/// Runs a script of argmaxes; per forward the stage's initial (`.` for a token).
fn run(strategy: Strategy, script: &[u32]) -> (String, Vec<u32>) {
    play(&tokens(), strategy, &script.iter().map(|&argmax| (argmax, None)).collect::<Vec<_>>())
}

/// The same with the distance that each forward is told.
fn play(tokens: &ControlTokens, strategy: Strategy, script: &[(u32, Option<f64>)]) -> (String, Vec<u32>) {
    let mut sequence = Sequence::new(strategy, tokens, 0);
    let mut picture = String::new();
    for &(argmax, distance) in script {
        if sequence.finished() {
            break;
        }
        picture.push(match sequence.feed() {
            Feed::Token(_) => '.',
            Feed::Latent(Place { stage: Stage::Context, .. }) => 'c',
            Feed::Latent(_) => 't',
            Feed::Image(_) => 'i',
        });
        sequence.advance(argmax, distance);
    }
    assert!(sequence.finished(), "the script is too short");
    (picture, sequence.into_generated())
}

#[test]
fn the_block_starts_one_forward_after_the_start_token_was_read_and_lasts_k() {
    let (picture, ids) = run(Strategy::of_steps(3, 20), &[1, 5, 5, 5, 5, 6, STOP]);
    assert_eq!((picture.as_str(), ids.len()), ("..ttt..", 7));
}

#[test]
fn a_context_block_takes_twice_as_many() {
    let (picture, _) = run(Strategy::of_steps(2, 20), &[2, 5, 5, 5, 5, 1, 5, 5, 5, STOP]);
    assert_eq!(picture, "..cccc.tt.");
}

#[test]
fn stop_tokens_and_the_own_stages_start_tokens_inside_the_block_are_ignored() {
    let (picture, ids) = run(Strategy::of_steps(3, 20), &[1, 1, STOP, 1, 6, 7, STOP]);
    assert_eq!((picture.as_str(), ids), ("..ttt..", vec![1, 1, STOP, 1, 6, 7, STOP]));
    let (picture, _) = run(Strategy::of_steps(1, 20), &[2, 5, 2, 5, STOP]);
    assert_eq!(picture, "..cc.");
}

#[test]
fn the_last_latent_forwards_token_is_read_next_and_may_open_a_block_again() {
    let (picture, _) = run(Strategy::of_steps(2, 20), &[1, 5, 5, 2, 5, 5, 5, 5, 5, STOP]);
    assert_eq!(picture, "..tt.cccc.");
}

#[test]
fn the_other_stages_start_token_inside_the_block_opens_that_stage_beside_it() {
    // Seen one forward after it was appended; the target block ends first, the context goes on.
    let (picture, _) = run(Strategy::of_steps(2, 20), &[1, 2, 5, 5, 5, 5, 5, 5, STOP]);
    assert_eq!(picture, "..ttccc..");
    let (picture, _) = run(Strategy::of_steps(2, 20), &[1, 5, 2, 5, 5, 5, 5, 5, STOP]);
    assert_eq!(picture, "..ttcccc.");
    // A target block beside a context block, and outlasting it.
    let (picture, _) = run(Strategy::of_steps(2, 20), &[2, 5, 5, 5, 1, 5, 5, 5, STOP]);
    assert_eq!(picture, "..cccctt.");
}

#[test]
fn the_budget_waits_for_the_end_of_the_block() {
    let (picture, ids) = run(Strategy::of_steps(4, 3), &[1, 5, 5, 5, 5, 5, 5, 5]);
    assert_eq!((picture.as_str(), ids.len()), ("..tttt", 6));
}

#[test]
fn a_stop_at_the_last_latent_forward_counts() {
    let (_, ids) = run(Strategy::of_steps(2, 20), &[1, 5, 5, STOP, 5]);
    assert_eq!(ids, vec![1, 5, 5, STOP]);
}

#[test]
fn steps_of_a_stage_go_on_counting_over_its_blocks() {
    let tokens = tokens();
    let mut sequence = Sequence::new(Strategy::of_steps(2, 20), &tokens, 1);
    let mut places = Vec::new();
    for argmax in [5, 5, 1, 5, 5, 5, STOP] {
        if let Feed::Latent(place) = sequence.feed() {
            places.push((place.block, place.block_step, place.step));
        }
        sequence.advance(argmax, None);
    }
    assert_eq!(places, [(0, 0, 0), (0, 1, 1), (1, 0, 2), (1, 1, 3)]);
}

#[test]
fn no_steps_means_no_block() {
    let (picture, _) = run(Strategy::of_steps(0, 20), &[1, 5, STOP]);
    assert_eq!(picture, "...");
}

fn latent(threshold: f64, cap: Option<usize>) -> Strategy {
    Strategy { exit: Exit::Latent { criterion: Criterion::Mse, threshold, cap }, ..Strategy::of_steps(3, 20) }
}

fn token(cap: Option<usize>) -> Strategy {
    Strategy { exit: Exit::Token { cap }, ..Strategy::of_steps(3, 20) }
}

/// Distances for a script: near at the given forwards, far elsewhere, none at the prefill.
fn near(script: &[u32], at: &[usize]) -> Vec<(u32, Option<f64>)> {
    script.iter().enumerate().map(|(i, &argmax)| (argmax, (i > 0).then_some(if at.contains(&i) { 0.05 } else { 0.5 }))).collect()
}

#[test]
fn a_near_vector_is_still_read_and_the_block_left_after_it() {
    let script = [1, 5, 5, 5, 6, 7, STOP, STOP];
    let picture = |strategy, at: &[usize]| play(&tokens(), strategy, &near(&script, at)).0;
    assert_eq!(picture(latent(0.1, None), &[2]), "..t....");
    assert_eq!(picture(latent(0.1, None), &[3]), "..tt...");
    assert_eq!(picture(latent(0.1, None), &[]), "..ttt..", "the length is the cap");
    assert_eq!(picture(latent(0.1, Some(2)), &[]), "..tt...");
    assert_eq!(picture(latent(0.1, Some(5)), &[]), "..ttttt", "a cap may exceed the length");
    assert_eq!(picture(latent(0.05, None), &[2]), "..ttt..", "below, not at, the threshold");
    assert_eq!(picture(latent(0.1, None), &[1]), ".......", "near at the opening: it does not open");
}

#[test]
fn the_end_token_of_the_block_ends_it_and_is_read_next() {
    let run = |strategy, script: &[u32]| run(strategy, script);
    let (picture, ids) = run(token(Some(10)), &[1, 5, 5, 3, 6, STOP]);
    assert_eq!((picture.as_str(), ids), ("..tt..", vec![1, 5, 5, 3, 6, STOP]));
    assert_eq!(run(token(Some(10)), &[1, 3, 5, STOP]).0, "....", "at the opening: it does not open");
    assert_eq!(run(token(Some(10)), &[1, 5, 4, 3, STOP]).0, "..tt.", "another block's end token is none");
    assert_eq!(run(token(None), &[1, 5, 5, 5, 5, STOP]).0, "..ttt.", "the length is the cap");
    assert_eq!(run(token(Some(2)), &[2, 5, 5, 5, 4, STOP]).0, "..cc..", "the cap is any stage's");
    assert_eq!(run(token(Some(10)), &[2, 5, 5, 4, 1, 5, 5, 3, STOP]).0, "..cc..tt.");
    assert_eq!(run(token(Some(4)), &[1, 5, STOP, 3, STOP]).0, "..tt.", "stops are ignored inside");
}

#[test]
fn a_block_that_may_not_repeat_opens_once() {
    let script: Vec<(u32, Option<f64>)> = [1, 5, 5, 1, 6, 2, 5, 5, 5, 5, 5, STOP].map(|argmax| (argmax, None)).into();
    let picture = |repeat| play(&ControlTokens { repeat, ..tokens() }, Strategy::of_steps(2, 20), &script).0;
    assert_eq!(picture(true), "..tt.ttcccc.");
    assert_eq!(picture(false), "..tt...cccc.");
}

#[test]
fn a_fixed_length_does_not_follow_k() {
    let start = Start { token: 1, stage: Stage::Target, end: None, length: Length::Forwards(4) };
    let tokens = ControlTokens { starts: vec![start], stops: vec![STOP], ..ControlTokens::default() };
    let script: Vec<(u32, Option<f64>)> = [1, 5, 5, 5, 5, 5, STOP].map(|argmax| (argmax, None)).into();
    for steps in [0, 1, 9] {
        assert_eq!(play(&tokens, Strategy::of_steps(steps, 20), &script).0, "..tttt.");
    }
}

#[test]
fn under_a_blindfold_nothing_that_latents_say_is_appended() {
    let blindfolded = |latent_end| ControlTokens { sight: Sight::Blindfold, latent_end, ..tokens() };
    let script = |said: u32| [1, 5, said, said, said, 6, STOP].map(|argmax| (argmax, None));
    let [one, other] = [5, 2].map(|said| play(&blindfolded(Some(8)), Strategy::of_steps(3, 20), &script(said)));
    assert_eq!(one, ("..ttt..".to_string(), vec![1, 5, 8, 8, 8, 6, STOP]));
    assert_eq!(one, other);
    // Without a token behind the latents: the block's end token.
    assert_eq!(play(&blindfolded(None), Strategy::of_steps(3, 20), &script(5)).1, [1, 5, 3, 3, 3, 6, STOP]);
}

#[test]
fn a_replay_is_what_was_written_and_opens_nothing_behind_it() {
    let place = |step| Some(Place { stage: Stage::Target, block: 0, step, block_step: step });
    let script = [(1, None), (5, place(0)), (6, place(1)), (7, None)].map(|(token, next)| Written { token, next });
    let tokens = tokens();
    let mut sequence = Sequence::with_block(Strategy::of_steps(3, 20), &tokens, 0, Block::Replayed(Arc::new(script.to_vec())));
    let mut picture = String::new();
    // The argmax is a start token all along: none is heeded, within the replay or behind it.
    while !sequence.finished() && picture.len() < 8 {
        picture.push(if matches!(sequence.feed(), Feed::Latent(_)) { 't' } else { '.' });
        assert_eq!(sequence.is_past_block(), picture.len() > 4);
        sequence.advance(if picture.len() < 7 { 1 } else { STOP }, None);
    }
    assert_eq!((picture.as_str(), sequence.generated()), ("..tt...", &[1, 5, 6, 7, 1, 1, STOP][..]));
}
