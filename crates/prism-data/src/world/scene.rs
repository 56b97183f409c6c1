//! Scenes: objects in clutter, none overlapping, at any pixel.
//!
//! Two shapes and two colours occur exactly once, so that there is something to ask
//! about; the other objects share values, about three to a value, so that what an
//! option is shown by does not tell whether it is right. Training and test are disjoint by construction: what an object looks like
//! and where it stands, (shape, colour, cell), belongs to one of two folds for ever
//! (whatever the seed), training scenes hold objects of the first fold only, and
//! test questions ask only about objects of the second.

use std::collections::HashMap;
use std::hash::Hash;

use prism_run::random::Stream;

use super::config::{CELL, GAP, World};
use super::object::{Colour, Object, Shape};

/// Which fold a scene is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    /// Every object belongs to the training fold.
    Train,
    /// Objects of either fold; questions ask about held-out ones.
    Test,
}

impl Split {
    /// Name of the split in files.
    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Test => "test",
        }
    }
}

/// A drawing before it is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    /// Width and height in pixels.
    pub side: u32,
    /// The objects; questions name them by index.
    pub objects: Vec<Object>,
    /// Names the backdrop and the noise, so that the same scene is the same bytes.
    pub backdrop: u64,
    /// Standard deviation of the noise, in levels of 255.
    pub noise: f64,
}

impl Scene {
    /// Objects whose shape no other object has, in order.
    pub fn unique_shapes(&self) -> Vec<usize> {
        unique(&self.objects, |o| o.shape)
    }

    /// Objects whose colour no other object has, in order.
    pub fn unique_colours(&self) -> Vec<usize> {
        unique(&self.objects, |o| o.colour)
    }

    /// Objects in reading order: by row of cells, then from left to right.
    pub fn reading_order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.objects.len()).collect();
        order.sort_by_key(|&i| {
            let o = &self.objects[i];
            ((o.top + o.size / 2) / CELL, o.left + o.size / 2, o.top)
        });
        order
    }

    /// Whether `object` could stand in the scene in place of number `index`:
    /// inside the image and clear of all others.
    pub fn admits(&self, index: usize, object: &Object) -> bool {
        let inside = |at: u32| at >= GAP && at + object.size + GAP <= self.side;
        inside(object.left)
            && inside(object.top)
            && self.objects.iter().enumerate().all(|(i, other)| i == index || !object.touches(other, GAP))
    }
}

fn unique<K: Hash + Eq>(objects: &[Object], key: impl Fn(&Object) -> K) -> Vec<usize> {
    let mut count: HashMap<K, usize> = HashMap::new();
    for object in objects {
        *count.entry(key(object)).or_default() += 1;
    }
    (0..objects.len()).filter(|&i| count[&key(&objects[i])] == 1).collect()
}

/// Whether (shape, colour, cell) of this object is held out from all training scenes:
/// one in five are, the same ones for every seed.
pub fn is_held_out(object: &Object) -> bool {
    let (x, y) = (object.left + object.size / 2, object.top + object.size / 2);
    let cell = format!("{},{}", y / CELL, x / CELL);
    Stream::new(0, "world fold", &[object.shape.name(), object.colour.name(), &cell]).below(5) == 0
}

impl World {
    /// Draws a scene from `stream`.
    pub fn scene(&self, stream: &mut Stream, split: Split) -> Scene {
        loop {
            if let Some(scene) = self.try_scene(stream, split) {
                return scene;
            }
        }
    }

    fn try_scene(&self, stream: &mut Stream, split: Split) -> Option<Scene> {
        let config = self.config();
        let shapes = some_unique(stream, &Shape::ALL, config.objects);
        let colours = some_unique(stream, &Colour::ALL, config.objects);
        let mut scene =
            Scene { side: config.image_side, objects: Vec::with_capacity(config.objects), backdrop: stream.bits(), noise: config.noise };
        for (shape, colour) in shapes.into_iter().zip(colours) {
            let object = (0..100).find_map(|_| {
                let object = self.place(stream, shape, colour);
                let fits = scene.admits(usize::MAX, &object) && (split == Split::Test || !is_held_out(&object));
                fits.then_some(object)
            })?;
            scene.objects.push(object);
        }
        Some(scene)
    }

    fn place(&self, stream: &mut Stream, shape: Shape, colour: Colour) -> Object {
        let config = self.config();
        let size = config.size_min + stream.below((config.size_max - config.size_min + 1) as usize) as u32;
        let room = (config.image_side - 2 * GAP - size + 1) as usize;
        Object { shape, colour, size, left: GAP + stream.below(room) as u32, top: GAP + stream.below(room) as u32 }
    }
}

/// `n` values of which two occur once and the others are shared, about three objects to a value, shuffled.
fn some_unique<T: Copy>(stream: &mut Stream, all: &[T], n: usize) -> Vec<T> {
    let mut kinds = all.to_vec();
    stream.shuffle(&mut kinds);
    let once = 2.min(n);
    let (single, rest) = kinds.split_at(once);
    let shared = &rest[..(n - once).div_ceil(3).clamp(1, rest.len())];
    let mut values: Vec<T> = single.to_vec();
    values.extend((once..n).map(|i| shared[i % shared.len()]));
    stream.shuffle(&mut values);
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::WorldConfig;

    #[test]
    fn objects_keep_apart_and_there_is_something_to_ask() {
        let world = WorldConfig::default().check().unwrap();
        for i in 0..300 {
            let scene = world.scene(&mut Stream::new(1, "test", &[&i.to_string()]), Split::Train);
            assert_eq!(scene.objects.len(), 8);
            for (k, object) in scene.objects.iter().enumerate() {
                assert!(scene.admits(k, object) && object.region(scene.side).is_valid());
                assert!(!is_held_out(object));
            }
            assert!(scene.unique_shapes().len() >= 2 && scene.unique_colours().len() >= 2);
            assert_eq!(scene.reading_order().len(), 8);
        }
    }

    #[test]
    fn a_fifth_of_all_looks_and_places_is_held_out() {
        let mut held_out = 0;
        for shape in Shape::ALL {
            for colour in Colour::ALL {
                for cell in 0..36 {
                    let object = Object { shape, colour, left: (cell % 6) * CELL, top: (cell / 6) * CELL, size: 20 };
                    held_out += usize::from(is_held_out(&object));
                }
            }
        }
        let share = held_out as f64 / (64.0 * 36.0);
        assert!((share - 0.2).abs() < 0.03, "{share}");
    }
}
