//! Long tables that pandas opens in one line: named, typed columns to and from parquet.
//!
//! [`table_row!`](crate::table_row) declares a row type once; the columns, their
//! types and both directions follow from it. Written without time stamps, so the
//! same rows give the same bytes.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array, ListArray, StringArray};
use arrow::array::{Float64Builder, Int64Builder, ListBuilder, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};

use crate::contained::contained;
use crate::door::{self, Limit, table::Opened, table::Use};
use crate::kept::{keep_findings, keep_rows};
use crate::{Error, Result, folder};

/// One column; an absent value is `None`, never 0 or NaN.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// Whole numbers.
    Int(Vec<Option<i64>>),
    /// Real numbers.
    Real(Vec<Option<f64>>),
    /// Text.
    Text(Vec<Option<String>>),
    /// Truth values.
    Bool(Vec<Option<bool>>),
    /// Lists of whole numbers (token ids).
    Ints(Vec<Option<Vec<i64>>>),
    /// Lists of real numbers.
    Reals(Vec<Option<Vec<f64>>>),
    /// Lists of texts.
    Texts(Vec<Option<Vec<String>>>),
}

/// Named columns of equal length.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// Name and values, in order.
    pub columns: Vec<(String, Column)>,
}

/// A row type that knows its columns; made by [`table_row!`](crate::table_row).
pub trait Row: Sized {
    /// An empty table with this row's columns.
    fn empty() -> Table;
    /// Appends this row.
    fn push(self, table: &mut Table);
    /// Reads row `i`; the error names the column.
    fn get(table: &Table, i: usize) -> std::result::Result<Self, String>;
}

/// A type that fits in a cell.
pub trait Cell: Sized {
    /// An empty column for it.
    fn column() -> Column;
    /// Appends itself.
    fn push(self, column: &mut Column);
    /// Reads row `i`; `None` if the column has another type, lacks the value, or holds a word
    /// that is not known.
    fn get(column: &Column, i: usize) -> Option<Self>;
    /// What stands for a column that the table does not have: nothing, unless the value may be
    /// absent. So tables of before a column was added can still be read.
    fn missing() -> Option<Self> {
        None
    }
}

macro_rules! cell {
    ($type:ty, $arm:ident, $value:ident => $into:expr, $stored:ident => $from:expr) => {
        impl Cell for $type {
            fn column() -> Column {
                Column::$arm(Vec::new())
            }
            fn push(self, column: &mut Column) {
                if let Column::$arm(v) = column {
                    let $value = self;
                    v.push(Some($into));
                }
            }
            fn get(column: &Column, i: usize) -> Option<Self> {
                let Column::$arm(v) = column else { return None };
                let $stored = v.get(i)?.as_ref()?;
                $from
            }
        }
        impl Cell for Option<$type> {
            fn column() -> Column {
                Column::$arm(Vec::new())
            }
            fn push(self, column: &mut Column) {
                if let Column::$arm(v) = column {
                    v.push(self.map(|$value| $into));
                }
            }
            fn get(column: &Column, i: usize) -> Option<Self> {
                let Column::$arm(v) = column else { return None };
                match v.get(i)? {
                    None => Some(None),
                    Some($stored) => $from.map(Some),
                }
            }
            fn missing() -> Option<Self> {
                Some(None)
            }
        }
    };
}

cell!(i64, Int, v => v, s => Some(*s));
cell!(usize, Int, v => v as i64, s => usize::try_from(*s).ok());
cell!(f64, Real, v => v, s => Some(*s));
cell!(bool, Bool, v => v, s => Some(*s));
cell!(String, Text, v => v, s => Some(s.clone()));
cell!(Vec<i64>, Ints, v => v, s => Some(s.clone()));
cell!(Vec<f64>, Reals, v => v, s => Some(s.clone()));

/// Cells of a type that is text at the edge of a file: `Display` writes it, `FromStr` reads it.
/// A list of them is a list of texts.
#[macro_export]
macro_rules! text_cells {
    ($type:ty) => {
        impl $crate::table::Cell for $type {
            fn column() -> $crate::table::Column {
                $crate::table::Column::Text(Vec::new())
            }
            fn push(self, column: &mut $crate::table::Column) {
                <String as $crate::table::Cell>::push(self.to_string(), column);
            }
            fn get(column: &$crate::table::Column, i: usize) -> Option<Self> {
                <String as $crate::table::Cell>::get(column, i)?.parse().ok()
            }
        }
        impl $crate::table::Cell for Option<$type> {
            fn column() -> $crate::table::Column {
                $crate::table::Column::Text(Vec::new())
            }
            fn push(self, column: &mut $crate::table::Column) {
                <Option<String> as $crate::table::Cell>::push(self.map(|value| value.to_string()), column);
            }
            fn get(column: &$crate::table::Column, i: usize) -> Option<Self> {
                let text = <Option<String> as $crate::table::Cell>::get(column, i)?;
                text.map_or(Some(None), |text| text.parse().ok().map(Some))
            }
            fn missing() -> Option<Self> {
                Some(None)
            }
        }
        impl $crate::table::Cell for Vec<$type> {
            fn column() -> $crate::table::Column {
                $crate::table::Column::Texts(Vec::new())
            }
            fn push(self, column: &mut $crate::table::Column) {
                let texts: Vec<String> = self.iter().map(|value| value.to_string()).collect();
                <Vec<String> as $crate::table::Cell>::push(texts, column);
            }
            fn get(column: &$crate::table::Column, i: usize) -> Option<Self> {
                let texts = <Vec<String> as $crate::table::Cell>::get(column, i)?;
                texts.iter().map(|text| text.parse().ok()).collect()
            }
        }
    };
}

impl Cell for Vec<String> {
    fn column() -> Column {
        Column::Texts(Vec::new())
    }
    fn push(self, column: &mut Column) {
        if let Column::Texts(v) = column {
            v.push(Some(self));
        }
    }
    fn get(column: &Column, i: usize) -> Option<Self> {
        match column {
            Column::Texts(v) => v.get(i)?.clone(),
            // Records of before lists were lists joined them by line feeds.
            Column::Text(v) => Some(v.get(i)?.as_ref()?.split('\n').filter(|part| !part.is_empty()).map(str::to_string).collect()),
            _ => None,
        }
    }
}

/// Declares a struct whose fields are the columns of a table.
#[macro_export]
macro_rules! table_row {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$doc:meta])* pub $field:ident : $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        pub struct $name { $($(#[$doc])* pub $field: $type,)* }

        impl $crate::table::Row for $name {
            fn empty() -> $crate::table::Table {
                $crate::table::Table { columns: vec![$((stringify!($field).to_string(), <$type as $crate::table::Cell>::column())),*] }
            }
            fn push(self, table: &mut $crate::table::Table) {
                let mut columns = table.columns.iter_mut();
                $(if let Some((_, column)) = columns.next() { <$type as $crate::table::Cell>::push(self.$field, column); })*
            }
            fn get(table: &$crate::table::Table, i: usize) -> std::result::Result<Self, String> {
                Ok(Self { $($field: {
                    match table.column(stringify!($field)) {
                        Some(column) => <$type as $crate::table::Cell>::get(column, i)
                            .ok_or_else(|| format!("column `{}`, row {i}: {}", stringify!($field), column.unfit(i)))?,
                        None => <$type as $crate::table::Cell>::missing()
                            .ok_or_else(|| format!("lacks the column `{}`", stringify!($field)))?,
                    }
                },)* })
            }
        }
    };
}

impl Column {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Column::Int(v) => v.len(),
            Column::Real(v) => v.len(),
            Column::Text(v) => v.len(),
            Column::Bool(v) => v.len(),
            Column::Ints(v) => v.len(),
            Column::Reals(v) => v.len(),
            Column::Texts(v) => v.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of row `i` that do not lie in the row itself.
    fn beside(&self, i: usize) -> usize {
        /// What an allocation takes beyond what was asked for, about.
        const EACH: usize = 16;
        let text = |text: &String| EACH + text.len();
        match self {
            Column::Int(_) | Column::Real(_) | Column::Bool(_) => 0,
            Column::Text(v) => v.get(i).and_then(Option::as_ref).map_or(0, text),
            Column::Ints(v) => v.get(i).and_then(Option::as_ref).map_or(0, |list| EACH + 8 * list.len()),
            Column::Reals(v) => v.get(i).and_then(Option::as_ref).map_or(0, |list| EACH + 8 * list.len()),
            Column::Texts(v) => {
                let each = |t: &String| size_of::<String>() + text(t);
                v.get(i).and_then(Option::as_ref).map_or(0, |texts| EACH + texts.iter().map(each).sum::<usize>())
            }
        }
    }

    fn clear(&mut self) {
        match self {
            Column::Int(v) => v.clear(),
            Column::Real(v) => v.clear(),
            Column::Text(v) => v.clear(),
            Column::Bool(v) => v.clear(),
            Column::Ints(v) => v.clear(),
            Column::Reals(v) => v.clear(),
            Column::Texts(v) => v.clear(),
        }
    }

    /// Why row `i` cannot be what its table's type wants.
    #[doc(hidden)]
    pub fn unfit(&self, i: usize) -> String {
        match self {
            Column::Text(v) => match v.get(i) {
                Some(Some(text)) => format!("`{}` is not known to this version", text.chars().take(80).collect::<String>()),
                _ => "absent".into(),
            },
            Column::Texts(v) => match v.get(i) {
                Some(Some(texts)) => format!("one of {texts:?} is not known to this version").chars().take(200).collect(),
                _ => "absent".into(),
            },
            _ => "absent or of another type".into(),
        }
    }

    fn data_type(&self) -> DataType {
        match self {
            Column::Int(_) => DataType::Int64,
            Column::Real(_) => DataType::Float64,
            Column::Text(_) => DataType::Utf8,
            Column::Bool(_) => DataType::Boolean,
            Column::Ints(_) => DataType::List(Arc::new(Field::new("item", DataType::Int64, true))),
            Column::Reals(_) => DataType::List(Arc::new(Field::new("item", DataType::Float64, true))),
            Column::Texts(_) => DataType::List(Arc::new(Field::new("item", DataType::Utf8, true))),
        }
    }

    fn to_array(&self) -> ArrayRef {
        match self {
            Column::Int(v) => Arc::new(Int64Array::from(v.clone())),
            Column::Real(v) => Arc::new(Float64Array::from(v.clone())),
            Column::Text(v) => Arc::new(StringArray::from(v.clone())),
            Column::Bool(v) => Arc::new(BooleanArray::from(v.clone())),
            Column::Ints(v) => {
                let mut builder = ListBuilder::new(Int64Builder::new());
                for list in v {
                    match list {
                        Some(items) => builder.append_value(items.iter().map(|&i| Some(i))),
                        None => builder.append_null(),
                    }
                }
                Arc::new(builder.finish())
            }
            Column::Reals(v) => {
                let mut builder = ListBuilder::new(Float64Builder::new());
                for list in v {
                    match list {
                        Some(items) => builder.append_value(items.iter().map(|&i| Some(i))),
                        None => builder.append_null(),
                    }
                }
                Arc::new(builder.finish())
            }
            Column::Texts(v) => {
                let mut builder = ListBuilder::new(StringBuilder::new());
                for list in v {
                    match list {
                        Some(items) => builder.append_value(items.iter().map(Some)),
                        None => builder.append_null(),
                    }
                }
                Arc::new(builder.finish())
            }
        }
    }

    /// Appends an array of its own type; `false` if it is of another.
    pub(crate) fn append(&mut self, array: &dyn Array) -> bool {
        macro_rules! extend {
            ($v:ident, $kind:ty, $map:expr) => {
                match array.as_any().downcast_ref::<$kind>() {
                    Some(a) => {
                        $v.extend(a.iter().map($map));
                        true
                    }
                    None => false,
                }
            };
        }
        match self {
            Column::Int(v) => extend!(v, Int64Array, |x| x),
            Column::Real(v) => extend!(v, Float64Array, |x| x),
            Column::Text(v) => extend!(v, StringArray, |x| x.map(str::to_string)),
            Column::Bool(v) => extend!(v, BooleanArray, |x| x),
            Column::Ints(v) => extend!(v, ListArray, |x| x
                .map(|list| { list.as_any().downcast_ref::<Int64Array>().map(|a| a.values().to_vec()).unwrap_or_default() })),
            Column::Reals(v) => extend!(v, ListArray, |x| x
                .map(|list| { list.as_any().downcast_ref::<Float64Array>().map(|a| a.values().to_vec()).unwrap_or_default() })),
            Column::Texts(v) => extend!(v, ListArray, |x| x.map(|list| {
                let texts = list.as_any().downcast_ref::<StringArray>();
                texts.map(|a| a.iter().map(|text| text.unwrap_or_default().to_string()).collect()).unwrap_or_default()
            })),
        }
    }
}

impl Table {
    /// A table of these rows.
    pub fn from_rows<R: Row>(rows: impl IntoIterator<Item = R>) -> Self {
        let mut table = R::empty();
        for row in rows {
            row.push(&mut table);
        }
        table
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.columns.first().map_or(0, |(_, c)| c.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that row `i` takes as an `R`, about.
    pub(crate) fn weight_of<R>(&self, i: usize) -> usize {
        size_of::<R>() + self.columns.iter().map(|(_, column)| column.beside(i)).sum::<usize>()
    }

    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|(n, _)| n == name).map(|(_, c)| c)
    }

    /// Names and types of the columns.
    pub(crate) fn schema(&self) -> Arc<Schema> {
        let fields: Vec<Field> = self.columns.iter().map(|(n, c)| Field::new(n, c.data_type(), true)).collect();
        Arc::new(Schema::new(fields))
    }

    /// Its rows, as `path` is to hold them.
    pub(crate) fn batch(&self, path: &Path) -> Result<RecordBatch> {
        let arrays = self.columns.iter().map(|(_, c)| c.to_array()).collect();
        RecordBatch::try_new(self.schema(), arrays).map_err(|e| Error::content(path, e.to_string(), BUG))
    }

    /// An empty table of a file's columns.
    pub(crate) fn of_schema(schema: &Schema, path: &Path) -> Result<Self> {
        let mut table = Table::default();
        for field in schema.fields() {
            let column = match field.data_type() {
                DataType::Int64 => Column::Int(Vec::new()),
                DataType::Float64 => Column::Real(Vec::new()),
                DataType::Utf8 => Column::Text(Vec::new()),
                DataType::Boolean => Column::Bool(Vec::new()),
                DataType::List(item) if *item.data_type() == DataType::Float64 => Column::Reals(Vec::new()),
                DataType::List(item) if *item.data_type() == DataType::Utf8 => Column::Texts(Vec::new()),
                DataType::List(_) => Column::Ints(Vec::new()),
                other => return Err(Error::content(path, format!("column `{}` is {other}", field.name()), DAMAGED)),
            };
            table.columns.push((field.name().clone(), column));
        }
        Ok(table)
    }

    /// Appends a file's rows.
    pub(crate) fn append(&mut self, batch: &RecordBatch, path: &Path) -> Result<()> {
        door::table::check_cells(batch, path)?;
        for ((name, column), array) in self.columns.iter_mut().zip(batch.columns()) {
            if !column.append(array) {
                return Err(Error::content(path, format!("column `{name}` changed its type"), DAMAGED));
            }
        }
        Ok(())
    }

    /// Forgets its rows.
    pub(crate) fn clear(&mut self) {
        self.columns.iter_mut().for_each(|(_, column)| column.clear());
    }

    /// Writes the table, atomically.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Content`] when the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let bug = |cause: String| Error::content(path, cause, BUG);
        let mut bytes = Vec::new();
        let properties = properties(path)?.build();
        let mut writer = ArrowWriter::try_new(&mut bytes, self.schema(), Some(properties)).map_err(|e| bug(e.to_string()))?;
        writer.write(&self.batch(path)?).map_err(|e| bug(e.to_string()))?;
        writer.close().map_err(|e| bug(e.to_string()))?;
        folder::write_atomic(path, &bytes)
    }

    /// Reads every column whose type this crate knows.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Content`] when the file is absent or not parquet.
    pub fn read(path: &Path) -> Result<Self> {
        contained(path, DAMAGED, || Self::read_columns(path))
    }

    fn read_columns(path: &Path) -> Result<Self> {
        let bad = |e: String| Error::content(path, e, DAMAGED);
        let Opened { builder, mut allowance, .. } = door::table::open(path, DAMAGED, Use::Kept(Limit::Table), |_| true)?;
        let mut table = Self::of_schema(builder.schema(), path)?;
        for batch in builder.build().map_err(|e| bad(e.to_string()))? {
            let batch = batch.map_err(|e| bad(e.to_string()))?;
            allowance.take(&batch, 0, path)?;
            table.append(&batch, path)?;
        }
        Ok(table)
    }
}

const BUG: &str = "report this as a bug";
const DAMAGED: &str = "the file is damaged: delete it and run the stage that writes it again";

/// How every table is written: compressed, without a time stamp.
pub(crate) fn properties(path: &Path) -> Result<WriterPropertiesBuilder> {
    let level = ZstdLevel::try_new(3).map_err(|e| Error::content(path, e.to_string(), BUG))?;
    Ok(WriterProperties::builder().set_compression(Compression::ZSTD(level)).set_created_by("prism".into()))
}

/// Writes rows as a table, atomically.
///
/// # Errors
/// As [`Table::write`].
pub fn write_rows<R: Row>(path: &Path, rows: impl IntoIterator<Item = R>) -> Result<()> {
    Table::from_rows(rows).write(path)
}

/// Reads a table back into rows. Where several tables are held at once, [`keep_rows`] counts them together.
///
/// # Errors
/// As [`Table::read`], and [`Error::Content`] naming the column that is absent or wrong.
pub fn read_rows<R: Row>(path: &Path) -> Result<Vec<R>> {
    Ok(keep_rows(path)?.apart().0)
}

/// Reads a table of findings back into rows: few, and small.
///
/// # Errors
/// As [`read_rows`], and [`Error::Content`] when it has more rows than findings have.
pub fn read_findings<R: Row>(path: &Path) -> Result<Vec<R>> {
    Ok(keep_findings(path)?.apart().0)
}

#[cfg(test)]
mod tests {
    use super::*;

    table_row! {
        /// A row of every kind.
        pub struct Sample {
            /// a
            pub name: String,
            /// b
            pub count: usize,
            /// c
            pub share: Option<f64>,
            /// d
            pub right: Option<bool>,
            /// e
            pub ids: Vec<i64>,
            /// f
            pub shares: Option<Vec<f64>>,
            /// g
            pub texts: Vec<String>,
        }
    }

    #[test]
    fn rows_survive_parquet_and_bytes_repeat() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.parquet");
        let rows = vec![
            Sample {
                name: "a".into(),
                count: 1,
                share: None,
                right: Some(true),
                ids: vec![1, 2],
                shares: None,
                texts: vec!["a\nb".into(), String::new()],
            },
            Sample {
                name: "ä\n".into(),
                count: 2,
                share: Some(0.5),
                right: None,
                ids: vec![],
                shares: Some(vec![0.25, -1.0]),
                texts: vec![],
            },
        ];
        write_rows(&path, rows.clone()).unwrap();
        let first = std::fs::read(&path).unwrap();
        assert_eq!(read_rows::<Sample>(&path).unwrap(), rows);
        write_rows(&path, rows).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), first);
    }

    #[test]
    fn a_damaged_file_is_told_not_panicked_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.parquet");
        std::fs::write(&path, b"PAR1 nonsense").unwrap();
        assert!(Table::read(&path).unwrap_err().to_string().contains("t.parquet"));
    }
}
