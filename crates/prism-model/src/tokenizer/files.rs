//! The tokenizer files of a checkpoint folder: reading both forms that occur, and
//! copying them beside a checkpoint that is written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use prism_run::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Files that belong to tokenizer and processor; a saved checkpoint carries those that exist.
pub const FILES: [&str; 11] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "added_tokens.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "chat_template.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "processor_config.json",
];

/// Largest file read.
const MOST_BYTES: u64 = 256 << 20;

/// How Qwen2 cuts a text into pieces that are tokenised on their own.
pub const PIECES: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// A token that is matched whole in the text, outside the BPE.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddedToken {
    /// Its id.
    #[serde(default)]
    pub id: u32,
    /// Its text.
    pub content: String,
    /// Matched only as a whole word.
    #[serde(default)]
    pub single_word: bool,
    /// Swallows white space before it.
    #[serde(default)]
    pub lstrip: bool,
    /// Swallows white space after it.
    #[serde(default)]
    pub rstrip: bool,
    /// Matched in the normalised text.
    #[serde(default)]
    pub normalized: bool,
    /// Left out when special tokens are skipped.
    #[serde(default)]
    pub special: bool,
}

impl AddedToken {
    /// A special token with no other property.
    pub fn special(content: &str, id: u32) -> Self {
        Self { id, content: content.into(), single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }
    }
}

/// A tokenizer in the form of `tokenizer.json`.
#[derive(Debug, Clone)]
pub struct Definition {
    /// The content of `tokenizer.json`, read or assembled.
    pub json: Value,
    /// Every added token, ascending by id.
    pub added: Vec<AddedToken>,
    /// The file that decides.
    pub path: PathBuf,
}

/// Reads a text file of bounded size.
pub(super) fn read_text(path: &Path) -> Result<String> {
    let about = std::fs::metadata(path).map_err(|e| Error::io("cannot read", path, e))?;
    if !about.is_file() {
        return Err(Error::content(path, "it is no file", "it is no tokenizer file: replace it"));
    }
    let size = about.len();
    if size > MOST_BYTES {
        return Err(Error::content(path, format!("the file is larger than {MOST_BYTES} bytes"), "it is no tokenizer file: replace it"));
    }
    std::fs::read_to_string(path).map_err(|e| Error::io("cannot read", path, e))
}

/// Reads a JSON file; the message of a mismatch names the key.
pub(super) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let text = read_text(path)?;
    serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(&text))
        .map_err(|e| Error::content(path, format!("`{}`: {}", e.path(), e.inner()), "copy the file from the checkpoint again"))
}

/// As [`read_json`]; `None` when the file does not exist.
pub(super) fn read_json_if_any<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    if path.exists() { read_json(path).map(Some) } else { Ok(None) }
}

/// Writes a JSON file as transformers lays it out.
pub(super) fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value).map_err(|e| Error::content(path, e.to_string(), "report this"))?;
    text.push('\n');
    std::fs::write(path, text).map_err(|e| Error::io("cannot write", path, e))
}

#[derive(Deserialize)]
struct TokenizerJson {
    #[serde(default)]
    added_tokens: Vec<AddedToken>,
}

#[derive(Default, Deserialize)]
struct TokenizerConfig {
    #[serde(default)]
    added_tokens_decoder: BTreeMap<String, AddedToken>,
}

/// The tokenizer of a folder: `tokenizer.json` if there is one, else assembled from
/// `vocab.json`, `merges.txt` and the added tokens.
///
/// # Errors
/// When files are missing or malformed.
pub fn definition(folder: &Path) -> Result<Definition> {
    let path = folder.join("tokenizer.json");
    if path.exists() {
        let json: Value = read_json(&path)?;
        let parsed: TokenizerJson = read_json(&path)?;
        return Ok(Definition { json, added: sorted(parsed.added_tokens), path });
    }
    let path = folder.join("vocab.json");
    if !path.exists() {
        let cause = "the folder has neither tokenizer.json nor vocab.json";
        return Err(Error::content(folder, cause, "copy the tokenizer files of the checkpoint into it"));
    }
    let mut vocab: BTreeMap<String, u32> = read_json(&path)?;
    let merges = merges(&folder.join("merges.txt"))?;
    let added = added(folder)?;
    // Ids of added tokens need not follow the vocabulary without a gap; listed here they keep theirs.
    vocab.extend(added.iter().map(|token| (token.content.clone(), token.id)));
    Ok(Definition { json: assemble(&vocab, &merges, &added), added, path })
}

fn sorted(mut added: Vec<AddedToken>) -> Vec<AddedToken> {
    added.sort_by_key(|token| token.id);
    added
}

fn merges(path: &Path) -> Result<Vec<[String; 2]>> {
    let text = read_text(path)?;
    let lines = text.lines().enumerate().filter(|(i, line)| !(line.is_empty() || *i == 0 && line.starts_with("#version")));
    lines
        .map(|(i, line)| match line.split_once(' ') {
            Some((a, b)) if !a.is_empty() && !b.is_empty() && !b.contains(' ') => Ok([a.to_string(), b.to_string()]),
            _ => Err(Error::content(path, format!("line {} is not two pieces", i + 1), "copy the file from the checkpoint again")),
        })
        .collect()
}

/// The tokens that a `tokenizer_config.json` declares, ascending by id.
pub(super) fn declared(path: &Path) -> Result<Vec<AddedToken>> {
    let config = read_json_if_any::<TokenizerConfig>(path)?.unwrap_or_default();
    let with_id = |(id, token): (String, AddedToken)| {
        let id = id.parse().map_err(|_| Error::content(path, format!("`{id}` is no token id"), "copy the file again"))?;
        Ok(AddedToken { id, ..token })
    };
    Ok(sorted(config.added_tokens_decoder.into_iter().map(with_id).collect::<Result<_>>()?))
}

/// Added tokens of `tokenizer_config.json`; where it declares none, of `added_tokens.json`. Ascending by id.
fn added(folder: &Path) -> Result<Vec<AddedToken>> {
    let declared = declared(&folder.join("tokenizer_config.json"))?;
    if !declared.is_empty() {
        return Ok(declared);
    }
    let older = read_json_if_any::<BTreeMap<String, u32>>(&folder.join("added_tokens.json"))?.unwrap_or_default();
    Ok(sorted(older.iter().map(|(content, id)| AddedToken::special(content, *id)).collect()))
}

/// `tokenizer.json` of a Qwen2 tokenizer.
pub(super) fn assemble(vocab: &BTreeMap<String, u32>, merges: &[[String; 2]], added: &[AddedToken]) -> Value {
    let byte_level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false});
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": PIECES}, "behavior": "Isolated", "invert": false},
            byte_level
        ]},
        "post_processor": byte_level,
        "decoder": byte_level,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "", "end_of_word_suffix": "",
            "fuse_unk": false, "byte_fallback": false, "ignore_merges": false, "vocab": vocab, "merges": merges
        }
    })
}

/// Copies the tokenizer and processor files of a checkpoint folder into another.
///
/// # Errors
/// When a file cannot be copied.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    for name in FILES {
        let source = from.join(name);
        if source.exists() {
            let target = to.join(name);
            if !source.is_file() {
                return Err(Error::content(&source, "is not a regular file", "copy the file from the checkpoint again"));
            }
            std::fs::copy(&source, &target).map_err(|e| Error::io("cannot write", &target, e))?;
        }
    }
    Ok(())
}

/// A JSON object read from `path`, or an empty one when there is no such file.
pub(super) fn object(path: &Path) -> Result<Map<String, Value>> {
    Ok(read_json_if_any(path)?.unwrap_or_default())
}
