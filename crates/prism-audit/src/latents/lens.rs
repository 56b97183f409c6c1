//! The logit lens over examples: what latent steps would say, were they asked.

use std::collections::BTreeMap;

use prism_run::Stage;
use prism_run::records::{LatentRow, LensRow};

use crate::findings::LensFinding;
use crate::responses::mean;

/// Tokens named.
const NAMED: usize = 5;

#[derive(Default)]
struct Group<'a> {
    tokens: Vec<&'a str>,
    entropy: Vec<f64>,
    probability: Vec<f64>,
    gold: Vec<f64>,
}

/// One finding per stage, step and layer; `None` among layers, after the last, comes last.
pub fn lens(steps: &[LatentRow], within: &[LensRow]) -> Vec<LensFinding> {
    let mut groups: BTreeMap<(Stage, usize, usize), Group<'_>> = BTreeMap::new();
    for row in within {
        let group = groups.entry((row.stage, row.step, row.layer)).or_default();
        group.tokens.push(&row.token);
        group.entropy.push(row.entropy);
        group.probability.push(row.probability);
        group.gold.extend(row.gold);
    }
    for row in steps.iter().filter(|row| row.intervention.is_clean()) {
        let (Some(token), Some(entropy), Some(probability)) = (&row.lens_token, row.lens_entropy, row.lens_probability) else { continue };
        let group = groups.entry((row.stage, row.step, usize::MAX)).or_default();
        group.tokens.push(token);
        group.entropy.push(entropy);
        group.probability.push(probability);
        group.gold.extend(row.lens_gold);
    }
    let finding = |((stage, step, layer), group): ((Stage, usize, usize), Group<'_>)| LensFinding {
        stage,
        step,
        layer: Some(layer).filter(|layer| *layer != usize::MAX),
        examples: group.tokens.len(),
        entropy: mean(group.entropy.into_iter()),
        probability: mean(group.probability.into_iter()),
        gold: mean(group.gold.into_iter()),
        tokens: commonest(&group.tokens),
    };
    groups.into_iter().map(finding).collect()
}

/// The commonest tokens with their shares, quoted as text is: `" A" 62 %, "\n" 12 %`.
fn commonest(tokens: &[&str]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    tokens.iter().for_each(|token| *counts.entry(token).or_default() += 1);
    let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(token, count)| (std::cmp::Reverse(*count), *token));
    let share = |count: usize| 100.0 * count as f64 / tokens.len().max(1) as f64;
    let named = counts.iter().take(NAMED).map(|(token, count)| format!("{token:?} {:.0} %", share(*count)));
    named.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commonest_lead_and_ties_are_ordered() {
        assert_eq!(commonest(&["b", "a", "\n", "a"]), "\"a\" 50 %, \"\\n\" 25 %, \"b\" 25 %");
    }
}
