//! `prism rescore`: arguments.

use std::path::PathBuf;

use clap::Args;
use prism_run::Answers;

/// Read the answers of finished runs by another rule.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  prism rescore runs/e                                what every rule reads of the clean run; nothing is written
  prism rescore runs/e --answers boxed                the run's answers and findings by that rule
  prism rescore runs/a runs/b --answers tagged,letter the first rule that reads an option decides
  prism rescore runs/e --answers tagged               back again, to the byte

No model is run: records hold the text of every branch. What is written is the answer, whether it is
right, and how the example ended; the findings are made again. Margins stay where the model run took them.")]
pub struct RescoreArguments {
    /// Run folders of audits, evaluations or their shards
    #[arg(required = true)]
    pub runs: Vec<PathBuf>,
    /// The rules: tagged, release, boxed, letter, option-text, laser, laser-yesno, laser-mmvp, mirage,
    /// ilvr, swimbird, realvr, ivtlr [default: none, and what each would read is printed]
    #[arg(long, value_name = "RULE[,RULE]")]
    pub answers: Option<Answers>,
}
