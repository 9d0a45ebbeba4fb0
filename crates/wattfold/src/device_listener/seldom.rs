//! A future that is polled when something has woken it, not whenever its task is polled.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// What a busy task waits for beside its work: timers and signals, which cost a look each.
#[derive(Debug)]
pub(super) struct Seldom<F> {
    future: F,
    bell: Arc<Bell>,
}

#[derive(Debug)]
struct Bell {
    has_rung: AtomicBool,
    task: Mutex<Option<Waker>>,
}

impl<F: Future + Unpin> Seldom<F> {
    pub(super) fn new(future: F) -> Self {
        let bell = Bell {
            has_rung: AtomicBool::new(true),
            task: Mutex::new(None),
        };
        Self {
            future,
            bell: Arc::new(bell),
        }
    }
}

impl<F: Future + Unpin> Future for Seldom<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.bell.answered_by(cx.waker());
        if !self.bell.has_rung.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        let waker = Waker::from(Arc::clone(&self.bell));
        Pin::new(&mut self.future).poll(&mut Context::from_waker(&waker))
    }
}

impl Bell {
    fn answered_by(&self, task: &Waker) {
        let mut known = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.as_ref().is_some_and(|known| known.will_wake(task)) {
            *known = Some(task.clone());
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.has_rung.store(true, Ordering::Release);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = task.as_ref() {
            task.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::time::Duration;

    use tokio::sync::watch;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_ends_when_what_it_waits_for_does() {
        let (sender, mut receiver) = watch::channel(false);
        let signal = pin!(async move { receiver.wait_for(|is| *is).await.is_ok() });
        let mut seldom = Seldom::new(signal);
        assert!(
            tokio::time::timeout(Duration::from_secs(9), &mut seldom)
                .await
                .is_err()
        );
        let signalled = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            sender.send_replace(true);
        };
        let (is, ()) = tokio::join!(&mut seldom, signalled);
        assert!(is);
    }

    #[tokio::test]
    async fn its_task_may_be_polled_often() {
        let mut polls = 0;
        let never = pin!(poll_fn(|_| {
            polls += 1;
            Poll::<()>::Pending
        }));
        let mut seldom = Seldom::new(never);
        for _ in 0..9 {
            let once = poll_fn(|cx| Poll::Ready(Pin::new(&mut seldom).poll(cx).is_pending()));
            assert!(once.await);
        }
        assert_eq!(polls, 1);
    }
}
