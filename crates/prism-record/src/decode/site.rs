//! Sites: the typed places of the decode loop where a vector can be read or
//! replaced; hooks: what does it.

use prism_run::Stage;

use super::block_begin_end::Place;

/// On which side of a forward the vector stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// The fed-back vector the forward is about to read (latent forwards only).
    Input,
    /// The state the forward produced: last layer, after the final norm.
    Output,
}

/// A place in one sequence's decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Site {
    /// The forward, counted from the prefill (0); forward `i` produces the `i`-th new token.
    pub iteration: usize,
    /// Latent forwards before this one, whatever their stage.
    pub latent: usize,
    /// The place in the latent block; `None` for forwards that read a token.
    pub place: Option<Place>,
    /// Before or after the forward.
    pub side: Side,
}

impl Site {
    /// The stage, for latent forwards.
    pub fn stage(&self) -> Option<Stage> {
        self.place.map(|p| p.stage)
    }
}

/// Why a hook cannot go on: its branch ends with this message, the others are unharmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(pub String);

/// Reads or replaces vectors at sites. A hook belongs to one branch and lives for
/// one call of [`decode`](super::decode), so no edit can leak into another.
pub trait Hook: Send {
    /// Sees `vector` (`[hidden]`) at `site`; `Some` takes its place, `None` leaves it.
    ///
    /// # Errors
    /// A [`Refusal`] when the hook has nothing to offer where it must.
    fn at(&mut self, site: Site, vector: &[f32]) -> Result<Option<Vec<f32>>, Refusal>;
}

/// The hook of a clean run: changes nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Untouched;

impl Hook for Untouched {
    fn at(&mut self, _: Site, _: &[f32]) -> Result<Option<Vec<f32>>, Refusal> {
        Ok(None)
    }
}
