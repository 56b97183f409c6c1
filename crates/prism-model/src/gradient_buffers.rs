//! Gradients of the parameters, accumulated in buffers the caller owns.
//!
//! A backward pass adds to the buffers; kernels that know their parameter write
//! straight into them, so that a pack's gradients need neither a zeroed tensor nor
//! a copy. Buffers outlive a step and are reused.

use std::cell::RefCell;
use std::collections::HashMap;

use candle_core::TensorId;

use crate::Result;
use crate::tensor::{self, Tensor, Var};

/// One buffer per parameter.
#[derive(Debug, Default)]
pub struct Gradients {
    slots: HashMap<TensorId, usize>,
    names: Vec<String>,
    variables: Vec<Var>,
    buffers: Vec<Vec<f32>>,
    /// Whether a buffer holds anything since the last clear; if not its content is stale.
    filled: Vec<bool>,
}

thread_local! {
    static ACTIVE: RefCell<Option<Gradients>> = const { RefCell::new(None) };
}

impl Gradients {
    /// Empty gradients of `parameters`, in their order.
    pub fn new(parameters: &[(String, Var)]) -> Self {
        let mut all = Self::default();
        for (i, (name, variable)) in parameters.iter().enumerate() {
            all.slots.insert(variable.id(), i);
            all.names.push(name.clone());
            all.variables.push(variable.clone());
            all.buffers.push(vec![0.0; variable.elem_count()]);
            all.filled.push(false);
        }
        all
    }

    /// Forgets what was accumulated; keeps the memory.
    pub fn clear(&mut self) {
        self.filled.fill(false);
    }

    /// Adds the gradient of `loss` (a scalar) with respect to every parameter.
    ///
    /// # Errors
    /// An operation has no backward pass, or the tensor library refuses.
    pub fn backward(&mut self, loss: &Tensor) -> Result<()> {
        let mine = std::mem::take(self);
        let before = ACTIVE.with(|active| active.borrow_mut().replace(mine));
        let result = loss.backward();
        let mine = ACTIVE.with(|active| std::mem::replace(&mut *active.borrow_mut(), before));
        if let Some(mine) = mine {
            *self = mine;
        }
        let store = result?;
        for i in 0..self.variables.len() {
            let Some(gradient) = store.get(&self.variables[i]) else { continue };
            if tensor::is_fused(gradient) && gradient.is_contiguous() {
                tensor::with_values(gradient, |g| self.add_to(i, g))?;
            } else {
                let values = tensor::values(gradient)?;
                self.add_to(i, &values);
            }
        }
        Ok(())
    }

    fn add_to(&mut self, i: usize, values: &[f32]) {
        let buffer = &mut self.buffers[i];
        if std::mem::replace(&mut self.filled[i], true) {
            buffer.iter_mut().zip(values).for_each(|(b, v)| *b += v);
        } else {
            buffer.copy_from_slice(values);
        }
    }

    /// Adds another set of gradients of the same parameters.
    pub fn add(&mut self, other: &Gradients) {
        for i in 0..other.buffers.len().min(self.buffers.len()) {
            if other.filled[i] {
                self.add_to(i, &other.buffers[i]);
            }
        }
    }

    /// Number of parameters.
    pub fn len(&self) -> usize {
        self.buffers.len()
    }

    /// Whether there are no parameters.
    pub fn is_empty(&self) -> bool {
        self.buffers.is_empty()
    }

    /// Name of parameter `i`.
    pub fn name(&self, i: usize) -> &str {
        &self.names[i]
    }

    /// The parameter itself.
    pub fn variable(&self, i: usize) -> &Var {
        &self.variables[i]
    }

    /// Gradient of parameter `i`, row-major; `None` when no loss reached it since the last clear.
    pub fn get(&self, i: usize) -> Option<&[f32]> {
        self.filled[i].then(|| self.buffers[i].as_slice())
    }

    /// Gradient of parameter `i`, to be changed in place; see [`Gradients::get`].
    pub fn get_mut(&mut self, i: usize) -> Option<&mut [f32]> {
        self.filled[i].then(|| self.buffers[i].as_mut_slice())
    }

    /// Euclidean norm of parameter `i`'s gradient, summed in double precision.
    pub fn norm(&self, i: usize) -> f64 {
        self.get(i).map_or(0.0, |g| g.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt())
    }

    /// Euclidean norm over all parameters.
    pub fn total_norm(&self) -> f64 {
        (0..self.len()).map(|i| self.norm(i).powi(2)).sum::<f64>().sqrt()
    }
}

/// Whether a [`Gradients::backward`] runs on this thread.
pub(crate) fn is_active() -> bool {
    ACTIVE.with(|active| active.borrow().is_some())
}

/// Lets a backward kernel write the gradient of `parameter` straight into its buffer:
/// `f(buffer, add)` must add to the buffer when `add`, and overwrite all of it otherwise.
/// False, without calling `f`, when nobody collects this parameter.
pub(crate) fn accumulate(parameter: &Tensor, f: impl FnOnce(&mut [f32], bool)) -> bool {
    // The buffer is taken out while `f` runs: a thread pool may run another backward pass here meanwhile.
    let taken = ACTIVE.with(|active| {
        let mut active = active.borrow_mut();
        let all = active.as_mut()?;
        let slot = *all.slots.get(&parameter.id())?;
        Some((slot, std::mem::take(&mut all.buffers[slot]), all.filled[slot]))
    });
    let Some((slot, mut buffer, filled)) = taken else { return false };
    f(&mut buffer, filled);
    ACTIVE.with(|active| {
        if let Some(all) = active.borrow_mut().as_mut() {
            all.buffers[slot] = buffer;
            all.filled[slot] = true;
        }
    });
    true
}
