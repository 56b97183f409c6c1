//! Whether a model gives the answers of records: greedy decoding under teacher forcing.

use std::collections::BTreeMap;

use prism_model::Error as ModelError;
use prism_model::prompt::Prompter;
use prism_run::{LatentInput, TrainingRecord, Variant};

use crate::objective::{self, rows};
use crate::pack::Pack;
use crate::records::layout;
use crate::samples::Samples;
use crate::start::Opened;
use crate::workers::Workers;
use crate::{Error, Result};

/// Per group of records (`group` of the record's id): how many, and the share whose
/// every counted token is the most probable one given those before it. That is
/// exactly the share greedy decoding answers word for word.
///
/// Blocks are laid out and fed as `variant` trains them: latents of its own and dummy
/// tokens are what decoding would feed after as many steps, a teacher's are not.
///
/// # Errors
/// An image cannot be read, or a record does not fit the model.
pub fn told<'a>(
    opened: &Opened,
    records: &'a [TrainingRecord],
    variant: Option<&Variant>,
    group: impl Fn(&'a str) -> &'a str + Sync,
    workers: &Workers,
) -> Result<BTreeMap<&'a str, (usize, f64)>> {
    let prompter = Prompter::from_dir(opened.files())?;
    let layout = variant.map(|variant| layout(variant, &prompter));
    let samples = Samples::new(records, prompter, opened.preprocessor()?, layout, 0);
    let latents = variant.map_or(LatentInput::Teacher, |variant| variant.latents);
    let indices: Vec<usize> = (0..records.len()).collect();
    let right = workers.map(&indices, |&index| is_told(opened, &samples, latents, index))?;
    let mut groups: BTreeMap<&str, (usize, f64)> = BTreeMap::new();
    for (record, right) in records.iter().zip(right) {
        let (count, share) = groups.entry(group(&record.id)).or_default();
        *count += 1;
        *share += (f64::from(u8::from(right)) - *share) / *count as f64;
    }
    Ok(groups)
}

fn is_told(opened: &Opened, samples: &Samples<'_>, latents: LatentInput, index: usize) -> Result<bool> {
    let model = &opened.model;
    let sample = samples.get(index)?;
    let pack = Pack::of([(sample.as_ref(), samples.images(index))]);
    let pixels = pack.images.iter().map(|path| samples.preprocessor().open(path)).collect::<Result<Vec<_>, _>>()?;
    let features = if pixels.is_empty() { None } else { Some(model.image_features(&pixels)?) };
    let (embeds, _) = objective::inputs(model, &pack, features.as_ref(), latents, |targets| Ok(targets.clone()))?;
    let hidden = model.forward(&embeds, &pack.layout)?;
    let before: Vec<u32> = pack.counted.iter().map(|&(row, _)| row - 1).collect();
    let logits = model.logits(&rows(&hidden, &before)?)?;
    let said = logits.argmax(1).and_then(|ids| ids.to_vec1::<u32>()).map_err(ModelError::from).map_err(Error::from)?;
    Ok(said.iter().zip(&pack.counted).all(|(said, (_, label))| said == label))
}
