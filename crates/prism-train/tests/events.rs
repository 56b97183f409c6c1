//! The event file: the bytes are those that TensorBoard itself read back
//! (`oracle/read_events.py`) into `fixtures/events.json`.

use std::path::Path;

use prism_train::tensorboard::Events;

/// A run of three steps, resumed after the second. `PRISM_EVENTS` names a folder to
/// leave the file in, for the oracle.
fn write(folder: &Path) -> Vec<u8> {
    let mut events = Events::create(folder, 1000.5, 2).unwrap();
    for step in 3..6usize {
        events.scalars(1000.5 + step as f64, step, &[("loss/ce", 1.0 / step as f64), ("lr", 1e-5)]).unwrap();
    }
    std::fs::read(events.path()).unwrap()
}

#[test]
fn events_are_the_bytes_tensorboard_read() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = std::env::var_os("PRISM_EVENTS").map_or(scratch.path().to_path_buf(), Into::into);
    let bytes = write(&folder);
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    assert_eq!(bytes, std::fs::read(fixtures.join("events.out.tfevents.1000.prism.0")).unwrap());
    let read: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(fixtures.join("events.json")).unwrap()).unwrap();
    assert_eq!(read["file_version"], 2.0);
    let steps = |tag: &str| read["scalars"][tag].as_array().unwrap().iter().map(|e| e[1].as_u64().unwrap()).collect::<Vec<_>>();
    assert_eq!((steps("loss/ce"), steps("lr")), (vec![3, 4, 5], vec![3, 4, 5]));
    assert_eq!(read["scalars"]["loss/ce"][0][0], 1003.5);
    assert!((read["scalars"]["loss/ce"][0][2].as_f64().unwrap() - 1.0 / 3.0).abs() < 1e-7);
}
