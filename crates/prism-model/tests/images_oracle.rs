//! Image files of every kind against Pillow and transformers (`oracle/images.py`): bytes, refusals, pixel values.

mod common;

use std::path::{Path, PathBuf};

use prism_model::preprocess::config::PixelConfig;
use prism_model::preprocess::processor::Saved;
use prism_model::preprocess::smart_resize::{Fetch, smart_resize};
use prism_model::preprocess::{Exif, ImageProcessor, Orientation, Preprocessor, RgbImage, decode};
use serde_json::Value;
use sha2::{Digest, Sha256};

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The fixtures, and the wide comparison's folder where it is named.
fn folders() -> Vec<PathBuf> {
    let wide = std::env::var_os("PRISM_WIDE_IMAGES").map(PathBuf::from);
    std::iter::once(common::fixture("images")).chain(wide).collect()
}

fn expected(folder: &Path) -> Value {
    common::json_at(&folder.join("expected.json"))
}

fn preprocessor(expected: &Value, choice: ImageProcessor) -> Preprocessor {
    let limit = |key: &str| expected[key].as_u64().unwrap() as usize;
    let saved = Saved { class: Some("Qwen2VLImageProcessor".into()), nested: false };
    let config = PixelConfig { saved, min_pixels: limit("min_pixels"), max_pixels: limit("max_pixels"), ..PixelConfig::default() };
    Preprocessor::new(config).processed_by(choice)
}

#[test]
fn every_byte_of_every_kind_of_file_is_equal_and_what_pillow_refuses_is_refused() {
    for folder in folders() {
        let expected = expected(&folder);
        let mut wrong = Vec::new();
        for (name, case) in expected["images"].as_object().unwrap() {
            let path = folder.join(name);
            let ours = decode::open(&path);
            if case.is_null() {
                match ours {
                    Ok(_) => wrong.push(format!("{name}: Pillow refuses it")),
                    Err(fault) => assert!(fault.to_string().contains(name), "{fault}"),
                }
                continue;
            }
            match ours {
                Err(fault) => wrong.push(format!("{fault} ({})", case["mode"])),
                Ok(image) => {
                    let size = serde_json::json!([image.width(), image.height()]);
                    if size != case["size"] || decode::dimensions(&path) != Ok((image.width(), image.height())) {
                        wrong.push(format!("{name}: {size}, {:?} against {}", decode::dimensions(&path), case["size"]));
                    } else if digest(image.pixels()) != case["rgb"].as_str().unwrap() {
                        wrong.push(format!("{name} ({}): other bytes", case["mode"]));
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{}: {} of {}: {wrong:#?}", folder.display(), wrong.len(), expected["images"].as_object().unwrap().len());
    }
}

#[test]
fn every_pixel_value_is_equal_by_the_slow_the_fast_and_the_chosen_processor() {
    for folder in folders() {
        let (expected, mut wrong, mut compared) = (expected(&folder), Vec::new(), 0);
        for (name, case) in expected["images"].as_object().unwrap() {
            for (choice, hash) in case["pixel_values"].as_object().into_iter().flatten() {
                let pixels = preprocessor(&expected, choice.parse().unwrap()).open(&folder.join(name)).unwrap();
                let bytes: Vec<u8> = pixels.values.iter().flat_map(|v| v.to_le_bytes()).collect();
                compared += 1;
                if digest(&bytes) != hash.as_str().unwrap() {
                    wrong.push(format!("{name} {choice}"));
                }
            }
        }
        assert!(compared > 150, "{compared}");
        assert!(wrong.is_empty(), "{}: {} of {compared}: {wrong:#?}", folder.display(), wrong.len());
    }
}

#[test]
fn a_file_cut_anywhere_is_refused_where_pillow_refuses_it() {
    let folder = common::fixture("images");
    let short = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    for (name, cuts) in expected(&folder)["cuts"].as_object().unwrap() {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        for cut in cuts.as_array().unwrap() {
            let (length, opens) = (cut[0].as_u64().unwrap() as usize, cut[1].as_bool().unwrap());
            let path = short.path().join(format!("cut_{name}"));
            std::fs::write(&path, &bytes[..length]).unwrap();
            let ours = decode::open(&path);
            if ours.is_ok() != opens {
                wrong.push(
                    format!("{name} of {} cut to {length}: Pillow opens it: {opens}; {ours:?}", bytes.len())
                        .chars()
                        .take(200)
                        .collect::<String>(),
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn an_image_is_turned_as_its_orientation_says_where_that_is_asked_for() {
    let folder = common::fixture("images");
    let expected = expected(&folder);
    let mut turned = 0;
    for (name, case) in expected["images"].as_object().unwrap().iter().filter(|(_, case)| !case.is_null()) {
        let path = folder.join(name);
        let bytes = std::fs::read(&path).unwrap();
        let image = Orientation::of(&bytes).apply(decode::bytes_to_rgb(&bytes, &path).unwrap());
        assert_eq!(digest(image.pixels()), case.get("turned").unwrap_or(&case["rgb"]).as_str().unwrap(), "{name}");
        turned += usize::from(case.get("turned").is_some());
        if image.width().max(image.height()) <= 200 * image.width().min(image.height()) {
            let asked = preprocessor(&expected, ImageProcessor::Slow).oriented_by(Exif::Apply);
            assert_eq!(asked.open(&path).unwrap(), asked.image(&image).unwrap(), "{name}");
            assert_eq!(asked.grid_of(&path).unwrap(), asked.open(&path).unwrap().grid, "{name}");
        }
    }
    assert!(turned >= 9, "{turned}");
}

#[test]
fn sides_under_a_token_are_sized_as_the_processor_and_as_qwen_vl_utils_size_them() {
    let sizes = expected(&common::fixture("images"))["sizes"].clone();
    for case in sizes.as_array().unwrap() {
        let n: Vec<usize> = case.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as usize).collect();
        assert_eq!(smart_resize(n[0], n[1], 28, n[2], n[3]), Ok((n[4], n[5])), "the processor's, of {n:?}");
        let fetch = Fetch { factor: 28, min_pixels: n[2], max_pixels: n[3] };
        match (n[6], n[7]) {
            (0, _) | (_, 0) => assert!(fetch.size(n[0], n[1]).is_err(), "{n:?}"),
            sides => assert_eq!(fetch.size(n[0], n[1]), Ok(sides), "qwen_vl_utils', of {n:?}"),
        }
    }
    assert!(sizes.as_array().unwrap().len() >= 30);
}

#[test]
fn what_is_no_image_is_called_what_it_is() {
    let folder = common::fixture("images");
    for (name, words) in
        [("pointer.png", "Git-LFS pointer"), ("empty.png", "empty"), ("page.jpg", "web page"), ("text.png", "is not an image")]
    {
        for said in [decode::open(&folder.join(name)).unwrap_err(), decode::dimensions(&folder.join(name)).unwrap_err()] {
            assert!(said.to_string().contains(words), "{said}");
        }
    }
    let avif = Path::new("a.avif");
    let said = decode::bytes_to_rgb(b"\0\0\0\x1cftypavif\0\0\0\0", avif).unwrap_err().to_string();
    assert!(said.contains("AVIF") && !said.contains("is not an image"), "{said}");
}

#[test]
fn an_image_that_qwen_vl_utils_sizes_first_is_resized_by_pillow_and_then_by_the_processor() {
    let image = RgbImage::new(300, 13, (0..300 * 13 * 3).map(|at| (at * 7 % 251) as u8).collect()).unwrap();
    let own = Preprocessor::new(PixelConfig::default());
    let fetched = own.clone().sized_by(prism_model::preprocess::Resize::QwenVlUtils, Some(3136), Some(50_176)).unwrap();
    // 13 rounds to 0 tokens for the processor, and to one for qwen_vl_utils.
    assert_ne!(own.grid(13, 300).unwrap(), fetched.grid(13, 300).unwrap());
    assert_eq!(fetched.image(&image).unwrap().grid, fetched.grid(13, 300).unwrap());
    assert_eq!(fetched.grid(13, 300).unwrap().h, 2);
}

/// Small files that say they are large: as large as is accepted, and larger.
fn boasting(side: u32) -> Vec<(&'static str, Vec<u8>)> {
    let folder = common::fixture("images");
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let patched = |name: &str, places: &[(usize, &[u8])]| {
        let mut bytes = read(name);
        places.iter().for_each(|(at, with)| bytes[*at..*at + with.len()].copy_from_slice(with));
        bytes
    };
    let (low, long) = ((side as u16).to_le_bytes(), side.to_le_bytes());
    let three = &(side - 1).to_le_bytes()[..3];
    let mut tiff = read("L_raw.tiff");
    let directory = u32::from_le_bytes(tiff[4..8].try_into().unwrap()) as usize;
    for entry in [2, 14] {
        tiff[directory + entry + 8..directory + entry + 10].copy_from_slice(&low);
    }
    let lossless = ((side - 1) & 0x3fff) | (((side - 1) & 0x3fff) << 14);
    vec![
        ("a.gif", patched("plain.gif", &[(6, &low), (8, &low)])),
        ("a.bmp", patched("saved_RGB.bmp", &[(18, &long), (22, &long)])),
        ("a.tiff", tiff),
        ("a.webp", patched("alpha.webp", &[(24, three), (27, three)])),
        ("lossless.webp", patched("lossless.webp", &[(21, &lossless.to_le_bytes())])),
        ("a.pnm", format!("P6 {side} {side} 255\n").into_bytes()),
        ("plain.pnm", format!("P3 {side} {side} 255\n1 2 3").into_bytes()),
    ]
}

#[test]
fn small_files_that_say_they_are_large_are_refused_before_pixels_are_made() {
    let begun = std::time::Instant::now();
    for side in [13_000, 16_383] {
        for (name, bytes) in boasting(side) {
            let said = decode::bytes_to_rgb(&bytes, Path::new(name));
            // A GIF's screen may be larger than its frame, and a gigantic one is mostly empty.
            if name == "a.gif" && side == 13_000 {
                continue;
            }
            let said = said.unwrap_err();
            let sized = said.to_string().contains("more than are accepted") || said.to_string().contains("another size");
            assert!(side == 13_000 || sized, "{said}");
        }
    }
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
}
