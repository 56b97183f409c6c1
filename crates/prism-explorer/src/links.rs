//! Where the numbers of runs lead: to the examples that they count.

use prism_report::document::Behind;
use prism_report::document::behind::Links;
use prism_run::Intervention;

use super::filter::Filter;
use super::library::{Run, Snapshot};

/// Links to the examples of some runs.
#[derive(Debug)]
pub struct OfRuns<'a> {
    /// Id of the run, id of its variant, its seed.
    runs: Vec<(&'a str, &'a str, Option<i64>)>,
}

impl<'a> OfRuns<'a> {
    /// Links to the examples of these runs.
    pub fn new(snapshot: &'a Snapshot, runs: impl IntoIterator<Item = &'a Run>) -> Self {
        Self { runs: runs.into_iter().map(|run| (run.id.as_str(), snapshot.style(run).id.as_str(), seed(run))).collect() }
    }
}

impl Links for OfRuns<'_> {
    fn behind(&self, behind: &Behind) -> Option<String> {
        let mut of = self.runs.iter().filter(|(_, variant, seed)| *variant == behind.variant && *seed == behind.seed);
        let (id, ..) = of.next()?;
        // Of two runs of one variant and seed it is not known which is meant.
        of.next().is_none().then(|| format!("/runs/{id}/examples{}", Filter::behind(behind).query(1)))
    }
}

/// The examples of a run under an intervention.
pub fn behind(snapshot: &Snapshot, run: &Run, intervention: Intervention) -> Behind {
    Behind::under(&snapshot.style(run).id, seed(run), intervention)
}

fn seed(run: &Run) -> Option<i64> {
    run.manifest.seed.and_then(|seed| i64::try_from(seed).ok())
}
