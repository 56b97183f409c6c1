//! What training logged of the two losses' gradients, as findings.

use std::collections::BTreeMap;

use super::Named;
use crate::findings::GradientCosineFinding;

/// One step of a training's log.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Step {
    /// From 1.
    pub step: usize,
    /// Whether a latent loss was computed.
    pub has_latent_loss: bool,
    /// The cosines by layer, where they were measured.
    pub cosines: Option<BTreeMap<String, f64>>,
}

/// Where a training's log is, or why it is not known.
pub type Logged<'a> = Result<&'a [Step], String>;

/// One row per measured step and layer; where there is none, one row that says why.
pub fn findings(named: &Named, logged: Logged<'_>) -> Vec<GradientCosineFinding> {
    let row = |step: Option<usize>, layer: Option<String>, cosine: Option<f64>, reason: Option<String>| GradientCosineFinding {
        variant: named.name.clone(),
        seed: named.seed(),
        step,
        layer,
        cosine,
        reason,
    };
    let steps = match logged {
        Ok(steps) => steps,
        Err(reason) => return vec![row(None, None, None, Some(reason))],
    };
    let mut found = Vec::new();
    for step in steps {
        let cosines = step.cosines.iter().flatten();
        found.extend(cosines.map(|(layer, cosine)| row(Some(step.step), Some(layer.clone()), Some(*cosine), None)));
    }
    if found.is_empty() {
        let reason = match steps.iter().any(|step| step.has_latent_loss) {
            true => "the training did not measure it; train with the key `gradient_cosine_every`",
            false => "the training has no latent loss",
        };
        found.push(row(None, None, None, Some(reason.into())));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_measured_says_why() {
        let named = Named { name: "LVR".into(), seed: Some(3) };
        let step = |step, has_latent_loss, cosines| Step { step, has_latent_loss, cosines };
        let reason = |steps: &[Step]| findings(&named, Ok(steps))[0].reason.clone().unwrap();
        assert!(reason(&[step(1, true, None)]).contains("gradient_cosine_every"));
        assert!(reason(&[step(1, false, None)]).contains("no latent loss"));
        assert_eq!(findings(&named, Err("no log".into()))[0].reason.as_deref(), Some("no log"));
        let measured = [step(1, true, Some(BTreeMap::from([("layer-00".to_string(), 0.5)]))), step(2, true, None)];
        let found = findings(&named, Ok(&measured));
        assert_eq!((found.len(), found[0].step, found[0].cosine, found[0].seed), (1, Some(1), Some(0.5), Some(3)));
    }
}
