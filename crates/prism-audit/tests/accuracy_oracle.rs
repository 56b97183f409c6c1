//! Accuracy by category and by pair against pandas (`oracle/benchmarks.py`).

use prism_audit::accuracy::{Item, Share, by_category, by_pair, overall};
use serde_json::Value;

fn expected() -> Value {
    serde_json::from_str(include_str!("../../../oracle/expected/accuracy.json")).unwrap()
}

#[track_caller]
fn assert_share(share: Share, expected: &Value) {
    let count = |key: &str| expected[key].as_u64().unwrap() as usize;
    assert_eq!((share.correct, share.total), (count("correct"), count("total")));
    assert!((share.accuracy().unwrap() - expected["accuracy"].as_f64().unwrap()).abs() < 1e-15);
}

#[test]
fn accuracies_are_those_of_pandas() {
    let expected = expected();
    let rows = expected["items"].as_array().unwrap();
    let items: Vec<Item<'_>> = rows
        .iter()
        .map(|row| Item { category: row["category"].as_str(), pair: row["pair"].as_str(), correct: row["correct"].as_bool() })
        .collect();
    assert_share(overall(items.iter().copied()), &expected["overall"]);
    let categories = by_category(items.iter().copied());
    let wanted = expected["by_category"].as_object().unwrap();
    assert_eq!(categories.len(), wanted.len());
    for (name, share) in categories {
        assert_share(share, &wanted[name]);
    }
    let pairs = by_pair(items.iter().copied());
    assert_share(pairs.share, &expected["pairs"]);
    assert_eq!(pairs.incomplete as u64, expected["pairs"]["incomplete"].as_u64().unwrap());
    assert!(pairs.incomplete > 0 && rows.iter().any(|row| row["correct"].is_null()), "the fixture has what it tests");
}

#[test]
fn nothing_is_absent_and_not_zero() {
    assert_eq!(overall([]).accuracy(), None);
    let failed = Item { category: Some("c"), pair: Some("p"), correct: None };
    assert!(by_category([failed]).is_empty());
    let pairs = by_pair([failed, Item { correct: Some(true), ..failed }]);
    assert_eq!((pairs.share.accuracy(), pairs.incomplete), (None, 1));
}
