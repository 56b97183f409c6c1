//! More hooks that replace the fed-back vector: by what a pool of clean runs says, by its
//! own first step, by a mixture; and hooks that bound others to steps.

use std::sync::Arc;

use prism_run::Scope;
use prism_run::random::Stream;

use super::block_begin_end::Place;
use super::intervention::{Latents, NoiseSource};
use super::site::{Hook, Refusal, Side, Site};
use super::statistics::LatentStatistics;
use super::trajectory::norm;

/// The place, at the input of a latent forward; `None` at every other site.
fn input(site: Site) -> Option<Place> {
    (site.side == Side::Input).then_some(site.place).flatten()
}

fn unknown(place: Place) -> Refusal {
    Refusal(format!("no member of the donor pool ran the {} stage", place.stage.name()))
}

/// `h + scale * spread * N(0, I)`, spread measured per dimension over the pool.
#[derive(Debug, Clone)]
pub struct RelativeNoise {
    /// Share of the spread.
    pub scale: f64,
    /// What was measured.
    pub statistics: Arc<LatentStatistics>,
    /// Where the draws come from.
    pub source: NoiseSource,
}

impl Hook for RelativeNoise {
    fn at(&mut self, site: Site, vector: &[f32]) -> Result<Option<Vec<f32>>, Refusal> {
        let Some(place) = input(site) else { return Ok(None) };
        let spread = self.statistics.spread(place.stage).ok_or_else(|| unknown(place))?;
        let draw = self.source.draw(site, vector.len())?;
        let scale = self.scale as f32;
        Ok(Some(vector.iter().zip(draw).zip(spread).map(|((h, z), s)| h + scale * s * z).collect()))
    }
}

/// A random direction with the norm of `h`.
#[derive(Debug, Clone)]
pub struct NormMatched {
    /// Where the draws come from.
    pub source: NoiseSource,
}

impl Hook for NormMatched {
    fn at(&mut self, site: Site, vector: &[f32]) -> Result<Option<Vec<f32>>, Refusal> {
        if site.side == Side::Output {
            return Ok(None);
        }
        let draw = self.source.draw(site, vector.len())?;
        let scale = (norm(vector) / norm(&draw).max(f64::MIN_POSITIVE)) as f32;
        Ok(Some(draw.into_iter().map(|z| scale * z).collect()))
    }
}

/// What takes the place of `h` when the pool's statistics do.
#[derive(Debug, Clone)]
pub enum Typical {
    /// The mean at the step.
    Mean,
    /// The mean over all steps.
    Constant,
    /// A draw with the pool's mean and covariance, keyed by seed and example.
    Draw(u64, String),
}

/// `h` becomes what is typical of the pool.
#[derive(Debug, Clone)]
pub struct FromPool {
    /// What was measured.
    pub statistics: Arc<LatentStatistics>,
    /// What is taken of it.
    pub typical: Typical,
}

impl Hook for FromPool {
    fn at(&mut self, site: Site, _: &[f32]) -> Result<Option<Vec<f32>>, Refusal> {
        let Some(place) = input(site) else { return Ok(None) };
        let vector = match &self.typical {
            Typical::Mean => self.statistics.mean(place.stage, place.step),
            Typical::Constant => self.statistics.constant(place.stage),
            Typical::Draw(seed, example) => {
                let mut stream = Stream::new(*seed, "latent draw", &[example, place.stage.name(), &place.step.to_string()]);
                self.statistics.draw(place.stage, place.step, &mut stream)
            }
        };
        vector.map(Some).ok_or_else(|| unknown(place))
    }
}

/// `h` becomes the first vector of its block that came by.
#[derive(Debug, Clone, Default)]
pub struct FirstRepeat {
    first: Option<(usize, prism_run::Stage, Vec<f32>)>,
}

impl Hook for FirstRepeat {
    fn at(&mut self, site: Site, vector: &[f32]) -> Result<Option<Vec<f32>>, Refusal> {
        let Some(place) = input(site) else { return Ok(None) };
        if let Some((block, stage, first)) = &self.first
            && (*block, *stage) == (place.block, place.stage)
        {
            return Ok(Some(first.clone()));
        }
        self.first = Some((place.block, place.stage, vector.to_vec()));
        Ok(None)
    }
}

/// `(1 - share) * h + share * donor`; a share of 0 changes no bit.
#[derive(Debug, Clone)]
pub struct Mix {
    /// The donor's share.
    pub share: f64,
    /// The donor's clean latents.
    pub donor: Arc<Latents>,
}

impl Hook for Mix {
    fn at(&mut self, site: Site, vector: &[f32]) -> Result<Option<Vec<f32>>, Refusal> {
        let Some(place) = input(site) else { return Ok(None) };
        let Some(donor) = self.donor.at(place.stage, place.step) else {
            return Err(Refusal(format!("donor row {} never ran the {} stage: nothing to mix in", self.donor.row, place.stage.name())));
        };
        let share = self.share as f32;
        Ok(Some(vector.iter().zip(donor).map(|(h, v)| h + share * (v - h)).collect()))
    }
}

/// Another hook, asked only where the scope holds.
pub struct Scoped<'a> {
    /// Where.
    pub scope: Scope,
    /// What.
    pub hook: Box<dyn Hook + 'a>,
}

impl Hook for Scoped<'_> {
    fn at(&mut self, site: Site, vector: &[f32]) -> Result<Option<Vec<f32>>, Refusal> {
        match site.place {
            Some(place) if self.scope.holds(place.stage, place.step) => self.hook.at(site, vector),
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use prism_run::Stage;

    use super::*;

    fn site(step: usize) -> Site {
        let place = Place { stage: Stage::Target, block: 0, step, block_step: step };
        Site { iteration: step + 2, latent: step, place: Some(place), side: Side::Input }
    }

    fn source() -> NoiseSource {
        NoiseSource::Keyed { seed: 3, example: "q7".into() }
    }

    #[test]
    fn a_random_direction_keeps_the_norm() {
        let h = [3.0f32, -4.0, 0.0, 12.0];
        let new = NormMatched { source: source() }.at(site(0), &h).unwrap().unwrap();
        assert!((norm(&new) - 13.0).abs() < 1e-5 && new != h);
    }

    #[test]
    fn nothing_of_a_donor_changes_no_bit_and_all_of_it_is_the_donor() {
        let donor = Arc::new(Latents { row: 2, context: vec![], target: vec![vec![1.0, 5.0]] });
        let h = [0.3f32, -1e-9];
        let mixed = |share| Mix { share, donor: donor.clone() }.at(site(0), &h).unwrap().unwrap();
        assert_eq!(mixed(0.0), h);
        assert_eq!(mixed(1.0), [1.0, 5.0]);
    }

    #[test]
    fn relative_noise_follows_the_spread() {
        let member = |x: f32| Arc::new(Latents { row: 0, context: vec![], target: vec![vec![x, 10.0 * x, 4.0]] });
        let statistics = Arc::new(LatentStatistics::of(&[member(1.0), member(-1.0)]));
        let mut noise = RelativeNoise { scale: 1.0, statistics, source: source() };
        let new = noise.at(site(0), &[0.0, 0.0, 7.0]).unwrap().unwrap();
        let draw = source().draw(site(0), 3).unwrap();
        assert_eq!(new, [draw[0], 10.0 * draw[1], 7.0]);
    }

    #[test]
    fn the_first_vector_comes_again_and_only_where_the_scope_holds() {
        let mut first = FirstRepeat::default();
        assert_eq!(first.at(site(0), &[1.0]).unwrap(), None);
        assert_eq!(first.at(site(1), &[2.0]).unwrap(), Some(vec![1.0]));
        let scope = Scope { steps: Some((1, 1)), ..Scope::default() };
        let mut zero = Scoped { scope, hook: Box::new(super::super::Zero) };
        assert_eq!(zero.at(site(0), &[1.0]).unwrap(), None);
        assert_eq!(zero.at(site(1), &[1.0]).unwrap(), Some(vec![0.0]));
    }
}
