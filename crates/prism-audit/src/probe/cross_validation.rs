//! The release's pipeline (method, section 6): stratified folds, standardisation
//! on the training part, logistic regression, probabilities of the rows left out.

use rayon::prelude::*;

use super::folds::stratified_folds;
use super::logistic::{Logistic, Tolerance};
use super::matrix::Matrix;
use super::reduced::reduce;
use super::standardize::Standardizer;

/// How fits are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pipeline {
    /// Folds.
    pub folds: usize,
    /// scikit-learn's C.
    pub c: f64,
    /// Seed of the folds.
    pub seed: u32,
    /// When a fit ends.
    pub tolerance: Tolerance,
    /// Fit in the span of the training rows when they are fewer than the columns.
    pub reduce: bool,
}

/// What cross-validation found.
#[derive(Debug, Clone, PartialEq)]
pub struct CrossValidated {
    /// Accuracy of each fold.
    pub accuracies: Vec<f64>,
    /// Mean of -ln p(label) over all rows, each predicted by the fit that did not see it.
    pub cross_entropy: f64,
    /// Most iterations of any fit.
    pub iterations_max: u64,
    /// Whether every fit met a tolerance.
    pub converged: bool,
    /// Largest gradient left by any fit.
    pub gradient_max: f64,
    /// Predicted class of each row.
    pub predictions: Vec<usize>,
}

struct Fold {
    rows: Vec<usize>,
    predictions: Vec<usize>,
    accuracy: f64,
    loss: f64,
    iterations: u64,
    converged: bool,
    gradient_max: f64,
}

impl CrossValidated {
    /// Mean accuracy over folds.
    pub fn accuracy(&self) -> f64 {
        self.accuracies.iter().sum::<f64>() / self.accuracies.len() as f64
    }

    /// Standard deviation over folds (numpy's default, dividing by n).
    pub fn accuracy_sd(&self) -> f64 {
        let mean = self.accuracy();
        let n = self.accuracies.len() as f64;
        (self.accuracies.iter().map(|a| (a - mean).powi(2)).sum::<f64>() / n).sqrt()
    }
}

/// Cross-validates labels `0..classes` on the rows of `x`; folds run in parallel,
/// each on one thread, so the thread count changes nothing.
///
/// # Errors
/// The optimizer's message.
pub fn cross_validate(x: &Matrix, labels: &[usize], classes: usize, pipeline: Pipeline) -> Result<CrossValidated, String> {
    let fold_of = stratified_folds(labels, pipeline.folds, pipeline.seed);
    let folds: Vec<Fold> =
        (0..pipeline.folds).into_par_iter().map(|fold| one_fold(x, labels, classes, pipeline, &fold_of, fold)).collect::<Result<_, _>>()?;
    let mut predictions = vec![0; labels.len()];
    for fold in &folds {
        for (&row, &class) in fold.rows.iter().zip(&fold.predictions) {
            predictions[row] = class;
        }
    }
    Ok(CrossValidated {
        accuracies: folds.iter().map(|f| f.accuracy).collect(),
        cross_entropy: folds.iter().map(|f| f.loss).sum::<f64>() / labels.len() as f64,
        iterations_max: folds.iter().map(|f| f.iterations).max().unwrap_or(0),
        converged: folds.iter().all(|f| f.converged),
        gradient_max: folds.iter().fold(0.0, |m, f| m.max(f.gradient_max)),
        predictions,
    })
}

fn one_fold(x: &Matrix, labels: &[usize], classes: usize, pipeline: Pipeline, fold_of: &[usize], fold: usize) -> Result<Fold, String> {
    let (test, train): (Vec<usize>, Vec<usize>) = (0..labels.len()).partition(|&i| fold_of[i] == fold);
    let seen = x.select(&train);
    let scaler = Standardizer::fit(&seen);
    let (mut seen, mut unseen) = (scaler.apply(&seen), scaler.apply(&x.select(&test)));
    if pipeline.reduce && seen.rows < seen.columns {
        let reduced = reduce(&seen, &unseen)?;
        (seen, unseen) = (reduced.train, reduced.test);
    }
    // A class that the training part lacks gets no probability; scikit-learn numbers
    // the classes it saw in sorted order, as here.
    let train_labels: Vec<usize> = train.iter().map(|&i| labels[i]).collect();
    let present: Vec<usize> = (0..classes).filter(|c| train_labels.contains(c)).collect();
    if present.len() < 2 {
        return Err(format!("the training part of fold {fold} has a single class"));
    }
    let local = |label: usize| present.iter().position(|p| *p == label);
    let encoded: Vec<usize> = train_labels.iter().filter_map(|&l| local(l)).collect();
    let fit = Logistic::fit(&seen, &encoded, present.len(), pipeline.c, pipeline.tolerance)?;
    let log_p = fit.log_probabilities(&unseen);
    let (mut right, mut loss, mut predictions) = (0, 0.0, Vec::with_capacity(test.len()));
    for (i, &row) in test.iter().enumerate() {
        let p = log_p.row(i);
        let best = (0..p.len()).fold(0, |b, c| if p[c] > p[b] { c } else { b });
        predictions.push(present[best]);
        right += usize::from(present[best] == labels[row]);
        loss -= local(labels[row]).map_or(f64::MIN_POSITIVE.ln(), |c| p[c]);
    }
    Ok(Fold {
        accuracy: right as f64 / test.len() as f64,
        rows: test,
        predictions,
        loss,
        iterations: fit.iterations,
        converged: fit.converged,
        gradient_max: fit.gradient_max,
    })
}
