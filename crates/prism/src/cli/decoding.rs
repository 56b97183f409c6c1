//! How the latent block is decoded: options that `audit` and `trace` share.

use clap::Args;
use prism_run::protocol::{Criterion, ExitKind};

/// Protocol and exit.
#[derive(Debug, Clone, Default, Args)]
pub struct DecodingArguments {
    /// Latent protocol: lvr, p-lvr, monet, mirage, skila, or a TOML file
    /// [default: the one whose tokens the checkpoint has]
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub protocol: Option<String>,
    /// When a block is left: steps (after K), latent (near the learned end embedding) or
    /// token (at the end token) [default: the protocol's]
    #[arg(long, value_name = "steps|latent|token")]
    pub exit: Option<ExitKind>,
    /// With the exit latent: distance from the end embedding [default: mse]
    #[arg(long, value_name = "mse|mae|cosine")]
    pub exit_criterion: Option<Criterion>,
    /// With the exit latent: a block is left below this distance [default: 0.02]
    #[arg(long, value_name = "DISTANCE")]
    pub exit_threshold: Option<f64>,
    /// With the exits latent and token: most latent forwards of a block [default: the
    /// protocol's, else as many as the exit steps would take]
    #[arg(long, value_name = "FORWARDS")]
    pub cap: Option<usize>,
}
