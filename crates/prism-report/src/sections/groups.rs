//! What the recipe asks of groups of arms: does a high cosine go with a low accuracy inside the group?

use prism_audit::findings::{BudgetFinding, GroupFinding};

use super::{Builder, Panel, styles};
use crate::charts::Run;
use crate::charts::cosine_accuracy::{self, Axes, Point};
use crate::html::escape;
use crate::number::{decimal, interval, p_value, points};
use crate::study::{Part, Study};

const HEADING: &str = "Cosine and accuracy, group by group";

/// The section.
pub fn section(study: &Study, part: &Part, builder: &mut Builder) -> String {
    let Some((_, findings)) = study.comparison.as_ref().filter(|(_, f)| study.parts.len() == 1 && !f.groups.is_empty()) else {
        return builder.absent(HEADING, "the recipe names no groups of arms; see `question.groups`");
    };
    let declared: Vec<&GroupFinding> = findings.groups.iter().filter(|g| g.k.is_none() && g.x == "cosine").collect();
    // One pair of axes for all groups: a cloud that only looks steep because its axis is short must look short.
    let all: Vec<Point<'_>> = declared.iter().flat_map(|group| marks(study, &findings.budgets, group)).collect();
    let axes = Axes::around(&all);
    let charts = declared.iter().map(|group| panel(study, &findings.budgets, group, axes)).collect();
    let caption = "Clean accuracy against the cosine of latent and teacher target (teacher-forced, the published measure), at the length each arm was trained with. One mark per arm and training seed, bars are 95 % intervals over questions. r: mean over seeds of the correlation over the arms of one seed, with Student\u{2019}s 95 % interval over seeds. All panels have the same axes.";
    let mut out = builder.figure("groups", charts, &styles(study, part), caption);
    out.push_str(&correlations(&findings.groups, builder));
    if !findings.contrasts.is_empty() {
        out.push_str(&contrasts(study, findings, builder));
    }
    builder.section("groups", HEADING, &out)
}

fn panel(study: &Study, found: &[BudgetFinding], group: &GroupFinding, axes: Option<Axes>) -> Panel {
    let title = format!("{}: r {} {}", group.group, decimal(group.r, 2), interval(group.low, group.high, |v| decimal(v, 2)));
    let marks = marks(study, found, group);
    (axes.and_then(|axes| cosine_accuracy::spec_on(&marks, "cosine, teacher-forced", axes)), title)
}

/// One mark per arm and training seed.
fn marks<'a>(study: &'a Study, found: &[BudgetFinding], group: &GroupFinding) -> Vec<Point<'a>> {
    let style = |id: &str| study.variants.iter().find(|v| v.id == id);
    let of = found.iter().filter(|f| f.k.is_none() && group.arms.contains(&f.variant));
    of.filter_map(|f| {
        let style = style(&f.variant)?;
        let label = f.seed.map_or_else(|| f.name.clone(), |seed| format!("{} \u{b7} {seed}", f.name));
        Some(Point { run: Run { style, label }, cosine: f.cosine?, accuracy: f.accuracy?, low: f.accuracy_low, high: f.accuracy_high })
    })
    .collect()
}

fn at(k: Option<usize>) -> String {
    k.map_or_else(|| "declared".to_string(), |k| k.to_string())
}

fn correlations(groups: &[GroupFinding], builder: &mut Builder) -> String {
    let mut t = String::from(
        "<table><thead><tr><th scope=\"col\">group</th><th scope=\"col\" class=\"text\">arms</th><th scope=\"col\">K</th><th scope=\"col\" class=\"text\">cosine</th>",
    );
    for head in ["seeds", "<i>r</i>", "95 %", "smallest", "largest"] {
        t.push_str(&format!("<th scope=\"col\">{head}</th>"));
    }
    t.push_str("<th scope=\"col\" class=\"text\">below 0</th></tr></thead><tbody>");
    let two = |v: Option<f64>| decimal(v, 2);
    let mut last: Option<&str> = None;
    for g in groups {
        let first = last != Some(&g.group);
        last = Some(&g.group);
        let below = match (g.below_zero, &g.reason) {
            (Some(true), _) => "yes".to_string(),
            (Some(false), _) => "not shown".to_string(),
            (None, why) => escape(why.as_deref().unwrap_or_default()),
        };
        t.push_str(&format!(
            "<tr class=\"{}\"><th scope=\"row\">{}</th><td class=\"text\">{}</td><td>{}</td><td class=\"text\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"text\">{below}</td></tr>",
            if first { "first" } else { "again" },
            escape(&g.group),
            escape(&g.arms.join(", ")),
            at(g.k),
            if g.x == "cosine" { "teacher-forced" } else { "free-running" },
            g.seeds,
            two(g.r),
            interval(g.low, g.high, two),
            two(g.least),
            two(g.greatest),
        ));
    }
    t.push_str("</tbody></table>");
    builder.table("groups", "Correlation of cosine and clean accuracy over the arms of a group; the training seed is the unit.", &t)
}

fn contrasts(study: &Study, findings: &prism_audit::Findings, builder: &mut Builder) -> String {
    let name = |id: &str| study.variants.iter().find(|v| v.id == id).map_or_else(|| id.to_string(), |v| v.name.clone());
    let mut t = String::from("<table><thead><tr><th scope=\"col\">arm</th><th scope=\"col\" class=\"text\">against</th>");
    for head in ["K", "seeds", "points", "95 %", "<i>p</i>"] {
        t.push_str(&format!("<th scope=\"col\">{head}</th>"));
    }
    t.push_str("</tr></thead><tbody>");
    for c in &findings.contrasts {
        t.push_str(&format!(
            "<tr class=\"first\"><th scope=\"row\">{}</th><td class=\"text\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(&name(&c.arm)),
            escape(&name(&c.against)),
            at(c.k),
            c.seeds,
            points(c.delta),
            interval(c.low, c.high, points),
            p_value(c.p),
        ));
    }
    t.push_str("</tbody></table>");
    builder.table(
        "contrasts",
        "Clean accuracy of one arm minus another\u{2019}s, paired by training seed; Student\u{2019}s 95 % interval over seeds.",
        &t,
    )
}
