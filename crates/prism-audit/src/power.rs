//! What a benchmark of this size can show, told before the run starts.
//!
//! Nothing of the run is known yet, so the discordance is assumed: the share of examples
//! right in one of the two runs only.

use crate::AuditSettings;
use crate::statistics::equivalence::{detectable_difference, needed_for_equivalence};

/// Discordance assumed: about what published corruptions of this kind show.
pub const DISCORDANCE: f64 = 0.10;
/// Power the sizes are computed for.
pub const POWER: f64 = 0.8;

/// What so many examples can show.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Planned {
    /// Examples.
    pub examples: usize,
    /// Interventions tested as one family.
    pub tests: usize,
    /// Assumed discordance.
    pub discordance: f64,
    /// Smallest |change of accuracy| shown with that power by one test alone; `None` when
    /// even all discordant examples on one side would not show it.
    pub detectable: Option<f64>,
    /// The same at alpha over the number of tests, the first step of Holm's adjustment.
    pub detectable_in_family: Option<f64>,
    /// Examples the equivalence test needs.
    pub needed: usize,
    /// The equivalence margin.
    pub margin: f64,
    /// The level.
    pub alpha: f64,
}

/// The sizes for `examples` examples under `tests` interventions.
pub fn planned(examples: usize, tests: usize, settings: &AuditSettings) -> Planned {
    let at = |alpha: f64| detectable_difference(examples, DISCORDANCE, alpha, POWER);
    Planned {
        examples,
        tests,
        discordance: DISCORDANCE,
        detectable: at(settings.alpha),
        detectable_in_family: at(settings.alpha / tests.max(1) as f64),
        needed: needed_for_equivalence(DISCORDANCE, settings.equivalence_margin, settings.alpha, POWER),
        margin: settings.equivalence_margin,
        alpha: settings.alpha,
    }
}

impl Planned {
    /// One line.
    pub fn in_words(&self) -> String {
        let points = |value: Option<f64>| {
            value.map_or("no change of any size".to_string(), |v| format!("a change of at least {:.1} points", 100.0 * v))
        };
        let enough = if self.examples < self.needed {
            "too few to expect `bypassed`"
        } else {
            "enough to expect `bypassed` of latents nothing reads"
        };
        format!(
            "{} examples can show (if {:.0} % are right in one run only; {:.0} % power, alpha {}): {} by one test, \
             {} as the first of {} adjusted; no change beyond ±{:.1} points takes {}: {enough}",
            self.examples,
            100.0 * self.discordance,
            100.0 * POWER,
            self.alpha,
            points(self.detectable),
            points(self.detectable_in_family),
            self.tests,
            100.0 * self.margin,
            self.needed,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_tests_show_less_and_the_line_says_what_is_needed() {
        let vstar = planned(191, 5, &AuditSettings::default());
        assert!(vstar.detectable.unwrap() < vstar.detectable_in_family.unwrap(), "{vstar:?}");
        assert_eq!(vstar.needed, 343);
        let line = vstar.in_words();
        assert!(line.contains("takes 343: too few") && !line.contains('\n'), "{line}");
        assert!(planned(400, 5, &AuditSettings::default()).in_words().contains("enough"));
        assert!(planned(20, 5, &AuditSettings::default()).in_words().contains("no change of any size"), "twenty show nothing");
    }
}
