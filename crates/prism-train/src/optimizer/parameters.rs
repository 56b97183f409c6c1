//! The trainable parameters, each with its place in the flat buffers.

use std::ops::Range;

use prism_model::tensor::{self, Tensor, Var};

use crate::Result;

/// One trainable tensor.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Its name in memory, as Hugging Face names it.
    pub name: String,
    /// The tensor.
    pub variable: Var,
    start: usize,
    elements: usize,
}

impl Parameter {
    /// Its elements in the flat buffers.
    pub fn range(&self) -> Range<usize> {
        self.start..self.start + self.elements
    }

    /// Sets the tensor to these values, in its own dtype, on its own device.
    ///
    /// # Errors
    /// The tensor library refuses.
    pub fn set(&self, values: &[f32]) -> Result<()> {
        let value = Tensor::from_slice(values, self.variable.shape(), &tensor::Device::Cpu).map_err(prism_model::Error::from)?;
        let value =
            value.to_dtype(self.variable.dtype()).and_then(|t| t.to_device(self.variable.device())).map_err(prism_model::Error::from)?;
        Ok(self.variable.set(&value).map_err(prism_model::Error::from)?)
    }
}

/// Trainable parameters in a fixed order.
#[derive(Debug, Clone, Default)]
pub struct Parameters {
    list: Vec<Parameter>,
    elements: usize,
}

impl Parameters {
    /// Named tensors, in the order given.
    pub fn new(named: impl IntoIterator<Item = (String, Var)>) -> Self {
        let mut parameters = Self::default();
        for (name, variable) in named {
            let elements = variable.elem_count();
            parameters.list.push(Parameter { name, variable, start: parameters.elements, elements });
            parameters.elements += elements;
        }
        parameters
    }

    /// The parameters, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Parameter> {
        self.list.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Elements of all of them.
    pub fn elements(&self) -> usize {
        self.elements
    }

    /// All values, flat.
    ///
    /// # Errors
    /// A tensor cannot be read.
    pub fn values(&self) -> Result<Vec<f32>> {
        let mut flat = Vec::with_capacity(self.elements);
        for parameter in self.iter() {
            flat.extend(tensor::values(&parameter.variable)?);
        }
        Ok(flat)
    }
}
