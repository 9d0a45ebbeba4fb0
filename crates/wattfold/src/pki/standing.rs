//! What has been issued, and what is still honoured.

use std::path::Path;

use openssl::x509::X509;
use units::Timestamp;

use super::directory::{Directory, Secrecy};
use super::index::{Entry, Index, Role};
use super::issue::authority;
use super::label::Label;
use super::{NameArgs, PkiError, REVOKED};

/// Puts the certificate on the list that the server reads.
pub(super) fn revoke(args: &NameArgs, now: Timestamp) -> Result<String, PkiError> {
    let dir = Directory::open(&args.dir)?;
    let mut index = Index::read(&dir)?;
    let entry = index.revoke(&args.name, now)?;
    if entry.is_self_signed() && entry.role == Role::Authority {
        // Nobody could sign that list.
        return Err(PkiError::NotAnIssuer {
            name: args.name.clone(),
        });
    }
    let text = format!("{} is revoked, LFDI {}\n", entry.name, entry.lfdi);
    let list = revoked(&dir, &index, now)?;
    index.save(&dir)?;
    dir.replace(REVOKED, &list, Secrecy::Public)?;
    Ok(text)
}

/// A list by each authority for what it has issued, and LFDIs of what no authority has.
fn revoked(dir: &Directory, index: &Index, now: Timestamp) -> Result<Vec<u8>, PkiError> {
    let gone = || {
        index
            .entries()
            .iter()
            .filter(|entry| entry.revoked.is_some())
    };
    let mut text = Vec::new();
    for entry in gone().filter(|entry| entry.is_self_signed()) {
        text.extend(format!("# {}\n{}\n", entry.name, entry.lfdi).bytes());
    }
    let mut issuers: Vec<&str> = gone()
        .filter(|entry| !entry.is_self_signed())
        .map(|entry| entry.issuer.as_str())
        .collect();
    issuers.sort_unstable();
    issuers.dedup();
    for issuer in issuers {
        // Whatever a revoked authority has issued fell with it.
        if index.get(issuer)?.revoked.is_some() {
            continue;
        }
        let mut certificates = Vec::new();
        for entry in gone().filter(|entry| entry.issuer == issuer && !entry.is_self_signed()) {
            let at = entry.revoked.unwrap_or(now);
            certificates.push((certificate(dir, entry)?, at));
        }
        let list = authority(dir, index, issuer)?.revocation_list(&certificates, now)?;
        text.extend(format!("# issued by {issuer}\n").bytes());
        text.extend(list);
    }
    Ok(text)
}

fn certificate(dir: &Directory, entry: &Entry) -> Result<X509, PkiError> {
    let end = match entry.role {
        Role::Authority => "pem",
        _ => "chain.pem",
    };
    Ok(X509::from_pem(
        &dir.read(&format!("{}.{end}", entry.name))?,
    )?)
}

pub(super) fn list(dir: &Path) -> Result<String, PkiError> {
    let index = Index::read(&Directory::open(dir)?)?;
    let mut text = format!(
        "{:<24} {:<10} {:<12} {:<40} {:>12}  {}\n",
        "name", "role", "issuer", "LFDI", "SFDI", "revoked"
    );
    for entry in index.entries() {
        let revoked = entry.revoked.map_or("", |_| "yes");
        let sfdi = entry.lfdi.sfdi();
        let row = format!(
            "{:<24} {:<10} {:<12} {:<40} {sfdi:>12}  {revoked}",
            entry.name, entry.role, entry.issuer, entry.lfdi
        );
        text += row.trim_end();
        text.push('\n');
    }
    Ok(text)
}

pub(super) fn show(dir: &Path, name: &str) -> Result<String, PkiError> {
    let index = Index::read(&Directory::open(dir)?)?;
    let entry = index.get(name)?;
    let label = Label {
        lfdi: entry.lfdi,
        pin: entry.pin,
    };
    Ok(label.to_string())
}
