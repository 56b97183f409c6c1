//! A study that never ran: five variants, made-up answers, drawn images. Every
//! name says so, and the numbers come from a keyed stream, so the page built
//! from it is the same everywhere.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use prism_audit::clusters::Clusters;
use prism_audit::findings::*;
use prism_audit::{AuditSettings, Findings};
use prism_run::manifest::{Manifest, SCHEMA};
use prism_run::random::Stream;
use prism_run::records::{self, AnswerRow, ExampleRow, files};
use prism_run::table::write_rows;
use prism_run::{Action, Class, Donor, Intervention, Mode, Outcome, Stage, StageSteps, StepBudget, Steps, TrainedLengths, folder};

/// Questions of the made-up benchmark.
pub const EXAMPLES: usize = 40;
/// A question that would run as script on a careless page.
pub const HOSTILE: &str = "</script><script>alert(1)</script><img src=x onerror=alert(2)> Which \"colour\" & 'shape'?";

/// What a variant is made to look like: id, name, cosine, share right, (a), (b).
const VARIANTS: [(&str, &str, f64, f64, f64, f64); 5] = [
    ("lvr", "LVR", 0.555, 0.80, 0.69, 0.33),
    ("n-lvr", "N-LVR", 0.568, 0.84, 0.66, 0.42),
    ("d-lvr", "D-LVR", 0.464, 0.76, 0.65, 0.33),
    ("p-lvr-2", "P-LVR-2", 0.777, 0.62, 0.50, 0.36),
    ("p-lvr-3", "P-LVR-3", 0.762, 0.58, 0.49, 0.35),
];

/// How the study should look.
#[derive(Clone, Copy)]
pub struct Shape {
    /// Seeds a variant.
    pub seeds: usize,
    /// Whether the last variant never opens its block.
    pub silent: bool,
}

/// How the made-up models answer, and how many questions.
#[derive(Clone, Copy)]
pub struct Manner {
    /// Questions of the benchmark.
    pub examples: usize,
    /// Share of the answers that another content in the block moves.
    pub exchange: f64,
    /// Share of the right answers that leaving the block out moves.
    pub without: f64,
    /// Latent steps of a block, and the lengths of training: the lowest and the highest of nine blocks in ten.
    pub steps: Option<(usize, [usize; 2])>,
}

/// The manner of a study of which nothing else is asked.
pub const USUAL: Manner = Manner { examples: EXAMPLES, exchange: OTHERWISE, without: 0.5, steps: None };
/// Share of the answers that damage moves.
const OTHERWISE: f64 = 0.09;

/// The folders of a made-up study.
pub struct Study {
    pub audits: Vec<PathBuf>,
    pub trainings: Vec<PathBuf>,
    pub comparison: PathBuf,
}

/// Writes the study under `root`.
pub fn write(root: &Path, shape: Shape) -> Study {
    write_as(root, shape, USUAL)
}

/// Writes a study whose models answer in that manner.
pub fn write_as(root: &Path, shape: Shape, manner: Manner) -> Study {
    let mut study = Study { audits: Vec::new(), trainings: Vec::new(), comparison: root.join("comparison") };
    images(root, manner.examples);
    let (mut table1, mut verdicts) = (Vec::new(), Vec::new());
    for seed in 0..shape.seeds {
        for (place, variant) in VARIANTS.iter().enumerate() {
            let run = root.join(format!("seed-{}/{}", 42 + seed, variant.0));
            let silent = shape.silent && place + 1 == VARIANTS.len();
            training(&run, variant, seed);
            table1.push(audit(&run.join("audit"), variant, seed, silent, manner));
            verdicts.extend(Findings::read(&run.join("audit")).unwrap().verdict);
            study.audits.push(run.join("audit"));
            study.trainings.push(run);
        }
    }
    comparison(&study.comparison, table1, verdicts);
    study
}

fn manifest(kind: &str, variant: Option<(&str, &str)>, seed: Option<u64>, command: &[&str]) -> Manifest {
    Manifest {
        schema: SCHEMA,
        kind: kind.into(),
        version: "0.0.0-synthetic".into(),
        variant: variant.map(|v| v.0.into()),
        name: variant.map(|v| v.1.into()),
        seed,
        benchmark: (kind == "audit").then(|| "synthetic search".into()),
        command: command.iter().map(|w| (*w).to_string()).collect(),
        commit: "0000000".into(),
        host: "nowhere".into(),
        device: "none (synthetic: nothing ran)".into(),
        dtype: "none (synthetic: nothing ran)".into(),
        threads: 1,
        inputs: BTreeMap::from([("benchmark.jsonl".into(), "00".repeat(32))]),
        outcomes: BTreeMap::new(),
        causes: BTreeMap::new(),
        settings: BTreeMap::from([("steps".into(), 8.into()), ("swap_pool".into(), 64.into())]),
        started: "2000-01-01T00:00:00Z".into(),
        ended: Some("2000-01-01T00:00:01Z".into()),
    }
}

const SIDE: u32 = 112;
const COLOURS: [(&str, [u8; 3]); 4] =
    [("red", [200, 60, 50]), ("blue", [50, 90, 190]), ("green", [60, 150, 80]), ("yellow", [220, 180, 40])];

/// The gold option and the box of example `i`.
fn scene(i: usize) -> (usize, [u32; 4]) {
    let mut s = Stream::new(7, "synthetic scene", &[&i.to_string()]);
    let (x, y) = (s.below(90) as u32 + 2, s.below(90) as u32 + 2);
    (s.below(4), [x, y, x + 16, y + 16])
}

/// The study's own manifest, and the images of its world.
fn images(root: &Path, examples: usize) {
    manifest("study", None, None, &["prism", "study"]).write(root).unwrap();
    std::fs::create_dir_all(root.join("world/images")).unwrap();
    for i in 0..examples {
        // One image stays away, to show what the page does then.
        if i == 11 {
            continue;
        }
        let mut s = Stream::new(8, "synthetic clutter", &[&i.to_string()]);
        let mut img = image::RgbImage::from_pixel(SIDE, SIDE, image::Rgb([238, 234, 226]));
        let mut paint = |x0: u32, y0: u32, size: u32, colour: [u8; 3], round: bool| {
            for y in 0..size {
                for x in 0..size {
                    let (dx, dy) = (f64::from(x) + 0.5 - f64::from(size) / 2.0, f64::from(y) + 0.5 - f64::from(size) / 2.0);
                    if (!round || dx * dx + dy * dy <= f64::from(size * size) / 4.0) && x0 + x < SIDE && y0 + y < SIDE {
                        img.put_pixel(x0 + x, y0 + y, image::Rgb(colour));
                    }
                }
            }
        };
        for _ in 0..22 {
            paint(s.below(100) as u32, s.below(100) as u32, 6 + s.below(8) as u32, COLOURS[s.below(4)].1, true);
        }
        let (gold, [x, y, ..]) = scene(i);
        paint(x + 2, y + 2, 12, COLOURS[gold].1, false);
        img.save(root.join(format!("world/images/{i:03}.png"))).unwrap();
    }
}

fn training(run: &Path, v: &(&str, &str, f64, f64, f64, f64), seed: usize) {
    let seed_number = 42 + seed as u64;
    manifest("train", Some((v.0, v.1)), Some(seed_number), &["prism", "train", "--variant", v.0, "--seed", &seed_number.to_string()])
        .write(run)
        .unwrap();
    let mut s = Stream::new(seed as u64, "synthetic curve", &[v.0]);
    let staged = v.0.starts_with("p-");
    let log: String = (1..=1000)
        .map(|step| {
            let t = f64::from(step) / 1000.0;
            let ce = 0.35 + 1.4 * (-5.0 * t).exp() + (1.0 - v.3) * 0.4 + 0.05 * s.normal();
            let latent = (if staged { 6.0 } else { 0.9 }) * (0.25 + (-6.0 * t).exp()) * (1.0 + 0.08 * s.normal());
            format!("{{\"step\":{step},\"ce\":{ce},\"latent\":{latent},\"total\":{}}}\n", ce + 0.1 * latent)
        })
        .collect();
    folder::write_atomic(&run.join(folder::names::LOG), log.as_bytes()).unwrap();
}

pub const LETTERS: [&str; 4] = ["A", "B", "C", "D"];

fn audit(run: &Path, v: &(&str, &str, f64, f64, f64, f64), seed: usize, silent: bool, manner: Manner) -> VariantSummary {
    let seed_number = 42 + seed as u64;
    let checkpoint = format!("seed-{seed_number}/{}/checkpoint-1000", v.0);
    let mut m = manifest(
        "audit",
        Some((v.0, v.1)),
        Some(seed_number),
        &["prism", "audit", "--checkpoint", &checkpoint, "--benchmark", "synthetic search.jsonl"],
    );
    m.outcomes = BTreeMap::from([(if silent { "no_latents" } else { "scored" }.to_string(), manner.examples)]);
    let budget = manner.steps.map(|(steps, lengths)| budget(steps, lengths));
    budget.iter().for_each(|budget| budget.write(&mut m.settings));
    m.write(run).unwrap();
    let examples: Vec<ExampleRow> = (0..manner.examples).map(|i| example(run, i, silent)).collect();
    let answers = answers(v, seed, silent, &examples, manner);
    let mut findings =
        Findings { alignment: alignment(v, seed, manner.examples), probe: probes(v, seed, manner.examples), ..Default::default() };
    judged(run, v, seed_number as i64, &examples, &answers, &mut findings);
    if let Some(budget) = &budget {
        let concluded = &mut findings.conclusion[0];
        (concluded.inside_lengths, concluded.steps_target) = (budget.inside(), budget.by_stage.target);
        concluded.qualifier = budget.outside().or(concluded.qualifier.take());
    }
    let all = |action: Action| findings.faithfulness.iter().find(|f| f.intervention == action.into() && f.category == "all");
    let clean = all(Action::Clean).unwrap();
    let delta = |action: Action| all(action).and_then(|f| f.delta);
    let concluded = &findings.conclusion[0];
    let accuracy_of = |p: &str| findings.probe.iter().find(|f| f.position == p).and_then(|f| f.accuracy);
    let summary = VariantSummary {
        variant: v.0.into(),
        name: v.1.into(),
        seed: Some(seed_number as i64),
        benchmark: "synthetic search".into(),
        examples: manner.examples,
        cosine: findings.alignment[0].cosine,
        cosine_free: findings.alignment[1].cosine,
        accuracy: clean.accuracy,
        accuracy_low: clean.accuracy_low,
        accuracy_high: clean.accuracy_high,
        probe_a: accuracy_of("answer_state"),
        probe_b: accuracy_of("latent_last"),
        gap: accuracy_of("answer_state").zip(accuracy_of("latent_last")).map(|(a, b)| a - b),
        gap_rows: Some(manner.examples),
        question_mean: accuracy_of("question_mean"),
        majority: Some(0.35),
        type_floor: Some(0.375),
        opened: clean.opened,
        delta_truncate: delta(Action::Zero),
        delta_noise_01: delta(Action::Noise(0.1)),
        delta_noise_03: delta(Action::Noise(0.3)),
        delta_noise_10: delta(Action::Noise(1.0)),
        delta_swap: delta(Action::Swap(Donor::Random)),
        word: Some(concluded.word),
        presence: Some(concluded.presence),
        sentence: Some(concluded.sentence.clone()),
        qualifier: concluded.qualifier.clone(),
    };
    findings.table1 = vec![summary.clone()];
    findings.warnings =
        vec![WarningFinding { about: "probe".into(), text: "Synthetic numbers: nothing was trained and nothing was measured.".into() }];
    write_rows(&records::folder(run).join(files::EXAMPLES), examples).unwrap();
    write_rows(&records::folder(run).join(files::ANSWERS), answers).unwrap();
    findings.write(run).unwrap();
    summary
}

/// The step budget of blocks of so many steps, trained with these lengths.
fn budget(steps: usize, lengths: [usize; 2]) -> StepBudget {
    let [low, high] = lengths;
    let blocks = (0..100).map(|block| (Stage::Target, low + block % (high - low + 1)));
    StepBudget {
        steps: Steps::Fixed(steps),
        by_stage: StageSteps { context: None, target: Some(steps) },
        trained: TrainedLengths::of(blocks),
        own_exit: false,
        exploratory: false,
    }
}

fn example(run: &Path, i: usize, silent: bool) -> ExampleRow {
    let (gold, [x0, y0, x1, y1]) = scene(i);
    let share = |v: u32| f64::from(v) / f64::from(SIDE);
    let question = if i == 3 { HOSTILE.to_string() } else { format!("What is the colour of the square in picture {i}?") };
    let options: Vec<&str> = COLOURS.iter().map(|c| c.0).collect();
    let listed: Vec<String> = options.iter().zip(LETTERS).map(|(o, l)| format!("({l}) {o}")).collect();
    let root = run.ancestors().nth(3).unwrap();
    ExampleRow {
        row: i,
        id: format!("synthetic-{i:03}"),
        question_id: i.to_string(),
        category: Some(if i.is_multiple_of(3) { "relative_position" } else { "direct_attributes" }.into()),
        pair: None,
        counterfactual: None,
        prompt: format!("{question}\n{}\nAnswer with the option's letter from the given choices directly.", listed.join("\n")),
        options: options.iter().map(ToString::to_string).collect(),
        label: LETTERS[gold].into(),
        image: root.join(format!("world/images/{i:03}.png")).to_string_lossy().into_owned(),
        images: 1,
        boxes: format!("[[{},{},{},{}]]", share(x0), share(y0), share(x1), share(y1)),
        prompt_tokens: 60,
        visual_tokens: 16,
        outcome: if silent { Outcome::NoLatents } else { Outcome::Scored },
        cause: None,
        message: None,
    }
}

fn answers(v: &(&str, &str, f64, f64, f64, f64), seed: usize, silent: bool, examples: &[ExampleRow], manner: Manner) -> Vec<AnswerRow> {
    let mut rows = Vec::new();
    for e in examples {
        let mut s = Stream::new(seed as u64, "synthetic answer", &[v.0, &e.id]);
        let gold = LETTERS.iter().position(|l| *l == e.label).unwrap();
        let wrong = |s: &mut Stream| LETTERS[(gold + 1 + s.below(3)) % 4];
        let clean = if s.uniform() < v.3 { LETTERS[gold] } else { wrong(&mut s) };
        // What changes nothing is the clean run to the bit.
        let own = s.normal();
        for intervention in interventions() {
            let acts = !intervention.is_clean() && !intervention.is_sham() && !silent;
            let without = acts && intervention.action.skips_block();
            // Leaving the block out costs answers; everything else moves a few both ways.
            let share = match () {
                () if without && clean == LETTERS[gold] => manner.without,
                () if intervention.class() == Class::Content => manner.exchange,
                () => OTHERWISE,
            };
            let moved = acts && s.uniform() < share;
            let reworded = acts && s.uniform() < 0.3;
            let letter = match (moved, clean == LETTERS[gold]) {
                (false, _) => clean,
                (true, true) => wrong(&mut s),
                (true, false) => LETTERS[gold],
            };
            rows.push(AnswerRow {
                row: e.row,
                id: e.id.clone(),
                intervention,
                donor: intervention.action.donor().map(|_| (e.row + 1) % manner.examples),
                outcome: if silent { Outcome::NoLatents } else { Outcome::Scored },
                answer: Some(letter.into()),
                correct: Some(letter == LETTERS[gold]),
                text: format!(
                    "<|lvr_start|>… <|lvr_end|>{}<answer> {letter} </answer><|im_end|>",
                    if reworded { "The square." } else { "" }
                ),
                generated: vec![1, 2, 3],
                changed: (!intervention.is_clean()).then_some(moved || reworded),
                steps_context: if v.0.starts_with("p-") && !silent && !without { 16 } else { 0 },
                steps_target: if silent || without { 0 } else { 8 },
                gold_margin: Some(if acts { s.normal() } else { own }),
                gold_logprob: Some(-1.0),
                answer_entropy: Some(0.5),
                latent_norm: (!silent).then_some(11.0),
                perturbation_norm: (!silent && !intervention.is_clean()).then_some(3.0),
                strength: (acts && !without).then_some(2.0),
                option_logprobs: None,
                donor_label: None,
                donor_margin: None,
            });
        }
    }
    rows
}

fn alignment(v: &(&str, &str, f64, f64, f64, f64), seed: usize, examples: usize) -> Vec<AlignmentFinding> {
    let mut s = Stream::new(seed as u64, "synthetic alignment", &[v.0]);
    let mut row = |mode: Mode, stage: Stage, cosine: f64| AlignmentFinding {
        mode,
        stage,
        examples,
        positions: examples * 8,
        cosine: Some(cosine + 0.01 * s.normal()),
        cosine_sd: Some(0.08),
        mse: Some(0.4),
        l2: Some(6.0),
        latent_norm: Some(11.0),
        target_norm: Some(9.5),
        norm_ratio: Some(1.16),
        reason: None,
    };
    let mut rows = vec![row(Mode::TeacherForced, Stage::Target, v.2), row(Mode::FreeRunning, Stage::Target, v.2 * 0.45)];
    if v.0.starts_with("p-") {
        rows.push(row(Mode::TeacherForced, Stage::Context, v.2 * 0.9));
        rows.push(row(Mode::FreeRunning, Stage::Context, v.2 * 0.4));
    }
    rows
}

fn probes(v: &(&str, &str, f64, f64, f64, f64), seed: usize, examples: usize) -> Vec<ProbeFinding> {
    let mut s = Stream::new(seed as u64, "synthetic probe", &[v.0]);
    let mut row = |position: &str, accuracy: Option<f64>| {
        let accuracy = accuracy.map(|a| a + 0.02 * s.normal());
        ProbeFinding {
            position: position.into(),
            layer: None,
            source: "own".into(),
            target: "gold".into(),
            rows: examples,
            left_out: 0,
            clusters: examples,
            classes: 4,
            folds: 5,
            repeats: 5,
            accuracy,
            repeat_low: accuracy.map(|a| a - 0.02),
            repeat_high: accuracy.map(|a| a + 0.02),
            accuracy_sd: accuracy.map(|_| 0.04),
            item_low: accuracy.map(|a| a - 0.1),
            item_high: accuracy.map(|a| a + 0.1),
            cross_entropy: accuracy.map(|a| 1.9 - a),
            label_entropy: Some(1.36),
            mi: accuracy.map(|a| 1.36 - 1.9 + a),
            mi_low: accuracy.map(|a| 1.26 - 1.9 + a),
            mi_high: accuracy.map(|a| 1.46 - 1.9 + a),
            mi_clamped: accuracy.map(|a| (1.36 - 1.9 + a).max(0.0)),
            mi_uniform: None,
            majority: Some(0.35),
            floor_category: Some(0.36),
            floor_options: Some(0.35),
            floor_answer: None,
            best_floor: accuracy.map(|_| "category".into()),
            floor_rows: accuracy.map(|_| examples),
            floor_accuracy: accuracy.map(|_| 0.36),
            above_floor: accuracy.map(|a| a - 0.36),
            above_floor_low: accuracy.map(|a| a - 0.46),
            above_floor_high: accuracy.map(|a| a - 0.26),
            floors_absent: None,
            control_draws: accuracy.map(|_| 100),
            control_accuracy: accuracy.map(|_| 0.27),
            selectivity: accuracy.map(|a| a - 0.27),
            permutation_p: accuracy.map(|_| 0.0099),
            description_length: accuracy.map(|a| 1.36 * examples as f64 * (1.0 - a / 2.0)),
            compression: accuracy.map(|a| 1.0 / (1.0 - a / 2.0)),
            c: accuracy.map(|_| 1e-3),
            iterations_max: accuracy.map(|_| 41),
            converged: accuracy.map(|_| true),
            gradient_max: accuracy.map(|_| 1e-5),
            tight_cross_entropy: None,
            reason: accuracy.is_none().then(|| "this position never occurred".to_string()),
        }
    };
    let context = v.0.starts_with("p-");
    let mut all = vec![
        row("answer_state", Some(v.4)),
        row("latent_last", Some(v.5)),
        row("latent_mean", Some(v.5 + 0.02)),
        row("context_last", context.then_some(0.34)),
        row("question_mean", Some(0.5)),
        row("visual_mean", Some(0.37)),
    ];
    for layer in 0..4 {
        for (position, most) in [("answer_state", v.4), ("latent_last", v.5), ("question_mean", 0.5)] {
            let accuracy = 0.35 + (most - 0.35) * layer as f64 / 4.0;
            all.push(ProbeFinding { layer: Some(layer), repeats: 1, ..row(position, Some(accuracy)) });
        }
    }
    all
}

/// What the audit itself makes of the made-up answers.
fn judged(
    run: &Path,
    v: &(&str, &str, f64, f64, f64, f64),
    seed: i64,
    examples: &[ExampleRow],
    answers: &[AnswerRow],
    findings: &mut Findings,
) {
    let settings = AuditSettings { replicates: 100, ..AuditSettings::default() };
    let branches = prism_audit::pairs::branches(&run.join("made up"), examples, answers).unwrap();
    let clusters = Clusters::of(examples);
    findings.faithfulness = prism_audit::faithfulness::faithfulness(&branches, &clusters, &settings);
    let judged = prism_audit::verdict::judge(&branches, examples, &clusters, &settings);
    findings.verdict = judged.verdicts;
    for verdict in &mut findings.verdict {
        (verdict.variant, verdict.seed) = (v.0.into(), Some(seed));
    }
    findings.categories = judged.categories;
    findings.conclusion = vec![ConclusionFinding { variant: v.0.into(), seed: Some(seed), ..judged.conclusion }];
}

/// What is done to the latents: the paper's six, the declared sets, and the check of the instrument.
pub fn interventions() -> Vec<Intervention> {
    let settings = AuditSettings::default();
    let declared = settings.content.iter().chain(&settings.presence).copied().filter(|i| i.action.donor() != Some(Donor::Counterfactual));
    Intervention::paper_six().into_iter().chain(declared).chain([Action::Swap(Donor::Itself).into()]).collect()
}

fn comparison(run: &Path, table1: Vec<VariantSummary>, mut verdict: Vec<VerdictFinding>) {
    prism_audit::verdict::adjust_across(verdict.iter_mut());
    manifest("compare", None, None, &["prism", "compare", "seed-42"]).write(run).unwrap();
    let row = |x: &str, y: &str, given: Option<&str>, r: Option<f64>| ComparisonFinding {
        unit: "seed_mean".into(),
        x: x.into(),
        y: y.into(),
        given: given.map(str::to_string),
        variants: 5,
        r,
        low: r.map(|r| (r - 0.06).max(-1.0)),
        high: r.map(|r| (r + 0.21).min(1.0)),
        exact_p: r.map(|_| 0.1),
        spearman: None,
        spearman_p: None,
        fisher_low: r.map(|_| -0.996),
        fisher_high: r.map(|_| -0.33),
        leave_one_out_low: r.map(|r| r - 0.02),
        leave_one_out_high: r.map(|r| r + 0.04),
        leave_cluster_out_low: None,
        leave_cluster_out_high: None,
        cluster_warning: (x == "cosine")
            .then(|| "{LVR, N-LVR, D-LVR} and {P-LVR-2, P-LVR-3} stand apart; inside the first r = +0.73.".to_string()),
        reason: r.is_none().then(|| "too few points for a partial correlation".to_string()),
    };
    let comparison = vec![
        row("cosine", "accuracy", None, Some(-0.94)),
        row("probe_a", "accuracy", None, Some(0.9)),
        row("gap", "delta_truncate", None, Some(-0.77)),
        row("probe_a", "accuracy", Some("question_mean"), None),
    ];
    Findings { table1, comparison, verdict, ..Default::default() }.write(run).unwrap();
}
