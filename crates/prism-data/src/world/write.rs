//! The world as files: training data in the LVR layout, the benchmark and its
//! counterfactual partners as JSONL, PNG images, and the resolved recipe.
//!
//! Scenes are drawn in parallel; each has its own random stream and lines are put in
//! order afterwards, so the bytes do not depend on the number of threads.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use prism_run::folder::PartialFolder;
use prism_run::training::{IMAGE_MARKER, REGION_MARKER};
use prism_run::{Cancel, Progress};
use rayon::prelude::*;
use serde::Serialize;

use super::config::World;
use super::question::Question;
use super::render::render;
use super::scene::{Scene, Split};
use crate::readers::{JsonlRow, TrainingEntry, TrainingJson, TrainingTurn};
use crate::{Error, Place, Result, prompt};

/// The resolved recipe in the world's folder; marks the folder as one.
pub const RECIPE: &str = "world.toml";

impl World {
    /// Writes the world to `folder`, whole or not at all, on `threads` threads (0: all).
    ///
    /// The folder holds `meta.json` and `train.json` (LVR layout), `test.jsonl`,
    /// `test_counterfactual.jsonl`, `test_paired.jsonl` (both, partner behind partner), `images/train/*.png`, `images/test/*.png` and
    /// `world.toml`. A world already there is replaced.
    ///
    /// # Errors
    /// When the folder holds something else, cannot be written, or on a request to stop.
    pub fn write(&self, folder: &Path, threads: usize, progress: &dyn Progress, cancel: &Cancel) -> Result<()> {
        refuse_strangers(folder)?;
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(|e| Error::World {
            key: "threads",
            cause: format!("is {threads}: {e}"),
            remedy: "give fewer threads".into(),
        })?;
        let partial = PartialFolder::create(folder)?;
        let root = partial.path();
        for split in [Split::Train, Split::Test] {
            let images = root.join("images").join(split.name());
            fs::create_dir_all(&images).map_err(|e| Error::io("cannot create folder", &images, e))?;
        }
        let config = self.config();
        progress.begin("world", "scenes", (config.train_images + config.test_questions) as u64, 0);
        let (train, test) =
            pool.install(|| Ok::<_, Error>((self.draw_train(root, progress, cancel)?, self.draw_test(root, progress, cancel)?)))?;
        progress.end();

        let mut records: Vec<(usize, TrainingJson)> = train.into_iter().flatten().collect();
        records.sort_by_key(|(row, _)| *row);
        write_list(&root.join("train.json"), records.into_iter().map(|(_, record)| record))?;
        let meta = TrainingEntry { ds_name: "world".into(), data_path: "train.json".into(), image_folder: ".".into() };
        write_list(&root.join("meta.json"), [meta].into_iter())?;
        let (asked, partners): (Vec<JsonlRow>, Vec<JsonlRow>) = test.into_iter().unzip();
        write_lines(&root.join("test.jsonl"), &asked)?;
        write_lines(&root.join("test_counterfactual.jsonl"), &partners)?;
        let both: Vec<JsonlRow> = asked.into_iter().zip(partners).flat_map(|(asked, partner)| [asked, partner]).collect();
        write_lines(&root.join("test_paired.jsonl"), &both)?;
        let recipe = root.join(RECIPE);
        let text = toml::to_string(config).map_err(|e| Error::data(&recipe, Place::File, e.to_string(), "report this as a bug"))?;
        fs::write(&recipe, text).map_err(|e| Error::io("cannot write", &recipe, e))?;
        partial.finish()?;
        Ok(())
    }

    fn draw_train(&self, root: &Path, progress: &dyn Progress, cancel: &Cancel) -> Result<Vec<Vec<(usize, TrainingJson)>>> {
        let wishes = self.wishes(Split::Train);
        (0..self.config().train_images)
            .into_par_iter()
            .map(|index| {
                cancel.check()?;
                let made = self.train_scene(&wishes, index);
                let image = format!("images/train/{index:06}.png");
                write_scene(&root.join(&image), &made.scene)?;
                progress.advance(1);
                Ok(made.questions.iter().map(|(row, question)| (*row, training_json(&made.scene, question, *row, &image))).collect())
            })
            .collect()
    }

    fn draw_test(&self, root: &Path, progress: &dyn Progress, cancel: &Cancel) -> Result<Vec<(JsonlRow, JsonlRow)>> {
        self.wishes(Split::Test)
            .into_par_iter()
            .enumerate()
            .map(|(index, wish)| {
                cancel.check()?;
                let pair = self.test_pair(wish, index);
                let (id, partner_id) = (format!("test-{index:05}"), format!("test-{index:05}-cf"));
                let rows = (
                    jsonl_row(&pair.scene, &pair.question, &id, &partner_id),
                    jsonl_row(&pair.partner_scene, &pair.partner, &partner_id, &id),
                );
                write_scene(&root.join(&rows.0.image), &pair.scene)?;
                write_scene(&root.join(&rows.1.image), &pair.partner_scene)?;
                progress.advance(1);
                Ok(rows)
            })
            .collect()
    }
}

/// A folder that holds something other than a world must not be replaced by one.
fn refuse_strangers(folder: &Path) -> Result<()> {
    let Ok(mut entries) = fs::read_dir(folder) else {
        if folder.exists() {
            return Err(Error::data(folder, Place::File, "it exists and is not a folder", "give another place for the world"));
        }
        return Ok(());
    };
    if entries.next().is_some() && !folder.join(RECIPE).is_file() {
        let cause = "the folder holds files and is not a world";
        return Err(Error::data(folder, Place::File, cause, "give an empty or new folder; only a world is replaced by a world"));
    }
    Ok(())
}

fn training_json(scene: &Scene, question: &Question, row: usize, image: &str) -> TrainingJson {
    let boxes = question.boxes(scene);
    let prompt = question.prompt(scene);
    let answer = format!("{}\n{}", REGION_MARKER.repeat(boxes.len()), prompt::answer_text(&question.label()));
    TrainingJson {
        dataset: "world".into(),
        split: Split::Train.name().into(),
        question_id: row,
        image: vec![image.to_string()],
        conversations: vec![
            TrainingTurn { from: "human".into(), value: format!("{IMAGE_MARKER}\n{prompt}") },
            TrainingTurn { from: "gpt".into(), value: answer },
        ],
        bboxes: boxes,
        label: question.label(),
        text: prompt,
    }
}

fn jsonl_row(scene: &Scene, question: &Question, id: &str, partner: &str) -> JsonlRow {
    JsonlRow {
        id: id.to_string(),
        image: format!("images/test/{}.png", id.trim_start_matches("test-")),
        question: question.text(scene),
        options: question.option_words(),
        label: question.label(),
        bboxes: question.boxes(scene),
        category: question.kind.category().to_string(),
        counterfactual: partner.to_string(),
    }
}

/// Renders `scene` to a PNG file.
///
/// # Errors
/// When the file cannot be written.
pub fn write_scene(path: &Path, scene: &Scene) -> Result<()> {
    encode_png(path, &render(scene), scene.side, scene.side)
}

/// Writes `pixels` (RGB) as a PNG file.
pub(super) fn encode_png(path: &Path, pixels: &[u8], width: u32, height: u32) -> Result<()> {
    let file = File::create(path).map_err(|e| Error::io("cannot write", path, e))?;
    let mut writer = BufWriter::new(file);
    PngEncoder::new_with_quality(&mut writer, CompressionType::Fast, FilterType::Adaptive)
        .write_image(pixels, width, height, ExtendedColorType::Rgb8)
        .map_err(|e| Error::io("cannot write", path, std::io::Error::other(e)))?;
    writer.flush().map_err(|e| Error::io("cannot write", path, e))
}

/// A JSON list with one element a line.
fn write_list<T: Serialize>(path: &Path, items: impl Iterator<Item = T>) -> Result<()> {
    write_text(path, |writer| {
        for (i, item) in items.enumerate() {
            writer.write_all(if i == 0 { b"[\n" } else { b",\n" })?;
            serde_json::to_writer(&mut *writer, &item)?;
        }
        writer.write_all(b"\n]\n")
    })
}

fn write_lines<T: Serialize>(path: &Path, items: &[T]) -> Result<()> {
    write_text(path, |writer| {
        for item in items {
            serde_json::to_writer(&mut *writer, item)?;
            writer.write_all(b"\n")?;
        }
        Ok(())
    })
}

fn write_text(path: &Path, fill: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>) -> Result<()> {
    let file = File::create(path).map_err(|e| Error::io("cannot write", path, e))?;
    let mut writer = BufWriter::new(file);
    fill(&mut writer).and_then(|()| writer.flush()).map_err(|e| Error::io("cannot write", path, e))
}
