//! Drift of weights against numpy (`oracle/paths.py`).

use std::path::Path;

use prism_model::checkpoint::drift::drift;
use serde_json::Value;

#[test]
fn every_tensor_moved_as_far_as_numpy_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../oracle/expected/paths");
    let expected: Value = serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
    let found = drift(&folder.join("base"), &folder.join("variant")).unwrap();
    let expected: Vec<&Value> = expected["drift"].as_array().unwrap().iter().filter(|row| row["level"] == "tensor").collect();
    assert_eq!(found.tensors.len(), expected.len());
    for tensor in &found.tensors {
        let row = expected.iter().find(|row| row["name"] == tensor.name.as_str()).unwrap_or_else(|| panic!("{}", tensor.name));
        let near = |found: f64, key: &str| {
            let expected = row[key].as_f64().unwrap();
            assert!((found - expected).abs() <= 1e-12 * expected.abs().max(1.0), "{} {key}: {found} is not {expected}", tensor.name);
        };
        assert_eq!(row["elements"], tensor.elements);
        near(tensor.base.sqrt(), "base_norm");
        near(tensor.variant.sqrt(), "variant_norm");
        near(tensor.difference.sqrt(), "difference_norm");
        near(tensor.product / (tensor.base * tensor.variant).sqrt(), "cosine");
    }
    let embedding = found.tensors.iter().find(|t| t.name.ends_with("embed_tokens.weight")).unwrap();
    assert_eq!((embedding.rows_left_out, found.only_variant.as_slice()), (3, &["lvr_head.0.weight".to_string()][..]));
    assert!(found.only_base.is_empty());
}
