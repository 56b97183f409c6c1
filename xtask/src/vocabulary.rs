//! No word of the vocabulary is compared as text: what an intervention, outcome, stage or verdict
//! is, the compiler knows. The words come from where they are declared, in `prism-run`.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::steps::root;

/// Files of `prism-run` that declare words: the parsers, which alone may compare them.
const DECLARED: [&str; 6] =
    ["outcome.rs", "stage.rs", "verdict.rs", "intervention/action.rs", "intervention/class.rs", "intervention/scope.rs"];

/// What stands before a word that is compared.
const BEFORE: [&str; 9] =
    ["== ", "!= ", "== *", "starts_with(", "ends_with(", "strip_prefix(", "strip_suffix(", "split_once(", "matches!("];

/// Fails with every line of the crates' sources that compares a word of the vocabulary as text.
pub fn run() -> anyhow::Result<()> {
    let words = words()?;
    let mut found = Vec::new();
    for file in sources(&root().join("crates"))? {
        let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        for (number, line) in text.lines().enumerate() {
            if words.iter().any(|word| compares(line, word)) {
                found.push(format!("{}:{}: {}", file.strip_prefix(root()).unwrap_or(&file).display(), number + 1, line.trim()));
            }
        }
    }
    if !found.is_empty() {
        bail!("words of the vocabulary are compared as text; compare the types of prism-run instead:\n{}", found.join("\n"));
    }
    eprintln!("== vocabulary: ok, {} words", words.len());
    Ok(())
}

/// Whether a line of code compares this word, or takes it for a case of a match.
fn compares(line: &str, word: &str) -> bool {
    let code = line.trim_start();
    let quoted = format!("\"{word}\"");
    let prefix = format!("\"{word}:\"");
    !code.starts_with("//")
        && BEFORE.iter().any(|before| code.contains(&format!("{before}{quoted}")) || code.contains(&format!("{before}{prefix}")))
            // A test may look for a word in what is printed.
            | (code.contains(&format!(".contains({quoted})")) && !code.contains("assert"))
            | code.contains(&format!("{quoted} =>"))
            | code.contains(&format!("{quoted}) =>"))
            | code.contains(&format!("{quoted} if "))
            | code.contains(&format!("{quoted} | \""))
}

/// Every declared word: the text after `= "` in the declaring files.
fn words() -> anyhow::Result<Vec<String>> {
    let folder = root().join("crates/prism-run/src");
    let mut words = Vec::new();
    for file in DECLARED {
        let path = folder.join(file);
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let declared = text.lines().filter_map(|line| line.split_once(" = \"")).filter_map(|(_, rest)| rest.split_once('"'));
        words.extend(declared.map(|(word, _)| word.to_string()));
    }
    words.sort();
    words.dedup();
    if words.len() < 40 {
        bail!("the vocabulary's declarations were not found in {}", folder.display());
    }
    Ok(words)
}

/// Rust files below `folder/*/src`, the declaring ones apart.
fn sources(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = Vec::new();
    for member in std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        open.push(member?.path().join("src"));
    }
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).with_context(|| format!("cannot read {}", next.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "rs")
                && !DECLARED.iter().any(|file| path.ends_with(Path::new("prism-run/src").join(file)))
            {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::compares;

    #[test]
    fn comparisons_are_seen_and_prose_is_not() {
        for line in [
            r#"if v.verdict == "bypassed" {"#,
            r#"name.starts_with("zero")"#,
            r#""zero" => 1,"#,
            r#"text.split_once("noise:")"#,
            r#"name.contains("zero")"#,
            r#"Some("zero") => 1,"#,
        ] {
            assert!(["bypassed", "zero", "noise"].iter().any(|word| compares(line, word)), "{line}");
        }
        for line in [r#"// == "zero""#, r#"let text = "zero";"#, r#"assert!(text.contains("bypassed"))"#] {
            assert!(!["bypassed", "zero"].iter().any(|word| compares(line, word)), "{line}");
        }
    }
}
