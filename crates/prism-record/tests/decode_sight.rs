//! What decoding hides, step by step, is what one forward over the whole sequence with those
//! keys hidden gives (`prism-model/tests/sight.rs` holds that against transformers): sight, eviction,
//! the hidden image.
#![allow(missing_docs)]

mod golden;

use golden::{Opened, examples};
use prism_model::ops::Hidden;
use prism_model::sight::{Kind, hidden};
use prism_model::tensor::{Tensor, values};
use prism_model::{PackLayout, ops};
use prism_record::decode::{Block, Branch, Course, Eviction, Prefix, Trajectory, Untouched, Zero};
use prism_run::{Example, Sight};

const STEPS: usize = 4;

/// What each token of prompt and continuation is.
fn kinds(opened: &Opened, prefix: &Prefix, run: &Trajectory) -> Vec<Kind> {
    let mut kinds = vec![Kind::Other; prefix.prompt_ids.len()];
    prefix.image_ranges.iter().for_each(|range| kinds[range.clone()].fill(Kind::Image));
    for (i, forward) in run.forwards.iter().enumerate().skip(1) {
        let starts = opened.tokens.starts.iter().any(|start| start.token == run.generated[i - 1]);
        kinds.push(match forward.place {
            Some(_) => Kind::Latent,
            None if starts => Kind::BlockStart,
            None => Kind::Other,
        });
    }
    kinds
}

/// States of every forward after the prefill, from one forward over the sequence that was read.
fn whole(opened: &Opened, example: &Example, prefix: &Prefix, run: &Trajectory, hidden: Hidden) -> Vec<Vec<f32>> {
    let prompt = opened.prompter.example(example, &prefix.grids).unwrap();
    let mut embeds = vec![opened.model.embed(&prompt.ids).unwrap()];
    let rows: Vec<u32> = prompt.image_tokens.iter().map(|i| *i as u32).collect();
    let features =
        Tensor::from_vec(prefix.features.values().unwrap(), (rows.len(), embeds[0].dim(1).unwrap()), &opened.model.device).unwrap();
    embeds[0] = ops::replace_rows(&embeds[0], &rows, &features).unwrap();
    let mut positions = prompt.positions.clone();
    for (i, forward) in run.forwards.iter().enumerate().skip(1) {
        embeds.push(match &forward.fed {
            Some(fed) => Tensor::from_slice(fed, (1, fed.len()), &opened.model.device).unwrap(),
            None => opened.model.embed(&run.generated[i - 1..i]).unwrap(),
        });
        positions.push([prompt.next_position + i as u32 - 1; 3]);
    }
    let layout = PackLayout::single(positions).with_hidden(hidden);
    let states = opened.model.forward(&Tensor::cat(&embeds, 0).unwrap(), &layout).unwrap();
    let width = opened.model.config.text.hidden_size;
    values(&states).unwrap().chunks_exact(width).skip(prompt.len()).map(<[f32]>::to_vec).collect()
}

fn farthest(run: &Trajectory, whole: &[Vec<f32>]) -> f32 {
    let states = run.forwards.iter().skip(1).zip(whole);
    states.flat_map(|(forward, whole)| forward.state.iter().zip(whole)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn run<'a>(opened: &'a Opened, prefix: &'a Prefix, course: Course<'a>) -> Trajectory {
    let branch = Branch { course, ..Branch::new(prefix, Untouched) };
    opened.decoder(STEPS, 24).decode(vec![branch]).unwrap().remove(0)
}

#[test]
fn a_checkpoints_sight_is_kept_while_decoding() {
    for variant in ["lvr", "plvr2"] {
        let mut opened = Opened::new(variant);
        for example in examples(3) {
            let mut all = Vec::new();
            for sight in Sight::ALL {
                opened.tokens.sight = sight;
                opened.model.config.latent.sight = sight;
                let prefix = opened.prefiller().prefix(&example).unwrap();
                let run = run(&opened, &prefix, Course::default());
                assert!(run.latent_forwards().count() > 0);
                let hidden = hidden(sight, &kinds(&opened, &prefix, &run));
                assert_eq!(hidden.is_empty(), sight.is_open());
                let far = farthest(&run, &whole(&opened, &example, &prefix, &run, hidden));
                assert!(far < 1e-4, "{variant}, {sight}: {far}");
                all.push(run.forwards.last().unwrap().state.clone());
            }
            assert!(all[1..].iter().all(|state| *state != all[0]), "each hides something");
        }
    }
}

/// Where no block ran, a sight that holds behind a block alone hides nothing.
#[test]
fn without_its_block_the_image_stays_open() {
    let mut opened = Opened::new("lvr");
    for example in examples(3) {
        let removed = |opened: &Opened| {
            let prefix = opened.prefiller().prefix(&example).unwrap();
            run(opened, &prefix, Course { block: Block::Removed, ..Course::default() })
        };
        let open = removed(&opened);
        for sight in [Sight::OptionalBottleneck, Sight::Registers] {
            opened.tokens.sight = sight;
            opened.model.config.latent.sight = sight;
            let narrow = removed(&opened);
            let states = |run: &Trajectory| run.forwards.iter().map(|f| f.state.clone()).collect::<Vec<_>>();
            assert!(narrow.latent_forwards().count() == 0 && narrow.generated == open.generated);
            assert_eq!(states(&narrow), states(&open), "{sight}, bit for bit");
        }
        opened.tokens.sight = Sight::Open;
        opened.model.config.latent.sight = Sight::Open;
    }
}

#[test]
fn evicted_latents_are_hidden_from_all_that_follows() {
    let opened = Opened::new("lvr");
    for example in examples(3) {
        let prefix = opened.prefiller().prefix(&example).unwrap();
        let run = run(&opened, &prefix, Course { evict: Eviction::All, ..Course::default() });
        let blindfold = hidden(Sight::Blindfold, &kinds(&opened, &prefix, &run));
        let far = farthest(&run, &whole(&opened, &example, &prefix, &run, blindfold));
        assert!(far < 1e-4, "{far}");
    }
}

#[test]
fn a_hidden_image_is_hidden_from_all_behind_the_block() {
    let opened = Opened::new("lvr");
    for example in examples(3) {
        let prefix = opened.prefiller().prefix(&example).unwrap();
        let run = run(&opened, &prefix, Course { hide_image: true, ..Course::default() });
        let first = run.forwards.iter().position(|f| f.place.is_some()).unwrap();
        let left = run.forwards.iter().skip(first).position(|f| f.place.is_none()).unwrap() + first;
        let behind = prefix.prompt_ids.len() + left - 1;
        let tokens = prefix.prompt_ids.len() + run.forwards.len() - 1;
        let of = (0..tokens).map(|at| (at >= behind).then_some(0)).collect();
        let image = Hidden { sets: vec![prefix.image_ranges.to_vec()], of };
        let far = farthest(&run, &whole(&opened, &example, &prefix, &run, image));
        assert!(far < 1e-4, "{far}");
    }
}

#[test]
fn behind_a_blindfolded_block_nothing_depends_on_its_latents() {
    let mut opened = Opened::new("lvr");
    opened.tokens.sight = Sight::Blindfold;
    opened.model.config.latent.sight = Sight::Blindfold;
    for example in examples(3) {
        let prefix = opened.prefiller().prefix(&example).unwrap();
        let branches = vec![Branch::new(&prefix, Untouched), Branch::new(&prefix, Zero)];
        let [clean, zero]: [_; 2] = opened.decoder(STEPS, 24).decode(branches).unwrap().try_into().unwrap();
        assert!(zero.latent_forwards().all(|(_, forward)| forward.perturbation.is_some_and(|norm| norm > 0.0)));
        assert_eq!(clean.generated, zero.generated);
        let behind = |run: &Trajectory| -> Vec<Vec<f32>> {
            let from = run.forwards.iter().rposition(|f| f.place.is_some()).unwrap() + 1;
            run.forwards[from..].iter().map(|f| f.state.clone()).collect()
        };
        assert!(!behind(&clean).is_empty());
        assert_eq!(behind(&clean), behind(&zero), "bit for bit");
    }
}
