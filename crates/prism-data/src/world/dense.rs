//! What each merged visual token shows: labels for training a vision tower alone.

use tiny_skia::{Color, Pixmap};

use super::config::CELL;
use super::object::{Colour, Shape};
use super::render::draw;
use super::scene::Scene;

/// What covers most of one cell of 28 x 28 pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CellLabel {
    /// Index of the object in the scene.
    pub object: usize,
    /// Its shape.
    pub shape: Shape,
    /// Its colour.
    pub colour: Colour,
    /// Share of the cell's pixels it covers, 0..=1, above 0.
    pub coverage: f32,
}

/// One label per cell, row-major (the order of the merged tokens); `None` where the
/// cell shows backdrop only.
pub fn dense_labels(scene: &Scene) -> Vec<Option<CellLabel>> {
    let side = scene.side as usize;
    let cells = side / CELL as usize;
    let Some(mut pixmap) = Pixmap::new(scene.side, scene.side) else { return Vec::new() };
    pixmap.fill(Color::WHITE);
    for (i, object) in scene.objects.iter().enumerate() {
        draw(&mut pixmap, object, [i as u8, 0, 0], false);
    }
    let mut counts = vec![0u32; cells * cells * scene.objects.len()];
    for (at, pixel) in pixmap.data().chunks_exact(4).enumerate() {
        let (object, cell) = (usize::from(pixel[0]), (at / side / CELL as usize) * cells + at % side / CELL as usize);
        if object < scene.objects.len() && cell < cells * cells {
            counts[cell * scene.objects.len() + object] += 1;
        }
    }
    let whole = (CELL * CELL) as f32;
    let objects = scene.objects.len();
    (0..cells * cells)
        .map(|cell| {
            let counts = &counts[cell * objects..(cell + 1) * objects];
            let (object, &count) = counts.iter().enumerate().max_by_key(|(i, count)| (**count, usize::MAX - i))?;
            let seen = scene.objects.get(object).filter(|_| count > 0)?;
            Some(CellLabel { object, shape: seen.shape, colour: seen.colour, coverage: count as f32 / whole })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::object::Object;

    #[test]
    fn cells_name_what_covers_them_most() {
        let square = |colour, left, top| Object { shape: Shape::Square, colour, left, top, size: 20 };
        let objects = vec![square(Colour::Red, 4, 4), square(Colour::Blue, 46, 30)];
        let labels = dense_labels(&Scene { side: 84, objects, backdrop: 0, noise: 3.0 });
        assert_eq!(labels.len(), 9);
        let first = labels[0].unwrap();
        assert_eq!((first.object, first.colour), (0, Colour::Red));
        assert!((first.coverage - 400.0 / 784.0).abs() < 1e-6);
        let centre = labels[4].unwrap();
        assert_eq!(centre.colour, Colour::Blue);
        assert!((centre.coverage - 200.0 / 784.0).abs() < 1e-6);
        assert!((labels[5].unwrap().coverage - 200.0 / 784.0).abs() < 1e-6);
        assert!(labels[8].is_none());
    }
}
