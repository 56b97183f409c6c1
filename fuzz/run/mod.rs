//! A whole run folder: an honest one ([`honest`]), damaged as the bytes say ([`damage`]), and
//! read by everything that reads run folders ([`look`]).

mod damage;
mod honest;
mod look;

use std::fs;

use super::Folder;

/// Words of a file beside the run, which no reader may show.
const PRIVATE: &str = "these words are private: 7391";

/// Whether everything reads the folder to its end.
pub fn read(bytes: &[u8]) -> bool {
    let folder = Folder::new("run");
    folder.write("private/words", PRIVATE.as_bytes());
    let run = folder.path().join("run");
    for (name, content) in honest::files() {
        folder.write(&format!("run/{name}"), content);
    }
    damage::apply(bytes, &run);
    let whole = look::at(&run, folder.path());
    let kept = fs::read(folder.path().join("private/words"));
    assert!(kept.is_ok_and(|kept| kept == PRIVATE.as_bytes()), "a file beside the run was changed");
    whole
}
