//! The contact sheet: test examples beside their counterfactual partners, with
//! question, options, gold answers and boxes.

use std::path::Path;

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};
use prism_run::folder;
use tiny_skia::{Color, FillRule, Paint, PathBuilder, Pixmap, PixmapPaint, Rect, Stroke, Transform};

use super::config::World;
use super::plan::TestPair;
use super::question::{Kind, Question};
use super::render::render;
use super::scene::{Scene, Split};
use super::write::encode_png;
use crate::{Error, Result, prompt};

type Rgb = [u8; 3];

const PAGE: Rgb = [238, 239, 241];
const CARD: Rgb = [255, 255, 255];
const RULE: Rgb = [214, 217, 222];
const INK: Rgb = [28, 32, 40];
const FAINT: Rgb = [112, 119, 130];
const GOLD: Rgb = [22, 124, 86];
const PARTNER: Rgb = [188, 78, 20];

/// Pixels at which a scene is shown, about; a whole multiple of its side.
const SHOWN: u32 = 336;
const MARGIN: f32 = 28.0;
const PADDING: f32 = 16.0;
const COLUMNS: usize = 2;
const TEXT_BLOCK: f32 = 96.0;
const HEADER: f32 = 78.0;

impl World {
    /// Draws the first examples of every kind of question, two of each, and writes the
    /// sheet as a PNG file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_preview(&self, path: &Path) -> Result<()> {
        let wishes = self.wishes(Split::Test);
        let mut shown = Vec::new();
        for kind in Kind::ALL {
            let of_kind = wishes.iter().enumerate().filter(|(_, wish)| wish.kind == kind).take(COLUMNS);
            shown.extend(of_kind.map(|(index, wish)| self.test_pair(*wish, index)));
        }
        let sheet = self.sheet(&shown).ok_or_else(|| Error::World {
            key: "image_side",
            cause: "is too large for a sheet".into(),
            remedy: "leave --preview out".into(),
        })?;
        let pixels: Vec<u8> = sheet.data().chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
        let beside = folder::beside(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|e| Error::io("cannot create folder", parent, e))?;
        }
        encode_png(&beside, &pixels, sheet.width(), sheet.height())?;
        std::fs::rename(&beside, path).map_err(|e| Error::io("cannot rename into place", path, e))
    }

    fn sheet(&self, pairs: &[TestPair]) -> Option<Pixmap> {
        let config = self.config();
        let zoom = (SHOWN / config.image_side).max(1);
        let shown = (config.image_side * zoom) as f32;
        let card = (2.0 * shown + 3.0 * PADDING, shown + 2.0 * PADDING + TEXT_BLOCK);
        let rows = pairs.len().div_ceil(COLUMNS);
        let width = COLUMNS as f32 * (card.0 + MARGIN) + MARGIN;
        let height = HEADER + rows as f32 * (card.1 + MARGIN) + MARGIN;
        let mut page = Page(Pixmap::new(width as u32, height as u32)?);
        page.0.fill(solid(PAGE));
        page.text("Visual search in clutter", MARGIN, 24.0, INK, Type::Title);
        let keys = format!(
            "seed {}   {} objects of {}-{} px on {} px   noise {}   each example beside its counterfactual partner",
            config.seed, config.objects, config.size_min, config.size_max, config.image_side, config.noise
        );
        page.text(&keys, MARGIN, 56.0, FAINT, Type::Plain);
        for (i, pair) in pairs.iter().enumerate() {
            let x = MARGIN + (i % COLUMNS) as f32 * (card.0 + MARGIN);
            let y = HEADER + MARGIN + (i / COLUMNS) as f32 * (card.1 + MARGIN);
            page.card(x, y, card.0, card.1);
            let top = y + PADDING;
            page.scene(&pair.scene, &pair.question, x + PADDING, top, zoom, GOLD);
            page.scene(&pair.partner_scene, &pair.partner, x + 2.0 * PADDING + shown, top, zoom, PARTNER);
            page.words(pair, x + PADDING, top + shown + 14.0);
        }
        Some(page.0)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Type {
    Plain,
    Bold,
    Title,
}

impl Type {
    fn style(self) -> (FontWeight, RasterHeight) {
        match self {
            Type::Plain => (FontWeight::Regular, RasterHeight::Size16),
            Type::Bold => (FontWeight::Bold, RasterHeight::Size16),
            Type::Title => (FontWeight::Bold, RasterHeight::Size24),
        }
    }

    fn advance(self) -> f32 {
        let (weight, height) = self.style();
        get_raster_width(weight, height) as f32
    }
}

struct Page(Pixmap);

impl Page {
    fn card(&mut self, x: f32, y: f32, width: f32, height: f32) {
        self.rounded(x, y, width, height, 8.0, RULE);
        self.rounded(x + 1.0, y + 1.0, width - 2.0, height - 2.0, 7.0, CARD);
    }

    fn rounded(&mut self, x: f32, y: f32, width: f32, height: f32, radius: f32, rgb: Rgb) {
        let (right, bottom) = (x + width, y + height);
        let mut path = PathBuilder::new();
        path.move_to(x + radius, y);
        path.line_to(right - radius, y);
        path.quad_to(right, y, right, y + radius);
        path.line_to(right, bottom - radius);
        path.quad_to(right, bottom, right - radius, bottom);
        path.line_to(x + radius, bottom);
        path.quad_to(x, bottom, x, bottom - radius);
        path.line_to(x, y + radius);
        path.quad_to(x, y, x + radius, y);
        path.close();
        if let Some(path) = path.finish() {
            self.0.fill_path(&path, &paint(rgb), FillRule::Winding, Transform::identity(), None);
        }
    }

    /// The scene enlarged `zoom` times, with the boxes asked about.
    fn scene(&mut self, scene: &Scene, question: &Question, x: f32, y: f32, zoom: u32, rgb: Rgb) {
        let Some(mut picture) = Pixmap::new(scene.side, scene.side) else { return };
        for (to, from) in picture.data_mut().chunks_exact_mut(4).zip(render(scene).chunks_exact(3)) {
            to[..3].copy_from_slice(from);
            to[3] = 255;
        }
        let scale = zoom as f32;
        let place = Transform::from_row(scale, 0.0, 0.0, scale, x, y);
        self.0.draw_pixmap(0, 0, picture.as_ref(), &PixmapPaint::default(), place, None);
        for (i, index) in question.asked().enumerate() {
            let object = scene.objects[index];
            let (left, top, size) =
                (object.left as f32 * scale + x - 3.0, object.top as f32 * scale + y - 3.0, object.size as f32 * scale + 6.0);
            let Some(frame) = Rect::from_xywh(left, top, size, size).map(PathBuilder::from_rect) else { continue };
            let dash = if i == 0 { None } else { tiny_skia::StrokeDash::new(vec![7.0, 4.0], 0.0) };
            for (width, tone) in [(6.0, CARD), (2.5, rgb)] {
                let dash = if tone == CARD { None } else { dash.clone() };
                let stroke = Stroke { width, dash, ..Stroke::default() };
                self.0.stroke_path(&frame, &paint(tone), &stroke, Transform::identity(), None);
            }
        }
    }

    /// Question and options; the right one of the scene and of its partner on chips.
    fn words(&mut self, pair: &TestPair, x: f32, y: f32) {
        self.text(&pair.question.text(&pair.scene), x, y, INK, Type::Bold);
        let mut at = x;
        for (i, word) in pair.question.options.iter().enumerate() {
            let entry = format!("{}. {word}", prompt::letter(i).unwrap_or('?'));
            let width = Type::Bold.advance() * entry.len() as f32 + 20.0;
            let chip = [(pair.question.answer, GOLD), (pair.partner.answer, PARTNER)].into_iter().find(|(answer, _)| *answer == i);
            match chip {
                Some((_, rgb)) => {
                    self.rounded(at, y + 28.0, width, 26.0, 6.0, rgb);
                    self.text(&entry, at + 10.0, y + 33.0, CARD, Type::Bold);
                }
                None => self.text(&entry, at + 10.0, y + 33.0, FAINT, Type::Plain),
            }
            at += width + 12.0;
        }
        let frames = if pair.question.reference.is_some() { "dashed: what it is compared with" } else { "framed: the object asked about" };
        let (answer, partner) = (pair.question.answer_word(), pair.partner.answer_word());
        let note = format!("{}   answer: {answer}, partner's: {partner}   {frames}", pair.question.kind.category());
        self.text(&note, x, y + 64.0, FAINT, Type::Plain);
    }

    fn text(&mut self, text: &str, x: f32, y: f32, rgb: Rgb, face: Type) {
        let (weight, height) = face.style();
        let page = self.0.width() as usize;
        for (i, c) in text.chars().enumerate() {
            let Some(glyph) = get_raster(c, weight, height) else { continue };
            let left = (x + i as f32 * face.advance()) as usize;
            for (dy, line) in glyph.raster().iter().enumerate() {
                for (dx, &ink) in line.iter().enumerate() {
                    let (column, at) = (left + dx, ((y as usize + dy) * page + left + dx) * 4);
                    let Some(pixel) = self.0.data_mut().get_mut(at..at + 4).filter(|_| column < page) else { continue };
                    for (channel, tone) in pixel.iter_mut().zip(rgb) {
                        let blended = u32::from(*channel) * (255 - u32::from(ink)) + u32::from(tone) * u32::from(ink);
                        *channel = ((blended + 127) / 255) as u8;
                    }
                }
            }
        }
    }
}

fn solid(rgb: Rgb) -> Color {
    Color::from_rgba8(rgb[0], rgb[1], rgb[2], 255)
}

fn paint(rgb: Rgb) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color(solid(rgb));
    paint.anti_alias = true;
    paint
}
