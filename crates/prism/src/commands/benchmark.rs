//! `prism benchmark`: what lies in a benchmark's files.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;

use prism_audit::text;
use prism_data::{Benchmark, Images, Inventory, Picture, Remark, Unusable};
use prism_model::preprocess::{Fetch, ImageFault, Orientation, PixelConfig, Preprocessor, decode};
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

/// What a run would say of an image before it decodes it: size, shape and orientation, from the header.
fn header(picture: Picture<'_>) -> Result<Vec<Remark>, Unusable> {
    let (path, size, orientation) = match picture {
        Picture::File(path) => (path, decode::dimensions(path), Orientation::of_file(path)),
        Picture::Bytes(bytes, path) => (path, decode::dimensions_in(bytes, path), Ok(Orientation::of(bytes))),
    };
    size.and_then(|(width, height)| remarks(path, height, width, orientation?)).map_err(unusable)
}

/// What a run says of an image: every pixel decoded by its own decoder, and the shape it resizes.
fn whole(picture: Picture<'_>) -> Result<Vec<Remark>, Unusable> {
    let (path, read);
    let bytes = match picture {
        Picture::File(file) => {
            path = file;
            read = decode::read(file).map_err(unusable)?;
            read.as_slice()
        }
        Picture::Bytes(bytes, place) => {
            path = place;
            bytes
        }
    };
    let image = decode::bytes_to_rgb(bytes, path).map_err(unusable)?;
    remarks(path, image.height(), image.width(), Orientation::of(bytes)).map_err(unusable)
}

/// What a user should know of an image of that size that a run can resize; the published limits of pixels stand for a
/// checkpoint's.
fn remarks(path: &Path, height: usize, width: usize, orientation: Orientation) -> decode::Result<Vec<Remark>> {
    let preprocessor = Preprocessor::new(PixelConfig::default());
    let grid = preprocessor.grid(height, width).map_err(|said| ImageFault::of_shape(path, said))?;
    let mut remarks = Vec::new();
    if !orientation.is_upright() {
        remarks.push(Remark { what: TURNED, said: format!("orientation {}", orientation.in_words()) });
    }
    let patch = preprocessor.config.patch_size;
    let (processed, fetched) = ((grid.h * patch, grid.w * patch), Fetch::default().size(height, width));
    if height.min(width) < Fetch::default().factor && fetched.as_ref() != Ok(&processed) {
        let sides = |(height, width): (usize, usize)| format!("{width} x {height}");
        let fetched = fetched.map_or_else(|_| "refuses it".into(), |size| format!("makes it {}", sides(size)));
        let said = format!("{width} x {height}: the processor makes it {}, qwen_vl_utils {fetched}", sides(processed));
        remarks.push(Remark { what: NARROW, said });
    }
    Ok(remarks)
}

/// What is remarked of images that say how they are to be turned.
const TURNED: &str = "say by EXIF how they are to be turned, and are read as they are stored, as Pillow and transformers read them; \
                      --exif apply turns them";
/// What is remarked of images whose size depends on who chooses it.
const NARROW: &str = "have a side under a token's 28 pixels, which the image processor and qwen_vl_utils resize to different sizes; \
                      --resize names whose is taken";

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
    for remark in &found.remarks {
        lines.push(format!("note: {} images {}; the first: {}", remark.images, remark.what, shown(&remark.first)));
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
