//! Prompts, training samples and regions of the golden data.

mod common;

use std::path::PathBuf;

use prism_model::preprocess::{Grid, Preprocessor};
use prism_model::prompt::{BlockLayout, Prompter, TrainingSample};
use prism_model::tokenizer::{Tokenizer, latent};
use prism_run::{Example, RegionBox, Stage, TrainingRecord, Turn, Variant};
use serde_json::Value;

/// Golden name and preset of each variant.
const PRESETS: [(&str, &str); 5] = [("lvr", "lvr"), ("nlvr", "n-lvr"), ("dlvr", "d-lvr"), ("plvr2", "p-lvr-2"), ("plvr3", "p-lvr-3")];

fn numbers(value: &Value) -> Vec<i64> {
    value.as_array().unwrap().iter().map(|v| v.as_i64().unwrap()).collect()
}

fn prompter(variant: &str) -> Prompter {
    Prompter::from_dir(&common::golden(&format!("checkpoints/{variant}"))).unwrap()
}

fn layout(preset: &str) -> BlockLayout {
    BlockLayout::of(&Variant::load(preset).unwrap()).with_latent_end(true)
}

fn record(item: &Value, row: usize) -> TrainingRecord {
    let text = |i: usize| item["conversations"][i]["value"].as_str().unwrap().to_owned();
    let boxes = item["bboxes"].as_array().unwrap().iter().map(|b| RegionBox(serde_json::from_value(b.clone()).unwrap()));
    TrainingRecord {
        id: format!("mini/{row}"),
        row,
        images: vec![common::golden("examples").join(item["image"][0].as_str().unwrap())],
        turns: vec![Turn { question: text(0), answer: text(1) }],
        boxes: boxes.collect(),
        text: item["text"].as_str().map(str::to_owned),
        label: item["label"].as_str().map(str::to_owned),
    }
}

fn grids(variant: &str, images: &[PathBuf]) -> Vec<Grid> {
    let preprocessor = Preprocessor::from_dir(&common::golden(&format!("checkpoints/{variant}"))).unwrap();
    images.iter().map(|image| preprocessor.grid_of(image).unwrap()).collect()
}

fn sample(variant: &str, preset: &str, item: &Value, row: usize) -> TrainingSample {
    let record = record(item, row);
    prompter(variant).sample(&record, &grids(variant, &record.images), &layout(preset)).unwrap()
}

#[test]
fn decoding_prompts_equal_the_golden_ids() {
    let data = common::json("examples/data.json");
    let mut compared = 0;
    for (variant, _) in PRESETS {
        let prompter = prompter(variant);
        for steps in [4, 8] {
            let expected = common::json(&format!("expected/decode_{variant}_k{steps}.json"));
            for row in expected["rows"].as_array().unwrap() {
                let record = record(&data[row["question_id"].as_u64().unwrap() as usize], 0);
                let prompt = prompter.question(record.text.as_deref().unwrap(), &grids(variant, &record.images)).unwrap();
                // The ids stand there for the first examples, the length for all.
                if row.get("prompt_ids").is_some() {
                    assert_eq!(prompt.ids.iter().map(|id| i64::from(*id)).collect::<Vec<_>>(), numbers(&row["prompt_ids"]));
                    compared += 1;
                }
                assert_eq!(prompt.len(), row["prompt_len"].as_u64().unwrap() as usize);
                assert_eq!(prompt.image_tokens.len(), 36);
                let generated: Vec<u32> = numbers(&row["generated"]).iter().map(|id| *id as u32).collect();
                assert_eq!(prompter.tokenizer().decode(&generated).unwrap(), row["text"].as_str().unwrap());
            }
        }
    }
    assert!(compared > 0);
}

#[test]
fn the_question_is_the_user_turns_text() {
    let data = common::json("examples/data.json");
    let record = record(&data[0], 0);
    let prompter = prompter("lvr");
    let prompt = prompter.question(record.text.as_deref().unwrap(), &grids("lvr", &record.images)).unwrap();
    let ids: Vec<u32> = prompt.question_tokens.iter().map(|at| prompt.ids[*at]).collect();
    assert_eq!(prompter.tokenizer().decode(&ids).unwrap(), format!("user\n{}", record.text.unwrap()));
}

#[test]
fn training_samples_equal_the_golden_packs() {
    let data = common::json("examples/data.json");
    for (variant, preset) in PRESETS {
        let tokens = *prompter(variant).latent().unwrap();
        for pack in common::json(&format!("expected/train_{variant}.json")).as_array().unwrap() {
            let rows = numbers(&pack["rows"]);
            let samples: Vec<_> = rows.iter().map(|row| sample(variant, preset, &data[*row as usize], *row as usize)).collect();
            let longest = samples.iter().map(TrainingSample::len).max().unwrap();
            assert_eq!(longest, pack["length"].as_u64().unwrap() as usize, "{variant} {}", pack["pack"]);
            if pack["pack"] != "one" {
                continue;
            }
            let sample = &samples[0];
            assert_eq!(sample.ids.iter().map(|id| i64::from(*id)).collect::<Vec<_>>(), numbers(&pack["input_ids"]), "{variant}");
            // The golden labels still hold the latent positions, which the loss leaves out.
            let expected: Vec<Option<u32>> =
                numbers(&pack["labels"]).iter().map(|l| u32::try_from(*l).ok().filter(|id| !tokens.is_position(*id))).collect();
            assert_eq!(sample.labels, expected, "{variant}");
            let stages: &[Stage] = if tokens.staged.is_some() { &[Stage::Context, Stage::Target] } else { &[Stage::Target] };
            let visual = |stage: &Stage| sample.latents.iter().filter(|l| l.stage == *stage).map(|l| l.visual as i64).collect::<Vec<_>>();
            let expected: Vec<Vec<i64>> = pack["lvr_tokens"].as_array().unwrap().iter().map(numbers).collect();
            assert_eq!(stages.iter().map(visual).collect::<Vec<_>>(), expected, "{variant}");
            assert!(sample.latents.iter().all(|l| sample.ids[l.at] == tokens.lvr));
            let free: usize = sample.free.iter().map(|run| run.at.len()).sum();
            assert_eq!(free, if variant == "plvr3" { 6 } else { 0 });
            assert_eq!(sample.shifted_labels()[..sample.len() - 1], sample.labels[1..]);
        }
    }
}

#[test]
fn an_example_is_teacher_forced_as_its_record_is_trained() {
    let data = common::json("examples/data.json");
    let record = record(&data[0], 0);
    let example = Example {
        id: "mini/0".into(),
        row: 0,
        question_id: "0".into(),
        images: record.images.clone(),
        prompt: record.text.clone().unwrap(),
        options: vec![],
        label: record.label.clone().unwrap(),
        boxes: record.boxes.clone(),
        category: None,
        pair: None,
        counterfactual: None,
    };
    let (prompter, grids) = (prompter("plvr3"), grids("plvr3", &record.images));
    let forced = prompter.teacher_forced(&example, &grids, &layout("p-lvr-3")).unwrap();
    assert_eq!(forced, prompter.sample(&record, &grids, &layout("p-lvr-3")).unwrap());
    let prompt = prompter.example(&example, &grids).unwrap();
    assert_eq!(forced.ids[..prompt.len()], prompt.ids, "training and decoding read the same prompt");
    assert_eq!(forced.positions[..prompt.len()], prompt.positions);
    assert_eq!(forced.positions[prompt.len()], [prompt.next_position; 3]);
}

#[test]
fn several_turns_and_regions_are_laid_out_in_order() {
    let image = common::golden("examples/images/00000.png");
    let turn = |question: &str, answer: &str| Turn { question: question.into(), answer: answer.into() };
    let record = TrainingRecord {
        id: "two".into(),
        row: 3,
        images: vec![image],
        turns: vec![
            turn("<image>\nWhat is the color?", "<lvr>\n<lvr>\n<answer> A </answer>"),
            turn("And now?", "<lvr><answer> B </answer>"),
        ],
        boxes: vec![RegionBox([0.0, 0.0, 0.1, 0.1]), RegionBox([0.9, 0.9, 1.0, 1.0]), RegionBox([0.4, 0.4, 0.6, 0.6])],
        text: None,
        label: None,
    };
    let prompter = prompter("plvr2");
    let sample = prompter.sample(&record, &[Grid { t: 1, h: 12, w: 12 }], &BlockLayout::of(&Variant::load("p-lvr-2").unwrap())).unwrap();
    let text = prompter.tokenizer().decode(&sample.ids).unwrap().replace("<|image_pad|>", "");
    let latents = |n: usize| "<|lvr|>".repeat(n);
    let block = |c: usize, t: usize| format!("<|ctx_start|>{}<|ctx_end|><|tgt_start|>{}<|tgt_end|>", latents(c), latents(t));
    assert_eq!(
        text,
        format!(
            "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n<|vision_start|><|vision_end|>What is the color?\
             <|im_end|>\n<|im_start|>assistant\n{}\n{}\n<answer> A </answer><|im_end|>\n<|im_start|>user\nAnd now?<|im_end|>\n\
             <|im_start|>assistant\n{}<answer> B </answer><|im_end|>\n",
            block(1, 1),
            block(1, 1),
            block(4, 4)
        )
    );
    assert_eq!(sample.latents.iter().map(|l| l.region).collect::<Vec<_>>(), [0, 0, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2]);
    let counted: Vec<u32> = sample.labels.iter().flatten().copied().collect();
    let counted = prompter.tokenizer().decode(&counted).unwrap();
    assert!(counted.starts_with("<|ctx_start|><|ctx_end|>") && counted.ends_with("</answer><|im_end|>\n"), "{counted}");
    assert_eq!(counted.matches("<|im_end|>").count(), 2);
}

#[test]
fn records_that_do_not_add_up_are_refused() {
    let data = common::json("examples/data.json");
    let good = record(&data[0], 0);
    let grid = Grid { t: 1, h: 12, w: 12 };
    let lvr = prompter("lvr");
    let refused =
        |record: &TrainingRecord, grids: &[Grid], layout: &BlockLayout| lvr.sample(record, grids, layout).unwrap_err().to_string();
    let single = layout("lvr");
    assert!(refused(&good, &[], &single).contains("grids"));
    let boxes = TrainingRecord { boxes: vec![], ..good.clone() };
    assert!(refused(&boxes, &[grid], &single).contains("boxes"));
    let two = TrainingRecord { images: vec![good.images[0].clone(); 2], ..good.clone() };
    assert!(refused(&two, &[grid; 2], &single).contains("which image"));
    assert!(refused(&good, &[grid], &layout("p-lvr-2")).contains("context"));
    assert!(prompter("base").sample(&good, &[grid], &single).is_err());
    assert!(lvr.question("a <|image_pad|> b", &[grid]).is_err());
}

#[test]
fn adding_latent_tokens_gives_the_golden_ids() {
    let base = common::golden("checkpoints/base");
    for (golden, preset) in [("lvr", "lvr"), ("plvr3", "p-lvr-3")] {
        let folder = tempfile::tempdir().unwrap();
        let variant = Variant::load(preset).unwrap();
        let added = latent::add(&base, folder.path(), variant.stages, variant.free_tokens).unwrap();
        let expected = common::json(&format!("checkpoints/{golden}/config.json"));
        for (key, value) in &added.config {
            assert_eq!(&expected[key], value, "{golden} {key}");
        }
        let ours = Tokenizer::from_dir(folder.path()).unwrap();
        let theirs = Tokenizer::from_dir(&common::golden(&format!("checkpoints/{golden}"))).unwrap();
        assert_eq!((ours.len(), ours.len()), (theirs.len(), added.vocab_size));
        let added_tokens = common::json_at(&folder.path().join("added_tokens.json"));
        assert_eq!(added_tokens, common::json(&format!("checkpoints/{golden}/added_tokens.json")));
        // Adding once more changes nothing.
        let again = tempfile::tempdir().unwrap();
        assert_eq!(latent::add(folder.path(), again.path(), variant.stages, variant.free_tokens).unwrap(), added);
    }
}
