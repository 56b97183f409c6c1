//! `prism trace --teacher-forced`: the objective of one pack, term by term.

use std::collections::BTreeMap;

use prism_model::preprocess::{Grid, ImageProcessor};
use prism_model::tensor::Trainable;
use prism_run::shown;
use prism_train::teacher_forced::{PackLosses, PackSample, pack_losses};

use crate::Context;
use crate::cli::TraceArguments;
use crate::commands::images::ImageSettings;
use crate::commands::opened::{Opened, declared, locate_as};
use crate::exit::{ExitStatus, Refused};

/// Prints the pack's losses and, if asked, the gradient's norm per parameter.
pub fn run(arguments: &TraceArguments, context: &Context) -> anyhow::Result<ExitStatus> {
    let records = prism_data::read_training(&arguments.examples, None)?;
    let training = if arguments.gradients { Trainable::All } else { Trainable::No };
    // Nothing is decoded, so no protocol is needed.
    // The processor that training uses.
    let images = ImageSettings::from(&arguments.images).or(ImageProcessor::Named);
    let opened = Opened::open(&locate_as(&arguments.checkpoint, &arguments.source, context)?, None, images, training, &context.hardware)?;
    opened.tell_notes(context);
    context.printer.narrate(&shown(&images.in_words(&opened.preprocessor, None)));
    let variant = match &arguments.variant {
        Some(name) => Some(prism_run::Variant::load(name)?),
        None => declared(&opened.model.config),
    };
    let (Some(variant), Some(layout)) = (variant.clone(), opened.layout(variant.as_ref())) else {
        anyhow::bail!(Refused(format!(
            "{}: has no latent tokens, so there is no latent loss to show; give a checkpoint that was trained with them",
            arguments.checkpoint.display()
        )));
    };
    let mut samples = Vec::new();
    for &row in &arguments.rows.0 {
        let record = records.get(row).ok_or_else(|| {
            Refused(format!("--rows: row {row} does not exist; the file has rows 0 to {}", records.len().saturating_sub(1)))
        })?;
        let grids: Vec<Grid> = record.images.iter().map(|path| opened.preprocessor.grid_of(path)).collect::<Result<_, _>>()?;
        samples.push((opened.prompter.sample(record, &grids, &layout)?, &record.images));
    }
    let pack: Vec<PackSample<'_>> = samples.iter().map(|(sample, images)| PackSample { sample, images }).collect();
    let reduction = arguments.reduction.unwrap_or(variant.reduction);
    let losses = pack_losses(&opened.model, &opened.preprocessor, &pack, &variant, reduction, arguments.gradients)?;
    print(&losses, context)?;
    Ok(ExitStatus::Success)
}

fn print(losses: &PackLosses, context: &Context) -> anyhow::Result<()> {
    let norms: Option<BTreeMap<&str, f64>> = losses.grad_norm.as_ref().map(|n| n.iter().map(|(k, v)| (k.as_str(), *v)).collect());
    let mut object = serde_json::json!({
        "rows": losses.rows,
        "ce": losses.ce,
        "latent": losses.latent,
        "diversity": losses.diversity,
        "total": losses.total,
    });
    if let (Some(norms), Some(object)) = (&norms, object.as_object_mut()) {
        object.insert("grad_norm".into(), serde_json::json!(norms));
    }
    context.printer.result_json(&object)?;
    let term = |v: Option<f64>| v.map_or("n/a".to_string(), |v| format!("{v:.6}"));
    let mut text = format!("pack of rows {:?}\n  ce        {:.6}\n  latent    {}\n", losses.rows, losses.ce, term(losses.latent));
    text.push_str(&format!("  diversity {}\n  total     {:.6}", term(losses.diversity), losses.total));
    for (name, norm) in norms.iter().flatten() {
        text.push_str(&format!("\n  {norm:12.6e}  {name}"));
    }
    context.printer.result(&text);
    Ok(())
}
