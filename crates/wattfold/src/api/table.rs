//! Tables as files, CSV or Parquet, sent while they are made.
//!
//! Rows are made on a thread of their own, which waits for the client: no more than a few chunks,
//! and for Parquet the rows of one group, are held at a time. A table that can't be ended breaks
//! its connection off, so that half of it is not taken for all.

mod parquet;

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use ::parquet::errors::ParquetError;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::{HeaderMap, header};
use serde::{Deserialize, Serialize};
use store::telemetry::TelemetryError;
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{StreamExt as _, once};
use units::Timestamp;
use utoipa::ToSchema;

use crate::api::Api;
use crate::api::problem::{Kind, Problem};
use crate::api::value::Time;

/// Tables sent at one time; further ones are refused.
pub const MAX_TABLES: usize = 4;
/// Longest time a client may take for a chunk.
pub const MAX_STALL: Duration = Duration::from_secs(30);
/// Rows of one row group of Parquet.
pub const ROWS_PER_GROUP: usize = 50_000;
/// Bytes of a chunk, from which on it is sent.
const CHUNK_BYTES: usize = 64 * 1024;
/// Chunks that may wait.
const MAX_WAITING_CHUNKS: usize = 4;

/// What is sent after the last chunk; no other is empty.
const END: Bytes = Bytes::new();

const CSV: &str = "text/csv";
const PARQUET: &str = "application/vnd.apache.parquet";

/// In which form an answer is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TableFormat {
    /// An object, a page at a time.
    Json,
    /// Comma-separated values with a header, as a whole.
    Csv,
    /// Apache Parquet, as a whole.
    Parquet,
}

impl TableFormat {
    /// What is asked for, or the first form that `Accept` names; JSON without either.
    pub(super) fn wanted(asked: Option<Self>, headers: &HeaderMap) -> Self {
        let accept = headers.get_all(header::ACCEPT).into_iter();
        let types = accept.filter_map(|value| value.to_str().ok());
        let mut types = types.flat_map(|value| value.split(',')).map(|range| {
            let media = range.split(';').next().unwrap_or_default();
            media.trim().to_ascii_lowercase()
        });
        let accepted = types.find_map(|media| match media.as_str() {
            "application/json" => Some(Self::Json),
            CSV => Some(Self::Csv),
            PARQUET => Some(Self::Parquet),
            _ => None,
        });
        asked.or(accepted).unwrap_or(Self::Json)
    }
}

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ColumnKind {
    Text,
    Time,
    Number,
    Count,
    Flag,
}

/// Name and kind of a column.
pub(super) type Column = (&'static str, ColumnKind);

/// A value in its column.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Cell {
    Text(String),
    Time(Timestamp),
    Number(f64),
    Count(i64),
    Flag(bool),
    Nothing,
}

impl Cell {
    /// As the word that the API has for it.
    pub(super) fn word(value: impl Serialize) -> Self {
        match serde_json::to_value(value) {
            Ok(serde_json::Value::String(word)) => Self::Text(word),
            _ => Self::Nothing,
        }
    }

    pub(super) fn number(value: Option<f64>) -> Self {
        value.map_or(Self::Nothing, Self::Number)
    }

    /// Text that a spreadsheet would take for a formula has an apostrophe in front.
    fn to_csv(&self) -> String {
        match self {
            Self::Text(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => {
                format!("'{text}")
            }
            Self::Text(text) => text.clone(),
            Self::Time(at) => Time(*at).to_text(),
            Self::Number(value) => value.to_string(),
            Self::Count(count) => count.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::Nothing => String::new(),
        }
    }
}

/// Why a table ends before its end.
#[derive(Debug, Error)]
pub(super) enum TableError {
    #[error("the table can't be sent")]
    Sent(#[from] io::Error),
    #[error("no CSV can be made")]
    Csv(#[from] csv::Error),
    #[error("no Parquet can be made")]
    Parquet(#[from] ParquetError),
    #[error("its rows can't be read")]
    Rows(#[from] TelemetryError),
    #[error("what it is about is gone")]
    Gone,
}

/// Where rows go.
pub(super) enum TableWriter<W: Write + Send> {
    Csv(csv::Writer<W>),
    Parquet(parquet::Writer<W>),
}

impl<W: Write + Send> TableWriter<W> {
    fn begin(format: TableFormat, columns: &'static [Column], to: W) -> Result<Self, TableError> {
        match format {
            TableFormat::Parquet => Ok(Self::Parquet(parquet::Writer::begin(columns, to)?)),
            TableFormat::Csv | TableFormat::Json => {
                let mut writer = csv::Writer::from_writer(to);
                writer.write_record(columns.iter().map(|(name, _)| name))?;
                Ok(Self::Csv(writer))
            }
        }
    }

    /// Adds a row, with as many cells as there are columns.
    pub(super) fn write(&mut self, row: Vec<Cell>) -> Result<(), TableError> {
        match self {
            Self::Csv(writer) => Ok(writer.write_record(row.iter().map(Cell::to_csv))?),
            Self::Parquet(writer) => writer.write(row),
        }
    }

    fn end(self) -> Result<(), TableError> {
        match self {
            Self::Csv(mut writer) => Ok(writer.flush()?),
            Self::Parquet(writer) => writer.end(),
        }
    }
}

/// Sends a table with the rows that `make` writes.
pub(super) fn send(
    api: &Api,
    (format, columns): (TableFormat, &'static [Column]),
    make: impl FnOnce(&Api, &mut TableWriter<Pipe>) -> Result<(), TableError> + Send + 'static,
) -> Result<Response, Problem> {
    let busy = |_| Problem::new(Kind::Overloaded, "as many tables as may be are being sent");
    let place = Arc::clone(&api.tables).try_acquire_owned();
    let place = place.map_err(busy)?;
    let (chunks, body) = mpsc::channel(MAX_WAITING_CHUNKS);
    let (api, runtime) = (Api::clone(api), Handle::current());
    let work = move || {
        let _place = place;
        let end = Pipe::new(chunks.clone(), runtime.clone());
        let pipe = Pipe::new(chunks, runtime);
        let made = TableWriter::begin(format, columns, pipe).and_then(|mut table| {
            make(&api, &mut table)?;
            table.end()?;
            Ok(end.send(END)?)
        });
        if let Err(error) = made {
            tracing::warn!(error = &error as &dyn std::error::Error, "table cut off");
        }
    };
    drop(tokio::task::spawn_blocking(work));
    let media = match format {
        TableFormat::Parquet => PARQUET,
        TableFormat::Csv | TableFormat::Json => "text/csv; charset=utf-8",
    };
    let cut_off = || io::Error::other("the table can't be ended");
    let chunks = ReceiverStream::new(body).map(Some).chain(once(None));
    let chunks = chunks.take_while(|chunk| chunk.as_ref() != Some(&END));
    let body = Body::from_stream(chunks.map(move |chunk| chunk.ok_or_else(cut_off)));
    Ok(([(header::CONTENT_TYPE, media)], body).into_response())
}

/// Chunks on their way to a client.
pub(super) struct Pipe {
    chunks: mpsc::Sender<Bytes>,
    runtime: Handle,
    chunk: Vec<u8>,
}

impl Pipe {
    const fn new(chunks: mpsc::Sender<Bytes>, runtime: Handle) -> Self {
        let chunk = Vec::new();
        Self {
            chunks,
            runtime,
            chunk,
        }
    }

    fn send(&self, chunk: Bytes) -> io::Result<()> {
        let sent = async { tokio::time::timeout(MAX_STALL, self.chunks.send(chunk)).await };
        match self.runtime.block_on(sent) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.chunk.extend_from_slice(bytes);
        if CHUNK_BYTES <= self.chunk.len() {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::take(&mut self.chunk);
        self.send(chunk.into())
    }
}

#[cfg(test)]
mod tests;
