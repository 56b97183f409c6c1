//! How the examples of the golden data are read.

#![allow(dead_code, missing_docs)]

#[path = "../../../../tests/golden.rs"]
mod reference;

use std::path::Path;

use prism_model::preprocess::Preprocessor;
use prism_model::prompt::{BlockLayout, Prompter};
use prism_model::tensor::{DType, Device, Trainable};
use prism_model::{Config, Model};
use prism_record::decode::{ControlTokens, Decoder, Prefiller, Strategy, detect};
use prism_run::{Example, Protocol, RegionBox, Stages};
pub use reference::golden as folder;
use serde_json::Value;

pub const VARIANTS: [&str; 5] = ["lvr", "nlvr", "dlvr", "plvr2", "plvr3"];

pub fn expected(name: &str) -> Value {
    let path = folder().join("expected").join(name);
    serde_json::from_slice(&std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))).unwrap()
}

pub fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u32).collect()
}

pub fn examples(count: usize) -> Vec<Example> {
    let folder = folder().join("examples");
    let data: Value = serde_json::from_slice(&std::fs::read(folder.join("data.json")).unwrap()).unwrap();
    let read = |(row, v): (usize, &Value)| {
        let prompt = v["text"].as_str().unwrap();
        let options =
            ["\nA. ", "\nB. ", "\nC. ", "\nD. "].iter().take_while(|o| prompt.contains(**o)).map(|o| o.trim().to_string()).collect();
        Example {
            id: v["question_id"].to_string(),
            row,
            question_id: v["question_id"].to_string(),
            images: v["image"].as_array().unwrap().iter().map(|i| folder.join(i.as_str().unwrap())).collect(),
            prompt: prompt.into(),
            options,
            label: v["label"].as_str().unwrap().into(),
            boxes: v["bboxes"].as_array().unwrap().iter().map(|b| RegionBox(std::array::from_fn(|i| b[i].as_f64().unwrap()))).collect(),
            category: None,
            pair: None,
            counterfactual: None,
        }
    };
    data.as_array().unwrap().iter().enumerate().take(count).map(read).collect()
}

pub struct Opened {
    pub model: Model,
    pub prompter: Prompter,
    pub preprocessor: Preprocessor,
    pub tokens: ControlTokens,
}

impl Opened {
    pub fn new(variant: &str) -> Self {
        Self::at(&folder().join("checkpoints").join(variant))
    }

    /// A checkpoint of any folder.
    pub fn at(dir: &Path) -> Self {
        let config = Config::open(dir).unwrap();
        let protocol = detect(&config, Prompter::from_dir(dir).unwrap().tokenizer()).unwrap();
        Self::under(dir, protocol.as_ref())
    }

    /// A checkpoint of any folder, under the protocol that is named.
    pub fn named(dir: &Path, protocol: &Protocol) -> Self {
        Self::under(dir, Some(protocol))
    }

    fn under(dir: &Path, protocol: Option<&Protocol>) -> Self {
        let model = Model::open(dir, &Device::Cpu, DType::F32, Trainable::No).unwrap();
        let prompter = Prompter::from_dir(dir).unwrap();
        let preprocessor = Preprocessor::from_dir(dir).unwrap().with_pixels(Some(28 * 28 * 4), Some(28 * 28 * 64)).unwrap();
        let tokens = ControlTokens::read(dir, &model.config, prompter.tokenizer(), protocol).unwrap();
        Self { model, prompter, preprocessor, tokens }
    }

    pub fn prefiller(&self) -> Prefiller<'_> {
        Prefiller { model: &self.model, prompter: &self.prompter, preprocessor: &self.preprocessor, layers: false }
    }

    pub fn decoder(&self, steps: usize, max_new_tokens: usize) -> Decoder<'_> {
        self.decoder_of(Strategy::of_steps(steps, max_new_tokens))
    }

    pub fn decoder_of(&self, strategy: Strategy) -> Decoder<'_> {
        Decoder { model: &self.model, tokenizer: self.prompter.tokenizer(), tokens: &self.tokens, strategy }
    }

    /// The layout the golden checkpoints were trained with: `<|lvr_latent_end|>` closes each stage.
    pub fn layout(&self) -> Option<BlockLayout> {
        let latent = &self.model.config.latent;
        let stages = match (latent.plvr_mode, latent.include_free_stage) {
            (false, _) => Stages::Single,
            (true, false) => Stages::ContextTarget,
            (true, true) => Stages::ContextFreeTarget,
        };
        let layout = BlockLayout {
            stages,
            context_scale: 1.5,
            free_tokens: latent.num_free_tokens,
            latent_end: true,
            asked: false,
            skipped: false,
            once: false,
            steps: None,
            sight: Default::default(),
        };
        self.prompter.latent().map(|_| layout)
    }
}
