//! Tables 1 to 4.

use std::borrow::Cow;

use super::{Line, Probe, Source};
use prism_report::document::{Cell, Column, Form, Prose, Row, RunName, Table, Unit};

/// Percent, one digit.
const PERCENT: Form = Form::Number { unit: Unit::Percent, digits: 1, signed: false };

impl Source {
    /// Tables 1 to 4, named as their files are.
    pub fn tables(&self) -> Vec<Table> {
        vec![self.variants_table(), self.correlations.clone(), self.probes_table(), self.changes_table()]
    }

    fn row(&self, line: &Line) -> Row {
        let name = RunName { style: Some(line.style.clone()), label: line.label.clone(), note: None };
        Row::of_run(name, &line.style.id, line.seed).because(Some(self.absent))
    }

    fn variants_table(&self) -> Table {
        let mut columns = vec![Column::run(), Column::decimal("cosine", "cosine", 3)];
        columns.extend(
            self.benchmarks.iter().map(|benchmark| {
                Column::new(format!("accuracy:{benchmark}"), Prose::plain(benchmark.clone()), PERCENT).group("accuracy, %")
            }),
        );
        columns.extend([
            Column::percent("probe_a", "(a)").group("probe, %"),
            Column::percent("probe_b", "(b)").group("probe, %"),
            Column::points("gap", "gap *G*, points"),
        ]);
        let mut table = Table::new("table-1", columns);
        for line in &self.lines {
            let row = self.row(line).cell(Cell::number(line.cosine)).cells(line.accuracies.iter().map(|accuracy| Cell::number(*accuracy)));
            table.push(row.cells([line.probe_a.accuracy, line.probe_b.accuracy, line.gap].map(Cell::number)));
        }
        table.captioned(Prose::said("Variants side by side. ").text(self.name.clone()).and("."))
    }

    fn probes_table(&self) -> Table {
        let group = ["(a) answer state", "(b) last latent"];
        let mut columns = vec![Column::run()];
        for (names, group) in
            [["probe_a", "probe_a_spread", "probe_a_cross_entropy"], ["probe_b", "probe_b_spread", "probe_b_cross_entropy"]]
                .into_iter()
                .zip(group)
        {
            let [accuracy, spread, cross_entropy] = names;
            let nats = Form::Number { unit: Unit::Nats, digits: 3, signed: false };
            columns.extend([
                Column::percent(accuracy, "accuracy, %").group(group),
                Column::percent(spread, "spread, %").group(group),
                Column::new(cross_entropy, "cross-entropy, nats", nats).group(group),
            ]);
        }
        columns.push(Column::percent("question_mean", "question mean, %"));
        let mut table = Table::new("table-3", columns);
        let probe = |probe: &Probe| [probe.accuracy, probe.spread, probe.cross_entropy].map(Cell::number);
        for line in &self.lines {
            let row = self.row(line).cells(probe(&line.probe_a)).cells(probe(&line.probe_b));
            table.push(row.cell(Cell::number(line.question_mean)));
        }
        let caption = Prose::said("Linear probes for the gold letter on ").text(self.first()).and("; spread: ").and(self.spread);
        table.captioned(caption.and(". ").text(self.name.clone()).and("."))
    }

    fn changes_table(&self) -> Table {
        // No interval was published.
        let bounded =
            self.lines.iter().flat_map(|line| &line.changes).flatten().any(|change| change.low.is_some() && change.high.is_some());
        let mut columns = vec![Column::run()];
        for intervention in &self.interventions {
            let delta = Column::points(format!("delta:{intervention}"), Prose::plain(intervention.to_string()));
            let interval = Column { name: Cow::from(format!("delta_interval:{intervention}")), ..delta.interval("", "95 %") };
            columns.push(delta);
            columns.extend(bounded.then_some(interval));
        }
        let mut table = Table::new("table-4", columns);
        for line in &self.lines {
            let cells = line.changes.iter().flat_map(|change| {
                let interval = Cell::interval(change.and_then(|c| c.low), change.and_then(|c| c.high));
                std::iter::once(Cell::number(change.map(|c| c.delta))).chain(bounded.then_some(interval))
            });
            table.push(self.row(line).cells(cells));
        }
        let caption = Prose::said("Change of accuracy on ").text(self.first()).and(" under each corruption, in points");
        table.captioned(caption.and(if bounded { ", with its 95 % interval. " } else { ". " }).text(self.name.clone()).and("."))
    }

    /// The benchmark that all but the accuracies are of.
    fn first(&self) -> String {
        self.benchmarks.first().cloned().unwrap_or_default()
    }
}
