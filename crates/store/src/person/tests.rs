//! What a record looks like to another implementation, and what is shown of it.

use fleet::CimMrid;
use fleet::enrolment::PersonId;

use super::{Draw, Holder, Kept, Key, KeyMark, Onto, Person, Put, Row, Sealed, Unreadable, seal};

fn holder() -> Holder {
    Holder {
        person: PersonId(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff),
        owner: CimMrid::new("owner-1").unwrap(),
    }
}

fn ada() -> Person {
    Person {
        name: Some("Ada Lovelace".to_owned()),
        email: Some("ada@example.org".to_owned()),
        phone: Some("+44 20 7946 0000".to_owned()),
        postal_address: Some("12 St James's Square\nLondon".to_owned()),
        note: None,
    }
}

fn key() -> Key {
    Key(std::array::from_fn(|place| u8::try_from(place).unwrap()))
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// Sealed by `AESGCM` of pyca/cryptography 48.0.0 over OpenSSL:
/// `AESGCM(bytes(range(32))).encrypt(bytes(range(100, 112)), json, b"wattfold person 1\0" + id +
/// version + b"owner-1")`, with the id above and version 3, both big-endian.
const BY_OTHERS: &str = "3339b007148c74a41c233b89fa29058b27ae6769ee4edf50c2bccd2197819f6af58d2180296afa698d9f\
    1d119230aded3779e88f4f24240ac0d387e2dba197ba28bbe23ae06b0b35bb5fcf6f33fa5e951019736b\
    c6a1e9b4ba8245e641317f63ae22e65e212cd51bc0ddade5f17ccd89504edc718d16d750dd17b1cc2c73\
    d5663b3920283bc716cfaf392554";

#[test]
fn what_another_implementation_has_sealed_is_opened_and_sealed_alike() {
    let sealed = Sealed {
        version: 3,
        nonce: std::array::from_fn(|place| u8::try_from(place + 100).unwrap()),
        ciphertext: from_hex(BY_OTHERS),
    };
    let row = Row {
        key: Some(KeyMark::Kept(key())),
        sealed: Some(sealed.clone()),
    };
    let readable = Kept::Readable {
        person: Box::new(ada()),
        version: 3,
    };
    assert_eq!(seal::open(&holder(), &row), readable);

    let before = Row {
        sealed: Some(Sealed {
            version: 2,
            ..sealed.clone()
        }),
        ..row
    };
    let put = Put {
        holder: holder(),
        person: ada(),
        onto: Onto::Version(2),
        draw: Draw {
            key: [0; 32],
            nonce: sealed.nonce,
        },
    };
    assert_eq!(seal::reseal(&put, &before), (Ok(3), Some(sealed)));
}

#[test]
fn a_record_is_bound_to_its_owner_its_person_and_its_version() {
    let sealed = Sealed {
        version: 3,
        nonce: std::array::from_fn(|place| u8::try_from(place + 100).unwrap()),
        ciphertext: from_hex(BY_OTHERS),
    };
    let open = |holder: &Holder, key: Key, sealed: Sealed| {
        let row = Row {
            key: Some(KeyMark::Kept(key)),
            sealed: Some(sealed),
        };
        seal::open(holder, &row)
    };
    let unfit = Kept::Unreadable(Unreadable::Unfit);
    let other_owner = Holder {
        owner: CimMrid::new("owner-2").unwrap(),
        ..holder()
    };
    assert_eq!(open(&other_owner, key(), sealed.clone()), unfit);
    let other_person = Holder {
        person: PersonId(1),
        ..holder()
    };
    assert_eq!(open(&other_person, key(), sealed.clone()), unfit);
    let rolled_back = Sealed {
        version: 4,
        ..sealed.clone()
    };
    assert_eq!(open(&holder(), key(), rolled_back), unfit);
    assert_eq!(open(&holder(), Key([1; 32]), sealed.clone()), unfit);
    for at in 0..sealed.ciphertext.len() {
        let mut damaged = sealed.clone();
        damaged.ciphertext[at] ^= 1;
        assert_eq!(open(&holder(), key(), damaged), unfit, "byte {at}");
    }
    for length in 0..sealed.ciphertext.len() {
        let mut short = sealed.clone();
        short.ciphertext.truncate(length);
        assert_eq!(open(&holder(), key(), short), unfit, "{length} bytes");
    }
}

#[test]
fn nothing_of_a_person_or_a_key_is_shown_for_debugging() {
    let put = Put {
        holder: holder(),
        person: ada(),
        onto: Onto::Anything,
        draw: Draw {
            key: [77; 32],
            nonce: [0; 12],
        },
    };
    let kept = Kept::Readable {
        person: Box::new(ada()),
        version: 1,
    };
    let shown = format!(
        "{put:?} {put:#?} {kept:?} {:?}",
        KeyMark::Kept(Key([77; 32]))
    );
    for private in ["Ada", "ada@", "7946", "James", "77, 77", " 77,"] {
        assert!(!shown.contains(private), "{private} in {shown}");
    }
    assert!(shown.contains("withheld"), "{shown}");
}

#[test]
fn texts_have_limits() {
    let long = |chars: usize| Some("ü".repeat(chars));
    type Field = fn(&mut Person) -> &mut Option<String>;
    let fields: [(&str, usize, Field); 5] = [
        ("name", Person::MAX_NAME_CHARS, |p| &mut p.name),
        ("email", Person::MAX_EMAIL_CHARS, |p| &mut p.email),
        ("phone", Person::MAX_PHONE_CHARS, |p| &mut p.phone),
        ("postal_address", Person::MAX_POSTAL_ADDRESS_CHARS, |p| {
            &mut p.postal_address
        }),
        ("note", Person::MAX_NOTE_CHARS, |p| &mut p.note),
    ];
    for (name, max, field) in fields {
        let mut person = Person::default();
        *field(&mut person) = long(max);
        assert_eq!(person.broken_rule(), None, "{name}");
        *field(&mut person) = long(max + 1);
        let rule = format!("has more than {max} characters");
        assert_eq!(person.broken_rule(), Some((name, rule)));
        *field(&mut person) = Some(" ".to_owned());
        assert_eq!(person.broken_rule().unwrap().0, name);
        *field(&mut person) = Some("a\0b".to_owned());
        assert_eq!(person.broken_rule().unwrap().0, name);
        *field(&mut person) = Some("a\nb".to_owned());
        let several = ["postal_address", "note"].contains(&name);
        assert_eq!(person.broken_rule().is_none(), several, "{name}");
    }
}
