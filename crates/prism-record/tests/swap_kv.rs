//! Exchange of keys and values (`swap-kv`): against Hugging Face's own model with hooks on its
//! projections (`oracle/swap_kv.py`). And where a run is its own donor, not one bit may move: neither
//! under `swap-kv` nor under `swap`, in every golden variant, under every shipped protocol, in a
//! checkpoint of every shape there is a fixture of, and under every mask, feedback and kind of arithmetic.
#![allow(missing_docs)]

mod golden;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use golden::{Opened, VARIANTS, examples, folder, ids};
use prism_model::tensor::{DType, Device, Tensor, Trainable};
use prism_model::{LatentHead, Linear, Matrix, Model};
use prism_record::decode::{
    Branch, Course, Eviction, Exchange, Latents, Notes, Prefix, Start, Strategy, Swap, Trajectory, Untouched, Zero,
};
use prism_run::protocol::{ExitChoice, ExitKind, Length, Protocol, Trigger};
use prism_run::{Scope, Sight, Stage, vectors};
use serde_json::Value;

const STEPS: usize = 4;
const BUDGET: usize = 24;

fn prefixes(opened: &Opened, count: usize) -> Vec<Prefix> {
    examples(count).iter().map(|example| opened.prefiller().prefix(example).unwrap()).collect()
}

/// The ordinary course, with the logits of the latent forwards noted.
fn logits<'a>() -> Course<'a> {
    Course { notes: Notes { logits: true, ..Notes::default() }, ..Course::default() }
}

fn noting<'a>() -> Course<'a> {
    Course { notes: Notes { keys_values: true, logits: true, ..Notes::default() }, ..Course::default() }
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
    Course { exchange: Some(Exchange { donor: donor.clone(), scope }), ..logits() }
}

/// The vectors that are fed are the donor's.
fn swapped<'a>(prefix: &'a Prefix, donor: &Arc<Latents>) -> Branch<'a> {
    Branch { course: logits(), ..Branch::new(prefix, Swap { donor: donor.clone() }) }
}

fn run(opened: &Opened, strategy: Strategy, prefix: &Prefix, course: Course<'_>) -> Trajectory {
    opened.decoder_of(strategy).decode(vec![branch(prefix, course)]).unwrap().remove(0)
}

fn scaled(of: &Latents, by: f32) -> Latents {
    let stage = |steps: &[Vec<f32>]| steps.iter().map(|step| step.iter().map(|x| by * x).collect()).collect();
    Latents { row: of.row, context: stage(&of.context), target: stage(&of.target) }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../prism-model/tests/fixtures").join(name)
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

/// Every number of a run as it is stored: states, what was fed, and logits.
fn bits(run: &Trajectory) -> Vec<Vec<u32>> {
    let of_forwards = run.forwards.iter().flat_map(|f| [Some(&f.state), f.fed.as_ref(), f.logits.as_ref()]);
    let numbers = of_forwards.chain([run.answer_logits.as_ref()]).flatten();
    numbers.map(|vector| vector.iter().map(|x| x.to_bits()).collect()).collect()
}

/// Whether a run is the clean one, tokens and logits and all else, bit for bit.
fn same(run: &Trajectory, clean: &Trajectory, what: &str) {
    assert_eq!(run.refusal, None, "{what}");
    assert_eq!(run.generated, clean.generated, "{what}: tokens");
    assert!(run == clean && bits(run) == bits(clean), "{what}: not the clean run to the bit");
}

fn without_logits(run: &Trajectory) -> Trajectory {
    let mut run = run.clone();
    run.forwards.iter_mut().for_each(|forward| forward.logits = None);
    run
}

/// Clean, its own donor, and another's, alone and side by side; not one bit may depend on company,
/// nor change where the donor is the run itself.
fn check(opened: &Opened, strategy: Strategy, what: &str) {
    let prefixes = prefixes(opened, 3);
    let plain: Vec<Trajectory> = prefixes.iter().map(|prefix| run(opened, strategy, prefix, Course::default())).collect();
    let cleans: Vec<(Trajectory, Arc<Latents>)> =
        prefixes.iter().enumerate().map(|(row, prefix)| clean(opened, strategy, prefix, row)).collect();
    let fed: Vec<Arc<Latents>> = plain.iter().enumerate().map(|(row, run)| Arc::new(run.latents(row))).collect();
    assert!(plain.iter().all(|run| run.latent_forwards().count() > 0), "{what}: the block opens");
    let strong = Arc::new(scaled(&cleans[1].1, -4.0));
    let mut company = Vec::new();
    for (((prefix, plain), (noted, own)), fed) in prefixes.iter().zip(&plain).zip(&cleans).zip(&fed) {
        assert_eq!(&without_logits(noted), plain, "{what}: what is noted changes nothing");
        assert!(noted.latent_forwards().all(|(_, forward)| forward.logits.is_some()));
        let width = opened.model.config.text.num_hidden_layers
            * 2
            * opened.model.config.text.num_key_value_heads
            * opened.model.config.text.head_dim;
        assert!(own.context.iter().chain(&own.target).all(|step| step.len() == width));
        assert_eq!(own.context.len() + own.target.len(), plain.latent_forwards().count());
        let sham = opened.decoder_of(strategy).decode(vec![swapped(prefix, fed)]).unwrap().remove(0);
        same(&sham, noted, &format!("{what}: vectors of itself"));
        let sham = run(opened, strategy, prefix, exchanged(own, Scope::default()));
        same(&sham, noted, &format!("{what}: keys and values of itself"));
        company.push(branch(prefix, exchanged(own, Scope::default())));
        company.push(branch(prefix, exchanged(&strong, Scope::default())));
        company.push(Branch::new(prefix, Zero));
        company.push(branch(prefix, noting()));
        company.push(swapped(prefix, fed));
    }
    let together = opened.decoder_of(strategy).decode(company).unwrap();
    for ((prefix, (noted, _)), runs) in prefixes.iter().zip(&cleans).zip(together.chunks_exact(5)) {
        same(&runs[0], noted, &format!("{what}: keys and values of itself, beside others"));
        same(&runs[4], noted, &format!("{what}: vectors of itself, beside others"));
        let alone = run(opened, strategy, prefix, exchanged(&strong, Scope::default()));
        assert_eq!(runs[1], alone, "{what}: another's, beside others");
        if let Some(reason) = &alone.refusal {
            assert!(cleans[1].1.stages() < 2 && reason.contains("never ran"), "{what}: {reason}");
            continue;
        }
        assert_ne!(alone.forwards, noted.forwards, "{what}: another's keys and values are seen");
        assert!(alone.perturbation_norm().is_some_and(|norm| norm > 0.0));
        assert_eq!(alone.forwards.iter().find_map(|f| f.fed.clone()), noted.forwards.iter().find_map(|f| f.fed.clone()));
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

/// Writes to `folder` the golden checkpoint of one stage with a protocol's tokens in the place of its own, so that the
/// weights open that protocol's block where they would open theirs.
fn disguise(protocol: &Protocol, folder: &Path) {
    let [block] = &protocol.blocks[..] else { panic!("{}: no golden checkpoint has blocks like these", protocol.id) };
    let key = |key: &Option<String>, spare: &str| format!("\"{}\"", key.as_deref().unwrap_or(spare));
    let renamed = [
        ("<|lvr_start|>", block.start.clone()),
        ("<|lvr_end|>", block.end.clone().unwrap()),
        ("<|lvr|>", protocol.pad.clone().unwrap_or("<|spare|>".to_string())),
        ("<|lvr_latent_end|>", "<|spare_end|>".to_string()),
        ("\"lvr_start_id\"", key(&block.start_id, "spare_start_id")),
        ("\"lvr_end_id\"", key(&block.end_id, "spare_end_id")),
        ("\"lvr_id\"", key(&protocol.pad_id, "spare_id")),
        ("\"lvr_latent_end_id\"", key(&None, "spare_latent_end_id")),
    ];
    for entry in std::fs::read_dir(golden::folder().join("checkpoints/lvr")).unwrap() {
        let path = entry.unwrap().path();
        let copy = folder.join(path.file_name().unwrap());
        if path.extension().is_some_and(|end| end == "json") {
            let text = std::fs::read_to_string(&path).unwrap();
            std::fs::write(copy, renamed.iter().fold(text, |text, (from, to)| text.replace(*from, to))).unwrap();
        } else {
            std::fs::copy(&path, copy).unwrap();
        }
    }
}

/// At the protocol's own number of steps and by its own exit, under every mask; and left at its end token. Protocols
/// whose block no token opens are in `protocol_mechanics.rs`.
#[test]
fn under_every_protocol_that_a_token_opens() {
    for protocol in Protocol::preset_ids().map(|id| Protocol::load(id).unwrap()).filter(|p| p.trigger != Trigger::AfterPrompt) {
        let id = protocol.id.as_str();
        let copy = tempfile::tempdir().unwrap();
        let mut opened = match id {
            "lvr" | "realvr" => Opened::named(&golden::folder().join("checkpoints/lvr"), &protocol),
            "p-lvr" => Opened::new("plvr3"),
            _ => {
                disguise(&protocol, copy.path());
                Opened::named(copy.path(), &protocol)
            }
        };
        assert_eq!(opened.tokens.starts.len(), protocol.blocks.len());
        let exit = protocol.exit(&ExitChoice::default()).unwrap();
        let own = Strategy { exit, ..Strategy::of_steps(protocol.steps, BUDGET + protocol.steps) };
        for sight in Sight::ALL {
            opened.tokens.sight = sight;
            opened.model.config.latent.sight = sight;
            check(&opened, own, &format!("{id}, {sight}, {} steps", protocol.steps));
        }
        opened.tokens.sight = Sight::Open;
        opened.model.config.latent.sight = Sight::Open;
        let exit = protocol.exit(&ExitChoice { kind: Some(ExitKind::Token), cap: Some(3), ..ExitChoice::default() }).unwrap();
        check(&opened, Strategy { exit, ..own }, &format!("{id}, exit by token"));
    }
}

/// One head of keys and values or as many as of queries, tied embeddings, other widths and windows. None of these
/// checkpoints has a latent block; here the first token that each example is answered with opens one.
#[test]
fn in_checkpoints_of_every_shape() {
    let mut shapes: Vec<PathBuf> = std::fs::read_dir(fixture("checkpoints")).unwrap().map(|entry| entry.unwrap().path()).collect();
    shapes.retain(|path| path.is_dir());
    shapes.sort();
    assert!(shapes.len() >= 14);
    for dir in shapes {
        let mut opened = Opened::at(&dir);
        let strategy = Strategy::of_steps(STEPS, BUDGET);
        opened.tokens.stops.clear();
        let first = |prefix: &Prefix| run(&opened, Strategy::of_steps(1, 1), prefix, Course::default()).generated[0];
        let firsts: BTreeSet<u32> = prefixes(&opened, 3).iter().map(first).collect();
        let start = |token| Start { token, stage: Stage::Target, end: None, length: Length::Times(1) };
        opened.tokens.starts = firsts.into_iter().map(start).collect();
        check(&opened, strategy, &dir.file_name().unwrap().to_string_lossy());
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
        // Nothing it feeds back comes near this end embedding: the cap ends the block.
        let hidden = opened.model.config.text.hidden_size;
        opened.model.latent_end = Some(Tensor::from_vec(vec![0f32; hidden], hidden, &Device::Cpu).unwrap());
        let exit = ExitChoice { kind: Some("latent".parse().unwrap()), cap: Some(3), ..ExitChoice::default() }.resolve().unwrap();
        check(&opened, Strategy { exit, ..Strategy::of_steps(STEPS, BUDGET) }, &format!("{variant}, exit by latent"));
        opened.model.head = Some(head(opened.model.config.text.hidden_size));
        check(&opened, Strategy::of_steps(STEPS, BUDGET), &format!("{variant}, latent head"));
    }
}

/// A head that mixes neighbouring dimensions.
fn head(width: usize) -> LatentHead {
    let linear = |seed: usize| {
        let weight: Vec<f32> = (0..width * width).map(|i| ((i * 31 + seed) % 17) as f32 / 40.0 - 0.2).collect();
        let weight = Tensor::from_vec(weight, (width, width), &Device::Cpu).unwrap();
        let bias = Tensor::from_vec(vec![0.05f32; width], width, &Device::Cpu).unwrap();
        Linear { weight: Matrix::Tensor(weight), bias: Some(bias) }
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
        let moved = |(p, f): (prism_record::decode::Place, &prism_record::decode::Forward)| {
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
