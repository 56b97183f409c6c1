//! Learning rate over the steps: linear warm-up, then half a cosine down to 0
//! (method, section 3).

/// The learning rate of every optimizer step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// Peak learning rate.
    pub peak: f64,
    /// Optimizer steps of the warm-up.
    pub warmup: usize,
    /// Optimizer steps of the whole run.
    pub steps: usize,
    /// Whether the rate falls along the cosine after the warm-up; else it stays.
    pub cosine: bool,
}

impl Schedule {
    /// Warm-up over a share of the steps (rounded up), then the cosine.
    pub fn cosine(peak: f64, share: f64, steps: usize) -> Self {
        Self { peak, warmup: (share * steps as f64).ceil() as usize, steps, cosine: true }
    }

    /// The same rate at every step.
    pub fn constant(peak: f64, steps: usize) -> Self {
        Self { peak, warmup: 0, steps, cosine: false }
    }

    /// Learning rate of the step after `done` finished steps. With a warm-up the
    /// very first step has rate 0, as in the Hugging Face trainer.
    pub fn rate(&self, done: usize) -> f64 {
        if done < self.warmup {
            return self.peak * done as f64 / self.warmup as f64;
        }
        if !self.cosine {
            return self.peak;
        }
        let rest = (self.steps - self.warmup.min(self.steps)).max(1);
        let progress = ((done - self.warmup) as f64 / rest as f64).min(1.0);
        self.peak * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_and_falls() {
        let s = Schedule::cosine(1e-5, 0.03, 2500);
        assert_eq!((s.warmup, s.rate(0), s.rate(75)), (75, 0.0, 1e-5));
        // transformers.get_cosine_schedule_with_warmup(75, 2500) at these steps.
        for (done, share) in [(30, 0.4), (75, 1.0), (1500, 0.364_084_963_881_8), (2499, 4.195_813_8e-7)] {
            assert!((s.rate(done) / 1e-5 - share).abs() < 1e-6, "{done}: {}", s.rate(done) / 1e-5);
        }
        assert_eq!(Schedule::constant(0.1, 3).rate(2), 0.1);
        assert!(Schedule::cosine(1.0, 1.0, 4).rate(4).is_finite());
    }
}
