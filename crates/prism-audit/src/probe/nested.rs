//! The default pipeline: nested cross-validation (pitfall 16).
//!
//! Per outer fold: z-score on its training part, reduce ([`super::reduced`]), split the
//! training part again, take the C with the least cross-entropy over the inner folds,
//! fit the whole training part with it, predict the rows left out. Neither the scale
//! nor C nor a weight has seen a row it is judged by. In scikit-learn's words:
//! `make_pipeline(StandardScaler(), GridSearchCV(LogisticRegression(), scoring="neg_log_loss"))`.
//!
//! The grid is walked from the strongest penalty up, each fit beginning at the last one's
//! optimum, and left once cross-entropy stands clearly above its least: beyond its minimum
//! it only rises, and the weakest penalties are the dearest fits.

use rayon::prelude::*;

use prism_run::random::Stream;

use super::batch::{Problem, fit_all};
use super::cluster_folds::cluster_folds;
use super::logistic::Logistic;
use super::matrix::Matrix;
use super::reduced::{Reduced, reduce};
use super::standardize::Standardizer;

/// Twice the distance of the loss to its minimum, nats: for the choice of C, where losses a
/// thousandth apart are as good as each other; for fits to control labels, of which only the
/// predicted classes count; for the fits whose probabilities are reported.
const CHOOSING: f64 = 1e-6;
const CONTROL: f64 = 1e-8;
const PREDICTING: f64 = 1e-15;
/// The walk along the grid ends when cross-entropy stands this many nats above its least.
const BEYOND: f64 = 0.02;
/// Labellings fitted side by side: enough to fill a product, few enough to stay in the cache.
const SIDE_BY_SIDE: usize = 8;
/// What a label that the training part lacks is given.
const UNSEEN: f64 = f64::MIN_POSITIVE;

/// How the search for C is made.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    /// Values of C, ascending.
    pub grid: &'a [f64],
    /// Inner folds.
    pub folds: usize,
    /// Seed of the inner folds.
    pub seed: u64,
    /// Which repeat of the outer folds this is.
    pub repeat: usize,
}

/// The rows that are probed and how they are divided.
#[derive(Debug, Clone, Copy)]
pub struct Divided<'a> {
    /// `[rows, columns]`.
    pub x: &'a Matrix,
    /// Group of each row: never in training and test at once.
    pub clusters: &'a [usize],
    /// Outer test fold of each row.
    pub fold_of: &'a [usize],
    /// Outer folds.
    pub folds: usize,
}

/// Every row as predicted by the fit that did not see it.
#[derive(Debug, Clone, PartialEq)]
pub struct OutOfFold {
    /// Log-probability of each row's label.
    pub log_p: Vec<f64>,
    /// Predicted class of each row.
    pub predictions: Vec<usize>,
    /// C chosen in each fold.
    pub c: Vec<f64>,
    /// Accuracy of each fold.
    pub accuracies: Vec<f64>,
    /// Most evaluations of any predicting fit.
    pub iterations_max: u64,
    /// Whether every predicting fit converged.
    pub converged: bool,
    /// Largest |gradient of the mean loss| left over any predicting fit.
    pub gradient_max: f64,
}

impl OutOfFold {
    /// Share of rows predicted right.
    pub fn accuracy(&self, labels: &[usize]) -> f64 {
        self.right(labels).filter(|r| *r).count() as f64 / labels.len() as f64
    }

    /// Whether each row is predicted right.
    pub fn right<'a>(&'a self, labels: &'a [usize]) -> impl Iterator<Item = bool> + 'a {
        self.predictions.iter().zip(labels).map(|(p, l)| p == l)
    }
}

/// Predicts every labelling of the rows; all of them share folds and z-scores. Labellings
/// are worked on in parallel, each number is one thread's work.
///
/// # Errors
/// When a value is not finite, or a training part has a single class.
pub fn nested(rows: Divided<'_>, labellings: &[Vec<usize>], search: Search<'_>) -> Result<Vec<OutOfFold>, String> {
    let folds: Vec<Vec<Fold>> =
        (0..rows.folds).into_par_iter().map(|fold| one_fold(rows, labellings, search, fold)).collect::<Result<_, _>>()?;
    Ok((0..labellings.len()).map(|i| joined(rows, labellings[i].as_slice(), folds.iter().map(|f| &f[i]))).collect())
}

/// A labelling in one outer fold.
struct Fold {
    log_p: Vec<f64>,
    predictions: Vec<usize>,
    c: f64,
    iterations: u64,
    converged: bool,
    gradient_max: f64,
}

fn joined<'a>(rows: Divided<'_>, labels: &[usize], folds: impl Iterator<Item = &'a Fold>) -> OutOfFold {
    let n = rows.fold_of.len();
    let mut all = OutOfFold {
        log_p: vec![0.0; n],
        predictions: vec![0; n],
        c: Vec::new(),
        accuracies: Vec::new(),
        iterations_max: 0,
        converged: true,
        gradient_max: 0.0,
    };
    for (fold, found) in folds.enumerate() {
        let mut right = 0;
        let test = (0..n).filter(|&row| rows.fold_of[row] == fold);
        for ((row, log_p), prediction) in test.zip(&found.log_p).zip(&found.predictions) {
            (all.log_p[row], all.predictions[row]) = (*log_p, *prediction);
            right += usize::from(*prediction == labels[row]);
        }
        if !found.log_p.is_empty() {
            all.accuracies.push(right as f64 / found.log_p.len() as f64);
        }
        all.c.push(found.c);
        all.iterations_max = all.iterations_max.max(found.iterations);
        all.converged &= found.converged;
        all.gradient_max = all.gradient_max.max(found.gradient_max);
    }
    all
}

fn one_fold(rows: Divided<'_>, labellings: &[Vec<usize>], search: Search<'_>, fold: usize) -> Result<Vec<Fold>, String> {
    let (test, train): (Vec<usize>, Vec<usize>) = (0..rows.fold_of.len()).partition(|&row| rows.fold_of[row] == fold);
    let seen = rows.x.select(&train);
    let scaler = Standardizer::fit(&seen);
    let reduced = reduce(&scaler.apply(&seen), &scaler.apply(&rows.x.select(&test)))?;
    let clusters: Vec<usize> = train.iter().map(|&row| rows.clusters[row]).collect();
    let of = |part: &[usize], labels: &[usize]| -> Vec<usize> { part.iter().map(|&row| labels[row]).collect() };
    // The first labelling, the real one, stands alone: it does not depend on the others.
    let (first, others) = labellings.split_at(1.min(labellings.len()));
    let chunks: Vec<&[Vec<usize>]> = first.chunks(1).chain(others.chunks(SIDE_BY_SIDE)).collect();
    let fitted: Vec<Vec<Fold>> = chunks
        .into_par_iter()
        .enumerate()
        .map(|(place, chunk)| {
            let known: Vec<Vec<usize>> = chunk.iter().map(|labels| of(&train, labels)).collect();
            let chosen = choose(&reduced, &known, &clusters, search, fold)?;
            let problems: Vec<Problem> =
                known.iter().zip(&chosen).map(|(labels, c)| Problem::new((0..train.len()).collect(), labels, *c)).collect();
            let tolerance = if place == 0 { PREDICTING } else { CONTROL };
            let fits = fit_all(&reduced.train, &reduced.spread, &problems, tolerance)?;
            let predicted =
                problems.iter().zip(&fits).zip(chunk).map(|((p, fit), labels)| predict(fit, p, &reduced.test, &of(&test, labels)));
            Ok(predicted.collect())
        })
        .collect::<Result<_, String>>()?;
    Ok(fitted.into_iter().flatten().collect())
}

fn predict(fit: &Logistic, problem: &Problem, test: &Matrix, labels: &[usize]) -> Fold {
    let log_p = fit.log_probabilities(test);
    let best = |p: &[f64]| (0..p.len()).fold(0, |b, c| if p[c] > p[b] { c } else { b });
    let own = |(i, label): (usize, &usize)| problem.present.binary_search(label).map_or(UNSEEN.ln(), |class| log_p.row(i)[class]);
    Fold {
        predictions: (0..labels.len()).map(|i| problem.present[best(log_p.row(i))]).collect(),
        log_p: labels.iter().enumerate().map(own).collect(),
        c: problem.c,
        iterations: fit.iterations,
        converged: fit.converged,
        gradient_max: fit.gradient_max,
    }
}

/// A labelling on its way along the grid.
struct Walk {
    /// Training and validation rows of the inner folds that can be fitted and judged.
    inner: Vec<Inner>,
    best: (f64, f64),
    beyond: bool,
}

struct Inner {
    problem: Problem,
    unseen: Matrix,
    labels: Vec<usize>,
}

impl Inner {
    /// Mean -ln p over the validation rows whose label the training rows have.
    fn loss(&self, fit: &Logistic) -> f64 {
        let log_p = fit.log_probabilities(&self.unseen);
        let total: f64 = self.labels.iter().enumerate().map(|(i, &class)| log_p.row(i)[class]).sum();
        -total / self.labels.len() as f64
    }
}

impl Walk {
    fn new(x: &Matrix, labels: &[usize], clusters: &[usize], search: Search<'_>, fold: usize) -> Self {
        let mut stream = Stream::new(search.seed, "inner folds", &[&search.repeat.to_string(), &fold.to_string()]);
        let fold_of = cluster_folds(labels, clusters, search.folds, &mut stream);
        let inner = (0..search.folds).filter_map(|fold| {
            let (validation, train): (Vec<usize>, Vec<usize>) = (0..labels.len()).partition(|&row| fold_of[row] == fold);
            let problem = Problem::new(train, labels, 1.0);
            let class = |row: &usize| problem.present.binary_search(&labels[*row]).ok();
            let (rows, known): (Vec<usize>, Vec<usize>) = validation.iter().filter_map(|row| Some((*row, class(row)?))).unzip();
            let usable = problem.present.len() >= 2 && !rows.is_empty();
            usable.then(|| Inner { problem, unseen: x.select(&rows), labels: known })
        });
        Self { inner: inner.collect(), best: (f64::INFINITY, search.grid.first().copied().unwrap_or(1.0)), beyond: false }
    }

    fn walking(&self) -> bool {
        !self.beyond && !self.inner.is_empty()
    }

    fn judge(&mut self, c: f64, fits: Vec<Logistic>) {
        let loss = self.inner.iter().zip(&fits).map(|(inner, fit)| inner.loss(fit)).sum::<f64>() / fits.len() as f64;
        if loss < self.best.0 {
            self.best = (loss, c);
        }
        self.beyond = loss > self.best.0 + BEYOND;
        for (inner, fit) in self.inner.iter_mut().zip(fits) {
            inner.problem.start = Some(fit);
        }
    }
}

/// The C of each labelling of the training rows.
fn choose(reduced: &Reduced, labellings: &[Vec<usize>], clusters: &[usize], search: Search<'_>, fold: usize) -> Result<Vec<f64>, String> {
    let mut walks: Vec<Walk> = labellings.iter().map(|labels| Walk::new(&reduced.train, labels, clusters, search, fold)).collect();
    for &c in search.grid {
        let mut problems = Vec::new();
        for inner in walks.iter_mut().filter(|w| w.walking()).flat_map(|w| &mut w.inner) {
            inner.problem.c = c;
            problems.push(inner.problem.clone());
        }
        let mut fits = fit_all(&reduced.train, &reduced.spread, &problems, CHOOSING)?.into_iter();
        for walk in walks.iter_mut().filter(|w| w.walking()) {
            let own = fits.by_ref().take(walk.inner.len()).collect();
            walk.judge(c, own);
        }
    }
    Ok(walks.into_iter().map(|w| w.best.1).collect())
}
