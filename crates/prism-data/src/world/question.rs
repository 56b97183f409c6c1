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

    /// Whether its words name its objects in `scene`, and its right option is the truth there.
    pub fn holds_in(&self, scene: &Scene, separation: [u32; 2]) -> bool {
        let named = if self.kind == Kind::ShapeOf { scene.unique_colours() } else { scene.unique_shapes() };
        self.asked().all(|object| named.contains(&object)) && self.truth(scene, separation) == Some(self.answer_word())
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

/// Asks a question of the wished kind about `scene`, drawing from `stream` what it is about. For an attribute the
/// target first takes the value of the right option: the options are drawn from what the *other* objects show, and
/// which of them is right is drawn after that, so that nothing but the target tells it. A counterfactual partner is
/// then one more draw of the same kind, and neither is easier than the other.
///
/// `allowed` may refuse a scene and the objects asked about. `None` when the scene has no such question.
pub fn ask(
    scene: &Scene,
    wish: Wish,
    separation: [u32; 2],
    stream: &mut Stream,
    allowed: impl Fn(&Scene, usize, Option<usize>) -> bool,
) -> Option<(Scene, Question)> {
    if wish.kind.is_position() {
        let question = ask_position(scene, wish, separation, stream, allowed)?;
        return Some((scene.clone(), question));
    }
    let answer = wish.answer.min(3);
    candidates(scene, wish.kind, stream).into_iter().find_map(|target| {
        let options = options(scene, wish.kind, target, stream);
        let mut posed = scene.clone();
        posed.objects[target] = scene.objects[target].with(options[answer]);
        let question = Question { kind: wish.kind, target, reference: None, options, answer };
        allowed(&posed, target, None).then_some((posed, question))
    })
}

/// Asks about `scene` as it is: for material that a model learns to see from, where one picture serves many questions.
/// Of an attribute the right value stands in the place of a wrong one that as many of the other objects show, or do not.
pub fn ask_as_it_is(scene: &Scene, wish: Wish, separation: [u32; 2], stream: &mut Stream) -> Option<Question> {
    if wish.kind.is_position() {
        return ask_position(scene, wish, separation, stream, |_, _, _| true);
    }
    let target = *candidates(scene, wish.kind, stream).first()?;
    let mut options = options(scene, wish.kind, target, stream);
    let right = value(wish.kind, &scene.objects[target]);
    let is_shown = |word: Word| others(scene, wish.kind, target).any(|w| w == word);
    let stands_at = |options: &[Word]| {
        let alike = || options.iter().rposition(|w| is_shown(*w) == is_shown(right));
        options.iter().position(|w| *w == right).or_else(alike).unwrap_or(0)
    };
    let at = stands_at(&options);
    options[at] = right;
    let answer = wish.answer.min(3);
    options.swap(at, answer);
    Some(Question { kind: wish.kind, target, reference: None, options, answer })
}

/// Objects that a question of this kind can name, in a random order.
fn candidates(scene: &Scene, kind: Kind, stream: &mut Stream) -> Vec<usize> {
    let mut named = if kind == Kind::ColourOf { scene.unique_shapes() } else { scene.unique_colours() };
    stream.shuffle(&mut named);
    named
}

/// The attribute of an object that a question of this kind asks for.
fn value(kind: Kind, object: &Object) -> Word {
    if kind == Kind::ColourOf { Word::Colour(object.colour) } else { Word::Shape(object.shape) }
}

/// What all objects but `target` show.
fn others(scene: &Scene, kind: Kind, target: usize) -> impl Iterator<Item = Word> {
    scene.objects.iter().enumerate().filter(move |(i, _)| *i != target).map(move |(_, object)| value(kind, object))
}

/// Four values in a random order: the one that most of the other objects show, another that one of them shows, and
/// two that none of them does.
fn options(scene: &Scene, kind: Kind, target: usize, stream: &mut Stream) -> Vec<Word> {
    let mut all: Vec<Word> = match kind {
        Kind::ColourOf => Colour::ALL.map(Word::Colour).to_vec(),
        _ => Shape::ALL.map(Word::Shape).to_vec(),
    };
    stream.shuffle(&mut all);
    let count = |word: &Word| others(scene, kind, target).filter(|w| w == word).count();
    // Stable: values shown equally often stay in their random order.
    all.sort_by_key(|word| std::cmp::Reverse(count(word)));
    let shown = all.iter().filter(|word| count(word) > 0).count();
    let (seen, unseen) = all.split_at(shown);
    let mut order: Vec<Word> = seen.iter().take(1).copied().collect();
    let mut rest: Vec<Word> = seen.iter().skip(1).copied().collect();
    stream.shuffle(&mut rest);
    order.extend(rest.iter().take(1).chain(unseen).chain(rest.iter().skip(1)));
    let mut options: Vec<Word> = order.into_iter().take(4).collect();
    stream.shuffle(&mut options);
    options
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
