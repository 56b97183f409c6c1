//! The same as JSON. A number that is absent or not finite is `null`.

use std::sync::Arc;

use prism_audit::Findings;
use prism_run::manifest::Manifest;
use prism_run::records::AnswerRow;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Explorer;
use super::agreement::agreements;
use super::compare::Asked;
use super::filter::{Filter, PER_PAGE};
use super::index::{Index, Line};
use super::library::Run;
use super::links::OfRuns;
use super::reply::Reply;
use super::run::found;
use super::summary::Summary;
use crate::content::Example;
use crate::content::partner::Partner;
use prism_report::document;

/// Rows of each table of a run's findings, at most.
const MOST_ROWS: usize = 5000;

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

/// A run in the list of runs.
#[derive(Serialize)]
struct Listed<'a> {
    id: &'a str,
    folder: String,
    kind: &'a str,
    variant: Option<&'a str>,
    name: Option<&'a str>,
    seed: Option<u64>,
    benchmark: Option<&'a str>,
    started: &'a str,
    ended: Option<&'a str>,
    /// `running`, `killed` or `finished`.
    state: &'static str,
    summary: Option<Summary>,
}

impl<'a> Listed<'a> {
    fn new(explorer: &Explorer, run: &'a Run) -> Self {
        let m = &run.manifest;
        Self {
            id: &run.id,
            // A path may be no text; what can be read of it is.
            folder: run.path.to_string_lossy().into_owned(),
            kind: &m.kind,
            variant: m.variant.as_deref(),
            name: m.name.as_deref(),
            seed: m.seed,
            benchmark: m.benchmark.as_deref(),
            started: &m.started,
            ended: m.ended.as_deref(),
            state: run.state.word(),
            summary: run.is_audited().then(|| Arc::unwrap_or_clone(explorer.summaries.of(run))),
        }
    }
}

/// The runs.
pub fn runs(explorer: &Explorer) -> Reply {
    #[derive(Serialize)]
    struct Answer<'a> {
        runs: Vec<Listed<'a>>,
        unreadable: &'a [String],
    }
    let snapshot = explorer.library.snapshot();
    let runs = snapshot.runs.iter().map(|run| Listed::new(explorer, run)).collect();
    Reply::json(&Answer { runs, unreadable: &snapshot.damaged })
}

/// A run's manifest and findings; the address ends in `.json`.
pub fn run(explorer: &Explorer, name: &str) -> Reply {
    #[derive(Serialize)]
    struct Answer<'a> {
        id: &'a str,
        manifest: &'a Manifest,
        findings: Option<Findings>,
        /// Of the tables that have more rows than are sent.
        rows_left_out: Map<String, Value>,
        reason: Option<String>,
    }
    let snapshot = explorer.library.snapshot();
    let Some(run) = name.strip_suffix(".json").and_then(|id| snapshot.run(id)) else { return Reply::unknown("run") };
    let (findings, rows_left_out, reason) = match Findings::read(&run.path) {
        Ok(mut findings) => {
            let left = shorten(&mut findings, MOST_ROWS);
            (Some(findings), left, None)
        }
        Err(e) => (None, Map::new(), Some(e.to_string())),
    };
    Reply::json(&Answer { id: &run.id, manifest: &run.manifest, findings, rows_left_out, reason })
}

/// The tables of a run's page: of every cell its value, its text, why it is absent, and the address of the examples behind it.
pub fn tables(explorer: &Explorer, id: &str) -> Reply {
    let snapshot = explorer.library.snapshot();
    let Some(run) = found(&snapshot, id) else { return Reply::unknown("run") };
    let findings = match Findings::read(&run.path) {
        Ok(findings) => findings,
        Err(e) => return Reply::unreadable(&e),
    };
    let links = OfRuns::new(&snapshot, [run]);
    let tables = super::run_tables::of(&snapshot, run, &findings);
    let tables: Vec<Value> = tables.iter().map(|table| document::json::json(table, &links)).collect();
    Reply::json(&json!({ "id": run.id, "tables": tables }))
}

/// Leaves `most` rows of each table; how many it took away, by table.
fn shorten(findings: &mut Findings, most: usize) -> Map<String, Value> {
    // Names every table, so that one that is added is not forgotten here.
    macro_rules! each {
        ($left:ident, $($table:ident),+; $($unsent:ident),+) => {
            let Findings { $($table,)+ $($unsent: _,)+ held: _ } = findings;
            $(
                if $table.len() > most {
                    $left.insert(stringify!($table).into(), Value::from($table.len() - most));
                    $table.truncate(most);
                }
            )+
        };
    }
    let mut left = Map::new();
    each!(
        left, failures, readings, alignment, probe, faithfulness, pairs, verdict, categories, conclusion, table1, comparison, seeds, budgets,
        groups, contrasts, visibility, doses, steps, donors, counterfactual, geometry, retrieval, lens, attention, warnings; projection
    );
    left
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

/// The partner of an example, or why there is none to show.
#[derive(Serialize)]
struct ShownPartner<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answers: Option<&'a [AnswerRow]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl<'a> ShownPartner<'a> {
    fn new(partner: &'a Partner) -> Option<Self> {
        let nothing = Self { row: None, id: None, answers: None, reason: None };
        match partner {
            Partner::Here(there) => Some(Self {
                row: Some(there.example.row),
                id: Some(there.example.id.as_str()),
                answers: Some(&there.answers[..]),
                ..nothing
            }),
            Partner::Absent(id) => Some(Self { id: Some(id.as_str()), reason: Some("not among the examples of this run"), ..nothing }),
            Partner::Damaged(reason) => Some(Self { reason: Some(reason.as_str()), ..nothing }),
            Partner::None => None,
        }
    }
}

/// All the records say of one example; the address ends in `.json`.
pub fn example(explorer: &Explorer, id: &str, name: &str) -> Reply {
    #[derive(Serialize)]
    struct Answer<'a> {
        example: &'a Example,
        partner: Option<ShownPartner<'a>>,
    }
    let Some(row) = name.strip_suffix(".json") else { return Reply::unknown("example") };
    match super::example::read(explorer, id, row) {
        Ok((example, partner)) => Reply::json(&Answer { example: &example, partner: ShownPartner::new(&partner) }),
        Err(reply) => reply,
    }
}

/// How the runs named agree with the first of them, and the tables of their comparison.
pub fn compare(explorer: &Explorer, query: &str) -> Reply {
    let snapshot = explorer.library.snapshot();
    let asked = Asked::read(query);
    let links = OfRuns::new(&snapshot, asked.runs.iter().filter_map(|id| snapshot.run(id)));
    match (agreements(explorer, &snapshot, &asked), super::compare::tables(explorer, &snapshot, &asked)) {
        (Ok(agreements), Ok(tables)) => {
            let tables: Vec<Value> = tables.iter().map(|table| document::json::json(table, &links)).collect();
            Reply::json(&json!({ "agreements": agreements, "tables": tables }))
        }
        (Err(reply), _) | (_, Err(reply)) => reply,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_left_out_are_counted_by_table() {
        let row = prism_audit::findings::WarningFinding { about: "a".into(), text: "b".into() };
        let mut findings = Findings { warnings: vec![row; 7], ..Findings::default() };
        assert_eq!(Value::from(shorten(&mut findings, 5)), json!({ "warnings": 2 }));
        assert_eq!(findings.warnings.len(), 5);
        assert!(shorten(&mut findings, 5).is_empty());
    }
}
