//! Paints what Vega asked a canvas to paint (`assets/engine.js` wrote it down) and
//! encodes it as PNG. Pixels are made here and not by the machine's graphics, so
//! the same figure has the same bytes everywhere.

use serde::Deserialize;
use tiny_skia::{
    Color, FillRule, GradientStop, LineCap, LineJoin, LinearGradient, Mask, Paint, Path, PathBuilder, Pixmap, Point, Shader, SpreadMode,
    Stroke, StrokeDash, Transform,
};

use super::font::Font;

/// Most pixels along a side.
const LARGEST: f64 = 16_384.0;

/// One thing painted; paths are in pixels.
#[derive(Debug, Clone, Deserialize)]
pub struct Painted {
    kind: Kind,
    path: Vec<Segment>,
    style: Style,
    alpha: f64,
    clips: Vec<Vec<Segment>>,
    width: f64,
    cap: String,
    join: String,
    miter: f64,
    dash: Vec<f64>,
    offset: f64,
    text: Option<Text>,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Fill,
    Stroke,
    Text,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Style {
    Gradient { stops: Vec<(f64, String)>, from: [f64; 2], to: [f64; 2] },
    Plain { color: String },
}

#[derive(Debug, Clone, Deserialize)]
struct Text {
    content: String,
    at: [f64; 2],
    size: f64,
    align: String,
    matrix: [f64; 6],
}

/// A step of a path by the letter SVG has for it.
#[derive(Debug, Clone, Deserialize)]
enum Segment {
    M([f64; 2]),
    L([f64; 2]),
    Q([f64; 4]),
    C([f64; 6]),
    Z,
}

/// Paints a list onto white and encodes it.
///
/// # Errors
/// What cannot be painted, in words.
pub fn png(painted: &[Painted], width: f64, height: f64, font: &Font) -> Result<Vec<u8>, String> {
    let fits = |side: f64| (1.0..=LARGEST).contains(&side);
    if !fits(width) || !fits(height) {
        return Err(format!("{width} by {height} pixels; a side may have up to {LARGEST}"));
    }
    let mut pixels = Pixmap::new(width.ceil() as u32, height.ceil() as u32).ok_or("no room for the pixels")?;
    pixels.fill(Color::WHITE);
    for item in painted {
        item.paint(&mut pixels, font)?;
    }
    pixels.encode_png().map_err(|e| e.to_string())
}

impl Painted {
    fn paint(&self, pixels: &mut Pixmap, font: &Font) -> Result<(), String> {
        let Some(paint) = self.paint_of()? else { return Ok(()) };
        let mask = self.mask(pixels);
        let mask = mask.as_ref();
        if let (Kind::Text, Some(text)) = (self.kind, &self.text) {
            if let Some(path) = text.outline(font) {
                pixels.fill_path(&path, &paint, FillRule::Winding, Transform::identity(), mask);
            }
            return Ok(());
        }
        let Some(path) = built(&self.path) else { return Ok(()) };
        if self.kind == Kind::Fill {
            pixels.fill_path(&path, &paint, FillRule::Winding, Transform::identity(), mask);
        } else {
            let stroke = Stroke {
                width: self.width as f32,
                miter_limit: self.miter as f32,
                line_cap: match self.cap.as_str() {
                    "round" => LineCap::Round,
                    "square" => LineCap::Square,
                    _ => LineCap::Butt,
                },
                line_join: match self.join.as_str() {
                    "round" => LineJoin::Round,
                    "bevel" => LineJoin::Bevel,
                    _ => LineJoin::Miter,
                },
                dash: StrokeDash::new(self.dash.iter().map(|d| *d as f32).collect(), self.offset as f32),
            };
            pixels.stroke_path(&path, &paint, &stroke, Transform::identity(), mask);
        }
        Ok(())
    }

    /// The colour or gradient; `None` when nothing would be seen.
    fn paint_of(&self) -> Result<Option<Paint<'static>>, String> {
        let shader = match &self.style {
            Style::Plain { color } => match colour(color, self.alpha)? {
                None => return Ok(None),
                Some(colour) => Shader::SolidColor(colour),
            },
            Style::Gradient { stops, from, to } => {
                let mut made = Vec::new();
                for (at, text) in stops {
                    made.push(GradientStop::new(*at as f32, colour(text, self.alpha)?.unwrap_or(Color::TRANSPARENT)));
                }
                LinearGradient::new(point(*from), point(*to), made, SpreadMode::Pad, Transform::identity())
                    .ok_or("a gradient without stops")?
            }
        };
        Ok(Some(Paint { shader, anti_alias: true, ..Paint::default() }))
    }

    fn mask(&self, pixels: &Pixmap) -> Option<Mask> {
        let mut mask: Option<Mask> = None;
        for path in self.clips.iter().filter_map(|clip| built(clip)) {
            match &mut mask {
                Some(mask) => mask.intersect_path(&path, FillRule::Winding, true, Transform::identity()),
                None => {
                    let mut made = Mask::new(pixels.width(), pixels.height())?;
                    made.fill_path(&path, FillRule::Winding, true, Transform::identity());
                    mask = Some(made);
                }
            }
        }
        mask
    }
}

impl Text {
    fn outline(&self, font: &Font) -> Option<Path> {
        let path = font.outline(&self.content, self.size)?;
        let width = font.measure(&self.content, self.size);
        let shift = match self.align.as_str() {
            "center" => -width / 2.0,
            "right" | "end" => -width,
            _ => 0.0,
        };
        let [a, b, c, d, e, f] = self.matrix.map(|v| v as f32);
        path.transform(Transform::from_row(a, b, c, d, e, f).pre_translate((self.at[0] + shift) as f32, self.at[1] as f32))
    }
}

fn point([x, y]: [f64; 2]) -> Point {
    Point::from_xy(x as f32, y as f32)
}

/// The painter works in single precision.
fn at_single<const N: usize>(numbers: &[f64; N], mut draw: impl FnMut([f32; N])) {
    draw(numbers.map(|v| v as f32));
}

fn built(segments: &[Segment]) -> Option<Path> {
    let mut path = PathBuilder::new();
    for segment in segments {
        match segment {
            Segment::M(at) => at_single(at, |[x, y]| path.move_to(x, y)),
            Segment::L(at) => at_single(at, |[x, y]| path.line_to(x, y)),
            Segment::Q(at) => at_single(at, |[a, b, x, y]| path.quad_to(a, b, x, y)),
            Segment::C(at) => at_single(at, |[a, b, c, d, x, y]| path.cubic_to(a, b, c, d, x, y)),
            Segment::Z => path.close(),
        }
    }
    path.finish()
}

/// A colour as Vega and d3 write it; `None` for one that cannot be seen.
fn colour(text: &str, alpha: f64) -> Result<Option<Color>, String> {
    let named = match text {
        "transparent" | "none" => return Ok(None),
        "white" => "#ffffff",
        "black" => "#000000",
        other => other,
    };
    let unknown = || format!("the colour `{text}` is not known to the painter");
    let (channels, own) = if let Some(hex) = named.strip_prefix('#') {
        let digits: Vec<u8> =
            hex.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect::<Option<_>>().ok_or_else(unknown)?;
        match digits.as_slice() {
            [r, g, b] => ([r * 17, g * 17, b * 17], 1.0),
            [a, b, c, d, e, f] => ([a * 16 + b, c * 16 + d, e * 16 + f], 1.0),
            _ => return Err(unknown()),
        }
    } else {
        let inner =
            named.strip_prefix("rgba(").or_else(|| named.strip_prefix("rgb(")).and_then(|t| t.strip_suffix(')')).ok_or_else(unknown)?;
        let numbers: Vec<f64> = inner.split(',').map(|n| n.trim().parse().ok()).collect::<Option<_>>().ok_or_else(unknown)?;
        let channel = |v: f64| v.round().clamp(0.0, 255.0) as u8;
        match numbers.as_slice() {
            [r, g, b] => ([channel(*r), channel(*g), channel(*b)], 1.0),
            [r, g, b, a] => ([channel(*r), channel(*g), channel(*b)], *a),
            _ => return Err(unknown()),
        }
    };
    let opacity = (alpha * own).clamp(0.0, 1.0);
    let [r, g, b] = channels;
    Ok((opacity > 0.0).then(|| Color::from_rgba8(r, g, b, (opacity * 255.0).round() as u8)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_read_as_css_reads_them() {
        let rgba = |text: &str| colour(text, 1.0).unwrap().map(|c| c.to_color_u8()).map(|c| [c.red(), c.green(), c.blue(), c.alpha()]);
        assert_eq!(rgba("#0072b2"), Some([0, 114, 178, 255]));
        assert_eq!(rgba("#ddd"), Some([221, 221, 221, 255]));
        assert_eq!(rgba("rgba(255, 0, 0, 0.5)"), Some([255, 0, 0, 128]));
        assert_eq!(rgba("rgb(1,2,3)"), Some([1, 2, 3, 255]));
        assert_eq!(rgba("transparent"), None);
        assert!(colour("url(#x)", 1.0).is_err() && colour("#xyz", 1.0).is_err() && colour("rgb(1,2)", 1.0).is_err());
    }

    #[test]
    fn a_filled_half_is_filled_and_clipped_where_it_is_clipped() {
        let font = Font::open().unwrap();
        let rect = |x: f64, y: f64, w: f64, h: f64| {
            format!(r#"[{{"M":[{x},{y}]}},{{"L":[{},{y}]}},{{"L":[{},{}]}},{{"L":[{x},{}]}},"Z"]"#, x + w, x + w, y + h, y + h)
        };
        let item = format!(
            r##"[{{"kind":"fill","path":{},"style":{{"color":"#000"}},"alpha":1,"clips":[{}],"width":1,"cap":"butt","join":"miter","miter":10,"dash":[],"offset":0}}]"##,
            rect(0.0, 0.0, 4.0, 8.0),
            rect(0.0, 0.0, 8.0, 4.0)
        );
        let list: Vec<Painted> = serde_json::from_str(&item).unwrap();
        let image = Pixmap::decode_png(&png(&list, 8.0, 8.0, &font).unwrap()).unwrap();
        let red = |x, y| image.pixel(x, y).unwrap().red();
        assert_eq!((red(1, 1), red(6, 1), red(1, 6), red(6, 6)), (0, 255, 255, 255));
        assert!(png(&list, 1e9, 8.0, &font).is_err());
    }
}
