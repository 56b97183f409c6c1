//! The scenes of a stage, drawn to files, and what is said about them.

use std::path::{Path, PathBuf};

use prism_data::prompt::answer_text;
use prism_data::world::language::{Told, comparison, lettered_listing, list_turn, listing, random_question};
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

/// What is said about the scenes: one record per scene with all its turns, or per
/// turn; lists of options are records of their own, without an image. The id tells
/// what kind of turn it is, e.g. `base/ColourOf/17`.
pub fn records(scenes: &[(Scene, PathBuf)], config: &WorldConfig, stage: &LanguageStage, seed: u64) -> anyhow::Result<Vec<TrainingRecord>> {
    let world = config.clone().check()?;
    let said: Vec<Vec<Said>> = scenes.par_iter().enumerate().map(|(i, (scene, _))| conversation(&world, scene, stage, seed, i)).collect();
    let mut records = Vec::new();
    let mut push = |what: &str, images: Vec<PathBuf>, turns: Vec<Turn>| {
        let row = records.len();
        records.push(TrainingRecord { id: format!("base/{what}/{row}"), row, images, turns, boxes: vec![], text: None, label: None });
    };
    for ((_, image), said) in scenes.iter().zip(said) {
        let (lists, seen): (Vec<Said>, Vec<Said>) = said.into_iter().partition(|said| [LIST, WHOLE_LIST].contains(&said.what.as_str()));
        for list in lists {
            push(&list.what, vec![], vec![list.turn]);
        }
        let size = if stage.apart { 1 } else { seen.len() };
        for said in seen.chunks(size.max(1)) {
            let mut turns: Vec<Turn> = said.iter().map(|said| said.turn.clone()).collect();
            turns[0].question = format!("{IMAGE_MARKER}\n{}", turns[0].question);
            push(&said[0].what, vec![image.clone()], turns);
        }
    }
    Ok(records)
}

/// Pairs of shapes compared in one turn.
const PAIRS: usize = 5;

const LIST: &str = "letter of a list";
const WHOLE_LIST: &str = "whole list";

/// Everything that has one right answer, to measure a stage by.
pub fn exam(stage: &LanguageStage) -> LanguageStage {
    LanguageStage {
        name: "exam".into(),
        words: 4,
        spelled: 0,
        letters: 4,
        listings: 0,
        comparisons: 0,
        spelled_comparisons: 0,
        lettered_listings: 0,
        lettered_comparisons: 0,
        lists: 1,
        positions: 0.5,
        apart: true,
        ..stage.clone()
    }
}

/// A turn, and what kind it is.
struct Said {
    what: String,
    turn: Turn,
}

/// The turns about one scene, shuffled.
fn conversation(world: &World, scene: &Scene, stage: &LanguageStage, seed: u64, index: usize) -> Vec<Said> {
    let mut stream = Stream::new(seed, "base turns", &[&stage.name, &index.to_string()]);
    let mut said: Vec<Said> = Vec::new();
    for (form, count) in [("word", stage.words), ("spelled", stage.spelled), ("letter", stage.letters)] {
        for _ in 0..count {
            let position = stream.uniform() < stage.positions;
            let kinds = if position { [Kind::Horizontal, Kind::Vertical] } else { [Kind::ColourOf, Kind::ShapeOf] };
            let kind = kinds[stream.below(kinds.len())];
            let Some(question) = random_question(world, scene, kind, &mut stream) else { continue };
            let turn = match form {
                "word" => question.word_turn(scene),
                "letter" => question.letter_turn(scene),
                _ => question.spelled_turn(scene),
            };
            said.push(Said { what: format!("{form} {}", kind.name()), turn });
        }
    }
    for i in 0..stage.lettered_listings {
        let turn = lettered_listing(scene, i % 2 == 0, &mut stream);
        said.extend(turn.map(|turn| Said { what: "lettered listing".into(), turn }));
    }
    let comparisons =
        [(Told::Word, stage.comparisons), (Told::Both, stage.spelled_comparisons), (Told::Letter, stage.lettered_comparisons)];
    for (told, count) in comparisons {
        for i in 0..count {
            let turn = comparison(world, scene, i % 2 == 0, told, PAIRS, &mut stream);
            said.extend(turn.map(|turn| Said { what: "comparison".into(), turn }));
        }
    }
    for i in 0..stage.lists {
        let whole = i % 2 == 1;
        let what = if whole { WHOLE_LIST } else { LIST };
        said.push(Said { what: what.into(), turn: list_turn(whole, &mut stream) });
    }
    for i in 0..stage.listings {
        let turn = listing(scene, i % 2 == 0, &mut stream);
        said.extend(turn.map(|turn| Said { what: "listing".into(), turn }));
    }
    stream.shuffle(&mut said);
    for said in &mut said {
        said.turn.answer = answer_text(&said.turn.answer);
    }
    said
}
