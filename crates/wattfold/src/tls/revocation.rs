//! Which certificates are no longer honoured.
//!
//! IEEE 2030.5 gives device certificates no revocation of their own: whom a server honours is its
//! list of LFDIs. An authority may publish lists all the same. One file holds both: PEM
//! certificate revocation lists, each signed by a trusted authority, and LFDIs, one to a line.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use fleet::Lfdi;
use openssl::error::ErrorStack;
use openssl::sha::sha256;
use openssl::x509::{X509, X509Crl, X509Ref};

/// Bytes of a revocation file; a longer one is refused.
pub const MAX_REVOCATION_BYTES: u64 = 64 * 1024 * 1024;
/// Certificates that a revocation file may name; one with more is refused.
pub const MAX_REVOKED: usize = 200_000;

const BEGIN: &str = "-----BEGIN X509 CRL-----";
const END: &str = "-----END X509 CRL-----";

/// Why a revocation file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum RevocationError {
    #[error("cannot read {}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} is longer than {MAX_REVOCATION_BYTES} bytes", path.display())]
    TooLong { path: PathBuf },
    #[error("{} names more than {MAX_REVOKED} certificates", path.display())]
    TooMany { path: PathBuf },
    #[error("{}, line {line}: neither an LFDI nor a certificate revocation list", path.display())]
    Line { path: PathBuf, line: usize },
    #[error("{}, line {line}: this list is not signed by a trusted authority", path.display())]
    Signature { path: PathBuf, line: usize },
    #[error("{}: OpenSSL could not read a list", path.display())]
    Backend { path: PathBuf, source: ErrorStack },
}

/// A certificate by issuer and serial number, as revocation lists name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct SerialKey([u8; 32]);

impl SerialKey {
    pub(super) fn of(certificate: &X509Ref) -> Result<Self, ErrorStack> {
        let serial = certificate.serial_number().to_bn()?.to_vec();
        Ok(Self::new(&certificate.issuer_name().to_der()?, &serial))
    }

    pub(super) fn new(issuer: &[u8], serial: &[u8]) -> Self {
        Self(sha256(&[issuer, serial].concat()))
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Revocations {
    serials: HashSet<SerialKey>,
    lfdis: HashSet<Lfdi>,
}

impl Revocations {
    /// Reads a file whose lists must be signed by one of `authorities`.
    pub(super) fn read(path: &Path, authorities: &[X509]) -> Result<Self, RevocationError> {
        let unreadable = |source| RevocationError::Read {
            path: path.to_owned(),
            source,
        };
        let length = std::fs::metadata(path).map_err(unreadable)?.len();
        if MAX_REVOCATION_BYTES < length {
            return Err(RevocationError::TooLong {
                path: path.to_owned(),
            });
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        Self::parse(&text, authorities).map_err(|fault| fault.at(path))
    }

    fn parse(text: &str, authorities: &[X509]) -> Result<Self, Fault> {
        let mut revocations = Self::default();
        let mut list: Option<(usize, String)> = None;
        for (line, content) in (1..).zip(text.lines().map(str::trim)) {
            if let Some((begun, pem)) = &mut list {
                pem.push_str(content);
                pem.push('\n');
                if content == END {
                    revocations.add_list(pem, authorities, *begun)?;
                    list = None;
                }
            } else if content == BEGIN {
                list = Some((line, format!("{content}\n")));
            } else if !content.is_empty() && !content.starts_with('#') {
                let lfdi = content.parse().map_err(|_| Fault::Line(line))?;
                revocations.lfdis.insert(lfdi);
            }
            if MAX_REVOKED < revocations.len() {
                return Err(Fault::TooMany);
            }
        }
        match list {
            Some((begun, _)) => Err(Fault::Line(begun)),
            None => Ok(revocations),
        }
    }

    fn add_list(&mut self, pem: &str, authorities: &[X509], line: usize) -> Result<(), Fault> {
        let list = X509Crl::from_pem(pem.as_bytes()).map_err(|_| Fault::Line(line))?;
        let issuer = list.issuer_name().to_der()?;
        let mut is_signed = false;
        for authority in authorities {
            if authority.subject_name().to_der()? == issuer {
                is_signed |= list.verify(&*authority.public_key()?)?;
            }
        }
        if !is_signed {
            return Err(Fault::Signature(line));
        }
        for entry in list.get_revoked().into_iter().flatten() {
            let serial = entry.serial_number().to_bn()?.to_vec();
            self.serials.insert(SerialKey::new(&issuer, &serial));
        }
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.serials.len() + self.lfdis.len()
    }

    pub(super) fn has(&self, lfdi: Lfdi, key: SerialKey) -> bool {
        self.lfdis.contains(&lfdi) || self.has_serial(key)
    }

    pub(super) fn has_serial(&self, key: SerialKey) -> bool {
        self.serials.contains(&key)
    }
}

/// What is wrong, before it is known in which file.
#[derive(Debug)]
enum Fault {
    TooMany,
    Line(usize),
    Signature(usize),
    Backend(ErrorStack),
}

impl From<ErrorStack> for Fault {
    fn from(stack: ErrorStack) -> Self {
        Self::Backend(stack)
    }
}

impl Fault {
    fn at(self, path: &Path) -> RevocationError {
        let path = path.to_owned();
        match self {
            Self::TooMany => RevocationError::TooMany { path },
            Self::Line(line) => RevocationError::Line { path, line },
            Self::Signature(line) => RevocationError::Signature { path, line },
            Self::Backend(source) => RevocationError::Backend { path, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "3E4F45AB31EDFE5B67E343E5E4562E31984E23E5";

    fn read(text: &str) -> Result<Revocations, RevocationError> {
        Revocations::parse(text, &[]).map_err(|fault| fault.at(Path::new("revoked.pem")))
    }

    #[test]
    fn lfdis_stand_one_to_a_line_beside_comments() {
        let revocations = read(&format!("# stolen\n\n  {ONE}  \n")).unwrap();
        let key = SerialKey::new(b"issuer", b"1");
        assert!(revocations.has(ONE.parse().unwrap(), key));
        assert!(!revocations.has(Lfdi([0; 20]), key));
        assert_eq!(revocations.len(), 1);
    }

    #[test]
    fn what_cannot_be_read_is_named_by_its_line() {
        for (text, line) in [
            (format!("{ONE}\nnonsense\n"), 2),
            (format!("{ONE}\n\n{BEGIN}\nAAAA\n"), 3),
            (format!("{BEGIN}\nAAAA\n{END}\n"), 1),
        ] {
            let error = read(&text).unwrap_err().to_string();
            assert!(error.contains(&format!("line {line}:")), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_too_long_is_not_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let read = |length| {
            file.as_file().set_len(length).unwrap();
            Revocations::read(file.path(), &[]).unwrap_err()
        };
        let longest = read(MAX_REVOCATION_BYTES);
        assert!(matches!(longest, RevocationError::Line { .. }), "{longest}");
        let longer = read(MAX_REVOCATION_BYTES + 1);
        assert!(
            matches!(longer, RevocationError::TooLong { .. }),
            "{longer}"
        );
    }

    #[test]
    fn a_file_with_too_many_is_refused() {
        use std::fmt::Write as _;
        let mut text = String::new();
        for n in 0..=MAX_REVOKED {
            writeln!(text, "{n:040X}").unwrap();
        }
        let error = read(&text).unwrap_err();
        assert!(matches!(error, RevocationError::TooMany { .. }), "{error}");
        let fits = text.rsplitn(3, '\n').last().unwrap();
        assert_eq!(read(fits).unwrap().len(), MAX_REVOKED);
    }
}
