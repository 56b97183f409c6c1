//! The counterfactual partner of a test example: the same scene and question with
//! the one attribute changed that changes the answer.

use prism_run::random::Stream;

use super::config::GAP;
use super::object::Object;
use super::question::{Question, Wish, Word};
use super::scene::{Scene, is_held_out};

/// Scene and question of the partner: the target takes the colour or shape of option
/// `wish.partner`, or moves to the other side of the reference; nothing else changes.
/// `None` when the target cannot, or would leave the held-out fold.
pub fn partner(scene: &Scene, question: &Question, wish: Wish, separation: [u32; 2], stream: &mut Stream) -> Option<(Scene, Question)> {
    let word = *question.options.get(wish.partner)?;
    let target = *scene.objects.get(question.target)?;
    let changed = match word {
        Word::Colour(_) | Word::Shape(_) => target.with(word),
        Word::Side(side) => {
            let reference = *scene.objects.get(question.reference?)?;
            let room = (scene.side - 2 * GAP - target.size + 1) as usize;
            // Along the asked axis first; anywhere on the right side otherwise.
            (0..80).find_map(|attempt| {
                let (left, top) = (GAP + stream.below(room) as u32, GAP + stream.below(room) as u32);
                let moved = match (attempt < 40, side.is_horizontal()) {
                    (true, true) => Object { left, ..target },
                    (true, false) => Object { top, ..target },
                    (false, _) => Object { left, top, ..target },
                };
                let fits = side.holds(&moved, &reference, separation) && scene.admits(question.target, &moved) && is_held_out(&moved);
                fits.then_some(moved)
            })?
        }
    };
    if !is_held_out(&changed) {
        return None;
    }
    let mut objects = scene.objects.clone();
    *objects.get_mut(question.target)? = changed;
    Some((Scene { objects, ..scene.clone() }, Question { answer: wish.partner, ..question.clone() }))
}
