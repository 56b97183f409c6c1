//! What is fed to the readers of hostile files: the bytes of one file, the rest of the
//! folder good. The fuzzer calls these functions on bytes of its own making, and
//! `crates/prism/tests/corpora.rs` on the bytes it kept. They may return errors; they
//! may not panic, hang, or take memory that the bytes do not justify.

use std::fs;
use std::path::{Path, PathBuf};

use prism_data::benchmark::Description;
use prism_data::{Benchmark, Depth, Images, read_training};
use prism_model::Config;
use prism_model::checkpoint::Files;
use prism_model::preprocess::Preprocessor;
use prism_model::tensor::{DType, Device};
use prism_model::tokenizer::ChatTemplate;
use prism_model::tokenizer::template::Message;
use prism_run::Variant;

/// A reader, by the name of its fuzz target and corpus.
pub type Reader = fn(&[u8]);

/// All of them.
pub const READERS: [(&str, Reader); 9] = [
    ("safetensors", safetensors),
    ("index", index),
    ("config", config),
    ("jsonl", jsonl),
    ("csv", csv),
    ("parquet", parquet),
    ("image", image),
    ("toml", toml),
    ("template", template),
];

/// `model.safetensors`: header, offsets, and every tensor it says it has.
pub fn safetensors(bytes: &[u8]) {
    let folder = Folder::new("safetensors");
    folder.write("model.safetensors", bytes);
    weights(folder.path());
}

/// `model.safetensors.index.json` over one good shard.
pub fn index(bytes: &[u8]) {
    let folder = Folder::new("index");
    folder.write("model.safetensors.index.json", bytes);
    let header = br#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let shard = [(header.len() as u64).to_le_bytes().as_slice(), header, &[0; 4]].concat();
    folder.write("model-00001-of-00002.safetensors", &shard);
    weights(folder.path());
}

fn weights(folder: &Path) {
    let Ok(files) = Files::open(folder) else { return };
    for name in files.names() {
        let _ = files.shape(name);
        let _ = files.tensor(name, DType::F32, &Device::Cpu);
    }
}

/// `config.json`, `preprocessor_config.json` and `generation_config.json`: the same bytes as each.
pub fn config(bytes: &[u8]) {
    let folder = Folder::new("config");
    for name in ["config.json", "preprocessor_config.json", "generation_config.json"] {
        folder.write(name, bytes);
    }
    let _ = Config::open(folder.path());
    if let Ok(preprocessor) = Preprocessor::from_dir(folder.path()) {
        for (height, width) in [(1, 1), (28, 10_000), (32_768, 32_768)] {
            let _ = preprocessor.grid(height, width);
        }
    }
}

/// A benchmark in JSON lines, and training data.
pub fn jsonl(bytes: &[u8]) {
    let folder = Folder::new("jsonl");
    folder.write("a.png", PIXEL);
    folder.write("test.jsonl", bytes);
    folder.write("data.json", bytes);
    folder.write("meta.json", bytes);
    benchmark(&folder.path().join("test.jsonl"));
    for name in ["data.json", "meta.json"] {
        benchmark(&folder.path().join(name));
        let _ = read_training(&folder.path().join(name), Some(folder.path()));
    }
}

/// MMVP's `Questions.csv`.
pub fn csv(bytes: &[u8]) {
    let folder = Folder::new("csv");
    folder.write("Questions.csv", bytes);
    for index in 1..=2 {
        folder.write(&format!("MMVP Images/{index}.jpg"), PIXEL);
    }
    benchmark(folder.path());
}

/// A parquet file of BLINK.
pub fn parquet(bytes: &[u8]) {
    let folder = Folder::new("parquet");
    folder.write("Counting/val-00000-of-00001.parquet", bytes);
    benchmark(folder.path());
}

fn benchmark(path: &Path) {
    let Ok(benchmark) = Benchmark::open(path) else { return };
    let _ = benchmark.check(Depth::Header);
    let _ = benchmark.read(&Images::looked_at(Depth::Beginning), Some(100));
}

/// An image file, through decoding, resizing and patches.
pub fn image(bytes: &[u8]) {
    let folder = Folder::new("image");
    folder.write("image.png", bytes);
    folder.write("preprocessor_config.json", br#"{"min_pixels":784,"max_pixels":12544}"#);
    let Ok(preprocessor) = Preprocessor::from_dir(folder.path()) else { return };
    let path = folder.path().join("image.png");
    let _ = preprocessor.grid_of(&path);
    let _ = preprocessor.open(&path);
}

/// A variant and a benchmark's description.
pub fn toml(bytes: &[u8]) {
    let folder = Folder::new("toml");
    folder.write("a.toml", bytes);
    let path = folder.path().join("a.toml");
    let _ = Variant::load(&path.to_string_lossy());
    let _ = Description::read(&path);
}

/// A chat template, written by whoever made the checkpoint.
pub fn template(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(template) = ChatTemplate::new(text.to_owned(), Path::new("chat_template.jinja")) {
        let _ = template.render(&[Message::user(1, "Which <image>?")]);
    }
}

/// A black pixel, PNG.
const PIXEL: &[u8] = include_bytes!("pixel.png");

/// A folder of its own for every process and reader, emptied on every use.
struct Folder(PathBuf);

impl Folder {
    fn new(reader: &str) -> Self {
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
        let path = base.join(format!("prism-fed-{}-{reader}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a temporary folder");
        Self(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap_or(&self.0)).expect("a temporary folder");
        fs::write(path, bytes).expect("room for a temporary file");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
