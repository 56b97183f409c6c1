//! A tiny run as an honest audit leaves it: four examples in two shards, joined, with findings.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use prism_audit::AuditSettings;
use prism_record::record::parts;
use prism_record::record::rows::Records;
use prism_run::records::{self, AlignmentRow, AnswerRow, AttentionRow, ExampleRow, LatentRow, LensRow, MapRow, digests};
use prism_run::{Action, Donor, Intervention, Mode, NotedAt, Outcome, Stage};

use super::super::Folder;

/// Examples.
const EXAMPLES: usize = 4;
/// The shards' folders below the run's.
pub const SHARDS: [&str; 2] = ["shard-1-of-2", "shard-2-of-2"];

/// Every file of the run by its name below it; made once a process.
pub fn files() -> &'static BTreeMap<String, Vec<u8>> {
    static FILES: OnceLock<BTreeMap<String, Vec<u8>>> = OnceLock::new();
    FILES.get_or_init(|| {
        let folder = Folder::new("honest");
        make(&folder.path().join("run"));
        let mut files = BTreeMap::new();
        gather(&folder.path().join("run"), "", &mut files);
        files
    })
}

/// The analysis: as short as it may be.
pub fn settings() -> AuditSettings {
    AuditSettings {
        replicates: 100,
        repeats: 1,
        control_draws: 2,
        c_grid: vec![0.1, 1.0],
        folds: 2,
        inner_folds: 2,
        max_iterations: 50,
        ..AuditSettings::default()
    }
}

fn make(run: &Path) {
    let shards = SHARDS.map(|shard| run.join(shard));
    for (number, shard) in shards.iter().enumerate() {
        let records = records::folder(shard);
        fs::create_dir_all(&records).expect("a temporary folder");
        rows(number).write(&records).expect("room for records");
        fs::write(records.join("whole.json"), "the plan").expect("room for a plan");
        digests::write(&records).expect("room for digests");
        manifest(shard, &format!("{}/2", number + 1));
    }
    parts::join(run, &shards).expect("shards of one run");
    manifest(run, "all");
    prism_audit::audit_run(run, &settings()).expect("findings of honest records");
    fs::write(run.join("report.html"), "<!doctype html><html><script>1</script></html>").expect("room for a page");
    fs::write(run.join("picture.png"), super::super::PIXEL).expect("room for a picture");
}

fn manifest(run: &Path, shard: &str) {
    let whole = serde_json::json!({
        "schema": 1, "kind": "audit", "version": "0", "variant": "lvr", "name": "LVR", "seed": 42, "benchmark": "test",
        "command": ["prism", "audit"], "commit": "0", "host": "here", "device": "cpu", "dtype": "f32", "threads": 1,
        "inputs": {"benchmark": "00"}, "outcomes": {"scored": EXAMPLES}, "settings": {"steps": 2, "shard": shard, "analysis": settings()},
        "started": "2000-01-01T00:00:00Z", "ended": "2000-01-01T00:00:01Z"
    });
    fs::write(run.join("run.json"), whole.to_string()).expect("room for a manifest");
}

fn gather(folder: &Path, below: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = format!("{below}{}", path.file_name().unwrap_or_default().to_string_lossy());
        if path.is_dir() {
            gather(&path, &format!("{name}/"), files);
        } else {
            files.insert(name, fs::read(&path).expect("a file"));
        }
    }
}

/// The records of every second example.
fn rows(shard: usize) -> Records {
    let mut all = Records::default();
    for row in (shard..EXAMPLES).step_by(2) {
        all.examples.push(example(row));
        for intervention in [Action::Clean, Action::Zero, Action::Remove, Action::Swap(Donor::OtherAnswer), Action::Swap(Donor::Itself)] {
            let intervention = Intervention::from(intervention);
            all.answers.push(answer(row, intervention));
            all.steps.extend((0..latents(intervention)).map(|step| latent(row, intervention, step)));
        }
        for (place, step) in [(NotedAt::Target, Some(0)), (NotedAt::Target, Some(1)), (NotedAt::Answer, None)] {
            all.attention.push(attention(row, place, step));
            all.maps.push(map(row, place, step));
        }
        all.lens.push(LensRow {
            row,
            stage: Stage::Target,
            step: 0,
            layer: 1,
            token: " red".into(),
            probability: 0.5,
            entropy: 1.0,
            gold: Some(0.25),
        });
        all.alignment.extend([Mode::TeacherForced, Mode::FreeRunning].map(|mode| AlignmentRow {
            row,
            mode,
            stage: Stage::Target,
            region: 0,
            step: 0,
            cosine: 0.5,
            mse: 0.1,
            l2: 1.0,
            latent_norm: 2.0,
            target_norm: 2.0,
        }));
        for name in ["answer_state", "latent_last", "question_mean", "fed.target.0", "teacher.target.0"] {
            all.push_vector(name, row, &[row as f32, 0.5, -1.0]);
        }
    }
    all
}

fn example(row: usize) -> ExampleRow {
    ExampleRow {
        row,
        id: format!("e{row}"),
        question_id: row.to_string(),
        category: Some(["colour", "shape"][row / 2].into()),
        pair: Some(format!("p{}", row / 2)),
        counterfactual: Some(format!("e{}", row ^ 1)),
        prompt: "Which is it?\n(A) red\n(B) blue".into(),
        options: vec!["red".into(), "blue".into()],
        label: letter(row).into(),
        image: "picture.png".into(),
        images: 1,
        boxes: "[[0.1,0.1,0.6,0.6]]".into(),
        prompt_tokens: 12,
        visual_tokens: 4,
        outcome: Outcome::Scored,
        cause: None,
        message: None,
    }
}

fn letter(row: usize) -> &'static str {
    ["A", "B"][row % 2]
}

/// Latent steps of a branch.
fn latents(intervention: Intervention) -> usize {
    if intervention.action.skips_block() { 0 } else { 2 }
}

fn answer(row: usize, intervention: Intervention) -> AnswerRow {
    let clean = intervention.is_clean();
    let moved = !clean && !intervention.is_sham() && row == 0;
    let answered = letter(row + usize::from(moved));
    AnswerRow {
        row,
        id: format!("e{row}"),
        intervention,
        donor: intervention.action.donor().map(|_| row ^ 1),
        outcome: Outcome::Scored,
        answer: Some(answered.into()),
        correct: Some(!moved),
        text: format!("<|lvr_start|><|lvr_end|><answer> {answered} </answer>"),
        generated: vec![1, 2, 3],
        changed: (!clean).then_some(moved),
        steps_context: 0,
        steps_target: latents(intervention),
        gold_margin: Some(if moved { -1.0 } else { 1.0 }),
        gold_logprob: Some(-0.5),
        answer_entropy: Some(0.5),
        latent_norm: Some(2.0),
        perturbation_norm: (!clean).then_some(1.0),
        strength: (!clean).then_some(2.0),
        option_logprobs: Some(vec![-0.5, -1.5]),
        donor_label: None,
        donor_margin: None,
    }
}

fn latent(row: usize, intervention: Intervention, step: usize) -> LatentRow {
    LatentRow {
        row,
        intervention,
        stage: Stage::Target,
        step,
        norm: 2.0,
        clean_cosine: (!intervention.is_clean()).then_some(0.5),
        previous_cosine: (step > 0).then_some(0.9),
        end_cosine: Some(0.1),
        lens_token: intervention.is_clean().then(|| " red".into()),
        lens_probability: intervention.is_clean().then_some(0.5),
        lens_entropy: intervention.is_clean().then_some(1.0),
        lens_gold: intervention.is_clean().then_some(0.25),
    }
}

fn attention(row: usize, place: NotedAt, step: Option<usize>) -> AttentionRow {
    AttentionRow {
        row,
        place,
        step,
        layer: 0,
        image: 0.4,
        region: Some(0.2),
        region_share: Some(0.25),
        text: 0.3,
        latents: 0.2,
        generated: 0.1,
        image_entropy: Some(1.0),
        latent_entropy: Some(0.5),
    }
}

fn map(row: usize, place: NotedAt, step: Option<usize>) -> MapRow {
    let cells = vec![0.1, 0.2, 0.3, 0.4];
    let cosine = place.stage().map(|_| cells.clone());
    MapRow { row, place, step, image: 0, height: 2, width: 2, cosine, attention: Some(cells) }
}
