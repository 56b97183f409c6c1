//! Multinomial logistic regression as scikit-learn fits it: mean loss plus
//! `|W|^2 / (2 C n)`, intercept free, L-BFGS-B with ten pairs from a start at
//! zero. Two classes have one weight vector (binomial loss), more have one each.

use std::convert::Infallible;

use basin::{BoxBounds, ConstraintDescription, ConstraintSet, Constraints, CostFunction, Executor};
use basin::{FirstOrderState, Gradient, Lbfgsb, Termination};

use super::matrix::{Matrix, times_transposed, transposed_times};

/// When a fit ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// Largest |gradient of the mean loss|.
    pub gradient: f64,
    /// Relative decrease of the loss; `None` = not a reason to end.
    pub cost: Option<f64>,
    /// Most iterations.
    pub iterations: u64,
}

impl Tolerance {
    /// scikit-learn's defaults, which the paper's release uses: it stops early.
    pub fn release(iterations: u64) -> Self {
        Self { gradient: 1e-4, cost: Some(64.0 * f64::EPSILON), iterations }
    }

    /// To the optimum, for practical purposes.
    pub fn tight() -> Self {
        Self { gradient: 1e-8, cost: None, iterations: 20_000 }
    }
}

/// A fitted classifier.
#[derive(Debug, Clone)]
pub struct Logistic {
    pub(super) classes: usize,
    /// `[vectors, columns]`, one vector for two classes, else one per class.
    pub(super) weights: Matrix,
    pub(super) intercepts: Vec<f64>,
    /// Iterations used.
    pub iterations: u64,
    /// Whether a tolerance was met.
    pub converged: bool,
    /// Largest |gradient of the mean loss| left.
    pub gradient_max: f64,
}

impl Logistic {
    /// Fits labels `0..classes` to the rows of `x`.
    ///
    /// # Errors
    /// The optimizer's message, e.g. when a value is not finite.
    pub fn fit(x: &Matrix, labels: &[usize], classes: usize, c: f64, tolerance: Tolerance) -> Result<Self, String> {
        let vectors = if classes == 2 { 1 } else { classes };
        let size = vectors * (x.columns + 1);
        let problem = Objective {
            x,
            labels,
            vectors,
            penalty: 1.0 / (c * x.rows as f64),
            lower: vec![f64::NEG_INFINITY; size],
            upper: vec![f64::INFINITY; size],
        };
        let solver = Lbfgsb::new()
            .with_m_capacity(10)
            .with_absolute_projected_gradient_tolerance(tolerance.gradient)
            .with_relative_cost_reduction_tolerance(tolerance.cost);
        let result = Executor::new(problem, solver, FirstOrderState::new(vec![0.0; size]))
            .max_iter(tolerance.iterations)
            .run()
            .map_err(|e| e.to_string())?;
        let parameters = result.param().clone();
        let objective = Objective { x, labels, vectors, penalty: 1.0 / (c * x.rows as f64), lower: Vec::new(), upper: Vec::new() };
        let (loss, gradient) = objective.evaluate(&parameters);
        if !loss.is_finite() {
            return Err("the loss is not a finite number".into());
        }
        let (weights, intercepts) = parameters.split_at(vectors * x.columns);
        Ok(Self {
            classes,
            weights: Matrix { rows: vectors, columns: x.columns, values: weights.to_vec() },
            intercepts: intercepts.to_vec(),
            iterations: result.iter(),
            converged: matches!(result.report.termination, Termination::Converged(_)),
            gradient_max: gradient.iter().fold(0.0, |m, g| m.max(g.abs())),
        })
    }

    /// Log-probabilities of every class: `[rows, classes]`.
    pub fn log_probabilities(&self, x: &Matrix) -> Matrix {
        let scores = x.times_transposed(&self.weights);
        let mut out = Matrix::zeros(x.rows, self.classes);
        for (row, target) in scores.values.chunks_exact(self.weights.rows).zip(out.values.chunks_exact_mut(self.classes)) {
            if let ([score], [first, second], [intercept]) = (row, &mut *target, self.intercepts.as_slice()) {
                *first = -softplus(score + intercept);
                *second = -softplus(-(score + intercept));
            } else {
                for ((t, s), b) in target.iter_mut().zip(row).zip(&self.intercepts) {
                    *t = s + b;
                }
                let normaliser = log_sum_exp(target);
                target.iter_mut().for_each(|t| *t -= normaliser);
            }
        }
        out
    }
}

/// ln(1 + e^z) without overflow.
pub(super) fn softplus(z: f64) -> f64 {
    z.max(0.0) + (-z.abs()).exp().ln_1p()
}

/// ln of the sum of exponentials without overflow.
fn log_sum_exp(values: &[f64]) -> f64 {
    let largest = values.iter().fold(f64::NEG_INFINITY, |m, v| m.max(*v));
    largest + values.iter().map(|v| (v - largest).exp()).sum::<f64>().ln()
}

/// Mean loss plus penalty; parameters are the weight vectors, then the intercepts.
struct Objective<'a> {
    x: &'a Matrix,
    labels: &'a [usize],
    vectors: usize,
    penalty: f64,
    lower: Vec<f64>,
    upper: Vec<f64>,
}

impl Objective<'_> {
    fn evaluate(&self, parameters: &[f64]) -> (f64, Vec<f64>) {
        let (n, d, k) = (self.x.rows, self.x.columns, self.vectors);
        let (weights, intercepts) = parameters.split_at(k * d);
        let mut residuals = vec![0.0; n * k];
        times_transposed(&self.x.values, n, weights, k, d, &mut residuals);
        let mut loss = 0.0;
        for (row, &label) in residuals.chunks_exact_mut(k).zip(self.labels) {
            if let ([z], [b]) = (&mut *row, intercepts) {
                let y = label as f64;
                let score = *z + b;
                loss += softplus(score) - y * score;
                *z = 1.0 / (1.0 + (-score).exp()) - y;
            } else {
                row.iter_mut().zip(intercepts).for_each(|(z, b)| *z += b);
                let normaliser = log_sum_exp(row);
                for (class, z) in row.iter_mut().enumerate() {
                    let own = class == label;
                    if own {
                        loss += normaliser - *z;
                    }
                    *z = (*z - normaliser).exp() - f64::from(u8::from(own));
                }
            }
        }
        let mut gradient = vec![0.0; k * (d + 1)];
        let (of_weights, of_intercepts) = gradient.split_at_mut(k * d);
        transposed_times(&residuals, k, &self.x.values, d, n, of_weights);
        let mut square = 0.0;
        for (g, w) in of_weights.iter_mut().zip(weights) {
            *g = *g / n as f64 + self.penalty * w;
            square += w * w;
        }
        for row in residuals.chunks_exact(k) {
            of_intercepts.iter_mut().zip(row).for_each(|(g, r)| *g += r / n as f64);
        }
        (loss / n as f64 + 0.5 * self.penalty * square, gradient)
    }
}

impl Constraints for Objective<'_> {
    type Set = ConstraintSet<BoxBounds<Vec<f64>>>;

    fn constraints(&self) -> <Self::Set as ConstraintDescription>::Borrowed<'_> {
        ConstraintSet::new().with_bounds(BoxBounds::new(Some(&self.lower), Some(&self.upper)))
    }
}

impl CostFunction for Objective<'_> {
    type Param = Vec<f64>;
    type Output = f64;
    type Error = Infallible;

    fn cost(&self, parameters: &Vec<f64>) -> Result<f64, Infallible> {
        Ok(self.evaluate(parameters).0)
    }
}

impl Gradient for Objective<'_> {
    type Gradient = Vec<f64>;

    fn gradient(&self, parameters: &Vec<f64>) -> Result<Vec<f64>, Infallible> {
        Ok(self.evaluate(parameters).1)
    }

    fn cost_and_gradient(&self, parameters: &Vec<f64>) -> Result<(f64, Vec<f64>), Infallible> {
        Ok(self.evaluate(parameters))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradient_agrees_with_differences() {
        let x = Matrix { rows: 4, columns: 2, values: vec![0.3, -1.0, 0.5, 0.2, -0.7, 1.1, 0.1, 0.4] };
        for (vectors, labels) in [(1, [0, 1, 1, 0]), (3, [0, 1, 2, 1])] {
            let problem = Objective { x: &x, labels: &labels, vectors, penalty: 0.2, lower: vec![], upper: vec![] };
            let at: Vec<f64> = (0..vectors * 3).map(|i| 0.3 * (i as f64).sin()).collect();
            let (_, gradient) = problem.evaluate(&at);
            for i in 0..at.len() {
                let shifted = |h: f64| {
                    let mut p = at.clone();
                    p[i] += h;
                    problem.evaluate(&p).0
                };
                let slope = (shifted(1e-6) - shifted(-1e-6)) / 2e-6;
                assert!((slope - gradient[i]).abs() < 1e-8, "{vectors} {i}: {slope} {}", gradient[i]);
            }
        }
    }

    #[test]
    fn log_probabilities_sum_to_one_and_values_that_are_not_finite_are_refused() {
        let x = Matrix { rows: 4, columns: 1, values: vec![-1.0, 1.0, -2.0, 2.0] };
        let fit = Logistic::fit(&x, &[0, 1, 0, 1], 2, 1.0, Tolerance::tight()).unwrap();
        let p = fit.log_probabilities(&x);
        assert!(fit.converged && p.values.chunks(2).all(|r| (r[0].exp() + r[1].exp() - 1.0).abs() < 1e-12));
        assert!(p.values[0] > p.values[1]);
        let bad = Matrix { rows: 2, columns: 1, values: vec![f64::NAN, 1.0] };
        assert!(Logistic::fit(&bad, &[0, 1], 2, 1.0, Tolerance::tight()).is_err());
    }
}
