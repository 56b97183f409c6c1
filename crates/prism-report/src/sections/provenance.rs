//! Where every number comes from: manifests, commands, what was left out.

use std::fmt::Write;

use prism_run::manifest::Manifest;

use super::Builder;
use crate::html::{clipped, escape};
use crate::study::{Audit, Study};

/// The section.
pub fn section(study: &Study, left_out: &[String], builder: &mut Builder) -> String {
    let mut out = commands(study);
    if let Some(recipe) = &study.recipe {
        let _ = write!(
            out,
            "<details class=\"run\"><summary>The study\u{2019}s recipe, all keys written out (paths are of the machine it ran on): save it as a .toml and give it to <code>prism study</code></summary><pre tabindex=\"0\" aria-label=\"Recipe\">{}</pre></details>",
            escape(recipe)
        );
    }
    out.push_str("<h3>What was left out</h3>");
    if left_out.is_empty() {
        out.push_str("<p>Nothing.</p>");
    } else {
        out.push_str("<ul class=\"plain\">");
        for line in left_out {
            let _ = write!(out, "<li>{}</li>", escape(&clipped(line, 400)));
        }
        out.push_str("</ul>");
    }
    out.push_str("<h3>Runs</h3>");
    for part in &study.parts {
        for audit in &part.audits {
            let title = format!("{} on {}", run_title(&audit.manifest, &study.variants[audit.variant].name), part.benchmark);
            out.push_str(&manifest(&title, &audit.folder.display().to_string(), &audit.manifest, Some(budget(audit))));
        }
    }
    for training in &study.trainings {
        let title = run_title(&training.manifest, &study.variants[training.variant].name);
        out.push_str(&manifest(&title, &training.folder.display().to_string(), &training.manifest, None));
    }
    if let Some((folder, _)) = &study.comparison {
        match Manifest::read(folder) {
            Ok(m) => out.push_str(&manifest("comparison", &folder.display().to_string(), &m, None)),
            Err(_) => {
                let _ = write!(out, "<p>Comparison: <code>{}</code></p>", escape(&folder.display().to_string()));
            }
        }
    }
    builder.section("provenance", "Provenance", &out)
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

fn commands(study: &Study) -> String {
    let all = command_lines(study);
    if all.is_empty() {
        return String::new();
    }
    format!(
        "<h3>Commands</h3><p>In this order they make the files behind this page again.</p><pre tabindex=\"0\" aria-label=\"All commands\">{}</pre>",
        escape(&all.join("\n"))
    )
}

/// A word as a shell reads it back.
fn quoted(word: &str) -> String {
    let plain = !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c));
    if plain { word.to_string() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

fn manifest(title: &str, folder: &str, m: &Manifest, budget: Option<String>) -> String {
    let mut rows: Vec<(&str, String)> = vec![
        ("folder", folder.to_string()),
        ("command", m.command.iter().map(|w| quoted(w)).collect::<Vec<_>>().join(" ")),
        ("Prism", format!("{} ({})", m.version, m.commit)),
        ("host", m.host.clone()),
        ("device", m.device.clone()),
        ("dtype", m.dtype.clone()),
        ("threads", m.threads.to_string()),
        ("started", m.started.clone()),
        ("ended", m.ended.clone().unwrap_or_else(|| "not recorded: running, or stopped".into())),
    ];
    rows.extend(budget.map(|budget| ("latent steps", budget)));
    if !m.causes.is_empty() {
        rows.push((
            "could not be run",
            m.causes.iter().map(|(k, n)| format!("{} {n}", k.replace('_', " "))).collect::<Vec<_>>().join(", "),
        ));
    }
    if !m.outcomes.is_empty() {
        rows.push(("outcomes", m.outcomes.iter().map(|(k, n)| format!("{} {n}", k.replace('_', " "))).collect::<Vec<_>>().join(", ")));
    }
    let mut out = format!("<details class=\"run\"><summary>{}</summary><dl>", escape(title));
    for (key, value) in &rows {
        let _ = write!(out, "<dt>{key}</dt><dd>{}</dd>", escape(value));
    }
    for (name, hash) in &m.inputs {
        let _ = write!(out, "<dt>{}</dt><dd><code>{}</code></dd>", escape(name), escape(hash));
    }
    for (key, value) in &m.settings {
        let _ = write!(out, "<dt>{}</dt><dd><code>{}</code></dd>", escape(key), escape(&value.to_string()));
    }
    out.push_str("</dl></details>");
    out
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
