//! `prism trace`: arguments.

use std::path::PathBuf;

use clap::Args;
use prism_run::{Answers, Intervention, Reduction, Steps};

use super::{DecodingArguments, ImageArguments, SourceArguments};

/// Look at single examples.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prism trace --checkpoint DIR --examples data.json --rows 0-3 --steps 8
  prism trace --checkpoint DIR --examples data.json --rows 5 --steps 8 --intervention noise:0.3 --json
  prism trace --checkpoint DIR --protocol monet --examples examples.json --rows 0-13 --generation plain --json
  prism trace --checkpoint DIR --examples data.json --rows 0-9 --samples 8 --seed 1
  prism trace --checkpoint DIR --examples data.json --rows 3,4,5,6 --teacher-forced --reduction paper --json")]
pub struct TraceArguments {
    /// Hugging Face folder of the model, or its name in the local Hub cache (org/name)
    #[arg(long)]
    pub checkpoint: PathBuf,
    /// Where it comes from
    #[command(flatten)]
    pub source: SourceArguments,
    /// Training JSON or benchmark
    #[arg(long)]
    pub examples: PathBuf,
    /// Rows, e.g. `0-31` or `3,4,5`
    #[arg(long, value_parser = parse_rows)]
    pub rows: Rows,
    /// Latent steps K; `trained` takes the median length of training, stage by stage [default:
    /// trained, where the checkpoint knows its lengths; else the protocol's, 8 for LVR]
    #[arg(long, value_name = "trained|K")]
    pub steps: Option<Steps>,
    /// Protocol and exit
    #[command(flatten)]
    pub decoding: DecodingArguments,
    /// Most new tokens, latent steps included
    #[arg(long, default_value_t = 512)]
    pub max_new_tokens: usize,
    /// Rules that read the answers, the first that reads an option deciding: tagged, release, boxed,
    /// letter, option-text, or a method's own (docs/reference/answers.md)
    /// [default: the protocol's, else tagged; without a protocol tagged,boxed,letter]
    #[arg(long, value_name = "RULE[,RULE]")]
    pub answers: Option<Answers>,
    /// How images become pixels
    #[command(flatten)]
    pub images: ImageArguments,
    /// What is done to the latents
    #[arg(long, default_value = "clean")]
    pub intervention: Intervention,
    /// Write the probe positions' vectors to this safetensors file
    #[arg(long)]
    pub vectors: Option<PathBuf>,
    /// Read the normal draws from this safetensors file: `noise[example, step, hidden]`
    #[arg(long)]
    pub noise: Option<PathBuf>,
    /// Seed of noise, donors and samples
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// Sample this many answers to every row, with the published temperature, top-k and top-p [default:
    /// none; the one answer is greedy]
    #[arg(long, value_name = "S", conflicts_with = "teacher_forced", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub samples: Option<u32>,
    /// The pack's losses under teacher forcing, instead of decoding
    #[arg(long)]
    pub teacher_forced: bool,
    /// With --teacher-forced: reduction of the latent loss [default: the variant's]
    #[arg(long, value_parser = parse_reduction, requires = "teacher_forced")]
    pub reduction: Option<Reduction>,
    /// With --teacher-forced: the gradient norm per parameter
    #[arg(long, requires = "teacher_forced")]
    pub gradients: bool,
    /// Variant, for the stages of the block [default: from the checkpoint's config]
    #[arg(long)]
    pub variant: Option<String>,
}

/// Row numbers, in the order typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows(pub Vec<usize>);

fn parse_rows(text: &str) -> Result<Rows, String> {
    let number = |t: &str| t.trim().parse::<usize>().map_err(|_| format!("`{t}` is not a row number; give e.g. 0-31 or 3,4,5"));
    let mut rows = Vec::new();
    for part in text.split(',') {
        match part.split_once('-') {
            Some((first, last)) => {
                let (first, last) = (number(first)?, number(last)?);
                if last < first || last - first >= 1_000_000 {
                    return Err(format!("`{part}` is not a range; give e.g. 0-31"));
                }
                rows.extend(first..=last);
            }
            None => rows.push(number(part)?),
        }
    }
    Ok(Rows(rows))
}

fn parse_reduction(text: &str) -> Result<Reduction, String> {
    match text {
        "paper" => Ok(Reduction::Paper),
        "matched" => Ok(Reduction::Matched),
        _ => Err("give `paper` or `matched`".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_in_order() {
        assert_eq!(parse_rows("3,4-6,1").unwrap().0, [3, 4, 5, 6, 1]);
        for bad in ["", "a", "4-2", "-", "0-99999999999"] {
            assert!(parse_rows(bad).is_err(), "{bad}");
        }
    }
}
