//! The bytes of a client's handshake, kept until its certificate has been judged.
//!
//! OpenSSL shows a verify callback the chain that it built, not the certificates that the client
//! sent. In TLS 1.2 these travel in the clear, so they can be read from what came in. They are
//! only candidates for issuers: what is proven about the client is proven by OpenSSL.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};

use super::handshake;
use crate::forward::forward_writes;

/// Bytes of a handshake that are kept; what comes after them is not looked at.
pub const MAX_FLIGHT_BYTES: usize = 64 * 1024;
/// Certificates of a client beside its own that are looked at.
pub const MAX_SENT_ISSUERS: usize = 8;

/// What has come in so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Flight(Arc<Mutex<Vec<u8>>>);

impl Flight {
    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_in(&self, more: &[u8]) {
        let mut bytes = self.bytes();
        let room = MAX_FLIGHT_BYTES.saturating_sub(bytes.len());
        bytes.extend_from_slice(&more[..more.len().min(room)]);
    }

    /// DER of the certificates that follow the client's own in its Certificate message.
    pub(super) fn issuers(&self) -> Vec<Vec<u8>> {
        let shown = handshake::certificates(&self.bytes(), 1 + MAX_SENT_ISSUERS);
        shown.into_iter().skip(1).collect()
    }
}

/// A transport whose incoming bytes are kept until [`Watched::settle`].
#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    flight: Option<Flight>,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, flight: Flight) -> Self {
        Self {
            stream,
            flight: Some(flight),
        }
    }

    /// A transport that nobody watches.
    pub(super) fn plain(stream: S) -> Self {
        Self {
            stream,
            flight: None,
        }
    }

    /// The handshake is over, and what was said in it need not be kept.
    pub(super) fn settle(&mut self) {
        if let Some(flight) = self.flight.take() {
            *flight.bytes() = Vec::new();
        }
    }

    pub(super) fn stream(&self) -> &S {
        &self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if let Some(flight) = &self.flight {
            flight.take_in(&buf.filled()[before..]);
        }
        polled
    }
}

forward_writes!(Watched, stream);

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD_HANDSHAKE: u8 = 22;
    const MESSAGE_CERTIFICATE: u8 = 11;

    fn vector24(content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len()).unwrap().to_be_bytes();
        [&length[1..], content].concat()
    }

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        [vec![kind], vector24(body)].concat()
    }

    fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        [&[kind, 3, 3], length.as_slice(), payload].concat()
    }

    fn certificate_message(count: u8) -> Vec<u8> {
        let list: Vec<u8> = (0..count).flat_map(|n| vector24(&[n; 300])).collect();
        message(MESSAGE_CERTIFICATE, &vector24(&list))
    }

    #[test]
    fn issuers_are_found_however_records_cut_the_messages() {
        let messages = [message(1, &[7; 50]), certificate_message(3)].concat();
        for cut in [1, 53, 54, 200, messages.len()] {
            let mut bytes: Vec<u8> = messages
                .chunks(cut)
                .flat_map(|chunk| record(RECORD_HANDSHAKE, chunk))
                .collect();
            bytes.extend(record(20, &[1]));
            let flight = Flight::default();
            flight.take_in(&bytes);
            assert_eq!(flight.issuers(), [vec![1; 300], vec![2; 300]], "{cut}");
        }
    }

    #[test]
    fn nonsense_has_no_issuers() {
        let whole = record(RECORD_HANDSHAKE, &certificate_message(2));
        for end in 0..whole.len() {
            let flight = Flight::default();
            flight.take_in(&whole[..end]);
            assert!(flight.issuers().is_empty(), "{end}");
        }
        for byte in 0..=u8::MAX {
            let flight = Flight::default();
            flight.take_in(&[byte; 400]);
            assert!(flight.issuers().is_empty(), "{byte}");
        }
    }

    #[test]
    fn nothing_is_kept_of_a_handshake_that_is_over() {
        let flight = Flight::default();
        flight.take_in(&[1; 100]);
        Watched::new((), flight.clone()).settle();
        assert_eq!(flight.bytes().capacity(), 0);
    }

    #[test]
    fn bytes_and_issuers_are_bounded() {
        let flight = Flight::default();
        flight.take_in(&record(RECORD_HANDSHAKE, &certificate_message(40)));
        assert_eq!(flight.issuers().len(), MAX_SENT_ISSUERS);
        flight.take_in(&vec![0; 2 * MAX_FLIGHT_BYTES]);
        assert_eq!(flight.bytes().len(), MAX_FLIGHT_BYTES);
        assert_eq!(flight.issuers().len(), MAX_SENT_ISSUERS);
    }
}
