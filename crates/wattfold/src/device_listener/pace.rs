//! A connection whose client has to keep going with what it began.
//!
//! Waiting for a request may take as long as the listener allows; a request head that has begun
//! and an answer that is being sent ([`Steady`]) may not. The timer for requests is set once and
//! moved only when it fires, for a client that asks all the time would set it anew with each
//! request.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};

use crate::clock::{self, Deadline};
use crate::forward::forward_writes;
use crate::steady::{Steady, Timer, is_over};

/// Time a client gets to send the rest of a request head.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(20);

const WAITING: u8 = 0;
const IN_HEAD: u8 = 1;
const ANSWERING: u8 = 2;

/// Where a connection is in its conversation.
#[derive(Clone, Debug, Default)]
pub(super) struct Phase(Arc<AtomicU8>);

impl Phase {
    /// A request is complete but for its body.
    pub(super) fn answering(&self) {
        self.0.store(ANSWERING, Ordering::Relaxed);
    }

    /// The answer is there.
    pub(super) fn waiting(&self) {
        self.0.store(WAITING, Ordering::Relaxed);
    }

    /// Something came; whether a head begins with it.
    fn begins(&self) -> bool {
        let begins = self.is_waiting();
        if begins {
            self.0.store(IN_HEAD, Ordering::Relaxed);
        }
        begins
    }

    fn is_in_head(&self) -> bool {
        self.0.load(Ordering::Relaxed) == IN_HEAD
    }

    fn is_waiting(&self) -> bool {
        self.0.load(Ordering::Relaxed) == WAITING
    }
}

/// A connection whose client has to go on with a request head that it has begun, and comes to an
/// end when it asks for nothing.
#[derive(Debug)]
pub(super) struct Paced<S> {
    stream: Steady<S>,
    phase: Phase,
    head: Timer,
    idle: Idle,
}

#[derive(Debug)]
struct Idle {
    limit: Duration,
    timer: Timer,
    /// When the client has waited for too long with its next request, while it does.
    due: Option<Deadline>,
}

impl<S> Paced<S> {
    pub(super) fn new(stream: S, phase: Phase, idle_timeout: Duration) -> Self {
        Self {
            stream: Steady::new(stream),
            phase,
            head: None,
            idle: Idle {
                limit: idle_timeout,
                timer: None,
                due: None,
            },
        }
    }
}

impl Idle {
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        let due = *self.due.get_or_insert_with(|| clock::deadline(self.limit));
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        while timer.as_mut().poll(cx).is_ready() {
            if due <= timer.deadline() {
                return true;
            }
            timer.as_mut().reset(due);
        }
        false
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        // Nobody need have looked since the head before, whose time is no longer of interest.
        if before < buf.filled().len() && self.phase.begins() {
            self.head = None;
        }
        if !self.phase.is_waiting() {
            self.idle.due = None;
        } else if polled.is_pending() && self.idle.is_over(cx) {
            return Poll::Ready(Ok(()));
        }
        if !self.phase.is_in_head() {
            self.head = None;
        } else if polled.is_pending() && is_over(&mut self.head, HEAD_TIMEOUT, cx) {
            let late = "a request head was not finished";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, late)));
        }
        polled
    }
}

forward_writes!(Paced, stream);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    const LONG: Duration = Duration::from_secs(3_600);

    /// Reads until it fails.
    async fn read_on(paced: &mut Paced<tokio::io::DuplexStream>) -> io::Error {
        let mut buf = [0; 64];
        loop {
            match paced.read(&mut buf).await {
                Ok(_) => {}
                Err(error) => return error,
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_has_begun_must_be_finished() {
        let (mut client, server) = duplex(64);
        let phase = Phase::default();
        let mut paced = Paced::new(server, phase.clone(), 9 * LONG);
        let mut buf = [0; 64];
        // Before a head, there is time.
        let waiting = tokio::time::timeout(LONG, paced.read(&mut buf)).await;
        assert!(waiting.is_err());
        client.write_all(b"GET").await.unwrap();
        assert_eq!(paced.read(&mut buf).await.unwrap(), 3);
        // More of it does not give more time.
        let trickle = async {
            for _ in 0..=HEAD_TIMEOUT.as_secs() {
                tokio::time::sleep(Duration::from_secs(1)).await;
                client.write_all(b" ").await.unwrap();
            }
        };
        let error = tokio::select! {
            biased;
            error = read_on(&mut paced) => error,
            () = trickle => panic!("it was never given up"),
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_in_work_and_the_wait_after_it_are_not_heads() {
        let (mut client, server) = duplex(64);
        let phase = Phase::default();
        let mut paced = Paced::new(server, phase.clone(), 9 * LONG);
        let mut buf = [0; 64];
        for _ in 0..2 {
            client.write_all(b"GET").await.unwrap();
            assert_eq!(paced.read(&mut buf).await.unwrap(), 3);
            phase.answering();
            assert!(
                tokio::time::timeout(LONG, paced.read(&mut buf))
                    .await
                    .is_err()
            );
            phase.waiting();
            assert!(
                tokio::time::timeout(LONG, paced.read(&mut buf))
                    .await
                    .is_err()
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_head_has_its_own_time() {
        let (mut client, server) = duplex(64);
        let phase = Phase::default();
        let mut paced = Paced::new(server, phase.clone(), 9 * LONG);
        let mut buf = [0; 64];
        let moment = Duration::from_secs(1);
        for _ in 0..2 {
            client.write_all(b"GET").await.unwrap();
            assert_eq!(paced.read(&mut buf).await.unwrap(), 3);
            let going_on = tokio::time::timeout(moment, paced.read(&mut buf)).await;
            assert!(going_on.is_err());
            phase.answering();
            phase.waiting();
            tokio::time::sleep(HEAD_TIMEOUT).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_asks_for_nothing_more_is_left() {
        let (mut client, server) = duplex(64);
        let phase = Phase::default();
        let mut paced = Paced::new(server, phase.clone(), LONG);
        let mut buf = [0; 64];
        let almost = LONG - Duration::from_secs(1);
        for _ in 0..3 {
            let idle = tokio::time::timeout(almost, paced.read(&mut buf)).await;
            assert!(idle.is_err());
            client.write_all(b"GET").await.unwrap();
            assert_eq!(paced.read(&mut buf).await.unwrap(), 3);
            phase.answering();
            let working = tokio::time::timeout(2 * LONG, paced.read(&mut buf)).await;
            assert!(working.is_err());
            phase.waiting();
        }
        let idle = tokio::time::timeout(almost, paced.read(&mut buf)).await;
        assert!(idle.is_err());
        let moment = Duration::from_secs(2);
        let left = tokio::time::timeout(moment, paced.read(&mut buf)).await;
        assert_eq!(left.unwrap().unwrap(), 0);
    }
}
