//! Part of a table: of the rows those of one example.
//!
//! A table of maps of ten thousand examples is larger than memory should hold when one
//! example is looked at; pages that hold none of its rows are not decoded.

use std::path::Path;

use arrow::array::{Array, BooleanArray, Int64Array};
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowPredicateFn, RowFilter};

use crate::contained::contained;
use crate::door::{self, Limit, share::Share, table::Opened, table::Use};
use crate::kept::Kept;
use crate::table::{Row, Table};
use crate::{Error, Result};

/// The column by which rows belong to an example.
const ROW: &str = "row";
const REMEDY: &str = "the file was written by another version or is damaged: run the stage that writes it again";

/// The rows of one example: those whose column `row` is `row`, in the order of the file; of the columns those that `R` names.
///
/// # Errors
/// As [`crate::table::read_rows`]; a table without that column is refused.
pub fn read_example<R: Row>(path: &Path, row: usize) -> Result<Kept<R>> {
    let (table, held) = contained(path, REMEDY, || read(path, R::empty(), row, size_of::<R>()))?;
    let rows = (0..table.len()).map(|i| R::get(&table, i).map_err(|cause| Error::content(path, cause, REMEDY)));
    Ok(Kept::new(rows.collect::<Result<_>>()?, held))
}

/// Fills `table`, whose columns say what is wanted, with the rows of an example, that take `width` bytes each.
fn read(path: &Path, mut table: Table, row: usize, width: usize) -> Result<(Table, Share)> {
    let bad = |cause: String| Error::content(path, cause, REMEDY);
    let wanted = |name: &str| table.column(name).is_some() || name == ROW;
    let Opened { builder, mut allowance, .. } = door::table::open(path, REMEDY, Use::Kept(Limit::Table), wanted)?;
    let place = builder.schema().fields().iter().position(|f| f.name() == ROW).ok_or_else(|| bad("lacks the column `row`".into()))?;
    let only = ProjectionMask::roots(builder.parquet_schema(), [place]);
    let keep = ArrowPredicateFn::new(only, move |batch| {
        let column = batch.column(0).as_any().downcast_ref::<Int64Array>();
        let column = column.ok_or_else(|| ArrowError::SchemaError("column `row` holds no whole numbers".into()))?;
        Ok(column.iter().map(|value| Some(value.is_some_and(|v| usize::try_from(v) == Ok(row)))).collect::<BooleanArray>())
    });
    let builder = builder.with_row_filter(RowFilter::new(vec![Box::new(keep)]));
    let mut rows = 0u64;
    for batch in builder.build().map_err(|e| bad(e.to_string()))? {
        let batch = batch.map_err(|e| bad(e.to_string()))?;
        rows += batch.num_rows() as u64;
        if rows > Limit::ExampleRows.value() {
            return Err(Limit::ExampleRows.exceeded(path));
        }
        allowance.take(&batch, width, path)?;
        door::table::check_cells(&batch, path)?;
        for (name, column) in &mut table.columns {
            let array = batch.column_by_name(name).ok_or_else(|| bad(format!("lacks the column `{name}`")))?;
            if !column.append(array) {
                return Err(bad(format!("column `{name}` is {}, which was not expected", array.data_type())));
            }
        }
    }
    Ok((table, allowance.into_held()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{read_rows, write_rows};
    use crate::table_row;

    table_row! {
        /// A row of an example.
        pub struct Whole {
            /// Row of the example.
            pub row: usize,
            /// Something long.
            pub text: String,
            /// A map.
            pub cells: Option<Vec<f64>>,
        }
    }

    table_row! {
        /// Part of it.
        pub struct Part {
            /// Row of the example.
            pub row: usize,
            /// A map.
            pub cells: Option<Vec<f64>>,
        }
    }

    #[test]
    fn the_rows_of_one_example_are_those_that_reading_all_finds() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.parquet");
        // Enough for several pages, with lists of several lengths and absent ones.
        let all: Vec<Whole> = (0..60_000)
            .map(|i| Whole {
                row: i / 6,
                text: format!("text {i}"),
                cells: (i % 5 != 0).then(|| (0..i % 4).map(|k| (i * k) as f64).collect()),
            })
            .collect();
        write_rows(&path, all.clone()).unwrap();
        assert_eq!(read_rows::<Whole>(&path).unwrap(), all);
        for row in [0, 4321, 9999, 10_000] {
            let expected: Vec<Whole> = all.iter().filter(|w| w.row == row).cloned().collect();
            assert_eq!(read_example::<Whole>(&path, row).unwrap()[..], expected);
        }
        let parts: Vec<Part> = read_rows(&path).unwrap();
        assert!(parts.iter().zip(&all).all(|(part, whole)| part.row == whole.row && part.cells == whole.cells));
        assert_eq!(parts.len(), all.len());
    }

    #[test]
    fn a_column_that_is_not_there_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.parquet");
        write_rows(&path, [Part { row: 1, cells: None }]).unwrap();
        assert!(read_example::<Whole>(&path, 1).unwrap_err().to_string().contains("`text`"));
        std::fs::write(&path, b"PAR1 nonsense").unwrap();
        assert!(read_example::<Whole>(&path, 1).unwrap_err().to_string().contains("t.parquet"));
    }
}
