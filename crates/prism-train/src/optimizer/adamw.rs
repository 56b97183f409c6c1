//! AdamW on slices, one pass over memory (Loshchilov and Hutter, decoupled decay;
//! the order of operations of PyTorch's).

/// The optimizer's keys.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamW {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Decoupled weight decay of the parameters that decay.
    pub weight_decay: f64,
}

impl Default for AdamW {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.1 }
    }
}

/// Factors of one step, the same for every element.
#[derive(Debug, Clone, Copy)]
pub struct Factors {
    beta1: f32,
    new1: f32,
    beta2: f32,
    new2: f32,
    epsilon: f32,
    rate: f32,
    keep: f32,
    root: f32,
    scale: f32,
}

impl AdamW {
    /// Factors of step `step` (from 1) at learning rate `rate`; every gradient is
    /// multiplied by `scale` (clipping) first.
    pub fn factors(&self, step: usize, rate: f64, scale: f64, decays: bool) -> Factors {
        let correction = |beta: f64| 1.0 - beta.powf(step as f64);
        Factors {
            beta1: self.beta1 as f32,
            new1: (1.0 - self.beta1) as f32,
            beta2: self.beta2 as f32,
            // Rounded after the subtraction: 1 - 0.999f32 is 1.3e-5 too small.
            new2: (1.0 - self.beta2) as f32,
            epsilon: self.epsilon as f32,
            rate: (rate / correction(self.beta1)) as f32,
            keep: if decays { (1.0 - rate * self.weight_decay) as f32 } else { 1.0 },
            root: (1.0 / correction(self.beta2).sqrt()) as f32,
            scale: scale as f32,
        }
    }
}

/// One step on equally long slices: parameters, gradients, first and second moments.
pub fn step(f: Factors, parameters: &mut [f32], gradients: &[f32], first: &mut [f32], second: &mut [f32]) {
    let moments = first.iter_mut().zip(second.iter_mut());
    for ((p, &g), (m, v)) in parameters.iter_mut().zip(gradients).zip(moments) {
        let g = g * f.scale;
        *m = f.beta1 * *m + f.new1 * g;
        *v = f.beta2 * *v + f.new2 * g * g;
        *p = f.keep * *p - f.rate * *m / (v.sqrt() * f.root + f.epsilon);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The textbook rule in double precision.
    fn reference(steps: usize, gradient: impl Fn(f64) -> f64) -> f64 {
        let (mut p, mut m, mut v) = (1.0f64, 0.0, 0.0);
        for t in 1..=steps {
            let g = gradient(p);
            p -= 0.01 * 0.1 * p;
            m = 0.9 * m + 0.1 * g;
            v = 0.999 * v + 0.001 * g * g;
            p -= 0.01 * (m / (1.0 - 0.9f64.powi(t as i32))) / ((v / (1.0 - 0.999f64.powi(t as i32))).sqrt() + 1e-8);
        }
        p
    }

    #[test]
    fn follows_the_rule() {
        let adam = AdamW::default();
        let (mut p, mut m, mut v) = ([1.0f32], [0.0f32], [0.0f32]);
        for t in 1..=50 {
            let g = [2.0 * (p[0] - 0.3)];
            step(adam.factors(t, 0.01, 1.0, true), &mut p, &g, &mut m, &mut v);
        }
        let expected = reference(50, |p| 2.0 * (p - 0.3));
        assert!((f64::from(p[0]) - expected).abs() < 1e-6, "{} {expected}", p[0]);
    }
}
