//! One connection within a tunnel, as bytes that are read and written.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are written at once.
const MAX_PIECE: usize = 16 * 1024;

pub(super) struct Stream {
    incoming: RecvStream,
    outgoing: SendStream<Bytes>,
    /// What has come in and was not read yet.
    piece: Bytes,
    is_ended: bool,
}

impl Stream {
    pub(super) fn new(incoming: RecvStream, outgoing: SendStream<Bytes>) -> Self {
        Self {
            incoming,
            outgoing,
            piece: Bytes::new(),
            is_ended: false,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.piece.is_empty() {
            match ready!(self.incoming.poll_data(cx)) {
                Some(piece) => self.piece = piece.map_err(io::Error::other)?,
                None => return Poll::Ready(Ok(())),
            }
        }
        let fits = self.piece.len().min(buf.remaining());
        buf.put_slice(&self.piece.split_to(fits));
        // Only what has been taken makes room for more.
        let released = self.incoming.flow_control().release_capacity(fits);
        Poll::Ready(released.map_err(io::Error::other))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let wanted = buf.len().min(MAX_PIECE);
        self.outgoing.reserve_capacity(wanted);
        let mut room = self.outgoing.capacity();
        while room == 0 {
            match ready!(self.outgoing.poll_capacity(cx)) {
                Some(granted) => room = granted.map_err(io::Error::other)?,
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            }
        }
        let taken = wanted.min(room);
        let piece = Bytes::copy_from_slice(&buf[..taken]);
        let sent = self.outgoing.send_data(piece, false);
        Poll::Ready(sent.map(|()| taken).map_err(io::Error::other))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if std::mem::replace(&mut self.is_ended, true) {
            return Poll::Ready(Ok(()));
        }
        let sent = self.outgoing.send_data(Bytes::new(), true);
        Poll::Ready(sent.map_err(io::Error::other))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{Method, Request, Response};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::super::{STREAM_WINDOW_BYTES, TUNNEL_WINDOW_BYTES};
    use super::*;

    const SOON: Duration = Duration::from_millis(200);

    struct Tunnel {
        opener: h2::client::SendRequest<Bytes>,
        server: h2::server::Connection<DuplexStream, Bytes>,
    }

    /// Both ends of a tunnel for at most so many streams.
    async fn tunnel(max_streams: u32) -> Tunnel {
        let (outer, inner) = duplex(1024 * 1024);
        let dialling = h2::server::Builder::new()
            .max_concurrent_streams(max_streams)
            .initial_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(TUNNEL_WINDOW_BYTES)
            .handshake(inner);
        let mut listening = h2::client::Builder::new();
        listening
            .initial_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(TUNNEL_WINDOW_BYTES);
        let (server, client) = tokio::join!(dialling, listening.handshake(outer));
        let (opener, connection) = client.unwrap();
        tokio::spawn(connection);
        Tunnel {
            opener,
            server: server.unwrap(),
        }
    }

    fn connect() -> Request<()> {
        let mut request = Request::new(());
        *request.method_mut() = Method::CONNECT;
        *request.uri_mut() = http::Uri::from_static("device");
        request
    }

    impl Tunnel {
        /// A stream's two ends: the relay's and the server's.
        async fn open(mut self) -> (Stream, Stream) {
            let (answer, outgoing) = self.opener.send_request(connect(), false).unwrap();
            let (request, mut respond) = self.server.accept().await.unwrap().unwrap();
            let back = respond.send_response(Response::new(()), false).unwrap();
            tokio::spawn(async move { while self.server.accept().await.is_some() {} });
            let answer = answer.await.unwrap();
            let outer = Stream::new(answer.into_body(), outgoing);
            (outer, Stream::new(request.into_body(), back))
        }
    }

    #[tokio::test]
    async fn what_goes_in_comes_out_and_so_does_the_end() {
        let (outer, inner) = tunnel(8).await.open().await;
        let sent: Vec<u8> = (0..1_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let (mut read, mut write) = tokio::io::split(outer);
        let echo = async move {
            let (mut read, mut write) = tokio::io::split(inner);
            tokio::io::copy(&mut read, &mut write).await.unwrap();
            write.shutdown().await.unwrap();
        };
        let writing = async {
            write.write_all(&sent).await.unwrap();
            write.shutdown().await.unwrap();
        };
        let mut received = Vec::new();
        let reading = async { read.read_to_end(&mut received).await.unwrap() };
        tokio::join!(echo, writing, reading);
        assert!(received == sent);
    }

    #[tokio::test]
    async fn a_writer_waits_for_its_reader_and_no_other() {
        let (mut writer, mut reader) = tunnel(8).await.open().await;
        let mut written = 0;
        let piece = [7; 1_000];
        while let Ok(taken) = tokio::time::timeout(SOON, writer.write(&piece)).await {
            written += taken.unwrap();
        }
        assert_eq!(written, usize::try_from(STREAM_WINDOW_BYTES).unwrap());
        let mut room = [0; 20_000];
        reader.read_exact(&mut room).await.unwrap();
        let more = tokio::time::timeout(SOON, writer.write(&piece)).await;
        assert!(more.unwrap().unwrap() <= piece.len());
    }

    /// The third of two gets no answer until one of them is gone.
    #[tokio::test]
    async fn one_stream_too_many_waits_for_a_place() {
        let Tunnel { opener, mut server } = tunnel(2).await;
        tokio::spawn(async move {
            let mut held = Vec::new();
            while let Some(accepted) = server.accept().await {
                let (request, mut respond) = accepted.unwrap();
                let back = respond.send_response(Response::new(()), false).unwrap();
                held.push((request, back));
            }
        });
        let mut held = Vec::new();
        for _ in 0..2 {
            let mut ready = opener.clone().ready().await.unwrap();
            let (answer, outgoing) = ready.send_request(connect(), false).unwrap();
            held.push((answer.await.unwrap(), outgoing));
        }
        let mut ready = opener.clone().ready().await.unwrap();
        let (mut answer, _outgoing) = ready.send_request(connect(), false).unwrap();
        assert!(tokio::time::timeout(SOON, &mut answer).await.is_err());
        held.pop();
        let answer = tokio::time::timeout(10 * SOON, answer).await;
        assert!(answer.unwrap().is_ok());
    }
}
