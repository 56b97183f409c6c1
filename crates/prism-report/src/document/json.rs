//! A table as JSON, for programs and the explorer: every cell's value, its text, why it is absent, and the address of
//! the examples behind it.

use serde_json::{Map, Value as Json, json};

use super::behind::Links;
use super::form::Form;
use super::table::{Column, Row, Table};
use super::value::{Cell, Value};
use crate::html::plain;

/// The table.
pub fn json(table: &Table, links: &dyn Links) -> Json {
    json!({
        "table": table.name,
        "caption": plain(&table.caption.as_text()),
        "columns": table.columns.iter().map(column).collect::<Vec<_>>(),
        "rows": table.rows().iter().map(|of| row(table, of, links)).collect::<Vec<_>>(),
    })
}

fn column(column: &Column) -> Json {
    let digits = match column.form {
        Form::Number { digits, .. } | Form::Interval { digits, .. } => Some(digits),
        Form::Probability => Some(3),
        _ => None,
    };
    json!({
        "name": column.name, "heading": plain(&column.heading.as_text()), "group": column.group, "unit": column.form.unit().name(),
        "digits": digits, "priority": column.priority, "attached": column.attached,
    })
}

fn row(table: &Table, row: &Row, links: &dyn Links) -> Json {
    let cells: Map<String, Json> =
        table.columns.iter().zip(&row.cells).map(|(column, of)| (column.name.to_string(), cell(column, of, links))).collect();
    json!({ "key": row.key, "variant": row.variant.as_deref().map(plain), "intervention": row.intervention, "cells": cells })
}

fn cell(column: &Column, cell: &Cell, links: &dyn Links) -> Json {
    let numbers = column.form.numbers(&cell.value);
    let value = match &cell.value {
        Value::Absent(_) => Json::Null,
        Value::Count(count) => json!(count),
        Value::Number(_) => json!(numbers.first()),
        Value::Interval(..) => json!(numbers),
        other => json!(plain(&column.form.write(other))),
    };
    let mut out = json!({ "value": value, "text": plain(&column.form.write(&cell.value)) });
    if let Some(object) = out.as_object_mut() {
        if let Some(reason) = cell.reason() {
            object.insert("absent".into(), plain(reason).into());
        }
        if let Some(address) = cell.behind.as_ref().and_then(|behind| links.behind(behind)) {
            object.insert("examples".into(), address.into());
        }
    }
    out
}
