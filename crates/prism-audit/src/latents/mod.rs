//! The latents of the clean run by themselves: their geometry, how they stand to their
//! teacher targets, what they would say, and where the model looks while it makes them.

pub mod attention;
pub mod geometry;
pub mod lens;
pub mod projection;
pub mod retrieval;
pub mod sets;
pub mod whitening;
