//! Vectors of the records as matrices, one per stage and step.

use std::collections::BTreeMap;

use prism_run::random::Stream;
use prism_run::vectors::Vectors;
use prism_run::{Cloud, Stage};

use crate::probe::matrix::Matrix;

/// Most examples a spectrum or a ranking is made of; beyond that a sample of the rows, the
/// same in every run of the same benchmark.
pub const MOST: usize = 512;

/// All vectors of a run by name.
pub type Named = BTreeMap<String, Vectors>;

/// The vectors of one stage and step.
#[derive(Debug, Clone)]
pub struct Set {
    /// `context` or `target`.
    pub stage: Stage,
    /// Step within the stage, from 0.
    pub step: usize,
    /// Row of each example.
    pub rows: Vec<i64>,
    /// `[vectors, width]`.
    pub matrix: Matrix,
}

/// The sets of a cloud by stage and step, in the order of a decode.
pub fn sets(all: &Named, cloud: Cloud) -> Vec<Set> {
    let mut found: Vec<Set> = all
        .iter()
        .filter_map(|(name, vectors)| {
            let (_, stage, step) = Cloud::step(name).filter(|(of, ..)| *of == cloud)?;
            Some(Set { stage, step, rows: vectors.rows.clone(), matrix: matrix(vectors) })
        })
        .collect();
    found.sort_by_key(|set| (set.stage != Stage::Context, set.step));
    found
}

/// As a matrix.
pub fn matrix(vectors: &Vectors) -> Matrix {
    let values = vectors.values.iter().map(|v| f64::from(*v)).collect();
    Matrix { rows: vectors.rows.len(), columns: vectors.width, values }
}

impl Set {
    /// At most [`MOST`] of its vectors.
    pub fn sample(&self) -> Set {
        if self.rows.len() <= MOST {
            return self.clone();
        }
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        Stream::new(0, "latent sample", &[]).shuffle(&mut order);
        order.truncate(MOST);
        order.sort_unstable();
        self.select(&order)
    }

    /// Some of its vectors.
    pub fn select(&self, indices: &[usize]) -> Set {
        let rows = indices.iter().filter_map(|i| self.rows.get(*i).copied()).collect();
        Set { rows, matrix: self.matrix.select(indices), ..*self }
    }
}

/// The mean of the rows.
pub fn centre(matrix: &Matrix) -> Vec<f64> {
    let mut mean = vec![0.0; matrix.columns];
    for i in 0..matrix.rows {
        mean.iter_mut().zip(matrix.row(i)).for_each(|(m, v)| *m += v);
    }
    mean.iter_mut().for_each(|m| *m /= matrix.rows.max(1) as f64);
    mean
}

/// The rows with their mean taken off.
pub fn centred(matrix: &Matrix) -> Matrix {
    let mean = centre(matrix);
    let values = (0..matrix.rows).flat_map(|i| matrix.row(i).iter().zip(&mean).map(|(v, m)| v - m)).collect();
    Matrix { values, ..*matrix }
}

/// Every row divided by its norm; a zero row stays.
pub fn normalised(matrix: &Matrix) -> Matrix {
    let mut values = Vec::with_capacity(matrix.values.len());
    for i in 0..matrix.rows {
        let norm = norm(matrix.row(i));
        let scale = if norm > 0.0 { 1.0 / norm } else { 1.0 };
        values.extend(matrix.row(i).iter().map(|v| v * scale));
    }
    Matrix { values, ..*matrix }
}

/// L2 norm.
pub fn norm(vector: &[f64]) -> f64 {
    vector.iter().map(|v| v * v).sum::<f64>().sqrt()
}
