//! Every published method without its weights: prompts against its runner's, and the sequence of forwards
//! that follows from what the runner's model said at each of them. What a penalty changed is not
//! written down, so runs with one are left to `published_runs.rs`.

mod golden;

use std::path::Path;

use prism_model::Config;
use prism_model::preprocess::Grid;
use prism_model::prompt::Prompter;
use prism_record::decode::{ControlTokens, Feed, Sequence, Strategy};
use prism_run::protocol::{Exit, ExitChoice, ExitKind};
use prism_run::{Budget, Protocol};
use serde_json::Value;

struct Method {
    protocol: Protocol,
    prompter: Prompter,
    tokens: ControlTokens,
    expected: Value,
}

fn method(id: &str, set: &[(&str, &str)]) -> Method {
    let folder = golden::folder().join("methods").join(id);
    let checkpoint = folder.join("checkpoint");
    let config = Config::open(&checkpoint).unwrap();
    let set: Vec<(String, String)> = set.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    let protocol = Protocol::load_with(id, &set).unwrap().with_config(|key| config.key(key)).unwrap();
    let prompter = Prompter::from_dir(&checkpoint).unwrap();
    let tokens = ControlTokens::read(&checkpoint, &config, prompter.tokenizer(), Some(&protocol)).unwrap();
    let prompter = tokens.lay_out(prompter, Some(&protocol));
    let expected = serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
    Method { protocol, prompter, tokens, expected }
}

const METHODS: [&str; 9] = ["monet", "skila", "mirage", "ilvr", "laser", "swimbird", "realvr", "colt", "ivtlr"];

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u32).collect()
}

#[test]
fn prompts_are_the_runners() {
    for id in METHODS {
        let Method { protocol, prompter, expected, .. } = method(id, &[]);
        for value in expected["examples"].as_array().unwrap() {
            let side = |value: &Value| value.as_u64().unwrap() as usize;
            let grids: Vec<Grid> = value["image_grid_thw"]
                .as_array()
                .unwrap()
                .iter()
                .map(|g| Grid { t: side(&g[0]), h: side(&g[1]), w: side(&g[2]) })
                .collect();
            let question = value["question"].as_str().unwrap();
            let lines = question.lines().skip_while(|line| *line != "Options:").skip(1);
            let options: Vec<String> = lines.filter_map(|line| line.split_once(". ").map(|(_, option)| option.to_string())).collect();
            let prompt = prompter.question(&protocol.prompt.wrap(question, &options), &grids).unwrap();
            assert_eq!([prompt.ids, prompt.standing].concat(), ids(&value["prompt_ids"]), "{id} {}", value["id"]);
        }
    }
}

/// Runs a method's script of what was said; what differs from what its runner did.
fn follow(method: &Method, strategy: Strategy, run: &Value, last: u32) -> Result<(), String> {
    let mut sequence = Sequence::new(strategy, &method.tokens, last);
    for (i, step) in run["steps"].as_array().unwrap().iter().enumerate() {
        if sequence.finished() {
            return Err(format!("it ends before forward {i}"));
        }
        let read = match sequence.feed() {
            _ if i == 0 => "prompt",
            Feed::Token(_) => "token",
            Feed::Latent(_) => "latent",
            Feed::Image(_) => "image",
        };
        if step["read"] != read || (i > 0 && step["token"].as_u64() != Some(sequence.standing().into())) {
            return Err(format!("forward {i} reads {read} at {}, expected {step}", sequence.standing()));
        }
        let appended = sequence.advance(step["argmax"].as_u64().unwrap() as u32, None);
        if step["append"].as_u64() != appended.map(u64::from) {
            return Err(format!("forward {i} appends {appended:?}, expected {step}"));
        }
        let text = method.prompter.tokenizer().decode(sequence.generated()).unwrap().to_lowercase();
        if sequence.stop_texts().iter().any(|stop| text.contains(stop.as_str())) {
            sequence.hear();
        }
    }
    let finished = sequence.finished();
    if finished && sequence.generated() == ids(&run["generated_ids"]) { Ok(()) } else { Err("it goes on".into()) }
}

#[test]
fn sequences_are_the_runners() {
    let mut compared = 0;
    for id in METHODS {
        for run in ["greedy", "latent_size4", "steps4", "repetition_exit", "forced_steps4"] {
            let set: &[(&str, &str)] = if run == "repetition_exit" && id == "laser" { &[("repetition", "3")] } else { &[] };
            let method = method(id, set);
            let kind = (run == "steps4").then_some(ExitKind::Steps);
            let exit: Exit = method.protocol.exit(&ExitChoice { kind, ..ExitChoice::default() }).unwrap();
            let steps = if run.ends_with('4') { 4 } else { method.protocol.steps };
            let max_new_tokens = method.expected["max_new_tokens"].as_u64().unwrap() as usize;
            let strategy = Strategy { steps: Budget::Steps(steps), max_new_tokens, exit, force_open: run == "forced_steps4" };
            for value in method.expected["examples"].as_array().unwrap() {
                let Some(script) = value.get("runs").and_then(|runs| runs.get(run)) else { continue };
                let last = ids(&value["prompt_ids"]).pop().unwrap();
                follow(&method, strategy, script, last).unwrap_or_else(|why| panic!("{id} {run} {}: {why}", value["id"]));
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 44);
}

#[test]
fn what_is_not_told_apart_by_tokens_is_told_by_the_configuration_or_asked_for() {
    let found = |id: &str| {
        let checkpoint = golden::folder().join("methods").join(id).join("checkpoint");
        let prompter = Prompter::from_dir(Path::new(&checkpoint)).unwrap();
        prism_record::decode::found(&Config::open(&checkpoint).unwrap(), prompter.tokenizer())
    };
    for (id, by) in [
        ("monet", "<abs_vis_token>"),
        ("skila", "<|sketch_start|>"),
        ("laser", "<|laser_start|>"),
        ("swimbird", "`max_latent_token` in config.json"),
        ("ivtlr", "<|start-latent|>"),
    ] {
        let found = found(id).unwrap().unwrap();
        assert!(found.protocol.id == id && found.by.contains(by), "{}: {}", found.protocol.id, found.by);
    }
    for id in ["mirage", "ilvr"] {
        let message = found(id).unwrap_err().to_string();
        assert!(message.contains("mirage, ilvr") && message.contains("--protocol"), "{message}");
    }
    // A checkpoint of ReaLVR looks like one of LVR, and one of CoLT like none.
    assert_eq!(found("realvr").unwrap().unwrap().protocol.id, "lvr");
    assert!(found("colt").unwrap().is_none());
}
