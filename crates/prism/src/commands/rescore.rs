//! `prism rescore`: the answers of finished runs by another rule, from the texts that their records hold.

use std::collections::BTreeMap;
use std::path::Path;

use prism_audit::findings;
use prism_record::record::{self, Summary};
use prism_report::document::{Cell, Column, Row, Table, table::KEY};
use prism_run::answer::Asked;
use prism_run::folder::{self, names};
use prism_run::kept::keep_rows;
use prism_run::manifest::Manifest;
use prism_run::records::scoring::Scoring;
use prism_run::records::{self, AnswerRow, ExampleRow, files};
use prism_run::stream::RowReader;
use prism_run::{AnswerRule, Answers, Intervention, Outcome, Shard, as_text, door};

use super::audit::{Kind, SHARD, account, describe, places};
use super::{analysis, strangers};
use crate::cli::RescoreArguments;
use crate::exit::{ExitStatus, Refused};
use crate::{Context, provenance};

/// Runs the verb.
pub fn run(arguments: RescoreArguments, context: &Context) -> anyhow::Result<ExitStatus> {
    arguments.runs.iter().for_each(|run| door::named(run));
    for run in &arguments.runs {
        if arguments.runs.len() > 1 {
            context.printer.result(&format!("{}:", run.display()));
        }
        let (manifest, kind) = recorded(run)?;
        match &arguments.answers {
            Some(answers) => apply(run, manifest, kind, answers, context)?,
            None => look(run, &manifest, context)?,
        }
    }
    Ok(ExitStatus::Success)
}

/// The manifest of a finished audit or evaluation.
fn recorded(run: &Path) -> anyhow::Result<(Manifest, Kind)> {
    let manifest = Manifest::read(run)?;
    let refused = |text: &str| anyhow::Error::from(Refused(format!("{}: {text}", run.display())));
    let Some(kind) = Kind::from_name(&manifest.kind) else {
        let remedy = match manifest.kind.as_str() {
            "study" => "give the study its rule with `prism study RECIPE --answers RULE`, or name its audits",
            _ => "name an audit or an evaluation",
        };
        return Err(refused(&format!("a `{}` run has no answers of its own; {remedy}", manifest.kind)));
    };
    if !record::is_recorded(run) {
        return Err(refused("its records are not finished; give the command that makes it again"));
    }
    Ok((manifest, kind))
}

/// Scores the run by the rules, and makes its findings again.
fn apply(run: &Path, mut manifest: Manifest, kind: Kind, answers: &Answers, context: &Context) -> anyhow::Result<()> {
    let lock = context.lock(run)?;
    strangers::refuse_folders(run)?;
    let has_floors = has_floors(&manifest);
    let scoring = Scoring::by(answers.clone(), has_floors);
    let changed = record::rescore(run, &scoring)?;
    scoring.set(&mut manifest.settings);
    let clean = Summary::read(run, &[Intervention::CLEAN])?.clean();
    for (outcome, n) in [(Outcome::Scored, clean.scored), (Outcome::NoAnswer, clean.no_answer)] {
        manifest.outcomes.insert(outcome.name().into(), n);
    }
    let shard = manifest.settings.get(SHARD).and_then(|shard| serde_json::from_value::<Shard>(shard.clone()).ok());
    let is_whole = shard.is_none_or(|shard| shard.is_whole());
    folder::remove(&findings::folder(run))?;
    manifest.ended = None;
    manifest.write(run)?;
    let found = match is_whole {
        true => Some(prism_audit::audit_run(run, &analysis::settings(&manifest, run, run, context)?)?),
        false => None,
    };
    manifest.ended = Some(provenance::now());
    manifest.write(run)?;
    drop(lock);
    context.printer.narrate(&format!("{}: answers are read by {scoring}", run.display()));
    if !changed {
        context.printer.narrate("no answer is another one by it");
    }
    if door::holds(&run.join(names::REPORT)) {
        context.printer.narrate(&format!("its page is of before; `prism report {}` makes it again", run.display()));
    }
    if let Some(found) = found {
        describe(kind, run, &found, context)?;
        context.printer.result_json(&account::account(&manifest, &found)?)?;
        places(kind, run, context);
    } else {
        context.printer.result_json(&serde_json::json!({ "run": as_text::of(run), "answers": manifest.answers(), "changed": changed }))?;
    }
    Ok(())
}

/// Whether some branch was asked without the image.
fn has_floors(manifest: &Manifest) -> bool {
    let branches =
        manifest.settings.get("interventions").and_then(|branches| serde_json::from_value::<Vec<Intervention>>(branches.clone()).ok());
    branches.is_some_and(|branches| branches.iter().any(|branch| branch.view.is_blind()))
}

/// Prints what every rule would read of the clean run. Nothing is written.
fn look(run: &Path, manifest: &Manifest, context: &Context) -> anyhow::Result<()> {
    let folder = records::folder(run);
    let examples = keep_rows::<ExampleRow>(&folder.join(files::EXAMPLES))?;
    let by_row: BTreeMap<usize, &ExampleRow> = examples.iter().map(|example| (example.row, example)).collect();
    let own = manifest.answers();
    let rules = AnswerRule::ALL.map(Answers::from).into_iter();
    let mut rules: Vec<(Answers, usize, usize)> =
        std::iter::once(own.clone()).chain(rules.filter(|rule| *rule != own)).map(|rule| (rule, 0, 0)).collect();
    let mut all = 0usize;
    for answer in RowReader::<AnswerRow>::open(&folder.join(files::ANSWERS))? {
        let answer = answer?;
        let Some(example) = by_row.get(&answer.row).filter(|_| answer.intervention.is_clean() && answer.outcome != Outcome::Error) else {
            continue;
        };
        all += 1;
        for (rule, read, right) in &mut rules {
            let score = rule.score(&answer.text, &Asked::from(*example), &example.label);
            *read += usize::from(score.answer.is_some());
            *right += usize::from(score.correct);
        }
    }
    let columns = vec![
        Column::words("rule", "answers read by").priority(KEY),
        Column::count("read", "read"),
        Column::count("right", "right"),
        Column::percent("accuracy", "accuracy, %").because("no example ran"),
    ];
    let mut table = Table::new("rules", columns);
    for (rule, read, right) in &rules {
        let name = if *rule == own { format!("{rule} (this run's)") } else { rule.to_string() };
        let accuracy = (all > 0).then(|| *right as f64 / all as f64);
        table.push(Row::new(&name).cells([Cell::text(name.clone()), Cell::count(*read), Cell::count(*right), Cell::number(accuracy)]));
    }
    let (mut screen, look) = (context.printer.blank(), context.printer.look());
    screen.typed(&table, look);
    screen.wrapped(
        &format!("Of {all} answers of the clean run. `prism rescore {} --answers RULE` scores the run by a rule.", run.display()),
        look,
    );
    context.printer.screen(&screen, look);
    let told: Vec<_> = rules.iter().map(|(rule, read, right)| serde_json::json!({ "answers": rule, "read": read, "right": right, "examples": all, "own": *rule == own })).collect();
    context.printer.result_json(&serde_json::json!({ "run": as_text::of(run), "rules": told }))
}
