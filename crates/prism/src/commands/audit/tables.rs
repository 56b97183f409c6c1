//! Findings in plain text.

use prism_audit::Findings;
use prism_audit::faithfulness::ALL;
use prism_audit::text::{interval, number, percent, points, signed, table};
use prism_run::Intervention;

use super::Kind;

/// The findings of a run of that kind.
pub fn describe(kind: Kind, findings: &Findings) -> String {
    match kind {
        Kind::Audit => audit(findings),
        Kind::Eval => eval(findings),
    }
}

/// One line an intervention, below Table 1's.
fn audit(findings: &Findings) -> String {
    let mut rows = Vec::new();
    for f in findings.faithfulness.iter().filter(|f| f.category == ALL) {
        let verdict = findings.verdict.iter().find(|v| v.intervention == f.intervention);
        // Under another view of the image the change is the verdict's: against the clean run under that view.
        let within = verdict.filter(|v| v.intervention.contains('@'));
        rows.push(vec![
            f.intervention.clone(),
            f.examples.to_string(),
            percent(f.accuracy),
            points(within.map_or(f.delta, |v| v.delta)),
            within.map_or(f.gained, |v| v.gained).to_string(),
            within.map_or(f.lost, |v| v.lost).to_string(),
            number(within.map_or(f.mcnemar_p, |v| v.mcnemar_p), 3),
            signed(f.margin_delta, 3),
            percent(verdict.and_then(|v| v.relative_change)),
            percent(verdict.filter(|v| v.examples > 0).map(|v| v.changed as f64 / v.examples as f64)),
            verdict.map_or_else(String::new, |v| v.verdict.clone()),
        ]);
    }
    let header = ["intervention", "n", "accuracy", "delta", "gained", "lost", "p", "margin", "moved", "changed", "verdict"];
    let mut text = format!("{}\n{}", prism_audit::compare::table1(&findings.table1), table(&header, &rows));
    text.push_str(&pairs(findings));
    for conclusion in &findings.conclusion {
        text.push_str(&format!("\n{}\n", prism_audit::conclusion::in_words(conclusion)));
    }
    for warning in &findings.warnings {
        text.push_str(&format!("\nnote: {}", warning.text));
    }
    text
}

/// One line a category: accuracy with its interval, and how the examples ended.
fn eval(findings: &Findings) -> String {
    let clean = Intervention::CLEAN.to_string();
    let of = |category: &str| if category == ALL { "all questions".to_string() } else { category.to_string() };
    let rows = findings.faithfulness.iter().filter(|f| f.intervention == clean).map(|f| {
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
        text.push_str(&format!("\nnote: {}", warning.text));
    }
    text
}

fn pairs(findings: &Findings) -> String {
    if findings.pairs.is_empty() {
        return String::new();
    }
    let rows = findings.pairs.iter().map(|p| {
        let numbers = [p.pairs.to_string(), p.correct.to_string(), percent(p.accuracy), p.incomplete.to_string()];
        std::iter::once(p.intervention.clone()).chain(numbers).collect::<Vec<_>>()
    });
    let header = ["pairs, all questions right", "pairs", "right", "accuracy", "incomplete"];
    format!("\n{}", table(&header, &rows.collect::<Vec<_>>()))
}
