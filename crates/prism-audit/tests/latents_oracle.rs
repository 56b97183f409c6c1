//! What latents are like and what answers do, beside numpy, scikit-learn and pandas on the
//! same records (`oracle/latents.py`).

use std::path::{Path, PathBuf};

use prism_audit::findings::{DonorFinding, DoseFinding, GeometryFinding, RetrievalFinding};
use prism_audit::{AuditSettings, Findings, audit_run};
use prism_run::Intervention;
use serde_json::Value;

fn oracle() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../oracle/expected/latents")
}

/// The oracle's records audited in a folder of their own.
fn found() -> (Findings, Value, tempfile::TempDir) {
    let run = tempfile::tempdir().unwrap();
    std::fs::create_dir(run.path().join("records")).unwrap();
    std::fs::copy(oracle().join("run.json"), run.path().join("run.json")).unwrap();
    for file in std::fs::read_dir(oracle().join("records")).unwrap() {
        let file = file.unwrap().path();
        std::fs::copy(&file, run.path().join("records").join(file.file_name().unwrap())).unwrap();
    }
    let settings = AuditSettings { replicates: 400, control_draws: 2, repeats: 2, ..Default::default() };
    let findings = audit_run(run.path(), &settings).unwrap();
    assert_eq!(Findings { projection: Vec::new(), ..Findings::read(run.path()).unwrap() }.geometry, findings.geometry);
    let expected = std::fs::read(oracle().join("expected.json")).unwrap();
    (findings, serde_json::from_slice(&expected).unwrap(), run)
}

/// Asserts that both say the same to `tolerance`, relative above 1.
fn near(ours: Option<f64>, theirs: &Value, tolerance: f64, what: &str) {
    let (ours, theirs) = (ours.unwrap_or_else(|| panic!("{what} is absent")), theirs.as_f64().unwrap_or_else(|| panic!("{what}")));
    assert!((ours - theirs).abs() <= tolerance * theirs.abs().max(1.0), "{what}: {ours} and {theirs}");
}

#[test]
fn the_geometry_is_numpys() {
    let (findings, expected, _run) = found();
    assert_eq!(findings.geometry.len(), 6);
    for found in &findings.geometry {
        let GeometryFinding { mode, step, norm, norm_sd, spread, effective_rank, participation_ratio, first_share, .. } = found;
        let theirs = &expected["geometry"][mode.name()][step];
        let what = |name: &str| format!("{name} of {mode} at {step}");
        for (name, ours) in [
            ("norm", norm),
            ("norm_sd", norm_sd),
            ("spread", spread),
            ("inter_example_cosine", &found.inter_example_cosine),
            ("effective_rank", effective_rank),
            ("participation_ratio", participation_ratio),
            ("first_share", first_share),
        ] {
            near(*ours, &theirs[name], 1e-9, &what(name));
        }
        if *step > 0 {
            near(found.previous_cosine, &theirs["previous_cosine"], 1e-9, &what("cosine to the step before"));
        }
        assert_eq!((found.rank_bound, found.spectrum_vectors, found.previous_cosine.is_some()), (24, found.vectors, *step > 0));
    }
}

#[test]
fn targets_are_found_as_by_scikit_learn() {
    let (findings, expected, _run) = found();
    assert_eq!(findings.retrieval.len(), 4);
    for found in &findings.retrieval {
        let RetrievalFinding { mode, step, .. } = found;
        let theirs = &expected["retrieval"][mode.name()][step];
        for (name, ours) in [
            ("cosine", found.cosine),
            ("cosine_others", found.cosine_others),
            ("centred", found.centred),
            ("whitened", found.whitened),
            ("at_1", found.at_1),
            ("at_5", found.at_5),
            ("centred_at_1", found.centred_at_1),
            ("centred_at_5", found.centred_at_5),
        ] {
            near(ours, &theirs[name], 1e-9, &format!("{name} of {mode} at {step}"));
        }
        assert_eq!((found.pairs, found.chance_1), (37, Some(1.0 / 37.0)));
    }
}

#[test]
fn a_change_of_the_image_is_followed_as_by_numpy() {
    let (findings, expected, _run) = found();
    let places: Vec<(&str, Option<usize>)> = findings.counterfactual.iter().map(|c| (c.place.name(), c.step)).collect();
    assert_eq!(places, [("visual_mean", None), ("target", Some(0)), ("target", Some(1)), ("answer", None)]);
    for found in findings.counterfactual.iter().take(3) {
        let theirs = &expected["counterfactual"][found.place.name()][found.step.unwrap_or(0)];
        near(found.cosine, &theirs["cosine"], 1e-9, "cosine");
        near(found.cosine_strangers, &theirs["cosine_strangers"], 1e-9, "cosine of strangers");
        near(found.change, &theirs["change"], 1e-9, "change");
        assert_eq!(found.pairs, 20);
        assert!(found.change_low < found.change && found.change < found.change_high);
    }
    let answer = &findings.counterfactual[3];
    near(answer.answers_differ, &expected["answers_differ"], 0.0, "answers that differ");
    near(answer.both_right, &expected["both_right"], 0.0, "both right");
}

#[test]
fn crossed_graded_and_partial_interventions_are_pandas() {
    let (findings, expected, _run) = found();
    let alone = &findings.visibility[0];
    assert_eq!((alone.intervention, alone.necessity, alone.examples), (Intervention::CLEAN, None, 40));
    let found = &findings.visibility[1];
    assert_eq!((found.view.name(), found.intervention.to_string().as_str(), findings.visibility.len()), ("image-hidden", "zero", 2));
    for (name, ours) in [
        ("necessity", found.necessity),
        ("sufficiency", found.sufficiency),
        ("interaction", found.interaction),
        ("image_effect", found.image_effect),
        ("necessity_margin", found.necessity_margin),
        ("sufficiency_margin", found.sufficiency_margin),
        ("majority", found.majority),
    ] {
        near(ours, &expected["visibility"][name], 1e-9, name);
    }
    assert!(found.necessity_low < found.necessity && found.necessity < found.necessity_high);
    let [
        DonorFinding {
            donor_rate,
            donor_rate_clean,
            lift,
            margin_lift,
            examples,
            left_out,
            transfer,
            transfer_examples,
            gold_rate,
            gold_rate_clean,
            ..
        },
    ] = &findings.donors[..]
    else {
        panic!()
    };
    let theirs = &expected["donors"];
    assert_eq!((Some(*examples as u64), *left_out), (theirs["examples"].as_u64(), 40 - examples));
    for (name, ours) in [
        ("donor_rate", donor_rate),
        ("donor_rate_clean", donor_rate_clean),
        ("lift", lift),
        ("margin_lift", margin_lift),
        ("transfer", transfer),
        ("gold_rate", gold_rate),
        ("gold_rate_clean", gold_rate_clean),
    ] {
        near(*ours, &theirs[name], 1e-9, name);
    }
    assert_eq!(Some(*transfer_examples as u64), theirs["transfer_examples"].as_u64());
    let doses: Vec<String> = findings.doses.iter().map(|d| d.intervention.to_string()).collect();
    assert_eq!(doses, ["clean", "noise:0.3", "noise:1"]);
    for DoseFinding { intervention, snr_norm, snr_spread, delta, .. } in findings.doses.iter().skip(1) {
        let theirs = &expected["dose"][intervention.to_string()];
        near(*snr_norm, &theirs["snr_norm"], 1e-9, "signal to noise");
        near(*snr_spread, &theirs["snr_spread"], 1e-9, "spread to noise");
        near(*delta, &theirs["delta"], 1e-9, "delta");
    }
    let steps: Vec<String> = findings.steps.iter().map(|s| s.intervention.to_string()).collect();
    assert_eq!(steps, ["zero", "zero/step=0", "zero/step=1"]);
    findings.steps.iter().for_each(|s| near(s.delta, &expected["single"][s.intervention.to_string()], 1e-9, &s.intervention.to_string()));
}

#[test]
fn attention_and_the_plane_are_numpys() {
    let (findings, expected, _run) = found();
    assert_eq!(findings.attention.len(), 6);
    for found in &findings.attention {
        let same = |t: &&Value| {
            t["place"] == found.place.name() && t["layer"] == found.layer && t["step"].as_u64() == found.step.map(|step| step as u64)
        };
        let theirs = expected["attention"].as_array().unwrap().iter().find(same).unwrap();
        near(found.image, &theirs["image"], 1e-9, "image");
        near(found.latents, &theirs["latents"], 1e-9, "latents");
        near(found.enrichment, &theirs["enrichment"], 1e-9, "enrichment");
        near(found.image_entropy, &theirs["image_entropy"], 1e-9, "entropy");
        assert!(found.latents_low < found.latents && found.latents < found.latents_high);
    }
    assert_eq!(findings.projection.len(), 80);
    let first = &findings.projection[0];
    near(Some(first.x_share), &expected["shares"][0], 1e-6, "first share");
    near(Some(first.y_share), &expected["shares"][1], 1e-6, "second share");
    let mean = |of: fn(&prism_audit::findings::ProjectionFinding) -> f64| findings.projection.iter().map(of).sum::<f64>() / 80.0;
    assert!(mean(|p| p.x).abs() < 1e-9 && mean(|p| p.y).abs() < 1e-9 && mean(|p| p.x * p.y).abs() < 1e-6);
}
