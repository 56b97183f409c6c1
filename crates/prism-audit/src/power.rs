//! What a benchmark of this size can show, said before the run starts.
//!
//! Nothing of the run is known yet, so two things are assumed: of latents that nothing reads
//! an exchange changes one answer in a hundred; and in a run that loses, one answer in ten is
//! right in one run only. The plan is the rule's own arithmetic, so what it promises and what a
//! run prints cannot disagree.

use crate::AuditSettings;
use crate::statistics::clopper_pearson::needed_for_unchanged;
use crate::statistics::equivalence::detectable_difference;

/// Share of changed answers assumed where nothing reads the latents.
pub const ASSUMED: f64 = 0.01;
/// Discordance assumed where accuracy falls.
pub const DISCORDANCE: f64 = 0.10;
/// Power the sizes are computed for.
pub const POWER: f64 = 0.8;

/// What so many examples can show.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Planned {
    /// Examples.
    pub examples: usize,
    /// Independent examples they are worth: clusters, where examples form clusters.
    pub independent: usize,
    /// Tests of the content family.
    pub tests: usize,
    /// Smallest loss of accuracy shown with that power as the first of the family; `None` when
    /// even all discordant examples on one side would not show it.
    pub detectable: Option<f64>,
    /// Independent examples `bypassed` takes where not one answer changes.
    pub silent: Option<usize>,
    /// Independent examples `bypassed` needs where one answer in a hundred changes.
    pub needed: Option<usize>,
    /// The margin.
    pub margin: f64,
    /// The level.
    pub alpha: f64,
}

/// The sizes for `examples` examples worth `independent` ones, with `tests` members of the declared content set to run.
pub fn planned(examples: usize, independent: usize, tests: usize, settings: &AuditSettings) -> Planned {
    // A loss must be shown, and it must be at least the margin.
    let shown = detectable_difference(examples, DISCORDANCE, settings.alpha / tests.max(1) as f64, POWER);
    Planned {
        examples,
        independent,
        tests,
        detectable: shown.map(|loss| loss.max(settings.equivalence_margin)),
        silent: needed_for_unchanged(0.0, settings.equivalence_margin, settings.alpha, POWER),
        needed: needed_for_unchanged(ASSUMED, settings.equivalence_margin, settings.alpha, POWER),
        margin: settings.equivalence_margin,
        alpha: settings.alpha,
    }
}

impl Planned {
    /// Whether `bypassed` can be expected of latents that nothing reads.
    pub fn can_show_bypass(&self) -> bool {
        self.needed.is_some_and(|needed| self.independent >= needed)
    }

    /// One line.
    pub fn in_words(&self) -> String {
        let loss = self.detectable.map_or("no loss of any size".to_string(), |v| format!("a loss of {:.1} points or more", 100.0 * v));
        let enough = match (self.needed, self.can_show_bypass()) {
            (None, _) => format!("a margin of {:.1} points cannot show `bypassed`", 100.0 * self.margin),
            (Some(needed), true) => format!("enough for `bypassed` where nothing reads the latents (it takes {needed})"),
            (Some(needed), false) => match self.silent.filter(|silent| self.independent >= *silent) {
                Some(_) => {
                    format!("enough for `bypassed` only where not one answer changes (where one in a hundred does it takes {needed})")
                }
                None => format!("too few for `bypassed` ({needed} would do where nothing reads the latents)"),
            },
        };
        let worth = match self.independent == self.examples {
            true => String::new(),
            false => format!(" in {} clusters", self.independent),
        };
        format!(
            "{} examples{worth}: {enough}; of latents that are used they show {loss} ({:.0} % power, {} tests, alpha {}, margin {:.1} points)",
            self.examples,
            100.0 * POWER,
            self.tests,
            self.alpha,
            100.0 * self.margin,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_what_is_needed() {
        let settings = AuditSettings::default();
        let vstar = planned(191, 191, 5, &settings);
        assert_eq!(vstar.needed, Some(124));
        assert!(vstar.in_words().contains("enough for `bypassed`") && !vstar.in_words().contains('\n'), "{}", vstar.in_words());
        let few = planned(50, 50, 5, &settings);
        assert!(few.in_words().contains("too few for `bypassed`"), "{}", few.in_words());
        assert!(planned(600, 100, 5, &settings).in_words().contains("in 100 clusters"));
        let some = planned(59, 59, 5, &settings);
        assert!(some.in_words().contains("only where not one answer changes"), "59 silent answers are `bypassed`: {}", some.in_words());
        assert_eq!(
            (some.silent, planned(5000, 5000, 4, &settings).detectable),
            (Some(59), Some(0.05)),
            "a loss below the margin is no loss"
        );
        assert!(planned(20, 20, 5, &settings).in_words().contains("no loss of any size"), "twenty show nothing");
    }
}
