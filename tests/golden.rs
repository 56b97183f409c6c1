//! Where the reference data lies: `tests/golden` of this repository, whose README says what it is.
//!
//! The one place that says so; a test includes it by its path.

/// The folder of the reference data.
pub fn golden() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden")
}
