//! Everything fuzzing kept (`fuzz/corpus`), read again: no reader panics on it.

use std::path::Path;

#[path = "../../../fuzz/fed.rs"]
mod fed;

#[test]
fn nothing_that_fuzzing_kept_makes_a_reader_panic() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (name, reader) in fed::READERS {
        let folder = corpora.join(name);
        let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert!(files.len() >= 2, "{} holds no corpus", folder.display());
        let mut whole = 0;
        for file in files {
            let bytes = std::fs::read(&file).unwrap();
            let read = std::panic::catch_unwind(|| reader(&bytes));
            assert!(read.is_ok(), "{name} panicked on {}", file.display());
            whole += usize::from(read.is_ok_and(|whole| whole));
        }
        // Fuzzing that starts from files which are refused at the door stays outside.
        assert!(whole > 0, "nothing in {} is read to its end", folder.display());
    }
}
