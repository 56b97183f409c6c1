//! The same as JSON. A number that is absent or not finite is `null`.

use serde_json::{Value, json};

use super::Explorer;
use super::compare::{Asked, agreements};
use super::filter::{Filter, PER_PAGE};
use super::home::Summary;
use super::index::{Index, Line};
use super::reply::Reply;
use super::run::found;
use crate::example::partner::Partner;

/// `{"stamp": ...}`: of the run that `run=ID` names, else of everything.
pub fn version(explorer: &Explorer, query: &str) -> Reply {
    let snapshot = explorer.library.snapshot();
    let run = form_urlencoded::parse(query.as_bytes()).find(|(key, value)| key == "run" && !value.is_empty()).map(|(_, value)| value);
    let stamp = match run {
        None => snapshot.stamp,
        Some(id) => match snapshot.run(&id) {
            Some(run) => run.stamp,
            None => return Reply::unknown("run"),
        },
    };
    Reply::json(&json!({ "stamp": format!("{stamp:016x}") }))
}

/// The runs.
pub fn runs(explorer: &Explorer) -> Reply {
    let snapshot = explorer.library.snapshot();
    let all: Vec<Value> = snapshot
        .runs
        .iter()
        .map(|run| {
            let m = &run.manifest;
            let summary = run.is_audited().then(|| Summary::read(&run.path));
            json!({
                "id": run.id, "folder": run.path, "kind": m.kind, "variant": m.variant, "name": m.name, "seed": m.seed,
                "benchmark": m.benchmark, "started": m.started, "ended": m.ended, "summary": summary
            })
        })
        .collect();
    Reply::json(&json!({ "runs": all, "unreadable": snapshot.damaged }))
}

/// A run's manifest and findings; the address ends in `.json`.
pub fn run(explorer: &Explorer, name: &str) -> Reply {
    let snapshot = explorer.library.snapshot();
    let Some(run) = name.strip_suffix(".json").and_then(|id| snapshot.run(id)) else { return Reply::unknown("run") };
    let (findings, reason) = match prism_audit::Findings::read(&run.path) {
        Ok(findings) => (Some(findings), None),
        Err(e) => (None, Some(e.to_string())),
    };
    Reply::json(&json!({ "id": run.id, "manifest": run.manifest, "findings": findings, "reason": reason }))
}

/// A page of a run's examples under a filter.
pub fn examples(explorer: &Explorer, id: &str, query: &str) -> Reply {
    let snapshot = explorer.library.snapshot();
    let Some(run) = found(&snapshot, id) else { return Reply::unknown("run") };
    let index = match explorer.indices.of(run) {
        Ok(index) => index,
        Err(e) => return Reply::unreadable(&e),
    };
    let filter = Filter::read(query);
    let chosen = filter.choose(&index);
    let shown: Vec<Value> =
        chosen.iter().skip((filter.page - 1).saturating_mul(PER_PAGE)).take(PER_PAGE).map(|l| line(&index, l)).collect();
    Reply::json(&json!({
        "total": index.lines.len(), "fitting": chosen.len(), "page": filter.page, "per_page": PER_PAGE,
        "interventions": index.interventions, "examples": shown
    }))
}

fn line(index: &Index, line: &Line) -> Value {
    let answers: serde_json::Map<String, Value> =
        index.interventions.iter().zip(&line.marks).filter_map(|(name, mark)| Some((name.to_string(), json!(mark.as_ref()?)))).collect();
    json!({
        "row": line.row, "id": line.id, "category": line.category, "counterfactual": line.counterfactual,
        "question": line.question, "label": line.label, "outcome": line.outcome, "answers": answers
    })
}

/// All the records say of one example; the address ends in `.json`.
pub fn example(explorer: &Explorer, id: &str, name: &str) -> Reply {
    let Some(row) = name.strip_suffix(".json") else { return Reply::unknown("example") };
    match super::example::read(explorer, id, row) {
        Ok((example, partner)) => {
            let partner = match partner {
                Partner::Here(there) => json!({ "row": there.example.row, "id": there.example.id, "answers": there.answers }),
                Partner::Absent(id) => json!({ "id": id, "reason": "not among the examples of this run" }),
                Partner::Damaged(reason) => json!({ "reason": reason }),
                Partner::None => Value::Null,
            };
            Reply::json(&json!({ "example": example, "partner": partner }))
        }
        Err(reply) => reply,
    }
}

/// How the runs named agree with the first of them.
pub fn compare(explorer: &Explorer, query: &str) -> Reply {
    let snapshot = explorer.library.snapshot();
    match agreements(explorer, &snapshot, &Asked::read(query)) {
        Ok(agreements) => Reply::json(&json!({ "agreements": agreements })),
        Err(reply) => reply,
    }
}
