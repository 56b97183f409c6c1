//! Features of images on the device.

use std::any::Any;
use std::sync::Arc;

use prism_model::engine::Features;
use prism_model::{Error, Result};

use crate::device::{Buffer, Queue};

/// Rows that stand at image tokens, and what is added to them on the way up.
#[derive(Debug)]
pub struct OnDevice {
    pub queue: Queue,
    pub rows: usize,
    pub width: usize,
    /// `[rows, width]`.
    pub tokens: Buffer,
    /// Decoder layer, and what is added after it, `[rows, width]`.
    pub levels: Vec<(usize, Buffer)>,
}

impl Features for OnDevice {
    fn rows(&self) -> usize {
        self.rows
    }

    fn bytes(&self) -> usize {
        self.tokens.bytes() * (1 + self.levels.len())
    }

    fn values(&self) -> Result<Vec<f32>> {
        self.queue.download_reals(self.tokens.all(), self.rows * self.width)
    }

    fn select(&self, rows: &[u32]) -> Result<Arc<dyn Features>> {
        if let Some(row) = rows.iter().find(|row| **row as usize >= self.rows) {
            return Err(Error::input("features", format!("row {row} of {}", self.rows), "give rows that exist"));
        }
        let sources = self.queue.bytes(rows.len() * 4)?;
        self.queue.upload(sources.all(), rows)?;
        let chosen = |from: &Buffer| -> Result<Buffer> {
            let to = self.queue.reals(rows.len() * self.width)?;
            if !rows.is_empty() {
                self.queue.gather(to.all(), from.all(), sources.all(), [rows.len(), self.width])?;
            }
            Ok(to)
        };
        Ok(Arc::new(Self {
            queue: self.queue.clone(),
            rows: rows.len(),
            width: self.width,
            tokens: chosen(&self.tokens)?,
            levels: self.levels.iter().map(|(layer, level)| Ok((*layer, chosen(level)?))).collect::<Result<_>>()?,
        }))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
