//! The keys of a world's recipe, and their check.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Pixels per side of one merged visual token (14-pixel patches merged two by two).
pub const CELL: u32 = 28;

/// Pixels kept free between two objects and around the image's edge.
pub const GAP: u32 = 2;

/// A world as its recipe writes it; [`WorldConfig::check`] makes it usable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorldConfig {
    /// Seed of every scene and question.
    pub seed: u64,
    /// Width and height of the images in pixels; a multiple of 28.
    pub image_side: u32,
    /// Objects in a scene.
    pub objects: usize,
    /// Smallest side of an object's square, in pixels.
    pub size_min: u32,
    /// Largest side of an object's square, in pixels.
    pub size_max: u32,
    /// Standard deviation of the image noise, in levels of 255.
    pub noise: f64,
    /// Least and largest distance of two centres along the axis a position question asks
    /// about, in pixels. The nearer, the less one object's place alone tells.
    pub separation: [u32; 2],
    /// Share of position questions, 0..=1; the others ask for attributes.
    pub position_share: f64,
    /// Training scenes.
    pub train_images: usize,
    /// Training questions, dealt evenly over the training scenes.
    pub train_questions: usize,
    /// Test questions, each with its own scene and counterfactual partner.
    pub test_questions: usize,
}

impl Default for WorldConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            image_side: 168,
            objects: 8,
            size_min: 16,
            size_max: 30,
            noise: 6.0,
            separation: [20, 56],
            position_share: 0.4,
            train_images: 2000,
            train_questions: 4000,
            test_questions: 400,
        }
    }
}

/// A world whose recipe was checked: the only thing that can make scenes.
#[derive(Debug, Clone, PartialEq)]
pub struct World {
    config: WorldConfig,
}

impl World {
    /// The recipe.
    pub fn config(&self) -> &WorldConfig {
        &self.config
    }

    /// Cells of [`CELL`] pixels along a side.
    pub fn cells(&self) -> usize {
        (self.config.image_side / CELL) as usize
    }
}

impl WorldConfig {
    /// Checks every key.
    ///
    /// # Errors
    /// [`Error::World`] naming the first key whose value cannot be used.
    pub fn check(self) -> Result<World> {
        let refuse = |key, cause: String, remedy: &str| Err(Error::World { key, cause, remedy: remedy.into() });
        let side = self.image_side;
        if side == 0 || !side.is_multiple_of(CELL) || side > 2016 {
            return refuse("image_side", format!("is {side}"), "give a multiple of 28 from 28 to 2016");
        }
        if !(2..=64).contains(&self.objects) {
            return refuse("objects", format!("is {}", self.objects), "give 2 to 64");
        }
        if self.size_min < 8 {
            return refuse("size_min", format!("is {}: shapes are not told apart below 8 pixels", self.size_min), "give 8 or more");
        }
        if self.size_max < self.size_min || self.size_max + 2 * GAP > side {
            return refuse("size_max", format!("is {}", self.size_max), "give at least size_min and less than the image");
        }
        let taken = self.objects as f64 * f64::from(self.size_max + GAP).powi(2) / f64::from(side).powi(2);
        if taken > 0.4 {
            let cause =
                format!("is {}: objects of up to {} pixels would take {:.0} % of the image", self.objects, self.size_max, taken * 100.0);
            return refuse("objects", cause, "keep the share at 40 % or less: fewer or smaller objects, or a larger image_side");
        }
        if !self.noise.is_finite() || !(0.0..=64.0).contains(&self.noise) {
            return refuse("noise", format!("is {}", self.noise), "give 0 to 64 levels");
        }
        let [least, largest] = self.separation;
        if least == 0 || least > side / 3 || largest < (least + 8).min(side) {
            let cause = format!("is [{least}, {largest}]");
            return refuse("separation", cause, "give [least, largest]: least from 1 to a third of image_side, largest 8 more at least");
        }
        if !(0.0..=1.0).contains(&self.position_share) {
            return refuse("position_share", format!("is {}", self.position_share), "give 0 to 1");
        }
        if self.train_images == 0 {
            return refuse("train_images", "is 0".into(), "give at least 1");
        }
        if self.train_questions < self.train_images || self.train_questions > 4 * self.train_images {
            let cause = format!("is {} for {} scenes", self.train_questions, self.train_images);
            return refuse("train_questions", cause, "give one to four questions a scene");
        }
        if self.test_questions == 0 {
            return refuse("test_questions", "is 0".into(), "give at least 1");
        }
        Ok(World { config: self })
    }
}
