//! One example under one intervention, greedy or sampled.

use std::sync::Arc;

use prism_record::decode::{
    BlockTokens, Branch, Latents, Noise, NoiseFile, NoiseSource, Prefix, Strategy, Swap, Trajectory, Untouched, Zero,
};
use prism_run::random::Stream;
use prism_run::{Action, Donor, Example, Intervention, Scope, View};

use crate::Context;
use crate::commands::opened::Opened;
use crate::exit::Refused;

/// What a trace runs with.
pub struct Tracer<'a> {
    pub opened: &'a Opened,
    pub examples: &'a [Example],
    pub strategy: Strategy,
    pub intervention: Intervention,
    pub noise: Option<NoiseFile>,
    pub seed: u64,
}

impl<'a> Tracer<'a> {
    /// Says how tokens are chosen.
    pub fn say(&self, samples: Option<u32>, context: &Context) {
        let settings = &self.opened.tokens.generation;
        let sampling = settings.sampling;
        let drawn = format!("temperature {}, top-k {}, top-p {}", sampling.temperature, sampling.top_k, sampling.top_p);
        let penalty = match settings.repetition_penalty {
            1.0 => String::new(),
            penalty => format!(", repetition penalty {penalty}"),
        };
        let line = match samples {
            Some(samples) => format!("{samples} samples a row, seed {}: {drawn}{penalty}", self.seed),
            None if settings.do_sample => format!("greedy{penalty}; as published it is sampled ({drawn}): --samples S"),
            None => format!("greedy{penalty}"),
        };
        context.printer.narrate(&line);
        if self.strategy.force_open {
            context.printer.narrate("the block is opened by force: the first token is the start token, whatever the model says");
        }
        if settings.reads_history() && !self.intervention.is_clean() {
            context.printer.narrate("the penalty sees the clean run's block tokens");
        }
    }

    pub fn example(&self, row: usize) -> anyhow::Result<&'a Example> {
        let n = self.examples.len();
        self.examples
            .get(row)
            .ok_or_else(|| Refused(format!("--rows: row {row} does not exist; the file has rows 0 to {}", n.saturating_sub(1))).into())
    }

    /// The greedy run, or the samples with their numbers.
    pub fn decode(&self, example: &Example, prefix: &'a Prefix, samples: Option<u32>) -> anyhow::Result<Vec<(Option<u32>, Trajectory)>> {
        let Some(samples) = samples else { return Ok(vec![(None, self.one(example, prefix, None)?)]) };
        (0..samples).map(|sample| Ok((Some(sample), self.one(example, prefix, Some(sample))?))).collect()
    }

    fn one(&self, example: &Example, prefix: &'a Prefix, sample: Option<u32>) -> anyhow::Result<Trajectory> {
        let draws = sample.map(|sample| Stream::new(self.seed, "sampling", &[&example.id, &sample.to_string()]));
        let mut branch = self.branch(example, prefix)?;
        if self.opened.tokens.generation.reads_history() && !self.intervention.is_clean() {
            let mut clean = Branch::new(prefix, Untouched);
            clean.course.draws.clone_from(&draws);
            branch.course.said = Some(Arc::new(BlockTokens::of(&self.run(clean)?)));
        }
        branch.course.draws = draws;
        self.run(branch)
    }

    fn branch(&self, example: &Example, prefix: &'a Prefix) -> anyhow::Result<Branch<'a>> {
        let Intervention { action, scope, view } = self.intervention;
        if view != View::Open || scope != Scope::default() {
            anyhow::bail!(Refused(format!("--intervention {}: a trace acts on every latent, with the image as it is", self.intervention)));
        }
        Ok(match action {
            Action::Clean => Branch::new(prefix, Untouched),
            Action::Zero => Branch::new(prefix, Zero),
            Action::Noise(sigma) => Branch::new(prefix, Noise { sigma, source: self.noise_of(example)? }),
            Action::Swap(Donor::Random) => {
                anyhow::bail!(Refused("--intervention swap: a trace has no donor pool; name the donor, e.g. swap:7".into()))
            }
            Action::Swap(Donor::Row(row)) => Branch::new(prefix, Swap { donor: self.latents(row)? }),
            Action::Swap(Donor::Itself) => Branch::new(prefix, Swap { donor: self.latents(example.row)? }),
            other => anyhow::bail!(Refused(format!(
                "--intervention {other}: a trace knows clean, zero, noise:SIGMA, swap:ROW and sham; `prism audit` knows them all"
            ))),
        })
    }

    fn run(&self, branch: Branch<'_>) -> anyhow::Result<Trajectory> {
        let mut done = self.opened.decoder(self.strategy).decode(vec![branch])?;
        done.pop().ok_or_else(|| anyhow::anyhow!("the decode loop returned no trajectory"))
    }

    fn noise_of(&self, example: &Example) -> anyhow::Result<NoiseSource> {
        let Some(file) = &self.noise else { return Ok(NoiseSource::Keyed { seed: self.seed, example: example.id.clone() }) };
        file.source(example.row)
            .ok_or_else(|| Refused(format!("--noise: the file has no draws for row {}; it is indexed by row", example.row)).into())
    }

    /// The latents of a row's clean run.
    fn latents(&self, row: usize) -> anyhow::Result<Arc<Latents>> {
        let prefix = self.opened.prefiller().prefix(self.example(row)?)?;
        Ok(Arc::new(self.run(Branch::new(&prefix, Untouched))?.latents(row)))
    }
}
