//! A table of the document in which some cells have markup of the explorer's own: a box to tick, a mark, a link to an
//! example. Numbers are written by their columns, as everywhere.

use maud::{Markup, html};

use prism_report::document::html::Safe;
use prism_report::document::table::FILES;
use prism_report::document::{Cell, Column, Form, Row, Table};

/// The markup of a cell, where it has one of its own.
pub type Own<'a> = &'a dyn Fn(&Row, &Column, &Cell) -> Option<Markup>;

/// The table. `class` is its class besides; cells for which `own` gives nothing are written by their columns.
pub fn grid(table: &Table, class: &str, own: Own<'_>) -> Markup {
    let columns: Vec<(usize, &Column)> = table.columns.iter().enumerate().filter(|(_, column)| column.priority < FILES).collect();
    html! {
        div.typed {
            table class=(class) data-table=(table.name) {
                thead { tr { @for (_, column) in &columns { th scope="col" class=[class_of(column)] { (heading(column)) } } } }
                tbody {
                    @for row in table.rows() {
                        tr data-row=(Safe(&row.key)) {
                            @for (place, column) in &columns { (cell(row, column, &row.cells[*place], *place == 0, own)) }
                        }
                    }
                }
            }
        }
    }
}

fn cell(row: &Row, column: &Column, cell: &Cell, first: bool, own: Own<'_>) -> Markup {
    let content = own(row, column, cell).unwrap_or_else(|| html! { (Safe(&column.form.write(&cell.value))) });
    let absent = cell.reason().is_some().then_some("absent");
    let class = [class_of(column), absent].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let class = Some(class).filter(|class| !class.is_empty());
    html! {
        @if first { th scope="row" { (content) } }
        @else {
            td class=[class] data-l=(Safe(&column.heading.as_text())) title=[cell.note.as_deref().or(cell.reason()).map(Safe)] { (content) }
        }
    }
}

fn class_of(column: &Column) -> Option<&'static str> {
    match column.form {
        Form::Text => Some("prose"),
        form if form.is_words() => Some("text"),
        _ if column.attached => Some("with"),
        _ => None,
    }
}

/// A heading, which may be broken after its punctuation.
fn heading(column: &Column) -> Markup {
    let text = column.heading.as_text();
    html! {
        @for piece in text.split_inclusive([':', '@', '/']) { (Safe(piece)) @if piece.ends_with([':', '@', '/']) { wbr; } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_of_its_own_stands_where_the_others_are_written_by_their_columns() {
        let columns = vec![Column::text("name", "<name>"), Column::percent("share", "share, %"), Column::count("n", "n")];
        let mut table = Table::new("made", columns);
        table.push(Row::new("<a>").because(Some("not \"run\"")).cells([Cell::text("<b>"), Cell::number(0.125), Cell::absent("")]));
        let own = |_: &Row, column: &Column, _: &Cell| (column.name == "n").then(|| html! { i { "own" } });
        let shown = grid(&table, "rows", &own).into_string();
        assert!(
            shown.contains("<th scope=\"row\">&lt;b&gt;</th>") && shown.contains(">12.5</td>") && shown.contains("<i>own</i>"),
            "{shown}"
        );
        assert!(!shown.contains("<b>") && !shown.contains("<a>") && shown.contains("title=\"not &quot;run&quot;\""), "{shown}");
    }
}
