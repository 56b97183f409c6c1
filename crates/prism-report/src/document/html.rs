//! The document as HTML: the page's and the explorer's.
//!
//! Every text goes through [`Safe`]. A table is as wide as a page of 1280 pixels has room for; the columns beyond stand in a
//! second table below it, folded, with the key again, so that nothing is scrolled sideways.

use maud::{Markup, PreEscaped, Render, html};

use super::behind::Links;
use super::figure::Figure;
use super::folding;
use super::form::Form;
use super::prose::{Prose, Span};
use super::table::{Column, Row, Table};
use super::value::{Cell, Tone, Value};
use super::{Block, Section};
use crate::html::escape;
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
/// Rows of a table whose cells carry their heading, for screens on which a row is set in lines.
const MOST_LABELLED: usize = 240;
/// Reasons of absent cells told below a table.
const MOST_REASONS: usize = 4;

/// Text for an element or an attribute.
#[derive(Debug, Clone, Copy)]
pub struct Safe<'a>(pub &'a str);

impl Render for Safe<'_> {
    fn render_to(&self, buffer: &mut String) {
        buffer.push_str(&escape(self.0));
    }
}

/// What becomes of a chart.
#[derive(Debug, Clone, PartialEq)]
pub enum Drawing {
    /// It is drawn in the element of this id.
    At(String),
    /// The page has no room for its marks.
    LeftOut,
    /// There is nothing to draw.
    Nothing,
}

/// What a page keeps while sections are written onto it.
pub trait Page {
    /// What its addresses begin with.
    fn prefix(&self) -> &str;
    /// Where links lead.
    fn links(&self) -> &dyn Links;
    /// Whether the page's script narrows it to a run and an intervention.
    fn narrows(&self) -> bool;
    /// Number of the next table.
    fn table(&mut self, table: &Table) -> usize;
    /// Number of the next figure, and what becomes of its charts.
    fn figure(&mut self, figure: &Figure) -> (usize, Vec<Drawing>);
    /// Notes what was cut.
    fn cut(&mut self, what: String);
    /// The table as a file of the page, if there is room for it.
    fn file(&mut self, table: &Table) -> Option<String>;
}

/// A section.
pub fn section(section: &Section, page: &mut dyn Page) -> Markup {
    let body = blocks(&section.blocks, page);
    html! {
        section id=(Safe(&format!("{}{}", page.prefix(), section.anchor))) class=(section.anchor) {
            h2 { (section.heading) }
            (body)
        }
    }
}

/// Blocks in their order.
pub fn blocks(blocks: &[Block], page: &mut dyn Page) -> Markup {
    html! { @for one in blocks { (block(one, page)) } }
}

fn block(block: &Block, page: &mut dyn Page) -> Markup {
    match block {
        Block::Prose(text) => html! { p { (prose(text, page.prefix())) } },
        Block::Aside(tone, text) => html! { div class={ "callout " (tone.class()) } role="note" { (prose(text, page.prefix())) } },
        Block::List(entries) => html! { ul { @for entry in entries { li { (prose(entry, page.prefix())) } } } },
        Block::Terms(terms) => html! {
            dl { @for (term, meaning) in terms { dt { (prose(term, page.prefix())) } dd { (prose(meaning, page.prefix())) } } }
        },
        Block::Heading(text) => html! { h3 { (text) } },
        Block::Code(label, text) => html! { pre tabindex="0" aria-label=(label) { (Safe(text)) } },
        Block::Fold { summary, open, blocks: inner } => {
            let inner = blocks(inner, page);
            html! { details open[*open] { summary { (prose(summary, page.prefix())) } (inner) } }
        }
        Block::Figure(of) => {
            let (number, drawings) = page.figure(of);
            figure(of, number, &drawings, page.prefix())
        }
        Block::Table(of) => numbered(of, page),
        Block::Own(markup) => markup.clone(),
    }
}

/// A paragraph's pieces. Links within the page get its prefix.
pub fn prose(text: &Prose, prefix: &str) -> Markup {
    html! { @for span in text.spans() { (piece(span, prefix)) } }
}

fn piece(span: &Span, prefix: &str) -> Markup {
    match span {
        Span::Text(text) => html! { (Safe(text)) },
        Span::Strong(text) => html! { b { (Safe(text)) } },
        Span::Emphasis(text) => html! { i { (Safe(text)) } },
        Span::Code(text) => html! { code { (Safe(text)) } },
        Span::Defined(word) => html! { dfn id=(Safe(&term_id(word))) { (Safe(word)) } },
        Span::Term(word, of) => html! { a.term href={ "#" (Safe(&term_id(of))) } { (Safe(word)) } },
        Span::Link(to, text) => html! { a href=(Safe(&address(to, prefix))) { (Safe(text)) } },
        Span::Number(text, cell) => html! {
            a.number href={ "#" (Safe(&row_id(prefix, &cell.table, &cell.row))) } title=(Safe(&cell.to_string())) { (Safe(text)) }
        },
    }
}

/// Where the page explains a word.
pub fn term_id(word: &str) -> String {
    let plain: String = word.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
    format!("word-{}", plain.trim_matches('-'))
}

/// The id of a row.
pub fn row_id(prefix: &str, table: &str, row: &str) -> String {
    format!("{prefix}{table}:{row}")
}

/// An address of ours: of the page, of the explorer, or nothing that leads elsewhere.
fn address(to: &str, prefix: &str) -> String {
    match to.strip_prefix('#') {
        // What is explained, and what stands once on a page of several benchmarks, has no prefix.
        Some(anchor) if ["words", "provenance", "not-measured", "training"].contains(&anchor) || anchor.starts_with("word-") => to.into(),
        Some(anchor) => format!("#{prefix}{anchor}"),
        None if to.starts_with('/') && !to.starts_with("//") => to.into(),
        None => "#".into(),
    }
}

/// A figure under its number.
pub fn figure(figure: &Figure, number: usize, drawings: &[Drawing], prefix: &str) -> Markup {
    html! {
        figure.charts data-figure=(Safe(&format!("{prefix}{}", figure.name))) {
            @if !figure.variants.is_empty() {
                ul.legend {
                    @for style in &figure.variants { li data-variant=(Safe(&style.id)) { (PreEscaped(swatch(style))) (Safe(&style.name)) } }
                }
            }
            div.row {
                @for (panel, drawing) in figure.panels.iter().zip(drawings) {
                    div.panel {
                        @if !panel.title.is_empty() { p.panel-title { (prose(&panel.title, prefix)) } }
                        @match drawing {
                            Drawing::At(id) => {
                                @let height = panel.spec.as_ref().and_then(|spec| spec["height"].as_u64()).unwrap_or(240);
                                div.chart id=(Safe(id)) role="img" aria-label=(Safe(&panel.alternative)) data-chart=(figure.name)
                                    data-rows=(panel.marks()) style={ "min-height:" (height) "px" } {}
                            }
                            Drawing::LeftOut => p.absent { "Left out, for the page’s size; the numbers are in the table." },
                            Drawing::Nothing => p.absent { "No numbers to draw." },
                        }
                    }
                }
            }
            figcaption { b { "Figure " (number) "." } " " (prose(&figure.caption, prefix)) }
        }
    }
}

/// A table under its number, folded where it is long, cut where it is very long.
fn numbered(of: &Table, page: &mut dyn Page) -> Markup {
    let number = page.table(of);
    let rows = of.rows().len().min(MOST_ROWS);
    let cut = of.rows().len() - rows;
    if cut > 0 {
        page.cut(format!("{cut} of {} rows of Table {number}; all are in the runs\u{2019} `findings/`", of.rows().len()));
    }
    let file = page.file(of);
    let body = table(of, page.prefix(), page.links(), page.narrows());
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

/// A table without caption and number.
pub fn table(table: &Table, prefix: &str, links: &dyn Links, narrows: bool) -> Markup {
    let (shown, folded) = folding::fit(&table.columns, &widths(table), 0, ROOM);
    let writer = Writer { table, prefix, links, narrows };
    html! {
        (writer.grid(&shown, true))
        @if !folded.is_empty() {
            details.more {
                summary { "More: " (Safe(&writer.names(&folded))) }
                @for columns in stacked(table, &shown, &folded) { (writer.grid(&columns, false)) }
            }
        }
        (reasons(table))
    }
}

/// The columns that are folded, as tables that the page has room for, each with the key again.
fn stacked(table: &Table, shown: &[usize], folded: &[usize]) -> Vec<Vec<usize>> {
    let widths = widths(table);
    let keys: Vec<usize> = shown.iter().copied().filter(|i| table.columns[*i].priority == super::table::KEY).collect();
    let of_keys: usize = keys.iter().map(|i| widths[*i]).sum();
    let mut all: Vec<Vec<usize>> = Vec::new();
    let mut used = usize::MAX;
    for place in folded {
        used = used.saturating_add(widths[*place]);
        match all.last_mut().filter(|_| used <= ROOM) {
            Some(columns) => columns.push(*place),
            None => {
                used = of_keys + widths[*place];
                all.push(keys.iter().copied().chain([*place]).collect());
            }
        }
    }
    all
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
fn reasons(table: &Table) -> Markup {
    let mut counted: Vec<(&str, usize)> = Vec::new();
    for reason in table.rows().iter().take(MOST_ROWS).flat_map(|row| row.cells.iter().filter_map(Cell::reason)) {
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
}

impl Writer<'_> {
    /// Names of columns; one that is attached to another of them goes without saying.
    fn names(&self, columns: &[usize]) -> String {
        let named = columns.iter().filter(|place| self.main(**place) == **place || self.is_alone(**place, columns));
        named.map(|place| self.heading(*place, columns).as_text()).collect::<Vec<_>>().join(", ")
    }

    /// The column that one is attached to; itself where it is attached to none.
    fn main(&self, place: usize) -> usize {
        (0..=place).rev().find(|i| !self.table.columns[*i].attached).unwrap_or(place)
    }

    /// Whether a column stands without the one it is attached to.
    fn is_alone(&self, place: usize, columns: &[usize]) -> bool {
        self.main(place) != place && !columns.contains(&self.main(place))
    }

    /// What stands above a column among these: without the one it is attached to it says whose it is.
    fn heading(&self, place: usize, columns: &[usize]) -> Prose {
        let own = self.table.columns[place].heading.clone();
        if self.is_alone(place, columns) { own.and(" of ").join(self.table.columns[self.main(place)].heading.clone()) } else { own }
    }

    /// The columns as a table of HTML. `first`: its rows have the addresses.
    fn grid(&self, columns: &[usize], first: bool) -> Markup {
        html! {
            table {
                thead {
                    @if columns.iter().any(|i| self.table.columns[*i].group.is_some()) { tr.groups { (self.groups(columns)) } }
                    tr { (self.headings(columns)) }
                }
                tbody { @for row in self.table.rows().iter().take(MOST_ROWS) { (self.row(row, columns, first)) } }
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
            match heads.last_mut().filter(|(head, _)| self.main(*place) == *head) {
                Some((_, attached)) => attached.push(*place),
                None => heads.push((*place, Vec::new())),
            }
        }
        html! {
            @for (place, attached) in heads {
                @let column = &self.table.columns[place];
                th scope="col" class=[class_of(column)] colspan=[(!attached.is_empty()).then_some(attached.len() + 1)] {
                    (broken(&self.heading(place, columns)))
                    @for place in attached { " " small { (broken(&self.table.columns[place].heading)) } }
                }
            }
        }
    }

    fn row(&self, row: &Row, columns: &[usize], first: bool) -> Markup {
        // Where all that is left is absent for one reason, the reason stands there once.
        let reason = |place: &usize| row.cells[*place].reason();
        let keys = columns.iter().filter(|i| self.table.columns[**i].priority == super::table::KEY).count();
        let last = columns.last().and_then(reason);
        let open = last.map_or(0, |last| columns.iter().rev().take_while(|place| reason(*place) == Some(last)).count());
        let open = if open > 1 { open.min(columns.len() - keys) } else { 0 };
        let run = row.cells.iter().find_map(|cell| if let Value::Run(run) = &cell.value { Some(&run.label) } else { None });
        html! {
            tr id=[first.then(|| Safe(&row_id(self.prefix, self.table.name, &row.key)).render().into_string()).map(PreEscaped)]
                class=(row.kind.class()) data-variant=[row.variant.as_deref().map(Safe)] data-run=[run.map(|run| Safe(run))]
                data-intervention=[row.intervention] {
                @for (i, place) in columns.iter().take(columns.len() - open).enumerate() {
                    (self.cell(row, *place, columns, i == 0))
                }
                @if let Some(reason) = last.filter(|_| open > 0) { td.text colspan=(open) { (Safe(reason)) } }
            }
        }
    }

    fn cell(&self, row: &Row, place: usize, columns: &[usize], header: bool) -> Markup {
        let (column, cell) = (&self.table.columns[place], &row.cells[place]);
        let content = self.content(row, column, cell);
        let note = cell.note.as_deref().or(cell.reason());
        let labelled = self.table.rows().len() <= MOST_LABELLED;
        let class = match (cell.reason().is_some(), class_of(column)) {
            (true, class) => Some(format!("{} absent", class.unwrap_or_default()).trim().to_string()),
            (false, class) => class.map(str::to_string),
        };
        html! {
            @if header { th scope="row" { (content) } }
            @else { td class=[class] data-l=[labelled.then(|| PreEscaped(escape(&self.heading(place, columns).as_text())))] title=[note.map(Safe)] { (content) } }
        }
    }

    fn content(&self, row: &Row, column: &Column, cell: &Cell) -> Markup {
        let text = column.form.write(&cell.value);
        let plain = match &cell.value {
            Value::Run(run) => html! {
                @if let Some(style) = &run.style { (PreEscaped(swatch(style))) }
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
