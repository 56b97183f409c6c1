//! JPEG files against Pillow (`oracle/jpeg.py`): every value, and every refusal.

mod common;

use prism_model::preprocess::decode;
use sha2::{Digest, Sha256};

#[test]
fn every_value_of_every_kind_of_file_is_equal() {
    let folder = common::fixture("jpeg");
    let expected = common::json_at(&folder.join("expected.json"));
    let mut wrong = Vec::new();
    let images = expected["images"].as_object().unwrap();
    assert!(images.len() > 30);
    for (name, case) in images {
        let path = folder.join(format!("{name}.jpg"));
        let ours = decode::open(&path);
        if case.is_null() {
            assert!(ours.is_err(), "{name}: Pillow refuses it");
            continue;
        }
        let image = ours.unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(serde_json::json!([image.width(), image.height()]), case["size"], "{name}");
        assert_eq!(decode::dimensions(&path).unwrap(), (image.width(), image.height()), "{name}");
        let hash: String = Sha256::digest(image.pixels()).iter().map(|b| format!("{b:02x}")).collect();
        if hash != case["sha256"].as_str().unwrap() {
            wrong.push(format!("{name} ({})", case["mode"]));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_file_cut_anywhere_is_refused_where_pillow_refuses_it() {
    let folder = common::fixture("jpeg");
    let expected = common::json_at(&folder.join("expected.json"));
    let short = tempfile::tempdir().unwrap();
    for (name, cuts) in expected["cuts"].as_object().unwrap() {
        let bytes = std::fs::read(folder.join(format!("{name}.jpg"))).unwrap();
        for cut in cuts.as_array().unwrap() {
            let (length, opens) = (cut[0].as_u64().unwrap() as usize, cut[1].as_bool().unwrap());
            let path = short.path().join("cut.jpg");
            std::fs::write(&path, &bytes[..length]).unwrap();
            let ours = decode::open(&path);
            assert_eq!(ours.is_ok(), opens, "{name} cut to {length}");
            if let Err(e) = ours {
                let message = e.to_string();
                assert!(message.contains("cut.jpg") && message.contains(';'), "{message}");
            }
        }
    }
}

#[test]
fn a_size_that_no_machine_holds_is_refused_from_the_header() {
    let mut bytes = std::fs::read(common::fixture("jpeg/420_33x47.jpg")).unwrap();
    let frame = bytes.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    bytes[frame + 5..frame + 9].copy_from_slice(&[0xea, 0x60, 0xea, 0x60]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge.jpg");
    std::fs::write(&path, bytes).unwrap();
    for message in [decode::open(&path).unwrap_err().to_string(), decode::dimensions(&path).unwrap_err().to_string()] {
        assert!(message.contains("huge.jpg") && message.contains("60000 x 60000"), "{message}");
    }
}

/// A progressive file whose last scan's header is repeated `more` times, without data.
fn with_empty_scans(more: usize) -> Vec<u8> {
    let bytes = std::fs::read(common::fixture("jpeg/420_progressive.jpg")).unwrap();
    let scan = bytes.windows(2).rposition(|pair| pair == [0xff, 0xda]).unwrap();
    let header = scan + 2 + usize::from(u16::from_be_bytes([bytes[scan + 2], bytes[scan + 3]]));
    let end = bytes.windows(2).rposition(|pair| pair == [0xff, 0xd9]).unwrap();
    [&bytes[..end], &bytes[scan..header].repeat(more), &bytes[end..]].concat()
}

#[test]
fn a_file_of_scans_without_end_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scans.jpg");
    let open = |more: usize| {
        std::fs::write(&path, with_empty_scans(more)).unwrap();
        decode::open(&path)
    };
    assert!(open(20).is_ok(), "so many an encoder might write");
    let message = open(100).unwrap_err().to_string();
    assert!(message.contains("scans.jpg") && message.contains("more than 100 scans"), "{message}");
    // 20 MB of headers: two million passes over the image, if they were made.
    let begun = std::time::Instant::now();
    assert!(open(2_000_000).is_err());
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}
