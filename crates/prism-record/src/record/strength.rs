//! How strong a branch was on one example ([`AnswerRow::strength`](prism_run::records::AnswerRow)):
//! what was put in against what the example had there when clean, in units of the donor pool's
//! spread.

use std::sync::Arc;

use prism_run::{Action, Intervention};

use super::donors::Donors;
use super::example::Begun;
use crate::decode::{Latents, Place, Strength, Trajectory};

/// What a branch of one example is measured with.
pub(super) struct Measured<'a> {
    pub begun: &'a Begun,
    pub donors: &'a Donors,
    /// Row of the donor, if there is one.
    pub donor: Option<usize>,
}

impl Measured<'_> {
    /// The strength of `branch`, which ran as `run`: over the steps it acts on that the clean run
    /// had too. `None` where nothing was put in, within a layer, or without spread.
    pub fn strength(&self, branch: &Intervention, run: &Trajectory) -> Option<f64> {
        if !branch.action.replaces() || branch.scope.layer.is_some() {
            return None;
        }
        let of_keys_values = branch.action.gives_keys_values();
        let (clean, spread) = match of_keys_values {
            true => (self.begun.keys_values.as_ref()?, self.donors.keys_values_spread()),
            false => (self.begun.latents.as_ref()?, self.donors.spread()),
        };
        let given = if of_keys_values { Some(self.given(clean)?) } else { None };
        let mut strength = Strength::default();
        for (place, forward) in run.latent_forwards().filter(|(place, _)| acts(branch, *place)) {
            let put = match given {
                Some(donor) => donor.at(place.stage, place.step),
                None => forward.fed.as_deref(),
            };
            let own = clean.stage(place.stage).get(place.step);
            if let (Some(put), Some(own), Some(spread)) = (put, own, spread.at(place.stage, place.step)) {
                strength.add(put, own, spread);
            }
        }
        strength.mean()
    }

    /// The donor's keys and values; `own` where it is the example itself.
    fn given<'b>(&'b self, own: &'b Arc<Latents>) -> Option<&'b Arc<Latents>> {
        let row = self.donor?;
        if row == own.row { Some(own) } else { self.donors.keys_values(row) }
    }
}

/// Whether the branch puts something in at `place`.
fn acts(branch: &Intervention, place: Place) -> bool {
    let ended = matches!(branch.action, Action::Forced(steps) if place.step >= steps);
    branch.scope.holds(place.stage, place.step) && !ended
}
