//! Parquet: every column optional, Snappy, a row group at a time.

use std::io::Write;
use std::sync::Arc;

use ::parquet::basic::Compression;
use ::parquet::column::writer::ColumnWriter;
use ::parquet::data_type::ByteArray;
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::parser::parse_message_type;

use super::{Cell, Column, ColumnKind, ROWS_PER_GROUP, TableError};

pub(in crate::api) struct Writer<W: Write + Send> {
    file: SerializedFileWriter<W>,
    columns: usize,
    rows: Vec<Vec<Cell>>,
}

impl<W: Write + Send> Writer<W> {
    pub(super) fn begin(columns: &[Column], to: W) -> Result<Self, ParquetError> {
        let fields = columns.iter().map(|(name, kind)| match kind {
            ColumnKind::Text => format!("OPTIONAL BYTE_ARRAY {name} (STRING);"),
            ColumnKind::Time => format!("OPTIONAL INT64 {name} (TIMESTAMP(MILLIS,true));"),
            ColumnKind::Number => format!("OPTIONAL DOUBLE {name};"),
            ColumnKind::Count => format!("OPTIONAL INT64 {name};"),
            ColumnKind::Flag => format!("OPTIONAL BOOLEAN {name};"),
        });
        let message = format!("message wattfold {{ {} }}", fields.collect::<String>());
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY);
        let schema = Arc::new(parse_message_type(&message)?);
        Ok(Self {
            file: SerializedFileWriter::new(to, schema, Arc::new(properties.build()))?,
            columns: columns.len(),
            rows: Vec::new(),
        })
    }

    pub(super) fn write(&mut self, row: Vec<Cell>) -> Result<(), TableError> {
        debug_assert_eq!(row.len(), self.columns, "a cell for each column");
        self.rows.push(row);
        if ROWS_PER_GROUP <= self.rows.len() {
            self.write_group()?;
        }
        Ok(())
    }

    pub(super) fn end(mut self) -> Result<(), TableError> {
        if !self.rows.is_empty() {
            self.write_group()?;
        }
        self.file.finish()?;
        Ok(self.file.inner_mut().flush()?)
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        let rows = std::mem::take(&mut self.rows);
        let mut group = self.file.next_row_group()?;
        let mut index = 0;
        while let Some(mut column) = group.next_column()? {
            let cells = || rows.iter().filter_map(|row| row.get(index));
            let levels: Vec<i16> = cells()
                .map(|cell| i16::from(*cell != Cell::Nothing))
                .collect();
            write_column(column.untyped(), cells(), &levels)?;
            column.close()?;
            index += 1;
        }
        group.close()?;
        Ok(())
    }
}

/// `levels` has 1 where there is a value.
fn write_column<'a>(
    column: &mut ColumnWriter<'_>,
    cells: impl Iterator<Item = &'a Cell>,
    levels: &[i16],
) -> Result<usize, ParquetError> {
    match column {
        ColumnWriter::BoolColumnWriter(writer) => {
            let flag = |cell: &Cell| match cell {
                Cell::Flag(flag) => Some(*flag),
                _ => None,
            };
            let values: Vec<bool> = cells.filter_map(flag).collect();
            writer.write_batch(&values, Some(levels), None)
        }
        ColumnWriter::Int64ColumnWriter(writer) => {
            let whole = |cell: &Cell| match cell {
                Cell::Time(at) => Some(at.millis()),
                Cell::Count(count) => Some(*count),
                _ => None,
            };
            let values: Vec<i64> = cells.filter_map(whole).collect();
            writer.write_batch(&values, Some(levels), None)
        }
        ColumnWriter::DoubleColumnWriter(writer) => {
            let number = |cell: &Cell| match cell {
                Cell::Number(value) => Some(*value),
                _ => None,
            };
            let values: Vec<f64> = cells.filter_map(number).collect();
            writer.write_batch(&values, Some(levels), None)
        }
        ColumnWriter::ByteArrayColumnWriter(writer) => {
            let text = |cell: &Cell| match cell {
                Cell::Text(text) => Some(ByteArray::from(text.as_str())),
                _ => None,
            };
            let values: Vec<ByteArray> = cells.filter_map(text).collect();
            writer.write_batch(&values, Some(levels), None)
        }
        _ => Err(ParquetError::General(
            "no column is of this type".to_owned(),
        )),
    }
}
