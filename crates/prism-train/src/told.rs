//! Whether a model gives the answers of records: greedy decoding under teacher forcing.

use std::collections::BTreeMap;

use prism_model::Error as ModelError;
use prism_model::ops;
use prism_model::prompt::Prompter;
use prism_run::TrainingRecord;

use crate::objective::rows;
use crate::pack::Pack;
use crate::samples::Samples;
use crate::start::Opened;
use crate::workers::Workers;
use crate::{Error, Result};

/// Per group of records (`group` of the record's id): how many, and the share whose
/// every counted token is the most probable one given those before it. That is
/// exactly the share greedy decoding answers word for word.
///
/// # Errors
/// An image cannot be read, or a record does not fit the model.
pub fn told<'a>(
    opened: &Opened,
    records: &'a [TrainingRecord],
    group: impl Fn(&'a str) -> &'a str + Sync,
    workers: &Workers,
) -> Result<BTreeMap<&'a str, (usize, f64)>> {
    let samples = Samples::new(records, Prompter::from_dir(opened.files())?, opened.preprocessor()?, None, 0);
    let indices: Vec<usize> = (0..records.len()).collect();
    let right = workers.map(&indices, |&index| is_told(opened, &samples, index))?;
    let mut groups: BTreeMap<&str, (usize, f64)> = BTreeMap::new();
    for (record, right) in records.iter().zip(right) {
        let (count, share) = groups.entry(group(&record.id)).or_default();
        *count += 1;
        *share += (f64::from(u8::from(right)) - *share) / *count as f64;
    }
    Ok(groups)
}

fn is_told(opened: &Opened, samples: &Samples<'_>, index: usize) -> Result<bool> {
    let model = &opened.model;
    let sample = samples.get(index)?;
    let pack = Pack::of([(sample.as_ref(), samples.images(index))]);
    let pixels = pack.images.iter().map(|path| samples.preprocessor().open(path)).collect::<Result<Vec<_>, _>>()?;
    let mut embeds = model.embed(&pack.ids)?;
    if !pixels.is_empty() {
        embeds = ops::replace_rows(&embeds, &pack.image_rows, &model.image_features(&pixels)?)?;
    }
    let hidden = model.forward(&embeds, &pack.layout)?;
    let before: Vec<u32> = pack.counted.iter().map(|&(row, _)| row - 1).collect();
    let logits = model.logits(&rows(&hidden, &before)?)?;
    let said = logits.argmax(1).and_then(|ids| ids.to_vec1::<u32>()).map_err(ModelError::from).map_err(Error::from)?;
    Ok(said.iter().zip(&pack.counted).all(|(said, (_, label))| said == label))
}
