//! A table: typed columns, rows with a key, and a name for every cell.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use prism_run::Intervention;

use super::form::{Form, Unit};
use super::prose::Prose;
use super::value::{self, Cell, NOT_COMPUTED, NOT_FINITE, RunName, Value};
use crate::number::ABSENT;

/// What a cell is called wherever it stands, e.g. `corruption.delta[lvr/zero]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CellName {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
    /// The key of the row.
    pub row: String,
}

impl fmt::Display for CellName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}[{}]", self.table, self.column, self.row)
    }
}

/// A column.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its name in files, unique in the table.
    pub name: Cow<'static, str>,
    /// What stands above it.
    pub heading: Prose,
    /// What stands above it and its neighbours of the same group.
    pub group: Option<&'static str>,
    /// What it holds, and how that is written.
    pub form: Form,
    /// Whether it stands close to the column before it, under the same heading.
    pub attached: bool,
    /// 0 is the key, which always stands; 1 what the table is about; 2 its evidence; 3 what one checks; 4 for files only.
    /// Where there is no room the largest go first.
    pub priority: u8,
    /// Why a cell is absent where neither it nor its row says why.
    pub because: Option<&'static str>,
}

/// Priority of a key.
pub const KEY: u8 = 0;
/// Priority of a column for files only.
pub const FILES: u8 = 4;

impl Column {
    /// A column of that form.
    pub fn new(name: impl Into<Cow<'static, str>>, heading: impl Into<Prose>, form: Form) -> Self {
        Self { name: name.into(), heading: heading.into(), group: None, form, attached: false, priority: 1, because: None }
    }

    /// The run, first of its row.
    pub fn run() -> Self {
        Self::new("run", "variant", Form::Run).priority(KEY)
    }

    /// The intervention, part of the key.
    pub fn intervention() -> Self {
        Self::new("intervention", "intervention", Form::Intervention).priority(KEY)
    }

    /// A few words.
    pub fn words(name: &'static str, heading: &'static str) -> Self {
        Self::new(name, heading, Form::Words)
    }

    /// Sentences.
    pub fn text(name: &'static str, heading: &'static str) -> Self {
        Self::new(name, heading, Form::Text)
    }

    /// Whole numbers.
    pub fn count(name: &'static str, heading: &'static str) -> Self {
        Self::new(name, heading, Form::Count)
    }

    /// Shares in percent, one digit.
    pub fn percent(name: &'static str, heading: &'static str) -> Self {
        Self::new(name, heading, Form::Number { unit: Unit::Percent, digits: 1, signed: false })
    }

    /// Differences of shares in points, one digit, signed.
    pub fn points(name: impl Into<Cow<'static, str>>, heading: impl Into<Prose>) -> Self {
        Self::new(name, heading, Form::Number { unit: Unit::Points, digits: 1, signed: true })
    }

    /// Numbers with so many digits.
    pub fn decimal(name: &'static str, heading: &'static str, digits: usize) -> Self {
        Self::new(name, heading, Form::Number { unit: Unit::Plain, digits, signed: false })
    }

    /// Correlations.
    pub fn correlation(name: &'static str, heading: &'static str) -> Self {
        Self::new(name, heading, Form::Number { unit: Unit::Plain, digits: 2, signed: true })
    }

    /// Differences in nats, two digits.
    pub fn nats(name: &'static str, heading: &'static str) -> Self {
        Self::new(name, heading, Form::Number { unit: Unit::Nats, digits: 2, signed: true })
    }

    /// p values.
    pub fn p(name: &'static str, heading: &'static str) -> Self {
        Self::new(name, heading, Form::Probability)
    }

    /// The interval of the column before it, in the same unit with the same digits; attached to it.
    #[must_use]
    pub fn interval(&self, name: &'static str, heading: &'static str) -> Self {
        let form = match self.form {
            Form::Number { unit, digits, signed } => Form::Interval { unit, digits, signed },
            other => other,
        };
        Self { group: self.group, priority: self.priority, ..Self::new(name, heading, form) }.attached()
    }

    /// Close to the column before it, under the same heading.
    #[must_use]
    pub fn attached(self) -> Self {
        Self { attached: true, ..self }
    }

    /// With that priority.
    #[must_use]
    pub fn priority(self, priority: u8) -> Self {
        Self { priority, ..self }
    }

    /// In a group of columns.
    #[must_use]
    pub fn group(self, group: &'static str) -> Self {
        Self { group: Some(group), ..self }
    }

    /// With the reason of its absent cells.
    #[must_use]
    pub fn because(self, reason: &'static str) -> Self {
        Self { because: Some(reason), ..self }
    }
}

/// What a row is among the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RowKind {
    /// The first of its run.
    #[default]
    First,
    /// A further one of the run above; set by the table.
    Again,
    /// The mean of those that follow.
    Mean,
    /// One of those a mean is of.
    Seed,
    /// What the others started from.
    Base,
}

impl RowKind {
    /// Its class in style sheets.
    pub fn class(self) -> &'static str {
        match self {
            RowKind::First => "first",
            RowKind::Again => "again",
            RowKind::Mean => "mean",
            RowKind::Seed => "seed",
            RowKind::Base => "base",
        }
    }
}

/// A row.
#[derive(Debug, Clone)]
pub struct Row {
    /// Tells it apart in its table: letters, digits and `-_.:@=/`.
    pub key: String,
    /// Id of the variant it is of, by which the page narrows.
    pub variant: Option<String>,
    /// The intervention it is of, by which the page narrows.
    pub intervention: Option<Intervention>,
    /// What it is among the others.
    pub kind: RowKind,
    /// Why its cells are absent where they do not say why.
    pub because: Option<String>,
    /// One for each column.
    pub cells: Vec<Cell>,
}

impl Row {
    /// A row of that key.
    pub fn new(key: impl AsRef<str>) -> Self {
        Self { key: plain(key.as_ref()), variant: None, intervention: None, kind: RowKind::First, because: None, cells: Vec::new() }
    }

    /// A row of a run, whose name is its first cell. `seed` is part of the key where there are several.
    pub fn of_run(run: RunName, variant: &str, seed: Option<i64>) -> Self {
        let key = seed.map_or_else(|| variant.to_string(), |seed| format!("{variant}-{seed}"));
        Self { variant: Some(variant.into()), ..Self::new(key) }.cell(Value::Run(run))
    }

    /// With a further part of its key.
    #[must_use]
    pub fn at(mut self, part: impl fmt::Display) -> Self {
        self.key = plain(&format!("{}/{part}", self.key));
        self
    }

    /// Of an intervention: part of its key, and what the page narrows by.
    #[must_use]
    pub fn under(self, intervention: Intervention) -> Self {
        Self { intervention: Some(intervention), ..self.at(intervention) }
    }

    /// Of that kind.
    #[must_use]
    pub fn kind(self, kind: RowKind) -> Self {
        Self { kind, ..self }
    }

    /// With the reason of its absent cells.
    #[must_use]
    pub fn because(self, reason: Option<&str>) -> Self {
        Self { because: reason.map(value::reason), ..self }
    }

    /// With another cell.
    #[must_use]
    pub fn cell(mut self, cell: impl Into<Cell>) -> Self {
        self.cells.push(cell.into());
        self
    }

    /// With other cells.
    #[must_use]
    pub fn cells(mut self, cells: impl IntoIterator<Item = Cell>) -> Self {
        self.cells.extend(cells);
        self
    }
}

/// A key without what an address or a file could take for something else.
fn plain(key: &str) -> String {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '@' | '=' | '/');
    key.chars().take(200).map(|c| if fits(c) && !prism_run::shown::is_obeyed(c) { c } else { '-' }).collect()
}

/// A number of a table with its interval, and what it is called.
#[derive(Debug, Clone)]
pub struct Estimate<'a> {
    /// Its row.
    pub row: &'a Row,
    /// The number as the cell holds it.
    pub value: f64,
    /// Lower end.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Its cell.
    pub name: CellName,
}

impl<'a> Estimate<'a> {
    /// The run of its row.
    pub fn run(&self) -> Option<&'a RunName> {
        self.row.cells.iter().find_map(|cell| if let Value::Run(run) = &cell.value { Some(run) } else { None })
    }
}

/// A table.
#[derive(Debug, Clone)]
pub struct Table {
    /// Its name: of its files, and of its cells.
    pub name: &'static str,
    /// What it shows.
    pub caption: Prose,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows; [`Table::push`] adds one.
    rows: Vec<Row>,
    keys: HashSet<String>,
}

impl Table {
    /// A table without rows.
    pub fn new(name: &'static str, columns: Vec<Column>) -> Self {
        debug_assert!(
            columns.iter().map(|c| &c.name).collect::<HashSet<_>>().len() == columns.len(),
            "two columns of {name} have one name"
        );
        Self { name, caption: Prose::default(), columns, rows: Vec::new(), keys: HashSet::new() }
    }

    /// Under a caption, which may take numbers from the table itself.
    #[must_use]
    pub fn captioned(self, caption: impl Into<Prose>) -> Self {
        Self { caption: caption.into(), ..self }
    }

    /// Adds a row: cells that lack are absent, a key that another row has gets a number, reasons are filled in.
    pub fn push(&mut self, mut row: Row) {
        row.cells.truncate(self.columns.len());
        row.cells.resize(self.columns.len(), Cell::absent(""));
        for (cell, column) in row.cells.iter_mut().zip(&self.columns) {
            debug_assert!(column.form.holds(&cell.value), "{}.{}: {:?} is no {:?}", self.name, column.name, cell.value, column.form);
            if !column.form.holds(&cell.value) {
                cell.value = Value::Absent("a value of another kind".into());
            }
            if column.form.numbers(&cell.value).iter().any(|number| !number.is_finite()) {
                cell.value = Value::Absent(NOT_FINITE.into());
            }
            let reason = row.because.as_deref().or(column.because).unwrap_or(NOT_COMPUTED);
            *cell = cell.clone().or(reason);
        }
        let wanted = row.key.clone();
        let mut next = 2;
        while !self.keys.insert(row.key.clone()) {
            row.key = format!("{wanted}-{next}");
            next += 1;
        }
        let run = |row: &Row| row.cells.iter().find_map(|c| if let Value::Run(run) = &c.value { Some(run.label.clone()) } else { None });
        if row.kind == RowKind::First && self.rows.last().is_some_and(|last| run(last).is_some() && run(last) == run(&row)) {
            row.kind = RowKind::Again;
        }
        self.rows.push(row);
    }

    /// Its rows.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Whether it has no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Place of a column.
    pub fn place(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name == column)
    }

    /// A cell with its column.
    pub fn cell(&self, column: &str, row: &str) -> Option<(&Column, &Cell)> {
        let place = self.place(column)?;
        let row = self.rows.iter().find(|r| r.key == row)?;
        Some((&self.columns[place], row.cells.get(place)?))
    }

    /// A cell as it is written; a dash where there is none.
    pub fn written(&self, column: &str, row: &str) -> String {
        self.cell(column, row).map_or_else(|| ABSENT.into(), |(column, cell)| column.form.write(&cell.value))
    }

    /// The whole number in a column of a row.
    pub fn count(&self, row: &Row, column: &str) -> Option<usize> {
        match row.cells.get(self.place(column)?)?.value {
            Value::Count(count) => Some(count),
            _ => None,
        }
    }

    /// The number in a column of a row.
    pub fn number(&self, row: &Row, column: &str) -> Option<f64> {
        match row.cells.get(self.place(column)?)?.value {
            Value::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The numbers of a column with the intervals of another, those that are there: what a chart draws.
    pub fn estimates<'a>(&'a self, column: &'a str, interval: Option<&str>) -> impl Iterator<Item = Estimate<'a>> {
        let place = self.place(column);
        let bounds = interval.and_then(|name| self.place(name));
        self.rows.iter().filter_map(move |row| {
            let Value::Number(value) = row.cells.get(place?)?.value else { return None };
            let (low, high) = match bounds.and_then(|at| row.cells.get(at)).map(|cell| &cell.value) {
                Some(Value::Interval(low, high)) => (Some(*low), Some(*high)),
                _ => (None, None),
            };
            let name = CellName { table: self.name.into(), column: column.into(), row: row.key.clone() };
            Some(Estimate { row, value, low, high, name })
        })
    }
}
