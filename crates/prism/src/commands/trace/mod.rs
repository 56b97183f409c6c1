//! `prism trace`: single examples under the magnifying glass.

mod losses;
mod sampled;
mod tracer;

use std::collections::BTreeMap;

use prism_data::{Benchmark, Images};
use prism_model::tensor::Trainable;
use prism_record::decode::NoiseFile;
use prism_record::trace::{ExampleTrace, collect_vectors, picture};
use prism_run::{StageSteps, shown, vectors};

use self::sampled::Sampled;
use self::tracer::Tracer;
use super::answers::Chosen as Answers;
use super::decoding::Decoding;
use super::images::ImageSettings;
use super::opened::{Opened, locate_as};
use crate::Context;
use crate::cli::TraceArguments;
use crate::exit::ExitStatus;

/// Runs the verb.
pub fn run(arguments: TraceArguments, context: &Context) -> anyhow::Result<ExitStatus> {
    if arguments.teacher_forced {
        return losses::run(&arguments, context);
    }
    let benchmark = Benchmark::open(&arguments.examples)?;
    let mut examples = benchmark.read(&Images::extracted(None), None)?;
    let checkpoint = locate_as(&arguments.checkpoint, &arguments.source, context)?;
    let decoding = Decoding::resolve(&arguments.decoding, arguments.max_new_tokens.max(1))?;
    let protocol = decoding.protocol_said(&checkpoint, context)?;
    let chosen = decoding.strategy(&checkpoint, protocol.as_ref(), arguments.steps)?;
    Decoding::words(protocol.as_ref(), &benchmark, &mut examples);
    let images = ImageSettings::from(&arguments.images);
    let opened = Opened::open(&checkpoint, protocol.as_ref(), images, Trainable::No, &context.hardware)?;
    opened.tell_notes(context);
    let opened = opened.generating(&checkpoint, &decoding, protocol.as_ref(), context)?;
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
    let answers = Answers::of(arguments.answers.as_ref(), protocol.as_ref(), None);
    answers.say(&answers.scoring(&[]), context);
    tracer.say(arguments.samples, context);
    let longest = protocol.as_ref().map_or_else(StageSteps::default, |protocol| chosen.strategy.by_stage(protocol));
    let mut all = BTreeMap::new();
    let mut opened_blocks = 0;
    let mut sampled = Sampled::default();
    for &row in &arguments.rows.0 {
        context.cancel.check()?;
        let example = tracer.example(row)?;
        let prefix = opened.prefiller().prefix(example)?;
        let prompt = opened.prompter.tokenizer().decode(&prefix.prompt_ids)?;
        for (sample, trajectory) in tracer.decode(example, &prefix, arguments.samples)? {
            let trace = ExampleTrace { sample, ..ExampleTrace::new(example, &prefix, &trajectory, &opened.tokens, longest) };
            let (trace, score) = trace.read_by(&answers.answers, example, &trajectory, &prompt);
            opened_blocks += usize::from(trajectory.latent_forwards().next().is_some());
            sampled.take(example, score.correct);
            if arguments.vectors.is_some() && sample.is_none_or(|sample| sample == 0) {
                collect_vectors(&mut all, row, &prefix, &trajectory);
            }
            context.printer.result_json(&trace)?;
            let text = |id: Option<u32>| id.map_or(Ok(String::new()), |id| opened.prompter.tokenizer().decode(&[id]));
            let tokens: Vec<String> = trajectory.forwards.iter().map(|f| text(f.appended)).collect::<Result<_, _>>()?;
            context.printer.result(&picture(&trace, &trajectory, &tokens));
        }
    }
    if let Some(samples) = arguments.samples {
        sampled.tell(samples, context)?;
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
