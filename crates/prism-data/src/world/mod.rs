//! The generated world: visual search in clutter, the small sister of V*Bench.
//!
//! [`WorldConfig`] (a recipe's keys) is checked into a [`World`]; the world draws
//! [`Scene`]s from keyed streams, [`render`]s them, asks [`Question`]s with exactly
//! balanced labels, and finds each test example's counterfactual partner.

mod config;
mod counterfactual;
mod dense;
pub mod language;
mod object;
mod plan;
mod preview;
mod question;
mod render;
mod scene;
mod write;

pub use config::{CELL, World, WorldConfig};
pub use dense::{CellLabel, dense_labels};
pub use object::{Colour, Object, Shape};
pub use plan::{TestPair, TrainScene};
pub use question::{Kind, Question, Side, Wish, Word};
pub use render::render;
pub use scene::{Scene, Split, is_held_out};
pub use write::{RECIPE, write_scene};
