//! `prism trace`: single examples under the magnifying glass.

mod losses;

use std::collections::BTreeMap;
use std::sync::Arc;

use prism_model::tensor::Trainable;
use prism_record::decode::{Branch, Latents, Noise, NoiseFile, NoiseSource, Prefix, Strategy, Swap, Trajectory, Untouched, Zero};
use prism_record::trace::{ExampleTrace, collect_vectors, picture};
use prism_run::{Action, Donor, Example, Intervention, Scope, View, shown, vectors};

use super::decoding::Decoding;
use super::images::ImageSettings;
use super::opened::{Opened, locate};
use crate::Context;
use crate::cli::TraceArguments;
use crate::exit::{ExitStatus, Refused};

/// Runs the verb.
pub fn run(arguments: TraceArguments, context: &Context) -> anyhow::Result<ExitStatus> {
    if arguments.teacher_forced {
        return losses::run(&arguments, context);
    }
    let examples = prism_data::read_benchmark(&arguments.examples)?;
    let checkpoint = locate(&arguments.checkpoint, context)?;
    let decoding = Decoding::resolve(&arguments.decoding, arguments.max_new_tokens.max(1))?;
    let protocol = decoding.protocol(&checkpoint)?;
    let chosen = decoding.strategy(&checkpoint, protocol.as_ref(), arguments.steps)?;
    let images = ImageSettings::from(&arguments.images);
    let opened = Opened::open(&checkpoint, protocol.as_ref(), images, Trainable::No, &context.hardware)?;
    context.printer.narrate(&shown(&images.in_words(&opened.preprocessor, protocol.as_ref())));
    let tracer = Tracer {
        opened: &opened,
        examples: &examples,
        strategy: chosen.strategy,
        intervention: arguments.intervention,
        noise: arguments.noise.as_deref().map(NoiseFile::read).transpose()?,
        seed: arguments.seed,
    };
    chosen.say(context);
    let mut all = BTreeMap::new();
    let mut opened_blocks = 0;
    for &row in &arguments.rows.0 {
        context.cancel.check()?;
        let example = tracer.example(row)?;
        let prefix = opened.prefiller().prefix(example)?;
        let trajectory = tracer.decode(example, &prefix)?;
        let trace = ExampleTrace::new(example, &prefix, &trajectory);
        opened_blocks += usize::from(trajectory.latent_forwards().next().is_some());
        if arguments.vectors.is_some() {
            collect_vectors(&mut all, row, &prefix, &trajectory);
        }
        context.printer.result_json(&trace)?;
        let tokens: Vec<String> =
            trajectory.generated.iter().map(|id| opened.prompter.tokenizer().decode(&[*id])).collect::<Result<_, _>>()?;
        context.printer.result(&picture(&trace, &trajectory, &tokens));
    }
    if let Some(path) = &arguments.vectors {
        vectors::write(path, &all)?;
        context.printer.narrate(&format!("vectors: {}", path.display()));
    }
    if opened_blocks == 0 {
        context.printer.warn("the latent block never opened in these rows: an intervention on them is a silent no-op");
        return Ok(ExitStatus::NoLatents);
    }
    Ok(ExitStatus::Success)
}

struct Tracer<'a> {
    opened: &'a Opened,
    examples: &'a [Example],
    strategy: Strategy,
    intervention: Intervention,
    noise: Option<NoiseFile>,
    seed: u64,
}

impl<'a> Tracer<'a> {
    fn example(&self, row: usize) -> anyhow::Result<&'a Example> {
        let n = self.examples.len();
        self.examples
            .get(row)
            .ok_or_else(|| Refused(format!("--rows: row {row} does not exist; the file has rows 0 to {}", n.saturating_sub(1))).into())
    }

    fn decode(&self, example: &Example, prefix: &'a Prefix) -> anyhow::Result<Trajectory> {
        let Intervention { action, scope, view } = self.intervention;
        if view != View::Open || scope != Scope::default() {
            anyhow::bail!(Refused(format!("--intervention {}: a trace acts on every latent, with the image as it is", self.intervention)));
        }
        let branch = match action {
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
        };
        self.run(branch)
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
