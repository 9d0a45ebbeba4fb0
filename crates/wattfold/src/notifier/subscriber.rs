//! One subscriber: the task that owns its queue and its connections.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fleet::{Client, Fleet, Lfdi};
use http::StatusCode;
use ieee2030_5::server::notification::{self, Fingerprint, Notice, Word};
use ieee2030_5::server::subscription::{Destination, Endpoint, SubscriptionId};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use units::Timestamp;

use super::post::{Answer, Connection, DialError, Dialer, PostError};
use super::queue::{Known, Outcome, Queue};
use super::waiting::Waiting;
use crate::clock;
use crate::node::{Node, Settlement, Unavailable};

/// Posts to one subscriber that are under way at one time, each on a connection of its own.
pub const MAX_LANES: usize = 16;
/// Notifications that wait for one subscriber before another connection to it is opened.
const PER_LANE: usize = 64;
/// Time after which a subscriber to whom there is nothing to say is let go with its connections.
pub const IDLE: Duration = Duration::from_secs(60);
/// Attempts to tell that a subscription is over.
pub const MAX_FINAL_ATTEMPTS: u32 = 5;

/// Who is told, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Home {
    pub(super) client: Client,
    pub(super) endpoint: Endpoint,
}

/// Subscriptions that a subscriber is to look at: what they are about may have changed, or they
/// are over.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) numbers: Vec<u32>,
    /// They count here until they count in the subscriber's queue.
    pub(super) waiting: Waiting,
}

/// What a subscriber reports.
#[derive(Clone, Copy, Debug)]
pub(super) enum Report {
    /// The resource of this subscription changes by itself then.
    Wake(SubscriptionId, Option<Timestamp>),
    /// This has come of a notification.
    Settled(Settlement),
}

/// What all subscribers share.
pub(super) struct Shared {
    pub(super) node: Arc<Node>,
    pub(super) dialer: Dialer,
    pub(super) give_up_after: Duration,
    pub(super) reports: mpsc::Sender<Report>,
}

struct Subscriber {
    shared: Arc<Shared>,
    home: Arc<Home>,
    queue: Queue,
    waiting: Waiting,
    idle: Vec<Connection>,
    lanes: JoinSet<Attempt>,
}

/// Serves one subscriber until there was nothing to say for a while.
pub(super) async fn run(
    shared: Arc<Shared>,
    home: Home,
    mut orders: mpsc::Receiver<Look>,
    waiting: Waiting,
) {
    let mut subscriber = Subscriber {
        queue: Queue::new(shared.give_up_after),
        shared,
        home: Arc::new(home),
        waiting,
        idle: Vec::new(),
        lanes: JoinSet::new(),
    };
    loop {
        let wake = subscriber.begin();
        tokio::select! {
            order = orders.recv() => match order {
                Some(order) => subscriber.take(order),
                None => break,
            },
            Some(ended) = subscriber.lanes.join_next() => match ended {
                Ok(attempt) => subscriber.end(attempt).await,
                Err(error) => tracing::error!(%error, "a notification was not attempted"),
            },
            () = tokio::time::sleep(wake.unwrap_or(IDLE)) => {
                if wake.is_none() && subscriber.lanes.is_empty() {
                    break;
                }
            }
        }
    }
    hand_back(orders, subscriber.home.client, &subscriber.shared.reports).await;
}

/// What was ordered in the last moment is for the next who serves this subscriber.
async fn hand_back(
    mut orders: mpsc::Receiver<Look>,
    client: Client,
    reports: &mpsc::Sender<Report>,
) {
    orders.close();
    while let Ok(look) = orders.try_recv() {
        for number in look.numbers {
            let id = SubscriptionId { client, number };
            let now = Some(clock::now());
            if reports.send(Report::Wake(id, now)).await.is_err() {
                tracing::debug!("the notifier has ended");
            }
        }
    }
}

impl Subscriber {
    /// Begins what can be begun, and says when there will be more.
    fn begin(&mut self) -> Option<Duration> {
        let now = clock::monotonic();
        let lanes = lanes(self.queue.pending());
        while self.lanes.len() < lanes
            && let Some(number) = self.queue.take(now)
        {
            self.idle.retain(Connection::is_open);
            let work = Work {
                shared: Arc::clone(&self.shared),
                home: Arc::clone(&self.home),
                number,
                known: self.queue.known(number),
                failures: self.queue.failures(number),
                connection: self.idle.pop(),
            };
            self.lanes.spawn(work.attempt());
        }
        self.waiting.set(self.queue.pending());
        let wake = self.queue.wake_at(lanes)?;
        Some(wake.saturating_duration_since(now))
    }

    fn take(&mut self, look: Look) {
        look.numbers
            .into_iter()
            .for_each(|number| self.queue.touch(number));
        self.waiting.set(self.queue.pending());
        drop(look.waiting);
    }

    async fn end(&mut self, attempt: Attempt) {
        let kept = attempt.connection.filter(Connection::is_open);
        if self.shared.dialer.has_room(self.home.client) {
            self.idle.extend(kept);
        }
        let now = clock::monotonic();
        let given_up = self
            .queue
            .finish(attempt.number, attempt.outcome, (now, spread()));
        for number in given_up {
            let client = self.home.client;
            let endpoint = &self.home.endpoint;
            tracing::warn!(?client, number, %endpoint, "a subscription is given up: nobody answers");
            self.shared.node.metrics().notification("given_up");
            let over = Settlement {
                id: SubscriptionId { client, number },
                revision: None,
                told: None,
            };
            self.shared.report(Report::Settled(over)).await;
        }
    }
}

impl Shared {
    async fn report(&self, report: Report) {
        if self.reports.send(report).await.is_err() {
            tracing::debug!("the notifier has ended");
        }
    }
}

/// Posts that are made at one time when so many notifications wait.
fn lanes(pending: usize) -> usize {
    pending.div_ceil(PER_LANE).min(MAX_LANES)
}

/// A number from 0 to 1 that nobody can foresee.
fn spread() -> f64 {
    let random = u32::from_be_bytes(crate::auth::random());
    f64::from(random) / f64::from(u32::MAX)
}

/// One look at one subscription, and a post if there is something to tell.
struct Work {
    shared: Arc<Shared>,
    home: Arc<Home>,
    number: u32,
    known: Option<Known>,
    failures: u32,
    connection: Option<Connection>,
}

/// How it ended.
struct Attempt {
    number: u32,
    outcome: Outcome,
    connection: Option<Connection>,
}

/// A notification with all that is needed to post it.
struct Parcel {
    revision: u32,
    destination: Destination,
    lfdi: Lfdi,
    notice: Notice,
}

enum Found {
    Nothing,
    /// Not, or not here.
    Absent,
    /// This revision is over, and nobody is to be told.
    Over(u32),
    Parcel(Box<Parcel>),
}

impl Work {
    async fn attempt(mut self) -> Attempt {
        let (found, wake) = self.look();
        self.shared.report(Report::Wake(self.id(), wake)).await;
        let outcome = match found {
            Found::Nothing => Outcome::Nothing,
            Found::Absent => Outcome::Over,
            Found::Over(revision) => {
                self.settle(revision, None).await;
                Outcome::Over
            }
            Found::Parcel(parcel) => self.deliver(*parcel).await,
        };
        Attempt {
            number: self.number,
            outcome,
            connection: self.connection,
        }
    }

    fn id(&self) -> SubscriptionId {
        SubscriptionId {
            client: self.home.client,
            number: self.number,
        }
    }

    /// What there is to tell, and when to look again.
    fn look(&self) -> (Found, Option<Timestamp>) {
        let known = self.known.map(|known| (known.revision, known.fingerprint));
        let now = clock::now();
        self.shared.node.view(|view| {
            let Some(looked) = notification::look(self.id(), known, (view, now)) else {
                return (Found::Absent, None);
            };
            let found = match looked.word {
                Word::Withheld | Word::Unchanged => Found::Nothing,
                Word::Over => Found::Over(looked.revision),
                Word::Tell(notice) => {
                    self.parcel(looked.revision, looked.destination, (notice, view.fleet))
                }
            };
            (found, looked.wake)
        })
    }

    fn parcel(
        &self,
        revision: u32,
        destination: Option<Destination>,
        (notice, fleet): (Notice, &Fleet),
    ) -> Found {
        let destination = destination.filter(|to| to.endpoint == self.home.endpoint);
        let (Some(destination), Some(lfdi)) = (destination, lfdi_of(self.home.client, fleet))
        else {
            return Found::Absent;
        };
        Found::Parcel(Box::new(Parcel {
            revision,
            destination,
            lfdi,
            notice,
        }))
    }

    async fn deliver(&mut self, parcel: Parcel) -> Outcome {
        let answer = self.post(&parcel).await;
        let is_last = parcel.notice.fingerprint.is_none();
        let outcome = self.judge(&parcel, answer);
        let told = match outcome {
            Outcome::Acknowledged(known) => Some(Some(known.fingerprint)),
            Outcome::Over => Some(None),
            Outcome::Failed(_) | Outcome::Unreachable(_)
                if is_last && MAX_FINAL_ATTEMPTS <= self.failures + 1 =>
            {
                Some(None)
            }
            Outcome::Nothing | Outcome::Failed(_) | Outcome::Unreachable(_) => None,
        };
        let Some(told) = told else {
            return outcome;
        };
        self.settle(parcel.revision, told).await;
        if told.is_none() {
            return Outcome::Over;
        }
        outcome
    }

    async fn settle(&self, revision: u32, told: Option<Fingerprint>) {
        let settled = Settlement {
            id: self.id(),
            revision: Some(revision),
            told,
        };
        self.shared.report(Report::Settled(settled)).await;
    }

    /// A kept connection may have been closed by the other side meanwhile; that is no failure.
    async fn post(&mut self, parcel: &Parcel) -> Result<Answer, Undelivered> {
        let body = Bytes::copy_from_slice(&parcel.notice.body);
        let target = &parcel.destination.target;
        let now = clock::now();
        let served = || self.shared.node.served(parcel.notice.served.clone(), now);
        if self.connection.is_some() {
            served().await?;
        }
        if let Some(mut kept) = self.connection.take() {
            match kept.post(target, body.clone(), now).await {
                Ok(answer) => {
                    self.connection = Some(kept);
                    return Ok(answer);
                }
                Err(PostError::Lost(error)) => {
                    tracing::debug!(%error, "a kept connection was lost")
                }
                Err(error) => return Err(error.into()),
            }
        }
        let dialing = self.shared.dialer.dial(
            &parcel.destination.endpoint,
            (self.home.client, parcel.lfdi),
        );
        let mut fresh = dialing.await?;
        served().await?;
        let answer = fresh.post(target, body, now).await?;
        self.connection = Some(fresh);
        Ok(answer)
    }

    fn judge(&self, parcel: &Parcel, answer: Result<Answer, Undelivered>) -> Outcome {
        let metrics = self.shared.node.metrics();
        let Answer {
            status,
            retry_after,
        } = match answer {
            Ok(answer) => answer,
            Err(error) => {
                metrics.notification("unreachable");
                let (lfdi, endpoint) = (parcel.lfdi, &self.home.endpoint);
                let error: &dyn std::error::Error = &error;
                tracing::info!(%lfdi, %endpoint, error, "a notification was not delivered");
                return Outcome::Unreachable(None);
            }
        };
        if status.is_success() {
            metrics.notification("taken");
            return match parcel.notice.fingerprint {
                Some(fingerprint) => Outcome::Acknowledged(Known {
                    revision: parcel.revision,
                    fingerprint,
                }),
                None => Outcome::Over,
            };
        }
        let (lfdi, number) = (parcel.lfdi, self.number);
        tracing::info!(%lfdi, number, %status, "a notification was not taken");
        match status {
            StatusCode::BAD_REQUEST => {
                metrics.notification("refused");
                Outcome::Over
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                metrics.notification("failed");
                Outcome::Unreachable(retry_after)
            }
            _ => {
                metrics.notification("failed");
                Outcome::Failed(retry_after)
            }
        }
    }
}

/// Why a notification did not reach its subscriber.
#[derive(Debug, thiserror::Error)]
enum Undelivered {
    #[error("the subscriber can't be reached")]
    Dial(#[from] DialError),
    #[error("the subscriber did not answer")]
    Post(#[from] PostError),
    #[error("the ledger can't note what the subscriber is sent")]
    Unnoted(#[from] Unavailable),
}

fn lfdi_of(client: Client, fleet: &Fleet) -> Option<Lfdi> {
    match client {
        Client::Der(id) => fleet.der(id).map(|der| der.lfdi),
        Client::Aggregator(id) => fleet.aggregator(id).map(|aggregator| aggregator.lfdi),
    }
}

#[cfg(test)]
mod tests {
    use fleet::AggregatorId;

    use super::*;

    #[test]
    fn more_connections_are_used_as_more_waits_up_to_a_bound() {
        let cases = [
            (0, 0),
            (1, 1),
            (PER_LANE, 1),
            (PER_LANE + 1, 2),
            (MAX_LANES * PER_LANE, MAX_LANES),
            (MAX_LANES * PER_LANE + 1, MAX_LANES),
        ];
        for (pending, expected) in cases {
            assert_eq!(lanes(pending), expected, "{pending}");
        }
    }

    #[tokio::test]
    async fn an_order_that_comes_at_the_end_is_not_lost() {
        let client = Client::Aggregator(AggregatorId(3));
        let (sender, orders) = mpsc::channel(8);
        let (reports, mut reported) = mpsc::channel(8);
        let waiting = Waiting::default();
        let look = Look {
            numbers: vec![4, 9],
            waiting: waiting.share(2),
        };
        sender.try_send(look).unwrap();
        hand_back(orders, client, &reports).await;
        assert!(sender.is_closed());
        assert_eq!(waiting.total(), 0);
        for number in [4, 9] {
            let expected = SubscriptionId { client, number };
            let report = reported.try_recv().unwrap();
            let Report::Wake(id, Some(_)) = report else {
                panic!("{report:?}");
            };
            assert_eq!(id, expected);
        }
        assert!(reported.try_recv().is_err());
    }
}
