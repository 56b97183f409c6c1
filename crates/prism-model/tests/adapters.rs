//! LoRA adapters over their bases, against what peft's own merge makes of them (`oracle/adapters.py`).

mod common;

use std::path::{Path, PathBuf};

use prism_model::checkpoint::adapter::place::place;
use prism_model::checkpoint::{Files, HubCache, memory_name};
use prism_model::tensor::{DType, Device, Trainable, values};
use prism_model::{Config, Model};
use serde_json::Value;
use tempfile::TempDir;

/// How far a merged value may lie from peft's.
const NEAR: f32 = 1e-5;

fn fixtures() -> PathBuf {
    common::fixture("adapters")
}

fn nowhere() -> HubCache {
    HubCache { root: "/nowhere".into(), decided_by: "the test" }
}

fn told(case: &str) -> Value {
    common::json_at(&fixtures().join(case).join("case.json"))
}

/// An adapter and its base, put together in a folder of the test's.
fn placed(adapter: &Path, base: &Path) -> (TempDir, PathBuf) {
    let cache = tempfile::tempdir().unwrap();
    let folder = place(adapter, Some(base), &nowhere(), cache.path()).unwrap().folder;
    (cache, folder)
}

fn of_case(case: &str) -> (TempDir, PathBuf, PathBuf) {
    let base = common::fixture(told(case)["base"].as_str().unwrap());
    let (cache, folder) = placed(&fixtures().join(case), &base);
    (cache, folder, base)
}

fn numbers(files: &Files, name: &str) -> Option<Vec<f32>> {
    files.tensor(name, DType::F32, &Device::Cpu).unwrap().map(|tensor| values(&tensor).unwrap())
}

fn expected(case: &str) -> Vec<(String, Vec<f32>)> {
    let bytes = std::fs::read(fixtures().join(case).join("expected.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let floats = |data: &[u8]| data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    file.tensors().into_iter().map(|(name, view)| (memory_name(&name), floats(view.data()))).collect()
}

/// Every tensor of a case against peft's: those that it changed, and those that it left.
fn check(case: &str) {
    let (_cache, folder, base) = of_case(case);
    let (merged, base) = (Files::open(&folder).unwrap(), Files::open(&base).unwrap());
    assert_eq!(merged.problems, Vec::<String>::new(), "{case}");
    assert_eq!(merged.notes, Vec::<String>::new(), "{case}");
    let model = Model::open(&folder, &Device::Cpu, DType::F32, Trainable::No).unwrap();
    let told = told(case);
    assert_eq!(model.config.tie_word_embeddings, told["tied"].as_bool().unwrap(), "{case}: tied");
    assert_eq!(model.config.text.vocab_size as u64, told["rows"].as_u64().unwrap(), "{case}: rows");
    let expected = expected(case);
    let mut furthest = 0.0f32;
    for (name, wanted) in &expected {
        // Of a tied model peft has one matrix under two names.
        let here =
            if model.config.tie_word_embeddings && name == "lm_head.weight" { "model.language_model.embed_tokens.weight" } else { name };
        let found = numbers(&merged, here).unwrap_or_else(|| panic!("{case}: no {name}"));
        let found: Vec<f32> = if found.len() <= 600 { found } else { found.into_iter().step_by(11).collect() };
        assert_eq!(found.len(), wanted.len(), "{case}: {name}");
        for (a, b) in found.iter().zip(wanted) {
            furthest = furthest.max((a - b).abs());
        }
    }
    assert!(furthest < NEAR, "{case}: {furthest} away from peft");
    for name in base.names().filter(|name| !expected.iter().any(|(changed, _)| changed == name)) {
        if model.config.tie_word_embeddings && name == "lm_head.weight" {
            continue;
        }
        assert_eq!(numbers(&merged, name), numbers(&base, name), "{case}: {name} is the base's");
    }
    // What the model computes with is what the files give.
    for weight in model.weights() {
        assert_eq!(Some(values(&weight.tensor).unwrap()), numbers(&merged, &weight.name), "{case}: {}", weight.name);
    }
}

macro_rules! cases {
    ($($case:ident)*) => {
        $(#[test] fn $case() { check(stringify!($case)); })*

        #[test]
        fn every_fixture_is_a_case() {
            let mut found: Vec<String> =
                std::fs::read_dir(fixtures()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            found.sort();
            let mut cases = vec![$(stringify!($case)),*];
            cases.sort();
            assert_eq!(found, cases);
        }
    };
}

cases! {
    two alpha_zero rank_pattern alpha_pattern patterns rslora rslora_patterns dora dora_rslora dora_embedding dora_conv
    save_both save_merger save_norm embeddings regex lookahead all_linear layers one_layer exclude bias_all
    bias_lora_only lora_bias vision vision_mlp conv fan tokens half gaussian older_names adapter_name no_prefix rows
    sharded_base flat_base tied tied_save_head tied_save_input tied_ensured tied_tokens tied_rows
    qwen2_vl qwen2_vl_dora qwen3_vl
}

/// A copy of an adapter that a test may damage.
struct Copy(TempDir);

impl Copy {
    fn of(case: &str) -> Self {
        let copy = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(fixtures().join(case)).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
        Self(copy)
    }

    fn config(&self, edit: impl FnOnce(&mut Value)) {
        let path = self.0.path().join("adapter_config.json");
        let mut value = common::json_at(&path);
        edit(&mut value);
        std::fs::write(path, value.to_string()).unwrap();
    }

    /// The tensors, with some taken out or called otherwise (`None`: left out).
    fn tensors(&self, rename: impl Fn(&str) -> Option<String>) {
        let path = self.0.path().join("adapter_model.safetensors");
        let bytes = std::fs::read(&path).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let kept: Vec<_> = file.tensors().into_iter().filter_map(|(name, view)| Some((rename(&name)?, view))).collect();
        std::fs::write(&path, safetensors::serialize(kept, None).unwrap()).unwrap();
    }

    fn files(&self, base: &str) -> Files {
        let (_cache, folder) = placed(self.0.path(), &common::fixture(base));
        Files::open(&folder).unwrap()
    }

    fn refusal(&self, base: &str) -> String {
        let (_cache, folder) = placed(self.0.path(), &common::fixture(base));
        Model::open(&folder, &Device::Cpu, DType::F32, Trainable::No).err().expect("must be refused").to_string()
    }
}

const PLAIN: &str = "checkpoints/plain";

#[test]
fn in_bfloat16_the_sum_is_rounded_once() {
    let (_cache, folder, _) = of_case("half");
    let wide = Files::open(&folder).unwrap();
    let name = "model.language_model.layers.0.self_attn.q_proj.weight";
    assert!(wide.narrow(name).is_none(), "the file's own bytes are the base's");
    let narrow = wide.tensor(name, DType::BF16, &Device::Cpu).unwrap().unwrap().to_dtype(DType::F32).unwrap();
    let rounded: Vec<f32> = numbers(&wide, name).unwrap().into_iter().map(|x| half::bf16::from_f32(x).to_f32()).collect();
    assert_eq!(values(&narrow).unwrap(), rounded);
    let model = Model::open(&folder, &Device::Cpu, DType::BF16, Trainable::No).unwrap();
    assert!(model.narrow);
}

#[test]
fn what_is_saved_of_a_merged_model_opens_as_it() {
    for case in ["rows", "tied_save_head", "tied", "dora"] {
        let (_cache, folder, _) = of_case(case);
        let model = Model::open(&folder, &Device::Cpu, DType::F32, Trainable::All).unwrap();
        let saved = tempfile::tempdir().unwrap();
        model.save(saved.path()).unwrap();
        let again = Model::open(saved.path(), &Device::Cpu, DType::F32, Trainable::No).unwrap();
        assert_eq!(again.config.tie_word_embeddings, model.config.tie_word_embeddings, "{case}");
        for (a, b) in model.weights().iter().zip(again.weights()) {
            assert_eq!((&a.name, values(&a.tensor).unwrap()), (&b.name, values(&b.tensor).unwrap()), "{case}");
        }
    }
}

#[test]
fn an_adapter_beside_its_bases_weights_is_merged() {
    let (_cache, folder, _) = of_case("two");
    let one = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), one.path().join(entry.file_name())).unwrap();
    }
    let found = place(one.path(), None, &nowhere(), one.path()).unwrap();
    assert_eq!(found.folder, one.path());
    assert!(found.told.unwrap().contains("over the weights beside it"));
    let name = "model.language_model.layers.1.self_attn.v_proj.weight";
    assert_eq!(numbers(&Files::open(one.path()).unwrap(), name), numbers(&Files::open(&folder).unwrap(), name));
}

#[test]
fn where_the_base_named_is_here_too_the_weights_beside_must_be_its() {
    let (_cache, folder, base) = of_case("two");
    let one = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), one.path().join(entry.file_name())).unwrap();
    }
    let path = one.path().join("adapter_config.json");
    let mut config = common::json_at(&path);
    config["base_model_name_or_path"] = base.display().to_string().into();
    std::fs::write(&path, config.to_string()).unwrap();
    assert_eq!(place(one.path(), None, &nowhere(), one.path()).unwrap().folder, one.path());
    // Merged already: the weights beside it are no longer the base's.
    Model::open(&folder, &Device::Cpu, DType::F32, Trainable::All).unwrap().save(one.path()).unwrap();
    let message = place(one.path(), None, &nowhere(), one.path()).unwrap_err().to_string();
    assert!(message.contains("merged already") && message.contains("--base DIR"), "{message}");
    let cache = tempfile::tempdir().unwrap();
    assert!(place(one.path(), Some(&base), &nowhere(), cache.path()).unwrap().folder.starts_with(cache.path()));
}

#[test]
fn the_base_is_found_where_the_adapter_says_or_asked_for() {
    let adapter = Copy::of("two");
    let cache = tempfile::tempdir().unwrap();
    let find = |hub: &HubCache| place(adapter.0.path(), None, hub, cache.path());
    let message = find(&nowhere()).unwrap_err().to_string();
    assert!(message.contains("an adapter over org/base") && message.contains("--base DIR"), "{message}");
    let hub = tempfile::tempdir().unwrap();
    let snapshot = hub.path().join("models--org--base/snapshots/abc");
    std::fs::create_dir_all(snapshot.parent().unwrap()).unwrap();
    std::fs::create_dir_all(hub.path().join("models--org--base/refs")).unwrap();
    std::fs::write(hub.path().join("models--org--base/refs/main"), "abc").unwrap();
    std::os::unix::fs::symlink(common::fixture(PLAIN), &snapshot).unwrap();
    let hub = HubCache { root: hub.path().to_path_buf(), decided_by: "the test" };
    let first = find(&hub).unwrap();
    assert!(Model::open(&first.folder, &Device::Cpu, DType::F32, Trainable::No).is_ok());
    assert_eq!(find(&hub).unwrap(), first, "the same folder again");
    adapter.config(|v| v["base_model_name_or_path"] = Value::Null);
    assert!(find(&hub).unwrap_err().to_string().contains("names no base"));
    // By itself it is no checkpoint, and says what it lacks.
    let message = Files::open(adapter.0.path()).unwrap().problems.join("\n");
    assert!(message.contains("adapter without its base") && message.contains("--base"), "{message}");
}

#[test]
fn tokenizer_and_processor_are_the_adapters_where_it_has_them() {
    let (adapter, base) = (Copy::of("two"), common::fixture(PLAIN));
    for name in ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja"] {
        std::fs::write(adapter.0.path().join(name), "{}").unwrap();
    }
    std::fs::write(adapter.0.path().join("README.md"), "no part of it").unwrap();
    let (_cache, folder) = placed(adapter.0.path(), &base);
    let is_adapters = |name: &str| std::fs::read(folder.join(name)).unwrap() == b"{}";
    assert!(is_adapters("tokenizer.json") && is_adapters("tokenizer_config.json") && is_adapters("chat_template.jinja"));
    assert!(!folder.join("special_tokens_map.json").exists(), "the tokenizer's files are taken together");
    assert!(!is_adapters("preprocessor_config.json") && !is_adapters("config.json") && !folder.join("README.md").exists());
}

#[test]
fn a_base_where_none_is_wanted_and_an_adapter_for_a_base_are_refused() {
    let (plain, two, cache) = (common::fixture(PLAIN), fixtures().join("two"), tempfile::tempdir().unwrap());
    let refused = |folder: &Path, base: &Path| place(folder, Some(base), &nowhere(), cache.path()).unwrap_err().to_string();
    assert!(refused(&plain, &plain).contains("--base does nothing"));
    assert!(refused(&two, &two).contains("neither model.safetensors"));
    assert!(refused(&two, Path::new("no/where/at/all")).contains("no such checkpoint folder"));
    let (_kept, together) = placed(&two, &plain);
    assert!(refused(&two, &together).contains("is an adapter's folder itself"));
}

#[test]
fn what_cannot_be_merged_is_refused_by_name() {
    let q = "base_model.model.model.language_model.layers.0.self_attn.q_proj";
    type Damage<'a> = &'a dyn Fn(&Copy);
    let cases: [(&str, &str, Damage<'_>, &str); 22] = [
        ("two", PLAIN, &|c| c.config(|v| v["peft_type"] = "IA3".into()), "`peft_type` is IA3"),
        ("two", PLAIN, &|c| c.config(|v| v["init_lora_weights"] = "pissa".into()), "`init_lora_weights` is \"pissa\""),
        ("two", PLAIN, &|c| c.config(|v| v["layer_replication"] = serde_json::json!([[0, 1]])), "`layer_replication`"),
        ("two", PLAIN, &|c| c.config(|v| v["use_dora"] = true.into()), "`use_dora` is true"),
        ("dora", PLAIN, &|c| c.config(|v| v["use_dora"] = false.into()), "`use_dora` is false"),
        ("two", PLAIN, &|c| c.config(|v| v["r"] = 3.into()), "no pair of rank 3"),
        ("two", PLAIN, &|c| c.config(|v| v["rank_pattern"] = serde_json::json!({"q_proj": 0.5})), "the rank 0.5"),
        ("two", PLAIN, &|c| c.config(|v| v["target_modules"] = "(a".into()), "`target_modules` has the pattern"),
        (
            "two",
            PLAIN,
            &|c| std::fs::write(c.0.path().join("adapter_config.json"), "{").unwrap(),
            "adapter_config.json: is not a JSON object",
        ),
        (
            "two",
            PLAIN,
            &|c| std::fs::remove_file(c.0.path().join("adapter_model.safetensors")).unwrap(),
            "adapter_model.safetensors: is missing",
        ),
        ("two", PLAIN, &|c| std::fs::write(c.0.path().join("adapter_model.safetensors"), "<html>").unwrap(), "is not a safetensors file"),
        (
            "two",
            PLAIN,
            &|c| std::fs::write(c.0.path().join("non_lora_state_dict.bin"), "").unwrap(),
            "non_lora_state_dict.bin: holds weights",
        ),
        ("two", PLAIN, &|c| c.tensors(|n| (n != format!("{q}.lora_B.weight")).then(|| n.into())), "one is missing"),
        ("two", PLAIN, &|c| c.tensors(|n| Some(n.replace("layers.0", "layers.7"))), "is not in the base"),
        ("two", PLAIN, &|c| c.tensors(|n| Some(n.replace(".lora_A.weight", ".lora_A.mine.weight"))), "is not named as peft names"),
        ("dora", PLAIN, &|c| c.tensors(|n| n.contains("magnitude").then(|| n.into())), "has no pair of matrices"),
        ("two", "checkpoints/wide", &|_| {}, "no pair of rank 2 for"),
        ("save_merger", "checkpoints/wide", &|_| {}, "give the base that the adapter was trained on"),
        ("tokens", PLAIN, &|c| c.config(|v| v["trainable_token_indices"] = Value::Null), "no `trainable_token_indices`"),
        ("tokens", PLAIN, &|c| c.config(|v| v["trainable_token_indices"] = serde_json::json!([3, 9999])), "for the rows [3, 9999]"),
        ("embeddings", "checkpoints/tied", &|_| {}, "input and output matrix are one"),
        (
            "lora_bias",
            PLAIN,
            &|c| c.tensors(|n| Some(n.replace("q_proj", "o_proj"))),
            "`base_model.model.model.language_model.layers.0.self_attn.o_proj",
        ),
    ];
    for (case, base, damage, part) in cases {
        let copy = Copy::of(case);
        damage(&copy);
        if case == "lora_bias" {
            copy.config(|v| v["target_modules"] = serde_json::json!(["o_proj", "v_proj"]));
        }
        let message = copy.refusal(base);
        assert!(message.contains(part), "{case}: `{part}` is not in {message}");
    }
}

#[test]
fn what_peft_leaves_out_is_left_out_and_told() {
    let name = "model.language_model.layers.0.self_attn.q_proj.weight";
    let base = Files::open(&common::fixture(PLAIN)).unwrap();
    let narrowed = Copy::of("two");
    narrowed.config(|v| v["target_modules"] = serde_json::json!(["v_proj"]));
    let files = narrowed.files(PLAIN);
    assert!(files.notes.join("\n").contains("does not name it in `target_modules`"), "{:?}", files.notes);
    assert_eq!(numbers(&files, name), numbers(&base, name));
    let half = Copy::of("two");
    half.tensors(|n| (!n.contains("q_proj")).then(|| n.into()));
    assert!(half.files(PLAIN).notes.join("\n").contains("layers.0.self_attn.q_proj"), "{:?}", half.files(PLAIN).notes);
    let newer = Copy::of("two");
    newer.config(|v| v["brand_new_key"] = 3.into());
    assert!(newer.files(PLAIN).notes.join("\n").contains("not applied: brand_new_key"));
}

#[test]
fn the_configuration_of_a_folder_says_what_is_merged() {
    let (_cache, folder, _) = of_case("rows");
    let config = Config::open(&folder).unwrap();
    assert_eq!(config.text.vocab_size, 355);
    let (_cache, folder, _) = of_case("tied_save_head");
    assert!(!Config::open(&folder).unwrap().tie_word_embeddings);
}
