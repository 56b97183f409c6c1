//! A model whose matrices stay bfloat16 in the mapped file computes what the same values
//! in single precision compute.

use std::path::{Path, PathBuf};

use prism_model::checkpoint::write_weights;
use prism_model::preprocess::Preprocessor;
use prism_model::tensor::{DType, Device, Tensor, Trainable, values};
use prism_model::{BranchCache, Model, PackLayout};

fn base() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/base-tiny")
}

/// The shipped base rounded to bfloat16, stored as `dtype`.
fn rounded(folder: &Path, dtype: DType) -> PathBuf {
    let model = Model::open(&base(), &Device::Cpu, DType::F32, Trainable::No).unwrap();
    let round = |t: &Tensor| t.to_dtype(DType::BF16).unwrap().to_dtype(dtype).unwrap();
    let weights: Vec<(String, Tensor)> = model.weights().iter().map(|w| (w.name.clone(), round(&w.tensor))).collect();
    let to = folder.join(format!("{dtype:?}"));
    std::fs::create_dir_all(&to).unwrap();
    for entry in std::fs::read_dir(base()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e != "safetensors") {
            std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
    write_weights(&to, &weights, model.config.family.names).unwrap();
    to
}

/// Image features, states of a prompt, and states and logits of three decoding rows.
fn computed(model: &Model) -> Vec<Vec<f32>> {
    let picture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/saved_base.png");
    let pixels = Preprocessor::from_dir(&base()).unwrap().open(&picture).unwrap();
    let features = model.image_features(&[pixels]).unwrap().tokens().clone();
    let ids: Vec<u32> = (5..40).collect();
    let embeds = model.embed(&ids).unwrap();
    let pack = PackLayout { positions: (0..35).map(|i| [i; 3]).collect(), lengths: vec![35], ..Default::default() };
    let (hidden, prefix) = model.prefill(&embeds, &pack).unwrap();
    let whole = model.forward(&embeds, &pack).unwrap();
    let mut cache = BranchCache::new((0..3).map(|_| prefix.clone()));
    let states = model.decode_step(&model.embed(&[7, 8, 9]).unwrap(), &mut cache).unwrap();
    let logits = model.decode_logits(&states).unwrap();
    let last = model.logits(&hidden).unwrap();
    [features, embeds, hidden, whole, states, logits, last].iter().map(|t| values(t).unwrap()).collect()
}

#[test]
fn matrices_left_in_bfloat16_compute_what_their_values_compute() {
    let dir = tempfile::tempdir().unwrap();
    let open = |folder: &Path, dtype| Model::open(folder, &Device::Cpu, dtype, Trainable::No).unwrap();
    let wide = open(&rounded(dir.path(), DType::F32), DType::F32);
    let mapped = open(&rounded(dir.path(), DType::BF16), DType::BF16);
    let converted = open(&base(), DType::BF16);
    assert!(!wide.narrow && mapped.narrow && converted.narrow);
    let expected = computed(&wide);
    // Norms and biases that the file stores in f32 are read as they are: only the mapped one must agree everywhere.
    let names = ["features", "embeddings", "prefill", "forward", "decode", "logits", "last"];
    for (i, (what, got)) in names.iter().zip(computed(&mapped)).enumerate() {
        let worst = expected[i].iter().zip(&got).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(expected[i].len() == got.len() && worst <= 1e-5, "{what}: off by {worst}");
    }
    let far = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(far(&expected[1], &computed(&converted)[1]) == 0.0, "embeddings rounded when they were read");
}

#[test]
fn a_model_opened_to_be_run_only_is_not_saved() {
    let dir = tempfile::tempdir().unwrap();
    let model = Model::open(&base(), &Device::Cpu, DType::BF16, Trainable::No).unwrap();
    let refused = model.save(dir.path()).unwrap_err().to_string();
    assert!(refused.contains("--dtype f32"), "{refused}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
