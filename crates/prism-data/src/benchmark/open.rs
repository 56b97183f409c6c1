//! Any benchmark by its path: the one entry point. The layout is told from what lies
//! there.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use prism_run::Example;

use super::description::{Description, Layout};
use super::release::{Release, ReleaseCount};
use crate::readers::checks::{At, check_size};
use crate::readers::{self, Images, MMVP_QUESTIONS, Source, VSTAR_QUESTIONS};
use crate::{Error, Place, Result};

/// The generated world's questions.
const WORLD_QUESTIONS: &str = "test.jsonl";
/// Bare questions in a folder.
const QUESTIONS: &str = "examples.json";
/// Training data in a folder.
const META: &str = "meta.json";

/// A benchmark that was found, not read yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Benchmark {
    /// What it is.
    pub description: Description,
    /// The user's own description file, if one was given.
    pub described_in: Option<PathBuf>,
    path: PathBuf,
    files: Vec<PathBuf>,
    tasks: Vec<Option<String>>,
}

impl Benchmark {
    /// Finds the benchmark at `path`:
    ///
    /// | given | layout |
    /// |---|---|
    /// | a folder with `test_questions.jsonl`, or that file | V*Bench |
    /// | a folder with `Questions.csv`, or a `.csv` file | MMVP |
    /// | a folder of tasks, one task's folder, or a `.parquet` file | BLINK |
    /// | a folder with `test.jsonl`, or a `.jsonl` file | JSON lines |
    /// | a folder with `meta.json`, or a `.json` file | training data |
    /// | a `.json` file whose entries have a `question` | bare questions; with `options` JSON lines in one list |
    /// | a `.toml` file | what it describes, at its `path` (default: its folder) |
    ///
    /// # Errors
    /// When nothing is there, nothing there is known, or files are missing.
    pub fn open(path: &Path) -> Result<Self> {
        if path.is_file() && path.extension().is_some_and(|e| e == "toml") {
            let description = Description::read(path)?;
            let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let data = description.path.as_ref().map_or(folder.to_path_buf(), |data| folder.join(data));
            let mut benchmark = Self::described(description, &data)?;
            benchmark.described_in = Some(path.to_path_buf());
            return Ok(benchmark);
        }
        Self::described(Description::preset(layout_of(path)?)?, path)
    }

    fn described(description: Description, path: &Path) -> Result<Self> {
        exists(path)?;
        let standard = |name: &str| {
            let file = if path.is_dir() { path.join(name) } else { path.to_path_buf() };
            match file.is_file() {
                true => Ok(vec![(file, None)]),
                false => {
                    Err(Error::data(path, Place::File, format!("the folder holds no {name}"), "give the benchmark's folder, or its file"))
                }
            }
        };
        let found: Vec<(PathBuf, Option<String>)> = match description.layout {
            Layout::Vstar => standard(VSTAR_QUESTIONS)?,
            Layout::Mmvp => standard(MMVP_QUESTIONS)?,
            Layout::Jsonl => standard(WORLD_QUESTIONS)?,
            Layout::Training => standard(META)?,
            Layout::Questions => standard(QUESTIONS)?,
            Layout::Blink => blink_files(&description, path)?,
        };
        let (files, tasks) = found.into_iter().unzip();
        Ok(Self { description, described_in: None, path: path.to_path_buf(), files, tasks })
    }

    /// The path that was given or described.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The files of questions, in order; with the user's description, if there is one,
    /// they decide what is read (images apart).
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// A short name for records and reports: the description's id for a published or
    /// described benchmark, else the folder's name for a folder's standard file, else
    /// the file's stem.
    pub fn name(&self) -> String {
        if self.described_in.is_some() || self.description.layout.is_published() {
            return self.description.id.clone();
        }
        let whole = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        let name = if self.path.is_dir() { whole.file_name() } else { self.path.file_stem() };
        name.map_or_else(|| self.description.id.clone(), |name| name.to_string_lossy().into_owned())
    }

    /// Which release of the labels these examples of it have, where those of one were corrected later and enough are here.
    pub fn release<'a>(&self, examples: impl IntoIterator<Item = &'a Example>) -> Option<Release> {
        let mut count = ReleaseCount::new(self.description.earlier.as_ref());
        examples.into_iter().for_each(|example| count.add(&example.id, &example.label));
        count.told()
    }

    /// Hands every row to `each`, in order, until it breaks off: an example, or why the
    /// row is none.
    ///
    /// # Errors
    /// What makes a file as a whole unreadable.
    pub fn visit(&self, images: &Images, each: &mut dyn FnMut(Result<Example>) -> ControlFlow<()>) -> Result<()> {
        let source = Source { files: &self.files, tasks: &self.tasks, description: &self.description, images };
        let file = if let [only] = self.files.as_slice() { only } else { &self.path };
        readers::visit(&source, &mut |row| each(row.and_then(|example| bounded(example, file))))
    }

    /// Reads the first `limit` examples, all if there is none; what lies behind them is
    /// not looked at, and no image behind them extracted.
    ///
    /// # Errors
    /// The first thing wrong: [`Error::Data`] naming file, place, cause and remedy, or
    /// [`Error::Run`] when a file cannot be read.
    pub fn read(&self, images: &Images, limit: Option<usize>) -> Result<Vec<Example>> {
        let (mut examples, mut refusal) = (Vec::new(), None);
        let limit = limit.unwrap_or(usize::MAX);
        if limit == 0 {
            return Ok(examples);
        }
        self.visit(images, &mut |row| match row {
            Ok(example) => {
                examples.push(example);
                if examples.len() == limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            }
            Err(error) => {
                refusal = Some(error);
                ControlFlow::Break(())
            }
        })?;
        refusal.map_or(Ok(examples), Err)
    }
}

/// The example, unless it asks for more than any model reads.
fn bounded(example: Example, path: &Path) -> Result<Example> {
    let length = example.options.iter().fold(example.prompt.len(), |sum, option| sum.saturating_add(option.len()));
    check_size(length, example.images.len(), &At { path, place: Place::Row(example.row) }).map(|()| example)
}

/// Reads the whole benchmark at `path` ([`Benchmark::open`]); images that lie inside
/// parquet files are extracted into the cache folder.
///
/// # Errors
/// As [`Benchmark::open`] and [`Benchmark::read`].
pub fn read_benchmark(path: &Path) -> Result<Vec<Example>> {
    Benchmark::open(path)?.read(&Images::extracted(None), None)
}

/// Reads the counterfactual partners that lie beside a benchmark
/// (`test_counterfactual.jsonl` for `test.jsonl`); empty when there is no such file.
///
/// # Errors
/// As [`read_benchmark`].
pub fn read_partners(path: &Path) -> Result<Vec<Example>> {
    let benchmark = Benchmark::open(path)?;
    let file = &benchmark.files[0];
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let partners = file.with_file_name(format!("{stem}_counterfactual.jsonl"));
    if partners.is_file() { read_benchmark(&partners) } else { Ok(Vec::new()) }
}

fn exists(path: &Path) -> Result<()> {
    if path.is_file() || path.is_dir() {
        return Ok(());
    }
    Err(Error::data(path, Place::File, "there is no such file or folder", "give a benchmark's file or folder"))
}

/// The layout of what lies at `path`.
fn layout_of(path: &Path) -> Result<Layout> {
    exists(path)?;
    if path.is_file() {
        let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
        return match extension.as_deref() {
            Some("jsonl") if path.file_name().is_some_and(|name| name == VSTAR_QUESTIONS) => Ok(Layout::Vstar),
            Some("jsonl") => Ok(Layout::Jsonl),
            Some("json") => Ok(readers::holds_questions(path).unwrap_or(Layout::Training)),
            Some("csv") => Ok(Layout::Mmvp),
            Some("parquet") => Ok(Layout::Blink),
            Some("gz") => Err(Error::data(path, Place::File, "it is compressed with gzip", "unpack it with `gunzip`")),
            _ => Err(Error::data(
                path,
                Place::File,
                "the format is not known",
                "give a .jsonl, .json, .csv, .parquet or .toml file, or a benchmark's folder",
            )),
        };
    }
    let standard =
        [(VSTAR_QUESTIONS, Layout::Vstar), (MMVP_QUESTIONS, Layout::Mmvp), (WORLD_QUESTIONS, Layout::Jsonl), (META, Layout::Training)];
    if let Some((_, layout)) = standard.into_iter().find(|(name, _)| path.join(name).is_file()) {
        return Ok(layout);
    }
    let parquet = |folder: &Path| names(folder).is_ok_and(|names| names.iter().any(|name| name.ends_with(".parquet")));
    if parquet(path) || names(path)?.iter().any(|name| parquet(&path.join(name))) {
        return Ok(Layout::Blink);
    }
    let cause = format!(
        "the folder holds neither {VSTAR_QUESTIONS} (V*Bench) nor {MMVP_QUESTIONS} (MMVP), parquet files (BLINK), {WORLD_QUESTIONS} or {META}"
    );
    Err(Error::data(path, Place::File, cause, "give the benchmark's folder, or one of its files"))
}

/// Names in a folder, sorted.
fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).map_err(|e| Error::io("cannot read", folder, e))?;
    let mut names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort_unstable();
    Ok(names)
}

/// BLINK's parquet files with their tasks: a file, one task's folder, or a folder of tasks.
fn blink_files(description: &Description, path: &Path) -> Result<Vec<(PathBuf, Option<String>)>> {
    let split = &description.split;
    if path.is_file() {
        let task = path.parent().and_then(task_name).filter(|task| description.tasks.contains(task));
        return Ok(vec![(path.to_path_buf(), task)]);
    }
    let shards = shards(path, split)?;
    if !shards.is_empty() {
        let task = task_name(path);
        return Ok(shards.into_iter().map(|file| (file, task.clone())).collect());
    }
    let mut there = Vec::new();
    for name in names(path)? {
        let folder = path.join(&name);
        if folder.is_dir() {
            let shards = self::shards(&folder, split)?;
            if !shards.is_empty() {
                there.push((name, shards));
            }
        }
    }
    if there.is_empty() {
        let cause = format!("no folder in it holds {split}-00000-of-00001.parquet or its like");
        return Err(Error::data(
            path,
            Place::File,
            cause,
            format!("give the folder that holds the tasks' folders, with the files of the split `{split}`"),
        ));
    }
    let wanted: Vec<String> =
        if description.tasks.is_empty() { there.iter().map(|(task, _)| task.clone()).collect() } else { description.tasks.clone() };
    let mut files = Vec::new();
    for task in wanted {
        let Some((_, shards)) = there.iter().find(|(name, _)| *name == task) else {
            let found: Vec<&str> = there.iter().map(|(task, _)| task.as_str()).collect();
            let cause = format!("the task `{task}` is missing: no {task}/{split}-*.parquet (found: {})", found.join(", "));
            return Err(Error::data(
                path,
                Place::File,
                cause,
                "put it there, give one task's folder, or a .toml with `tasks` (docs/reference/data.md)",
            ));
        };
        files.extend(shards.iter().map(|file| (file.clone(), Some(task.clone()))));
    }
    Ok(files)
}

fn task_name(folder: &Path) -> Option<String> {
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    whole.file_name().map(|name| name.to_string_lossy().into_owned())
}

/// The files `val-00000-of-00002.parquet`, ... of a folder, in order; all must be there.
fn shards(folder: &Path, split: &str) -> Result<Vec<PathBuf>> {
    let parse = |name: &str| -> Option<(usize, usize)> {
        let rest = name.strip_prefix(split)?.strip_prefix('-')?.strip_suffix(".parquet")?;
        let (number, of) = rest.split_once("-of-")?;
        // A newer writer adds its version: 00001-9a3c....
        Some((number.parse().ok()?, of.split('-').next()?.parse().ok()?))
    };
    let found: Vec<(String, usize, usize)> =
        names(folder)?.into_iter().filter_map(|name| parse(&name).map(|(n, of)| (name, n, of))).collect();
    let Some(&(_, _, of)) = found.first() else { return Ok(Vec::new()) };
    for number in 0..of {
        if !found.iter().any(|(_, n, _)| *n == number) {
            let cause = format!("the file {split}-{number:05}-of-{of:05}.parquet is missing");
            return Err(Error::data(folder, Place::File, cause, "download the folder whole"));
        }
    }
    Ok(found.into_iter().map(|(name, _, _)| folder.join(name)).collect())
}
