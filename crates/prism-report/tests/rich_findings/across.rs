//! What a comparison finds over step budgets, groups of arms and training seeds.

use std::path::Path;

use prism_audit::Findings;
use prism_audit::findings::*;
use prism_run::{Action, Intervention, Need, Verdict};

/// Adds it to a comparison of two seeds.
pub fn enrich(comparison: &Path) {
    let mut findings = Findings::read(comparison).unwrap();
    for (variant, name) in [("lvr", "LVR"), ("n-lvr", "N-LVR")] {
        for (seed, shift) in [(42, -0.01), (43, 0.01)] {
            findings.budgets.extend([None, Some(2), Some(4)].map(|k| budget(variant, name, seed, k, shift)));
        }
        findings.seeds.push(seeds(variant, name, "accuracy", Intervention::CLEAN, 0.8));
        findings.seeds.push(seeds(variant, name, "delta", Action::Zero.into(), -0.1));
    }
    findings.groups = vec![group(None, "cosine", Some(-0.6)), group(Some(4), "cosine_free", None)];
    findings.contrasts = vec![contrast(None, Some(0.03)), contrast(Some(4), None)];
    findings.write(comparison).unwrap();
}

fn budget(variant: &str, name: &str, seed: i64, k: Option<usize>, shift: f64) -> BudgetFinding {
    let outside = k == Some(2);
    BudgetFinding {
        variant: variant.into(),
        name: name.into(),
        seed: Some(seed),
        k,
        steps_context: None,
        steps_target: Some(k.unwrap_or(4)),
        inside_lengths: Some(!outside),
        examples: 40,
        opened: Some(1.0),
        parsed: Some(0.98),
        accuracy: Some(0.8 + shift),
        accuracy_low: Some(0.7 + shift),
        accuracy_high: Some(0.9 + shift),
        cosine: Some(0.5 + 3.0 * shift),
        cosine_free: Some(0.2),
        most_changed: Some(0.01),
        changed_bound: Some(0.04),
        content_delta: Some(-0.005),
        word: Some(Verdict::Bypassed),
        presence: Some(Need::Needed),
        qualifier: outside.then(|| "K = 2 lies outside the lengths of training".into()),
    }
}

fn seeds(variant: &str, name: &str, quantity: &str, intervention: Intervention, mean: f64) -> SeedFinding {
    SeedFinding {
        variant: variant.into(),
        name: name.into(),
        quantity: quantity.into(),
        intervention,
        seeds: 2,
        items: 40,
        clusters: 40,
        mean: Some(mean),
        low: Some(mean - 0.1),
        high: Some(mean + 0.1),
        between_seeds: Some(0.02),
        bootstrap_low: None,
        bootstrap_high: None,
        items_low: Some(mean - 0.06),
        items_high: Some(mean + 0.06),
        effect: Some(mean),
        effect_low: Some(mean - 0.2),
        effect_high: Some(mean + 0.2),
        tau2: Some(0.0),
        tau2_dersimonian_laird: Some(0.0),
        q: Some(0.4),
        q_p: Some(0.5),
        i2: Some(0.0),
        reason: None,
    }
}

fn group(k: Option<usize>, x: &str, r: Option<f64>) -> GroupFinding {
    GroupFinding {
        group: "latents".into(),
        arms: vec!["lvr".into(), "n-lvr".into()],
        k,
        x: x.into(),
        seeds: 2,
        r,
        low: r.map(|r| r - 0.3),
        high: r.map(|r| r + 0.4),
        least: r.map(|r| r - 0.1),
        greatest: r.map(|r| r + 0.1),
        below_zero: r.map(|_| true),
        reason: r.is_none().then(|| "fewer than three arms have a cosine".into()),
    }
}

fn contrast(k: Option<usize>, delta: Option<f64>) -> ContrastFinding {
    ContrastFinding {
        arm: "lvr".into(),
        against: "n-lvr".into(),
        k,
        seeds: 2,
        delta,
        low: delta.map(|d| d - 0.05),
        high: delta.map(|d| d + 0.05),
        p: delta.map(|_| 0.3),
        reason: delta.is_none().then(|| "one seed has both".into()),
    }
}
