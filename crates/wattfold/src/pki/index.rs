//! What a PKI has issued: `issued.csv`, for its owner's eyes, because it holds PINs.

use std::fmt;
use std::str::FromStr;

use fleet::{Lfdi, Pin};
use units::Timestamp;

use super::PkiError;
use super::directory::{Directory, Secrecy};

/// Certificates that one directory keeps account of.
pub const MAX_ISSUED: usize = 1_000_000;

const FILE: &str = "issued.csv";
const HEADER: &str = "name,role,issuer,lfdi,sfdi,pin,issued,revoked\n";

/// What a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Authority,
    Server,
    Device,
    Aggregator,
}

const ROLES: [(Role, &str); 4] = [
    (Role::Authority, "authority"),
    (Role::Server, "server"),
    (Role::Device, "device"),
    (Role::Aggregator, "aggregator"),
];

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = ROLES.iter().find(|(role, _)| role == self);
        f.pad(name.map_or("", |(_, name)| name))
    }
}

/// One certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) role: Role,
    /// The authority by its name; its own name if it signs itself.
    pub(super) issuer: String,
    pub(super) lfdi: Lfdi,
    /// Devices and aggregators prove with it that they mean this server.
    pub(super) pin: Option<Pin>,
    pub(super) issued: Timestamp,
    pub(super) revoked: Option<Timestamp>,
}

impl Entry {
    pub(super) fn is_self_signed(&self) -> bool {
        self.name == self.issuer
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            role,
            issuer,
            lfdi,
            pin,
            issued,
            revoked,
        } = self;
        let pin = pin.map_or_else(String::new, |pin| format!("{:06}", pin.digits()));
        let revoked = revoked.map_or_else(String::new, |at| at.secs().to_string());
        let sfdi = lfdi.sfdi();
        let issued = issued.secs();
        write!(
            f,
            "{name},{role},{issuer},{lfdi},{sfdi},{pin},{issued},{revoked}"
        )
    }
}

impl FromStr for Entry {
    type Err = ();

    fn from_str(row: &str) -> Result<Self, ()> {
        let fields: Vec<&str> = row.split(',').collect();
        let [name, role, issuer, lfdi, _, pin, issued, revoked] = fields[..] else {
            return Err(());
        };
        let (role, _) = ROLES.iter().find(|(_, name)| *name == role).ok_or(())?;
        let time = |text: &str| text.parse().map(Timestamp::from_secs).map_err(|_| ());
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let pin = some(pin).map(|pin| {
            let digits = pin.parse().map_err(|_| ())?;
            Pin::new(digits).map_err(|_| ())
        });
        Ok(Self {
            name: name.to_owned(),
            role: *role,
            issuer: issuer.to_owned(),
            lfdi: lfdi.parse().map_err(|_| ())?,
            pin: pin.transpose()?,
            issued: time(issued)?,
            revoked: some(revoked).map(|at| time(&at)).transpose()?,
        })
    }
}

#[derive(Debug, Default)]
pub(super) struct Index {
    entries: Vec<Entry>,
}

impl Index {
    pub(super) fn read(dir: &Directory) -> Result<Self, PkiError> {
        let text = String::from_utf8_lossy(&dir.read(FILE)?).into_owned();
        let mut entries = Vec::new();
        for (line, row) in (1..).zip(text.lines()).skip(1) {
            let unreadable = |()| PkiError::Index { line };
            entries.push(row.parse().map_err(unreadable)?);
        }
        Ok(Self { entries })
    }

    /// Replaces the file in one step.
    pub(super) fn save(&self, dir: &Directory) -> Result<(), PkiError> {
        let mut text = String::from(HEADER);
        for entry in &self.entries {
            text += &entry.to_string();
            text.push('\n');
        }
        dir.replace(FILE, text.as_bytes(), Secrecy::Private)
    }

    pub(super) fn add(&mut self, entry: Entry) -> Result<(), PkiError> {
        if MAX_ISSUED <= self.entries.len() {
            return Err(PkiError::TooManyIssued);
        }
        self.entries.push(entry);
        Ok(())
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn get(&self, name: &str) -> Result<&Entry, PkiError> {
        let found = self.entries.iter().find(|entry| entry.name == name);
        found.ok_or_else(|| PkiError::UnknownName {
            name: name.to_owned(),
        })
    }

    pub(super) fn revoke(&mut self, name: &str, at: Timestamp) -> Result<&Entry, PkiError> {
        let found = self.entries.iter_mut().find(|entry| entry.name == name);
        let entry = found.ok_or_else(|| PkiError::UnknownName {
            name: name.to_owned(),
        })?;
        entry.revoked.get_or_insert(at);
        Ok(entry)
    }
}
