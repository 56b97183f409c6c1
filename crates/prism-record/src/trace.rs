//! One example under the magnifying glass: what each forward read and produced,
//! as a JSON object, as vectors, and as a picture in text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use prism_run::answer::{Answers, Asked, Score};
use prism_run::vectors::Vectors;
use prism_run::{Example, Outcome, Position, Stage, StageSteps, shown};
use serde::{Serialize, Serializer};

use crate::decode::trajectory::norm;
use crate::decode::{ControlTokens, Prefix, Trajectory, answer};
use crate::runs::{self, BlockRun, Step};

/// One forward.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TracedForward {
    /// The stage, for forwards that read a fed-back vector; `null` for those that read a token.
    pub stage: Option<Stage>,
    /// L2 norm of the state it produced.
    pub norm: f64,
}

/// One example: an object of `prism trace --json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExampleTrace {
    /// Row in the benchmark.
    pub row: usize,
    /// The file's own id, as a number if it is one.
    #[serde(serialize_with = "number_if_it_is_one")]
    pub question_id: String,
    /// Number of the sample, from 0; absent for the greedy run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample: Option<u32>,
    /// The gold answer.
    pub label: String,
    /// The prompt, image tokens included.
    pub prompt_ids: Vec<u32>,
    /// The new tokens.
    pub generated_ids: Vec<u32>,
    /// One per forward.
    pub iterations: Vec<TracedForward>,
    /// What every forward read.
    pub steps: Vec<Step>,
    /// Runs of latent forwards, and what ended them.
    pub blocks: Vec<BlockRun>,
    /// What the rule takes for the answer, as the published code gives it; an option or not.
    pub answer: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why the intervention stopped it early.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

fn number_if_it_is_one<S: Serializer>(id: &str, serializer: S) -> Result<S::Ok, S::Error> {
    match id.parse::<i64>() {
        Ok(number) if number.to_string() == id => serializer.serialize_i64(number),
        _ => serializer.serialize_str(id),
    }
}

impl ExampleTrace {
    /// The trace of one branch. `longest`: the most latent forwards of a block, by stage.
    pub fn new(example: &Example, prefix: &Prefix, trajectory: &Trajectory, tokens: &ControlTokens, longest: StageSteps) -> Self {
        let score = answer::score(example, &trajectory.text);
        let latent = trajectory.latent_forwards().count();
        Self {
            row: example.row,
            question_id: example.question_id.clone(),
            sample: None,
            label: example.label.clone(),
            prompt_ids: prefix.whole_prompt(),
            generated_ids: trajectory.generated.clone(),
            iterations: trajectory
                .forwards
                .iter()
                .map(|f| TracedForward { stage: f.place.map(|p| p.stage), norm: norm(&f.state) })
                .collect(),
            steps: runs::steps(trajectory),
            blocks: runs::blocks(trajectory, tokens, longest),
            outcome: if trajectory.refusal.is_some() { Outcome::Error } else { answer::outcome(&score, latent) },
            answer: score.said,
            message: trajectory.refusal.clone(),
        }
    }
}

impl ExampleTrace {
    /// The same with its answer read by other rules, and what they make of it; `prompt`: the whole prompt as decoded.
    pub fn read_by(self, answers: &Answers, example: &Example, trajectory: &Trajectory, prompt: &str) -> (Self, Score) {
        let asked = Asked { prompt: Some(prompt), ..Asked::from(example) };
        let score = answers.score(&trajectory.text, &asked, &example.label);
        let outcome =
            if self.outcome == Outcome::Error { self.outcome } else { answer::outcome(&score, trajectory.latent_forwards().count()) };
        (Self { outcome, answer: score.said.clone(), ..self }, score)
    }
}

/// Adds the probe vectors of one branch to `all`, under the positions' names, and what was fed at each
/// latent step (`fed.STAGE.STEP`).
pub fn collect_vectors(all: &mut BTreeMap<String, Vectors>, row: usize, prefix: &Prefix, trajectory: &Trajectory) {
    for position in Position::ALL {
        if let Some(vector) = prefix.probe(position).or_else(|| trajectory.probe(position)) {
            all.entry(position.name().to_string()).or_default().push(row as i64, &vector);
        }
    }
    for (place, forward) in trajectory.latent_forwards() {
        if let Some(fed) = &forward.fed {
            all.entry(format!("fed.{}.{}", place.stage.name(), place.step)).or_default().push(row as i64, fed);
        }
    }
}

const BAR: usize = 24;

/// The loop as text: one line per forward with the token it produced, what it read
/// (a chip for a latent), and its norm; `tokens` are the texts of what each forward appended.
pub fn picture(trace: &ExampleTrace, trajectory: &Trajectory, tokens: &[String]) -> String {
    let mut out = String::new();
    let answer = trace.answer.as_deref().unwrap_or("none");
    let _ = writeln!(
        out,
        "row {} · question {} · gold {} · answer {} · {}",
        trace.row,
        shown(&trace.question_id),
        shown(&trace.label),
        shown(answer),
        trace.outcome.name()
    );
    let chips: String = trace.iterations.iter().map(|i| chip(i.stage)).collect();
    let _ = writeln!(out, "  {} prompt tokens, then {} forwards: {chips}", trace.prompt_ids.len(), trace.iterations.len());
    if let Some(message) = &trace.message {
        let _ = writeln!(out, "  stopped: {}", shown(message));
    }
    let largest = trace.iterations.iter().map(|i| i.norm).fold(f64::MIN_POSITIVE, f64::max);
    let widest = tokens.iter().map(|t| quoted(t).chars().count()).max().unwrap_or(0).min(24);
    let answer_state = trajectory.answer_state();
    for (i, forward) in trajectory.forwards.iter().enumerate() {
        let token = tokens.get(i).map(|t| quoted(t)).unwrap_or_default();
        let reads = match (forward.place, i) {
            (Some(p), _) => format!("[{} {}]", p.stage.name(), p.step),
            (None, 0) => "prompt".to_string(),
            (None, _) => "token".to_string(),
        };
        let norm = trace.iterations.get(i).map_or(0.0, |t| t.norm);
        let filled = ((norm / largest) * BAR as f64).round() as usize;
        let bar: String = std::iter::repeat_n(if forward.place.is_some() { '█' } else { '░' }, filled.min(BAR)).collect();
        let mark = if Some(i) == answer_state { "  ◂ answer state" } else { "" };
        let _ = writeln!(out, "  {i:>4}  {reads:<13} → {token:<widest$}  {norm:>9.3} {bar}{mark}");
    }
    out
}

fn chip(stage: Option<Stage>) -> char {
    match stage {
        None => '·',
        Some(Stage::Context) => '▒',
        Some(Stage::Free | Stage::Target) => '█',
    }
}

fn quoted(token: &str) -> String {
    token.escape_debug().to_string()
}
