//! What a client says in the clear before TLS 1.2 protects it: its `ClientHello` with the name of
//! the server that it wants (RFC 6066 3), and its certificates (RFC 5246 7.4.2).
//!
//! Nothing here names another module, so that it can be fuzzed on its own.

/// Bytes of a `ClientHello`; one that is longer is none.
pub(crate) const MAX_HELLO_BYTES: usize = 16 * 1024;
/// RFC 6066 3 by way of RFC 1035: a host name has at most this many characters.
const MAX_HOST_LEN: usize = 253;

const RECORD_HANDSHAKE: usize = 22;
/// Of every version of TLS, and of SSL 3.0.
const MAJOR_VERSION: usize = 3;
const MESSAGE_CLIENT_HELLO: usize = 1;
const MESSAGE_CERTIFICATE: usize = 11;
const EXTENSION_SERVER_NAME: usize = 0;
const NAME_HOST: usize = 0;

/// What the bytes so far say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hello {
    /// More are needed.
    Unfinished,
    /// A whole one, with the name if it has one, in lower case.
    Whole(Option<String>),
    /// No hello of TLS.
    Nonsense,
}

/// Reads the first bytes of a connection.
pub(crate) fn hello(bytes: &[u8]) -> Hello {
    let (message, rest) = messages(bytes);
    if rest == Rest::Foreign {
        return Hello::Nonsense;
    }
    let mut message = Reader(&message);
    match message.number(1) {
        None => return Hello::Unfinished,
        Some(MESSAGE_CLIENT_HELLO) => {}
        Some(_) => return Hello::Nonsense,
    }
    let Some(length) = message.number(3) else {
        return Hello::Unfinished;
    };
    if MAX_HELLO_BYTES < length {
        return Hello::Nonsense;
    }
    match message.take(length) {
        None => Hello::Unfinished,
        Some(body) => server_name(body).unwrap_or(Hello::Nonsense),
    }
}

/// The certificates (DER) of the Certificate message in these bytes of a client, if it is there as
/// a whole, its own first, and at most `max` of them.
pub(crate) fn certificates(bytes: &[u8], max: usize) -> Vec<Vec<u8>> {
    let (messages, _) = messages(bytes);
    let mut list = Reader(certificate_list(&messages).unwrap_or_default());
    let certificates = std::iter::from_fn(|| list.vector(3));
    certificates.take(max).map(<[u8]>::to_vec).collect()
}

/// What comes after the handshake records.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// Nothing, or the beginning of a record's header.
    Open,
    /// A record of another kind, after which everything is encrypted, or no record.
    Foreign,
}

/// The payload of the handshake records so far, that of the last one as far as it has come.
fn messages(bytes: &[u8]) -> (Vec<u8>, Rest) {
    let mut payload = Vec::new();
    let mut records = Reader(bytes);
    while let Some(kind) = records.number(1) {
        if kind != RECORD_HANDSHAKE {
            return (payload, Rest::Foreign);
        }
        let Some((major, _minor)) = records.number(1).zip(records.number(1)) else {
            break;
        };
        if major != MAJOR_VERSION {
            return (payload, Rest::Foreign);
        }
        let Some(length) = records.number(2) else {
            break;
        };
        let there = length.min(records.0.len());
        payload.extend_from_slice(records.take(there).unwrap_or_default());
    }
    (payload, Rest::Open)
}

/// RFC 5246 7.4.2: the body of the Certificate message is one vector.
fn certificate_list(messages: &[u8]) -> Option<&[u8]> {
    let mut messages = Reader(messages);
    loop {
        let kind = messages.number(1)?;
        let body = messages.vector(3)?;
        if kind == MESSAGE_CERTIFICATE {
            return Reader(body).vector(3);
        }
    }
}

/// RFC 5246 7.4.1.2: the body of a hello. `None` if it is not one.
fn server_name(body: &[u8]) -> Option<Hello> {
    let mut body = Reader(body);
    body.take(2 + 32)?;
    for length_bytes in [1, 2, 1] {
        body.vector(length_bytes)?;
    }
    if body.0.is_empty() {
        return Some(Hello::Whole(None));
    }
    let mut extensions = Reader(body.vector(2)?);
    while !extensions.0.is_empty() {
        let kind = extensions.number(2)?;
        let content = extensions.vector(2)?;
        if kind == EXTENSION_SERVER_NAME {
            return Some(Hello::Whole(Some(host(content)?)));
        }
    }
    Some(Hello::Whole(None))
}

fn host(content: &[u8]) -> Option<String> {
    let mut names = Reader(Reader(content).vector(2)?);
    let kind = names.number(1)?;
    let name = names.vector(2)?;
    if kind != NAME_HOST || !(1..=MAX_HOST_LEN).contains(&name.len()) {
        return None;
    }
    let name = std::str::from_utf8(name).ok()?;
    name.bytes()
        .all(|byte| byte.is_ascii_graphic())
        .then(|| name.to_ascii_lowercase())
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self, bytes: usize) -> Option<usize> {
        let taken = self.take(bytes)?;
        let digits = taken.iter().map(|byte| usize::from(*byte));
        Some(digits.fold(0, |number, digit| number << 8 | digit))
    }

    fn vector(&mut self, length_bytes: usize) -> Option<&'a [u8]> {
        let length = self.number(length_bytes)?;
        self.take(length)
    }
}

#[cfg(test)]
#[path = "handshake/tests.rs"]
mod tests;
