//! What can be said about a scene besides its benchmark question: the material a
//! base model learns to see from. Turns carry bare answers and no image markers.

use std::collections::BTreeSet;

use prism_run::Turn;
use prism_run::random::Stream;

use super::object::{Colour, Object, Shape};
use super::question::{Kind, Question, Wish, Word, ask_as_it_is};
use super::scene::{Scene, Split};
use super::{Side, World};
use crate::prompt;

/// Asks for the objects, colour first.
pub const COLOURS_REQUEST: &str = "Name the shape of every color.";
/// Asks for the objects, shape first.
pub const SHAPES_REQUEST: &str = "Name the color of every shape.";

/// A question of `kind` about `scene` with everything else random; `None` when the
/// scene has none (objects too close along the axis).
pub fn random_question(world: &World, scene: &Scene, kind: Kind, stream: &mut Stream) -> Option<Question> {
    ask_as_it_is(scene, Wish::random(kind, stream), world.config().separation, stream)
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

/// Asks for the letters of a list of options.
pub const LIST_REQUEST: &str = "Name the letter of every option.";

/// A list of options (colours, shapes or sides) without a scene, asked for the letter of one of its words
/// ("What is the letter of red?", "C"), or of all of them in a random order
/// (`whole`: "red C, blue A, ..."). A model that cannot find a word in a list cannot
/// answer by letters, however well it sees.
pub fn list_turn(whole: bool, stream: &mut Stream) -> Turn {
    let mut words: Vec<String> = match stream.below(3) {
        0 => Colour::ALL.map(|c| c.name().to_string()).to_vec(),
        1 => Shape::ALL.map(|s| s.name().to_string()).to_vec(),
        _ => Side::ALL.map(|s| Word::Side(s).to_string()).to_vec(),
    };
    stream.shuffle(&mut words);
    words.truncate(2 + stream.below(3));
    let mut named: Vec<String> = words.iter().zip(0..).map(|(word, i)| format!("{word} {}", prompt::letter(i).unwrap_or('?'))).collect();
    stream.shuffle(&mut named);
    if whole {
        return Turn { question: prompt::multiple_choice(LIST_REQUEST, &words), answer: named.join(", ") };
    }
    let asked = stream.below(words.len());
    let question = format!("What is the letter of {}?", words[asked]);
    Turn { question: prompt::multiple_choice(&question, &words), answer: prompt::letter(asked).map(String::from).unwrap_or_default() }
}

/// The objects in a random order, each by its colour and then its shape ("red star,
/// blue circle", `shape_first` false) or the other way round ("star red, ..."). Named
/// are those whose first word is theirs alone in the scene: the second word is then
/// certain, and one picture asks for many look-ups. `None` when no object qualifies.
pub fn listing(scene: &Scene, shape_first: bool, stream: &mut Stream) -> Option<Turn> {
    let mut named = if shape_first { scene.unique_shapes() } else { scene.unique_colours() };
    stream.shuffle(&mut named);
    let phrase = |o: &Object| match shape_first {
        true => format!("{} {}", o.shape, o.colour),
        false => format!("{} {}", o.colour, o.shape),
    };
    let objects: Vec<String> = named.into_iter().map(|i| phrase(&scene.objects[i])).collect();
    let request = if shape_first { SHAPES_REQUEST } else { COLOURS_REQUEST };
    (!objects.is_empty()).then(|| Turn { question: request.into(), answer: objects.join(", ") })
}

/// How an object is named.
type Name = fn(&Object) -> String;

/// A listing whose second words are given as the letters of four options: "star B,
/// circle A". What it teaches, finding a value in the image and then its letter, is what
/// a benchmark question asks once.
pub fn lettered_listing(scene: &Scene, shape_first: bool, stream: &mut Stream) -> Option<Turn> {
    let (first, second): (Name, Name) = match shape_first {
        true => (|o| o.shape.to_string(), |o| o.colour.to_string()),
        false => (|o| o.colour.to_string(), |o| o.shape.to_string()),
    };
    let mut named = if shape_first { scene.unique_shapes() } else { scene.unique_colours() };
    stream.shuffle(&mut named);
    let mut options: Vec<String> = Vec::new();
    let mut others: Vec<String> = match shape_first {
        true => Colour::ALL.map(|c| c.to_string()).to_vec(),
        false => Shape::ALL.map(|s| s.to_string()).to_vec(),
    };
    stream.shuffle(&mut others);
    for word in named.iter().map(|&i| second(&scene.objects[i])).chain(others) {
        if options.len() < 4 && !options.contains(&word) {
            options.push(word);
        }
    }
    stream.shuffle(&mut options);
    let told = named.into_iter().filter_map(|i| {
        let object = &scene.objects[i];
        let at = options.iter().position(|option| *option == second(object))?;
        Some(format!("{} {}", first(object), prompt::letter(at)?))
    });
    let told: Vec<String> = told.collect();
    let request = if shape_first { SHAPES_REQUEST } else { COLOURS_REQUEST };
    (!told.is_empty()).then(|| Turn { question: prompt::multiple_choice(request, &options), answer: told.join(", ") })
}

/// How an answer is told when the question may list its options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// "left"; the question has no options.
    Word,
    /// "A".
    Letter,
    /// "left A".
    Both,
}

/// Asks which shape stands left or right of which.
pub const HORIZONTAL_REQUEST: &str = "Compare the shapes: left or right?";
/// Asks which shape stands above or below which.
pub const VERTICAL_REQUEST: &str = "Compare the shapes: above or below?";

/// Up to `count` ordered pairs of shapes in a random order, each with the side of the
/// first seen from the second: "star circle left, ring star right". Pairs too close
/// along the axis, and shapes the scene has twice, are left out; `None` when no pair is
/// left. Unless `told` by the word alone, the two sides are the question's options.
pub fn comparison(world: &World, scene: &Scene, horizontal: bool, told: Told, count: usize, stream: &mut Stream) -> Option<Turn> {
    let (request, mut sides) = match horizontal {
        true => (HORIZONTAL_REQUEST, [Side::Left, Side::Right]),
        false => (VERTICAL_REQUEST, [Side::Above, Side::Below]),
    };
    stream.shuffle(&mut sides);
    let named = scene.unique_shapes();
    let mut pairs: Vec<(usize, usize)> = named.iter().flat_map(|&a| named.iter().map(move |&b| (a, b))).filter(|(a, b)| a != b).collect();
    stream.shuffle(&mut pairs);
    let words = sides.map(|side| Word::Side(side).to_string());
    let compared = pairs.into_iter().filter_map(|(a, b)| {
        let (a, b) = (&scene.objects[a], &scene.objects[b]);
        let at = sides.iter().position(|side| side.holds(a, b, world.config().separation))?;
        let (word, letter) = (&words[at], prompt::letter(at)?);
        Some(match told {
            Told::Word => format!("{} {} {word}", a.shape, b.shape),
            Told::Letter => format!("{} {} {letter}", a.shape, b.shape),
            Told::Both => format!("{} {} {word} {letter}", a.shape, b.shape),
        })
    });
    let compared: Vec<String> = compared.take(count).collect();
    let options: &[String] = if told == Told::Word { &[] } else { &words };
    (!compared.is_empty()).then(|| Turn { question: prompt::multiple_choice(request, options), answer: compared.join(", ") })
}

/// Every sentence form of the world with every word in its place at least once:
/// enough for a tokenizer to be made from.
pub fn sentences() -> Vec<String> {
    let object = |shape, colour, left| Object { shape, colour, left, top: left, size: 20 };
    let mut sentences = vec![
        COLOURS_REQUEST.to_string(),
        SHAPES_REQUEST.to_string(),
        LIST_REQUEST.to_string(),
        HORIZONTAL_REQUEST.to_string(),
        VERTICAL_REQUEST.to_string(),
        "What is the letter of red?".to_string(),
    ];
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
            sentences.push(question.spelled_turn(&scene).question);
            sentences.push(prompt::answer_text(&question.label()));
            sentences.push(prompt::answer_text(&question.answer_word().to_string()));
        }
        sentences.push(format!("{shape} {colour}, {other} {colour}"));
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
        for word in ["star", "black", "left", "below", "Options", "A", "D", "?", ",", "'", "\n", "<", "answer", "object", "Name"] {
            assert!(words.contains(word), "{word:?} is missing");
        }
        let world = WorldConfig::default().check().unwrap();
        for i in 0..50 {
            let scene = world.base_scene(i);
            let mut stream = Stream::new(0, "test", &[&i.to_string()]);
            let mut said = turns(&world, &scene, &Kind::ALL, i % 2 == 0, 4, &mut stream);
            assert!(!said.is_empty());
            said.extend(listing(&scene, i % 2 == 0, &mut stream));
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
    fn a_listing_names_what_its_first_word_tells_apart() {
        let world = WorldConfig::default().check().unwrap();
        for i in 0..20 {
            let scene = world.base_scene(i);
            let mut stream = Stream::new(0, "test", &[&i.to_string()]);
            let said = listing(&scene, true, &mut stream).unwrap().answer;
            assert_eq!(said.split(", ").count(), scene.unique_shapes().len());
            for pair in said.split(", ") {
                let (shape, colour) = pair.split_once(' ').unwrap();
                let object = scene.objects.iter().find(|o| o.shape.to_string() == shape).unwrap();
                assert_eq!(object.colour.to_string(), colour);
            }
        }
    }

    #[test]
    fn a_lettered_listing_points_at_the_options() {
        let world = WorldConfig::default().check().unwrap();
        for i in 0..20 {
            let scene = world.base_scene(i);
            let mut stream = Stream::new(0, "test", &[&i.to_string()]);
            let turn = lettered_listing(&scene, true, &mut stream).unwrap();
            let options = prompt::options_of(&turn.question);
            assert_eq!(options.len(), 4);
            for pair in turn.answer.split(", ") {
                let (shape, letter) = pair.split_once(' ').unwrap();
                let object = scene.objects.iter().find(|o| o.shape.to_string() == shape).unwrap();
                assert_eq!(options[usize::from(letter.as_bytes()[0] - b'A')], object.colour.to_string());
            }
        }
    }

    #[test]
    fn a_comparison_says_where_the_first_stands() {
        let world = WorldConfig::default().check().unwrap();
        for i in 0..20 {
            let scene = world.base_scene(i);
            let mut stream = Stream::new(0, "test", &[&i.to_string()]);
            let Some(turn) = comparison(&world, &scene, true, Told::Word, 3, &mut stream) else { continue };
            assert!(turn.answer.split(", ").count() <= 3);
            for told in turn.answer.split(", ") {
                let words: Vec<&str> = told.split(' ').collect();
                let x = |name: &str| scene.objects.iter().find(|o| o.shape.to_string() == name).unwrap().centre().0;
                assert_eq!(words[2] == "left", x(words[0]) < x(words[1]));
            }
        }
    }

    #[test]
    fn a_comparison_with_options_points_at_them() {
        let world = WorldConfig::default().check().unwrap();
        for i in 0..20 {
            let scene = world.base_scene(i);
            let mut stream = Stream::new(0, "test", &[&i.to_string()]);
            let Some(turn) = comparison(&world, &scene, false, Told::Both, 3, &mut stream) else { continue };
            let options = prompt::options_of(&turn.question);
            for told in turn.answer.split(", ") {
                let words: Vec<&str> = told.split(' ').collect();
                let y = |name: &str| scene.objects.iter().find(|o| o.shape.to_string() == name).unwrap().centre().1;
                assert_eq!(words[2] == "above", y(words[0]) < y(words[1]));
                assert_eq!(options[usize::from(words[3].as_bytes()[0] - b'A')], words[2]);
            }
        }
    }

    #[test]
    fn a_list_gives_every_word_its_letter() {
        for i in 0..40 {
            let mut stream = Stream::new(0, "test", &[&i.to_string()]);
            let turn = list_turn(i % 2 == 0, &mut stream);
            let options = prompt::options_of(&turn.question);
            let letter = |word: &str| prompt::letter(options.iter().position(|o| o == word).unwrap()).unwrap().to_string();
            if i % 2 == 0 {
                assert_eq!(turn.answer.split(", ").count(), options.len());
                assert!(turn.answer.split(", ").all(|pair| pair.split_once(' ').is_some_and(|(word, l)| letter(word) == l)));
            } else {
                let asked = turn.question.strip_prefix("What is the letter of ").and_then(|q| q.split_once('?')).unwrap().0;
                assert_eq!(turn.answer, letter(asked));
            }
        }
    }
}
