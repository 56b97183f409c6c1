//! What the world is made of: eight shapes in eight colours.

use std::fmt;

use prism_run::RegionBox;

use super::question::Word;

/// The silhouette of an object; every one touches the sides of its square.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shape {
    /// A disc.
    Circle,
    /// An axis-parallel square.
    Square,
    /// An upright triangle.
    Triangle,
    /// A five-pointed star.
    Star,
    /// A square on its corner.
    Diamond,
    /// A plus sign.
    Cross,
    /// A heart.
    Heart,
    /// A disc with a hole.
    Ring,
}

impl Shape {
    /// Every shape, in a fixed order (class indices of dense labels).
    pub const ALL: [Shape; 8] =
        [Shape::Circle, Shape::Square, Shape::Triangle, Shape::Star, Shape::Diamond, Shape::Cross, Shape::Heart, Shape::Ring];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Circle => "circle",
            Shape::Square => "square",
            Shape::Triangle => "triangle",
            Shape::Star => "star",
            Shape::Diamond => "diamond",
            Shape::Cross => "cross",
            Shape::Heart => "heart",
            Shape::Ring => "ring",
        }
    }

    /// Index in [`Shape::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The fill of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Colour {
    /// Red.
    Red,
    /// Orange.
    Orange,
    /// Yellow.
    Yellow,
    /// Green.
    Green,
    /// Blue.
    Blue,
    /// Purple.
    Purple,
    /// Pink.
    Pink,
    /// Black.
    Black,
}

impl Colour {
    /// Every colour, in a fixed order (class indices of dense labels).
    pub const ALL: [Colour; 8] =
        [Colour::Red, Colour::Orange, Colour::Yellow, Colour::Green, Colour::Blue, Colour::Purple, Colour::Pink, Colour::Black];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Colour::Red => "red",
            Colour::Orange => "orange",
            Colour::Yellow => "yellow",
            Colour::Green => "green",
            Colour::Blue => "blue",
            Colour::Purple => "purple",
            Colour::Pink => "pink",
            Colour::Black => "black",
        }
    }

    /// Index in [`Colour::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// Red, green, blue, 0..=255.
    pub fn rgb(self) -> [u8; 3] {
        match self {
            Colour::Red => [212, 38, 42],
            Colour::Orange => [245, 130, 32],
            Colour::Yellow => [240, 208, 40],
            Colour::Green => [36, 156, 70],
            Colour::Blue => [36, 96, 214],
            Colour::Purple => [124, 44, 168],
            Colour::Pink => [244, 132, 196],
            Colour::Black => [38, 38, 44],
        }
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One object of a scene, in whole pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Object {
    /// Its silhouette.
    pub shape: Shape,
    /// Its fill.
    pub colour: Colour,
    /// Left edge of its square.
    pub left: u32,
    /// Top edge of its square.
    pub top: u32,
    /// Side of its square.
    pub size: u32,
}

impl Object {
    /// Centre (x, y) in pixels.
    pub fn centre(&self) -> (f64, f64) {
        let half = f64::from(self.size) / 2.0;
        (f64::from(self.left) + half, f64::from(self.top) + half)
    }

    /// Its square, normalised to an image of `side` pixels.
    pub fn region(&self, side: u32) -> RegionBox {
        let at = |v: u32| f64::from(v) / f64::from(side);
        RegionBox([at(self.left), at(self.top), at(self.left + self.size), at(self.top + self.size)])
    }

    /// The same object with the colour or shape `word`; a side changes nothing.
    #[must_use]
    pub fn with(self, word: Word) -> Self {
        match word {
            Word::Colour(colour) => Self { colour, ..self },
            Word::Shape(shape) => Self { shape, ..self },
            Word::Side(_) => self,
        }
    }

    /// Whether the squares come nearer than `gap` pixels.
    pub fn touches(&self, other: &Object, gap: u32) -> bool {
        let near = |a: u32, a_size: u32, b: u32, b_size: u32| a < b + b_size + gap && b < a + a_size + gap;
        near(self.left, self.size, other.left, other.size) && near(self.top, self.size, other.top, other.size)
    }
}
