//! `prism validate`: control arms trained, audited and judged by what they must be.

use std::collections::BTreeSet;
use std::path::PathBuf;

use prism_audit::findings::ValidityFinding;
use prism_audit::statistics::wilson::wilson;
use prism_audit::text::{percent, table};
use prism_audit::validity;
use prism_run::table::{read_rows, write_rows};
use prism_run::{Control, Need, Variant, Verdict};

use super::study::Study;
use crate::Context;
use crate::cli::{StudyArguments, ValidateArguments};
use crate::exit::{ExitStatus, Refused};

/// File of the judgements in the study's folder.
const FILE: &str = "validity.parquet";

/// Runs the verb.
pub fn run(arguments: ValidateArguments, context: &Context) -> anyhow::Result<ExitStatus> {
    let ValidateArguments { recipe, out, quick, seeds, join } = arguments;
    if !join.is_empty() {
        let found = joined(&join)?;
        if let Some(out) = out {
            std::fs::create_dir_all(&out)?;
            write_rows(&out.join(FILE), found.iter().cloned())?;
        }
        return tell(&found, false, context);
    }
    let study = Study::resolve(StudyArguments { recipe: recipe.clone(), out, quick, seeds, answers: None, from_scratch: false })?;
    let controls: Vec<(&Variant, Control)> = study.variants.iter().filter_map(|v| Some((v, Control::of(v)?))).collect();
    let has = |verdict: Verdict| controls.iter().any(|(_, control)| control.expected() == verdict);
    if !has(Verdict::LoadBearing) || !has(Verdict::Bypassed) {
        anyhow::bail!(Refused(format!(
            "{}: a positive and a negative control are needed, and its `variants` have not both; add \"bottleneck\" and \"foreign\"",
            recipe.display()
        )));
    }
    let trained = study.train_and_audit(context)?;
    // A smoke run learns nothing, and leaves nothing out for it.
    let least = if quick { 0.0 } else { study.recipe.least_accuracy.unwrap_or(0.0) };
    let mut found = Vec::new();
    for seed in study.seeds() {
        for (variant, control) in &controls {
            let run = study.training(seed, variant).join("audit");
            found.push(validity::judge(&run, *control, least, &study.recipe.analysis)?);
        }
    }
    write_rows(&study.out.join(FILE), found.iter().cloned())?;
    study.end(trained.manifest)?;
    tell(&found, quick, context)
}

/// Judgements of parts of one study, in order of seed and variant as they came.
fn joined(parts: &[PathBuf]) -> anyhow::Result<Vec<ValidityFinding>> {
    let mut found: Vec<ValidityFinding> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut arms: Option<BTreeSet<String>> = None;
    for part in parts {
        let file = if part.extension().is_some_and(|end| end == "parquet") { part.clone() } else { part.join(FILE) };
        let rows: Vec<ValidityFinding> = read_rows(&file)?;
        let named: BTreeSet<String> = rows.iter().map(|row| row.variant.clone()).collect();
        if *arms.get_or_insert_with(|| named.clone()) != named {
            let text = format!("{}: its arms are not those of the first part; join parts of one recipe", file.display());
            anyhow::bail!(Refused(text));
        }
        for row in rows {
            let seed = row.seed.map_or_else(|| "none".to_string(), |seed| seed.to_string());
            if !seen.insert((row.variant.clone(), seed.clone())) {
                let text = format!("{}: {} with seed {seed} is in another part too; leave one of them out", file.display(), row.variant);
                anyhow::bail!(Refused(text));
            }
            found.push(row);
        }
    }
    found.sort_by_key(|row| row.seed);
    Ok(found)
}

/// Prints the judgements; the exit code says whether all came out as they must.
fn tell(found: &[ValidityFinding], quick: bool, context: &Context) -> anyhow::Result<ExitStatus> {
    context.printer.result(&describe(found));
    context.printer.result_json(&found)?;
    let shams = found.iter().all(|f| f.shams > 0 && f.shams_changed == 0);
    // Where nothing is counted nothing is shown.
    let counted: Vec<_> = found.iter().filter(|f| !f.left_out).collect();
    let right = !counted.is_empty() && counted.iter().all(|f| f.holds && f.presence_holds != Some(false));
    if quick {
        let text = "\n--quick: the words mean nothing, for nothing was learned; only that all controls run, and that shams change no bit";
        context.printer.result(text);
    }
    Ok(if shams && (right || quick) { ExitStatus::Success } else { ExitStatus::Failure })
}

/// Runs of one control that came out one way, of all of them.
struct Rate {
    what: String,
    hits: usize,
    of: usize,
}

impl Rate {
    fn row(&self) -> Vec<String> {
        let bounds = wilson(self.hits, self.of, 0.95);
        let ends = format!("{} to {}", percent(bounds.map(|b| b.low)), percent(bounds.map(|b| b.high)));
        vec![self.what.clone(), format!("{} of {}", self.hits, self.of), ends]
    }
}

/// What is asked of all runs together, each line a share that should be 0 or all.
fn rates(counted: &[&ValidityFinding]) -> Vec<Rate> {
    let rate = |what: &str, of: &dyn Fn(&ValidityFinding) -> bool, hit: &dyn Fn(&ValidityFinding) -> bool| {
        let of: Vec<_> = counted.iter().filter(|f| of(f)).collect();
        Rate { what: what.into(), hits: of.iter().filter(|f| hit(f)).count(), of: of.len() }
    };
    let used = |f: &ValidityFinding| f.expected == Verdict::LoadBearing;
    let unused = |f: &ValidityFinding| f.expected == Verdict::Bypassed;
    let needed = |f: &ValidityFinding| f.needs_block == Some(true);
    let unneeded = |f: &ValidityFinding| f.needs_block == Some(false);
    let says = |verdict: Verdict| move |f: &ValidityFinding| f.word == verdict;
    let finds = |need: Need| move |f: &ValidityFinding| f.presence == need;
    vec![
        rate("content used: load-bearing", &used, &says(Verdict::LoadBearing)),
        rate("content used: bypassed", &used, &says(Verdict::Bypassed)),
        rate("content not used: bypassed", &unused, &says(Verdict::Bypassed)),
        rate("content not used: load-bearing", &unused, &says(Verdict::LoadBearing)),
        rate("block needed: needed", &needed, &finds(Need::Needed)),
        rate("block needed: indifferent", &needed, &finds(Need::Indifferent)),
        rate("block not needed: said so", &unneeded, &|f| f.presence_holds == Some(true)),
        rate("block not needed: needed", &unneeded, &finds(Need::Needed)),
    ]
}

fn describe(found: &[ValidityFinding]) -> String {
    let of = |control: Control| found.iter().filter(move |f| f.control == control);
    let controls = Control::ALL.into_iter().filter(|control| of(*control).next().is_some());
    let row = |control: Control| {
        let runs: Vec<_> = of(control).filter(|f| !f.left_out).collect();
        let known = runs.iter().filter_map(|f| f.presence_holds);
        let accuracies: Vec<f64> = runs.iter().filter_map(|f| f.accuracy).collect();
        let ends = |best: fn(f64, f64) -> f64| percent(accuracies.iter().copied().reduce(best));
        vec![
            control.to_string(),
            format!("{} of {}", runs.len(), of(control).count()),
            format!("{} to {}", ends(f64::min), ends(f64::max)),
            control.expected().to_string(),
            format!("{} of {}", runs.iter().filter(|f| f.holds).count(), runs.len()),
            match control.needs_block() {
                Some(true) => "needed".to_string(),
                Some(false) => "not needed".to_string(),
                None => "measured".to_string(),
            },
            match control.needs_block() {
                Some(_) => format!("{} of {}", known.clone().filter(|holds| *holds).count(), known.count()),
                None => counts(&runs),
            },
        ]
    };
    let header = ["control", "counted", "clean, %", "word must be", "is so in", "block must be", "is so in"];
    let mut text = table(&header, &controls.map(row).collect::<Vec<_>>());
    let counted: Vec<&ValidityFinding> = found.iter().filter(|f| !f.left_out).collect();
    let rates: Vec<Vec<String>> = rates(&counted).iter().filter(|rate| rate.of > 0).map(Rate::row).collect();
    text.push_str(&format!("\n{}", table(&["built: said", "runs", "95 % interval, %"], &rates)));
    let total = |part: fn(&ValidityFinding) -> usize| counted.iter().map(|f| part(f)).sum::<usize>();
    text.push_str(&format!("\nwrong word on random halves of the questions: {} of {}", total(|f| f.halves_wrong), total(|f| f.halves)));
    let (changed, shams): (usize, usize) = (found.iter().map(|f| f.shams_changed).sum(), found.iter().map(|f| f.shams).sum());
    text.push_str(&format!("\nanswers changed by interventions that must change nothing: {changed} of {shams}, compared to the bit"));
    for f in found.iter().filter(|f| f.left_out || !f.holds || f.presence_holds == Some(false)) {
        let seed = f.seed.map_or_else(String::new, |seed| format!(" seed {seed}"));
        let why = if f.left_out { "left out, it did not learn its task".to_string() } else { format!("{}; block {}", f.word, f.presence) };
        let reason = f.reason.as_deref().unwrap_or_default();
        text.push_str(&format!("\n{}{seed}: {why}; clean {} %. {reason}", f.variant, percent(f.accuracy)));
    }
    text
}

/// The answers to the second question, where none is the right one: `needed 18, undecided 2`.
fn counts(runs: &[&ValidityFinding]) -> String {
    let of = |need: Need| runs.iter().filter(|f| f.presence == need).count();
    let told: Vec<String> = Need::ALL.into_iter().filter(|need| of(*need) > 0).map(|need| format!("{need} {}", of(need))).collect();
    told.join(", ")
}
