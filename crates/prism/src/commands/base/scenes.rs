//! The scenes of a stage, drawn to files, and what is said about them.

use std::path::{Path, PathBuf};

use prism_data::prompt::answer_text;
use prism_data::world::language::{caption, random_question, turns};
use prism_data::world::{CELL, Colour, Kind, Scene, Shape, World, WorldConfig, dense_labels, write_scene};
use prism_run::random::Stream;
use prism_run::training::IMAGE_MARKER;
use prism_run::{TrainingRecord, Turn};
use prism_train::dense::{DenseExample, DenseHead};
use rayon::prelude::*;

use super::recipe::LanguageStage;

/// Least share of a token's pixels an object covers to be its label.
const LEAST_COVERAGE: f32 = 0.15;

/// Draws `count` scenes with `objects` of `[smallest, largest]` into `folder`.
pub fn draw(config: &WorldConfig, objects: [usize; 2], count: usize, first: usize, folder: &Path) -> anyhow::Result<Vec<(Scene, PathBuf)>> {
    std::fs::create_dir_all(folder).map_err(|e| prism_run::Error::io("cannot create folder", folder, e))?;
    let span = objects[1].saturating_sub(objects[0]) + 1;
    let worlds: Vec<World> =
        (0..span).map(|i| WorldConfig { objects: objects[0] + i, ..config.clone() }.check()).collect::<Result<_, _>>()?;
    (0..count)
        .into_par_iter()
        .map(|i| {
            let scene = worlds[i % span].base_scene(first + i);
            let path = folder.join(format!("{:06}.png", first + i));
            write_scene(&path, &scene)?;
            Ok((scene, path))
        })
        .collect()
}

/// The heads of the tower's stage: shape and colour (the last class: backdrop), row and column.
pub fn heads(config: &WorldConfig) -> Vec<DenseHead> {
    let cells = (config.image_side / CELL) as usize;
    let head = |name: &str, classes| DenseHead { name: name.into(), classes };
    vec![head("shape", Shape::ALL.len() + 1), head("color", Colour::ALL.len() + 1), head("row", cells), head("column", cells)]
}

/// Labels of every merged token. A token an object only touches is not counted for
/// shape and colour.
pub fn dense(scenes: &[(Scene, PathBuf)], config: &WorldConfig) -> Vec<DenseExample> {
    let cells = (config.image_side / CELL) as usize;
    scenes
        .iter()
        .map(|(scene, image)| {
            let cell = dense_labels(scene);
            let by = |label: &dyn Fn(&prism_data::world::CellLabel) -> usize, none: usize| {
                cell.iter()
                    .map(|c| match c {
                        None => Some(none as u32),
                        Some(c) if c.coverage >= LEAST_COVERAGE => Some(label(c) as u32),
                        Some(_) => None,
                    })
                    .collect::<Vec<_>>()
            };
            let shape = by(&|c| c.shape.index(), Shape::ALL.len());
            let colour = by(&|c| c.colour.index(), Colour::ALL.len());
            let row = (0..cell.len()).map(|i| Some((i / cells) as u32)).collect();
            let column = (0..cell.len()).map(|i| Some((i % cells) as u32)).collect();
            DenseExample { image: image.clone(), labels: vec![shape, colour, row, column] }
        })
        .collect()
}

/// What is said about the scenes: one record per scene with all its turns, or per turn.
pub fn records(scenes: &[(Scene, PathBuf)], config: &WorldConfig, stage: &LanguageStage, seed: u64) -> anyhow::Result<Vec<TrainingRecord>> {
    let world = config.clone().check()?;
    let said: Vec<Vec<Turn>> = scenes.par_iter().enumerate().map(|(i, (scene, _))| conversation(&world, scene, stage, seed, i)).collect();
    let mut records = Vec::new();
    for ((_, image), turns) in scenes.iter().zip(said) {
        let size = if stage.apart { 1 } else { turns.len() };
        for turns in turns.chunks(size.max(1)) {
            let mut turns = turns.to_vec();
            if let Some(first) = turns.first_mut() {
                first.question = format!("{IMAGE_MARKER}\n{}", first.question);
            }
            let row = records.len();
            let (id, images) = (format!("base/{row}"), vec![image.clone()]);
            records.push(TrainingRecord { id, row, images, turns, boxes: vec![], text: None, label: None });
        }
    }
    Ok(records)
}

/// The turns about one scene, shuffled.
fn conversation(world: &World, scene: &Scene, stage: &LanguageStage, seed: u64, index: usize) -> Vec<Turn> {
    let mut stream = Stream::new(seed, "base turns", &[&stage.name, &index.to_string()]);
    let mut said: Vec<Turn> = Vec::new();
    for (letters, count) in [(false, stage.words), (true, stage.letters)] {
        for _ in 0..count {
            let position = stream.uniform() < stage.positions;
            let kinds = if position { [Kind::Horizontal, Kind::Vertical] } else { [Kind::ColourOf, Kind::ShapeOf] };
            if !letters || stage.spelled == 0.0 {
                said.extend(turns(world, scene, &kinds, letters, 1, &mut stream));
                continue;
            }
            let kind = kinds[stream.below(kinds.len())];
            let spelled = stream.uniform() < stage.spelled;
            let Some(question) = random_question(world, scene, kind, &mut stream) else { continue };
            let mut turn = question.letter_turn(scene);
            if spelled {
                turn.answer = format!("{} {}", question.answer_word(), turn.answer);
            }
            said.push(turn);
        }
    }
    if said.is_empty() || stage.caption {
        said.push(caption(scene));
    }
    stream.shuffle(&mut said);
    for turn in &mut said {
        turn.answer = answer_text(&turn.answer);
    }
    said
}
