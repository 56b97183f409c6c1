//! Paths in JSON, which is UTF-8 and nothing else.
//!
//! A path may hold any bytes. `serde` refuses one that is not UTF-8, and a macro that builds JSON
//! panics over the refusal. These write what can be read of it, with U+FFFD for the rest, for
//! `#[serde(serialize_with = "...")]` and for [`of`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serializer;

/// The path as text.
pub fn of(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// A path.
///
/// # Errors
/// The serializer's own.
pub fn one<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

/// A path that may be absent.
///
/// # Errors
/// The serializer's own.
pub fn some<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    match path {
        Some(path) => serializer.serialize_some(&path.to_string_lossy()),
        None => serializer.serialize_none(),
    }
}

/// Paths, in their order.
///
/// # Errors
/// The serializer's own.
pub fn all<S: Serializer>(paths: &[PathBuf], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(paths.iter().map(|path| path.to_string_lossy()))
}

/// Paths by name.
///
/// # Errors
/// The serializer's own.
pub fn named<S: Serializer>(paths: &BTreeMap<String, PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(paths.iter().map(|(name, path)| (name, path.to_string_lossy())))
}

#[cfg(all(test, unix))]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[derive(serde::Serialize)]
    struct Holder {
        #[serde(serialize_with = "all")]
        images: Vec<PathBuf>,
        #[serde(serialize_with = "some")]
        other: Option<PathBuf>,
        #[serde(serialize_with = "named")]
        floors: BTreeMap<String, PathBuf>,
        #[serde(serialize_with = "one")]
        folder: PathBuf,
    }

    #[test]
    fn a_path_of_any_bytes_is_told() {
        let path = PathBuf::from(OsStr::from_bytes(b"a/\xff.png"));
        let floors = BTreeMap::from([("base".to_string(), path.clone())]);
        let holder = Holder { images: vec!["b.png".into(), path.clone()], other: Some(path.clone()), floors, folder: path };
        let told = serde_json::json!(holder);
        assert_eq!(told["images"], serde_json::json!(["b.png", "a/\u{fffd}.png"]));
        assert_eq!((told["other"].as_str(), told["floors"]["base"].as_str()), (Some("a/\u{fffd}.png"), Some("a/\u{fffd}.png")));
        assert_eq!(told["folder"], "a/\u{fffd}.png");
    }
}
