//! Exchange of keys and values (`swap-kv`): against Hugging Face's own model with hooks on its
//! projections (`oracle/swap_kv.py`), and not one bit moved where a run is its own donor, under
//! every protocol, mask, feedback and kind of arithmetic there is.
#![allow(missing_docs)]

mod golden;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use golden::{Opened, VARIANTS, examples, folder, ids};
use prism_model::decode::{Branch, Course, Eviction, Exchange, Latents, Notes, Prefix, Strategy, Trajectory, Untouched, Zero};
use prism_model::tensor::{DType, Device, Tensor, Trainable};
use prism_model::{LatentHead, Matrix, Model};
use prism_run::protocol::ExitChoice;
use prism_run::{Scope, Sight, Stage, vectors};
use serde_json::Value;

const STEPS: usize = 4;
const BUDGET: usize = 24;

fn prefixes(opened: &Opened, count: usize) -> Vec<Prefix> {
    examples(count).iter().map(|example| opened.prefiller().prefix(example).unwrap()).collect()
}

fn noting<'a>() -> Course<'a> {
    Course { notes: Notes { keys_values: true, ..Notes::default() }, ..Course::default() }
}

fn branch<'a>(prefix: &'a Prefix, course: Course<'a>) -> Branch<'a> {
    Branch { course, ..Branch::new(prefix, Untouched) }
}

/// A clean run, and the keys and values it leaves.
fn clean(opened: &Opened, strategy: Strategy, prefix: &Prefix, row: usize) -> (Trajectory, Arc<Latents>) {
    let mut run = opened.decoder_of(strategy).decode(vec![branch(prefix, noting())]).unwrap().remove(0);
    let keys_values = Arc::new(run.take_keys_values(row));
    (run, keys_values)
}

fn exchanged<'a>(donor: &Arc<Latents>, scope: Scope) -> Course<'a> {
    Course { exchange: Some(Exchange { donor: donor.clone(), scope }), ..Course::default() }
}

fn run(opened: &Opened, strategy: Strategy, prefix: &Prefix, course: Course<'_>) -> Trajectory {
    opened.decoder_of(strategy).decode(vec![branch(prefix, course)]).unwrap().remove(0)
}

fn scaled(of: &Latents, by: f32) -> Latents {
    let stage = |steps: &[Vec<f32>]| steps.iter().map(|step| step.iter().map(|x| by * x).collect()).collect();
    Latents { row: of.row, context: stage(&of.context), target: stage(&of.target) }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

#[test]
fn exchanged_runs_are_those_of_the_reference() {
    let stored: Value = serde_json::from_slice(&std::fs::read(fixture("swap_kv.json")).unwrap()).unwrap();
    let states = vectors::read(&fixture("swap_kv.safetensors")).unwrap();
    let budget = stored["max_new_tokens"].as_u64().unwrap() as usize;
    let strategy = |steps: &Value| Strategy::of_steps(steps.as_u64().unwrap() as usize, budget);
    let own = strategy(&stored["steps"]);
    let mut compared = 0;
    for (variant, told) in stored["checkpoints"].as_object().unwrap() {
        let opened = Opened::new(variant);
        let rows = told["clean"].as_array().unwrap().len();
        let prefixes = prefixes(&opened, rows + 1);
        for case in stored["cases"].as_array().unwrap() {
            let name = case["name"].as_str().unwrap();
            let scope = Scope {
                stage: case["stage"].as_str().map(|stage| stage.parse().unwrap()),
                steps: case["last"].as_u64().map(|last| (0, last as usize)),
                layer: None,
            };
            for (k, prefix) in prefixes.iter().take(rows).enumerate() {
                let (_, donor) = clean(&opened, strategy(&case["donor_steps"]), &prefixes[k + 1], k + 1);
                let donor = Arc::new(scaled(&donor, case["scale"].as_f64().unwrap() as f32));
                let run = run(&opened, own, prefix, exchanged(&donor, scope));
                assert_eq!(run.refusal, None);
                assert_eq!(run.generated, ids(&told[name][k]), "{variant}, {name}, example {k}");
                let Some(expected) = states.get(&format!("{variant}.{name}.{k}")) else { continue };
                assert_eq!(run.forwards.len(), expected.rows.len());
                for (i, forward) in run.forwards.iter().enumerate() {
                    let far = forward.state.iter().zip(expected.vector(i)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                    assert!(far < 1e-4, "{variant}, {name}, example {k}, state {i}: off by {far}");
                }
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 4 * 4 * 2);
}

/// Clean, its own donor, and another's, alone and side by side; not one bit may depend on company,
/// nor change where the donor is the run itself.
fn check(opened: &Opened, strategy: Strategy, what: &str) {
    let prefixes = prefixes(opened, 3);
    let plain: Vec<Trajectory> = prefixes.iter().map(|prefix| run(opened, strategy, prefix, Course::default())).collect();
    let cleans: Vec<(Trajectory, Arc<Latents>)> =
        prefixes.iter().enumerate().map(|(row, prefix)| clean(opened, strategy, prefix, row)).collect();
    assert!(plain.iter().all(|run| run.latent_forwards().count() > 0), "{what}: the block opens");
    let strong = Arc::new(scaled(&cleans[1].1, -4.0));
    let mut company = Vec::new();
    for ((prefix, plain), (noted, own)) in prefixes.iter().zip(&plain).zip(&cleans) {
        assert_eq!(noted, plain, "{what}: what is noted changes nothing");
        let width = opened.model.config.text.num_hidden_layers
            * 2
            * opened.model.config.text.num_key_value_heads
            * opened.model.config.text.head_dim();
        assert!(own.context.iter().chain(&own.target).all(|step| step.len() == width));
        assert_eq!(own.context.len() + own.target.len(), plain.latent_forwards().count());
        let sham = run(opened, strategy, prefix, exchanged(own, Scope::default()));
        assert_eq!(&sham, plain, "{what}: with itself as donor");
        company.push(branch(prefix, exchanged(own, Scope::default())));
        company.push(branch(prefix, exchanged(&strong, Scope::default())));
        company.push(Branch::new(prefix, Zero));
        company.push(branch(prefix, noting()));
    }
    let together = opened.decoder_of(strategy).decode(company).unwrap();
    for ((prefix, plain), runs) in prefixes.iter().zip(&plain).zip(together.chunks_exact(4)) {
        assert_eq!(&runs[0], plain, "{what}: with itself as donor, beside others");
        let alone = run(opened, strategy, prefix, exchanged(&strong, Scope::default()));
        assert_eq!(runs[1], alone, "{what}: another's, beside others");
        if let Some(reason) = &alone.refusal {
            assert!(cleans[1].1.stages() < 2 && reason.contains("never ran"), "{what}: {reason}");
            continue;
        }
        assert_ne!(alone.forwards, plain.forwards, "{what}: another's keys and values are seen");
        assert!(alone.perturbation_norm().is_some_and(|norm| norm > 0.0));
        assert_eq!(alone.forwards.iter().find_map(|f| f.fed.clone()), plain.forwards.iter().find_map(|f| f.fed.clone()));
    }
}

#[test]
fn a_run_that_is_its_own_donor_does_not_change_in_one_bit() {
    for variant in VARIANTS {
        let mut opened = Opened::new(variant);
        for sight in Sight::ALL {
            opened.tokens.sight = sight;
            opened.model.config.latent.sight = sight;
            for steps in [1, STEPS] {
                check(&opened, Strategy::of_steps(steps, BUDGET), &format!("{variant}, {sight}, {steps} steps"));
            }
        }
    }
}

#[test]
fn whatever_is_fed_and_however_a_block_ends() {
    for variant in ["lvr", "plvr3"] {
        let mut opened = Opened::new(variant);
        opened.tokens.dummy = opened.model.config.latent.lvr_id;
        assert!(opened.tokens.dummy.is_some());
        for sight in Sight::ALL {
            opened.tokens.sight = sight;
            opened.model.config.latent.sight = sight;
            check(&opened, Strategy::of_steps(STEPS, BUDGET), &format!("{variant}, dummy tokens, {sight}"));
        }
        let mut opened = Opened::new(variant);
        let exit = ExitChoice { kind: Some("token".parse().unwrap()), cap: Some(3), ..ExitChoice::default() }.resolve().unwrap();
        check(&opened, Strategy { exit, ..Strategy::of_steps(STEPS, BUDGET) }, &format!("{variant}, exit by token"));
        opened.model.head = Some(head(opened.model.config.text.hidden_size));
        check(&opened, Strategy::of_steps(STEPS, BUDGET), &format!("{variant}, latent head"));
    }
}

/// A head that mixes neighbouring dimensions.
fn head(width: usize) -> LatentHead {
    let linear = |seed: usize| {
        let weight: Vec<f32> = (0..width * width).map(|i| ((i * 31 + seed) % 17) as f32 / 40.0 - 0.2).collect();
        let weight = Tensor::from_vec(weight, (width, width), &Device::Cpu).unwrap();
        (Matrix::Tensor(weight), Tensor::from_vec(vec![0.05f32; width], width, &Device::Cpu).unwrap())
    };
    LatentHead::Glu { gate: linear(1), up: linear(5), down: linear(9) }
}

/// bfloat16 opened to be trained has no fused kernels: rows go through the tensor library.
#[test]
fn the_composed_path_and_narrow_matrices_keep_every_bit_too() {
    for (variant, training) in [("lvr", Trainable::All), ("plvr2", Trainable::All), ("plvr2", Trainable::No)] {
        let mut opened = Opened::new(variant);
        let dir = folder().join("checkpoints").join(variant);
        opened.model = Model::open(&dir, &Device::Cpu, DType::BF16, training).unwrap();
        check(&opened, Strategy::of_steps(STEPS, BUDGET), &format!("{variant} in bfloat16, {training:?}"));
    }
}

#[test]
fn only_where_the_scope_holds_and_a_stage_the_donor_never_ran_is_refused() {
    let opened = Opened::new("plvr2");
    let strategy = Strategy::of_steps(STEPS, BUDGET);
    let prefixes = prefixes(&opened, 2);
    let (plain, _) = clean(&opened, strategy, &prefixes[0], 0);
    let (_, donor) = clean(&opened, strategy, &prefixes[1], 1);
    let strong = Arc::new(scaled(&donor, -4.0));
    let moved = |scope: &str| {
        let scope = format!("swap-kv{scope}").parse::<prism_run::Intervention>().unwrap().scope;
        let run = run(&opened, strategy, &prefixes[0], exchanged(&strong, scope));
        let moved = |(p, f): (prism_model::decode::Place, &prism_model::decode::Forward)| {
            assert_eq!(f.perturbation.is_some_and(|norm| norm > 0.0), scope.holds(p.stage, p.step), "{scope:?}, {p:?}");
            (p.stage, p.step)
        };
        assert!(run.latent_forwards().map(moved).count() > STEPS);
        // The first forward that differs is the first that is exchanged.
        let first = run.forwards.iter().position(|f| f.place.is_some_and(|p| scope.holds(p.stage, p.step)));
        let differs = run.forwards.iter().zip(&plain.forwards).position(|(a, b)| a.state != b.state);
        assert_eq!(differs, first, "{scope:?}");
    };
    ["", "/context", "/step=2", "/context/steps=1-2"].iter().for_each(|scope| moved(scope));

    let none = Arc::new(Latents { row: 1, context: vec![], ..(*strong).clone() });
    let refused = run(&opened, strategy, &prefixes[0], exchanged(&none, Scope::default()));
    assert!(refused.refusal.is_some_and(|reason| reason.contains("row 1") && reason.contains("context")));
    let target = Scope { stage: Some(Stage::Target), ..Scope::default() };
    assert_eq!(run(&opened, strategy, &prefixes[0], exchanged(&none, target)).refusal, None);

    // Beside what hides the latents or the image from all behind the block.
    for course in [
        Course { hide_image: true, ..exchanged(&strong, Scope::default()) },
        Course { evict: Eviction::All, ..exchanged(&strong, Scope::default()) },
    ] {
        assert_eq!(run(&opened, strategy, &prefixes[0], course).refusal, None);
    }
}
