//! What an intervention allows to be said, in words, and the rule behind the words.

/// The rule, to be printed beside every verdict.
pub const RULE: &str = "`changes the answer`: exact McNemar test on the same examples, p < alpha after Holm over the \
interventions of the run. `bypassed`: the 90 % interval of the paired difference in accuracy lies inside the equivalence \
margin fixed beforehand (two one-sided tests at 5 %), and latents did run. `undecided`: neither, with the number of \
examples the equivalence test would need. `no latents ran`: the block never opened, so nothing was tested. A verdict \
speaks of this intervention, this benchmark and this margin, not of the variant at large.";
