//! Does cosine track accuracy? The scatter, its honest statistics, the table of
//! correlations, and alignment as it is measured (method, sections 5 and 8).

use std::fmt::Write;

use prism_audit::findings::ComparisonFinding;
use prism_run::{Mode, Stage};

use super::{Builder, callout, n_equals, row_start, run, styles};
use crate::charts::cosine_accuracy::{self, Point};
use crate::html::{dashed, escape};
use crate::number::{correlation, decimal, interval, p_value};
use crate::study::{Audit, Part, Study};
use crate::verdict;

/// The section on cosine and accuracy.
pub fn section(study: &Study, part: &Part, builder: &mut Builder) -> String {
    let points = |cosine: fn(&Audit) -> Option<f64>| -> Vec<Point<'_>> {
        part.audits
            .iter()
            .filter_map(|a| {
                let clean = a.clean()?;
                let cosine = cosine(a).filter(|c| c.is_finite())?;
                Some(Point {
                    run: run(study, part, a),
                    cosine,
                    accuracy: clean.accuracy?,
                    low: clean.accuracy_low,
                    high: clean.accuracy_high,
                })
            })
            .collect()
    };
    let forced = cosine_accuracy::spec(&points(|a| a.summary()?.cosine), "cosine, teacher-forced, target stage");
    let free = cosine_accuracy::spec(&points(|a| a.summary()?.cosine_free), "cosine, free-running, target stage");
    let mut charts = vec![(forced, "Teacher-forced".to_string())];
    if free.is_some() {
        charts.push((free, "Free-running".to_string()));
    }
    let targets = || {
        let of = |a: &Audit| {
            a.findings.alignment.iter().filter(|f| f.stage == Stage::Target && f.mode == Mode::TeacherForced).map(|f| f.examples).max()
        };
        part.audits.iter().filter_map(of)
    };
    let over = match (targets().min(), targets().max()) {
        (Some(low), Some(high)) if low == high => format!("; cosines over {low} of them"),
        (Some(low), Some(high)) => format!("; cosines over {low} to {high} of them"),
        _ => String::new(),
    };
    let caption = format!(
        "Accuracy against the cosine of latent and teacher target. One point per run ({} each{over}); bars are Wilson 95 % intervals. The left panel is the paper's measure, which feeds the model the targets; the right one lets it run on its own latents.",
        n_equals(part)
    );
    let mut out = String::new();
    match &study.comparison {
        None => out.push_str("<p>The runs were not compared, so no correlation is given; <code>prism compare</code> makes one.</p>"),
        Some((_, findings)) => {
            if let Some(row) = verdict::headline(&findings.comparison) {
                out.push_str(&headline(row));
            }
        }
    }
    out.push_str(&builder.figure("cosine", charts, &styles(study, part), &caption));
    if let Some((_, findings)) = &study.comparison
        && !findings.comparison.is_empty()
    {
        out.push_str(&correlations(&findings.comparison, builder));
    }
    out.push_str(&alignment(study, part, builder));
    builder.section("cosine", "Cosine against accuracy", &out)
}

fn headline(row: &ComparisonFinding) -> String {
    let mut out = format!("<p>{}", escape(&verdict::headline_sentence(row)));
    if row.r.is_some() {
        let _ = write!(
            out,
            " The 95 % interval is {} by Fisher’s transformation and {} when accuracies are redrawn binomially, which leaves training seeds out. With any one point left out, r runs from {} to {}.",
            interval(row.fisher_low, row.fisher_high, correlation),
            interval(row.low, row.high, correlation),
            correlation(row.leave_one_out_low),
            correlation(row.leave_one_out_high)
        );
    }
    out.push_str("</p>");
    if let Some(warning) = &row.cluster_warning {
        out.push_str(&callout("warn", &format!("<b>The points cluster.</b> {}", escape(warning))));
    }
    out
}

fn correlations(rows: &[ComparisonFinding], builder: &mut Builder) -> String {
    let mut t = String::from(
        "<table><thead><tr><th scope=\"col\">x</th><th scope=\"col\" class=\"text\">y</th><th scope=\"col\">points</th><th scope=\"col\"><i>r</i></th><th scope=\"col\">bootstrap 95 %</th><th scope=\"col\">Fisher 95 %</th><th scope=\"col\">exact <i>p</i></th><th scope=\"col\">one left out</th></tr></thead><tbody>",
    );
    for row in rows {
        let given = row.given.as_deref().map_or_else(String::new, |g| format!(" <small>given {}</small>", escape(&column(g))));
        let unit = if row.unit == "run" { "runs" } else { "variants" };
        let _ =
            write!(t, "<tr><th scope=\"row\">{}</th><td class=\"text\">{}{given}</td>", escape(&column(&row.x)), escape(&column(&row.y)));
        if row.r.is_none() {
            let why = row.reason.as_deref().unwrap_or("no number");
            let _ = write!(t, "<td>{} {unit}</td><td>–</td><td class=\"text\" colspan=\"4\">{}</td></tr>", row.variants, escape(why));
            continue;
        }
        let _ = write!(
            t,
            "<td>{} {unit}</td><td><b>{}</b></td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            row.variants,
            correlation(row.r),
            interval(row.low, row.high, correlation),
            interval(row.fisher_low, row.fisher_high, correlation),
            p_value(row.exact_p),
            interval(row.leave_one_out_low, row.leave_one_out_high, correlation)
        );
    }
    t.push_str("</tbody></table>");
    builder.table(
        "correlations",
        "Pearson correlations across the points. The bootstrap redraws each accuracy binomially; <i>p</i> is exact, over all permutations; one left out: smallest and largest <i>r</i>.",
        &t,
    )
}

/// A column of Table 1 in words.
fn column(name: &str) -> String {
    match name {
        "cosine" => "cosine".into(),
        "cosine_free" => "cosine, free-running".into(),
        "probe_a" => "probe (a)".into(),
        "probe_b" => "probe (b)".into(),
        "gap" => "gap G".into(),
        "question_mean" => "probe, question mean".into(),
        "delta_truncate" => "change under zero".into(),
        "delta_noise_01" => "change under σ 0.1".into(),
        "delta_noise_03" => "change under σ 0.3".into(),
        "delta_noise_10" => "change under σ 1".into(),
        "delta_swap" => "change under swap".into(),
        other => other.replace('_', " "),
    }
}

fn alignment(study: &Study, part: &Part, builder: &mut Builder) -> String {
    let mut t = String::from(
        "<table><thead><tr><th scope=\"col\">variant</th><th scope=\"col\" class=\"text\">mode</th><th scope=\"col\" class=\"text\">stage</th><th scope=\"col\">examples</th><th scope=\"col\">positions</th><th scope=\"col\">cosine</th><th scope=\"col\">sd</th><th scope=\"col\">MSE</th><th scope=\"col\">|h|</th><th scope=\"col\">|v|</th><th scope=\"col\">|h| / |v|</th></tr></thead><tbody>",
    );
    let mut any = false;
    for audit in &part.audits {
        for (i, f) in audit.findings.alignment.iter().enumerate() {
            any = true;
            let start = row_start(study, part, audit, i == 0, None);
            let _ = write!(
                t,
                "{start}<td class=\"text\">{}</td><td class=\"text\">{}</td><td>{}</td><td>{}</td>",
                dashed(f.mode),
                f.stage,
                f.examples,
                f.positions
            );
            if let (None, Some(why)) = (f.cosine, &f.reason) {
                let _ = write!(t, "<td class=\"text\" colspan=\"6\">{}</td></tr>", escape(why));
                continue;
            }
            let _ = write!(
                t,
                "<td><b>{}</b></td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                decimal(f.cosine, 3),
                decimal(f.cosine_sd, 3),
                decimal(f.mse, 4),
                decimal(f.latent_norm, 2),
                decimal(f.target_norm, 2),
                decimal(f.norm_ratio, 2)
            );
        }
    }
    t.push_str("</tbody></table>");
    if !any {
        return String::new();
    }
    builder.table(
        "alignment",
        "Alignment of latents <i>h</i> with teacher targets <i>v</i>: mean over examples of each example’s mean over positions; sd over examples. Teacher-forced positions were fed the targets; free-running ones the model’s own latents.",
        &t,
    )
}
