//! Which image processor runs for a folder, and with what settings, against transformers (`oracle/processors.py`).

mod common;

use prism_model::preprocess::{ImageProcessor, Preprocessor};

/// The release that `as-saved` follows.
const TODAY: &str = "5.23.0";

#[test]
fn the_processor_and_its_settings_are_those_of_transformers() {
    let document = common::json_at(&common::fixture("processors.json"));
    for (name, case) in document["cases"].as_object().unwrap() {
        let folder = tempfile::tempdir().unwrap();
        for (file, content) in case["files"].as_object().unwrap() {
            std::fs::write(folder.path().join(file), content.as_str().unwrap()).unwrap();
        }
        let ours = Preprocessor::from_dir(folder.path());
        let today = &case["by"][TODAY];
        let Some(auto) = today["auto"].as_str() else {
            // A name of a development release, which transformers forgot: it is opened as what it was.
            let forgotten = name == "early_name";
            assert_eq!(ours.is_ok(), forgotten, "{name}: {ours:?}");
            continue;
        };
        let ours = ours.unwrap_or_else(|e| panic!("{name}: {e}"));
        let runs = |choice| ours.clone().processed_by(choice).config.processor.name();
        assert_eq!(runs(ImageProcessor::AsSaved), auto, "{name}");
        assert_eq!(runs(ImageProcessor::Slow), today["not_fast"], "{name}");
        assert_eq!(runs(ImageProcessor::Fast), "fast", "{name}");
        let config = &ours.config;
        let numbers = serde_json::json!([config.min_pixels, config.max_pixels, config.patch_size, config.image_mean[0]]);
        assert_eq!(numbers, serde_json::json!([today["min_pixels"], today["max_pixels"], today["patch_size"], today["mean"]]), "{name}");
        let words = ImageProcessor::AsSaved.in_words(&config.saved);
        assert!(words.contains(auto), "{words}");
    }
}
