//! Findings in plain text.

use prism_audit::Findings;
use prism_audit::faithfulness::ALL;
use prism_audit::findings::{FaithfulnessFinding, VerdictFinding};
use prism_audit::settings::Compat;
use prism_audit::text::{interval, number, percent, points, table};
use prism_run::{Need, shown};

use super::Kind;

/// The findings of a run of that kind; deltas without words under `--compat paper`. What could not be run comes first, and
/// alone where nothing ran: of no example there is neither an accuracy nor a word.
pub fn describe(kind: Kind, compat: Compat, findings: &Findings) -> String {
    let failed = findings.failures.iter().map(|failure| format!("{}\n", shown(&failure.sentence))).collect::<String>();
    if findings.nothing_ran() {
        return failed.trim_end().to_string();
    }
    let text = match kind {
        Kind::Audit => audit(findings, compat),
        Kind::Eval => eval(findings),
    };
    if failed.is_empty() { text } else { format!("{failed}\n{text}") }
}

/// What is always said beside a block that is needed.
const NEEDED: &str = "a model that was always trained to open its block has not learnt to do without: needed is not useful\n";

/// The verdict first, then one line an intervention, then Table 1's.
fn audit(findings: &Findings, compat: Compat) -> String {
    let mut text = String::new();
    for c in &findings.conclusion {
        text.push_str(&format!("{}\n{}; block {}", shown(&c.sentence), c.marked_word(), c.presence));
        text.push_str(&c.qualifier.as_ref().map_or_else(|| "\n".into(), |q| format!(" ({})\n", shown(q))));
        if c.presence == Need::Needed {
            text.push_str(NEEDED);
        }
        if let Some(spread) = c.spread_over_norm {
            text.push_str(&format!("latents differ between examples by {:.0} % of their norm\n", 100.0 * spread));
        }
        text.push('\n');
    }
    let clean = findings.faithfulness.iter().find(|f| f.category == ALL && f.intervention.is_clean());
    if let Some(f) = clean {
        text.push_str(&format!("clean run: {} of {} right, {} %\n\n", f.correct, f.examples, percent(f.accuracy)));
    }
    text.push_str(&match compat {
        Compat::Paper => changes(findings),
        Compat::None => effects(findings),
    });
    text.push_str(&format!("\n{}", prism_audit::compare::table1(&findings.table1)));
    text.push_str(&pairs(findings));
    for warning in &findings.warnings {
        text.push_str(&format!("\nnote: {}", shown(&warning.text)));
    }
    text
}

/// What each intervention shows.
fn effects(findings: &Findings) -> String {
    let mut verdicts: Vec<&VerdictFinding> = findings.verdict.iter().collect();
    verdicts.sort_by_key(|v| (v.intervention.view, v.class, v.intervention));
    let row = |v: &&VerdictFinding| {
        vec![
            v.intervention.to_string(),
            v.class.to_string(),
            number(v.strength, 2),
            v.changed_answers.to_string(),
            percent(v.changed_bound),
            points(v.delta),
            interval(v.delta_low.map(|d| 100.0 * d), v.delta_high.map(|d| 100.0 * d), 1),
            number(v.holm_p, 3),
            v.verdict.to_string(),
        ]
    };
    let rows: Vec<Vec<String>> = verdicts.iter().map(row).collect();
    table(&["intervention", "class", "strength", "changed", "at most %", "delta", "95 %", "p (Holm)", "shows"], &rows)
}

/// Changes of accuracy alone, in the order of the run.
fn changes(findings: &Findings) -> String {
    let of = findings.faithfulness.iter().filter(|f| f.category == ALL && !f.intervention.is_clean());
    let row = |f: &FaithfulnessFinding| {
        vec![
            f.intervention.to_string(),
            f.examples.to_string(),
            points(f.delta),
            interval(f.delta_low.map(|d| 100.0 * d), f.delta_high.map(|d| 100.0 * d), 1),
            number(f.mcnemar_p, 3),
        ]
    };
    table(&["intervention", "n", "delta", "95 %", "p"], &of.map(row).collect::<Vec<_>>())
}

/// One line a category: accuracy with its interval, and how the examples ended.
fn eval(findings: &Findings) -> String {
    let of = |category: &str| if category == ALL { "all questions".to_string() } else { category.to_string() };
    let rows = findings.faithfulness.iter().filter(|f| f.intervention.is_clean()).map(|f| {
        let bounds = interval(f.accuracy_low.map(|v| 100.0 * v), f.accuracy_high.map(|v| 100.0 * v), 1).replace('+', "");
        let ends = [f.scored, f.no_answer, f.no_latents, f.error].map(|n| n.to_string());
        [of(&f.category), f.examples.to_string(), f.correct.to_string(), percent(f.accuracy), bounds].into_iter().chain(ends).collect()
    });
    let header = ["", "n", "right", "accuracy", "95 % interval", "scored", "no_answer", "no_latents", "error"];
    let mut text = table(&header, &rows.collect::<Vec<Vec<String>>>());
    text.push_str(&pairs(findings));
    let majority = findings.table1.first().and_then(|line| line.majority);
    text.push_str(&format!("\nalways the commonest letter: {} %", percent(majority)));
    for warning in findings.warnings.iter().filter(|w| w.about == "faithfulness") {
        text.push_str(&format!("\nnote: {}", shown(&warning.text)));
    }
    text
}

fn pairs(findings: &Findings) -> String {
    if findings.pairs.is_empty() {
        return String::new();
    }
    let rows = findings.pairs.iter().map(|p| {
        let numbers = [p.pairs.to_string(), p.correct.to_string(), percent(p.accuracy), p.incomplete.to_string()];
        std::iter::once(p.intervention.to_string()).chain(numbers).collect::<Vec<_>>()
    });
    let header = ["pairs, all questions right", "pairs", "right", "accuracy", "incomplete"];
    format!("\n{}", table(&header, &rows.collect::<Vec<_>>()))
}
