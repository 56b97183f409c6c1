//! `prism doctor` and `prism inspect` over good and bad checkpoints: all that is wrong in
//! one message, before anything is run.

#[path = "../../../tests/golden.rs"]
mod reference;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use reference::golden;
use serde_json::Value;
use tempfile::TempDir;

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/base-tiny")
}

fn prism(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_prism")).args(arguments).output().unwrap()
}

/// A copy of the shipped base model that a test may damage.
struct Copy(TempDir);

impl Copy {
    fn new() -> Self {
        let copy = Self(tempfile::tempdir().unwrap());
        for entry in fs::read_dir(shipped()).expect("assets/base-tiny: the shipped base model") {
            let entry = entry.unwrap();
            fs::copy(entry.path(), copy.path(&entry.file_name().to_string_lossy())).unwrap();
        }
        copy
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn json(&self, name: &str, edit: impl FnOnce(&mut Value)) {
        let mut value: Value = serde_json::from_slice(&fs::read(self.path(name)).unwrap()).unwrap();
        edit(&mut value);
        fs::write(self.path(name), value.to_string()).unwrap();
    }

    /// Rewrites the header of the weights and leaves their bytes.
    fn header(&self, edit: impl FnOnce(&mut serde_json::Map<String, Value>)) {
        let bytes = fs::read(self.path("model.safetensors")).unwrap();
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let mut header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
        edit(header.as_object_mut().unwrap());
        let header = header.to_string();
        let whole = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &bytes[8 + length..]].concat();
        fs::write(self.path("model.safetensors"), whole).unwrap();
    }

    /// Divides the weights by an index between two files of the same bytes: `a` holds all.
    fn shards(&self, index: &Value) {
        fs::rename(self.path("model.safetensors"), self.path("a.safetensors")).unwrap();
        fs::write(self.path("model.safetensors.index.json"), index.to_string()).unwrap();
    }

    fn names(&self) -> Vec<String> {
        let bytes = fs::read(self.path("model.safetensors")).unwrap();
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
        header.as_object().unwrap().keys().filter(|name| *name != "__metadata__").cloned().collect()
    }

    fn faults(&self) -> Vec<String> {
        let output = prism(&["doctor", "--json", &self.0.path().display().to_string()]);
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        let faults: Vec<String> = found["faults"].as_array().unwrap().iter().map(|f| f.as_str().unwrap().to_string()).collect();
        assert_eq!(output.status.code(), Some(if faults.is_empty() { 0 } else { 3 }), "{faults:?}");
        faults
    }
}

const UP: &str = "model.layers.0.mlp.up_proj.weight";
const NORM: &str = "model.norm.weight";

#[test]
fn a_whole_checkpoint_has_no_faults() {
    assert_eq!(Copy::new().faults(), Vec::<String>::new());
    let copy = Copy::new();
    let map: Value = copy.names().into_iter().map(|name| (name, Value::from("a.safetensors"))).collect::<serde_json::Map<_, _>>().into();
    copy.shards(&serde_json::json!({ "weight_map": map }));
    assert_eq!(copy.faults(), Vec::<String>::new(), "one shard");
}

#[test]
fn every_kind_of_damage_is_told() {
    type Damage = fn(&Copy);
    let cases: [(&str, Damage, &[&str]); 17] = [
        ("no weights", |c| fs::remove_file(c.path("model.safetensors")).unwrap(), &["neither model.safetensors nor"]),
        ("no config", |c| fs::remove_file(c.path("config.json")).unwrap(), &["config.json"]),
        ("config of another kind", |c| c.json("config.json", |v| v["model_type"] = "llama".into()), &["`model_type` is \"llama\""]),
        ("config not JSON", |c| fs::write(c.path("config.json"), "{").unwrap(), &["config.json: is not JSON"]),
        (
            "cut off",
            |c| {
                let bytes = fs::read(c.path("model.safetensors")).unwrap();
                fs::write(c.path("model.safetensors"), &bytes[..bytes.len() / 2]).unwrap();
            },
            &["model.safetensors: is cut off: its header announces"],
        ),
        ("a page of text", |c| fs::write(c.path("model.safetensors"), "<html>not found</html>").unwrap(), &["is not a safetensors file"]),
        ("a pointer", |c| fs::write(c.path("model.safetensors"), [9, 0, 0, 0, 0, 0, 0, 0, b'{']).unwrap(), &["cut off inside its header"]),
        (
            "a tensor missing",
            |c| c.header(|h| drop(h.remove(NORM))),
            &["model.language_model.norm.weight: missing, config.json asks for [128]"],
        ),
        (
            "a tensor misshapen",
            |c| c.header(|h| h[UP]["shape"] = serde_json::json!([128, 384])),
            &["layers.0.mlp.up_proj.weight: stored as [128, 384], config.json asks for [384, 128]"],
        ),
        ("whole numbers", |c| c.header(|h| h[UP]["dtype"] = "I32".into()), &["up_proj.weight: stored as I32"]),
        ("offsets beyond the end", |c| c.header(|h| h[UP]["data_offsets"][1] = (1u64 << 40).into()), &["do not fit each other", "cut off"]),
        ("offsets backwards", |c| c.header(|h| h[UP]["data_offsets"] = serde_json::json!([9, 3])), &["impossible offsets 9 to 3"]),
        (
            "an index that names an absent shard",
            |c| c.shards(&serde_json::json!({ "weight_map": { UP: "b.safetensors", NORM: "a.safetensors" } })),
            &[
                "b.safetensors: missing; model.safetensors.index.json places 1 tensors in it",
                "where model.safetensors.index.json does not place it",
            ],
        ),
        (
            "an index that leads outside",
            |c| c.shards(&serde_json::json!({ "weight_map": { UP: "../a.safetensors" } })),
            &["outside its folder"],
        ),
        ("an index that is none", |c| c.shards(&serde_json::json!([])), &["is not an index of shards"]),
        (
            "another processor",
            |c| c.json("preprocessor_config.json", |v| v["patch_size"] = 16.into()),
            &["preprocessor_config.json: `patch_size` is 16, config.json's vision_config.patch_size is 14"],
        ),
        (
            "no tokenizer",
            |c| ["tokenizer.json", "vocab.json"].iter().for_each(|f| fs::remove_file(c.path(f)).unwrap()),
            &["neither tokenizer.json nor"],
        ),
    ];
    for (name, damage, words) in cases {
        let copy = Copy::new();
        damage(&copy);
        let faults = copy.faults().join("\n");
        for word in words {
            assert!(faults.contains(word), "{name}: `{word}` is not in:\n{faults}");
        }
    }
}

#[test]
fn several_faults_are_one_message_and_nothing_is_run() {
    let copy = Copy::new();
    copy.header(|h| {
        h.remove(NORM);
        h[UP]["shape"] = serde_json::json!([128, 384]);
    });
    copy.json("config.json", |v| v["tie_word_embeddings"] = false.into());
    fs::remove_file(copy.path("preprocessor_config.json")).unwrap();
    let (checkpoint, out) = (copy.0.path().display().to_string(), copy.path("run"));
    let run = out.display().to_string();
    let benchmark = golden().join("examples/data.json").display().to_string();
    for verb in ["eval", "audit"] {
        let output = prism(&[verb, "--checkpoint", &checkpoint, "--benchmark", &benchmark, "--out", &run]);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{message}");
        for words in ["norm.weight: missing", "up_proj.weight: stored as [128, 384]", "lm_head.weight: missing", "preprocessor_config.json"]
        {
            assert!(message.contains(words), "`{words}` is not in: {message}");
        }
        assert_eq!(message.matches("error:").count(), 1, "{message}");
        assert!(!out.exists(), "a folder was left in place");
    }
}

#[test]
fn a_name_on_the_hub_is_found_in_the_cache_or_told_how_to_fetch() {
    let cache = tempfile::tempdir().unwrap();
    let repository = cache.path().join("hub/models--someone--base-tiny");
    fs::create_dir_all(repository.join("refs")).unwrap();
    fs::create_dir_all(repository.join("snapshots")).unwrap();
    fs::write(repository.join("refs/main"), "0123abcd").unwrap();
    let snapshot = repository.join("snapshots/0123abcd");
    let copy = Copy::new();
    fs::create_dir(&snapshot).unwrap();
    for entry in fs::read_dir(copy.0.path()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), snapshot.join(entry.file_name())).unwrap();
    }
    let doctor = |name: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_prism"));
        command.env_remove("HF_HUB_CACHE").env_remove("HUGGINGFACE_HUB_CACHE").env("HF_HOME", cache.path());
        command.args(["doctor", "--json", name]).output().unwrap()
    };
    let output = doctor("someone/base-tiny");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!((found["checkpoint"].as_str(), found["hub_models"][0].as_str()), (snapshot.to_str(), Some("someone/base-tiny")));
    assert!(found["faults"].as_array().unwrap().is_empty() && found["machine"]["cores"].as_u64() > Some(0));
    let output = doctor("someone/else");
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{message}");
    for words in ["models--someone--else", "HF_HOME", "huggingface-cli download someone/else"] {
        assert!(message.contains(words), "`{words}` is not in: {message}");
    }
}

#[test]
fn an_inspection_says_what_the_checkpoint_is() {
    for (name, protocol, staged, first) in [
        ("base", "none", false, None),
        ("lvr", "lvr:", false, Some(408)),
        ("plvr2", "p-lvr-2", true, Some(408)),
        ("plvr3", "p-lvr-3", true, Some(408)),
    ] {
        let folder = golden().join("checkpoints").join(name);
        let output = prism(&["inspect", "--json", &folder.display().to_string()]);
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{name}: {}", found["faults"]);
        assert!(found["protocol"].as_str().unwrap().starts_with(protocol), "{name}: {}", found["protocol"]);
        assert_eq!((found["staged"].as_bool(), found["special_tokens"]["<|lvr_start|>"].as_u64()), (Some(staged), first), "{name}");
        // What transformers wrote: every number of every tensor, all f32.
        let parameters = found["parameters"]["total"].as_u64().unwrap();
        let bytes = fs::metadata(folder.join("model.safetensors")).unwrap().len();
        let header = u64::from_le_bytes(fs::read(folder.join("model.safetensors")).unwrap()[..8].try_into().unwrap()) + 8;
        assert_eq!((4 * parameters + header, found["parameters"]["stored"]["F32"].as_u64()), (bytes, Some(parameters)), "{name}");
        for row in found["memory"].as_array().unwrap() {
            let total = |dtype: &str| row[dtype]["total"].as_u64().unwrap();
            assert!(total("f32") > 4 * parameters && total("bf16") > 2 * parameters, "{row}");
            assert_eq!((row["f32"]["weights"].as_u64(), row["bf16"]["weights"].as_u64()), (Some(4 * parameters), Some(2 * parameters)));
        }
    }
    let text = String::from_utf8(prism(&["inspect", &golden().join("checkpoints/lvr").display().to_string()]).stdout).unwrap();
    for words in ["language    3 layers of 64", "parameters  0.51 M", "<|lvr_start|>", "3136 to 50176 pixels", "of it working"] {
        assert!(text.contains(words), "`{words}` is not in:\n{text}");
    }
}
