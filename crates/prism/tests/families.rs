//! Every mechanism on every family: a tiny random model is trained, audited under every action and view,
//! evaluated, traced and inspected. Nothing here names a family.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use prism_model::families::{FAMILIES, Family};
use prism_model::prompt::Prompter;
use prism_model::tensor::{self, DType, Device, Trainable};
use prism_model::tokenizer::files;
use prism_model::{Config, Model};
use prism_record::record::Records;
use prism_run::intervention::{Action, View};
use prism_run::random::Stream;
use prism_run::records::{self, AnswerRow};
use prism_run::{Intervention, Outcome};
use serde_json::{Value, json};

/// Every action, some of them cut to steps and layers, and every view of the image.
const INTERVENTIONS: &str = "sham,sham-kv,zero,remove,evict,markers,format,noise:0.3,relative:0.5,norm-matched,mean,constant,draw,first,\
reversed,shuffled,swap,swap:other-answer,swap-kv,mix:0.5,oracle,oracle-other,forced:2,zero/step=1,zero/layer=1,clean@image-hidden,\
oracle@image-hidden,clean@image-none,clean@image-grey,clean@image-other,clean@image-shuffled,zero@image-shuffled";
const STEPS: &str = "3";

fn prism(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prism"));
    command.env("PRISM_CACHE", folder.join("cache")).current_dir(folder).args(arguments).output().unwrap()
}

/// What a command printed that has to succeed.
fn printed(folder: &Path, arguments: &[&str]) -> String {
    let output = prism(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn json_of(folder: &Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&printed(folder, &[arguments, &["--json"]].concat())).unwrap()
}

/// A random model of the family with the generated world's tokenizer, in `folder`.
fn base(family: &Family, folder: &Path) {
    let world = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/base-tiny");
    fs::create_dir(folder).unwrap();
    files::copy(&world, folder).unwrap();
    let tokens = Config::open(&world).unwrap();
    let keys = ["image", "video", "vision_start", "vision_end", "eos", "bos", "pad"].map(|key| format!("{key}_token_id"));
    let ids = keys.into_iter().map(|key| (key.clone(), tokens.key(&key).unwrap().clone()));
    let sizes = [("vocab_size", json!(tokens.text.vocab_size)), ("initializer_range", json!(0.1)), ("tie_word_embeddings", json!(false))];
    let config = Config::tiny_of(family).with(ids.chain(sizes.map(|(key, value)| (key.to_owned(), value)))).unwrap();
    let mut raw = config.to_value();
    raw["vision_config"]["initializer_range"] = json!(0.2);
    let config = Config::from_value(raw, Path::new("config.json")).unwrap();
    let path = folder.join("preprocessor_config.json");
    let mut pixels: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    pixels["patch_size"] = json!(config.vision.patch_size);
    fs::write(&path, pixels.to_string()).unwrap();
    Model::random(config, 7, &Device::Cpu, Trainable::No).unwrap().save(folder).unwrap();
}

/// Makes the checkpoint open a block and then answer with some letter: the output row of each token of that
/// course looks for the embedding of the token before it, and the letters' rows for something of their own too.
/// The layers add little to it, so the latents are still near the start token's.
fn outspoken(checkpoint: &Path, into: &Path) {
    let model = Model::open(checkpoint, &Device::Cpu, DType::F32, Trainable::All).unwrap();
    let prompter = Prompter::from_dir(checkpoint).unwrap();
    let latent = prompter.latent().unwrap();
    let spelled = |letter: char| prompter.tokenizer().encode(&format!("<answer> {letter}")).unwrap();
    let letters = ['A', 'B'].map(|letter| *spelled(letter).last().unwrap());
    let asked = *prompter.question("Which?", &[]).unwrap().ids.last().unwrap();
    let mut opening = spelled('A');
    opening.pop();
    // What follows what.
    let mut course = vec![(asked, latent.block.start), (latent.block.start, opening[0])];
    course.extend(opening.windows(2).map(|pair| (pair[0], pair[1])));
    course.extend(letters.map(|letter| (*opening.last().unwrap(), letter)));
    course.extend(letters.map(|letter| (letter, prompter.turn_end())));

    let width = model.config.text.hidden_size;
    let of = |token: u32| token as usize * width..(token as usize + 1) * width;
    let variable = |name: &str| model.parameters().into_iter().find(|(known, _)| known == name).unwrap().1;
    let mut stream = Stream::new(3, "outspoken", &[]);
    let mut embeddings = Vec::new();
    tensor::update(&variable("model.language_model.embed_tokens.weight"), |values| {
        for (before, _) in &course {
            values[of(*before)].iter_mut().for_each(|v| *v = 4.0 * stream.normal() as f32);
        }
        embeddings = values.to_vec();
    })
    .unwrap();
    tensor::update(&variable("lm_head.weight"), |values| {
        values.fill(0.0);
        for (before, after) in &course {
            values[of(*after)].iter_mut().zip(&embeddings[of(*before)]).for_each(|(v, e)| *v += e / 8.0);
        }
        for letter in letters {
            values[of(letter)].iter_mut().for_each(|v| *v += 0.4 * stream.normal() as f32);
        }
    })
    .unwrap();
    fs::create_dir(into).unwrap();
    files::copy(checkpoint, into).unwrap();
    model.save(into).unwrap();
}

fn answers(run: &Path) -> Records<AnswerRow> {
    Records::read(&records::folder(run)).unwrap()
}

#[test]
fn the_list_has_every_action_and_every_view() {
    let list: Vec<Intervention> = INTERVENTIONS.split(',').map(|text| text.parse().unwrap()).collect();
    for name in Action::NAMES {
        assert!(list.iter().any(|intervention| intervention.kind() == name), "{name}");
    }
    for view in View::ALL {
        assert!(list.iter().any(|intervention| intervention.view == view), "{view}");
    }
}

#[test]
fn every_family_trains_and_is_audited() {
    for family in FAMILIES {
        every_mechanism(family);
    }
}

fn every_mechanism(family: &'static Family) {
    let name = family.model_type;
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let world =
        "image_side = 112\nobjects = 4\nsize_min = 18\nsize_max = 28\ntrain_images = 6\ntrain_questions = 12\ntest_questions = 12\n";
    fs::write(here.join("world.toml"), world).unwrap();
    printed(here, &["world", "--out", "world", "--config", "world.toml"]);
    base(family, &here.join("base"));

    // Two steps each: a teacher's latents with a tower that learns and with one that does not, and latents of its own.
    let mut first_losses = Vec::new();
    for (variant, vision) in [("lvr", "trained"), ("lvr", "frozen"), ("bottleneck", "frozen")] {
        let budget = "packs_per_step = 2\nsamples_per_pack = 3\nlearning_rate = 1e-3\nmin_pixels = 784\nmax_pixels = 12544\n";
        fs::write(here.join("train.toml"), format!("steps = 2\nvision = \"{vision}\"\n{budget}")).unwrap();
        let run = format!("{variant}-{vision}");
        let data = ["--base", "base", "--data", "world/meta.json", "--config", "train.toml"];
        printed(here, &[&["train", "--variant", variant, "--out", &run], &data[..]].concat());
        let open = |folder: &Path| Model::open(folder, &Device::Cpu, DType::F32, Trainable::No).unwrap();
        let (before, trained) = (open(&here.join("base")), open(&here.join(&run).join("checkpoint-2")));
        for (old, new) in before.weights().iter().zip(trained.weights()) {
            let learns = vision == "trained" || !old.name.starts_with("model.visual.");
            let same = tensor::values(&old.tensor).unwrap() == tensor::values(&new.tensor).unwrap();
            assert!(same != learns, "{name}, {run}: {} is {}", old.name, if same { "as before" } else { "another" });
        }
        let log = fs::read_to_string(here.join(&run).join("log.jsonl")).unwrap();
        let first: Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
        first_losses.push(["ce", "latent"].map(|term| first[term].as_f64()));
    }
    // Features of all images at once, and those of single images that were kept and joined: the same loss.
    for (together, joined) in first_losses[0].iter().zip(&first_losses[1]) {
        let (together, joined) = (together.unwrap(), joined.unwrap());
        assert!((together / joined - 1.0).abs() < 1e-5, "{name}: {together} and {joined}");
    }
    outspoken(&here.join("lvr-trained/checkpoint-2"), &here.join("model"));

    let inspected = json_of(here, &["inspect", "model"]);
    assert_eq!((&inspected["family"], &inspected["faults"]), (&json!(name), &json!([])), "{inspected}");
    printed(here, &["doctor", "model"]);

    let run = ["--checkpoint", "model", "--benchmark", "world/test.jsonl", "--steps", STEPS, "--max-new-tokens", "16"];
    printed(here, &[&["eval", "--out", "eval"], &run[..]].concat());
    let more = ["--interventions", INTERVENTIONS, "--layers", "--report", "--out", "audit"];
    let output = prism(here, &[&["audit"], &run[..], &more[..]].concat());
    assert!(matches!(output.status.code(), Some(0 | 4)), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    for table in ["conclusion", "visibility", "alignment", "probe", "lens", "attention", "geometry", "retrieval", "steps"] {
        assert!(here.join(format!("audit/findings/{table}.parquet")).exists(), "{name}: no {table}");
    }
    let (audited, evaluated) = (answers(&here.join("audit")), answers(&here.join("eval")));
    assert!(!audited.lens.is_empty() && !audited.maps.is_empty() && !audited.attention.is_empty(), "{name}");
    check(name, &audited, &evaluated);

    let traced =
        printed(here, &["trace", "--checkpoint", "model", "--examples", "world/test.jsonl", "--rows", "0-1", "--steps", STEPS, "--json"]);
    assert_eq!(traced.lines().count(), 2, "{name}: {traced}");
    let forced = ["trace", "--checkpoint", "model", "--examples", "world/meta.json", "--rows", "0-1", "--teacher-forced", "--gradients"];
    let forced = json_of(here, &forced);
    for (parameter, norm) in forced["grad_norm"].as_object().unwrap() {
        assert!(norm.as_f64().is_some_and(|norm| norm > 0.0 && norm.is_finite()), "{name}: {parameter} {norm}");
    }
    let paths: PathBuf = here.join("paths");
    let pair =
        ["paths", "--base", "base", "--variant", "model", "--benchmark", "world/test.jsonl", "--limit", "4", "--max-new-tokens", "16"];
    printed(here, &[&pair[..], &["--steps", STEPS, "--out", "paths"]].concat());
    assert!(paths.join("findings/paths.parquet").exists(), "{name}");
}

/// What every family's records must say.
fn check(name: &str, audited: &Records<AnswerRow>, evaluated: &Records<AnswerRow>) {
    assert_eq!(audited.examples.len(), 12, "{name}");
    assert!(audited.examples.iter().all(|example| example.outcome != Outcome::Error && example.visual_tokens > 0), "{name}");
    let under = |text: &str| -> Vec<&AnswerRow> {
        let intervention: Intervention = text.parse().unwrap();
        audited.answers.iter().filter(|answer| answer.intervention == intervention).collect()
    };
    let clean = under("clean");
    for answer in &clean {
        let said = (answer.steps_target.to_string(), answer.answer.is_some());
        assert_eq!(said, (STEPS.to_owned(), true), "{name}, {}: {}", answer.id, answer.text);
    }
    for (ours, theirs) in clean.iter().zip(&evaluated.answers) {
        assert_eq!(ours.generated, theirs.generated, "{name}: eval is the audit's clean run");
    }
    for text in INTERVENTIONS.split(',') {
        let answers = under(text);
        assert!(!answers.is_empty() && answers.iter().all(|answer| answer.outcome != Outcome::Error), "{name}: {text}");
        let changed = answers.iter().filter(|answer| answer.gold_margin != clean[answer.row].gold_margin).count();
        match text.starts_with("sham") {
            true => assert_eq!(changed, 0, "{name}: {text}"),
            // A text without a block is read behind other positions: every number of the answer moves.
            false => assert!(changed > 0, "{name}: {text} changed nothing"),
        }
    }
}
