//! The change of accuracy under an intervention, the same wherever it is printed.

use prism_audit::Findings;
use prism_audit::findings::{FaithfulnessFinding, VerdictFinding};
use prism_run::Intervention;

/// The category of rows that speak of the whole benchmark.
pub const ALL: &str = "all";

/// A change of accuracy with its interval, all from the same examples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// Accuracy minus clean accuracy.
    pub delta: f64,
    /// 95 % interval.
    pub low: Option<f64>,
    /// 95 % interval.
    pub high: Option<f64>,
    /// Wrong clean, right under the intervention.
    pub gained: usize,
    /// Right clean, wrong under the intervention.
    pub lost: usize,
}

/// The row of an intervention over the whole benchmark.
pub fn effect(findings: &Findings, intervention: Intervention) -> Option<&FaithfulnessFinding> {
    findings.faithfulness.iter().find(|f| f.category == ALL && f.intervention == intervention)
}

/// What an intervention shows.
pub fn shown(findings: &Findings, intervention: Intervention) -> Option<&VerdictFinding> {
    findings.verdict.iter().find(|v| v.intervention == intervention)
}

/// Whether the latent block never opened in the clean run. Under an intervention that leaves the block out none ever does.
pub fn is_silent(findings: &Findings) -> bool {
    effect(findings, Intervention::CLEAN).is_some_and(|c| c.opened == Some(0.0))
}

/// The change under an intervention on the examples its verdict reads, those whose block opened in the
/// clean run; of what has no verdict, on all. `None` where no latent ran: nothing was changed, and a zero
/// would be no finding.
pub fn change(findings: &Findings, intervention: Intervention) -> Option<Change> {
    if is_silent(findings) {
        return None;
    }
    if let Some(v) = shown(findings, intervention) {
        let delta = v.delta.filter(|d| d.is_finite())?;
        return Some(Change { delta, low: v.delta_low, high: v.delta_high, gained: v.gained, lost: v.lost });
    }
    let f = effect(findings, intervention)?;
    let delta = f.delta.filter(|d| d.is_finite())?;
    Some(Change { delta, low: f.delta_low, high: f.delta_high, gained: f.gained, lost: f.lost })
}
