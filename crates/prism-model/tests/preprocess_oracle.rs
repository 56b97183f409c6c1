//! Odd images against Pillow and transformers (`oracle/preprocess.py`).

mod common;

use prism_model::preprocess::smart_resize::smart_resize;
use prism_model::preprocess::{PixelConfig, Preprocessor, Processor, RgbImage, decode};
use sha2::{Digest, Sha256};

fn preprocessor(expected: &serde_json::Value) -> Preprocessor {
    let limit = |key: &str| Some(expected[key].as_u64().unwrap() as usize);
    Preprocessor::from_dir(&common::golden("checkpoints/base")).unwrap().with_pixels(limit("min_pixels"), limit("max_pixels")).unwrap()
}

#[test]
fn every_value_of_every_mode_and_shape_is_equal() {
    let folder = common::fixture("preprocess");
    let expected = common::json_at(&folder.join("expected.json"));
    let preprocessor = preprocessor(&expected);
    let mut wrong = Vec::new();
    for (name, case) in expected["images"].as_object().unwrap() {
        let path = folder.join(format!("{name}.png"));
        let pixels = preprocessor.open(&path).unwrap();
        let grid = serde_json::json!([pixels.grid.t, pixels.grid.h, pixels.grid.w]);
        assert_eq!(grid, case["grid"], "{name}");
        assert_eq!(preprocessor.grid_of(&path).unwrap(), pixels.grid, "{name}");
        let bytes: Vec<u8> = pixels.values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let hash: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
        if hash != case["sha256"].as_str().unwrap() {
            let sum: f64 = pixels.values.iter().map(|v| f64::from(*v)).sum();
            wrong.push(format!("{name} ({}): sum {sum} against {}", case["mode"], case["sum"]));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Numbers of all sizes, one after the other, each from the one before: the oracle's image.
fn drawn(height: usize, width: usize) -> RgbImage {
    let mut state = (height * 65_536 + width) as u32;
    let mut byte = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    RgbImage::new(width, height, (0..height * width * 3).map(|_| byte()).collect()).unwrap()
}

#[test]
fn every_value_of_large_images_is_equal_by_both_processors_on_one_thread_and_on_many() {
    let expected = common::json_at(&common::fixture("preprocess/large.json"));
    let cases = expected["cases"].as_array().unwrap();
    assert!(cases.len() >= 10);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    for case in cases {
        let number = |key: &str| case[key].as_u64().unwrap() as usize;
        let image = drawn(number("height"), number("width"));
        for (processor, name) in [(Processor::Slow, "slow"), (Processor::Fast, "fast")] {
            let config = PixelConfig { processor, max_pixels: number("max_pixels"), ..PixelConfig::default() };
            let preprocessor = Preprocessor::new(config);
            // A worker of a pool reads its image alone; any other thread has it shared out.
            for pixels in [preprocessor.image(&image).unwrap(), pool.install(|| preprocessor.image(&image).unwrap())] {
                assert_eq!(serde_json::json!([pixels.grid.h, pixels.grid.w]), case["grid"], "{case}");
                let bytes: Vec<u8> = pixels.values.iter().flat_map(|v| v.to_le_bytes()).collect();
                let hash: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
                assert_eq!(hash, case[name].as_str().unwrap(), "{name} {case}");
            }
        }
    }
}

#[test]
fn sizes_equal_the_reference() {
    for case in common::json_at(&common::fixture("preprocess/sizes.json")).as_array().unwrap() {
        let n: Vec<usize> = case.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as usize).collect();
        assert_eq!(smart_resize(n[0], n[1], 28, n[2], n[3]), Ok((n[4], n[5])), "{n:?}");
    }
}

#[test]
fn files_that_are_no_images_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let preprocessor = Preprocessor::from_dir(&common::golden("checkpoints/base")).unwrap();
    let good = std::fs::read(common::fixture("preprocess/odd.png")).unwrap();
    let mut huge = good.clone();
    huge[16..20].copy_from_slice(&u32::MAX.to_be_bytes());
    let mut cut = good.clone();
    cut.truncate(good.len() / 2);
    for (name, bytes) in [
        ("empty", vec![]),
        ("text", b"hello".to_vec()),
        ("huge", huge),
        ("cut", cut),
        ("head", good[..20].to_vec()),
        ("jpeg", vec![0xff, 0xd8, 0xff, 0xe0, 0, 0]),
    ] {
        let path = folder.path().join(format!("{name}.png"));
        std::fs::write(&path, bytes).unwrap();
        let message = preprocessor.open(&path).unwrap_err().to_string();
        assert!(message.contains(name), "{message}");
    }
    assert!(preprocessor.open(&folder.path().join("missing.png")).is_err());
    assert!(decode::dimensions(&folder.path().join("text.png")).is_err());
}
