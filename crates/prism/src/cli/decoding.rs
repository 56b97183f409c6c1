//! How the latent block is decoded: options that `audit` and `trace` share.

use clap::Args;
use prism_run::protocol::{Criterion, ExitKind};

/// Protocol and exit.
#[derive(Debug, Clone, Default, Args)]
pub struct DecodingArguments {
    /// Latent protocol: lvr, p-lvr, monet, mirage, skila, ilvr, laser, swimbird, realvr, colt,
    /// ivtlr, or a TOML file [default: the one whose tokens the checkpoint has]
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
    /// Set a key of the named protocol otherwise, e.g. `repetition=3` or `blocks.0.insert=8`; may be
    /// given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value, requires = "protocol")]
    pub set: Vec<(String, String)>,
    /// Open the block where a model does not: its first token is the start token, whatever it says
    #[arg(long)]
    pub force_open: bool,
    /// How tokens are chosen: as the method's runner and the checkpoint's generation_config.json say
    /// (penalties; sampling only with samples), or plainly the likeliest [default: published]
    #[arg(long, value_name = "published|plain")]
    pub generation: Option<GenerationSource>,
    /// The repetition penalty, over what is published; 1 is none
    #[arg(long, value_name = "PENALTY", value_parser = penalty)]
    pub repetition_penalty: Option<f64>,
}

/// Whose generation settings are used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum GenerationSource {
    /// The method's runner's, and the checkpoint's where that reads them.
    #[default]
    Published,
    /// None: the likeliest token.
    Plain,
}

impl GenerationSource {
    /// The word on the command line and in manifests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Plain => "plain",
        }
    }
}

impl std::str::FromStr for GenerationSource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = [Self::Published, Self::Plain].into_iter().find(|source| source.name() == text);
        known.ok_or_else(|| "give `published` or `plain`".into())
    }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.trim().into(), value.trim().into())),
        _ => Err("give a key and a value, as in repetition=3".into()),
    }
}

fn penalty(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|n| n.is_finite() && *n > 0.0);
    number.ok_or_else(|| "give a number above 0, e.g. 1.05".into())
}
