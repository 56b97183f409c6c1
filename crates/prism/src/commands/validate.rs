//! `prism validate`: control arms trained, audited and judged by what they must be.

use prism_audit::findings::ValidityFinding;
use prism_audit::statistics::wilson::wilson;
use prism_audit::text::{percent, table};
use prism_audit::validity::{self, expected};
use prism_run::table::write_rows;
use prism_run::{Variant, Verdict};

use super::study::Study;
use crate::Context;
use crate::cli::{StudyArguments, ValidateArguments};
use crate::exit::{ExitStatus, Refused};

/// File of the judgements in the study's folder.
const FILE: &str = "validity.parquet";

/// Runs the verb.
pub fn run(arguments: ValidateArguments, context: &Context) -> anyhow::Result<ExitStatus> {
    let ValidateArguments { recipe, out, quick, seeds } = arguments;
    let study = Study::resolve(StudyArguments { recipe: recipe.clone(), out, quick, seeds, from_scratch: false })?;
    let controls: Vec<&Variant> = study.variants.iter().filter(|v| expected(v.sight).is_some()).collect();
    let kinds = |verdict: Verdict| controls.iter().any(|v| expected(v.sight) == Some(verdict));
    if !kinds(Verdict::LoadBearing) || !kinds(Verdict::Bypassed) {
        anyhow::bail!(Refused(format!(
            "{}: a positive and a negative control are needed, and its `variants` have not both; add \"bottleneck\" and \"blindfold\"",
            recipe.display()
        )));
    }
    let trained = study.train_and_audit(context)?;
    let mut found = Vec::new();
    for seed in study.seeds() {
        for variant in &controls {
            let run = study.training(seed, variant).join("audit");
            found.push(validity::judge(&run, variant.sight, &study.recipe.analysis)?);
        }
    }
    write_rows(&study.out.join(FILE), found.iter().cloned())?;
    study.end(trained.manifest)?;
    context.printer.result(&describe(&found));
    context.printer.result_json(&found)?;
    let holds = found.iter().all(|f| f.holds && f.shams > 0 && f.shams_changed == 0);
    Ok(if holds { ExitStatus::Success } else { ExitStatus::Failure })
}

fn describe(found: &[ValidityFinding]) -> String {
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|f| {
            let seed = f.seed.map_or_else(String::new, |seed| seed.to_string());
            let halves = format!("{} of {}", f.halves_wrong, f.halves);
            let shams = format!("{} of {}", f.shams_changed, f.shams);
            vec![
                f.variant.clone(),
                seed,
                percent(f.accuracy),
                f.expected.to_string(),
                format!("{}; block {}", f.word, f.presence),
                halves,
                shams,
            ]
        })
        .collect();
    let header = ["control", "seed", "accuracy", "must be", "is", "wrong on half the questions", "shams changed"];
    let mut text = table(&header, &rows);
    for (verdict, error) in
        [(Verdict::LoadBearing, "positive controls not called load-bearing"), (Verdict::Bypassed, "negative controls not called bypassed")]
    {
        let of: Vec<&ValidityFinding> = found.iter().filter(|f| f.expected == verdict).collect();
        let wrong = of.iter().filter(|f| !f.holds).count();
        let (halves_wrong, halves): (usize, usize) = (of.iter().map(|f| f.halves_wrong).sum(), of.iter().map(|f| f.halves).sum());
        let bounds = wilson(wrong, of.len(), 0.95);
        text.push_str(&format!(
            "\n{error}: {wrong} of {} runs (95 % interval {} to {} %); on random halves of the questions {halves_wrong} of {halves}",
            of.len(),
            percent(bounds.map(|b| b.low)),
            percent(bounds.map(|b| b.high)),
        ));
    }
    let (changed, shams): (usize, usize) = (found.iter().map(|f| f.shams_changed).sum(), found.iter().map(|f| f.shams).sum());
    text.push_str(&format!("\nanswers changed by interventions that must change nothing: {changed} of {shams}, compared to the bit"));
    for finding in found.iter().filter(|f| !f.holds) {
        let seed = finding.seed.map_or_else(String::new, |seed| format!(" seed {seed}"));
        text.push_str(&format!("\n{}{seed}: {}", finding.variant, finding.reason.as_deref().unwrap_or_default()));
    }
    text
}
