//! The local Hub cache, against what huggingface_hub finds (`oracle/hub_cache.py`).

mod common;

use std::ffi::OsString;
use std::path::Path;

use prism_model::checkpoint::HubCache;

#[test]
fn the_cache_is_where_huggingface_hub_looks() {
    let expected = common::json_at(&common::fixture("hub_cache.json"));
    let cases = expected["caches"].as_array().unwrap();
    assert!(cases.len() > 5);
    for case in cases {
        let found = HubCache::of(|name| case["environment"][name].as_str().map(OsString::from));
        assert_eq!(found.root, Path::new(case["cache"].as_str().unwrap()), "{case}");
    }
}

#[test]
fn names_are_the_snapshots_that_huggingface_hub_finds() {
    let expected = common::json_at(&common::fixture("hub_cache.json"));
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in expected["layout"].as_object().unwrap() {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text.as_str().unwrap()).unwrap();
    }
    let cache = HubCache { root: folder.path().to_path_buf(), decided_by: "the test" };
    assert_eq!(cache.repositories(), ["org/cut", "org/tagged", "org/whole"]);
    for case in expected["snapshots"].as_array().unwrap() {
        let asked = case["asked"].as_str().unwrap();
        match (cache.locate(Path::new(asked)), case["found"].as_str()) {
            (Ok(found), Some(wanted)) => assert_eq!(found, folder.path().join(wanted), "{asked}"),
            (Err(error), None) => {
                let message = error.to_string();
                assert!(message.contains("huggingface-cli download org/") && message.contains("models--org--"), "{message}");
            }
            (found, wanted) => panic!("{asked}: {found:?}, huggingface_hub says {wanted:?}"),
        }
    }
    // A folder of that name comes first, and nothing leads out of the cache.
    assert_eq!(cache.locate(folder.path()).unwrap(), folder.path());
    for name in ["org/whole@../../org--whole/refs", "../whole", "org/..", "a/b/c", "whole", "org/whole@"] {
        assert!(cache.locate(Path::new(name)).is_err(), "{name}");
    }
}
