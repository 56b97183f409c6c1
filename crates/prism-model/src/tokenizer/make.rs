//! The generated world's tokenizer: byte-level BPE with Qwen2.5's own special tokens
//! and chat template, in which every piece of the world's texts is one token.
//!
//! Merges are made text piece by text piece: what is left of a piece under the merges
//! so far is joined pair by pair. Later merges rank behind earlier ones, so a piece
//! that is one token stays one. The same texts give the same files.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use prism_run::{Error, Result};
use serde_json::{Map, Value, json};

use super::files::{self, AddedToken};
use super::latent::described;
use crate::preprocess::PixelConfig;

/// Added tokens in Qwen2.5's order, and whether each is special.
const ADDED: [(&str, bool); 22] = [
    (END_OF_TEXT, true),
    ("<|im_start|>", true),
    (TURN_END, true),
    ("<|object_ref_start|>", true),
    ("<|object_ref_end|>", true),
    ("<|box_start|>", true),
    ("<|box_end|>", true),
    ("<|quad_start|>", true),
    ("<|quad_end|>", true),
    ("<|vision_start|>", true),
    ("<|vision_end|>", true),
    ("<|vision_pad|>", true),
    ("<|image_pad|>", true),
    ("<|video_pad|>", true),
    ("<tool_call>", false),
    ("</tool_call>", false),
    ("<|fim_prefix|>", false),
    ("<|fim_middle|>", false),
    ("<|fim_suffix|>", false),
    ("<|fim_pad|>", false),
    ("<|repo_name|>", false),
    ("<|file_sep|>", false),
];
const END_OF_TEXT: &str = "<|endoftext|>";
const TURN_END: &str = "<|im_end|>";

/// Those of [`ADDED`] that the configuration lists as additional special tokens.
const ADDITIONAL: std::ops::Range<usize> = 1..14;

/// Qwen2.5-VL's chat template.
pub const CHAT_TEMPLATE: &str = "{% set image_count = namespace(value=0) %}{% set video_count = namespace(value=0) %}\
{% for message in messages %}{% if loop.first and message['role'] != 'system' %}<|im_start|>system\n\
You are a helpful assistant.<|im_end|>\n{% endif %}<|im_start|>{{ message['role'] }}\n\
{% if message['content'] is string %}{{ message['content'] }}<|im_end|>\n\
{% else %}{% for content in message['content'] %}\
{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}\
{% set image_count.value = image_count.value + 1 %}{% if add_vision_id %}Picture {{ image_count.value }}: {% endif %}\
<|vision_start|><|image_pad|><|vision_end|>\
{% elif content['type'] == 'video' or 'video' in content %}\
{% set video_count.value = video_count.value + 1 %}{% if add_vision_id %}Video {{ video_count.value }}: {% endif %}\
<|vision_start|><|video_pad|><|vision_end|>\
{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endif %}{% endfor %}\
{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/// What every chat says besides the world's texts.
const FRAME: [&str; 8] = [
    "system\n",
    "user\n",
    "assistant\n",
    "You are a helpful assistant.",
    "\n<answer> A </answer>",
    "\n\n",
    "\nOptions:\nA. B. C. D.",
    "\nAnswer with the option's letter from the given choices directly.",
];

/// Writes tokenizer and processor files into the existing folder `dir`: each piece of
/// each text, and each piece behind a space, is one token. Returns the embedding rows
/// a model needs.
///
/// # Errors
/// When a file cannot be written.
pub fn make<'a>(dir: &Path, texts: impl IntoIterator<Item = &'a str>, pixels: &PixelConfig) -> Result<usize> {
    let mut trainer = Trainer::new();
    for text in FRAME.into_iter().chain(texts) {
        trainer.learn(text).map_err(|cause| Error::content(dir, cause, "write the world's texts in composed Unicode (NFC)"))?;
    }
    let added: Vec<AddedToken> = (trainer.vocab.len() as u32..)
        .zip(ADDED)
        .map(|(id, (content, special))| AddedToken { special, ..AddedToken::special(content, id) })
        .collect();
    write(dir, &trainer.vocab, &trainer.merges, &added, pixels)?;
    Ok(trainer.vocab.len() + added.len())
}

/// The letter that stands for each byte in a byte-level vocabulary: printable Latin-1
/// for itself, the others from U+0100 on.
fn alphabet() -> [char; 256] {
    let mut next = 0x100;
    std::array::from_fn(|byte| {
        let printable = matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
        let code = if printable {
            byte as u32
        } else {
            next += 1;
            next - 1
        };
        char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
    })
}

/// Grows vocabulary and merges.
struct Trainer {
    alphabet: [char; 256],
    pieces: Option<tokenizers::Tokenizer>,
    vocab: BTreeMap<String, u32>,
    merges: Vec<[String; 2]>,
    rank: HashMap<[String; 2], usize>,
}

impl Trainer {
    fn new() -> Self {
        let alphabet = alphabet();
        // The published vocabularies begin with the alphabet in code point order.
        let mut letters = alphabet;
        letters.sort_unstable();
        let vocab: BTreeMap<String, u32> = letters.iter().map(|c| c.to_string()).zip(0..).collect();
        let bare = files::assemble(&vocab, &[], &[]);
        let pieces = serde_json::to_vec(&bare).ok().and_then(|bytes| tokenizers::Tokenizer::from_bytes(bytes).ok());
        Self { alphabet, pieces, vocab, merges: Vec::new(), rank: HashMap::new() }
    }

    /// Makes every piece of `text`, alone and behind a space, one token.
    fn learn(&mut self, text: &str) -> std::result::Result<(), String> {
        use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};
        let Some(cutter) = self.pieces.as_ref().and_then(|t| t.get_pre_tokenizer()) else {
            return Err("the built-in tokenizer cannot be assembled".into());
        };
        let mut cut = PreTokenizedString::from(text);
        cutter.pre_tokenize(&mut cut).map_err(|e| e.to_string())?;
        let pieces: Vec<String> =
            cut.get_splits(OffsetReferential::Normalized, OffsetType::Byte).into_iter().map(|(piece, ..)| piece.to_owned()).collect();
        let space = self.alphabet[usize::from(b' ')];
        for piece in pieces {
            let bare = piece.strip_prefix(space).unwrap_or(&piece);
            self.join(bare);
            // White space and digits never share a piece with a space before them.
            let byte_of = |c: char| self.alphabet.iter().position(|a| *a == c).and_then(|b| u8::try_from(b).ok());
            if bare.chars().next().and_then(byte_of).is_some_and(|b| !b.is_ascii_whitespace() && !b.is_ascii_digit()) {
                self.join(&format!("{space}{bare}"));
            }
        }
        Ok(())
    }

    /// Adds the merges that are missing for `piece` to be one token.
    fn join(&mut self, piece: &str) {
        loop {
            let parts = self.tokenise(piece);
            let [left, right, ..] = parts.as_slice() else { return };
            let pair = [left.clone(), right.clone()];
            let next = self.vocab.len() as u32;
            self.vocab.entry(pair.concat()).or_insert(next);
            self.rank.insert(pair.clone(), self.merges.len());
            self.merges.push(pair);
        }
    }

    /// `piece` under the merges so far: always the adjacent pair of least rank first.
    fn tokenise(&self, piece: &str) -> Vec<String> {
        let mut parts: Vec<String> = piece.chars().map(|c| c.to_string()).collect();
        loop {
            let ranked = parts.windows(2).enumerate().filter_map(|(i, pair)| match pair {
                [a, b] => Some((*self.rank.get(&[a.clone(), b.clone()])?, i)),
                _ => None,
            });
            let Some((_, at)) = ranked.min() else { return parts };
            let right = parts.remove(at + 1);
            parts[at].push_str(&right);
        }
    }
}

fn write(dir: &Path, vocab: &BTreeMap<String, u32>, merges: &[[String; 2]], added: &[AddedToken], pixels: &PixelConfig) -> Result<()> {
    files::write_json(&dir.join("tokenizer.json"), &files::assemble(vocab, merges, added))?;
    files::write_json(&dir.join("vocab.json"), vocab)?;
    let lines = merges.iter().map(|[a, b]| format!("{a} {b}\n"));
    write_text(&dir.join("merges.txt"), &std::iter::once("#version: 0.2\n".to_owned()).chain(lines).collect::<String>())?;
    let ids: Map<String, Value> = added.iter().map(|t| (t.content.clone(), json!(t.id))).collect();
    files::write_json(&dir.join("added_tokens.json"), &ids)?;
    let decoder: Map<String, Value> = added.iter().map(|t| (t.id.to_string(), described(t))).collect();
    let additional: Vec<&str> = ADDED[ADDITIONAL].iter().map(|(content, _)| *content).collect();
    files::write_json(
        &dir.join("tokenizer_config.json"),
        &json!({
            "add_bos_token": false, "add_prefix_space": false, "added_tokens_decoder": decoder,
            "additional_special_tokens": additional, "bos_token": null, "clean_up_tokenization_spaces": false,
            "eos_token": TURN_END, "errors": "replace", "model_max_length": 131_072, "pad_token": END_OF_TEXT,
            "processor_class": "Qwen2_5_VLProcessor", "split_special_tokens": false, "tokenizer_class": "Qwen2Tokenizer",
            "unk_token": null
        }),
    )?;
    let named = |content: &str| {
        let mut value = described(&AddedToken::special(content, 0));
        if let Some(entry) = value.as_object_mut() {
            entry.remove("special");
        }
        value
    };
    files::write_json(
        &dir.join("special_tokens_map.json"),
        &json!({"additional_special_tokens": additional, "eos_token": named(TURN_END), "pad_token": named(END_OF_TEXT)}),
    )?;
    write_text(&dir.join("chat_template.jinja"), CHAT_TEMPLATE)?;
    files::write_json(
        &dir.join("preprocessor_config.json"),
        &json!({
            "do_convert_rgb": true, "do_normalize": true, "do_rescale": true, "do_resize": true,
            "image_mean": pixels.image_mean, "image_std": pixels.image_std, "image_processor_type": "Qwen2VLImageProcessor",
            "processor_class": "Qwen2_5_VLProcessor", "min_pixels": pixels.min_pixels, "max_pixels": pixels.max_pixels,
            "size": {"shortest_edge": pixels.min_pixels, "longest_edge": pixels.max_pixels},
            "patch_size": pixels.patch_size, "merge_size": pixels.merge_size, "temporal_patch_size": pixels.temporal_patch_size,
            "resample": 3, "rescale_factor": pixels.rescale_factor
        }),
    )
}

fn write_text(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|e| Error::io("cannot write", path, e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::Tokenizer;

    #[test]
    fn every_word_is_one_token_and_the_files_repeat() {
        let texts = ["What is the colour of the triangle?", "red", "A big banana.", "bananaban", "left of", "stars star tar", "12 ü"];
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let size = make(a.path(), texts, &PixelConfig::default()).unwrap();
        make(b.path(), texts, &PixelConfig::default()).unwrap();
        for name in files::FILES {
            assert_eq!(std::fs::read(a.path().join(name)).ok(), std::fs::read(b.path().join(name)).ok(), "{name}");
        }
        let tokenizer = Tokenizer::from_dir(a.path()).unwrap();
        assert_eq!(tokenizer.len(), size);
        for word in
            ["What", " colour", "triangle", " triangle", "banana", " bananaban", "bananaban", " star", "tar", "?", " A", " ü", "<|im_end|>"]
        {
            assert_eq!(tokenizer.encode(word).unwrap().len(), 1, "{word}");
        }
        let text = "<|im_start|>user\nWhat 🦊 is\tünknown?<|im_end|>\n";
        assert_eq!(tokenizer.decode(&tokenizer.encode(text).unwrap()).unwrap(), text);
    }
}
