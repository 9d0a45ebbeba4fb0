//! A complex type by its table: attributes, then elements in any order, then what is missing.

use std::borrow::Cow;

use quick_xml::events::attributes::Attribute;
use quick_xml::name::ResolveResult;

use super::{Complex, Open, Place, ReadError, Reader, Vocabulary, has_attributes};
use crate::codec::MAX_TEXT_BYTES;
use crate::codec::table::{MAX_ROWS, Row};

/// What lists are counted with.
///
/// Interpretation: the schema requires these attributes, and the standard says of them that they
/// are required in an answer and ignored otherwise. A list that is posted without is read, its
/// counts as zero.
const COUNTS: [&str; 2] = ["all", "results"];

pub(crate) fn read_complex<'a, T: Complex>(
    reader: &mut Reader<'a>,
    open: &Open<'a>,
) -> Result<T, ReadError> {
    let mut value = T::default();
    read_attributes(&mut value, reader, open)?;
    let table = T::TABLE;
    let mut counts = [0_u16; MAX_ROWS];
    let mut next = 0;
    while let Some(child) = reader.child(open, table.name)? {
        let Some(place) = place_of(table.elements, next, &child) else {
            reader.skip(&child)?;
            continue;
        };
        next = place;
        let row = &table.elements[place];
        if counts[place] == *row.occurs.end() && *row.occurs.end() != u16::MAX {
            return Err(ReadError::Repeated {
                in_type: table.name,
                name: row.name,
                max: *row.occurs.end(),
            });
        }
        counts[place] = counts[place].saturating_add(1);
        reader.place = Place {
            in_type: table.name,
            name: row.name,
        };
        value.read_element(row.name, reader, &child)?;
    }
    missing(reader, table.name, table.elements, &counts)?;
    Ok(value)
}

/// The row of `child`, looked for from `next` on since most senders keep the order of the schema.
fn place_of(rows: &[Row], next: usize, child: &Open<'_>) -> Option<usize> {
    let (passed, ahead) = rows.split_at(next);
    let local = child.name();
    let is_child = |row: &Row| child.vocabulary.has(row.name, local);
    let found = ahead.iter().position(is_child);
    found
        .map(|place| next + place)
        .or_else(|| passed.iter().position(is_child))
}

fn missing(
    reader: &Reader<'_>,
    in_type: &'static str,
    rows: &'static [Row],
    counts: &[u16; MAX_ROWS],
) -> Result<(), ReadError> {
    for (row, count) in rows.iter().zip(counts) {
        if *row.occurs.start() > *count && reader.requires(row.profiles) {
            return Err(ReadError::Missing {
                in_type,
                name: row.name,
            });
        }
    }
    Ok(())
}

fn read_attributes<T: Complex>(
    value: &mut T,
    reader: &Reader<'_>,
    open: &Open<'_>,
) -> Result<(), ReadError> {
    let table = T::TABLE;
    if table.attributes.is_empty() && !has_attributes(&open.tag) {
        return Ok(());
    }
    let mut counts = [0_u16; MAX_ROWS];
    for attribute in open.tag.attributes() {
        let attribute = attribute.map_err(|_| ReadError::Malformed)?;
        let (local, prefix) = attribute.key.decompose();
        let ours = prefix.is_none()
            || matches!(
                reader.xml.resolver().resolve_attribute(attribute.key).0,
                ResolveResult::Bound(namespace)
                    if Vocabulary::of(namespace.into_inner()) == Vocabulary::Ieee
            );
        let local = local.into_inner();
        let place = table.attributes.iter().position(|row| row.name == local);
        let (true, Some(place)) = (ours, place) else {
            continue;
        };
        let text = value_of(&attribute)?;
        counts[place] = 1;
        value
            .read_attribute(local, &text)
            .map_err(|source| ReadError::Value {
                in_type: table.name,
                name: table.attributes[place].name,
                source,
            })?;
    }
    for (count, row) in counts.iter_mut().zip(table.attributes) {
        if COUNTS.contains(&row.name) {
            *count = 1;
        }
    }
    missing(reader, table.name, table.attributes, &counts)
}

pub(super) fn value_of<'a>(attribute: &'a Attribute<'_>) -> Result<Cow<'a, str>, ReadError> {
    let text = attribute
        .normalized_value(quick_xml::XmlVersion::Implicit1_0)
        .map_err(|_| ReadError::Entity)?;
    if text.len() > MAX_TEXT_BYTES {
        return Err(ReadError::TextTooLong);
    }
    Ok(text)
}
