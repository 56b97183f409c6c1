//! A table as HTML.
//!
//! It is as wide as a page of 1280 pixels has room for; the columns beyond stand in a second table below it, folded, with the
//! key again, so that nothing is scrolled sideways. On a narrow screen a row is set in lines, each cell with its heading before
//! it: by a rule a column where the page keeps style rules, else by an attribute of the cell.

use maud::{Markup, PreEscaped, Render, html};

use super::super::behind::Links;
use super::super::folding;
use super::super::form::Form;
use super::super::prose::{Prose, Span};
use super::super::table::{Column, KEY, Row, RowKind, Table};
use super::super::value::{Cell, Tone, Value};
use super::{Page, Safe, piece, prose, row_id};
use crate::html::within_css;
use crate::number::ABSENT;
use crate::sections::swatch;

/// Pixels of a page's column at 1280.
const ROOM: usize = 1104;
/// Pixels of a character of a table, and what stands around a cell.
const CHARACTER: usize = 7;
const AROUND: usize = 18;
/// Rows a table may have and still stand open.
pub const LONGEST_OPEN: usize = 48;
/// Rows a table may have; the rest lies in the findings.
pub const MOST_ROWS: usize = 480;
/// Reasons of absent cells told below a table.
const MOST_REASONS: usize = 4;

/// A table under its number, folded where it is long, cut where it is very long.
pub(super) fn numbered(of: &Table, page: &mut dyn Page) -> Markup {
    let number = page.table(of);
    let places = Places::of(of);
    let rows = page.rows(of.rows().len().min(MOST_ROWS), places.first.len() + places.second.len());
    let cut = of.rows().len() - rows;
    if cut > 0 {
        page.cut(format!("{cut} of {} rows of Table {number}; all are in the runs\u{2019} `findings/`", of.rows().len()));
    }
    let file = page.file(of);
    page.narrow(places.labels(of, number));
    let writer = Writer { table: of, prefix: page.prefix(), links: page.links(), narrows: page.narrows(), rows, labelled: false };
    let body = writer.whole(&places);
    html! {
        figure.table.typed data-table=(Safe(&format!("{}{}", page.prefix(), of.name))) data-number=(number) data-rows=(rows) {
            figcaption {
                b.number { "Table " (number) "." } " " (prose(&of.caption, page.prefix()))
                @if cut > 0 { " " span.cut { "The last " (cut) " rows are not shown; " code { "prism report --tables" } " writes all." } }
            }
            @if let Some(file) = file {
                details.figure-menu {
                    summary aria-label={ "Save Table " (number) } { "Save" }
                    div.vega-actions { a download={ "table-" (number) ".csv" } href=(file) { "CSV" } }
                }
            }
            @if rows > LONGEST_OPEN { details { summary { (rows) " rows" } (body) } } @else { (body) }
        }
    }
}

/// A table without caption and number. Each cell carries its heading, for screens on which a row is set in lines.
pub fn table(table: &Table, prefix: &str, links: &dyn Links, narrows: bool) -> Markup {
    Writer { table, prefix, links, narrows, rows: MOST_ROWS, labelled: true }.whole(&Places::of(table))
}

/// Where the columns of a table stand.
struct Places {
    /// In the table.
    first: Vec<usize>,
    /// In the second table that is folded below it: the key again, and those that have no room.
    second: Vec<usize>,
}

impl Places {
    fn of(table: &Table) -> Self {
        let (first, folded) = folding::fit(&table.columns, &widths(table), 0, ROOM);
        let keys = first.iter().copied().filter(|i| table.columns[*i].priority == KEY);
        let second = if folded.is_empty() { Vec::new() } else { keys.chain(folded.iter().copied()).collect() };
        Self { first, second }
    }

    /// The style rules by which cells of the page's table of that number have their headings before them.
    fn labels(&self, table: &Table, number: usize) -> String {
        let mut rules = String::new();
        for (within, columns) in [("", &self.first), (" .more", &self.second)] {
            for (place, column) in columns.iter().enumerate().skip(1) {
                let heading = within_css(&heading(table, *column, columns).as_text());
                let child = place + 1;
                rules.push_str(&format!(
                    "[data-number=\"{number}\"]{within} td:nth-child({child}):not([colspan])::before{{content:\"{heading} \"}}\n"
                ));
            }
        }
        rules
    }
}

/// Whether a column stands without the one that it is attached to.
fn is_alone(table: &Table, place: usize, columns: &[usize]) -> bool {
    let main = folding::main(&table.columns, place);
    main != place && !columns.contains(&main)
}

/// What stands above a column among these: without the one that it is attached to it says whose it is.
fn heading(table: &Table, place: usize, columns: &[usize]) -> Prose {
    let own = table.columns[place].heading.clone();
    let main = &table.columns[folding::main(&table.columns, place)];
    if is_alone(table, place, columns) { own.and(" of ").join(main.heading.clone()) } else { own }
}

/// Pixels of each column. A heading is broken between words, a sentence is set in lines.
fn widths(table: &Table) -> Vec<usize> {
    let of = |(place, column): (usize, &Column)| {
        let cells = table.rows().iter().take(MOST_ROWS).map(|row| column.form.write(&row.cells[place].value).chars().count());
        let heading = column.heading.as_text();
        let word = heading.split([' ', '-', ':', '/', '@']).map(|word| word.chars().count() + 1).max().unwrap_or_default();
        let note =
            table.rows().iter().filter_map(|row| if let Value::Run(run) = &row.cells[place].value { run.note.as_deref() } else { None });
        let note = note.map(|note| note.chars().count()).max().unwrap_or_default();
        let widest = cells.max().unwrap_or_default() + note;
        let set = if matches!(column.form, Form::Text) { widest.min(32) } else { widest };
        set.max(word).max(heading.chars().count().div_ceil(3)) * CHARACTER + if column.attached { AROUND / 2 } else { AROUND }
    };
    table.columns.iter().enumerate().map(of).collect()
}

/// Why cells of the table are absent, where a dash alone stands.
fn reasons(table: &Table, rows: usize) -> Markup {
    let mut counted: Vec<(&str, usize)> = Vec::new();
    for reason in table.rows().iter().take(rows).flat_map(|row| row.cells.iter().filter_map(Cell::reason)) {
        match counted.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => counted.push((reason, 1)),
        }
    }
    let rest = counted.len().saturating_sub(MOST_REASONS);
    html! {
        @if !counted.is_empty() {
            p.rest.reasons {
                (ABSENT) ": "
                @for (i, (reason, count)) in counted.iter().take(MOST_REASONS).enumerate() {
                    @if i > 0 { "; " } (Safe(reason)) " (" (count) @if *count == 1 { " cell)" } @else { " cells)" }
                }
                @if rest > 0 { "; and " (rest) " more reasons" }
            }
        }
    }
}

struct Writer<'a> {
    table: &'a Table,
    prefix: &'a str,
    links: &'a dyn Links,
    narrows: bool,
    /// Of the table so many.
    rows: usize,
    /// Whether each cell carries its heading.
    labelled: bool,
}

impl Writer<'_> {
    fn whole(&self, places: &Places) -> Markup {
        html! {
            (self.grid(&places.first, true))
            @if !places.second.is_empty() {
                details.more { summary { "More: " (Safe(&self.names(&places.second))) } (self.grid(&places.second, false)) }
            }
            (reasons(self.table, self.rows))
        }
    }

    /// Names of columns that are no key; one that is attached to another of them goes without saying.
    fn names(&self, columns: &[usize]) -> String {
        let main = |place: usize| folding::main(&self.table.columns, place);
        let named = columns.iter().copied().filter(|place| self.table.columns[*place].priority != KEY);
        let named = named.filter(|place| main(*place) == *place || is_alone(self.table, *place, columns));
        named.map(|place| heading(self.table, place, columns).as_text()).collect::<Vec<_>>().join("; ")
    }

    /// The columns as a table of HTML. `first`: its rows have the addresses.
    fn grid(&self, columns: &[usize], first: bool) -> Markup {
        html! {
            table {
                thead {
                    @if columns.iter().any(|i| self.table.columns[*i].group.is_some()) { tr.groups { (self.groups(columns)) } }
                    tr { (self.headings(columns)) }
                }
                tbody { @for row in self.table.rows().iter().take(self.rows) { (self.row(row, columns, first)) } }
            }
        }
    }

    fn groups(&self, columns: &[usize]) -> Markup {
        let mut spans: Vec<(Option<&str>, usize)> = Vec::new();
        for place in columns {
            let group = self.table.columns[*place].group;
            match spans.last_mut().filter(|(last, _)| *last == group) {
                Some((_, count)) => *count += 1,
                None => spans.push((group, 1)),
            }
        }
        html! {
            @for (group, count) in spans {
                @match group {
                    Some(group) => th scope="colgroup" colspan=(count) { (group) },
                    None => td colspan=(count) {},
                }
            }
        }
    }

    /// A heading stands over its column and those attached to it.
    fn headings(&self, columns: &[usize]) -> Markup {
        let mut heads: Vec<(usize, Vec<usize>)> = Vec::new();
        for place in columns {
            match heads.last_mut().filter(|(head, _)| folding::main(&self.table.columns, *place) == *head) {
                Some((_, attached)) => attached.push(*place),
                None => heads.push((*place, Vec::new())),
            }
        }
        html! {
            @for (place, attached) in heads {
                @let column = &self.table.columns[place];
                th scope="col" class=[class_of(column)] colspan=[(!attached.is_empty()).then_some(attached.len() + 1)] {
                    (broken(&heading(self.table, place, columns)))
                    @for place in attached { " " small { (broken(&self.table.columns[place].heading)) } }
                }
            }
        }
    }

    fn row(&self, row: &Row, columns: &[usize], first: bool) -> Markup {
        // Where all that is left is absent for one reason, the reason stands there once.
        let reason = |place: &usize| row.cells[*place].reason();
        let keys = columns.iter().filter(|i| self.table.columns[**i].priority == KEY).count();
        let last = columns.last().and_then(reason);
        let open = last.map_or(0, |last| columns.iter().rev().take_while(|place| reason(place) == Some(last)).count());
        let open = if open > 1 { open.min(columns.len() - keys) } else { 0 };
        // Where several cells are absent for one reason, the row says it for all of them.
        let absent: Vec<&str> = columns[..columns.len() - open].iter().filter_map(reason).collect();
        let shared = absent.first().copied().filter(|first| absent.len() > 1 && absent.iter().all(|other| other == first));
        let run = row.cells.iter().find_map(|cell| if let Value::Run(run) = &cell.value { Some(&run.label) } else { None });
        html! {
            tr id=[first.then(|| Safe(&row_id(self.prefix, self.table.name, &row.key)).render().into_string()).map(PreEscaped)]
                class=(row.kind.class()) data-variant=[row.variant.as_deref().map(Safe)] data-run=[run.map(|run| Safe(run))]
                data-intervention=[row.intervention] title=[shared.map(|reason| format!("{ABSENT}: {reason}")).as_deref().map(Safe)] {
                @for (i, place) in columns.iter().take(columns.len() - open).enumerate() {
                    (self.cell(row, (columns, *place), shared, i == 0))
                }
                @if let Some(reason) = last.filter(|_| open > 0) { td.text colspan=(open) { (Safe(reason)) } }
            }
        }
    }

    /// `said` is the reason that its row says already.
    fn cell(&self, row: &Row, (columns, place): (&[usize], usize), said: Option<&str>, header: bool) -> Markup {
        let (column, cell) = (&self.table.columns[place], &row.cells[place]);
        let content = self.content(row, column, cell);
        let note = cell.note.as_deref().or(cell.reason().filter(|reason| Some(*reason) != said));
        let label = self.labelled.then(|| heading(self.table, place, columns).as_text());
        let class = match (cell.reason().is_some(), class_of(column)) {
            (true, class) => Some(format!("{} absent", class.unwrap_or_default()).trim().to_string()),
            (false, class) => class.map(str::to_string),
        };
        html! {
            @if header { th scope="row" { (content) } }
            @else { td class=[class] data-l=[label.as_deref().map(Safe)] title=[note.map(Safe)] { (content) } }
        }
    }

    fn content(&self, row: &Row, column: &Column, cell: &Cell) -> Markup {
        let text = column.form.write(&cell.value);
        let plain = match &cell.value {
            Value::Run(run) => html! {
                @if let Some(style) = run.style.as_ref().filter(|_| row.kind != RowKind::Again) { (swatch(style)) }
                (Safe(&text))
                @if let Some(note) = &run.note { " " small { (Safe(note)) } }
            },
            Value::Word { tone, .. } if *tone != Tone::Plain => html! { span class={ "word " (tone.class()) } { (Safe(&text)) } },
            Value::Intervention(intervention) if self.narrows && row.variant.is_some() => html! {
                button.pick type="button" data-pick-variant=[row.variant.as_deref().map(Safe)] data-pick-intervention=(intervention) { (Safe(&text)) }
            },
            _ if cell.strong => html! { b { (Safe(&text)) } },
            _ => html! { (Safe(&text)) },
        };
        match cell.behind.as_ref().and_then(|behind| self.links.behind(behind)) {
            Some(to) => html! { a.behind href=(Safe(&to)) { (plain) } },
            None => plain,
        }
    }
}

/// The class of a column's cells.
fn class_of(column: &Column) -> Option<&'static str> {
    match column.form {
        Form::Text => Some("prose"),
        form if form.is_words() => Some("text"),
        _ if column.attached => Some("with"),
        _ => None,
    }
}

/// A heading, which may be broken after its punctuation too.
fn broken(heading: &Prose) -> Markup {
    let pieces = |text: &str| -> Markup {
        html! { @for piece in text.split_inclusive([':', '@', '/']) { (Safe(piece)) @if piece.ends_with([':', '@', '/']) { wbr; } } }
    };
    html! {
        @for span in heading.spans() {
            @match span {
                Span::Text(text) => (pieces(text)),
                other => (piece(other, "")),
            }
        }
    }
}
