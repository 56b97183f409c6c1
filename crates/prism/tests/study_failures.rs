//! A study of which every example failed: all that is said of it, in every place, is what failed and what to do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// A world of few questions, and arms that train for a moment.
const WORLD: &str = "seed = 1\nimage_side = 112\nobjects = 4\nsize_min = 18\nsize_max = 28\ntrain_images = 30\ntrain_questions = 60\n\
    test_questions = 8\n";

fn recipe() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    format!(
        "name = \"blind\"\nseed = 42\nseeds = 1\nbase = {:?}\nbase_recipe = {:?}\nvariants = [\"lvr\", \"n-lvr\"]\n[world]\n{WORLD}\
         [train]\nsteps = 2\npacks_per_step = 1\nsamples_per_pack = 2\nlearning_rate = 5e-4\ncheckpoint_every = 2\nkeep = 1\n\
         min_pixels = 784\nmax_pixels = 12544\n[audit]\nsteps = 2\nmax_new_tokens = 24\n\
         interventions = [\"sham\", \"remove\", \"zero\", \"swap\"]\npool = 8\nalignment = 8\n[analysis]\nreplicates = 200\n",
        root.join("assets/base-tiny"),
        root.join("recipes/base-tiny.toml"),
    )
}

fn prism(room: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prism"));
    command.env("COLUMNS", "100").current_dir(room).args(arguments).args(["--threads", "1"]).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What was printed without its line breaks.
fn flowing(output: &Output) -> String {
    out(output).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}{}", out(output), err(output)))
}

const FAILED: &str = "8 of 8 images could not be decoded: ";
const BOTH: &str = "In both runs not one example could be run. 8 of 8 images could not be decoded: ";

/// That nothing speaks of latents or of an accuracy.
#[track_caller]
fn says_nothing_else(said: &str) {
    for words in ["never opened", "atents ran", "nothing was tested", "n/a", "Table 1", "Table 2", "correlations"] {
        assert!(!said.contains(words), "`{words}` in {said}");
    }
}

/// That failures are told of both runs.
#[track_caller]
fn of_both(told: &Value) {
    let failures = told["failures"].as_array().unwrap();
    let runs: Vec<&str> = failures.iter().map(|failure| failure["run"].as_str().unwrap()).collect();
    assert!(runs.len() == 2 && runs[0].ends_with("seed-42/lvr/audit") && runs[1].ends_with("seed-42/n-lvr/audit"), "{runs:?}");
    for failure in failures {
        assert_eq!((&failure["cause"], &failure["examples"], &failure["of"]), (&"image_undecodable".into(), &8.into(), &8.into()));
        assert!(failure["sentence"].as_str().unwrap().starts_with(FAILED), "{failure}");
    }
}

/// The test images of the study's world, each with what `change` makes of its bytes.
fn images(room: &Path, change: impl Fn(&Path, Vec<u8>) -> Vec<u8>) {
    for entry in fs::read_dir(room.join("study/world/images/test")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = change(&path, fs::read(&path).unwrap());
        fs::write(&path, bytes).unwrap();
    }
}

#[test]
fn a_study_whose_every_example_failed_says_so_everywhere_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let room: PathBuf = folder.path().canonicalize().unwrap();
    fs::write(room.join("world.toml"), WORLD).unwrap();
    fs::write(room.join("study.toml"), recipe()).unwrap();
    assert!(prism(&room, &["world", "--quiet", "--config", "world.toml", "--out", "study/world"]).status.success());
    let kept = room.join("kept");
    fs::create_dir(&kept).unwrap();
    images(&room, |path, bytes| {
        fs::write(kept.join(path.file_name().unwrap()), &bytes).unwrap();
        bytes[..bytes.len() / 2].to_vec()
    });

    let study = ["study", "study.toml", "--out", "study"];
    let output = prism(&room, &study);
    assert_eq!(output.status.code(), Some(3), "{}", err(&output));
    assert!(flowing(&output).contains(BOTH), "{}", out(&output));
    says_nothing_else(&out(&output));
    let told = err(&output);
    // Once, though both arms failed alike, and with the remedy of this command.
    assert_eq!(told.matches(&format!("warning: {FAILED}")).count(), 1, "{told}");
    assert!(told.contains("Not one example was run. Once that is mended, give the same command again."), "{told}");
    let output = prism(&room, &[&study[..], &["--json"]].concat());
    assert_eq!(output.status.code(), Some(3), "{}", err(&output));
    let told = json(&output);
    assert!(told["verdict"].as_str().unwrap().starts_with(BOTH), "{told}");
    of_both(&told);

    let shown = prism(&room, &["show", "study"]);
    assert_eq!(shown.status.code(), Some(0));
    assert!(flowing(&shown).contains(FAILED) && flowing(&shown).contains("Training: 2 steps logged"), "{}", out(&shown));
    says_nothing_else(&out(&shown));
    of_both(&json(&prism(&room, &["show", "study", "--json"])));

    let runs = ["study/seed-42/lvr/audit", "study/seed-42/n-lvr/audit"];
    let compared = prism(&room, &[&["compare"], &runs[..]].concat());
    assert_eq!(compared.status.code(), Some(0), "{}", err(&compared));
    assert!(flowing(&compared).contains(BOTH), "{}", out(&compared));
    says_nothing_else(&out(&compared));
    of_both(&json(&prism(&room, &[&["compare", "--json"], &runs[..]].concat())));
    let curve = prism(&room, &[&["curve"], &runs[..]].concat());
    assert!(flowing(&curve).matches(FAILED).count() == 2 && !out(&curve).contains("atents ran"), "{}", out(&curve));

    let reported = prism(&room, &["report", "study", "--out", "page.html"]);
    assert!(reported.status.success() && flowing(&reported).starts_with(BOTH), "{}", out(&reported));
    let page = fs::read_to_string(room.join("page.html")).unwrap();
    // What the first screen says, without its marks.
    let first = page.split("<main").nth(1).unwrap().split("<nav").next().unwrap();
    let first: String = first.split('<').map(|piece| piece.split_once('>').map_or(piece, |(_, text)| text)).collect();
    assert!(first.contains(FAILED), "{first}");
    for table in ["table-1", "conclusions", "corruption", "correlations", "probes"] {
        assert!(!page.contains(&format!("data-table=\"{table}\"")), "{table}");
    }
    assert!(page.contains("data-table=\"failures\""));
    let reported = json(&prism(&room, &["report", "study", "--out", "page.html", "--json"]));
    assert!(reported["verdict"].as_str().unwrap().starts_with(BOTH), "{reported}");

    // Mended, and given again as the message says, it runs.
    images(&room, |path, _| fs::read(kept.join(path.file_name().unwrap())).unwrap());
    let output = prism(&room, &study);
    assert!(matches!(output.status.code(), Some(0 | 4)), "{}", err(&output));
    assert!(!(out(&output) + &err(&output)).contains("could not be"), "{}{}", out(&output), err(&output));
    assert!(out(&output).contains("Table 1"), "{}", out(&output));
}
