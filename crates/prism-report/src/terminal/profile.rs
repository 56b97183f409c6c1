//! The profile in characters, by class: a line per intervention, its change of
//! accuracy as a point on its interval, zero and the equivalence margin as posts.

use prism_run::Class;

use super::{Look, Screen};
use crate::change::Change;
use crate::number::{interval, points};
use crate::study::{Part, Study};

/// Most columns the plot takes.
const WIDEST: usize = 60;

/// One line of the plot.
#[derive(Debug, Clone)]
pub struct Bar {
    /// Its class; a line names it where it changes.
    pub class: Class,
    /// What stands before it.
    pub label: String,
    /// What is drawn; absent numbers are words.
    pub change: Result<Change, String>,
}

/// Draws the profile of every run of a part.
pub fn draw(study: &Study, part: &Part, screen: &mut Screen, look: Look) {
    let (interventions, rest) = super::study::plain(part);
    let mut groups: Vec<(String, Vec<Bar>)> = Vec::new();
    for audit in &part.audits {
        let bars = interventions.iter().filter_map(|i| {
            audit.effect(*i)?;
            let absent = if audit.is_silent() { "no latents ran" } else { "no number" };
            Some(Bar { class: i.class(), label: i.to_string(), change: audit.change(*i).ok_or_else(|| absent.to_string()) })
        });
        groups.push((part.run_name(study, audit), bars.collect()));
    }
    groups.retain(|(_, bars)| !bars.is_empty());
    if !groups.is_empty() {
        screen.heading("Change in accuracy, points, 95 % interval");
        plot(&groups, part.margin(), screen, look);
        if rest > 0 {
            let more = "on part of the block, or under another view of the image, stand in the report";
            screen.wrapped(&format!("{rest} more interventions, {more}"), look);
        }
    }
}

/// Draws groups of bars on one scale.
pub fn plot(groups: &[(String, Vec<Bar>)], margin: Option<f64>, screen: &mut Screen, look: Look) {
    let bars = || groups.iter().flat_map(|(_, bars)| bars);
    let changes = || bars().filter_map(|b| b.change.as_ref().ok());
    let largest = changes()
        .flat_map(|c| [Some(c.delta), c.low, c.high])
        .chain([margin])
        .flatten()
        .filter(|v| v.is_finite())
        .map(f64::abs)
        .fold(0.01, f64::max);
    // A round number of points, so that the ends can be named.
    let reach = (largest * 100.0 / 5.0).ceil() * 0.05;
    let label = bars().map(|b| b.label.chars().count()).max().unwrap_or_default() + 2;
    let numbers = changes().map(|c| words(c).chars().count()).max().unwrap_or_default();
    let columns = look.width.saturating_sub(label + numbers + 3).clamp(11, WIDEST);
    let columns = if columns.is_multiple_of(2) { columns - 1 } else { columns };
    let at = |value: f64| (((value / reach).clamp(-1.0, 1.0) + 1.0) / 2.0 * (columns - 1) as f64).round() as usize;
    let (left, right) = (points(Some(-reach)), points(Some(reach)));
    let half = columns / 2;
    let gap = |used: usize| " ".repeat(half.saturating_sub(used));
    let scale = format!("{}{left}{}0{}{right}", " ".repeat(label + 1), gap(left.chars().count()), gap(right.chars().count()));
    screen.line(scale);
    for (name, bars) in groups {
        screen.line(name.clone());
        let mut last = None;
        for bar in bars {
            if last.replace(bar.class) != Some(bar.class) {
                screen.line(format!(" {}", bar.class));
            }
            let start = format!("  {:<1$}", bar.label, label - 1);
            match &bar.change {
                Err(why) => screen.line(format!("{start}{why}")),
                Ok(change) => {
                    let mut row = vec![' '; columns];
                    for post in margin.iter().flat_map(|m| [-m, *m]) {
                        row[at(post)] = '·';
                    }
                    row[half] = '│';
                    if let (Some(low), Some(high)) = (change.low, change.high) {
                        // A file may say that the lower end lies above the upper.
                        let (low, high) = (at(low).min(at(high)), at(low).max(at(high)));
                        row[low..=high].fill('─');
                        (row[low], row[high]) = ('├', '┤');
                    }
                    row[at(change.delta)] = '●';
                    screen.line(format!("{start}{}  {}", row.into_iter().collect::<String>(), words(change)));
                }
            }
        }
    }
    if let Some(margin) = margin {
        let posts = crate::number::plain_points(margin);
        screen.wrapped(&format!("dots: the equivalence margin of {posts} points either way, fixed beforehand"), look);
    }
}

fn words(change: &Change) -> String {
    let bounds = interval(change.low, change.high, points);
    format!("{} {bounds}", points(Some(change.delta)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_lies_on_its_interval_and_zero_in_the_middle() {
        let change = Change { delta: -0.05, low: Some(-0.10), high: Some(0.0), gained: 0, lost: 2 };
        let groups = [
            ("LVR".to_string(), vec![Bar { class: Class::Damage, label: "zero".into(), change: Ok(change) }]),
            ("P-LVR-3".to_string(), vec![Bar { class: Class::Damage, label: "zero".into(), change: Err("no latents ran".into()) }]),
        ];
        let look = Look { width: 60, unicode: true, color: false };
        let mut screen = Screen::default();
        plot(&groups, Some(0.05), &mut screen, look);
        let text = screen.text(look);
        let lines: Vec<&str> = text.lines().collect();
        let place = |line: &str, c: char| line.chars().position(|x| x == c);
        assert_eq!(place(lines[3], '├'), place(lines[0], '−'), "the interval's end at the scale's end: {text}");
        assert!(text.contains("no latents ran") && text.lines().all(|l| l.chars().count() <= 60), "{text}");
        let zero = lines[0].chars().enumerate().filter(|(_, c)| *c == '0').map(|(i, _)| i);
        assert!(zero.into_iter().any(|i| Some(i) == place(lines[3], '┤')), "{text}");
        let plain = screen.text(Look { unicode: false, ..look });
        assert!(plain.is_ascii() && plain.contains("|-------o"), "{plain}");
    }
}
