//! Licences and origins of every dependency, from `cargo metadata`, and that one set of their
//! features serves every build.

use std::collections::BTreeSet;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::steps::capture;

/// Licences this project may be shipped with; an expression passes when one of
/// its alternatives consists of these.
const LICENCES: &[&str] = &[
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "MIT",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "IJG",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
    "0BSD",
];

/// Refuses a dependency that is not from crates.io or whose licence is not listed.
pub fn run() -> anyhow::Result<()> {
    let text = capture("cargo", &["metadata", "--format-version", "1", "--locked"])?;
    let metadata: Value = serde_json::from_str(&text)?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    let mut faults = Vec::new();
    for package in packages {
        let (name, version) = (package["name"].as_str().unwrap_or("?"), package["version"].as_str().unwrap_or("?"));
        match package["source"].as_str() {
            None => continue,
            Some(source) if source.starts_with("registry+") => {}
            Some(source) => faults.push(format!("{name} {version} comes from {source}, not from a registry")),
        }
        match package["license"].as_str() {
            Some(licence) if allowed(licence) => {}
            Some(licence) => faults.push(format!("{name} {version}: licence `{licence}` is not among the allowed ones")),
            None if package["license_file"].is_string() => faults.push(format!("{name} {version}: only a licence file, look at it")),
            None => faults.push(format!("{name} {version}: no licence")),
        }
    }
    if !faults.is_empty() {
        bail!("dependencies refused:\n  {}", faults.join("\n  "));
    }
    one_set_of_features()?;
    audit_alone()?;
    eprintln!("== dependencies: ok, {} packages", packages.len());
    Ok(())
}

/// Refuses a package that `cargo run --release` or `cargo xtask` would compile with other features than
/// the tests do: it, and everything that depends on it, would be compiled twice.
fn one_set_of_features() -> anyhow::Result<()> {
    let tests = features(&["--workspace", "--edges", "normal,build,dev"])?;
    let builds = [("prism", "crates/prism/Cargo.toml"), ("xtask", "xtask/Cargo.toml")];
    let mut faults = Vec::new();
    for (package, manifest) in builds {
        let other = features(&["--package", package, "--edges", "normal,build"])?.into_iter().filter(|line| !tests.contains(line));
        faults.extend(other.map(|line| {
            let name = line.split([' ', '|']).next().unwrap_or_default();
            let theirs = tests.iter().filter(|line| line.split(' ').next() == Some(name));
            let theirs: Vec<&str> = theirs.map(|line| line.split('|').nth(1).unwrap_or_default()).collect();
            format!("{line} for {package}; the tests have {}: name the features in {manifest}", theirs.join(" or "))
        }));
    }
    if !faults.is_empty() {
        bail!("one dependency with two sets of features is compiled twice:\n  {}", faults.join("\n  "));
    }
    Ok(())
}

/// What a build of the audit alone must not pull: a server and a JavaScript engine.
const NOT_FOR_AN_AUDIT: [&str; 7] = ["axum", "hyper", "tokio", "rquickjs", "resvg", "usvg", "prism-explorer"];
/// What the report must not pull besides: a rasteriser. (The generated world is drawn with one.)
const NOT_FOR_A_REPORT: [&str; 2] = ["tiny-skia", "ttf-parser"];

/// Refuses them below the binary without its features, and below the report.
fn audit_alone() -> anyhow::Result<()> {
    let report = [&NOT_FOR_AN_AUDIT[..], &NOT_FOR_A_REPORT].concat();
    let builds: [(&[&str], &[&str]); 2] =
        [(&["--package", "prism", "--no-default-features"], &NOT_FOR_AN_AUDIT), (&["--package", "prism-report"], &report)];
    for (build, refused) in builds {
        let lines = features(&[build, &["--edges", "normal,build"]].concat())?;
        let pulled: Vec<&str> =
            refused.iter().copied().filter(|name| lines.iter().any(|line| line.split(' ').next() == Some(name))).collect();
        if !pulled.is_empty() {
            bail!("`cargo tree {}` has {}: an audit needs none of these", build.join(" "), pulled.join(", "));
        }
    }
    Ok(())
}

/// Lines `name version|features` of what a selection of packages compiles.
fn features(selection: &[&str]) -> anyhow::Result<BTreeSet<String>> {
    let shown = ["tree", "--locked", "--prefix", "none", "--no-dedupe", "--format", "{p}|{f}"];
    let text = capture("cargo", &[&shown[..], selection].concat())?;
    // A package of the workspace has its folder after its version, and a macro says so.
    let plain = |line: &str| {
        let (package, features) = line.rsplit_once('|')?;
        let mut words = package.split(' ');
        Some(format!("{} {}|{features}", words.next()?, words.next()?))
    };
    Ok(text.lines().filter_map(plain).collect())
}

/// Whether an SPDX expression (`A OR B`, `A AND B`, one level of brackets) can be met.
fn allowed(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    let expression = expression.trim();
    if let Some((left, right)) = split_outside(expression, " AND ") {
        return allowed(left) && allowed(right);
    }
    if let Some((left, right)) = split_outside(expression, " OR ") {
        return allowed(left) || allowed(right);
    }
    match expression.strip_prefix('(').and_then(|e| e.strip_suffix(')')) {
        Some(inner) => allowed(inner),
        None => LICENCES.contains(&expression),
    }
}

fn split_outside<'a>(expression: &'a str, operator: &str) -> Option<(&'a str, &'a str)> {
    let mut depth = 0;
    for (i, c) in expression.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ if depth == 0 && expression[i..].starts_with(operator) => return Some((&expression[..i], &expression[i + operator.len()..])),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::allowed;

    #[test]
    fn expressions_are_read_as_spdx_means_them() {
        assert!(allowed("MIT OR GPL-3.0"));
        assert!(allowed("(MIT OR Apache-2.0) AND Unicode-3.0"));
        assert!(allowed("MIT/Apache-2.0"));
        assert!(!allowed("MIT AND GPL-3.0"));
        assert!(!allowed("GPL-3.0"));
    }
}
