//! The one typeface of exported figures, shipped with the program so that the
//! same figure has the same bytes on every machine: Inter Regular (OFL).

use tiny_skia::{Path, PathBuilder};
use ttf_parser::{Face, OutlineBuilder};

const BYTES: &[u8] = include_bytes!("../assets/fonts/Inter-Regular.ttf");

/// What stands in a specification for it, with what to take where it is absent.
pub const FAMILY: &str = "Inter, 'Helvetica Neue', Helvetica, Arial, sans-serif";

/// The typeface, opened.
#[derive(Debug)]
pub struct Font {
    face: Face<'static>,
}

impl Font {
    /// Opens the shipped file; `None` only if the program was built with a broken one.
    pub fn open() -> Option<Self> {
        Face::parse(BYTES, 0).ok().map(|face| Self { face })
    }

    /// Width of a line of text at `size` pixels, without kerning.
    pub fn measure(&self, text: &str, size: f64) -> f64 {
        let units: f64 = text.chars().map(|c| self.advance(c)).sum();
        units * self.scale(size)
    }

    /// The characters that have no shape; they are drawn as boxes.
    pub fn lacks(&self, text: &str) -> Vec<char> {
        text.chars().filter(|c| !c.is_control() && self.face.glyph_index(*c).is_none()).collect()
    }

    /// The outline of a line of text that starts at the origin, y downwards.
    pub fn outline(&self, text: &str, size: f64) -> Option<Path> {
        let scale = self.scale(size);
        let mut pen = Pen { path: PathBuilder::new(), scale, x: 0.0 };
        for c in text.chars() {
            self.face.outline_glyph(self.face.glyph_index(c).unwrap_or_default(), &mut pen);
            pen.x += self.advance(c) * scale;
        }
        pen.path.finish()
    }

    fn advance(&self, c: char) -> f64 {
        f64::from(self.face.glyph_hor_advance(self.face.glyph_index(c).unwrap_or_default()).unwrap_or_default())
    }

    fn scale(&self, size: f64) -> f64 {
        size / f64::from(self.face.units_per_em())
    }
}

struct Pen {
    path: PathBuilder,
    scale: f64,
    x: f64,
}

impl Pen {
    fn place(&self, x: f32, y: f32) -> (f32, f32) {
        ((self.x + f64::from(x) * self.scale) as f32, (-f64::from(y) * self.scale) as f32)
    }
}

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.place(x, y);
        self.path.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.place(x, y);
        self.path.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.place(x1, y1), self.place(x, y));
        self.path.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.place(x1, y1), self.place(x2, y2), self.place(x, y));
        self.path.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_font_is_the_released_file() {
        let table = include_str!("../assets/fonts/README.md");
        assert!(table.contains(&prism_run::folder::hash_bytes(BYTES)));
    }

    #[test]
    fn widths_are_those_of_the_file() {
        // fontTools 4.68.0, `TTFont("Inter-Regular.ttf")["hmtx"]` over 2048 units: A 1413, B 1340, space 576.
        let font = Font::open().unwrap();
        assert_eq!(font.measure("AB ", 2048.0), 1413.0 + 1340.0 + 576.0);
        assert_eq!(font.measure("", 12.0), 0.0);
        assert!(font.lacks("accuracy −2.6 %, σ 0.1 · 42, ±").is_empty());
        assert_eq!(font.lacks("a漢"), ['漢']);
    }
}
