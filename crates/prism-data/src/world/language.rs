//! What can be said about a scene besides its benchmark question: the material a
//! base model learns to see from. Turns carry bare answers and no image markers.

use std::collections::BTreeSet;

use prism_run::Turn;
use prism_run::random::Stream;

use super::object::{Colour, Object, Shape};
use super::question::{Kind, Question, Wish, Word, ask};
use super::scene::{Scene, Split};
use super::{Side, World};
use crate::prompt;

/// Asks for a caption.
pub const CAPTION_REQUEST: &str = "Describe the image.";

/// A question of `kind` about `scene` with everything else random; `None` when the
/// scene has none (objects too close along the axis).
pub fn random_question(world: &World, scene: &Scene, kind: Kind, stream: &mut Stream) -> Option<Question> {
    ask(scene, Wish::random(kind, stream), world.config().separation, stream, |_, _, _| true)
}

/// Up to `count` different questions of the given kinds, answered by words
/// (`letters` false: "red") or by letters ("C", with options in the question).
pub fn turns(world: &World, scene: &Scene, kinds: &[Kind], letters: bool, count: usize, stream: &mut Stream) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::with_capacity(count);
    if kinds.is_empty() {
        return turns;
    }
    for _ in 0..4 * count {
        if turns.len() == count {
            break;
        }
        let kind = kinds[stream.below(kinds.len())];
        let Some(question) = random_question(world, scene, kind, stream) else { continue };
        let turn = if letters { question.letter_turn(scene) } else { question.word_turn(scene) };
        if !turns.iter().any(|t| t.question == turn.question) {
            turns.push(turn);
        }
    }
    turns
}

/// Every object in reading order: "red star, blue circle, ...".
pub fn caption(scene: &Scene) -> Turn {
    let objects: Vec<String> = scene.reading_order().into_iter().map(|i| phrase(&scene.objects[i])).collect();
    Turn { question: CAPTION_REQUEST.into(), answer: objects.join(", ") }
}

fn phrase(object: &Object) -> String {
    format!("{} {}", object.colour, object.shape)
}

/// Every sentence form of the world with every word in its place at least once:
/// enough for a tokenizer to be made from.
pub fn sentences() -> Vec<String> {
    let object = |shape, colour, left| Object { shape, colour, left, top: left, size: 20 };
    let mut sentences = vec![CAPTION_REQUEST.to_string()];
    for (shape, colour) in Shape::ALL.into_iter().zip(Colour::ALL) {
        let other = Shape::ALL[(shape.index() + 1) % Shape::ALL.len()];
        let scene = Scene { side: 168, objects: vec![object(shape, colour, 10), object(other, colour, 60)], backdrop: 0, noise: 0.0 };
        let words: [(Kind, Vec<Word>); 4] = [
            (Kind::ColourOf, Colour::ALL[..4].iter().map(|&c| Word::Colour(c)).collect()),
            (Kind::ShapeOf, Shape::ALL[4..].iter().map(|&s| Word::Shape(s)).collect()),
            (Kind::Horizontal, vec![Word::Side(Side::Left), Word::Side(Side::Right)]),
            (Kind::Vertical, vec![Word::Side(Side::Above), Word::Side(Side::Below)]),
        ];
        for (kind, options) in words {
            let answer = shape.index() % options.len();
            let question = Question { kind, target: 0, reference: kind.is_position().then_some(1), options, answer };
            sentences.push(question.prompt(&scene));
            sentences.push(prompt::answer_text(&question.label()));
            sentences.push(prompt::answer_text(&question.answer_word().to_string()));
        }
        sentences.push(caption(&scene).answer);
    }
    sentences
}

/// Every word, letter and punctuation mark of questions, options, captions and
/// answers, sorted: runs of letters, and each other character by itself (the newline
/// included, the space not).
pub fn words() -> Vec<String> {
    let mut words = BTreeSet::new();
    for sentence in sentences() {
        let mut run = String::new();
        for c in sentence.chars().chain([' ']) {
            if c.is_alphabetic() {
                run.push(c);
                continue;
            }
            if !run.is_empty() {
                words.insert(std::mem::take(&mut run));
            }
            if c != ' ' {
                words.insert(c.to_string());
            }
        }
    }
    words.extend(Colour::ALL.map(|c| c.name().to_string()));
    words.extend(Shape::ALL.map(|s| s.name().to_string()));
    words.into_iter().collect()
}

impl World {
    /// A training-fold scene for making the base: stream (seed, "world base", index),
    /// so it never repeats a scene of the training file.
    pub fn base_scene(&self, index: usize) -> Scene {
        let mut stream = Stream::new(self.config().seed, "world base", &[&index.to_string()]);
        self.scene(&mut stream, Split::Train)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::WorldConfig;

    #[test]
    fn the_word_list_covers_all_the_world_says() {
        let words: BTreeSet<String> = words().into_iter().collect();
        for word in ["star", "black", "left", "below", "Options", "A", "D", "?", ",", "'", "\n", "<", "answer", "object", "Describe"] {
            assert!(words.contains(word), "{word:?} is missing");
        }
        let world = WorldConfig::default().check().unwrap();
        for i in 0..50 {
            let scene = world.base_scene(i);
            let mut stream = Stream::new(0, "test", &[&i.to_string()]);
            let mut said = turns(&world, &scene, &Kind::ALL, i % 2 == 0, 4, &mut stream);
            assert!(!said.is_empty());
            said.push(caption(&scene));
            for turn in said {
                for text in [turn.question, turn.answer] {
                    for word in text.split(|c: char| !c.is_alphabetic()).filter(|w| !w.is_empty()) {
                        assert!(words.contains(word), "{word:?} is missing");
                    }
                }
            }
        }
    }

    #[test]
    fn a_caption_names_every_object() {
        let world = WorldConfig::default().check().unwrap();
        assert_eq!(caption(&world.base_scene(0)).answer.split(", ").count(), 8);
    }
}
