//! What could not be run is counted by its cause, said first with what to do, and never taken for a block that stayed
//! closed; and `prism benchmark check --decode` calls broken the very files that a run leaves out.

#[path = "../../../tests/golden.rs"]
mod reference;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use prism_run::Outcome;
use prism_run::outcome::Cause;
use prism_run::records::{self, ExampleRow};
use prism_run::table::read_rows;
use reference::golden;
use serde_json::{Value, json};
use tempfile::TempDir;

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A folder with files, a benchmark on them, and runs.
struct Bench(TempDir);

impl Bench {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A question on each of the files, which lie here.
    fn questions(&self, files: &[&str]) {
        let line = |file: &&str| {
            json!({"id": file, "image": file, "question": "Which color?", "options": ["red", "blue"], "label": "B"}).to_string() + "\n"
        };
        fs::write(self.path("test.jsonl"), files.iter().map(line).collect::<String>()).unwrap();
    }

    fn prism(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_prism"));
        command.env("PRISM_CACHE", self.path("cache")).current_dir(self.0.path()).args(arguments);
        command.args(["--threads", "1"]).output().unwrap()
    }

    /// `verb` on the benchmark here, into the run folder of that name.
    fn run(&self, verb: &str, out: &str, more: &[&str]) -> Output {
        let base = here("../../assets/base-tiny").display().to_string();
        let shared = [verb, "--checkpoint", &base, "--benchmark", "test.jsonl", "--out", out, "--max-new-tokens", "4"];
        self.prism(&[&shared[..], more].concat())
    }

    fn examples(&self, run: &str) -> Vec<ExampleRow> {
        read_rows(&records::folder(&self.path(run)).join(records::files::EXAMPLES)).unwrap()
    }

    /// What a check of the benchmark here calls broken: the ids of its questions.
    fn broken(&self, benchmark: &str, options: &[&str], files: &[&str]) -> BTreeSet<String> {
        let output = self.prism(&[&["benchmark", "check", benchmark, "--json"][..], options].concat());
        let found: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", message(&output)));
        let faults = found["faults"].as_array().unwrap();
        assert_eq!(output.status.code(), Some(if faults.is_empty() { 0 } else { 3 }));
        let line = |fault: &Value| -> usize { fault["place"].as_str().unwrap().trim_start_matches("line ").parse().unwrap() };
        faults.iter().map(|fault| files[line(fault) - 1].to_string()).collect()
    }
}

fn message(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn drawn(width: u32, height: u32) -> image::RgbImage {
    image::RgbImage::from_fn(width, height, |x, y| image::Rgb([(x * 7) as u8, (y * 11) as u8, (x * y) as u8]))
}

fn encoded(width: u32, height: u32, format: image::ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    drawn(width, height).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn png() -> Vec<u8> {
    encoded(60, 40, image::ImageFormat::Png)
}

/// A PNG cut off in the middle of its pixels, as an interrupted download leaves it.
fn cut() -> Vec<u8> {
    let bytes = png();
    bytes[..bytes.len() * 2 / 3].to_vec()
}

/// That nothing in a run of which no example ran speaks of its latents or of an accuracy.
#[track_caller]
fn says_nothing_else(output: &Output) {
    let all = stdout(output) + &message(output);
    for words in ["never opened", "No latents ran", "n/a"] {
        assert!(!all.contains(words), "`{words}` in {all}");
    }
}

#[test]
fn a_run_whose_images_all_fail_says_so_first_and_ends_with_3() {
    let bench = Bench::new();
    let files = ["a.png", "b.png", "c.png", "d.png"];
    files.iter().for_each(|file| fs::write(bench.path(file), cut()).unwrap());
    bench.questions(&files);
    for (verb, more) in [("audit", &["--report"][..]), ("eval", &[])] {
        let output = bench.run(verb, verb, more);
        assert_eq!(output.status.code(), Some(3), "{verb}: {}{}", stdout(&output), message(&output));
        let said = stdout(&output);
        let first = said.lines().next().unwrap();
        assert!(first.starts_with("4 of 4 images could not be decoded: ") && first.contains("a.png: "), "{verb}: {said}");
        assert!(first.contains("(and 3 more)") && first.contains("convert it to PNG"), "{verb}: {said}");
        let told = message(&output);
        assert!(told.contains("warning: 4 of 4 images could not be decoded: ") && told.contains("--overwrite"), "{verb}: {told}");
        says_nothing_else(&output);

        // Rows, findings and manifest count the cause.
        let rows = bench.examples(verb);
        assert!(rows.iter().all(|row| (row.outcome, row.cause) == (Outcome::Error, Some(Cause::ImageUndecodable))), "{rows:?}");
        assert!(rows.iter().zip(files).all(|(row, file)| row.message.as_ref().unwrap().contains(file)), "{rows:?}");
        let findings = prism_audit::Findings::read(&bench.path(verb)).unwrap();
        let [failure] = findings.failures.as_slice() else { panic!("{:?}", findings.failures) };
        assert_eq!((failure.cause, failure.examples, failure.of, failure.id.as_str()), (Cause::ImageUndecodable, 4, 4, "a.png"));
        assert_eq!(first, failure.sentence);
        let manifest: Value = serde_json::from_slice(&fs::read(bench.path(verb).join("run.json")).unwrap()).unwrap();
        assert_eq!((&manifest["outcomes"]["error"], &manifest["causes"]), (&json!(4), &json!({"image_undecodable": 4})));

        // Every later look at the run says the same.
        let shown = bench.prism(&["show", verb]);
        let text = stdout(&shown).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains("4 of 4 images could not be decoded: ") && !text.contains("never opened"), "{text}");
        let json: Value = serde_json::from_slice(&bench.prism(&["show", verb, "--json"]).stdout).unwrap();
        assert_eq!(json["failures"][0]["sentence"], failure.sentence.as_str());
        let again = bench.run(verb, verb, &["--json"]);
        let json: Value = serde_json::from_slice(&again.stdout).unwrap();
        assert_eq!((again.status.code(), &json["failures"][0]["cause"]), (Some(3), &json!("image_undecodable")));
    }
    let page = fs::read_to_string(bench.path("audit/report.html")).unwrap();
    let head = page.split("<nav").next().unwrap();
    let verdict = head.split("<h1 class=\"verdict\">").nth(1).map(words).unwrap_or_default();
    assert!(verdict.starts_with("4 of 4 images could not be decoded: "), "{verdict}");
    assert!(!head.contains("never opened") && !head.contains("No latents ran"));

    // Mended, and given again as the message says, it runs.
    files.iter().for_each(|file| fs::write(bench.path(file), png()).unwrap());
    assert_eq!(bench.run("eval", "eval", &[]).status.code(), Some(3), "other images are another run");
    let output = bench.run("eval", "eval", &["--overwrite"]);
    assert_eq!(output.status.code(), Some(0), "{}", message(&output));
    assert!(!stdout(&output).contains("images could not be"), "{}", stdout(&output));
}

#[test]
fn shards_without_one_example_that_ran_end_with_3_and_so_does_their_run() {
    let bench = Bench::new();
    let files = ["a.png", "b.png", "c.png", "d.png"];
    files.iter().for_each(|file| fs::write(bench.path(file), cut()).unwrap());
    bench.questions(&files);
    for shard in ["1/2", "2/2"] {
        let output = bench.run("eval", "run", &["--shard", shard]);
        assert_eq!(output.status.code(), Some(3), "{}", message(&output));
        assert!(message(&output).contains("2 of 2 images could not be decoded"), "{}", message(&output));
    }
    let output = bench.prism(&["merge", "run"]);
    assert_eq!(output.status.code(), Some(3), "{}", message(&output));
    assert!(stdout(&output).starts_with("4 of 4 images could not be decoded: "), "{}", stdout(&output));
    says_nothing_else(&output);
}

#[test]
fn one_of_several_is_named_and_the_run_goes_on() {
    // A model that opens its block, on questions it was trained on.
    let bench = Bench::new();
    let data: Vec<Value> = serde_json::from_slice(&fs::read(golden().join("examples/data.json")).unwrap()).unwrap();
    let data: Vec<Value> = data.into_iter().take(6).collect();
    fs::write(bench.path("data.json"), serde_json::to_string(&data).unwrap()).unwrap();
    fs::create_dir(bench.path("images")).unwrap();
    for (number, record) in data.iter().enumerate() {
        let name = record["image"][0].as_str().unwrap();
        fs::copy(golden().join("examples").join(name), bench.path(name)).unwrap();
        if number == 2 {
            fs::write(bench.path(name), cut()).unwrap();
        }
    }
    let checkpoint = golden().join("checkpoints/lvr").display().to_string();
    let shared = ["--checkpoint", &checkpoint, "--benchmark", "data.json", "--max-new-tokens", "48", "--steps", "4"];
    for (verb, more) in [("audit", &["--interventions", "zero", "--report"][..]), ("eval", &[])] {
        let output = bench.prism(&[&[verb, "--out", verb][..], &shared[..], more].concat());
        assert_eq!(output.status.code(), Some(0), "{verb}: {}", message(&output));
        let said = stdout(&output);
        let first = said.lines().next().unwrap();
        assert!(first.starts_with("1 of 6 images could not be decoded: ") && first.contains("00002.png: "), "{verb}: {said}");
        assert!(!first.contains("more)") && said.lines().count() > 4, "the findings of the others follow: {said}");
        let rows = bench.examples(verb);
        let causes: Vec<Option<Cause>> = rows.iter().map(|row| row.cause).collect();
        assert_eq!(causes, [None, None, Some(Cause::ImageUndecodable), None, None, None], "{verb}");
    }
    let page = fs::read_to_string(bench.path("audit/report.html")).unwrap();
    let (first, all) = (words(page.split("<nav").next().unwrap()), words(&page));
    assert!(first.contains("Not every example was run."), "{first}");
    assert!(all.contains("Not every example was run. 1 of 6 images could not be decoded: "));
    assert!(page.contains("data-table=\"failures\""));
}

/// What a page says, without its marks.
fn words(html: &str) -> String {
    html.split('<').map(|piece| piece.split_once('>').map_or(piece, |(_, text)| text)).collect()
}

/// A chunk of a PNG file.
fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let body = [&kind[..], data].concat();
    let crc = !body.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 })
    });
    [&(data.len() as u32).to_be_bytes()[..], &body, &crc.to_be_bytes()].concat()
}

/// An animated PNG of two frames, both of them the still one's.
fn animated() -> Vec<u8> {
    let still = png();
    let header = &still[..33];
    let (mut at, mut pixels) = (33, Vec::new());
    while at < still.len() {
        let length = u32::from_be_bytes(still[at..at + 4].try_into().unwrap()) as usize;
        if &still[at + 4..at + 8] == b"IDAT" {
            pixels.extend_from_slice(&still[at + 8..at + 8 + length]);
        }
        at += 12 + length;
    }
    let frame = |number: u32| {
        let words = [number, 60, 40, 0, 0].map(u32::to_be_bytes).concat();
        chunk(b"fcTL", &[&words[..], &[0, 1, 0, 10, 0, 0]].concat())
    };
    let second = [&2u32.to_be_bytes()[..], &pixels].concat();
    let parts = [
        chunk(b"acTL", &[2u32, 0].map(u32::to_be_bytes).concat()),
        frame(0),
        chunk(b"IDAT", &pixels),
        frame(1),
        chunk(b"fdAT", &second),
        chunk(b"IEND", &[]),
    ];
    [header, &parts.concat()].concat()
}

/// A progressive JPEG whose last scan's header is repeated, without data: a small file that costs hundreds of passes.
fn endless() -> Vec<u8> {
    let bytes = fs::read(here("../prism-model/tests/fixtures/jpeg/420_progressive.jpg")).unwrap();
    let scan = bytes.windows(2).rposition(|pair| pair == [0xff, 0xda]).unwrap();
    let header = scan + 2 + usize::from(u16::from_be_bytes([bytes[scan + 2], bytes[scan + 3]]));
    let end = bytes.windows(2).rposition(|pair| pair == [0xff, 0xd9]).unwrap();
    [&bytes[..end], &bytes[scan..header].repeat(200), &bytes[end..]].concat()
}

/// Files of every kind that begin like an image.
fn zoo() -> Vec<(&'static str, Vec<u8>)> {
    let jpg = || encoded(60, 40, image::ImageFormat::Jpeg);
    let without = |bytes: Vec<u8>, last: usize| bytes[..bytes.len() - last].to_vec();
    let half = |bytes: Vec<u8>| bytes[..bytes.len() / 2].to_vec();
    let mut changed = png();
    let middle = changed.len() / 2;
    changed[middle] ^= 0x55;
    let mut all = vec![
        ("whole.png", png()),
        ("whole.jpg", jpg()),
        ("png_called.jpg", png()),
        ("jpeg_called.png", jpg()),
        ("animated.png", animated()),
        ("cut.png", cut()),
        ("cut_before_its_end.png", without(png(), 12)),
        ("head.png", png()[..20].to_vec()),
        ("changed.png", changed),
        ("cut.jpg", half(jpg())),
        ("cut_before_its_end.jpg", without(jpg(), 2)),
        ("head.jpg", jpg()[..20].to_vec()),
        ("endless.jpg", endless()),
        ("thin.png", encoded(1, 300, image::ImageFormat::Png)),
        ("long.png", encoded(33_000, 2, image::ImageFormat::Png)),
        ("long.jpg", encoded(33_000, 2, image::ImageFormat::Jpeg)),
    ];
    let fixture = |path: &str| fs::read(here("../prism-model/tests/fixtures").join(path)).unwrap();
    for name in ["grey16.png", "grey16_high.png", "grey_alpha.png", "palette.png", "palette_transparent.png", "rgba.png", "bilevel.png"] {
        all.push((name, fixture(&format!("preprocess/{name}"))));
    }
    let jpegs = ["cmyk.jpg", "ycck.jpg", "five_channels.jpg", "grey_progressive.jpg", "one_byte_wrong.jpg", "bytes_behind_the_end.jpg"];
    all.extend(jpegs.into_iter().map(|name| (name, fixture(&format!("jpeg/{name}")))));
    all
}

#[test]
fn a_check_and_a_run_agree_on_every_file() {
    let bench = Bench::new();
    let mut files = Vec::new();
    for (name, bytes) in zoo() {
        fs::write(bench.path(name), bytes).unwrap();
        files.push(name);
    }
    bench.questions(&files);
    let checked = bench.broken("test.jsonl", &["--decode"], &files);
    let header = bench.broken("test.jsonl", &[], &files);
    let output = bench.run("eval", "run", &["--min-pixels", "3136", "--max-pixels", "12544"]);
    assert_eq!(output.status.code(), Some(0), "{}", message(&output));
    let rows = bench.examples("run");
    assert_eq!(rows.len(), files.len());
    let left_out: BTreeSet<String> = rows.iter().filter(|row| row.outcome == Outcome::Error).map(|row| row.id.clone()).collect();
    assert_eq!(checked, left_out, "what the check calls broken, and what the run left out");
    assert!(header.is_subset(&left_out), "the header alone refuses what a run takes: {header:?}");

    // The zoo has both kinds, and the causes are told apart.
    for name in ["whole.png", "whole.jpg", "png_called.jpg", "jpeg_called.png", "animated.png", "grey16.png", "palette.png", "cmyk.jpg"] {
        assert!(!left_out.contains(name), "{name}");
    }
    for (name, cause) in [
        ("cut.png", Cause::ImageUndecodable),
        ("cut.jpg", Cause::ImageUndecodable),
        ("cut_before_its_end.jpg", Cause::ImageUndecodable),
        ("endless.jpg", Cause::ImageUndecodable),
        ("five_channels.jpg", Cause::ImageUndecodable),
        ("thin.png", Cause::ImageShape),
        ("long.png", Cause::ImageTooLarge),
        ("long.jpg", Cause::ImageTooLarge),
    ] {
        assert_eq!(rows.iter().find(|row| row.id == name).unwrap().cause, Some(cause), "{name}");
    }
    let counted = prism_audit::Findings::read(&bench.path("run")).unwrap().failures;
    assert_eq!(counted.iter().map(|failure| failure.examples).sum::<usize>(), left_out.len());
    assert!(counted.len() >= 3 && counted.windows(2).all(|pair| pair[0].examples >= pair[1].examples), "{counted:?}");
}

#[test]
fn what_does_not_begin_like_an_image_is_refused_by_both() {
    let bench = Bench::new();
    let files = ["empty.png", "text.png", "photograph.png", "page.jpg"];
    let contents: [&[u8]; 4] = [b"", b"hello", b"\0\0\0\x1cftypavif", b"<html></html>"];
    for (name, bytes) in files.iter().zip(contents) {
        fs::write(bench.path(name), bytes).unwrap();
    }
    bench.questions(&files);
    assert_eq!(bench.broken("test.jsonl", &["--decode"], &files).len(), files.len());
    for name in files {
        bench.questions(&[name]);
        let output = bench.run("eval", "run", &[]);
        assert_eq!(output.status.code(), Some(3), "{name}: {}", message(&output));
        assert!(message(&output).contains(name) && !bench.path("run").exists(), "{name}: {}", message(&output));
    }
}

#[test]
fn images_inside_a_table_are_checked_as_they_are_run() {
    let bench = Bench::new();
    let benchmark = here("../prism-data/tests/fixtures/benchmarks/broken/cut_image.parquet").display().to_string();
    let output = bench.prism(&["benchmark", "check", &benchmark, "--decode", "--json"]);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &found["fault_count"], &found["faults"][0]["place"]), (Some(3), &json!(1), &json!("row 1")));
    let base = here("../../assets/base-tiny").display().to_string();
    let output = bench.prism(&["eval", "--checkpoint", &base, "--benchmark", &benchmark, "--out", "run", "--max-new-tokens", "4"]);
    assert_eq!(output.status.code(), Some(0), "{}", message(&output));
    let causes: Vec<Option<Cause>> = bench.examples("run").iter().map(|row| row.cause).collect();
    assert_eq!(causes, [None, Some(Cause::ImageUndecodable)]);
}
