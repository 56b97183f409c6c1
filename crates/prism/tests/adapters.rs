//! Adapters, quantised folders and downloads, as a user meets them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../prism-model/tests/fixtures").join(name)
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// A user's caches, empty.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn prism(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_prism"));
        command.env_remove("HF_HUB_CACHE").env_remove("HUGGINGFACE_HUB_CACHE").env("HF_HOME", self.0.path().join("hf"));
        command.env("PRISM_CACHE", self.0.path().join("prism")).args(arguments).output().unwrap()
    }

    fn error(&self, arguments: &[&str]) -> String {
        let output = self.prism(arguments);
        assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stderr).unwrap()
    }

    fn json(&self, arguments: &[&str]) -> (Value, String) {
        let output = self.prism(arguments);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{told}");
        (serde_json::from_slice(&output.stdout).unwrap(), told)
    }
}

fn copy(from: &Path) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    folder
}

fn edit(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut value: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    change(&mut value);
    fs::write(path, value.to_string()).unwrap();
}

#[test]
fn an_adapter_is_looked_at_over_its_base() {
    let home = Home::new();
    let (adapter, base) = (fixture("adapters/two"), fixture("checkpoints/plain"));
    let (found, told) = home.json(&["doctor", "--json", &text(&adapter), "--base", &text(&base)]);
    assert_eq!((found["faults"].clone(), found["notes"].clone()), (json!([]), Value::Null));
    assert!(told.contains("the adapter") && told.contains("over"), "{told}");
    let (inspected, _) = home.json(&["inspect", "--json", &text(&adapter), "--base", &text(&base)]);
    let (plain, _) = home.json(&["inspect", "--json", &text(&base)]);
    assert_eq!(inspected["parameters"]["total"], plain["parameters"]["total"]);
    assert!(inspected["parameters"]["bytes"].as_u64() > plain["parameters"]["bytes"].as_u64());
    let message = home.error(&["doctor", &text(&adapter)]);
    assert!(message.contains("an adapter over org/base") && message.contains("--base DIR"), "{message}");
    let message = home.error(&["doctor", &text(&base), "--base", &text(&base)]);
    assert!(message.contains("--base does nothing"), "{message}");
}

#[test]
fn a_run_of_an_adapter_says_both_and_hashes_both() {
    let home = Home::new();
    let (adapter, base) = (copy(&fixture("adapters/two")), fixture("checkpoints/plain"));
    edit(&adapter.path().join("adapter_config.json"), |v| v["base_model_name_or_path"] = text(&base).into());
    let examples = fixture("checkpoints/examples.json");
    let trace = |checkpoint: &Path, more: &[&str]| {
        let checkpoint = text(checkpoint);
        let examples = text(&examples);
        let mut arguments =
            vec!["trace", "--checkpoint", &checkpoint, "--examples", &examples, "--rows", "0", "--json", "--max-new-tokens", "6"];
        arguments.extend(more);
        home.prism(&arguments)
    };
    // The examples of the fixtures are no benchmark: what is asked here is only which folder is opened.
    let message = String::from_utf8(trace(adapter.path(), &[]).stderr).unwrap();
    assert!(!message.contains("adapter without its base"), "{message}");
    let benchmark = tempfile::tempdir().unwrap();
    fs::copy(fixture("families/images/ribbon.png"), benchmark.path().join("a.png")).unwrap();
    let line = json!({"id": 1, "image": "a.png", "question": "Which?", "options": ["x", "y"], "label": "A"});
    let file = benchmark.path().join("b.jsonl");
    fs::write(&file, line.to_string()).unwrap();
    let (out, name) = (benchmark.path().join("run"), text(adapter.path()));
    let output = home.prism(&["eval", "--checkpoint", &name, "--benchmark", &text(&file), "--out", &text(&out), "--max-new-tokens", "4"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}");
    let run: Value = serde_json::from_slice(&fs::read(out.join("run.json")).unwrap()).unwrap();
    for file in ["adapter_model.safetensors", "adapter_config.json", "model.safetensors", "config.json"] {
        assert!(run["inputs"][format!("checkpoint/{file}")].is_string(), "{file}: {}", run["inputs"]);
    }
}

#[test]
fn extra_tensors_are_named_and_do_not_stop() {
    let home = Home::new();
    let folder = copy(&fixture("checkpoints/plain"));
    let path = folder.path().join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    for name in ["model.vision_head.0.weight", "sketch_extractor.proj.weight"] {
        header[name] = json!({"dtype": "F32", "shape": [0], "data_offsets": [0, 0]});
    }
    let header = header.to_string();
    fs::write(&path, [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &bytes[8 + length..]].concat()).unwrap();
    let (found, _) = home.json(&["doctor", "--json", &text(folder.path())]);
    let notes = found["notes"].to_string();
    assert!(
        notes.contains("2 tensors") && notes.contains("vision_head.0.weight") && notes.contains("sketch_extractor.proj.weight"),
        "{notes}"
    );
    let told = String::from_utf8(home.prism(&["inspect", &text(folder.path())]).stderr).unwrap();
    assert!(told.contains("sketch_extractor.proj.weight"), "{told}");
}

#[test]
fn quantised_folders_are_refused_in_one_line() {
    let home = Home::new();
    for (said, named) in [
        (json!({"quant_method": "bitsandbytes", "load_in_4bit": true, "bnb_4bit_quant_type": "nf4"}), "bitsandbytes 4-bit (nf4)"),
        (json!({"quant_method": "gptq", "bits": 4, "group_size": 128}), "GPTQ 4-bit in groups of 128"),
        (json!({"quant_method": "awq", "bits": 4, "group_size": 128}), "AWQ 4-bit in groups of 128"),
        (json!({"quant_method": "fp8", "weight_block_size": [128, 128]}), "fp8 in blocks of [128,128]"),
        (json!({"quant_method": "compressed-tensors", "format": "float-quantized"}), "compressed-tensors (float-quantized)"),
    ] {
        let folder = copy(&fixture("checkpoints/plain"));
        edit(&folder.path().join("config.json"), |v| v["quantization_config"] = said);
        let out = folder.path().join("run");
        let benchmark = fixture("checkpoints/examples.json");
        let checkpoint = text(folder.path());
        let message = home.error(&["audit", "--checkpoint", &checkpoint, "--benchmark", &text(&benchmark), "--out", &text(&out)]);
        let lines: Vec<&str> = message.lines().filter(|line| line.contains("quantised")).collect();
        assert_eq!(lines.len(), 1, "{message}");
        assert!(lines[0].contains(named) && lines[0].contains("dequantize()"), "{message}");
        let output = home.prism(&["doctor", "--json", &checkpoint]);
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(found["faults"].as_array().map(Vec::len), Some(1), "{}", found["faults"]);
    }
}

#[cfg(not(feature = "download"))]
#[test]
fn a_binary_without_downloads_says_so() {
    let message = Home::new().error(&["doctor", "org/name", "--download"]);
    for words in ["built without downloads", "--features download", "hf download org/name"] {
        assert!(message.contains(words), "`{words}` is not in: {message}");
    }
}
