//! Every intervention, every view of the image and every record under every shipped protocol: it acts as it
//! says, or is refused by name.

mod golden;

use std::path::Path;

use golden::examples;
use prism_model::generation::Generation;
use prism_model::preprocess::Preprocessor;
use prism_model::prompt::{BlockLayout, Prompter};
use prism_model::tensor::{DType, Device, Trainable};
use prism_model::{Config, Model};
use prism_record::decode::{ControlTokens, Strategy};
use prism_record::record::crossing::{Crossing, Side};
use prism_record::record::{Records, Setup, record_benchmark};
use prism_run::protocol::ExitChoice;
use prism_run::records::{self, AnswerRow};
use prism_run::{Budget, Cancel, Intervention, Outcome, PathCell, Protocol, Shard, Silent, Source, Variant, Weights};

/// Every action, some of them cut to steps and layers, and every view of the image.
const INTERVENTIONS: &str = "sham,sham-kv,zero,remove,evict,markers,format,noise:0.3,relative:0.5,norm-matched,mean,constant,draw,first,\
reversed,shuffled,swap,swap:other-answer,swap-kv,mix:0.5,oracle,oracle-other,forced:2,zero/step=1,zero/layer=1,clean@image-hidden,\
zero@image-hidden,clean@image-none,clean@image-grey,clean@image-other,clean@image-shuffled,zero@image-shuffled";

struct Opened {
    model: Model,
    prompter: Prompter,
    preprocessor: Preprocessor,
    tokens: ControlTokens,
    protocol: Protocol,
}

/// A checkpoint of a protocol: the method's own tiny one, or one of its sizes with random weights.
fn opened(id: &str) -> Opened {
    let checkpoint = match id {
        "lvr" => golden::folder().join("checkpoints/lvr"),
        "p-lvr" => golden::folder().join("checkpoints/plvr2"),
        _ => golden::folder().join("methods").join(id).join("checkpoint"),
    };
    let config = Config::open(&checkpoint).unwrap();
    let set: &[(String, String)] = match id {
        "ivtlr" => &[("blocks.0.insert".to_string(), "4".to_string()), ("pixels.side".to_string(), "140".to_string())],
        _ => &[],
    };
    let protocol = Protocol::load_with(id, set).unwrap().with_config(|key| config.key(key)).unwrap();
    let model = match checkpoint.join("model.safetensors").is_file() {
        true => Model::open(&checkpoint, &Device::Cpu, DType::F32, Trainable::No).unwrap(),
        false => Model::random(config, 5, &Device::Cpu, Trainable::No).unwrap(),
    };
    let prompter = Prompter::from_dir(&checkpoint).unwrap();
    let mut tokens = ControlTokens::read(&checkpoint, &model.config, prompter.tokenizer(), Some(&protocol)).unwrap();
    // With a penalty, so that what it sees of other branches counts too.
    tokens.generation = Generation { repetition_penalty: 1.02, ..Generation::plain() };
    let prompter = tokens.lay_out(prompter, Some(&protocol));
    let limits = (Some(3136), Some(12_544));
    let (preprocessor, _) = Preprocessor::from_dir(&checkpoint).unwrap().for_method(&protocol.pixels, limits).unwrap();
    Opened { model, prompter, preprocessor, tokens, protocol }
}

/// How regions become blocks, where the checkpoint has LVR's tokens: elsewhere there are no targets.
fn layout(opened: &Opened) -> Option<BlockLayout> {
    let variant = match opened.protocol.id.as_str() {
        "lvr" | "realvr" => "lvr",
        "p-lvr" => "p-lvr-2",
        _ => return None,
    };
    Some(BlockLayout::of(&Variant::load(variant).unwrap()).with_latent_end(true))
}

fn recorded(opened: &Opened, branches: &[Intervention], into: &Path) -> Records<AnswerRow> {
    let exit = opened.protocol.exit(&ExitChoice::default()).unwrap();
    let setup = Setup {
        model: &opened.model,
        prompter: &opened.prompter,
        preprocessor: &opened.preprocessor,
        tokens: &opened.tokens,
        layout: layout(opened),
        strategy: Strategy { steps: Budget::Steps(3), max_new_tokens: 24, exit, force_open: true },
        branches: branches.to_vec(),
        seed: 11,
        pool: 3,
        alignment: 4,
        group: 2,
        shard: Shard::WHOLE,
        vectors: true,
        layers: true,
        timing: false,
        checkpoint: opened.protocol.id.clone(),
    };
    record_benchmark(&setup, &examples(4), into, &Silent, &Cancel::default()).unwrap();
    Records::read(&records::folder(into)).unwrap()
}

fn check(opened: &Opened, branches: &[Intervention], found: &Records<AnswerRow>) {
    let id = &opened.protocol.id;
    let rows = |branch: &Intervention| found.answers.iter().filter(|row| row.intervention == *branch).collect::<Vec<_>>();
    let steps = |row: &AnswerRow| row.steps_context + row.steps_target;
    let clean = rows(&Intervention::CLEAN);
    // A model may say its end token right behind the start token that is forced.
    let opened_in: Vec<usize> = clean.iter().filter(|row| steps(row) > 0).map(|row| row.row).collect();
    assert!(clean.len() == 4 && opened_in.len() >= 2, "{id}: the block opened in {opened_in:?}");
    assert!(clean.iter().all(|row| steps(row) == 0 || row.latent_norm.is_some_and(|norm| norm > 0.0)), "{id}");
    for branch in branches {
        let own = rows(branch);
        assert_eq!(own.len(), 4, "{id}: {branch}");
        for row in own {
            let said = found.examples.iter().find(|example| example.row == row.row).and_then(|example| example.message.clone());
            if row.outcome == Outcome::Error {
                assert!(said.is_some_and(|said| said.contains(&branch.to_string())), "{id}: {branch} is refused without a word");
                continue;
            }
            if !opened_in.contains(&row.row) {
                continue;
            }
            match branch.to_string().as_str() {
                "sham" | "sham-kv" => assert_eq!(row.changed, Some(false), "{id}: {branch}"),
                "zero" => assert!(row.latent_norm == Some(0.0) && steps(row) > 0, "{id}: {branch} {row:?}"),
                "remove" | "markers" | "format" => assert_eq!(steps(row), 0, "{id}: {branch}"),
                "noise:0.3" | "swap" | "mean" | "norm-matched" => {
                    assert!(row.perturbation_norm.is_some_and(|moved| moved > 0.0), "{id}: {branch}")
                }
                _ => {}
            }
        }
    }
    // Targets exist where the checkpoint has LVR's regions, and nowhere else.
    let refused = |branch: &str| {
        let own = rows(&branch.parse().unwrap());
        own.iter().filter(|row| opened_in.contains(&row.row)).all(|row| row.outcome == Outcome::Error)
    };
    assert_eq!(refused("oracle"), layout(opened).is_none(), "{id}: oracle");
    assert_eq!(found.alignment.is_empty(), layout(opened).is_none(), "{id}: alignment");
    // What hides the image is refused where the block reads it again.
    let inserts = opened.tokens.rules.prompt_block.is_some_and(|block| block.insert > 0);
    assert_eq!(refused("clean@image-hidden"), inserts, "{id}: image-hidden");
    assert!(!found.attention.is_empty() && !found.lens.is_empty() && !found.steps.is_empty(), "{id}: records");
    for name in ["latent_last", "question_mean", "fed.target.0"] {
        assert!(found.vectors.keys().any(|key| key == name), "{id}: no vectors {name}, only {:?}", found.vectors.keys());
    }
}

#[test]
fn every_intervention_acts_under_every_protocol_or_is_refused_by_name() {
    let branches: Vec<Intervention> = INTERVENTIONS.split(',').map(|text| text.parse().unwrap()).collect();
    for id in Protocol::preset_ids() {
        let opened = opened(id);
        let folder = tempfile::tempdir().unwrap();
        check(&opened, &branches, &recorded(&opened, &branches, folder.path()));
    }
}

#[test]
fn crossing_replays_a_block_that_stands_in_the_text_and_is_refused_by_name_elsewhere() {
    for id in Protocol::preset_ids() {
        let opened = opened(id);
        let exit = opened.protocol.exit(&ExitChoice::default()).unwrap();
        let strategy = Strategy { steps: Budget::Steps(3), max_new_tokens: 24, exit, force_open: true };
        let side = Side { model: &opened.model, prompter: &opened.prompter, tokens: &opened.tokens, strategy };
        let crossing = Crossing {
            base: side,
            variant: side,
            preprocessor: &opened.preprocessor,
            layout: layout(&opened),
            group: 2,
            checkpoints: id.into(),
        };
        let why = crossing.undefined(PathCell { weights: Weights::Base, latents: Source::Variant });
        match id {
            "colt" => assert!(why.is_some_and(|why| why.contains("nothing is appended")), "{id}"),
            "ivtlr" => assert!(why.is_some_and(|why| why.contains("no latent block") || why.contains("nothing is appended")), "{id}"),
            _ => assert_eq!(why, None, "{id}"),
        }
        assert_eq!(crossing.undefined(PathCell { weights: Weights::Base, latents: Source::None }), None, "{id}");
    }
}
