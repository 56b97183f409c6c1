//! What runs are called: their ids in addresses, and their names on pages.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use prism_run::folder::names;

/// Longest part of an id.
const LONGEST: usize = 80;

/// Ids that were given, each once.
#[derive(Debug, Default)]
pub struct Ids {
    taken: HashSet<String>,
    next: HashMap<String, usize>,
}

impl Ids {
    /// The id that is wanted, with a number after it where another has it.
    pub fn take(&mut self, wanted: &str) -> String {
        if self.taken.insert(wanted.to_string()) {
            return wanted.to_string();
        }
        let next = self.next.entry(wanted.to_string()).or_insert(2);
        loop {
            let id = format!("{wanted}-{next}");
            *next += 1;
            if self.taken.insert(id.clone()) {
                return id;
            }
        }
    }
}

/// The name of a folder; that of an audit below its training is the training's.
pub fn name_of(path: &Path) -> String {
    let part = |p: &Path| p.file_name().map(|n| n.to_string_lossy().into_owned());
    match part(path) {
        Some(name) if name == "audit" => path.parent().and_then(part).unwrap_or(name),
        Some(name) => name,
        None => "runs".into(),
    }
}

/// The id wanted for a run in `folder`, below a root of that path and id.
pub fn id_of(root: &Path, root_id: &str, folder: &Path) -> String {
    let inside = folder.strip_prefix(root).unwrap_or(folder);
    let kept: Vec<String> = inside.components().map(|c| c.as_os_str().to_string_lossy().into_owned()).collect();
    let audit = kept.last().is_some_and(|last| last == "audit");
    let kept = if audit { &kept[..kept.len() - 1] } else { &kept[..] };
    let trained = !audit && prism_run::door::holds_file(&folder.join("audit").join(names::MANIFEST));
    let tail = trained.then(|| "training".to_string());
    let all: Vec<String> = std::iter::once(root_id.to_string()).chain(kept.iter().map(|k| slug(k))).chain(tail).collect();
    all.join("-")
}

/// Letters, digits and dashes only.
pub fn slug(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let plain = plain.trim_matches('-');
    if plain.is_empty() { "run".into() } else { plain.chars().take(LONGEST).collect() }
}

/// A run among others.
#[derive(Debug, Clone, Copy)]
pub struct Among<'a> {
    /// Which of the folders given at the start it lies in.
    pub root: usize,
    /// Whether it is an audit or evaluation.
    pub audited: bool,
    /// What it would be called if it were alone.
    pub plain: &'a str,
    /// Its id.
    pub id: &'a str,
}

/// What each run is called among those of its folder, and among all: its id is added where
/// others, of audits or of trainings, have the same name.
pub fn distinct(runs: &[Among<'_>]) -> Vec<(String, String)> {
    let with_id = |name: &str, id: &str, needed: bool| if needed { format!("{name} ({id})") } else { name.to_string() };
    let mut plain: HashMap<(usize, bool, &str), usize> = HashMap::new();
    for run in runs {
        *plain.entry((run.root, run.audited, run.plain)).or_default() += 1;
    }
    let shared = |run: &Among<'_>| plain.get(&(run.root, run.audited, run.plain)).is_some_and(|count| *count > 1);
    let short: Vec<String> = runs.iter().map(|run| with_id(run.plain, run.id, shared(run))).collect();
    let mut roots: HashMap<(bool, &str), HashSet<usize>> = HashMap::new();
    for (run, short) in runs.iter().zip(&short) {
        roots.entry((run.audited, short.as_str())).or_default().insert(run.root);
    }
    let elsewhere = |run: &Among<'_>, short: &str| roots.get(&(run.audited, short)).is_some_and(|roots| roots.len() > 1);
    let names =
        runs.iter().zip(&short).map(|(run, short)| (short.clone(), with_id(short.as_str(), run.id, elsewhere(run, short.as_str()))));
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_however_many_want_the_same() {
        let mut ids = Ids::default();
        assert_eq!(["a", "a-2", "a", "a", "b"].map(|wanted| ids.take(wanted)), ["a", "a-2", "a-3", "a-4", "b"]);
        let many: HashSet<String> = (0..100_000).map(|_| ids.take("x")).collect();
        assert_eq!(many.len(), 100_000);
    }

    #[test]
    fn a_name_is_told_apart_where_another_has_it() {
        let run = |root, audited, plain, id| Among { root, audited, plain, id };
        let runs = [
            run(0, true, "LVR · 42", "a"),
            run(0, false, "LVR · 42", "a-training"),
            run(0, true, "N-LVR · 42", "b"),
            run(0, true, "N-LVR · 42", "c"),
            run(1, true, "LVR · 42", "d"),
        ];
        let names = distinct(&runs);
        let names: Vec<(&str, &str)> = names.iter().map(|(short, name)| (short.as_str(), name.as_str())).collect();
        assert_eq!(
            names,
            [
                ("LVR · 42", "LVR · 42 (a)"),
                ("LVR · 42", "LVR · 42"),
                ("N-LVR · 42 (b)", "N-LVR · 42 (b)"),
                ("N-LVR · 42 (c)", "N-LVR · 42 (c)"),
                ("LVR · 42", "LVR · 42 (d)"),
            ]
        );
    }
}
