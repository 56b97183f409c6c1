//! The made tokenizer in transformers (`oracle/read_tokenizer.py`). Needs Python with
//! transformers: set PRISM_PYTHON to its interpreter, else only the fixture is compared.

mod common;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use prism_model::preprocess::PixelConfig;
use prism_model::tokenizer::template::Message;
use prism_model::tokenizer::{Tokenizer, latent, make};
use prism_run::Stages;
use serde_json::{Value, json};

const WORLD: [&str; 4] = ["What is the color of the triangle?", "A. red\nB. blue\n", "left of", "the big dark-green star"];

const TEXTS: [&str; 14] = [
    "What is the color of the triangle?\nOptions:\nA. red\nB. dark-green\n\nAnswer with the option's letter from the given choices directly.",
    "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>the star<|im_end|>\n",
    "<|lvr_start|><|lvr|><|lvr|><|lvr_latent_end|><|lvr_end|>\n<answer> B </answer><|im_end|>\n",
    "<|ctx_start|><|lvr|><|ctx_end|><|free_start|><|free|><|free_end|><|tgt_start|><|tgt_end|>",
    "unknown words, THEY'LL do; 1234 5.6%",
    "   leading and trailing   ",
    "tabs\tand\r\nlines\n\n\n  indented",
    "naïve café ﬁ 日本語 🦊",
    "redred bluestar Triangle TRIANGLE",
    "</tool_call><|endoftext|>",
    "a",
    " A",
    "!!??--",
    "<|lvr|> x <|lvr|>",
];

/// A folder with the made tokenizer and the latent tokens.
fn world(folder: &Path) -> usize {
    let base = tempfile::tempdir().unwrap();
    make::make(base.path(), WORLD, &PixelConfig::default()).unwrap();
    latent::add(base.path(), folder, Stages::ContextFreeTarget, 6).unwrap().vocab_size
}

/// Ids, chat and size, a line each, as the check script prints them.
fn ours(folder: &Path) -> Vec<Value> {
    let tokenizer = Tokenizer::from_dir(folder).unwrap();
    TEXTS
        .iter()
        .map(|text| {
            let chat = tokenizer.template().render(&[Message::user(1, text)]).unwrap();
            json!([tokenizer.encode(text).unwrap(), chat, tokenizer.len()])
        })
        .collect()
}

#[test]
fn ids_and_chats_equal_those_of_transformers() {
    let folder = tempfile::tempdir().unwrap();
    let size = world(folder.path());
    let ours = ours(folder.path());
    assert_eq!(Tokenizer::from_dir(folder.path()).unwrap().len(), size);
    let fixture = common::fixture("made_tokenizer.json");
    if let Some(python) = std::env::var_os("PRISM_PYTHON") {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../oracle/read_tokenizer.py");
        let mut child = Command::new(python).arg(script).arg(folder.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines: String = TEXTS.iter().map(|text| format!("{}\n", json!(text))).collect();
        child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let theirs: Vec<Value> =
            String::from_utf8(output.stdout).unwrap().lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        std::fs::write(&fixture, format!("{:#}\n", Value::from(theirs))).unwrap();
    }
    let theirs = common::json_at(&fixture);
    for ((text, ours), theirs) in TEXTS.iter().zip(&ours).zip(theirs.as_array().unwrap()) {
        assert_eq!(ours, theirs, "{text:?}");
    }
    assert_eq!(ours.len(), theirs.as_array().unwrap().len());
}

#[test]
fn both_forms_of_the_files_give_the_same_ids() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    world(folder.path());
    for name in prism_model::tokenizer::files::FILES.iter().filter(|name| **name != "tokenizer.json") {
        let _ = std::fs::copy(folder.path().join(name), other.path().join(name));
    }
    assert_eq!(ours(folder.path()), ours(other.path()));
}
