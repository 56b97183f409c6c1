//! Many penalised logistic fits on the same rows, in step.
//!
//! The inner folds of a search for C, and the draws of permuted labels, are fits on
//! parts of the same rows with other labels. Their weights stand side by side in one
//! matrix, so that one product serves all of them; each has an L-BFGS of its own
//! (Nocedal and Wright, section 7.2), scaled by the curvature: in the coordinates of
//! [`super::reduced`] the Hessian is nearly `mean p (1 - p) * spread + 1 / (C n)` on its
//! diagonal and little beside it. The objective is [`super::logistic`]'s, scikit-learn's;
//! it is strictly convex in the weights, so the optimum does not depend on the way.

use super::exponential::{LogProduct, exp_in_place};
use super::logistic::Logistic;
use super::matrix::{Matrix, dot, times_transposed, transposed_times};

/// Pairs of steps an L-BFGS remembers.
const MEMORY: usize = 20;
/// Most evaluations of one fit.
const EVALUATIONS: u64 = 2000;
/// Least curvature of a class that is counted on.
const LEAST_CURVATURE: f64 = 1e-4;

/// One fit: some of the rows, their labels, and how strong the penalty is.
#[derive(Debug, Clone)]
pub struct Problem {
    /// Rows of the shared matrix.
    pub rows: Vec<usize>,
    /// The classes that occur among them, ascending: what the fit's classes are called.
    pub present: Vec<usize>,
    /// scikit-learn's C.
    pub c: f64,
    /// Where to begin; zero weights and the label frequencies otherwise.
    pub start: Option<Logistic>,
    /// Index in `present` of each row's label.
    local: Vec<usize>,
}

impl Problem {
    /// The fit of `labels[row]` for these rows.
    pub fn new(rows: Vec<usize>, labels: &[usize], c: f64) -> Self {
        let mut present: Vec<usize> = rows.iter().map(|&row| labels[row]).collect();
        present.sort_unstable();
        present.dedup();
        let local = rows.iter().map(|&row| present.partition_point(|p| *p < labels[row])).collect();
        Self { rows, present, c, start: None, local }
    }

    /// Weight vectors: one for two classes, else one per class.
    fn vectors(&self) -> usize {
        if self.present.len() == 2 { 1 } else { self.present.len() }
    }

    fn penalty(&self) -> f64 {
        1.0 / (self.c * self.rows.len() as f64)
    }

    fn first(&self, columns: usize) -> Vec<f64> {
        let vectors = self.vectors();
        if let Some(start) = self.start.as_ref().filter(|s| s.weights.rows == vectors) {
            return [start.weights.values.as_slice(), &start.intercepts].concat();
        }
        let mut counts = vec![0.0f64; self.present.len()];
        self.local.iter().for_each(|&l| counts[l] += 1.0);
        let mut first = vec![0.0; vectors * columns];
        match counts.as_slice() {
            [none, one] => first.push((one / none).ln()),
            counts => first.extend(counts.iter().map(|n| (n / self.rows.len() as f64).ln())),
        }
        first
    }
}

/// Fits every problem to the rows of `x`, whose columns have the mean squares `spread`,
/// until the loss is within about `tolerance / 2` of its minimum.
///
/// # Errors
/// When a loss is not finite, or a problem has fewer than two classes.
pub fn fit_all(x: &Matrix, spread: &[f64], problems: &[Problem], tolerance: f64) -> Result<Vec<Logistic>, String> {
    if problems.iter().any(|p| p.present.len() < 2) {
        return Err("the rows of a fit have a single class".into());
    }
    let mut fits: Vec<Fit<'_>> = problems.iter().map(|p| Fit::new(p, x.columns)).collect();
    let mut room = Room::default();
    loop {
        let mut active: Vec<&mut Fit<'_>> = fits.iter_mut().filter(|f| !f.done).collect();
        if active.is_empty() {
            break;
        }
        evaluate(x, spread, &mut active, tolerance, &mut room)?;
    }
    Ok(fits.into_iter().map(|f| f.fitted(x.columns)).collect())
}

/// What one evaluation after another writes to.
#[derive(Default)]
struct Room {
    weights: Vec<f64>,
    scores: Vec<f64>,
    powers: Vec<f64>,
    /// Zero where a row is not the fit's: as long as the same fits are evaluated, they are not cleared.
    residuals: Vec<f64>,
    slopes: Vec<f64>,
}

/// Where a fit's columns stand in the matrices of all.
#[derive(Clone, Copy)]
struct Columns {
    width: usize,
    offset: usize,
}

impl Columns {
    fn of(self, row: usize, vectors: usize) -> std::ops::Range<usize> {
        let begin = row * self.width + self.offset;
        begin..begin + vectors
    }
}

/// Loss and gradient of every fit at its trial point, and its next step.
fn evaluate(x: &Matrix, spread: &[f64], fits: &mut [&mut Fit<'_>], tolerance: f64, room: &mut Room) -> Result<(), String> {
    let width: usize = fits.iter().map(|f| f.vectors).sum();
    let Room { weights, scores, powers, residuals, slopes } = room;
    weights.clear();
    fits.iter().for_each(|f| weights.extend_from_slice(&f.trial[..f.vectors * x.columns]));
    if residuals.len() != x.rows * width {
        residuals.clear();
        residuals.resize(x.rows * width, 0.0);
        scores.resize(x.rows * width, 0.0);
        slopes.resize(width * x.columns, 0.0);
    }
    times_transposed(&x.values, x.rows, weights, width, x.columns, scores);
    let mut offset = 0;
    let mut sums = Vec::with_capacity(fits.len());
    for fit in fits.iter() {
        sums.push(fit.residuals(scores, residuals, powers, Columns { width, offset }, x.columns));
        offset += fit.vectors;
    }
    transposed_times(residuals, width, &x.values, x.columns, x.rows, slopes);
    let mut slopes = slopes.as_slice();
    for (fit, sums) in fits.iter_mut().zip(sums) {
        let (own, others) = slopes.split_at(fit.vectors * x.columns);
        slopes = others;
        fit.advance(own, &sums, spread, tolerance)?;
    }
    Ok(())
}

/// Sums over a fit's rows.
struct Sums {
    loss: f64,
    /// Of the residuals, per weight vector: the intercepts' gradient.
    residual: Vec<f64>,
    /// Of p (1 - p), per weight vector.
    curvature: Vec<f64>,
}

/// A step and what it did to the gradient.
#[derive(Default)]
struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    inverse: f64,
}

struct Fit<'a> {
    problem: &'a Problem,
    vectors: usize,
    /// The point to evaluate next: weight vectors, then intercepts.
    trial: Vec<f64>,
    /// The last point that was accepted; empty before the first.
    at: Vec<f64>,
    loss: f64,
    gradient: Vec<f64>,
    /// Inverse of the Hessian's diagonal there, about.
    scale: Vec<f64>,
    direction: Vec<f64>,
    slope: f64,
    length: f64,
    memory: std::collections::VecDeque<Pair>,
    evaluations: u64,
    done: bool,
    converged: bool,
}

impl<'a> Fit<'a> {
    fn new(problem: &'a Problem, columns: usize) -> Self {
        Self {
            problem,
            vectors: problem.vectors(),
            trial: problem.first(columns),
            at: Vec::new(),
            loss: f64::INFINITY,
            gradient: Vec::new(),
            scale: Vec::new(),
            direction: Vec::new(),
            slope: 0.0,
            length: 1.0,
            memory: std::collections::VecDeque::with_capacity(MEMORY),
            evaluations: 0,
            done: false,
            converged: false,
        }
    }

    /// Writes p - y of this fit's rows into its columns of `residuals`; `powers` is room for the exponentials.
    fn residuals(&self, scores: &[f64], residuals: &mut [f64], powers: &mut Vec<f64>, place: Columns, columns: usize) -> Sums {
        let intercepts = &self.trial[self.vectors * columns..];
        // The compiler writes a loop of its own for each number of options that is frequent.
        match self.vectors {
            1 => self.binary(scores, residuals, powers, place, intercepts[0]),
            3 => self.several(3, scores, residuals, powers, place, intercepts),
            4 => self.several(4, scores, residuals, powers, place, intercepts),
            5 => self.several(5, scores, residuals, powers, place, intercepts),
            n => self.several(n, scores, residuals, powers, place, intercepts),
        }
    }

    /// For two classes.
    fn binary(&self, scores: &[f64], residuals: &mut [f64], powers: &mut Vec<f64>, place: Columns, intercept: f64) -> Sums {
        let mut sums = Sums { loss: 0.0, residual: vec![0.0], curvature: vec![0.0] };
        let mut totals = LogProduct::default();
        powers.clear();
        powers.extend(self.problem.rows.iter().map(|&row| -(scores[place.of(row, 1).start] + intercept).abs()));
        exp_in_place(powers);
        for ((&row, &label), &power) in self.problem.rows.iter().zip(&self.problem.local).zip(&*powers) {
            let at = place.of(row, 1).start;
            let (score, y, total) = (scores[at] + intercept, label as f64, 1.0 + power);
            totals.times(total);
            sums.loss += score.max(0.0) - y * score;
            let p = if score < 0.0 { power } else { 1.0 } / total;
            residuals[at] = p - y;
            sums.residual[0] += p - y;
            sums.curvature[0] += p * (1.0 - p);
        }
        sums.loss += totals.ln();
        sums
    }

    /// For `n` classes, three or more.
    #[inline(always)]
    fn several(&self, n: usize, scores: &[f64], residuals: &mut [f64], powers: &mut Vec<f64>, place: Columns, intercepts: &[f64]) -> Sums {
        let mut sums = Sums { loss: 0.0, residual: vec![0.0; n], curvature: vec![0.0; n] };
        let mut totals = LogProduct::default();
        let labelled = || self.problem.rows.iter().zip(&self.problem.local);
        let intercepts = &intercepts[..n];
        // First the exponents of all rows, so that their exponentials are taken in one go.
        powers.resize(self.problem.rows.len() * n, 0.0);
        for ((&row, &label), own) in labelled().zip(powers.chunks_exact_mut(n)) {
            let z = &scores[place.of(row, n)];
            let mut largest = f64::NEG_INFINITY;
            for i in 0..n {
                own[i] = z[i] + intercepts[i];
                largest = if own[i] > largest { own[i] } else { largest };
            }
            sums.loss += largest - own[label];
            own.iter_mut().for_each(|o| *o -= largest);
        }
        exp_in_place(powers);
        let (residual, curvature) = (&mut sums.residual[..n], &mut sums.curvature[..n]);
        for ((&row, &label), powers) in labelled().zip(powers.chunks_exact(n)) {
            let out = &mut residuals[place.of(row, n)];
            let total: f64 = powers.iter().sum();
            totals.times(total);
            let share = 1.0 / total;
            for i in 0..n {
                let p = powers[i] * share;
                (out[i], curvature[i]) = (p, curvature[i] + p * (1.0 - p));
            }
            out[label] -= 1.0;
            for i in 0..n {
                residual[i] += out[i];
            }
        }
        sums.loss += totals.ln();
        sums
    }

    /// Takes the trial point's loss and gradient: accepts it and aims anew, or shortens the step.
    fn advance(&mut self, slopes: &[f64], sums: &Sums, spread: &[f64], tolerance: f64) -> Result<(), String> {
        self.evaluations += 1;
        let (n, penalty) = (self.problem.rows.len() as f64, self.problem.penalty());
        let weights = &self.trial[..slopes.len()];
        let loss = sums.loss / n + 0.5 * penalty * dot(weights, weights);
        let first = self.at.is_empty();
        if first && !loss.is_finite() {
            return Err("the loss is not a finite number".into());
        }
        let rounding = 1e-15 * self.loss.abs();
        let enough = self.loss + 1e-4 * self.length * self.slope + rounding;
        if !first && (loss.is_nan() || loss > enough) {
            let bend = loss - self.loss - self.slope * self.length;
            let best = -0.5 * self.slope * self.length * self.length / bend;
            self.length = if best.is_finite() { best.clamp(0.1 * self.length, 0.5 * self.length) } else { 0.1 * self.length };
            self.done = self.length < 1e-12 || self.evaluations >= EVALUATIONS;
            self.aim();
            return Ok(());
        }
        let mut gradient: Vec<f64> = slopes.iter().zip(weights).map(|(s, w)| s / n + penalty * w).collect();
        gradient.extend(sums.residual.iter().map(|r| r / n));
        if !first {
            self.remember(&gradient);
        }
        let curvature: Vec<f64> = sums.curvature.iter().map(|c| (c / n).max(LEAST_CURVATURE)).collect();
        self.scale.clear();
        self.scale.extend(curvature.iter().flat_map(|h| spread.iter().map(move |s| 1.0 / (h * s + penalty))));
        self.scale.extend(curvature.iter().map(|h| 1.0 / h));
        self.at.clone_from(&self.trial);
        (self.loss, self.gradient, self.length) = (loss, gradient, 1.0);
        let decrement: f64 = self.gradient.iter().zip(&self.scale).map(|(g, s)| g * g * s).sum();
        self.converged = decrement <= tolerance;
        self.done = self.converged || self.evaluations >= EVALUATIONS;
        if !self.done {
            self.turn();
            self.aim();
        }
        Ok(())
    }

    fn remember(&mut self, gradient: &[f64]) {
        let oldest = if self.memory.len() == MEMORY { self.memory.pop_front() } else { None };
        let Pair { mut step, mut change, .. } = oldest.unwrap_or_default();
        step.clear();
        step.extend(self.trial.iter().zip(&self.at).map(|(a, b)| a - b));
        change.clear();
        change.extend(gradient.iter().zip(&self.gradient).map(|(a, b)| a - b));
        let product = dot(&step, &change);
        if product > f64::EPSILON * dot(&change, &change).sqrt() * dot(&step, &step).sqrt() {
            self.memory.push_back(Pair { step, change, inverse: 1.0 / product });
        }
    }

    /// The direction of the next step: the two loops of L-BFGS.
    fn turn(&mut self) {
        let mut q = self.gradient.clone();
        let mut along = Vec::with_capacity(self.memory.len());
        for pair in self.memory.iter().rev() {
            let a = pair.inverse * dot(&pair.step, &q);
            q.iter_mut().zip(&pair.change).for_each(|(q, y)| *q -= a * y);
            along.push(a);
        }
        let stretch = self.memory.back().map_or(1.0, |pair| {
            let scaled: f64 = pair.change.iter().zip(&self.scale).map(|(y, s)| y * y * s).sum();
            1.0 / (pair.inverse * scaled)
        });
        q.iter_mut().zip(&self.scale).for_each(|(q, s)| *q *= stretch * s);
        for (pair, a) in self.memory.iter().zip(along.into_iter().rev()) {
            let b = pair.inverse * dot(&pair.change, &q);
            q.iter_mut().zip(&pair.step).for_each(|(q, s)| *q += (a - b) * s);
        }
        q.iter_mut().for_each(|q| *q = -*q);
        self.slope = dot(&q, &self.gradient);
        if self.slope.is_nan() || self.slope >= 0.0 {
            self.memory.clear();
            q = self.gradient.iter().zip(&self.scale).map(|(g, s)| -g * s).collect();
            self.slope = dot(&q, &self.gradient);
        }
        self.direction = q;
    }

    fn aim(&mut self) {
        self.trial.clear();
        self.trial.extend(self.at.iter().zip(&self.direction).map(|(x, d)| x + self.length * d));
    }

    fn fitted(self, columns: usize) -> Logistic {
        let gradient_max = self.gradient.iter().fold(0.0, |m: f64, g| m.max(g.abs()));
        let (weights, intercepts) = self.at.split_at(self.vectors * columns);
        Logistic {
            classes: self.problem.present.len(),
            weights: Matrix { rows: self.vectors, columns, values: weights.to_vec() },
            intercepts: intercepts.to_vec(),
            iterations: self.evaluations,
            converged: self.converged,
            gradient_max,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::logistic::Tolerance;
    use super::super::reduced::reduce;
    use super::*;

    #[test]
    fn fits_in_step_are_the_fits_one_by_one_in_the_original_columns() {
        let x = Matrix { rows: 30, columns: 70, values: (0..2100).map(|i| ((i * i % 997) as f64).sin()).collect() };
        let labels: Vec<usize> = (0..30).map(|i| (i * 7 + i / 4) % 3).collect();
        let reduced = reduce(&x, &x).unwrap();
        let rows = |skip: usize| (0..30).filter(|i| i % 5 != skip).collect::<Vec<_>>();
        let exact = Tolerance { gradient: 1e-11, ..Tolerance::tight() };
        let two: Vec<usize> = labels.iter().map(|l| l / 2).collect();
        let mut problems: Vec<Problem> = (0..3).map(|skip| Problem::new(rows(skip), &labels, 10.0f64.powi(2 - 2 * skip as i32))).collect();
        problems.push(Problem::new(rows(0), &two, 1.0));
        let fits = fit_all(&reduced.train, &reduced.spread, &problems, 1e-16).unwrap();
        for (i, (problem, fit)) in problems.iter().zip(&fits).enumerate() {
            let labels = if i == 3 { &two } else { &labels };
            let seen = x.select(&problem.rows);
            let own: Vec<usize> = problem.rows.iter().map(|&r| labels[r]).collect();
            let single = Logistic::fit(&seen, &own, problem.present.len(), problem.c, exact).unwrap();
            let (a, b) = (fit.log_probabilities(&reduced.test), single.log_probabilities(&x));
            let far = a.values.iter().zip(&b.values).fold(0.0f64, |m, (a, b)| m.max((a - b).abs()));
            assert!(fit.converged && far < 2e-6, "{i}: {far} after {}", fit.iterations);
        }
        // another place to begin is another way to the same optimum
        let mut warm = problems[0].clone();
        warm.start = Some(fits[1].clone());
        let again = fit_all(&reduced.train, &reduced.spread, &[warm], 1e-16).unwrap();
        let far = again[0].weights.values.iter().zip(&fits[0].weights.values).fold(0.0f64, |m, (a, b)| m.max((a - b).abs()));
        assert!(far < 1e-6, "{far}");
        assert!(fit_all(&reduced.train, &reduced.spread, &[Problem::new(vec![0, 1], &[1; 30], 1.0)], 1e-8).is_err());
    }
}
