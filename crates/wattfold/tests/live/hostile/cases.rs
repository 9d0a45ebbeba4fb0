//! One request that deserves a refusal, byte by byte.

use std::io::ErrorKind;

use crate::exchange::{Reply, Request, Wire};

/// What is sent on a connection of its own, and the status that it deserves.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) what: &'static str,
    status: u16,
    bytes: Vec<u8>,
    /// Whether the client hangs up its side after that.
    ends: bool,
    /// Whether the refusal comes from below the protocol: in none of its forms, or just by hanging
    /// up.
    is_bare: bool,
}

impl Case {
    pub(super) fn of(what: &'static str, status: u16, bytes: Vec<u8>) -> Self {
        Self {
            what,
            status,
            bytes,
            ends: false,
            is_bare: false,
        }
    }

    pub(super) fn then_end(self) -> Self {
        Self { ends: true, ..self }
    }

    pub(super) fn bare(self) -> Self {
        Self {
            is_bare: true,
            ..self
        }
    }
}

/// Sends it all and reads the reply, whose status is as it should be. `None` if it came from below
/// the protocol. The server may have hung up before everything was sent.
pub(super) async fn sent(wire: &mut Wire, case: &Case) -> Option<Reply> {
    let sent = wire.send(&case.bytes).await;
    if case.ends {
        wire.end().await.unwrap();
    }
    let reply = match wire.reply().await {
        Err(error) if case.is_bare => {
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{}", case.what);
            return None;
        }
        reply => reply.unwrap_or_else(|error| panic!("{}: {error}, {sent:?}", case.what)),
    };
    assert_eq!(reply.status, case.status, "{}: {}", case.what, reply.text());
    (!case.is_bare).then_some(reply)
}

/// The head of `request` and so many bytes of a body that is longer.
pub(super) fn cut_off(request: &Request) -> Vec<u8> {
    let mut bytes = request.head("Content-Length: 100\r\n");
    bytes.extend(b"<DERSettings ");
    bytes
}

/// `request` with a body of `bytes` in chunks.
pub(super) fn chunked(request: &Request, bytes: usize) -> Vec<u8> {
    const CHUNK: usize = 32 * 1024;
    let mut out = request.head("Transfer-Encoding: chunked\r\n");
    let mut left = bytes;
    while 0 < left {
        let size = left.min(CHUNK);
        out.extend(format!("{size:x}\r\n").bytes());
        out.extend(std::iter::repeat_n(b' ', size));
        out.extend(b"\r\n");
        left -= size;
    }
    out.extend(b"0\r\n\r\n");
    out
}

/// Elements inside each other.
pub(super) fn deep(levels: usize) -> String {
    "<a>".repeat(levels) + &"</a>".repeat(levels)
}
