//! The profile in characters, by class: a line per intervention, its change of
//! accuracy as a point on its interval, zero and the equivalence margin as posts.

use prism_run::Class;

use super::{Look, Screen};
use crate::document::{Row, Table, Value};
use crate::number::points;
use crate::sections::corruption;
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
    /// What is drawn, or why nothing is.
    pub drawn: Result<Drawn, String>,
}

/// A number on its interval, and both as their cells write them.
#[derive(Debug, Clone)]
pub struct Drawn {
    /// A share.
    pub value: f64,
    /// Ends of its interval.
    pub ends: Option<(f64, f64)>,
    /// What stands after it.
    pub written: String,
}

/// Draws the profile of every run of a part from the table of interventions. The classes that answer the two questions come
/// alone, where there are any and the screen is not a wide one.
pub fn draw(study: &Study, part: &Part, screen: &mut Screen, look: Look) {
    let table = corruption::table(study, part);
    let bars = bars(&table);
    let decides = |class: Class| matches!(class, Class::Content | Class::Presence);
    let few = !screen.is_wide() && bars.iter().any(|(_, bar)| decides(bar.class));
    let mut groups: Vec<(String, Vec<Bar>)> = Vec::new();
    for (run, bar) in bars.iter().filter(|(_, bar)| !few || decides(bar.class)) {
        match groups.last_mut() {
            Some((name, bars)) if *name == *run => bars.push(bar.clone()),
            _ => groups.push((run.clone(), vec![bar.clone()])),
        }
    }
    if groups.is_empty() {
        return;
    }
    screen.heading("Change in accuracy, points, 95 % interval");
    plot(&groups, part.margin(), screen, look);
    if few && bars.iter().any(|(_, bar)| !decides(bar.class)) {
        screen.wrapped("not drawn: order, damage, help and controls (--wide)", look);
    }
    if part.interventions().len() > part.whole_interventions().len() {
        screen.wrapped("Interventions on part of the block, or under another view of the image, are drawn in the report.", look);
    }
}

/// The rows on the whole block with the image in view, each with the name of its run.
fn bars(table: &Table) -> Vec<(String, Bar)> {
    let bar = |row: &Row| {
        let intervention = row.intervention.filter(|intervention| intervention.is_whole())?;
        let run = row.cells.iter().find_map(|cell| if let Value::Run(run) = &cell.value { Some(run.label.clone()) } else { None })?;
        let cell = |column: &str| row.cells.get(table.place(column)?);
        let ends = match cell("delta_interval").map(|cell| &cell.value) {
            Some(Value::Interval(low, high)) => Some((*low, *high)),
            _ => None,
        };
        let written = |column: &str| cell(column).filter(|cell| cell.reason().is_none()).map(|_| table.written(column, &row.key));
        let drawn = match cell("delta").map(|cell| &cell.value) {
            Some(Value::Number(value)) => Ok(Drawn {
                value: *value,
                ends,
                written: ["delta", "delta_interval"].into_iter().filter_map(written).collect::<Vec<_>>().join(" "),
            }),
            Some(Value::Absent(why)) => Err(why.clone()),
            _ => return None,
        };
        Some((run, Bar { class: intervention.class(), label: intervention.to_string(), drawn }))
    };
    table.rows().iter().filter_map(bar).collect()
}

/// Draws groups of bars on one scale.
pub fn plot(groups: &[(String, Vec<Bar>)], margin: Option<f64>, screen: &mut Screen, look: Look) {
    let bars = || groups.iter().flat_map(|(_, bars)| bars);
    let drawn = || bars().filter_map(|bar| bar.drawn.as_ref().ok());
    let largest = drawn()
        .flat_map(|d| [Some(d.value), d.ends.map(|(low, _)| low), d.ends.map(|(_, high)| high)])
        .chain([margin])
        .flatten()
        .filter(|v| v.is_finite())
        .map(f64::abs)
        .fold(0.01, f64::max);
    // A round number of points, so that the ends can be named.
    let reach = (largest * 100.0 / 5.0).ceil() * 0.05;
    let label = bars().map(|b| b.label.chars().count()).max().unwrap_or_default() + 2;
    let numbers = drawn().map(|d| d.written.chars().count()).max().unwrap_or_default();
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
            match &bar.drawn {
                Err(why) => screen.line(format!("{start}{why}")),
                Ok(drawn) => {
                    let mut row = vec![' '; columns];
                    for post in margin.iter().flat_map(|m| [-m, *m]) {
                        row[at(post)] = '·';
                    }
                    row[half] = '│';
                    if let Some((low, high)) = drawn.ends {
                        // A file may say that the lower end lies above the upper.
                        let (low, high) = (at(low).min(at(high)), at(low).max(at(high)));
                        row[low..=high].fill('─');
                        (row[low], row[high]) = ('├', '┤');
                    }
                    row[at(drawn.value)] = '●';
                    screen.line(format!("{start}{}  {}", row.into_iter().collect::<String>(), drawn.written));
                }
            }
        }
    }
    if let Some(margin) = margin {
        let posts = crate::number::plain_points(margin);
        screen.wrapped(&format!("dots: the equivalence margin of {posts} points either way"), look);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_lies_on_its_interval_and_zero_in_the_middle() {
        let drawn = Drawn { value: -0.05, ends: Some((-0.10, 0.0)), written: "−5.0 [−10.0, 0.0]".into() };
        let groups = [
            ("LVR".to_string(), vec![Bar { class: Class::Damage, label: "zero".into(), drawn: Ok(drawn) }]),
            ("P-LVR-3".to_string(), vec![Bar { class: Class::Damage, label: "zero".into(), drawn: Err("no latents ran".into()) }]),
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
