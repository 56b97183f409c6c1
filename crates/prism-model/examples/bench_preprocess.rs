//! Milliseconds from an image file to `pixel_values`, median of some repetitions, by either
//! processor's arithmetic, as JSON lines:
//! `cargo run --release -p prism-model --example bench_preprocess FOLDER`.
//! `oracle/bench_preprocess.py` makes the folder, and times the Hugging Face processors on
//! the same file; `cargo xtask bench` runs both.

use std::path::{Path, PathBuf};
use std::time::Instant;

use prism_model::preprocess::{Preprocessor, Processor};

// As the binary has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const REPETITIONS: usize = 15;

fn main() -> anyhow::Result<()> {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        anyhow::bail!("give the folder of oracle/bench_preprocess.py")
    };
    let image = folder.join("photo.jpg");
    let mut preprocessor = Preprocessor::from_dir(&folder)?;
    rayon::ThreadPoolBuilder::new().num_threads(2).build_global()?;
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    for (processor, name) in [(Processor::Slow, "slow"), (Processor::Fast, "fast")] {
        preprocessor.config.processor = processor;
        tell(name, 1, one.install(|| median(&preprocessor, &image))?);
        tell(name, 2, median(&preprocessor, &image)?);
    }
    Ok(())
}

fn tell(processor: &str, threads: usize, milliseconds: f64) {
    println!(r#"{{"size": "2000x1500", "what": "preprocess {processor} threads {threads}", "milliseconds": {milliseconds}}}"#);
}

fn median(preprocessor: &Preprocessor, image: &Path) -> anyhow::Result<f64> {
    let mut times = Vec::with_capacity(REPETITIONS);
    for _ in 0..REPETITIONS {
        let begun = Instant::now();
        let pixels = preprocessor.open(image)?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
        std::hint::black_box(pixels);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[REPETITIONS / 2])
}
