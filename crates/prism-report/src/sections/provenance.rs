//! How to run it again, and where every number comes from: commands, builds, the recipe, manifests, what was left out.

use std::collections::{BTreeMap, BTreeSet};

use prism_run::manifest::Manifest;

use crate::document::{Block, Prose, Section};
use crate::html::clipped;
use crate::study::{Audit, Study};

/// Longest name of a build or line of what was left out, in characters.
const LONGEST: usize = 400;

/// The section.
pub fn section(study: &Study, left_out: &[String]) -> Section {
    let mut section = Section::new("provenance", "How to run it again");
    let commands = command_lines(study);
    section = if commands.is_empty() {
        section.with("The manifests name no command.")
    } else {
        section
            .with("In this order these commands make the files behind this page again.")
            .with(Block::Code("All commands", commands.join("\n")))
    };
    section = section.with(builds(study));
    if let Some(recipe) = &study.recipe {
        let said = Prose::said(
            "The study\u{2019}s recipe, all keys written out (paths are of the machine it ran on): save it as a .toml and give it to `prism study`",
        );
        section = section.with(Block::Fold { summary: said, open: false, blocks: vec![Block::Code("Recipe", recipe.clone())] });
    }
    section = section.with(Block::Heading("What was left out"));
    section = if left_out.is_empty() {
        section.with("Nothing.")
    } else {
        section.with(Block::List(left_out.iter().map(|line| Prose::default().typeset(&clipped(line, LONGEST))).collect()))
    };
    section = section.with(Block::Heading("Runs"));
    for part in &study.parts {
        for audit in &part.audits {
            let title = format!("{} on {}", run_title(&audit.manifest, &study.variants[audit.variant].name), part.benchmark);
            section = section.with(manifest(title, audit.folder.display().to_string(), &audit.manifest, Some(budget(audit))));
        }
    }
    for training in &study.trainings {
        let title = run_title(&training.manifest, &study.variants[training.variant].name);
        section = section.with(manifest(title, training.folder.display().to_string(), &training.manifest, None));
    }
    if let Some((folder, _)) = &study.comparison {
        let place = folder.display().to_string();
        section = match Manifest::read(folder) {
            Ok(m) => section.with(manifest("comparison".into(), place, &m, None)),
            Err(_) => section.with(Prose::said("Comparison: ").code(place)),
        };
    }
    section
}

/// The versions of Prism that the audits were made with.
fn builds(study: &Study) -> Prose {
    let all = study.parts.iter().flat_map(|p| &p.audits).map(|a| format!("{} ({})", a.manifest.version, a.manifest.commit));
    let all = clipped(&all.collect::<BTreeSet<String>>().into_iter().collect::<Vec<_>>().join(", "), LONGEST);
    let dirty = all.contains("-dirty");
    let prose = Prose::said("Audited with Prism ").text(all).and(".");
    if dirty { prose.and(" Built from a tree with changes that were not committed: it cannot be checked out.") } else { prose }
}

/// Whether K lay inside the lengths of training, in words.
fn budget(audit: &Audit) -> String {
    let inside = audit.conclusion().and_then(|c| c.inside_lengths);
    match (audit.manifest.step_budget(), inside) {
        (Some(budget), Some(_)) => budget.in_words(),
        (Some(budget), None) => format!("{} (lengths of training unknown)", budget.in_words()),
        (None, Some(true)) => "inside the lengths of training".into(),
        (None, Some(false)) => "outside the lengths of training".into(),
        (None, None) => "lengths of training unknown".into(),
    }
}

fn run_title(manifest: &Manifest, name: &str) -> String {
    let seed = manifest.seed.map_or_else(String::new, |s| format!(", seed {s}"));
    format!("{} of {name}{seed}", manifest.kind)
}

/// The commands behind the page, each once, in the order in which they make its files again.
pub fn command_lines(study: &Study) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let trained = study.trainings.iter().map(|t| &t.manifest);
    let audited = study.parts.iter().flat_map(|p| &p.audits).map(|a| &a.manifest);
    let compared = study.comparison.as_ref().and_then(|(folder, _)| Manifest::read(folder).ok());
    for m in trained.chain(audited).chain(compared.as_ref()) {
        // The binary by its name: where it lay says nothing to another machine.
        let named = |(i, word): (usize, &String)| if i == 0 { "prism".to_string() } else { quoted(word) };
        let line = m.command.iter().enumerate().map(named).collect::<Vec<_>>().join(" ");
        if !line.is_empty() && !all.contains(&line) {
            all.push(line);
        }
    }
    all
}

/// A word as a shell reads it back.
fn quoted(word: &str) -> String {
    let plain = !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c));
    if plain { word.to_string() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

/// A run's manifest, folded.
fn manifest(title: String, folder: String, m: &Manifest, budget: Option<String>) -> Block {
    let counted =
        |all: &BTreeMap<String, usize>| all.iter().map(|(k, n)| format!("{} {n}", k.replace('_', " "))).collect::<Vec<_>>().join(", ");
    let mut rows: Vec<(Prose, Prose)> = Vec::new();
    let mut add = |key: &'static str, value: String| rows.push((key.into(), Prose::plain(value)));
    add("folder", folder);
    add("command", m.command.iter().map(|w| quoted(w)).collect::<Vec<_>>().join(" "));
    add("Prism", format!("{} ({})", m.version, m.commit));
    add("host", m.host.clone());
    add("device", m.device.clone());
    add("dtype", m.dtype.clone());
    add("threads", m.threads.to_string());
    add("started", m.started.clone());
    add("ended", m.ended.clone().unwrap_or_else(|| "not recorded: running, or stopped".into()));
    if let Some(budget) = budget {
        add("latent steps", budget);
    }
    if !m.causes.is_empty() {
        add("could not be run", counted(&m.causes));
    }
    if !m.outcomes.is_empty() {
        add("outcomes", counted(&m.outcomes));
    }
    rows.extend(m.inputs.iter().map(|(name, hash)| (Prose::plain(name.clone()), Prose::default().code(hash.clone()))));
    rows.extend(m.settings.iter().map(|(key, value)| (Prose::plain(key.clone()), Prose::default().code(value.to_string()))));
    Block::Fold { summary: Prose::plain(title), open: false, blocks: vec![Block::Terms(rows)] }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_come_back_from_a_shell_as_they_were() {
        assert_eq!(quoted("--steps=8"), "--steps=8");
        assert_eq!(quoted("two words"), "'two words'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }
}
