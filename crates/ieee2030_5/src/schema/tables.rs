//! Our tables against those of the schemas, row by row.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{fresh_directory, name_of, schema_of};
use crate::codec::table::{Profile, Row, TypeTable};
use crate::wire::registry::DOCUMENTS;

/// In every profile: every document that the schema has is in the registry and no other one, and
/// every table has its rows, in order, with the least and the greatest number of occurrences.
#[test]
fn the_tables_are_those_of_the_schema() {
    for profile in Profile::ALL {
        let directory = fresh_directory(&format!("schema/tables-{}", name_of(profile)));
        let mut tables = BTreeMap::new();
        for kind in DOCUMENTS.iter() {
            collect(kind.table, profile, &mut tables);
        }
        let file = directory.join("tables.json");
        std::fs::write(&file, json(&tables, profile)).unwrap();
        let said = schema_of(profile, "tables", &file, &[]);
        assert!(
            said.contains(&format!("compared {} tables", tables.len())),
            "{said}"
        );
    }
}

/// A document that is kept in the fullest profile has all its rows there.
#[test]
fn the_fullest_profile_has_every_row() {
    for kind in DOCUMENTS.iter() {
        let rows = kind.table.attributes.iter().chain(kind.table.elements);
        for row in rows {
            assert!(
                row.profiles.contains(Profile::EVERYTHING),
                "{kind:?} {}",
                row.name
            );
        }
    }
}

fn collect(
    table: &'static TypeTable,
    profile: Profile,
    tables: &mut BTreeMap<&'static str, &'static TypeTable>,
) {
    if table.profiles.contains(profile) && tables.insert(table.name, table).is_none() {
        for row in table.elements {
            if let Some(inside) = row.inside.filter(|_| row.profiles.contains(profile)) {
                collect(inside, profile, tables);
            }
        }
    }
}

fn json(tables: &BTreeMap<&str, &TypeTable>, profile: Profile) -> String {
    let mut out = String::from("[");
    for table in tables.values() {
        let is_document = DOCUMENTS.iter().any(|kind| kind.name() == table.name);
        let separator = if out.len() > 1 { ",\n" } else { "" };
        write!(
            out,
            "{separator}{{\"name\": \"{}\", \"document\": {is_document}, \"attributes\": {}, \
             \"elements\": {}}}",
            table.name,
            rows(table.attributes, profile),
            rows(table.elements, profile)
        )
        .unwrap();
    }
    out + "]"
}

fn rows(rows: &[Row], profile: Profile) -> String {
    let rows = rows.iter().filter(|row| row.profiles.contains(profile));
    let rows = rows.map(|row| {
        let (least, most) = (row.occurs.start(), row.occurs.end());
        format!("[\"{}\", {least}, {most}]", row.name)
    });
    format!("[{}]", rows.collect::<Vec<_>>().join(", "))
}
