//! What the positions of a sequence may see of its image and of its latents: open, or
//! one of the controls that prove an instrument can say yes and no.
//!
//! A checkpoint carries its sight in `config.json` (`latent_sight`); training and
//! inference obey it alike.

crate::words! {
    /// Which keys attention may reach, beyond causality.
    #[derive(Default)]
    pub enum Sight, "sight" {
        /// Every token before.
        #[default]
        Open = "open",
        /// Positive control. Behind a block's start token nothing sees what has looked at the
        /// image: neither its tokens, nor the question behind them, nor the start token. Only a
        /// start token still sees them (another start's key never). What is known of image and
        /// question behind it came through the fed-back latents.
        Bottleneck = "bottleneck",
        /// The same from the first block that ran on: a start token behind which no latent stands hides nothing, so
        /// that without the block the image is open.
        OptionalBottleneck = "optional-bottleneck",
        /// Registers. Latents see image and question; once a block has run, nothing else sees what has looked at the
        /// image, but for further blocks. What is known of image and question then came through the keys and values
        /// of the latent positions, even where every example feeds the same vectors.
        Registers = "registers",
        /// Negative control. Keys of latent positions are hidden from everything after the
        /// block; latents see each other and everything before.
        Blindfold = "blindfold",
    }
}

impl Sight {
    /// Whether nothing is hidden.
    pub fn is_open(&self) -> bool {
        *self == Sight::Open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_go_there_and_back() {
        for sight in Sight::ALL {
            assert_eq!(sight.to_string().parse::<Sight>().unwrap(), sight);
            assert_eq!(serde_json::to_value(sight).unwrap(), sight.name());
        }
        assert!("closed".parse::<Sight>().unwrap_err().to_string().contains("bottleneck"));
    }
}
