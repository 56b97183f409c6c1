//! Files that were cut off, or whose bytes changed on the way: named, and nothing made of them.

use std::fs;

use crate::child::{merge, readers};
use crate::explorer::walked;
use crate::honest::Mailed;

/// One file of each kind that a run has.
const FILES: [&str; 5] =
    ["run.json", "records/examples.parquet", "records/latents.safetensors", "findings/table1.parquet", "findings/conclusion.parquet"];

#[test]
fn files_that_were_cut_off_are_named() {
    for file in FILES {
        let mailed = Mailed::new();
        let whole = fs::read(mailed.run().join(file)).unwrap();
        let name = file.rsplit('/').next().unwrap();
        for length in [0, 1, 4, 7, 8, 12, whole.len() / 2, whole.len() - 9, whole.len() - 4, whole.len() - 1] {
            for folder in mailed.all().iter().filter(|folder| folder.join(file).exists()) {
                fs::write(folder.join(file), &whole[..length]).unwrap();
            }
            let commands = readers(&mailed.run(), &mailed.beside("page.html"));
            for ended in commands.iter().chain([&merge(&mailed.run())]).filter(|ended| ended.code == 3) {
                ended.refused(name);
            }
        }
    }
}

#[test]
fn bytes_that_changed_make_nothing_worse() {
    for file in &FILES[1..] {
        let mailed = Mailed::new();
        let whole = fs::read(mailed.run().join(file)).unwrap();
        for turn in 0..12 {
            let mut changed = whole.clone();
            // Spread over the file and its footer, the same at every run of this test.
            for place in 0..6 {
                let at = (turn * 7919 + place * 104_729) % whole.len();
                changed[at] ^= 1 << ((turn + place) % 8);
            }
            for folder in mailed.all().iter().filter(|folder| folder.join(file).exists()) {
                fs::write(folder.join(file), &changed).unwrap();
            }
            readers(&mailed.run(), &mailed.beside("page.html"));
            merge(&mailed.run());
        }
        walked(&mailed.run());
    }
}
