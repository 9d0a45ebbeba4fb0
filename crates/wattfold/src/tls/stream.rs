//! An established connection, without the backend's name in its type.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use fleet::Lfdi;
use openssl::x509::GeneralNameRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::flight::Watched;
use super::judge::lfdi;

/// A connection after its handshake.
#[derive(Debug)]
pub struct TlsStream<S>(tokio_openssl::SslStream<Watched<S>>);

impl<S> TlsStream<S> {
    pub(super) fn new(inner: tokio_openssl::SslStream<Watched<S>>) -> Self {
        Self(inner)
    }

    /// OpenSSL's name of the negotiated cipher, for logs.
    pub fn cipher(&self) -> &'static str {
        self.0
            .ssl()
            .current_cipher()
            .map_or("none", |cipher| cipher.name())
    }

    pub fn transport(&self) -> &S
    where
        S: AsyncRead + AsyncWrite,
    {
        self.0.get_ref().stream()
    }

    /// Whether the handshake took up an earlier session.
    pub fn is_resumed(&self) -> bool {
        self.0.ssl().session_reused()
    }

    /// The identity of the other side's certificate, where there is one.
    pub fn peer_lfdi(&self) -> Option<Lfdi> {
        lfdi(self.0.ssl().peer_certificate()?.as_ref()).ok()
    }

    /// Whether the other side's certificate has exactly this host name or address.
    pub(super) fn peer_is_named(&self, host: &str) -> bool {
        let certificate = self.0.ssl().peer_certificate();
        let names = certificate.and_then(|certificate| certificate.subject_alt_names());
        let is_host = |name: &GeneralNameRef| match host.parse() {
            Ok(IpAddr::V4(v4)) => name.ipaddress() == Some(&v4.octets()),
            Ok(IpAddr::V6(v6)) => name.ipaddress() == Some(&v6.octets()),
            Err(_) => name
                .dnsname()
                .is_some_and(|name| name.eq_ignore_ascii_case(host)),
        };
        names.is_some_and(|names| names.iter().any(is_host))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
