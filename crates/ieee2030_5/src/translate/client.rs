//! Who may come in, as the fleet has it.

use fleet::{
    Access, Aggregator, Client, Command, Der, DerKind, Fleet, Level, Lfdi, Name, NewDer, Pin,
    Registration, Scope,
};
use units::{Percent, Timestamp};

use super::{Assignment, AssignmentId, DerId, Program};

/// When the device was registered; none while it is only authorised.
#[must_use]
pub fn registered_at(der: &Der) -> Option<Timestamp> {
    since(der.registration)
}

/// When the aggregator was registered; none while it is only authorised.
#[must_use]
pub fn aggregator_registered_at(aggregator: &Aggregator) -> Option<Timestamp> {
    since(aggregator.registration)
}

const fn since(registration: Registration) -> Option<Timestamp> {
    match registration {
        Registration::Authorised => None,
        Registration::Registered(at) => Some(at),
    }
}

/// Whether a certificate was taken off the list.
#[must_use]
pub fn is_revoked(access: Access) -> bool {
    matches!(access, Access::Revoked(_))
}

/// Whether `client` may come in and has its end device.
#[must_use]
pub fn has_access(client: Client, fleet: &Fleet) -> bool {
    let (access, registration) = match client {
        Client::Der(id) => match fleet.der(id).filter(|der| der.removed.is_none()) {
            Some(der) => (der.access, der.registration),
            None => return false,
        },
        Client::Aggregator(id) => match fleet.aggregator(id) {
            Some(aggregator) => (aggregator.access, aggregator.registration),
            None => return false,
        },
    };
    !is_revoked(access) && since(registration).is_some()
}

/// The identity of the client's certificate.
#[must_use]
pub fn lfdi_of(client: Client, fleet: &Fleet) -> Option<Lfdi> {
    match client {
        Client::Der(id) => fleet.der(id).map(|der| der.lfdi),
        Client::Aggregator(id) => fleet.aggregator(id).map(|aggregator| aggregator.lfdi),
    }
}

/// The DER that `program` alone addresses.
#[must_use]
pub fn only_der(program: &Program) -> Option<DerId> {
    match program.scope {
        Scope::Device(der) => Some(der),
        Scope::Assignment(_) | Scope::All => None,
    }
}

/// The node of the hierarchy whose DER `program` addresses.
#[must_use]
pub fn program_node(program: &Program) -> Option<AssignmentId> {
    match program.scope {
        Scope::Assignment(node) => Some(node),
        Scope::Device(_) | Scope::All => None,
    }
}

/// Whether a node is a place in the network rather than some other group.
#[must_use]
pub fn is_topology(node: &Assignment) -> bool {
    node.level != Level::NonTopology
}

/// The command by which an aggregator enrols one more DER, all of whose names follow from its
/// certificate.
///
/// Its PIN is made of `random`: a server shows by the PIN that it was told of the
/// device, and from the certificate anybody could tell.
#[must_use]
pub fn enrolled_in_band(
    by: &Aggregator,
    lfdi: Lfdi,
    category: Option<u32>,
    random: u32,
) -> Option<Command> {
    let text = lfdi.to_string();
    Some(Command::EnrolDer(NewDer {
        mrid: fleet::CimMrid::new(&text).ok()?,
        name: Name::new(&text).ok()?,
        kind: kind(category.unwrap_or(0)),
        lfdi,
        pin: Pin::with_check_digit(random),
        registered: true,
        reserve: Percent::default(),
        manager: Some(by.id),
        assignments: Vec::new(),
    }))
}

/// The technology that a `deviceCategory` names (IEEE 2030.5 `DeviceCategoryType`).
///
/// Interpretation: a category that names none, or several at once, is taken as photovoltaic, which
/// can be curtailed and promises nothing more; its nameplate says what it can do.
fn kind(category: u32) -> DerKind {
    const VEHICLES: u32 = 1 << 16 | 1 << 17;
    const GENERATORS: u32 = 1 << 19 | 1 << 20 | 1 << 22 | 1 << 24;
    const STORAGE: u32 = 1 << 23 | 1 << 25;
    const LOADS: u32 = (1 << 14) - 1;
    let only = |bits: u32| category & bits != 0 && category & !bits == 0;
    if only(STORAGE) {
        DerKind::Storage
    } else if only(VEHICLES) {
        DerKind::EvCharger
    } else if only(GENERATORS) {
        DerKind::Generator
    } else if only(LOADS) {
        DerKind::Load
    } else {
        DerKind::Pv
    }
}

/// Whether `text` is a National Metering Identifier (AEMO, National Metering Identifier Procedure,
/// 5): ten characters of the alphabet without I and O, and perhaps their check digit.
#[must_use]
pub fn is_nmi(text: &str) -> bool {
    let bytes = text.as_bytes();
    let fits = |byte: &u8| match byte {
        b'I' | b'O' => false,
        _ => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
    };
    match bytes {
        [ten @ .., check] if ten.len() == 10 => {
            ten.iter().all(fits) && *check == b'0' + nmi_check_digit(ten)
        }
        ten => ten.len() == 10 && ten.iter().all(fits),
    }
}

/// Luhn's digit over the codes of the characters, every other one doubled from the right.
fn nmi_check_digit(ten: &[u8]) -> u8 {
    let doubled = ten
        .iter()
        .rev()
        .enumerate()
        .map(|(place, byte)| match place % 2 {
            0 => u32::from(*byte) * 2,
            _ => u32::from(*byte),
        });
    let digits = |number: u32| number % 10 + number / 10 % 10 + number / 100;
    let sum: u32 = doubled.map(digits).sum();
    u8::try_from((10 - sum % 10) % 10).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_points_have_a_check_digit() {
        // Examples of AEMO's procedure, and those of the CSIP-AUS test programme.
        for good in [
            "2001985732",
            "20019857328",
            "QAAAVZZZZZ3",
            "41020000002",
            "41020000026",
        ] {
            assert!(is_nmi(good), "{good}");
        }
        for bad in [
            "NOTAVALIDID",
            "20019857327",
            "2001O85732",
            "200198573",
            "",
            "200198573288",
            "qaaavzzzzz",
        ] {
            assert!(!is_nmi(bad), "{bad}");
        }
    }

    #[test]
    fn a_category_names_a_technology() {
        for (category, expected) in [
            (1 << 21, DerKind::Pv),
            (1 << 25, DerKind::Storage),
            (1 << 23, DerKind::Storage),
            (1 << 16 | 1 << 17, DerKind::EvCharger),
            (1 << 3, DerKind::Load),
            (1 << 20, DerKind::Generator),
            (0, DerKind::Pv),
            (1 << 21 | 1 << 25, DerKind::Pv),
        ] {
            assert_eq!(kind(category), expected, "{category:X}");
        }
    }
}
