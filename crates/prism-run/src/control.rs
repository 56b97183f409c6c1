//! Controls: arms of which both answers are known before they are audited, for they follow
//! from how the arm is built.

use crate::{LatentInput, Need, Sight, Variant, Verdict};

crate::words! {
    /// A control, by its construction.
    pub enum Control, "control" {
        /// The answer sees the latents, not the image; every sample has its block.
        Bottleneck = "bottleneck",
        /// The same in half the samples; in the others no block ran and the image is open.
        BottleneckHalf = "bottleneck-half",
        /// The answer sees dummy tokens that are the same for every example; they see image and question.
        Registers = "registers",
        /// Every block is filled with another example's region.
        Foreign = "foreign",
        /// Nothing behind the block sees its latents.
        Blindfold = "blindfold",
        /// The same, with a block in half the samples.
        BlindfoldHalf = "blindfold-half",
    }
}

impl Control {
    /// The control that a variant is, if it is one.
    pub fn of(variant: &Variant) -> Option<Self> {
        let half = variant.block_share < 1.0;
        match (variant.sight, variant.latents) {
            (Sight::Bottleneck, _) => Some(Control::Bottleneck),
            (Sight::OptionalBottleneck, _) => half.then_some(Control::BottleneckHalf),
            (Sight::Registers, LatentInput::Token) => Some(Control::Registers),
            (Sight::Registers, _) => None,
            (Sight::Blindfold, _) => Some(if half { Control::BlindfoldHalf } else { Control::Blindfold }),
            (Sight::Open, LatentInput::Foreign) => Some(Control::Foreign),
            (Sight::Open, _) => None,
        }
    }

    /// The word it must have: whether what the block says is used.
    pub fn expected(self) -> Verdict {
        match self {
            Control::Bottleneck | Control::BottleneckHalf | Control::Registers => Verdict::LoadBearing,
            Control::Foreign | Control::Blindfold | Control::BlindfoldHalf => Verdict::Bypassed,
        }
    }

    /// Whether its block is needed; absent where that is measured, not built.
    pub fn needs_block(self) -> Option<bool> {
        match self {
            Control::Bottleneck => Some(true),
            Control::BottleneckHalf | Control::BlindfoldHalf => Some(false),
            Control::Registers | Control::Foreign | Control::Blindfold => None,
        }
    }

    /// Whether the answer to the second question is the one it must have; absent where none is known.
    pub fn agrees(self, found: Need) -> Option<bool> {
        let unneeded = matches!(found, Need::Indifferent | Need::InTheWay);
        self.needs_block().map(|needed| if needed { found == Need::Needed } else { unneeded })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_the_controls_of_their_name_and_the_papers_variants_are_none() {
        for control in Control::ALL {
            assert_eq!(Control::of(&Variant::load(control.name()).unwrap()), Some(control));
        }
        assert!(
            Variant::paper_ids()
                .chain(["ce-only", "no-latents", "dummy-tokens"])
                .all(|id| Control::of(&Variant::load(id).unwrap()).is_none())
        );
        assert_eq!(Control::BlindfoldHalf.agrees(Need::InTheWay), Some(true));
        assert_eq!((Control::Bottleneck.agrees(Need::Undecided), Control::Foreign.agrees(Need::Needed)), (Some(false), None));
    }
}
