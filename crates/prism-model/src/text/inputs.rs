//! What the language model reads: an embedding per token, and what is added to the states of some
//! tokens on the way up.

use std::collections::HashMap;
use std::sync::Arc;

use crate::tensor::Tensor;
use crate::{Error, Result, ops};

/// Values that are added to the states of some rows of a pack after some decoder layers: the
/// deepstack features of image tokens, in families that have them.
#[derive(Debug, Clone)]
pub struct Additions {
    /// Rows of the pack, each at most once.
    pub rows: Arc<Vec<u32>>,
    /// Decoder layer, and what is added after it: `[rows, hidden]`.
    pub after: Vec<(usize, Tensor)>,
}

/// The input of a pass of the language model.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// `[tokens, hidden]`.
    pub embeds: Tensor,
    /// What is added on the way up, if anything.
    pub added: Option<Additions>,
}

impl From<&Tensor> for Inputs {
    fn from(embeds: &Tensor) -> Self {
        Self { embeds: embeds.clone(), added: None }
    }
}

impl From<&Inputs> for Inputs {
    fn from(inputs: &Inputs) -> Self {
        inputs.clone()
    }
}

impl Inputs {
    /// The same with other embeddings.
    #[must_use]
    pub fn with_embeds(self, embeds: Tensor) -> Self {
        Self { embeds, ..self }
    }

    /// The same without a graph.
    #[must_use]
    pub fn detach(&self) -> Self {
        let detached = |added: &Additions| Additions {
            rows: added.rows.clone(),
            after: added.after.iter().map(|(layer, values)| (*layer, values.detach())).collect(),
        };
        Self { embeds: self.embeds.detach(), added: self.added.as_ref().map(detached) }
    }

    /// # Errors
    /// Something is to be added after a layer that a model of `layers` does not have.
    pub(super) fn check(&self, layers: usize) -> Result<()> {
        let after = self.added.iter().flat_map(|added| &added.after);
        match after.map(|(layer, _)| *layer).find(|layer| *layer >= layers) {
            Some(layer) => {
                Err(Error::input("features", format!("are added after layer {layer} of {layers}"), "use the checkpoint's own tower"))
            }
            None => Ok(()),
        }
    }

    /// `x`, the output of decoder layer `layer`, with what is added to it.
    pub(super) fn add_after(&self, layer: usize, mut x: Tensor) -> Result<Tensor> {
        if let Some(added) = &self.added {
            for (_, values) in added.after.iter().filter(|(after, _)| *after == layer) {
                x = ops::add_rows(&x, &added.rows, values)?;
            }
        }
        Ok(x)
    }

    /// The rows `rows` of the pack as the input of a pass of their own.
    pub(super) fn part(&self, rows: &[u32]) -> Result<Self> {
        let pick = |x: &Tensor, at: &[u32]| -> Result<Tensor> { Ok(x.index_select(&Tensor::new(at, x.device())?, 0)?) };
        let mut part = Self { embeds: pick(&self.embeds, rows)?, added: None };
        if let Some(added) = &self.added {
            let places: HashMap<u32, u32> = added.rows.iter().copied().zip(0..).collect();
            let (here, from): (Vec<u32>, Vec<u32>) = (0u32..).zip(rows).filter_map(|(here, row)| Some((here, *places.get(row)?))).unzip();
            if !here.is_empty() {
                let after = added.after.iter().map(|(layer, values)| Ok((*layer, pick(values, &from)?))).collect::<Result<_>>()?;
                part.added = Some(Additions { rows: Arc::new(here), after });
            }
        }
        Ok(part)
    }
}
