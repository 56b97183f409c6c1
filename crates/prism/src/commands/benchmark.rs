//! `prism benchmark`: what lies in a benchmark's files.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;

use prism_audit::text;
use prism_data::{Benchmark, Images, Inventory, Picture, Unusable};
use prism_model::preprocess::{Before, ImageFault, PixelConfig, Preprocessor, decode};
use prism_run::shown;

use crate::Context;
use crate::cli::{BenchmarkArguments, BenchmarkCommand, CheckArguments};
use crate::exit::ExitStatus;

/// Faults shown; the others are counted (all kept ones are in `--json`).
const SHOWN: usize = 20;

/// Runs the verb.
pub fn run(arguments: BenchmarkArguments, context: &Context) -> anyhow::Result<ExitStatus> {
    match arguments.command {
        BenchmarkCommand::Check(arguments) => check(&arguments, context),
    }
}

fn check(arguments: &CheckArguments, context: &Context) -> anyhow::Result<ExitStatus> {
    let benchmark = Benchmark::open(&arguments.path)?;
    let inventory = benchmark.check(Images::checked_by(if arguments.decode { whole } else { header }));
    context.printer.result(&describe(&benchmark, &inventory));
    context.printer.result_json(&inventory)?;
    Ok(if inventory.is_whole() { ExitStatus::Success } else { ExitStatus::Input })
}

/// What a run would say of an image before it decodes it: size and shape, from the header.
fn header(picture: Picture<'_>) -> Result<(), Unusable> {
    match picture {
        Picture::File(path) => decode::dimensions(path).and_then(|(width, height)| resizable(path, height, width)),
        Picture::Bytes(bytes, path) => decode::dimensions_in(bytes, path).and_then(|(width, height)| resizable(path, height, width)),
    }
    .map_err(unusable)
}

/// What a run says of an image: every pixel decoded by its own decoder, and the shape it resizes.
fn whole(picture: Picture<'_>) -> Result<(), Unusable> {
    match picture {
        Picture::File(path) => decode::open(path).and_then(|image| resizable(path, image.height(), image.width())),
        Picture::Bytes(bytes, path) => decode::bytes_to_rgb(bytes, path).and_then(|image| resizable(path, image.height(), image.width())),
    }
    .map_err(unusable)
}

/// Whether a run can resize an image of that size; the published limits of pixels stand for a checkpoint's.
fn resizable(path: &Path, height: usize, width: usize) -> decode::Result<()> {
    let preprocessor = Preprocessor { config: PixelConfig::default(), before: Before::Nothing };
    preprocessor.grid(height, width).map(drop).map_err(|said| ImageFault::of_shape(path, said))
}

fn unusable(fault: ImageFault) -> Unusable {
    Unusable { cause: fault.what(), remedy: fault.remedy.into() }
}

/// The inventory in plain text.
fn describe(benchmark: &Benchmark, found: &Inventory) -> String {
    let source = benchmark.description.source.as_deref().map_or(String::new(), |source| format!(", published as {source}"));
    let mut lines = vec![
        shown(&format!("{} (description {} version {}{source})", found.name, found.id, found.version)).into_owned(),
        format!("read from  {}", benchmark.path().display()),
        format!("files      {}", found.files.len()),
        format!("questions  {}", found.questions),
    ];
    if found.questions > 0 {
        lines.push(format!("images     {} ({})", found.images, tally(&found.images_per_question, "a question: ")));
        lines.push(format!("options    {}", tally(&found.options_per_question, "a question: ")));
    }
    if !found.labels.is_empty() {
        let floor = text::percent(found.majority);
        let entropy = text::number(found.label_entropy, 3);
        lines.push(format!("labels     {}; majority {floor} %, entropy {entropy} nats", shown(&tally(&found.labels, ""))));
    }
    for (what, count) in [("boxes", found.boxes), ("pairs", found.pairs), ("partners", found.counterfactuals)] {
        if count > 0 {
            lines.push(format!("{what:<10} {count}"));
        }
    }
    if !found.categories.is_empty() {
        let rows =
            found.categories.iter().map(|(name, c)| vec![name.clone(), c.questions.to_string(), tally(&c.labels, "")]).collect::<Vec<_>>();
        lines.push(String::new());
        lines.push(text::table(&["category", "questions", "labels"], &rows));
    }
    for difference in &found.differences {
        let what = shown(&difference.what);
        lines.push(format!("note: {what}: {} here, {} in the whole benchmark", difference.found, difference.published));
    }
    if let Some(release) = &found.release {
        lines.push(format!("note: {}", shown(&release.in_words())));
    }
    lines.extend(found.faults.iter().take(SHOWN).map(|fault| format!("broken: {}", shown(&fault.message))));
    let hidden = found.fault_count.saturating_sub(SHOWN);
    if hidden > 0 {
        lines.push(format!("broken: {hidden} more"));
    }
    lines.push(match found.fault_count {
        0 => "nothing is broken".into(),
        n => format!("{n} broken, {} of {} rows can be used", found.questions, found.rows),
    });
    lines.join("\n")
}

/// `A 71, B 70`, or with a prefix `a question: 1 in 120, 2 in 4`.
fn tally<K: Display>(counts: &BTreeMap<K, usize>, prefix: &str) -> String {
    let between = if prefix.is_empty() { " " } else { " in " };
    let parts: Vec<String> = counts.iter().map(|(key, n)| format!("{key}{between}{n}")).collect();
    format!("{prefix}{}", parts.join(", "))
}
