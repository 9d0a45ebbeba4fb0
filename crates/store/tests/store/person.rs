//! Personal data: the same in memory, on SQLite and in PostgreSQL; and what is left of it anywhere.

use std::path::Path;

use fleet::CimMrid;
use fleet::enrolment::PersonId;
use store::backup::{self, PersonKeys};
use store::{
    Address, Draw, Holder, Kept, MAX_PERSONS_PER_TURN, Onto, OpenError, Person, Persons, Postgres,
    Put, PutError, PutOutcome, Sqlite, Store as _, Unreadable,
};

use crate::cluster::{Cluster, connect};
use crate::lease::leading;
use crate::sample::{self, JOURNAL};

type Open<'a> = &'a dyn Fn() -> Persons;

const CASES: [fn(Open<'_>); 7] = [
    what_was_put_is_read_back,
    a_put_onto_another_version_is_refused,
    a_part_is_joined_with_what_is_kept,
    what_was_erased_stays_erased,
    a_record_belongs_to_one_owner,
    a_text_that_breaks_a_rule_is_refused_alone,
    many_are_done_in_turns,
];

const SECRET: &str = "Wilhelmina Featherstonehaugh";
const KEY: [u8; 32] = *b"thirty-two bytes that are a key!";

#[test]
fn memory_keeps_the_contract() {
    CASES.iter().for_each(|case| case(&Persons::in_memory));
}

#[test]
fn sqlite_keeps_the_contract() {
    for case in CASES {
        let root = tempfile::tempdir().unwrap();
        let next = std::cell::Cell::new(0);
        case(&|| {
            next.set(next.get() + 1);
            let directory = root.path().join(next.get().to_string());
            std::fs::create_dir(&directory).unwrap();
            Persons::open(&directory).unwrap()
        });
    }
}

#[test]
fn postgresql_keeps_the_contract() {
    for case in CASES {
        case(&|| connected(&Cluster::shared().database()));
    }
}

fn connected(url: &str) -> Persons {
    let address = Address::new(url, None).unwrap();
    drop(Postgres::open(&address, JOURNAL).unwrap());
    Persons::connect(&address)
}

fn holder(number: u32) -> Holder {
    Holder {
        person: PersonId(u128::MAX - u128::from(number)),
        owner: CimMrid::new(&format!("owner-{number}")).unwrap(),
    }
}

fn named(name: &str) -> Person {
    Person {
        name: Some(name.to_owned()),
        ..Person::default()
    }
}

fn put(holder: &Holder, person: Person, onto: Onto) -> Put {
    Put {
        holder: holder.clone(),
        person,
        onto,
        draw: Draw {
            key: KEY,
            nonce: [9; 12],
        },
    }
}

fn put_one(persons: &mut Persons, put: Put) -> PutOutcome {
    match persons.put(&[put]) {
        Ok(mut done) => done.remove(0),
        Err(error) => panic!("{error}"),
    }
}

fn read_one(persons: &mut Persons, holder: &Holder) -> Kept {
    persons
        .read(std::slice::from_ref(holder))
        .unwrap()
        .remove(0)
}

fn readable(person: Person, version: u64) -> Kept {
    let person = Box::new(person);
    Kept::Readable { person, version }
}

fn what_was_put_is_read_back(open: Open<'_>) {
    let mut persons = open();
    assert_eq!(read_one(&mut persons, &holder(1)), Kept::Nothing);
    assert!(persons.put(&[]).unwrap().is_empty() && persons.read(&[]).unwrap().is_empty());
    let full = Person {
        name: Some("名前".to_owned()),
        email: Some("a@example.org".to_owned()),
        phone: Some("1".to_owned()),
        postal_address: Some("a\nb".to_owned()),
        note: Some("\"x\"".to_owned()),
    };
    let puts = [
        put(&holder(1), full.clone(), Onto::Anything),
        put(&holder(2), Person::default(), Onto::Anything),
    ];
    assert_eq!(persons.put(&puts).unwrap(), [Ok(1), Ok(1)]);
    let holders = [holder(2), holder(3), holder(1)];
    let kept = [
        readable(Person::default(), 1),
        Kept::Nothing,
        readable(full.clone(), 1),
    ];
    assert_eq!(persons.read(&holders).unwrap(), kept);
    let again = put(&holder(1), full, Onto::Anything);
    assert_eq!(put_one(&mut persons, again), Ok(1), "nothing has changed");
    let other = put(&holder(1), named("Ada"), Onto::Anything);
    assert_eq!(put_one(&mut persons, other), Ok(2));
    assert_eq!(
        read_one(&mut persons, &holder(1)),
        readable(named("Ada"), 2)
    );
}

fn a_put_onto_another_version_is_refused(open: Open<'_>) {
    let mut persons = open();
    let onto = |version, name| put(&holder(1), named(name), Onto::Version(version));
    let stale = |found| Err(PutError::Stale { found });
    assert_eq!(put_one(&mut persons, onto(1, "Ada")), stale(0));
    assert_eq!(put_one(&mut persons, onto(0, "Ada")), Ok(1));
    assert_eq!(put_one(&mut persons, onto(0, "Eve")), stale(1));
    assert_eq!(put_one(&mut persons, onto(1, "Bea")), Ok(2));
    assert_eq!(
        read_one(&mut persons, &holder(1)),
        readable(named("Bea"), 2)
    );
}

fn a_part_is_joined_with_what_is_kept(open: Open<'_>) {
    let mut persons = open();
    let part = |person| put(&holder(1), person, Onto::Kept);
    assert_eq!(put_one(&mut persons, part(named("Ada"))), Ok(1));
    let phone = Person {
        phone: Some("1".to_owned()),
        ..Person::default()
    };
    assert_eq!(put_one(&mut persons, part(phone.clone())), Ok(2));
    assert_eq!(put_one(&mut persons, part(phone.clone())), Ok(2));
    let both = Person {
        name: Some("Ada".to_owned()),
        ..phone
    };
    assert_eq!(read_one(&mut persons, &holder(1)), readable(both, 2));
}

fn what_was_erased_stays_erased(open: Open<'_>) {
    let mut persons = open();
    for number in 1..4 {
        let one = put(&holder(number), named("Ada"), Onto::Anything);
        assert_eq!(put_one(&mut persons, one), Ok(1));
    }
    let gone = [holder(1).person, holder(2).person, holder(9).person];
    persons.erase(&gone).unwrap();
    persons.erase(&gone).unwrap();
    for number in [1, 2, 9] {
        assert_eq!(read_one(&mut persons, &holder(number)), Kept::Erased);
        for onto in [
            Onto::Anything,
            Onto::Kept,
            Onto::Version(0),
            Onto::Version(1),
        ] {
            let again = put(&holder(number), named("Eve"), onto);
            assert_eq!(put_one(&mut persons, again), Err(PutError::Erased));
        }
        assert_eq!(read_one(&mut persons, &holder(number)), Kept::Erased);
    }
    assert_eq!(
        read_one(&mut persons, &holder(3)),
        readable(named("Ada"), 1)
    );
}

fn a_record_belongs_to_one_owner(open: Open<'_>) {
    let mut persons = open();
    put_one(&mut persons, put(&holder(1), named("Ada"), Onto::Anything)).unwrap();
    let other = Holder {
        owner: CimMrid::new("other").unwrap(),
        ..holder(1)
    };
    let unfit = Unreadable::Unfit;
    assert_eq!(read_one(&mut persons, &other), Kept::Unreadable(unfit));
    let part = put(&other, named("Eve"), Onto::Kept);
    assert_eq!(put_one(&mut persons, part), Err(unfit.into()));
}

fn a_text_that_breaks_a_rule_is_refused_alone(open: Open<'_>) {
    let mut persons = open();
    let long = named(&"x".repeat(Person::MAX_NAME_CHARS + 1));
    let puts = [
        put(&holder(1), named("Ada"), Onto::Anything),
        put(&holder(2), long, Onto::Anything),
        put(&holder(3), named("Bea"), Onto::Anything),
    ];
    let outcomes = persons.put(&puts).unwrap();
    assert_eq!((&outcomes[0], &outcomes[2]), (&Ok(1), &Ok(1)));
    let refused = outcomes[1].clone().unwrap_err();
    assert_eq!(refused.to_string(), "name has more than 200 characters");
    let kept = persons.read(&[holder(1), holder(2), holder(3)]).unwrap();
    let named = |name| readable(named(name), 1);
    assert_eq!(kept, [named("Ada"), Kept::Nothing, named("Bea")]);
}

fn many_are_done_in_turns(open: Open<'_>) {
    let mut persons = open();
    let count = u32::try_from(MAX_PERSONS_PER_TURN * 2 + 1).unwrap();
    let holders: Vec<Holder> = (0..count).map(holder).collect();
    let one = |holder: &Holder| put(holder, named(holder.owner.as_str()), Onto::Anything);
    let puts: Vec<Put> = holders.iter().map(one).collect();
    assert!(
        persons
            .put(&puts)
            .unwrap()
            .iter()
            .all(|done| *done == Ok(1))
    );
    let kept = persons.read(&holders).unwrap();
    let expected = |holder: &Holder| readable(named(holder.owner.as_str()), 1);
    assert!(kept.into_iter().eq(holders.iter().map(expected)));
    let ids: Vec<PersonId> = holders.iter().map(|holder| holder.person).collect();
    persons.erase(&ids).unwrap();
    let kept = persons.read(&holders).unwrap();
    assert!(kept.iter().all(|kept| *kept == Kept::Erased));
}

/// Every file of `directory` in which `what` stands.
fn files_with(directory: &Path, what: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let bytes = std::fs::read(entry.path()).unwrap();
        if bytes.windows(what.len()).any(|window| window == what) {
            found.push(entry.file_name().into_string().unwrap());
        }
    }
    found.sort();
    found
}

/// A data directory with a fleet and one person.
fn with_one(directory: &Path) -> Persons {
    let mut store = Sqlite::open(directory, JOURNAL).unwrap();
    store.commit(&sample::batch(0, &sample::events())).unwrap();
    let mut persons = Persons::open(directory).unwrap();
    for number in 1..3 {
        let person = named(&format!("{SECRET} {number}"));
        put_one(&mut persons, put(&holder(number), person, Onto::Anything)).unwrap();
    }
    persons
}

#[test]
fn plain_text_is_in_no_file_and_a_key_that_was_erased_in_none_any_more() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path();
    drop(Sqlite::open(data, JOURNAL).unwrap());
    let mut persons = Persons::open(data).unwrap();
    let draw = |key: u8| Draw {
        key: [key; 32],
        nonce: [key; 12],
    };
    for number in 1..=200 {
        let one = Put {
            draw: draw(u8::try_from(number).unwrap()),
            ..put(&holder(number), named(SECRET), Onto::Anything)
        };
        put_one(&mut persons, one).unwrap();
    }
    assert!(files_with(data, SECRET.as_bytes()).is_empty());
    assert!(files_with(data, b"Featherstone").is_empty());
    let (key, kept) = ([77; 32], [78; 32]);
    assert!(!files_with(data, &key).is_empty());
    let nonce = [77; 12];
    assert!(!files_with(data, &nonce).is_empty());

    persons.erase(&[holder(77).person]).unwrap();
    assert!(files_with(data, &key).is_empty());
    assert!(files_with(data, &nonce).is_empty());
    assert_eq!(files_with(data, &kept), ["keys.sqlite"]);
    for log in ["keys.sqlite-wal", "persons.sqlite-wal"] {
        assert_eq!(std::fs::metadata(data.join(log)).unwrap().len(), 0, "{log}");
    }
    drop(persons);
    let mut persons = Persons::open(data).unwrap();
    assert_eq!(read_one(&mut persons, &holder(77)), Kept::Erased);
    assert_eq!(
        read_one(&mut persons, &holder(78)),
        readable(named(SECRET), 1)
    );
}

/// Somebody reads the keys, so their log can't be cut: the erasure is not acknowledged, and is done
/// again.
#[test]
fn an_erasure_is_not_acknowledged_while_the_key_is_in_a_log() {
    let root = tempfile::tempdir().unwrap();
    let mut persons = with_one(root.path());
    let reader = rusqlite::Connection::open(root.path().join("keys.sqlite")).unwrap();
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM person_key")
        .unwrap();
    let refused = persons.erase(&[holder(1).person]).unwrap_err();
    let why = std::error::Error::source(&refused).unwrap().to_string();
    assert!(why.contains("can't be cut"), "{why}");
    reader.execute_batch("COMMIT").unwrap();
    persons.erase(&[holder(1).person]).unwrap();
    assert_eq!(read_one(&mut persons, &holder(1)), Kept::Erased);
    assert_eq!(
        files_with(root.path(), &KEY),
        ["keys.sqlite"],
        "that of the other"
    );
}

#[test]
fn the_files_belong_to_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let root = tempfile::tempdir().unwrap();
    drop(with_one(root.path()));
    let keys = root.path().join("keys.sqlite");
    std::fs::set_permissions(&keys, std::fs::Permissions::from_mode(0o644)).unwrap();
    let _persons = Persons::open(root.path()).unwrap();
    for name in ["keys.sqlite", "persons.sqlite"] {
        let mode = std::fs::metadata(root.path().join(name)).unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_file_that_is_not_ours_is_left_alone() {
    let root = tempfile::tempdir().unwrap();
    drop(with_one(root.path()));
    let exchanged = |a: &str, b: &str| {
        let [a, b] = [a, b].map(|name| root.path().join(name));
        std::fs::rename(&a, root.path().join("other")).unwrap();
        std::fs::copy(b, &a).unwrap();
    };
    exchanged("keys.sqlite", "persons.sqlite");
    let refused = Persons::open(root.path()).unwrap_err();
    assert!(matches!(refused, OpenError::Foreign(_)), "{refused}");
    std::fs::rename(root.path().join("other"), root.path().join("keys.sqlite")).unwrap();
    rusqlite::Connection::open(root.path().join("keys.sqlite"))
        .unwrap()
        .pragma_update(None, "user_version", 2)
        .unwrap();
    let refused = Persons::open(root.path()).unwrap_err();
    let newer = matches!(
        refused,
        OpenError::Newer {
            found: 2,
            known: 1,
            ..
        }
    );
    assert!(newer, "{refused}");
}

/// A backup holds ciphertexts and no key. With the keys of today it gives back everybody but who was
/// erased since; without keys nobody.
#[test]
fn an_old_backup_brings_nobody_back_who_was_erased() {
    let root = tempfile::tempdir().unwrap();
    let [data, kept, later] = ["data", "kept", "later"].map(|name| root.path().join(name));
    let mut persons = with_one(&data);
    let moved = backup::from_directory(&data, &kept).unwrap();
    assert_eq!((moved.persons, moved.person_keys), (2, 0));
    assert!(!kept.join("keys.sqlite").exists());
    assert!(files_with(&kept, &KEY).is_empty());
    persons.erase(&[holder(1).person]).unwrap();
    drop(persons);
    assert!(store::audit::verify(&data, &[]).unwrap().is_intact());

    backup::to_directory(&kept, &later).unwrap();
    let mut restored = Persons::open(&later).unwrap();
    let missing = Kept::Unreadable(Unreadable::KeyMissing);
    assert_eq!(read_one(&mut restored, &holder(1)), missing);
    assert_eq!(read_one(&mut restored, &holder(2)), missing);
    drop(restored);

    for name in ["keys.sqlite", "keys.sqlite-wal", "keys.sqlite-shm"] {
        if data.join(name).exists() {
            std::fs::copy(data.join(name), later.join(name)).unwrap();
        }
    }
    let mut restored = Persons::open(&later).unwrap();
    assert_eq!(read_one(&mut restored, &holder(1)), Kept::Erased);
    let other = named(&format!("{SECRET} 2"));
    assert_eq!(read_one(&mut restored, &holder(2)), readable(other, 1));
    assert!(store::audit::verify(&later, &[]).unwrap().is_intact());
}

#[test]
fn a_move_to_a_database_takes_keys_only_when_told() {
    let root = tempfile::tempdir().unwrap();
    let [data, kept] = ["data", "kept"].map(|name| root.path().join(name));
    let mut persons = with_one(&data);
    persons.erase(&[holder(1).person]).unwrap();
    drop(persons);
    let moved = |keys| {
        let url = Cluster::shared().database();
        let address = Address::new(&url, None).unwrap();
        let moved = backup::to_database(&data, &address, keys).unwrap();
        assert_eq!(moved.persons, 1);
        let mut there = Persons::connect(&address);
        let kept = there.read(&[holder(1), holder(2)]).unwrap();
        (url, moved.person_keys, kept)
    };
    let (_, keys, read) = moved(PersonKeys::Left);
    assert_eq!(keys, 0);
    let missing = Kept::Unreadable(Unreadable::KeyMissing);
    assert_eq!(read, [Kept::Nothing, missing.clone()]);

    let (url, keys, read) = moved(PersonKeys::Taken);
    assert_eq!(keys, 2);
    let other = readable(named(&format!("{SECRET} 2")), 1);
    assert_eq!(read, [Kept::Erased, other]);

    let address = Address::new(&url, None).unwrap();
    let back = backup::from_database(&address, &kept).unwrap();
    assert_eq!((back.persons, back.person_keys), (1, 0));
    assert!(files_with(&kept, &KEY).is_empty());
    let read = read_one(&mut Persons::open(&kept).unwrap(), &holder(2));
    assert_eq!(read, missing);
}

/// Keys outlive a copy that was not finished, and are not part of what the next one discards.
#[test]
fn who_was_erased_here_or_there_stays_so_when_keys_are_taken() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    let mut persons = with_one(&data);
    persons.erase(&[holder(1).person]).unwrap();
    drop(persons);
    let url = Cluster::shared().database();
    let address = Address::new(&url, None).unwrap();
    drop(Postgres::open(&address, Sqlite::open(&data, JOURNAL).unwrap().journal()).unwrap());
    let mut client = postgres::Client::connect(&url, postgres::NoTls).unwrap();
    for (number, key) in [(1, Some(KEY.as_slice())), (2, None)] {
        let person = holder(number).person.0.to_be_bytes();
        let sql = "INSERT INTO wattfold_keys.person_key (person, key) VALUES ($1, $2)";
        client.execute(sql, &[&person.as_slice(), &key]).unwrap();
    }
    backup::to_database(&data, &address, PersonKeys::Taken).unwrap();
    let mut there = Persons::connect(&address);
    let kept = there.read(&[holder(1), holder(2)]).unwrap();
    assert_eq!(kept, [Kept::Erased, Kept::Erased]);
}

/// As `pg_dump --schema=wattfold` makes it: the next node that starts makes room for keys.
#[test]
fn a_database_without_the_schema_of_keys_is_told_from_one_that_failed() {
    let url = Cluster::shared().database();
    drop(leading(&url));
    let mut persons = connected(&url);
    put_one(&mut persons, put(&holder(1), named(SECRET), Onto::Anything)).unwrap();
    connect(&url)
        .batch_execute("DROP SCHEMA wattfold_keys CASCADE")
        .unwrap();
    let mut persons = connected(&url);
    let missing = Kept::Unreadable(Unreadable::KeyMissing);
    assert_eq!(read_one(&mut persons, &holder(1)), missing);
    let anew = put(&holder(1), named("Ada"), Onto::Anything);
    assert_eq!(put_one(&mut persons, anew), Ok(2));
}

/// Two nodes, one of which erases what the other is putting: whichever comes first, it is gone.
#[test]
fn what_one_node_erases_no_other_puts_again() {
    let url = Cluster::shared().database();
    let mut here = connected(&url);
    for round in 0..50 {
        let mut there = connected(&url);
        let putting = std::thread::spawn(move || {
            (0..20)
                .map(|n| {
                    put_one(
                        &mut there,
                        put(&holder(round), named(&n.to_string()), Onto::Anything),
                    )
                })
                .filter(|done| *done == Err(PutError::Erased))
                .count()
        });
        here.erase(&[holder(round).person]).unwrap();
        putting.join().unwrap();
        assert_eq!(read_one(&mut here, &holder(round)), Kept::Erased);
    }
    let left = "SELECT count(*) FROM wattfold.person";
    let left: i64 = connect(&url).query_one(left, &[]).unwrap().get(0);
    assert_eq!(left, 0);
}
