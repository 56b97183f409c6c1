//! Which protocols an arm can be trained for: those whose blocks are laid out as LVR's are.

use super::rules::{Append, Count, StartInside, StopsInside, Trigger};
use super::{ExitKind, ImagesAt, Positions, Protocol};

/// Key of `config.json` with the protocol that a checkpoint was trained for, where it is another than its tokens tell.
pub const KEY: &str = "latent_protocol";

impl Protocol {
    /// What in it training does not lay out; `None`: an arm can be trained for it.
    ///
    /// Laid out is `<|lvr_start|>`, K positions and `<|lvr_end|>` where an answer has a region, the first region alone where a
    /// block opens once, after a prompt as the chat template has it.
    pub fn untrainable(&self) -> Option<&'static str> {
        let prompt = &self.prompt;
        let plain = prompt.system.is_none() && prompt.before.is_none() && prompt.after.is_none();
        let own_tokens =
            !matches!(self.blocks.as_slice(), [block] if block.start == "<|lvr_start|>" && block.end.as_deref() == Some("<|lvr_end|>"));
        let rules = [
            (own_tokens, "its blocks have tokens of their own"),
            (self.exit != ExitKind::Steps, "its blocks end where the model says so"),
            (self.trigger != Trigger::Read, "its blocks open otherwise than by a start token that is read"),
            (self.append != Append::Argmax, "it appends other tokens at a latent than those that are said"),
            (self.count != Count::default() || self.start_inside != StartInside::default(), "it counts steps over more than a block"),
            (self.stops_inside != StopsInside::default(), "a block of it can be ended from outside"),
            (!plain || prompt.images != ImagesAt::First || prompt.positions != Positions::Grid, "it lays out prompts otherwise"),
        ];
        rules.into_iter().find_map(|(other, what)| other.then_some(what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_shipped_protocols_those_of_lvrs_form_are_trained_for() {
        let trainable = |id: &&str| Protocol::load(id).unwrap().untrainable().is_none();
        assert_eq!(Protocol::preset_ids().filter(trainable).collect::<Vec<_>>(), ["lvr", "realvr"]);
    }
}
