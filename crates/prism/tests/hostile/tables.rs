//! Tables as nobody honest writes them: many rows or long texts in a few bytes.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, DictionaryArray, Int32Array, Int64Array, StringArray, UInt32Array};
use arrow::compute::{concat_batches, take};
use arrow::datatypes::{Field, Int32Type, Schema};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::column::writer::ColumnCloseResult;
use parquet::file::metadata::ParquetMetaDataReader;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use parquet::file::writer::SerializedFileWriter;
use prism_run::table::{Column, Table};

/// The table at `path` becomes its first row `rows` times; `change` gives the columns that are other.
pub fn repeat(path: &Path, rows: usize, change: impl Fn(&str) -> Option<ArrayRef>) {
    let batch = read(path);
    let places = UInt32Array::from(vec![0; rows]);
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let text = column.as_any().downcast_ref::<StringArray>().filter(|texts| texts.is_valid(0));
        let array = change(field.name()).or_else(|| Some(same(text?.value(0), rows)));
        let array = array.unwrap_or_else(|| take(column.as_ref(), &places, None).unwrap());
        fields.push(Field::new(field.name(), array.data_type().clone(), true));
        columns.push(array);
    }
    write(path, fields, columns, packed().set_dictionary_page_size_limit(64 << 20).build());
}

/// The table at `path` becomes its first row `rows` times, with these columns in the place of its own or beside them, each in
/// one page without a dictionary.
pub fn rewrite(path: &Path, rows: usize, put: &[(String, ArrayRef)]) {
    let batch = read(path);
    let places = UInt32Array::from(vec![0; rows]);
    let own = batch.schema().fields().iter().map(|field| field.name().clone()).zip(batch.columns().to_vec()).collect::<Vec<_>>();
    let own = own.into_iter().filter(|(name, _)| put.iter().all(|(other, _)| other != name));
    let own = own.map(|(name, column)| (name, take(column.as_ref(), &places, None).unwrap()));
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (name, array) in own.chain(put.iter().cloned()) {
        fields.push(Field::new(name, array.data_type().clone(), true));
        columns.push(array);
    }
    let page = packed().set_dictionary_enabled(false).set_data_page_size_limit(22 << 20).build();
    write(path, fields, columns, page);
}

fn packed() -> WriterPropertiesBuilder {
    WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::try_new(3).unwrap()))
}

fn write(path: &Path, fields: Vec<Field>, columns: Vec<ArrayRef>, properties: WriterProperties) {
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    // Without Arrow's own schema a dictionary is a column of texts like any other.
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(File::create(path).unwrap(), batch.schema(), options).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn read(path: &Path) -> RecordBatch {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let schema = Arc::clone(builder.schema());
    let batches: Vec<RecordBatch> = builder.build().unwrap().map(Result::unwrap).collect();
    concat_batches(&schema, &batches).unwrap()
}

/// The table at `path` holds all its rows `times` over.
pub fn multiply(path: &Path, times: usize) {
    let one = path.with_extension("one");
    fs::rename(path, &one).unwrap();
    let file = File::open(&one).unwrap();
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&file).unwrap();
    let schema = metadata.file_metadata().schema_descr().root_schema_ptr();
    let mut writer = SerializedFileWriter::new(File::create(path).unwrap(), schema, Arc::new(WriterProperties::builder().build())).unwrap();
    for group in std::iter::repeat_n(metadata.row_groups(), times).flatten() {
        let mut out = writer.next_row_group().unwrap();
        for column in group.columns() {
            let close = ColumnCloseResult {
                bytes_written: u64::try_from(column.compressed_size()).unwrap(),
                rows_written: u64::try_from(group.num_rows()).unwrap(),
                metadata: column.clone(),
                bloom_filter: None,
                column_index: None,
                offset_index: None,
            };
            out.append_column(&file, close).unwrap();
        }
        out.close().unwrap();
    }
    writer.close().unwrap();
    fs::remove_file(one).unwrap();
}

/// One text in every one of `rows` rows, stored once.
pub fn same(text: &str, rows: usize) -> ArrayRef {
    let keys = Int32Array::from(vec![0; rows]);
    Arc::new(DictionaryArray::<Int32Type>::new(keys, Arc::new(StringArray::from(vec![text]))))
}

/// The numbers from 0.
pub fn counted(rows: usize) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(0..i64::try_from(rows).unwrap()))
}

/// A text of its own for every row.
pub fn named(rows: usize) -> ArrayRef {
    texts_of((0..rows).map(|i| format!("e{i}")))
}

/// Puts `text` into every row of the text column `name`.
pub fn put(path: &Path, name: &str, text: &str) {
    let mut table = Table::read(path).unwrap();
    for (_, column) in table.columns.iter_mut().filter(|(column, _)| column == name) {
        match column {
            Column::Text(texts) => texts.iter_mut().for_each(|cell| *cell = Some(text.to_string())),
            Column::Texts(lists) => lists.iter_mut().for_each(|cell| *cell = Some(vec![text.to_string()])),
            other => panic!("`{name}` holds no text: {other:?}"),
        }
    }
    table.write(path).unwrap();
}

/// Names of the columns of texts.
pub fn texts(path: &Path) -> Vec<String> {
    let columns = Table::read(path).unwrap().columns.into_iter();
    columns.filter(|(_, column)| matches!(column, Column::Text(_) | Column::Texts(_))).map(|(name, _)| name).collect()
}

/// A column of these texts.
pub fn texts_of(texts: impl Iterator<Item = String>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(texts))
}
