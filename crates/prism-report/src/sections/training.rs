//! Training curves, one line a run.

use super::Builder;
use crate::charts::Run;
use crate::charts::theme::VariantStyle;
use crate::charts::training::{self, Line};
use crate::curves::{self, Curves};
use crate::study::{Study, Training};

/// The section; empty when no training run was given. Runs without a readable
/// log are named in `left_out`.
pub fn section(study: &Study, builder: &mut Builder, left_out: &mut Vec<String>) -> String {
    let mut read: Vec<(&Training, Curves)> = Vec::new();
    for training in &study.trainings {
        match curves::read(&training.folder) {
            Ok(c) => {
                if c.damaged > 0 {
                    left_out.push(format!("{}: {} lines of the log could not be read", training.folder.display(), c.damaged));
                }
                read.push((training, c));
            }
            Err(e) => left_out.push(format!("training curves: {e}")),
        }
    }
    if read.is_empty() {
        return builder.absent("Training", "no training run, or none with a log, was given");
    }
    let mut styles: Vec<&VariantStyle> = Vec::new();
    for (training, _) in &read {
        let style = &study.variants[training.variant];
        if !styles.iter().any(|s| s.id == style.id) {
            styles.push(style);
        }
    }
    let seeds = styles.len() < read.len();
    let run = |training: &Training| {
        let style = &study.variants[training.variant];
        let label = match training.seed {
            Some(seed) if seeds => format!("{} · {seed}", style.name),
            _ => style.name.clone(),
        };
        Run { style, label }
    };
    let lines = |pick: fn(&Curves) -> &Vec<(f64, f64)>| -> Vec<Line<'_>> {
        read.iter().filter(|(_, c)| !pick(c).is_empty()).map(|(t, c)| Line { run: run(t), points: pick(c).clone() }).collect()
    };
    let charts = vec![
        (training::spec(&lines(|c| &c.ce), "cross-entropy, nats"), "Cross-entropy".to_string()),
        (training::spec(&lines(|c| &c.latent), "latent loss"), "Latent loss".to_string()),
    ];
    let steps = read.iter().map(|(_, c)| c.steps).max().unwrap_or(0);
    let averaged = read.iter().map(|(_, c)| c.averaged).max().unwrap_or(1);
    let thinned = if averaged > 1 { format!(" Each drawn point is the mean of up to {averaged} logged steps.") } else { String::new() };
    let caption = format!(
        "Training losses by step, {} {} of up to {steps} logged steps; the latent loss is shown before its weight. With the release’s reduction the latent loss of staged variants is a sum over stages, regions and samples, so its height does not compare with the others’.{thinned}",
        read.len(),
        if read.len() == 1 { "run" } else { "runs" }
    );
    let figure = builder.figure("training", charts, &styles, &caption);
    builder.section("training", "Training", &figure)
}
