//! The findings of a study that ran everything: necessity and sufficiency, doses, steps,
//! donors, partners, geometry, retrieval, lens, attention, projection, alignment by step.

use std::path::Path;

use prism_audit::Findings;
use prism_audit::findings::*;
use prism_run::random::Stream;
use prism_run::records::{self, AlignmentRow, files};
use prism_run::table::write_rows;
use prism_run::{ArrivesAt, Cloud, Intervention, Mode, NotedAt, Stage, View};

use crate::synthetic::{EXAMPLES, LETTERS};

/// Adds to the findings and records of an audit what a synthetic study lacks otherwise.
pub fn enrich(audit: &Path) {
    let mut findings = Findings::read(audit).unwrap();
    let key = audit.to_string_lossy().into_owned();
    let place = audit.ancestors().nth(1).unwrap().file_name().unwrap().to_string_lossy().into_owned();
    let mut s = Stream::new(key.len() as u64, "synthetic rich", &[&place]);
    findings.visibility = vec![visibility("clean", &mut s), visibility("zero@image-hidden", &mut s)];
    findings.doses = vec![dose("clean", 0.0, &mut s), dose("noise:0.1", 0.1, &mut s), dose("noise:1", 1.0, &mut s)];
    findings.steps = (0..4).map(|i| step(i, &mut s)).collect();
    findings.donors =
        vec![donor("swap", None, &mut s), donor("swap:same-answer", Some("no example has a donor of another letter"), &mut s)];
    findings.counterfactual = vec![
        partner(ArrivesAt::Visual, None, &mut s),
        partner(ArrivesAt::Target, Some(0), &mut s),
        partner(ArrivesAt::Target, Some(1), &mut s),
    ];
    findings.geometry = (0..4).map(|i| geometry(Cloud::FreeRunning, i, &mut s)).collect();
    findings.geometry.push(geometry(Cloud::TeacherTarget, 0, &mut s));
    findings.retrieval = (0..4)
        .flat_map(|i| [Cloud::FreeRunning, Cloud::TeacherForced].map(|mode| (mode, i)))
        .map(|(mode, i)| retrieval(mode, i, &mut s))
        .collect();
    findings.lens =
        (0..4).flat_map(|i| [Some(0), Some(2), None].map(|layer| (i, layer))).map(|(i, layer)| lens(i, layer, &mut s)).collect();
    findings.attention = (0..4)
        .flat_map(|layer| {
            [(NotedAt::Target, Some(0)), (NotedAt::Target, Some(1)), (NotedAt::Answer, None)].map(|(place, step)| (place, step, layer))
        })
        .map(|(place, step, layer)| attention(place, step, layer, &mut s))
        .collect();
    findings.projection =
        (0..EXAMPLES).flat_map(|row| (0..4).map(move |step| (row, step))).map(|(row, step)| point(row, step, &mut s)).collect();
    findings.write(audit).unwrap();
    let mut rows = Vec::new();
    for row in 0..EXAMPLES {
        for (mode, cosine) in [(Mode::TeacherForced, 0.6), (Mode::FreeRunning, 0.3)] {
            for step in 0..4 {
                rows.push(AlignmentRow {
                    row,
                    mode,
                    stage: Stage::Target,
                    region: 0,
                    step,
                    cosine: cosine - 0.02 * step as f64 + 0.05 * s.normal(),
                    mse: 0.4,
                    l2: 6.0,
                    latent_norm: 11.0,
                    target_norm: 9.5,
                });
            }
        }
    }
    write_rows(&records::folder(audit).join(files::ALIGNMENT), rows).unwrap();
}

fn of(intervention: &str) -> Intervention {
    intervention.parse().unwrap()
}

fn around(s: &mut Stream, centre: f64) -> Option<f64> {
    Some(centre + 0.01 * s.normal())
}

fn visibility(intervention: &str, s: &mut Stream) -> VisibilityFinding {
    VisibilityFinding {
        view: View::ImageHidden,
        intervention: of(intervention),
        examples: EXAMPLES,
        open_clean: around(s, 0.8),
        open_damaged: around(s, 0.78),
        view_clean: around(s, 0.6),
        view_damaged: around(s, 0.3),
        majority: Some(0.35),
        image_effect: Some(0.2),
        image_effect_low: Some(0.1),
        image_effect_high: Some(0.3),
        image_effect_p: Some(0.01),
        necessity: around(s, 0.02),
        necessity_low: Some(-0.03),
        necessity_high: Some(0.07),
        necessity_p: Some(0.4),
        sufficiency: around(s, 0.3),
        sufficiency_low: Some(0.2),
        sufficiency_high: Some(0.4),
        sufficiency_p: Some(0.0001),
        interaction: Some(0.28),
        interaction_low: Some(0.2),
        interaction_high: Some(0.36),
        interaction_p: Some(0.0001),
        necessity_margin: None,
        sufficiency_margin: None,
        reason: None,
    }
}

fn dose(intervention: &str, amount: f64, s: &mut Stream) -> DoseFinding {
    let dosed = amount > 0.0;
    DoseFinding {
        family: prism_run::DoseFamily::Noise,
        intervention: of(intervention),
        amount,
        examples: EXAMPLES,
        spread: Some(0.8),
        snr_norm: dosed.then_some(20.0 - 18.0 * amount),
        snr_spread: dosed.then_some(10.0 - 18.0 * amount),
        accuracy: around(s, 0.8 - 0.1 * amount),
        delta: dosed.then_some(-0.1 * amount),
        delta_low: dosed.then_some(-0.1 * amount - 0.04),
        delta_high: dosed.then_some(-0.1 * amount + 0.04),
        // Not a number in the file: absent on the page.
        margin_delta: Some(f64::NAN),
        margin_low: None,
        margin_high: None,
        changed: Some(0.3),
    }
}

fn step(i: usize, s: &mut Stream) -> StepFinding {
    StepFinding {
        action: of("zero"),
        intervention: of(&format!("zero/step={i}")),
        stage: None,
        first_step: Some(i),
        last_step: Some(i),
        layer: None,
        examples: EXAMPLES,
        accuracy: Some(0.75),
        delta: around(s, -0.02),
        delta_low: Some(-0.08),
        delta_high: Some(0.04),
        margin_delta: around(s, -0.1),
        margin_low: Some(-0.2),
        margin_high: Some(0.0),
        changed: Some(0.2),
    }
}

fn donor(intervention: &str, reason: Option<&str>, s: &mut Stream) -> DonorFinding {
    let some = |v: Option<f64>| v.filter(|_| reason.is_none());
    DonorFinding {
        intervention: of(intervention),
        examples: if reason.is_none() { 30 } else { 0 },
        left_out: 10,
        donor_rate: some(Some(0.2)),
        donor_rate_clean: some(Some(0.1)),
        lift: some(around(s, 0.1)),
        lift_low: some(Some(-0.02)),
        lift_high: some(Some(0.22)),
        lift_p: some(Some(0.09)),
        transfer_examples: 40,
        transfer: some(around(s, 0.05)),
        transfer_low: some(Some(-0.1)),
        transfer_high: some(Some(0.2)),
        gold_rate: some(Some(0.7)),
        gold_rate_clean: some(Some(0.8)),
        margin_lift: some(Some(0.4)),
        margin_low: None,
        margin_high: None,
        reason: reason.map(str::to_string),
    }
}

fn partner(place: ArrivesAt, step: Option<usize>, s: &mut Stream) -> CounterfactualFinding {
    CounterfactualFinding {
        place,
        step,
        pairs: EXAMPLES / 2,
        cosine: Some(0.97),
        cosine_strangers: Some(0.9),
        change: around(s, 0.3),
        change_low: Some(0.2),
        change_high: Some(0.4),
        answers_differ: None,
        both_right: None,
        reason: None,
    }
}

fn geometry(mode: Cloud, step: usize, s: &mut Stream) -> GeometryFinding {
    GeometryFinding {
        mode,
        stage: Stage::Target,
        step,
        vectors: EXAMPLES,
        width: 64,
        norm: Some(11.0),
        norm_sd: Some(0.5),
        spread: Some(0.7),
        inter_example_cosine: around(s, 0.9),
        effective_rank: around(s, 12.0),
        participation_ratio: Some(6.0),
        spectrum_vectors: 40,
        rank_bound: 39,
        first_share: Some(0.4),
        end_cosine: Some(0.2),
        previous_cosine: Some(0.8),
        reason: None,
    }
}

fn retrieval(mode: Cloud, step: usize, s: &mut Stream) -> RetrievalFinding {
    RetrievalFinding {
        mode,
        stage: Stage::Target,
        step,
        pairs: EXAMPLES,
        cosine: Some(0.5),
        cosine_others: Some(0.48),
        centred: Some(0.1),
        whitened: Some(0.05),
        at_1: around(s, 0.1),
        at_1_low: Some(0.05),
        at_1_high: Some(0.2),
        at_5: Some(0.3),
        centred_at_1: Some(0.15),
        centred_at_5: Some(0.4),
        chance_1: Some(0.025),
        chance_5: Some(0.125),
        reason: None,
    }
}

fn lens(step: usize, layer: Option<usize>, s: &mut Stream) -> LensFinding {
    LensFinding {
        stage: Stage::Target,
        step,
        layer,
        examples: EXAMPLES,
        entropy: Some(2.0),
        probability: Some(0.4),
        gold: around(s, 0.05),
        tokens: "\"<b>\" 50 %, \"\\u{202e}A\" 30 %".into(),
    }
}

fn attention(place: NotedAt, step: Option<usize>, layer: usize, s: &mut Stream) -> AttentionFinding {
    AttentionFinding {
        place,
        step,
        layer,
        examples: EXAMPLES,
        image: around(s, 0.3),
        text: Some(0.4),
        latents: around(s, 0.2),
        latents_low: Some(0.15),
        latents_high: Some(0.25),
        generated: Some(0.1),
        enrichment: around(s, 1.2),
        enrichment_low: Some(1.1),
        enrichment_high: Some(1.3),
        enrichment_examples: EXAMPLES,
        image_entropy: Some(2.5),
        latent_entropy: Some(1.0),
    }
}

fn point(row: usize, step: usize, s: &mut Stream) -> ProjectionFinding {
    ProjectionFinding {
        row,
        stage: Stage::Target,
        step,
        x: s.normal() + step as f64,
        y: s.normal(),
        x_share: 0.5,
        y_share: 0.2,
        answer: (row != 5).then(|| LETTERS[row % 4].into()),
        label: LETTERS[(row + 1) % 4].into(),
    }
}
