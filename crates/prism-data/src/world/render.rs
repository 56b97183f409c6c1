//! Scene to pixels: a light, faintly uneven backdrop, anti-aliased shapes, and
//! noise of a two-pixel grain over everything.

use prism_run::random::Stream;
use tiny_skia::{Color, FillRule, Paint, Path, PathBuilder, Pixmap, Rect, Transform};

use super::object::{Object, Shape};
use super::scene::Scene;

/// Pixels per side of one grain of noise.
const GRAIN: usize = 2;

/// Levels of 255 by which the light changes from one side to the other.
const LIGHT: f32 = 40.0;

/// The scene's pixels: red, green, blue, row-major, `side * side * 3` bytes.
pub fn render(scene: &Scene) -> Vec<u8> {
    let side = scene.side as usize;
    let Some(mut pixmap) = Pixmap::new(scene.side, scene.side) else { return Vec::new() };
    let mut stream = Stream::new(scene.backdrop, "backdrop", &[]);
    pixmap.fill(Color::from_rgba8(243, 242, 238, 255));
    shade(&mut pixmap, &mut stream);
    for object in &scene.objects {
        draw(&mut pixmap, object, object.colour.rgb(), true);
    }
    light(&mut pixmap);
    let mut pixels: Vec<u8> = pixmap.data().chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
    if scene.noise > 0.0 {
        add_noise(&mut pixels, side, scene.noise, &mut stream);
    }
    pixels
}

/// Light from one side: warmer to the right, cooler to the bottom, the same in every
/// scene, as a lamp and a window would have it.
fn light(pixmap: &mut Pixmap) {
    let side = pixmap.width() as usize;
    let tint = |at: usize| (LIGHT * (at as f32 / side.max(1) as f32 - 0.5)) as i16;
    for (at, pixel) in pixmap.data_mut().chunks_exact_mut(4).enumerate() {
        let (column, row) = (at % side.max(1), at / side.max(1));
        for (channel, change) in [(0, tint(column)), (2, tint(row))] {
            pixel[channel] = (i16::from(pixel[channel]) - LIGHT as i16 / 2 + change).clamp(0, 255) as u8;
        }
    }
}

/// Soft, broad patches a few levels darker than the backdrop.
fn shade(pixmap: &mut Pixmap, stream: &mut Stream) {
    let side = f64::from(pixmap.width());
    for _ in 0..6 {
        let radius = (side * (0.12 + 0.2 * stream.uniform())) as f32;
        let (x, y) = ((side * stream.uniform()) as f32, (side * stream.uniform()) as f32);
        let tone = 214 + stream.below(26) as u8;
        let mut paint = Paint::default();
        paint.set_color_rgba8(tone, tone, tone.saturating_sub(4), 70);
        paint.anti_alias = true;
        if let Some(path) = PathBuilder::from_circle(x, y, radius) {
            pixmap.fill_path(&path, &paint, FillRule::Winding, Transform::identity(), None);
        }
    }
}

/// Fills `object` with `rgb`.
pub(super) fn draw(pixmap: &mut Pixmap, object: &Object, rgb: [u8; 3], anti_alias: bool) {
    let Some(path) = outline(object.shape) else { return };
    let half = object.size as f32 / 2.0;
    let place = Transform::from_row(half, 0.0, 0.0, half, object.left as f32 + half, object.top as f32 + half);
    let mut paint = Paint::default();
    paint.set_color_rgba8(rgb[0], rgb[1], rgb[2], 255);
    paint.anti_alias = anti_alias;
    pixmap.fill_path(&path, &paint, FillRule::EvenOdd, place, None);
}

/// The outline in the square from -1 to 1, y downwards; it touches all four sides.
fn outline(shape: Shape) -> Option<Path> {
    match shape {
        Shape::Circle => PathBuilder::from_circle(0.0, 0.0, 1.0),
        Shape::Square => Rect::from_ltrb(-1.0, -1.0, 1.0, 1.0).map(PathBuilder::from_rect),
        Shape::Triangle => polygon(&[(0.0, -1.0), (1.0, 1.0), (-1.0, 1.0)]),
        Shape::Diamond => polygon(&[(0.0, -1.0), (1.0, 0.0), (0.0, 1.0), (-1.0, 0.0)]),
        Shape::Star => star(),
        Shape::Cross => {
            let a = 0.34;
            polygon(&[
                (-a, -1.0),
                (a, -1.0),
                (a, -a),
                (1.0, -a),
                (1.0, a),
                (a, a),
                (a, 1.0),
                (-a, 1.0),
                (-a, a),
                (-1.0, a),
                (-1.0, -a),
                (-a, -a),
            ])
        }
        Shape::Heart => {
            let mut path = PathBuilder::new();
            path.move_to(0.0, 1.0);
            path.cubic_to(-0.35, 0.62, -1.0, 0.25, -1.0, -0.38);
            path.cubic_to(-1.0, -0.78, -0.74, -1.0, -0.48, -1.0);
            path.cubic_to(-0.26, -1.0, -0.08, -0.86, 0.0, -0.6);
            path.cubic_to(0.08, -0.86, 0.26, -1.0, 0.48, -1.0);
            path.cubic_to(0.74, -1.0, 1.0, -0.78, 1.0, -0.38);
            path.cubic_to(1.0, 0.25, 0.35, 0.62, 0.0, 1.0);
            path.close();
            path.finish()
        }
        Shape::Ring => {
            let mut path = PathBuilder::new();
            path.push_circle(0.0, 0.0, 1.0);
            path.push_circle(0.0, 0.0, 0.5);
            path.finish()
        }
    }
}

fn polygon(points: &[(f32, f32)]) -> Option<Path> {
    let mut path = PathBuilder::new();
    for (i, &(x, y)) in points.iter().enumerate() {
        if i == 0 {
            path.move_to(x, y);
        } else {
            path.line_to(x, y);
        }
    }
    path.close();
    path.finish()
}

/// Five points, stretched so that it touches all four sides of the square.
fn star() -> Option<Path> {
    let mut points = [(0.0f64, 0.0f64); 10];
    for (i, point) in points.iter_mut().enumerate() {
        let radius = if i % 2 == 0 { 1.0 } else { 0.42 };
        let angle = std::f64::consts::PI * (i as f64 / 5.0 - 0.5);
        *point = (radius * angle.cos(), radius * angle.sin());
    }
    let widest = points.iter().map(|p| p.0).fold(0.0, f64::max);
    let lowest = points.iter().map(|p| p.1).fold(0.0, f64::max);
    let points: Vec<(f32, f32)> =
        points.iter().map(|&(x, y)| ((x / widest) as f32, ((y + 1.0) / (lowest + 1.0) * 2.0 - 1.0) as f32)).collect();
    polygon(&points)
}

/// Adds noise of standard deviation `deviation` per channel (the sum of two uniform
/// bytes: triangular), constant over grains.
fn add_noise(pixels: &mut [u8], side: usize, deviation: f64, stream: &mut Stream) {
    let scale = deviation / (255.0 * (257.0f64 / 255.0 / 6.0).sqrt());
    let grains = side.div_ceil(GRAIN);
    let mut row = vec![[0i16; 3]; grains];
    for y in 0..side {
        if y % GRAIN == 0 {
            for grain in &mut row {
                let bits = stream.bits().to_le_bytes();
                for (c, value) in grain.iter_mut().enumerate() {
                    let sum = f64::from(bits[2 * c]) + f64::from(bits[2 * c + 1]) - 255.0;
                    *value = (sum * scale).round() as i16;
                }
            }
        }
        for x in 0..side {
            let at = (y * side + x) * 3;
            for (c, value) in row[x / GRAIN].iter().enumerate() {
                let level = i16::from(pixels[at + c]) + value;
                pixels[at + c] = level.clamp(0, 255) as u8;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::object::Colour;

    #[test]
    fn every_shape_touches_the_sides_of_its_square_and_differs() {
        let mut images = Vec::new();
        for shape in Shape::ALL {
            let bounds = outline(shape).unwrap().compute_tight_bounds().unwrap();
            for (found, expected) in [(bounds.left(), -1.0), (bounds.right(), 1.0), (bounds.top(), -1.0), (bounds.bottom(), 1.0)] {
                assert!((found - expected).abs() < 2e-3, "{shape}: {found} for {expected}");
            }
            let object = Object { shape, colour: Colour::Blue, left: 40, top: 50, size: 24 };
            images.push(render(&Scene { side: 112, objects: vec![object], backdrop: 3, noise: 0.0 }));
        }
        for i in 0..images.len() {
            for j in 0..i {
                assert_ne!(images[i], images[j]);
            }
        }
    }

    #[test]
    fn noise_has_the_deviation_asked_for() {
        let mut pixels = vec![128u8; 200 * 200 * 3];
        add_noise(&mut pixels, 200, 6.0, &mut Stream::new(1, "test", &[]));
        let n = pixels.len() as f64;
        let mean = pixels.iter().map(|&p| f64::from(p)).sum::<f64>() / n;
        let deviation = (pixels.iter().map(|&p| (f64::from(p) - mean).powi(2)).sum::<f64>() / n).sqrt();
        assert!((mean - 128.0).abs() < 0.3 && (deviation - 6.0).abs() < 0.2, "{mean} {deviation}");
    }
}
