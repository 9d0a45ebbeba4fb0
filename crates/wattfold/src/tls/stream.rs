//! An established connection, without the backend's name in its type.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection after its handshake.
#[derive(Debug)]
pub struct TlsStream<S>(tokio_openssl::SslStream<S>);

impl<S> TlsStream<S> {
    pub(super) fn new(inner: tokio_openssl::SslStream<S>) -> Self {
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
        self.0.get_ref()
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
