//! No word of the vocabulary is compared as text: what an intervention, outcome, stage or verdict
//! is, the compiler knows. The words come from where they are declared, in `prism-run`.

mod code;
mod compared;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use self::code::{Code, Token};
use self::compared::comparisons;
use crate::steps::root;

/// How a declaration of words begins in `prism-run`.
const DECLARATIONS: [&str; 2] = ["crate::words! {", "actions! {"];

/// Files of `prism-run` that declare words otherwise: the donors, other names of actions, the cells of the crossing.
const DECLARED: [&str; 3] = ["intervention/argument.rs", "intervention/mod.rs", "path.rs"];

/// Words that mean something else in a file below `crates`: the file, the word, and what it is there.
const OTHERWISE: [(&str, &str, &str); 9] = [
    ("prism-audit/src/compare/points.rs", "question_mean", "a column of Table 1"),
    ("prism-audit/src/paper/published.rs", "question_mean", "a column of Table 1"),
    ("prism-audit/src/probe/floors.rs", "answer", "a floor of the probes, made from the answer given"),
    ("prism-audit/src/settings.rs", "none", "the word of `--compat`, in its parser"),
    ("prism-figures/src/canvas.rs", "none", "a colour, as Vega writes it"),
    ("prism-figures/src/alone.rs", "variant", "a field of a chart's data"),
    ("prism-report/src/sections/agreement.rs", "question_mean", "a column of Table 1"),
    ("prism-run/src/error.rs", "remove", "what was done to a file"),
    ("prism/src/commands/paths/mod.rs", "base", "the name a base has in tables, and its folder among a run's inputs"),
];

/// Fails with every line of the crates' sources that compares a word of the vocabulary as text, and with
/// every exception that is none any more.
pub fn run() -> anyhow::Result<()> {
    let declaring = declaring()?;
    let words = words(&declaring)?;
    let (mut found, mut unused) = (Vec::new(), OTHERWISE.to_vec());
    let crates = root().join("crates");
    for file in sources(&crates)?.iter().filter(|file| !declaring.contains(file)) {
        let text = read(file)?;
        let name = file.strip_prefix(&crates).unwrap_or(file).to_string_lossy().replace('\\', "/");
        for hit in comparisons(&text, &words) {
            let before = unused.len();
            let is_hit = |(at, word, _): &(&str, &str, &str)| *at == name && *word == hit.word;
            unused.retain(|entry| !is_hit(entry));
            if before == unused.len() && !OTHERWISE.iter().any(is_hit) {
                let line = text.lines().nth(hit.line - 1).unwrap_or_default();
                found.push(format!("crates/{name}:{}: `{}` in: {}", hit.line, hit.word, line.trim()));
            }
        }
    }
    if !found.is_empty() {
        bail!("words of the vocabulary are compared as text; compare the types of prism-run instead:\n{}", found.join("\n"));
    }
    if let Some((file, word, _)) = unused.first() {
        bail!("crates/{file} does not compare `{word}` any more: take it out of the exceptions in xtask/src/vocabulary.rs");
    }
    eprintln!("== vocabulary: ok, {} words of {} files", words.len(), declaring.len());
    Ok(())
}

/// The files that declare words: the parsers, which alone may compare them.
fn declaring() -> anyhow::Result<Vec<PathBuf>> {
    let folder = root().join("crates/prism-run/src");
    let mut found = Vec::new();
    for file in below(&folder)? {
        let text = read(&file)?;
        let declares = text.lines().any(|line| DECLARATIONS.contains(&line));
        if declares || DECLARED.iter().any(|name| file == folder.join(name)) {
            found.push(file);
        }
    }
    Ok(found)
}

/// Every word those files declare.
fn words(declaring: &[PathBuf]) -> anyhow::Result<BTreeSet<String>> {
    let mut words = BTreeSet::new();
    for file in declaring {
        let text = read(file)?;
        let code = Code::new(text.split("#[cfg(test)]").next().unwrap_or_default());
        let declared = code.texts().filter(|(at, ..)| is_declared(&code, *at)).map(|(_, _, word)| word.to_string());
        words.extend(declared);
    }
    if words.len() < 100 {
        bail!("the vocabulary's declarations were not found in crates/prism-run/src");
    }
    Ok(words)
}

/// `Variant = "word"` or `Variant(Argument) = "word"`, `Type::Variant => "word"`, `("word", Type::Variant`.
fn is_declared(code: &Code<'_>, at: usize) -> bool {
    let is_type = |at: usize| code.word(at).starts_with(char::is_uppercase);
    let sign = code.sign(at - 1);
    let before = at.saturating_sub(2);
    let variant = if code.sign(before) == ")" { code.pair(before).saturating_sub(1) } else { before };
    match sign {
        "=" => is_type(variant) && !matches!(code.token(variant.saturating_sub(1)), Token::Word(_) | Token::Sign(":")),
        "=>" => is_type(variant) && code.sign(variant.saturating_sub(1)) == "::",
        "(" => code.sign(at + 1) == "," && is_type(at + 2) && code.sign(at + 3) == "::" && code.word(before).is_empty(),
        _ => false,
    }
}

/// The Rust files of the crates' sources.
fn sources(crates: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for member in std::fs::read_dir(crates).with_context(|| format!("cannot read {}", crates.display()))? {
        found.extend(below(&member?.path().join("src"))?);
    }
    found.sort();
    Ok(found)
}

/// The Rust files below a folder.
fn below(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).with_context(|| format!("cannot read {}", next.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn read(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_word_is_found_where_it_is_declared() {
        let words = words(&declaring().unwrap()).unwrap();
        for word in [
            "zero",
            "noise",
            "swap-kv",
            "truncate",
            "sham",
            "other-answer",
            "image-hidden",
            "content",
            "resamples",
            "scored",
            "context",
            "load-bearing",
            "no latents ran",
            "bottleneck-half",
            "answer_state",
            "visual_mean",
            "fed",
            "base",
            "oracle",
            "registers",
        ] {
            assert!(words.contains(word), "{word}");
        }
        assert!(words.iter().all(|word| word.len() < 30), "no description is a word: {words:?}");
    }

    #[test]
    fn what_is_no_declaration_gives_no_word() {
        let code = Code::new(
            r#"const A: &str = "a"; Zero = "b", Damage, Explains, "c"; Self::D => "d", ("e", Action::Zero), f("g", Action::Zero), E(f64) = "h","#,
        );
        let found: Vec<&str> = code.texts().filter(|(at, ..)| is_declared(&code, *at)).map(|(.., word)| word).collect();
        assert_eq!(found, ["b", "d", "e", "h"]);
    }
}
