//! What is fed to the readers of hostile files: the bytes of one file, the rest of the
//! folder good; or, of a run folder, what is done to it. The fuzzer calls these functions on
//! bytes of its own making, and `crates/prism/tests/corpora.rs` on the bytes it kept. They may
//! return errors; they may not panic, hang, or take memory that the bytes do not justify.

#[path = "run/mod.rs"]
mod run;

use std::fs;
use std::path::{Path, PathBuf};

use prism::commands::study::StudyRecipe;
use prism_data::benchmark::Description;
use prism_data::world::WorldConfig;
use prism_data::{Benchmark, Depth, Images, read_training};
use prism_model::Config;
use prism_model::checkpoint::Files;
use prism_model::preprocess::Preprocessor;
use prism_model::tensor::{DType, Device};
use prism_model::tokenizer::template::Message;
use prism_model::tokenizer::{ChatTemplate, Tokenizer};
use prism_run::{Protocol, Variant, safe_toml};

/// A reader, by the name of its fuzz target and corpus. It says whether it read the bytes
/// to the end: a corpus of which nothing is read tests nothing.
pub type Reader = fn(&[u8]) -> bool;

/// All of them.
pub const READERS: [(&str, Reader); 13] = [
    ("safetensors", safetensors),
    ("index", index),
    ("config", config),
    ("jsonl", jsonl),
    ("csv", csv),
    ("parquet", parquet),
    ("image", image),
    ("toml", toml),
    ("template", template),
    ("tokenizer", tokenizer),
    ("protocol", protocol),
    ("recipe", recipe),
    ("run", run),
];

/// A whole run folder, damaged as the bytes say.
pub fn run(bytes: &[u8]) -> bool {
    run::read(bytes)
}

/// `model.safetensors`: header, offsets, and every tensor it says it has.
pub fn safetensors(bytes: &[u8]) -> bool {
    let folder = Folder::new("safetensors");
    folder.write("model.safetensors", bytes);
    weights(folder.path())
}

/// `model.safetensors.index.json` over one good shard.
pub fn index(bytes: &[u8]) -> bool {
    let folder = Folder::new("index");
    folder.write("model.safetensors.index.json", bytes);
    let header = br#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let shard = [(header.len() as u64).to_le_bytes().as_slice(), header, &[0; 4]].concat();
    folder.write("model-00001-of-00002.safetensors", &shard);
    weights(folder.path())
}

fn weights(folder: &Path) -> bool {
    let Ok(files) = Files::open(folder) else { return false };
    let mut read = true;
    for name in files.names() {
        read &= files.shape(name).is_some() & matches!(files.tensor(name, DType::F32, &Device::Cpu), Ok(Some(_)));
    }
    read
}

/// `config.json`, `preprocessor_config.json` and `generation_config.json`: the same bytes as each.
pub fn config(bytes: &[u8]) -> bool {
    let folder = Folder::new("config");
    for name in ["config.json", "preprocessor_config.json", "generation_config.json"] {
        folder.write(name, bytes);
    }
    let model = Config::open(folder.path()).is_ok();
    let Ok(preprocessor) = Preprocessor::from_dir(folder.path()) else { return model };
    [(1, 1), (28, 10_000), (32_768, 32_768)].map(|(height, width)| preprocessor.grid(height, width).is_ok()).contains(&true)
}

/// A benchmark in JSON lines, V*Bench, and training data.
pub fn jsonl(bytes: &[u8]) -> bool {
    let folder = Folder::new("jsonl");
    for (name, content) in [("a.png", PIXEL), ("vstar/a.png", PIXEL), ("vstar/test_questions.jsonl", bytes)] {
        folder.write(name, content);
    }
    for name in ["test.jsonl", "data.json", "meta.json"] {
        folder.write(name, bytes);
    }
    let mut read = benchmark(&folder.path().join("test.jsonl")) | benchmark(&folder.path().join("vstar"));
    for name in ["data.json", "meta.json"] {
        read |= benchmark(&folder.path().join(name));
        read |= read_training(&folder.path().join(name), Some(folder.path())).is_ok();
    }
    read
}

/// MMVP's `Questions.csv`.
pub fn csv(bytes: &[u8]) -> bool {
    let folder = Folder::new("csv");
    folder.write("Questions.csv", bytes);
    for index in 1..=2 {
        folder.write(&format!("MMVP Images/{index}.jpg"), PIXEL);
    }
    benchmark(folder.path())
}

/// A parquet file of BLINK.
pub fn parquet(bytes: &[u8]) -> bool {
    let folder = Folder::new("parquet");
    folder.write("Counting/val-00000-of-00001.parquet", bytes);
    benchmark(&folder.path().join("Counting"))
}

fn benchmark(path: &Path) -> bool {
    let Ok(benchmark) = Benchmark::open(path) else { return false };
    let found = benchmark.check(Depth::Header);
    let read = benchmark.read(&Images::looked_at(Depth::Beginning), Some(100));
    found.faults.is_empty() && read.is_ok()
}

/// An image file, through decoding, resizing and patches.
pub fn image(bytes: &[u8]) -> bool {
    let folder = Folder::new("image");
    folder.write("image.png", bytes);
    folder.write("preprocessor_config.json", br#"{"min_pixels":784,"max_pixels":12544}"#);
    let Ok(preprocessor) = Preprocessor::from_dir(folder.path()) else { return false };
    let path = folder.path().join("image.png");
    let _ = preprocessor.grid_of(&path);
    preprocessor.open(&path).is_ok()
}

/// A variant and a benchmark's description.
pub fn toml(bytes: &[u8]) -> bool {
    let folder = Folder::new("toml");
    folder.write("a.toml", bytes);
    let path = folder.path().join("a.toml");
    Variant::load(&path.to_string_lossy()).is_ok() | Description::read(&path).is_ok()
}

/// A chat template, written by whoever made the checkpoint.
pub fn template(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let template = ChatTemplate::new(text.to_owned(), Path::new("chat_template.jinja"));
    template.is_ok_and(|template| template.render(&[Message::user(1, "Which <image>?")]).is_ok())
}

/// The tokenizer files of a good checkpoint, in the order in which a first byte names them.
const TOKENIZER: [(&str, &[u8]); 6] = [
    ("vocab.json", include_bytes!("../assets/base-tiny/vocab.json")),
    ("merges.txt", include_bytes!("../assets/base-tiny/merges.txt")),
    ("added_tokens.json", include_bytes!("../assets/base-tiny/added_tokens.json")),
    ("tokenizer_config.json", include_bytes!("../assets/base-tiny/tokenizer_config.json")),
    ("special_tokens_map.json", include_bytes!("../assets/base-tiny/special_tokens_map.json")),
    ("chat_template.jinja", include_bytes!("../assets/base-tiny/chat_template.jinja")),
];

/// One file of a tokenizer, named by the first byte; beyond those of [`TOKENIZER`] it is `tokenizer.json`.
pub fn tokenizer(bytes: &[u8]) -> bool {
    let Some((place, bytes)) = bytes.split_first() else { return false };
    let folder = Folder::new("tokenizer");
    for (name, content) in TOKENIZER {
        folder.write(name, content);
    }
    let place = usize::from(*place) % (TOKENIZER.len() + 1);
    folder.write(TOKENIZER.get(place).map_or("tokenizer.json", |(name, _)| *name), bytes);
    let Ok(tokenizer) = Tokenizer::from_dir(folder.path()) else { return false };
    let _ = tokenizer.decode(&[0, 1, 255, 256, 300, u32::MAX]);
    let _ = tokenizer.template().render(&[Message::user(1, "Which <image>?")]);
    let ids = tokenizer.encode("Which colour is <|image_pad|> the square?\n (A) red\u{301} <answer> A </answer>");
    ids.is_ok_and(|ids| tokenizer.decode(&ids).is_ok())
}

/// A latent protocol.
pub fn protocol(bytes: &[u8]) -> bool {
    let folder = Folder::new("protocol");
    folder.write("a.toml", bytes);
    Protocol::load(&folder.path().join("a.toml").to_string_lossy()).is_ok()
}

/// A study's recipe with its arms and questions, and a world's.
pub fn recipe(bytes: &[u8]) -> bool {
    let folder = Folder::new("recipe");
    folder.write("a.toml", bytes);
    let path = folder.path().join("a.toml");
    let study = StudyRecipe::read(&path).and_then(|recipe| recipe.check_question(&recipe.variants()?));
    let world = safe_toml::read::<WorldConfig>(&path).is_ok_and(|config| config.check().is_ok());
    study.is_ok() | world
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
