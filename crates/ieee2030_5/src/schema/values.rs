//! Every value of every document beyond its type.

use super::{fresh_directory, schema_of};
use crate::codec::read::ReadError;
use crate::codec::table::Profile;
use crate::wire::registry::DOCUMENTS;

/// Out of range, too long, not hexadecimal, no number: in each of the schema's own instances one
/// value is wrong, and no such document is read.
#[test]
fn no_value_beyond_its_type_is_read() {
    let profile = Profile::EVERYTHING;
    let directory = fresh_directory("schema/broken");
    let kinds = DOCUMENTS.iter();
    let kinds: Vec<_> = kinds
        .filter(|kind| kind.table.profiles.contains(profile))
        .collect();
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    schema_of(profile, "break", &directory, &names);
    let mut refused = 0;
    for kind in kinds {
        let local = kind.name().trim_start_matches("csipaus:");
        let lines = std::fs::read_to_string(directory.join(format!("{local}.broken"))).unwrap();
        for line in lines.lines() {
            let (what, body) = line.split_once('\t').unwrap();
            let read = kind.read(body.as_bytes(), profile);
            let error = read.expect_err(&format!("{kind:?} takes {what}"));
            assert!(
                matches!(error, ReadError::Value { .. }),
                "{kind:?} {what}: {error}"
            );
            refused += 1;
        }
    }
    println!("{refused} documents were refused");
    assert!(refused > 5_000, "only {refused} were tried");
}
