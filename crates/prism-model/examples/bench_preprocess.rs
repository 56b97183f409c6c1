//! Milliseconds from an image file to `pixel_values`, median of some repetitions:
//! `cargo run --release -p prism-model --example bench_preprocess CHECKPOINT IMAGE`.
//! `oracle/bench_preprocess.py` times the Hugging Face processors on the same file.

use std::path::PathBuf;
use std::time::Instant;

use prism_model::preprocess::Preprocessor;

const REPETITIONS: usize = 15;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(checkpoint), Some(image)) = (arguments.next(), arguments.next()) else {
        return Err("give a checkpoint folder and an image".into());
    };
    let preprocessor = Preprocessor::from_dir(&checkpoint)?;
    let mut times = Vec::with_capacity(REPETITIONS);
    for _ in 0..REPETITIONS {
        let begun = Instant::now();
        let pixels = preprocessor.open(&image)?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
        std::hint::black_box(pixels);
    }
    times.sort_by(f64::total_cmp);
    println!("preprocess {:.1} ms (least {:.1})", times[REPETITIONS / 2], times[0]);
    Ok(())
}
