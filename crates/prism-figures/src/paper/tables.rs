//! Tables 1 to 4.

use super::{Line, Source};
use crate::table::Table;
use prism_report::change::Change;
use prism_report::number::{decimal, interval, percent, points};

impl Source {
    /// Tables 1 to 4.
    pub fn tables(&self) -> Vec<(String, Table)> {
        let first = self.benchmarks.first().map_or("", String::as_str);
        let accuracies: Vec<String> = self.benchmarks.iter().map(|b| format!("accuracy on {b}, %")).collect();
        let mut columns: Vec<(&str, bool)> = vec![("variant", true), ("cosine", false)];
        columns.extend(accuracies.iter().map(|a| (a.as_str(), false)));
        columns.extend([("probe (a), %", false), ("probe (b), %", false), ("gap G, points", false)]);
        let body = |row: &dyn Fn(&Line) -> Vec<String>| self.lines.iter().map(row).collect::<Vec<_>>();
        let variants = body(&|l| {
            let mut row = vec![l.label.clone(), decimal(l.cosine, 3)];
            row.extend(l.accuracies.iter().map(|a| percent(*a)));
            row.extend([percent(l.probe_a.accuracy), percent(l.probe_b.accuracy), points(l.gap)]);
            row
        });
        let probes = body(&|l| {
            vec![
                l.label.clone(),
                percent(l.probe_a.accuracy),
                percent(l.probe_a.spread),
                decimal(l.probe_a.cross_entropy, 3),
                percent(l.probe_b.accuracy),
                percent(l.probe_b.spread),
                decimal(l.probe_b.cross_entropy, 3),
                percent(l.question_mean),
            ]
        });
        let mut damage: Vec<(&str, bool)> = vec![("variant", true)];
        let names: Vec<String> = self.interventions.iter().map(ToString::to_string).collect();
        damage.extend(names.iter().map(|name| (name.as_str(), false)));
        let changes = body(&|l| {
            let cell = |change: &Option<Change>| match change {
                Some(c) if c.low.is_some() && c.high.is_some() => format!("{} {}", points(Some(c.delta)), interval(c.low, c.high, points)),
                change => points(change.map(|c| c.delta)),
            };
            std::iter::once(l.label.clone()).chain(l.changes.iter().map(cell)).collect()
        });
        let probe_columns = [
            ("variant", true),
            ("(a) accuracy, %", false),
            ("(a) spread", false),
            ("(a) cross-entropy, nats", false),
            ("(b) accuracy, %", false),
            ("(b) spread", false),
            ("(b) cross-entropy, nats", false),
            ("question mean, %", false),
        ];
        vec![
            ("table-1".into(), Table::new(&format!("Variants side by side. {}.", self.name), &columns, variants)),
            ("table-2".into(), self.correlations.clone()),
            (
                "table-3".into(),
                Table::new(
                    &format!("Linear probes for the gold letter on {first}; spread: {}. {}.", self.spread, self.name),
                    &probe_columns,
                    probes,
                ),
            ),
            (
                "table-4".into(),
                Table::new(&format!("Change of accuracy on {first} under each corruption, points. {}.", self.name), &damage, changes),
            ),
        ]
    }
}
