//! A stream whose reader has to go on reading.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// Time in which a client has to take [`MIN_SENT_BYTES`] of what it is sent, or all of it.
pub const SEND_TIMEOUT: Duration = Duration::from_secs(30);
/// What a client has to take in that time, so that one that reads drop by drop does not hold an
/// answer for hours. It is about 9 kbit/s, less than the slowest cellular links carry.
pub const MIN_SENT_BYTES: usize = 32 * 1024;

/// Set once, and polled until it is over.
pub(crate) type Timer = Option<Pin<Box<Sleep>>>;

/// A stream whose reader must not stop reading for good, nor nearly so.
#[derive(Debug)]
pub(crate) struct Steady<S> {
    stream: S,
    /// Since the reader was waited for.
    send: Timer,
    /// Taken since then.
    taken: usize,
}

impl<S> Steady<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            send: None,
            taken: 0,
        }
    }

    /// The reader has taken so much.
    fn progress(&mut self, bytes: usize) {
        self.taken = self.taken.saturating_add(bytes);
        if MIN_SENT_BYTES <= self.taken {
            self.settled();
        }
    }

    /// There is nothing that the reader is waited for.
    fn settled(&mut self) {
        self.send = None;
        self.taken = 0;
    }

    fn wait<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if self.send.is_none() {
            self.taken = 0;
        }
        if is_over(&mut self.send, SEND_TIMEOUT, cx) {
            let late = "what was sent was not taken";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, late)));
        }
        Poll::Pending
    }
}

/// Whether the time is over that began with the first call.
pub(crate) fn is_over(timer: &mut Timer, limit: Duration, cx: &mut Context<'_>) -> bool {
    let timer = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
    timer.as_mut().poll(cx).is_ready()
}

impl<S: AsyncRead + Unpin> AsyncRead for Steady<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Steady<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        match polled {
            Poll::Ready(Ok(taken)) => self.progress(taken),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => return self.wait(cx),
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        if polled.is_pending() {
            return self.wait(cx);
        }
        self.settled();
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(cx);
        if polled.is_pending() {
            return self.wait(cx);
        }
        self.settled();
        polled
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_must_be_taken() {
        let (_client, server) = duplex(64);
        let mut steady = Steady::new(server);
        let before = SEND_TIMEOUT - Duration::from_secs(1);
        let patient = tokio::time::timeout(before, steady.write_all(&[0; 65])).await;
        assert!(patient.is_err());
        let error = steady.write_all(&[0; 1]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    /// Reads so many bytes a second, and so much in all.
    async fn read_slowly(mut client: tokio::io::DuplexStream, per_s: usize, all: usize) {
        let mut buf = vec![0; per_s];
        for _ in 0..all / per_s {
            tokio::time::sleep(Duration::from_secs(1)).await;
            client.read_exact(&mut buf).await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_must_not_be_taken_drop_by_drop() {
        let all = 16 * MIN_SENT_BYTES;
        let at_least = MIN_SENT_BYTES.div_ceil(usize::try_from(SEND_TIMEOUT.as_secs()).unwrap());
        for (per_s, is_taken) in [(at_least + 100, true), (at_least - 100, false), (1, false)] {
            let (client, server) = duplex(64);
            let mut steady = Steady::new(server);
            let answer = vec![0; all];
            let sent = tokio::select! {
                sent = steady.write_all(&answer) => sent,
                () = read_slowly(client, per_s, 2 * all) => panic!("more than there was"),
            };
            let kind = sent.map_err(|error| error.kind());
            let expected = if is_taken {
                Ok(())
            } else {
                Err(io::ErrorKind::TimedOut)
            };
            assert_eq!(kind, expected, "{per_s} a second");
        }
    }

    /// What is little may be taken slowly.
    #[tokio::test(start_paused = true)]
    async fn what_was_taken_whole_counts_no_more() {
        let (mut client, server) = duplex(64);
        let mut steady = Steady::new(server);
        for _ in 0..3 {
            let reading = async {
                tokio::time::sleep(SEND_TIMEOUT - Duration::from_secs(1)).await;
                client.read_exact(&mut [0; 100]).await.unwrap();
            };
            let writing = async {
                steady.write_all(&[0; 100]).await.unwrap();
                steady.flush().await.unwrap();
            };
            tokio::join!(reading, writing);
        }
    }
}
