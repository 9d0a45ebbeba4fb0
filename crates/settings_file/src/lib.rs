//! The common file format for DER settings (EPRI 3002020201): reading and writing.
//!
//! A file is CSV with the header `PARAMETER,VALUE`. A setting's name ends in the kind of file it stands
//! in, such as `ES_DELAY-AS` in one of applied settings. Voltages are per unit of the nominal one,
//! active power of the rating, reactive power of the apparent power rating and injection positive;
//! times are seconds.
//!
//! What describes a device (`NP_…`) or the file itself (`MT_…`) is no setting, and may name an owner
//! and an address: it is set aside, except for the performance categories and the comment.

use std::collections::BTreeMap;
use std::io;

use csv::{ByteRecord, ReaderBuilder, Terminator, WriterBuilder};
use fleet::Note;
use fleet::settings_profile::{
    Abnormal, Category, Decimal, Excitation, Kind, Normal, Parameter, Value, Values,
};
use thiserror::Error;

/// Most bytes of a file.
pub const MAX_FILE_BYTES: usize = 256 * 1024;
/// Most rows of a file, its header included.
pub const MAX_ROWS: usize = 2_000;
/// Most errors that are reported of one file.
pub const MAX_ERRORS: usize = 100;
/// Most characters of a text that is quoted in an error.
const MAX_QUOTED_CHARS: usize = 64;

const HEADER: [&str; 2] = ["PARAMETER", "VALUE"];
const NORMAL: [(&str, Normal); 2] = [("CAT_A", Normal::A), ("CAT_B", Normal::B)];
const ABNORMAL: [(&str, Abnormal); 3] = [
    ("CAT_I", Abnormal::I),
    ("CAT_II", Abnormal::II),
    ("CAT_III", Abnormal::III),
];

/// Which kind of file it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileKind {
    /// `SS`: what is specified for a DER.
    Specified,
    /// `AS`: what was applied to one.
    Applied,
}

impl FileKind {
    const ALL: [Self; 2] = [Self::Specified, Self::Applied];

    /// As the file has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Specified => "SS",
            Self::Applied => "AS",
        }
    }
}

/// What a file says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SettingsFile {
    /// Which kind it says it is.
    pub kind: Option<FileKind>,
    /// For DER of which category under normal conditions.
    pub normal: Option<Normal>,
    /// And under abnormal ones.
    pub abnormal: Option<Abnormal>,
    /// The settings.
    pub values: Values,
    /// Its remark.
    pub comment: Option<Note>,
    /// The row of each setting, from 1 for the header.
    pub rows: BTreeMap<Parameter, u64>,
    /// Rows that were not taken.
    pub set_aside: Vec<SetAside>,
}

impl SettingsFile {
    /// Both categories, where the file has both.
    #[must_use]
    pub fn category(&self) -> Option<Category> {
        Some(Category {
            normal: self.normal?,
            abnormal: self.abnormal?,
        })
    }
}

/// A row that was not taken, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SetAside {
    /// Which row.
    pub row: u64,
    /// Its parameter, cut where it is long.
    pub parameter: String,
    /// Why.
    pub reason: Reason,
}

/// Why a row was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// It describes a device or the file.
    Description,
    /// No setting of this name is known.
    Unknown,
    /// It has no value.
    Empty,
}

/// A row that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("row {row}: {parameter}: {rule}")]
pub struct RowError {
    /// Which row.
    pub row: u64,
    /// Its parameter, cut where it is long.
    pub parameter: String,
    /// What is wrong.
    pub rule: String,
}

/// Why a file can't be taken. Nothing of it was.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FileError {
    /// It is too long.
    #[error("at most {MAX_FILE_BYTES} bytes are allowed")]
    TooLarge,
    /// It has too many rows.
    #[error("at most {MAX_ROWS} rows are allowed")]
    TooManyRows,
    /// It does not begin as such a file does.
    #[error("the first row is PARAMETER,VALUE")]
    Header,
    /// Rows break rules; the first [`MAX_ERRORS`] of them.
    #[error("{} rows are wrong, the first: {}", .0.len(), .0[0])]
    Rows(Vec<RowError>),
}

/// Reads a file. Ranges are not looked at: they depend on the category.
///
/// # Errors
/// [`FileError`] with every row that can't be read.
pub fn read(bytes: &[u8]) -> Result<SettingsFile, FileError> {
    if MAX_FILE_BYTES < bytes.len() {
        return Err(FileError::TooLarge);
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let mut records = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(bytes);
    let mut reading = Reading::default();
    let mut lines = Lines {
        bytes,
        at: 0,
        line: 1,
    };
    let mut record = ByteRecord::new();
    let mut seen = 0;
    // Reading from memory can't fail, and byte records need not be UTF-8.
    while records.read_byte_record(&mut record).unwrap_or(false) {
        seen += 1;
        if MAX_ROWS < seen {
            return Err(FileError::TooManyRows);
        }
        let row = lines.line_of(record.position().map_or(0, csv::Position::byte));
        if seen == 1 {
            check_header(&record)?;
        } else {
            reading.row(row, &record);
        }
    }
    if seen == 0 {
        return Err(FileError::Header);
    }
    if reading.errors.is_empty() {
        return Ok(reading.file);
    }
    reading.errors.truncate(MAX_ERRORS);
    Err(FileError::Rows(reading.errors))
}

/// Counts lines as editors do. The CSV reader counts those that it has finished, which is one less
/// where a line ends in two bytes or a blank one comes before.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line of the first record at or after byte `from`, from 1. To be asked in rising order.
    fn line_of(&mut self, from: u64) -> u64 {
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        while let Some(byte) = self.bytes.get(self.at) {
            if from <= self.at && !matches!(byte, b'\r' | b'\n') {
                break;
            }
            self.at += 1;
            let two_bytes = *byte == b'\r' && self.bytes.get(self.at) == Some(&b'\n');
            self.line += u64::from(matches!(byte, b'\r' | b'\n') && !two_bytes);
        }
        self.line
    }
}

fn check_header(record: &ByteRecord) -> Result<(), FileError> {
    let is_header = record.len() == HEADER.len()
        && record
            .iter()
            .zip(HEADER)
            .all(|(field, name)| field.trim_ascii().eq_ignore_ascii_case(name.as_bytes()));
    is_header.then_some(()).ok_or(FileError::Header)
}

#[derive(Default)]
struct Reading {
    file: SettingsFile,
    errors: Vec<RowError>,
    /// The row of each name that was given.
    names: BTreeMap<String, u64>,
}

impl Reading {
    fn row(&mut self, row: u64, record: &ByteRecord) {
        let fields: Vec<_> = record.iter().map(std::str::from_utf8).collect();
        let [Ok(name), Ok(value)] = fields.as_slice() else {
            let wrong = match fields.iter().any(Result::is_err) {
                true => "is UTF-8",
                false => "a row has a parameter and a value",
            };
            let named = fields.first().and_then(|first| first.as_ref().ok());
            let named = named.copied().unwrap_or_default().to_owned();
            return self.error(row, &named, wrong);
        };
        let (given, value) = (name.trim(), value.trim());
        let name = given
            .strip_suffix("-AS")
            .or_else(|| given.strip_suffix("-SS"))
            .unwrap_or(given);
        if let Some(first) = self.names.insert(name.to_owned(), row) {
            return self.error(row, given, &format!("is given in row {first} already"));
        }
        if let Err(rule) = self.take(row, name, value) {
            self.error(row, given, &rule);
        }
    }

    fn take(&mut self, row: u64, name: &str, value: &str) -> Result<(), String> {
        if value.is_empty() {
            self.set_aside(row, name, Reason::Empty);
            return Ok(());
        }
        let file = &mut self.file;
        match name {
            "MT_FILE_INFO_TYPE" => {
                file.kind = FileKind::ALL.into_iter().find(|kind| kind.name() == value);
            }
            "NP_NORMAL_OP_CAT" => file.normal = Some(one_of(&NORMAL, value)?),
            "NP_ABNORMAL_OP_CAT" => file.abnormal = Some(one_of(&ABNORMAL, value)?),
            "COMMENT" => {
                file.comment = Some(Note::new(value).map_err(|error| error.to_string())?);
            }
            _ => match Parameter::by_name(name) {
                Some(parameter) => {
                    file.values
                        .insert(parameter, parse(parameter.kind(), value)?);
                    file.rows.insert(parameter, row);
                }
                None if name.starts_with("MT_") || name.starts_with("NP_") => {
                    self.set_aside(row, name, Reason::Description);
                }
                None => self.set_aside(row, name, Reason::Unknown),
            },
        }
        Ok(())
    }

    fn set_aside(&mut self, row: u64, parameter: &str, reason: Reason) {
        self.file.set_aside.push(SetAside {
            row,
            parameter: cut(parameter),
            reason,
        });
    }

    fn error(&mut self, row: u64, parameter: &str, rule: &str) {
        self.errors.push(RowError {
            row,
            parameter: cut(parameter),
            rule: rule.to_owned(),
        });
    }
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_QUOTED_CHARS).collect()
}

fn one_of<T: Copy>(all: &[(&str, T)], value: &str) -> Result<T, String> {
    let found = all
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(value));
    found.map(|(_, one)| *one).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        format!("is one of {}", names.join(", "))
    })
}

fn parse(kind: Kind, value: &str) -> Result<Value, String> {
    const SWITCH: [(&str, bool); 4] = [
        ("ENABLED", true),
        ("DISABLED", false),
        ("ENABLE", true),
        ("DISABLE", false),
    ];
    const EXCITATION: [(&str, Excitation); 2] = [
        ("INJ", Excitation::Injecting),
        ("ABS", Excitation::Absorbing),
    ];
    match kind {
        Kind::Switch => one_of(&SWITCH, value).map(Value::Enabled),
        Kind::Excitation => one_of(&EXCITATION, value).map(Value::Excitation),
        _ => value
            .parse::<Decimal>()
            .map(Value::Number)
            .map_err(|error| error.to_string()),
    }
}

/// Writes a file of this kind: what [`read`] gives back.
#[must_use]
pub fn write(
    kind: FileKind,
    category: Option<Category>,
    values: &Values,
    comment: Option<&Note>,
) -> Vec<u8> {
    // The format's own example file ends its lines as Unix does.
    let mut writer = WriterBuilder::new()
        .terminator(Terminator::Any(b'\n'))
        .from_writer(Vec::new());
    let mut row = |name: &str, value: &str| writer.write_record([name, value]);
    let mut rows = || -> Result<(), csv::Error> {
        row(HEADER[0], HEADER[1])?;
        row("MT_FILE_INFO_TYPE", kind.name())?;
        if let Some(comment) = comment {
            row("COMMENT", &harmless(comment.as_str()))?;
        }
        if let Some(category) = category {
            row("NP_NORMAL_OP_CAT", name_of(&NORMAL, category.normal))?;
            row("NP_ABNORMAL_OP_CAT", name_of(&ABNORMAL, category.abnormal))?;
        }
        for (parameter, value) in values {
            let name = format!("{parameter}-{}", kind.name());
            row(&name, &value.to_string())?;
        }
        Ok(())
    };
    let written = rows().map_err(io::Error::from);
    let bytes = written.and_then(|()| writer.into_inner().map_err(|error| error.into_error()));
    bytes.expect("writing rows of two fields to memory can't fail")
}

/// A spreadsheet takes a text that begins like this for a formula; a blank before it makes it text,
/// and is taken off when it is read.
fn harmless(comment: &str) -> String {
    let is_formula = comment.starts_with(['=', '+', '-', '@']);
    let blank = if is_formula { " " } else { "" };
    format!("{blank}{comment}")
}

fn name_of<T: Copy + PartialEq>(all: &[(&'static str, T)], one: T) -> &'static str {
    let found = all.iter().find(|(_, each)| *each == one);
    found.map_or("", |(name, _)| *name)
}

#[cfg(test)]
mod tests;
