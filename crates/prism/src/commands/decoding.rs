//! From what was asked of the decoding to a protocol and a strategy.

use std::path::Path;

use prism_model::Config;
use prism_model::decode::{Strategy, detect};
use prism_model::tokenizer::Tokenizer;
use prism_run::Protocol;
use prism_run::protocol::ExitChoice;

use crate::cli::DecodingArguments;
use crate::exit::Refused;

/// K, where neither the user nor a protocol says one.
const STEPS: usize = 8;

/// Protocol, exit and budget as asked; K comes beside it, for a sweep has several.
#[derive(Debug, Clone, Default)]
pub struct Decoding {
    /// The named protocol; absent: the checkpoint's own.
    pub named: Option<Protocol>,
    /// What is asked of the exit over the protocol's.
    pub exit: ExitChoice,
    /// Most new tokens, latent steps included.
    pub max_new_tokens: usize,
}

impl Decoding {
    /// Reads a named protocol.
    ///
    /// # Errors
    /// When there is no such protocol, or its file is not one.
    pub fn resolve(arguments: &DecodingArguments, max_new_tokens: usize) -> anyhow::Result<Self> {
        let DecodingArguments { protocol, exit, exit_criterion, exit_threshold, cap } = arguments;
        let exit = ExitChoice { kind: *exit, criterion: *exit_criterion, threshold: *exit_threshold, cap: *cap };
        Ok(Self { named: protocol.as_deref().map(Protocol::load).transpose()?, exit, max_new_tokens })
    }

    /// The named protocol, else the one whose tokens the checkpoint has; `None` for a
    /// model without a known latent block.
    ///
    /// # Errors
    /// When the checkpoint's files cannot be read, or more than one protocol fits.
    pub fn protocol(&self, checkpoint: &Path) -> anyhow::Result<Option<Protocol>> {
        match &self.named {
            Some(named) => Ok(Some(named.clone())),
            None => Ok(detect(&Config::open(checkpoint)?, &Tokenizer::from_dir(checkpoint)?)?),
        }
    }

    /// The strategy at K = `steps`; absent: the protocol's own K.
    ///
    /// # Errors
    /// When K or the exit does not go with the protocol.
    pub fn strategy(&self, protocol: Option<&Protocol>, steps: Option<usize>) -> anyhow::Result<Strategy> {
        let Some(protocol) = protocol else {
            if self.exit != ExitChoice::default() {
                anyhow::bail!(Refused(
                    "--exit: the checkpoint has no known latent tokens, so there is no block to leave; name its --protocol".into()
                ));
            }
            return Ok(Strategy::of_steps(steps.unwrap_or(STEPS), self.max_new_tokens));
        };
        if steps.is_some() && !protocol.depends_on_steps() {
            anyhow::bail!(Refused(format!("--steps: every block of protocol `{}` has a fixed length; leave it out", protocol.id)));
        }
        let steps = steps.unwrap_or(protocol.steps);
        Ok(Strategy { steps, max_new_tokens: self.max_new_tokens, exit: protocol.exit(&self.exit)? })
    }
}
