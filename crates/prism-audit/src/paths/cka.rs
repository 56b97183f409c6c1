//! Linear centred kernel alignment of two sets of states on the same examples (Kornblith,
//! Norouzi, Lee and Hinton 2019), and the same of unbiased estimates of HSIC (Song et al. 2012;
//! Nguyen, Raghu and Kornblith 2021).
//!
//! With K = X X', L = Y Y' of centred features, CKA = <K, L> / sqrt(<K, K> <L, L>). It does not
//! change when states are turned or scaled as a whole. With fewer examples than dimensions it
//! is far above 0 for states that have nothing in common; the debiased form is not.

/// The kernel of one set of states: `[n, n]`, row-major, of features centred over the examples.
#[derive(Debug, Clone, PartialEq)]
pub struct Kernel {
    n: usize,
    values: Vec<f64>,
}

impl Kernel {
    /// Of rows of equal length.
    pub fn of(rows: &[&[f32]]) -> Self {
        let (n, width) = (rows.len(), rows.first().map_or(0, |row| row.len()));
        let mut centred: Vec<f64> = rows.iter().flat_map(|row| row.iter().map(|v| f64::from(*v))).collect();
        for column in 0..width {
            let mean = (0..n).map(|i| centred[i * width + column]).sum::<f64>() / n.max(1) as f64;
            (0..n).for_each(|i| centred[i * width + column] -= mean);
        }
        let row = |i: usize| &centred[i * width..(i + 1) * width];
        let mut values = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..=i {
                let product: f64 = row(i).iter().zip(row(j)).map(|(a, b)| a * b).sum();
                (values[i * n + j], values[j * n + i]) = (product, product);
            }
        }
        Self { n, values }
    }

    /// The same with the examples in another order.
    pub fn reordered(&self, order: &[usize]) -> Self {
        let at = |i: usize, j: usize| self.values[order[i] * self.n + order[j]];
        let values = (0..self.n).flat_map(|i| (0..self.n).map(move |j| at(i, j))).collect();
        Self { n: self.n, values }
    }

    fn inner(&self, other: &Self) -> f64 {
        self.values.iter().zip(&other.values).map(|(a, b)| a * b).sum()
    }

    /// Linear CKA; `None` where one side does not vary.
    pub fn cka(&self, other: &Self) -> Option<f64> {
        ratio(self.inner(other), self.inner(self), other.inner(other))
    }

    /// CKA of unbiased HSIC; `None` below four examples, or where one side's estimate of its own
    /// HSIC is not above 0.
    pub fn debiased(&self, other: &Self) -> Option<f64> {
        ratio(self.unbiased(other)?, self.unbiased(self)?, other.unbiased(other)?)
    }

    /// The unbiased estimate of HSIC, `None` below four examples.
    fn unbiased(&self, other: &Self) -> Option<f64> {
        let n = self.n as f64;
        if self.n < 4 {
            return None;
        }
        let (mut trace, mut rows, mut all) = (0.0, 0.0, [0.0f64; 2]);
        for i in 0..self.n {
            let mut sums = [0.0f64; 2];
            for j in (0..self.n).filter(|j| *j != i) {
                let (k, l) = (self.values[i * self.n + j], other.values[i * self.n + j]);
                trace += k * l;
                sums = [sums[0] + k, sums[1] + l];
            }
            rows += sums[0] * sums[1];
            all = [all[0] + sums[0], all[1] + sums[1]];
        }
        let estimate = trace + all[0] * all[1] / ((n - 1.0) * (n - 2.0)) - 2.0 * rows / (n - 2.0);
        Some(estimate / (n * (n - 3.0)))
    }
}

fn ratio(both: f64, one: f64, other: f64) -> Option<f64> {
    (one > 0.0 && other > 0.0).then(|| both / (one * other).sqrt()).filter(|value| value.is_finite())
}

#[cfg(test)]
mod tests {
    use prism_run::random::Stream;

    use super::*;

    fn random(purpose: &str, n: usize, width: usize) -> Vec<Vec<f32>> {
        (0..n).map(|i| Stream::new(1, purpose, &[&i.to_string()]).normals(width)).collect()
    }

    fn kernel(rows: &[Vec<f32>]) -> Kernel {
        Kernel::of(&rows.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    #[test]
    fn turned_scaled_and_moved_states_are_alike_and_strangers_are_not() {
        let x = random("x", 40, 3);
        let turned: Vec<Vec<f32>> = x.iter().map(|v| vec![3.0 * v[1] + 7.0, -3.0 * v[0], 3.0 * v[2]]).collect();
        let (one, other) = (kernel(&x), kernel(&turned));
        assert!((one.cka(&other).unwrap() - 1.0).abs() < 1e-6 && (one.debiased(&other).unwrap() - 1.0).abs() < 1e-6);
        let (wide, stranger) = (kernel(&random("a", 40, 400)), kernel(&random("b", 40, 400)));
        // Ten times as many dimensions as examples: likeness by width alone, and none when debiased.
        assert!(wide.cka(&stranger).unwrap() > 0.8, "{:?}", wide.cka(&stranger));
        assert!(wide.debiased(&stranger).unwrap().abs() < 0.1, "{:?}", wide.debiased(&stranger));
    }

    #[test]
    fn what_does_not_vary_or_is_too_little_has_no_likeness() {
        let still = kernel(&vec![vec![1.0, 2.0]; 5]);
        assert_eq!((still.cka(&still), still.debiased(&still)), (None, None));
        let few = kernel(&random("few", 3, 2));
        assert!(few.cka(&few).is_some() && few.debiased(&few).is_none());
    }
}
