//! Likeness of states and drift of weights against numpy (`oracle/paths.py`).

use prism_audit::paths::cka::Kernel;
use prism_audit::paths::{Named, drift};
use serde_json::Value;

fn expected() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../oracle/expected/paths/expected.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{path}: {e}"))).unwrap()
}

fn kernel(value: &Value) -> Kernel {
    let rows: Vec<Vec<f32>> = serde_json::from_value(value.clone()).unwrap();
    Kernel::of(&rows.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

fn near(found: Option<f64>, expected: &Value, tolerance: f64, what: &str) {
    let (found, expected) = (found.unwrap_or(f64::NAN), expected.as_f64().unwrap());
    assert!((found - expected).abs() <= tolerance, "{what}: {found} is not {expected}");
}

#[test]
fn likeness_is_numpys() {
    for case in expected()["cka"].as_array().unwrap() {
        let (x, y) = (kernel(&case["x"]), kernel(&case["y"]));
        let name = case["name"].as_str().unwrap();
        near(x.cka(&y), &case["cka"], 1e-12, name);
        near(x.debiased(&y), &case["debiased"], 1e-10, name);
        assert_eq!((x.cka(&y), x.debiased(&y)), (y.cka(&x), y.debiased(&x)), "{name}");
    }
}

#[test]
fn groups_of_tensors_are_numpys_long_vectors() {
    let expected = expected();
    let rows = expected["drift"].as_array().unwrap();
    let real = |row: &Value, key: &str| row[key].as_f64().unwrap();
    let tensors: Vec<drift::Tensor> = rows
        .iter()
        .filter(|row| row["level"] == "tensor")
        .map(|row| {
            let (base, variant) = (real(row, "base_norm").powi(2), real(row, "variant_norm").powi(2));
            let sums = drift::Sums {
                tensors: 1,
                elements: row["elements"].as_u64().unwrap() as usize,
                base,
                variant,
                difference: real(row, "difference_norm").powi(2),
                product: real(row, "cosine") * (base * variant).sqrt(),
            };
            (row["name"].as_str().unwrap().to_string(), sums, None)
        })
        .collect();
    let found = drift::findings(&Named { name: "x".into(), seed: None }, &tensors, &[]);
    assert_eq!(found.len(), rows.len());
    for row in rows {
        let text = |key: &str| row[key].as_str();
        let layer = row["layer"].as_u64().map(|layer| layer as usize);
        let same = |f: &&prism_audit::findings::DriftFinding| {
            (Some(f.level.as_str()), f.name.as_deref(), f.module.as_deref(), f.layer)
                == (text("level"), text("name"), text("module"), layer)
        };
        let finding = found.iter().find(same).unwrap_or_else(|| panic!("{row}"));
        let what = row.to_string();
        near(finding.relative, &row["relative"], 1e-12, &what);
        near(finding.cosine, &row["cosine"], 1e-12, &what);
        near(finding.difference_norm, &row["difference_norm"], 1e-10, &what);
        assert_eq!((Some(finding.elements as u64), Some(finding.tensors as u64)), (row["elements"].as_u64(), row["tensors"].as_u64()));
    }
}
