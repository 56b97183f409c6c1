//! The optimizer's state on disk: `optimizer.safetensors` with, per parameter,
//! `first.NAME` and `second.NAME` (and `master.NAME` where the model is not f32).

use std::collections::HashMap;
use std::path::Path;

use prism_run::door::tensors::Tensors;
use safetensors::tensor::{Dtype, TensorView};

use super::Optimizer;
use crate::{Error, Result};

/// File name inside a checkpoint.
pub const FILE: &str = "optimizer.safetensors";

const REMEDY: &str = "the checkpoint is damaged or of another model: resume from another one";

impl Optimizer {
    /// Writes the state into a checkpoint folder.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        let bug = |e: safetensors::SafeTensorError| Error::content(&path, e.to_string(), "report this as a bug");
        let mut views = Vec::new();
        let buffers = [("first", Some(&self.first)), ("second", Some(&self.second)), ("master", self.master.as_ref())];
        for (kind, buffer) in buffers {
            let Some(buffer) = buffer else { continue };
            for p in self.parameters.iter() {
                let bytes = bytemuck::cast_slice(&buffer[p.range()]);
                views.push((format!("{kind}.{}", p.name), TensorView::new(Dtype::F32, p.variable.dims().to_vec(), bytes).map_err(bug)?));
            }
        }
        let note = HashMap::from([("steps".to_owned(), self.steps.to_string())]);
        safetensors::serialize_to_file(views, Some(note), &path).map_err(|e| prism_run::Error::unsaved(&path, e))?;
        Ok(prism_run::folder::usual_permissions(&path)?)
    }

    /// Takes over the state of a checkpoint folder.
    ///
    /// # Errors
    /// The file is absent, no file of its run, damaged, or of other parameters.
    pub fn load(&mut self, folder: &Path) -> Result<()> {
        let file = Tensors::open(&folder.join(FILE), REMEDY)?;
        let steps = file.header().metadata().as_ref().and_then(|m| m.get("steps")).and_then(|s| s.parse().ok());
        self.steps = steps.ok_or_else(|| file.damaged("the number of steps is absent"))?;
        let parameters = &self.parameters;
        let buffers = [("first", Some(&mut self.first)), ("second", Some(&mut self.second)), ("master", self.master.as_mut())];
        for (kind, buffer) in buffers {
            let Some(buffer) = buffer else { continue };
            for p in parameters.iter() {
                file.read_into(&format!("{kind}.{}", p.name), p.variable.dims(), &mut buffer[p.range()])?;
            }
        }
        if let Some(master) = &self.master {
            self.parameters.iter().try_for_each(|p| p.set(&master[p.range()]))?;
        }
        Ok(())
    }
}
