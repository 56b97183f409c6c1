//! Questions about a scene: direct attribute (four options) and relative position (two).

use std::fmt;

use prism_run::random::Stream;
use prism_run::{RegionBox, Turn};

use super::object::{Colour, Object, Shape};
use super::scene::Scene;
use crate::prompt;

/// The four questions of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// "What is the color of the star?"
    ColourOf,
    /// "What is the shape of the red object?"
    ShapeOf,
    /// "Is the star to the left or to the right of the circle?"
    Horizontal,
    /// "Is the star above or below the circle?"
    Vertical,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 4] = [Kind::ColourOf, Kind::ShapeOf, Kind::Horizontal, Kind::Vertical];

    /// Whether it asks for a position.
    pub fn is_position(self) -> bool {
        matches!(self, Kind::Horizontal | Kind::Vertical)
    }

    /// What it asks for: `color`, `shape`, `left or right`, `above or below`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::ColourOf => "color",
            Kind::ShapeOf => "shape",
            Kind::Horizontal => "left or right",
            Kind::Vertical => "above or below",
        }
    }

    /// The subset of the benchmark, in V*Bench's words.
    pub fn category(self) -> &'static str {
        if self.is_position() { "relative_position" } else { "direct_attributes" }
    }
}

/// Where one object stands relative to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// To the left.
    Left,
    /// To the right.
    Right,
    /// Higher up.
    Above,
    /// Lower down.
    Below,
}

impl Side {
    /// All sides, by axis.
    pub const ALL: [Side; 4] = [Side::Left, Side::Right, Side::Above, Side::Below];

    /// The other side of the same axis.
    pub fn opposite(self) -> Self {
        match self {
            Side::Left => Side::Right,
            Side::Right => Side::Left,
            Side::Above => Side::Below,
            Side::Below => Side::Above,
        }
    }

    /// Whether the axis is the horizontal one.
    pub fn is_horizontal(self) -> bool {
        matches!(self, Side::Left | Side::Right)
    }

    /// Whether `object` stands on this side of `reference`, centres `separation[0]` to
    /// `separation[1]` pixels apart along the axis.
    pub fn holds(self, object: &Object, reference: &Object, separation: [u32; 2]) -> bool {
        let ((x, y), (rx, ry)) = (object.centre(), reference.centre());
        let beyond = match self {
            Side::Left => rx - x,
            Side::Right => x - rx,
            Side::Above => ry - y,
            Side::Below => y - ry,
        };
        (f64::from(separation[0])..=f64::from(separation[1])).contains(&beyond)
    }
}

/// The value of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Word {
    /// A colour.
    Colour(Colour),
    /// A shape.
    Shape(Shape),
    /// A side.
    Side(Side),
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Word::Colour(colour) => colour.name(),
            Word::Shape(shape) => shape.name(),
            Word::Side(Side::Left) => "left",
            Word::Side(Side::Right) => "right",
            Word::Side(Side::Above) => "above",
            Word::Side(Side::Below) => "below",
        })
    }
}

/// One question about one scene.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What is asked.
    pub kind: Kind,
    /// Index of the object asked about.
    pub target: usize,
    /// Index of the object it is compared with, for positions.
    pub reference: Option<usize>,
    /// The options in letter order.
    pub options: Vec<Word>,
    /// Index of the right option.
    pub answer: usize,
}

impl Question {
    /// The bare question, without options.
    pub fn text(&self, scene: &Scene) -> String {
        let name = |index: usize| scene.objects[index].shape.name();
        let target = name(self.target);
        let reference = name(self.reference.unwrap_or(self.target));
        match self.kind {
            Kind::ColourOf => format!("What is the color of the {target}?"),
            Kind::ShapeOf => format!("What is the shape of the {} object?", scene.objects[self.target].colour),
            Kind::Horizontal => format!("Is the {target} to the left or to the right of the {reference}?"),
            Kind::Vertical => format!("Is the {target} above or below the {reference}?"),
        }
    }

    /// The options' words in letter order.
    pub fn option_words(&self) -> Vec<String> {
        self.options.iter().map(Word::to_string).collect()
    }

    /// The user's text with options and instruction.
    pub fn prompt(&self, scene: &Scene) -> String {
        prompt::multiple_choice(&self.text(scene), &self.option_words())
    }

    /// The gold letter.
    pub fn label(&self) -> String {
        prompt::letter(self.answer).map(String::from).unwrap_or_default()
    }

    /// The right option's value.
    pub fn answer_word(&self) -> Word {
        self.options[self.answer]
    }

    /// Objects asked about: the target, then the reference.
    pub fn asked(&self) -> impl Iterator<Item = usize> + use<> {
        std::iter::once(self.target).chain(self.reference)
    }

    /// Their boxes, normalised, in the same order.
    pub fn boxes(&self, scene: &Scene) -> Vec<RegionBox> {
        self.asked().map(|i| scene.objects[i].region(scene.side)).collect()
    }

    /// Question and answer as bare words: "What is the color of the star?", "red".
    pub fn word_turn(&self, scene: &Scene) -> Turn {
        Turn { question: self.text(scene), answer: self.answer_word().to_string() }
    }

    /// Question with options, and the bare letter: "...", "C".
    pub fn letter_turn(&self, scene: &Scene) -> Turn {
        Turn { question: self.prompt(scene), answer: self.label() }
    }

    /// Question with options, and the word before its letter: "...", "red C". Asked for
    /// in words of its own, so that the form of the answer is never a guess.
    pub fn spelled_turn(&self, scene: &Scene) -> Turn {
        let question = format!("Name the option and its letter. {}", self.prompt(scene));
        Turn { question, answer: format!("{} {}", self.answer_word(), self.label()) }
    }

    /// What `scene` says about the target: the value the right option must have.
    pub fn truth(&self, scene: &Scene, separation: [u32; 2]) -> Option<Word> {
        let target = scene.objects.get(self.target)?;
        let sides = |sides: [Side; 2]| {
            let reference = scene.objects.get(self.reference?)?;
            sides.into_iter().find(|side| side.holds(target, reference, separation)).map(Word::Side)
        };
        match self.kind {
            Kind::ColourOf => Some(Word::Colour(target.colour)),
            Kind::ShapeOf => Some(Word::Shape(target.shape)),
            Kind::Horizontal => sides([Side::Left, Side::Right]),
            Kind::Vertical => sides([Side::Above, Side::Below]),
        }
    }
}

/// What is fixed about a question before its scene is known, so that labels balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// What to ask.
    pub kind: Kind,
    /// Index of the right option; attributes 0..4, positions 0..2.
    pub answer: usize,
    /// Index of the counterfactual partner's right option; differs from `answer`.
    pub partner: usize,
    /// For positions: whether the right option is the first side (left, above).
    pub first_side: bool,
}

impl Wish {
    /// A wish for `kind` with everything else drawn at random.
    pub fn random(kind: Kind, stream: &mut Stream) -> Self {
        let options = if kind.is_position() { 2 } else { 4 };
        let answer = stream.below(options);
        let partner = (answer + 1 + stream.below(options - 1)) % options;
        Self { kind, answer, partner, first_side: stream.below(2) == 0 }
    }
}

/// Asks a question of the wished kind about `scene`, drawing the objects and the
/// wrong options from `stream`; `allowed` may refuse objects to ask about.
/// `None` when the scene has no such question.
pub fn ask(
    scene: &Scene,
    wish: Wish,
    separation: [u32; 2],
    stream: &mut Stream,
    allowed: impl Fn(&Scene, usize, Option<usize>) -> bool,
) -> Option<Question> {
    if wish.kind.is_position() {
        ask_position(scene, wish, separation, stream, allowed)
    } else {
        ask_attribute(scene, wish, stream, allowed)
    }
}

fn ask_attribute(
    scene: &Scene,
    wish: Wish,
    stream: &mut Stream,
    allowed: impl Fn(&Scene, usize, Option<usize>) -> bool,
) -> Option<Question> {
    let value = |o: &Object| if wish.kind == Kind::ColourOf { Word::Colour(o.colour) } else { Word::Shape(o.shape) };
    let mut candidates = if wish.kind == Kind::ColourOf { scene.unique_shapes() } else { scene.unique_colours() };
    stream.shuffle(&mut candidates);
    let target = candidates.into_iter().find(|&i| allowed(scene, i, None))?;
    let right = value(&scene.objects[target]);
    // Wrong options: what other objects show, the more frequent of two draws each time
    // (or else "the option most objects show" would be right too often), then values
    // the scene lacks.
    let shown: Vec<Word> = scene.objects.iter().map(value).collect();
    let count = |word: Word| shown.iter().filter(|w| **w == word).count();
    let mut options: Vec<Word> = Vec::with_capacity(4);
    while options.len() < 3 {
        let left: Vec<Word> = shown.iter().copied().filter(|w| *w != right && !options.contains(w)).collect();
        if left.is_empty() {
            break;
        }
        let (one, other) = (left[stream.below(left.len())], left[stream.below(left.len())]);
        options.push(if count(other) > count(one) { other } else { one });
    }
    let mut absent: Vec<Word> = match wish.kind {
        Kind::ColourOf => Colour::ALL.map(Word::Colour).to_vec(),
        _ => Shape::ALL.map(Word::Shape).to_vec(),
    };
    stream.shuffle(&mut absent);
    for word in absent {
        if options.len() < 3 && word != right && !options.contains(&word) {
            options.push(word);
        }
    }
    stream.shuffle(&mut options);
    options.insert(wish.answer.min(3), right);
    Some(Question { kind: wish.kind, target, reference: None, options, answer: wish.answer.min(3) })
}

fn ask_position(
    scene: &Scene,
    wish: Wish,
    separation: [u32; 2],
    stream: &mut Stream,
    allowed: impl Fn(&Scene, usize, Option<usize>) -> bool,
) -> Option<Question> {
    let (first, second) = if wish.kind == Kind::Horizontal { (Side::Left, Side::Right) } else { (Side::Above, Side::Below) };
    let right = if wish.first_side { first } else { second };
    let named = scene.unique_shapes();
    let mut pairs: Vec<(usize, usize)> = named.iter().flat_map(|&a| named.iter().map(move |&b| (a, b))).collect();
    stream.shuffle(&mut pairs);
    let (target, reference) = pairs
        .into_iter()
        .find(|&(a, b)| a != b && right.holds(&scene.objects[a], &scene.objects[b], separation) && allowed(scene, a, Some(b)))?;
    let answer = wish.answer.min(1);
    let mut options = vec![Word::Side(right), Word::Side(right.opposite())];
    options.swap(0, answer);
    Some(Question { kind: wish.kind, target, reference: Some(reference), options, answer })
}
