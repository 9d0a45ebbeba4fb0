//! Telling subscribers what has changed (IEEE 2030.5, subscription/notification).
//!
//! One task knows what every subscription depends on and hands the numbers of those that are worth
//! a look to one task for each subscriber. That one looks, compares with what the subscriber knows,
//! and posts what is new. What subscribers know is kept with their subscriptions, so that after a
//! restart they are told what has changed meanwhile, and nothing else.

mod feed;
mod places;
mod post;
mod queue;
mod subscriber;
mod unsettled;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use fleet::Fleet;
use ieee2030_5::server::notification::{Change, Interest, Kind};
use ieee2030_5::server::resources::Owner;
use ieee2030_5::server::subscription::{Destinations, Subscribed, SubscriptionId};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::clock;
use crate::device_listener::stopped;
use crate::node::Node;
use crate::tls::Connector;

pub use feed::{Feed, MAX_WAITING_COMMITS, Receiver, feed};
pub use post::{
    ANSWER_TIMEOUT, CONNECT_TIMEOUT, MAX_ADDRESSES, MAX_ANSWER_BYTES, MAX_CONNECTIONS,
    MAX_CONNECTIONS_OF_CLIENT, MAX_LOOK_UPS, RESOLVE_TIMEOUT,
};
pub use queue::{FIRST_PAUSE, MAX_PAUSE, MAX_RETRY_AFTER, MIN_ATTEMPTS};
pub use subscriber::{IDLE, MAX_FINAL_ATTEMPTS, MAX_LANES};

use post::Dialer;
use subscriber::{Home, Look, Report, Shared};
use unsettled::Unsettled;
use waiting::Waiting;

/// Orders that may wait for one subscriber; what does not fit is handed over a moment later.
const MAX_ORDERS: usize = 64;
/// Reports that may wait for the notifier.
const MAX_REPORTS: usize = 4_096;
/// How often what subscribers know is made durable. What was told within this time before a crash
/// is told once more after it.
pub const SETTLE_EVERY: Duration = Duration::from_millis(500);
/// Subscriptions that are settled then at most, so that commands do not wait behind more. Where more
/// are told all the time, a crash repeats what was told since their last turn.
pub const MAX_SETTLED_AT_ONCE: usize = 1_024;
/// The longest that the notifier sleeps, whatever the clock does meanwhile.
const MAX_SLEEP: Duration = Duration::from_secs(1);
/// How soon a node that begins to lead begins to tell.
const LED_ELSEWHERE: Duration = Duration::from_millis(250);
/// Pause before what could not be handed over is handed over again.
const HELD_PAUSE: Duration = Duration::from_millis(10);

/// How notifications are sent.
pub struct Settings {
    /// The server's own certificate, for mutual TLS with subscribers.
    pub connector: Option<Connector>,
    /// Where they may go.
    pub destinations: Destinations,
    /// How long a subscriber may fail before its subscriptions are given up.
    pub give_up_after: Duration,
}

/// What is watched, and who is told.
struct Notifier {
    shared: Arc<Shared>,
    interest: Interest,
    watched: BTreeMap<SubscriptionId, Watched>,
    subscribers: BTreeMap<Home, mpsc::Sender<Look>>,
    tasks: JoinSet<()>,
    unsettled: Unsettled,
    /// To be handed to their subscribers.
    held: BTreeSet<SubscriptionId>,
    waiting: Arc<Waiting>,
    held_waiting: Waiting,
}

/// One subscription, as far as it was read.
#[derive(Debug)]
struct Watched {
    revision: u32,
    home: Home,
}

/// Tells subscribers of `node` what `feed` says has changed, until `stop` turns true.
pub async fn run(
    node: Arc<Node>,
    settings: Settings,
    mut feed: Receiver,
    mut stop: watch::Receiver<bool>,
) {
    let (reports, mut reported) = mpsc::channel(MAX_REPORTS);
    let shared = Shared {
        node,
        dialer: Dialer::new(settings.connector, settings.destinations),
        give_up_after: settings.give_up_after,
        reports,
    };
    let mut notifier = Notifier {
        shared: Arc::new(shared),
        interest: Interest::default(),
        watched: BTreeMap::new(),
        subscribers: BTreeMap::new(),
        tasks: JoinSet::new(),
        unsettled: Unsettled::default(),
        held: BTreeSet::new(),
        held_waiting: feed.waiting.share(0),
        waiting: Arc::clone(&feed.waiting),
    };
    notifier.read_everything();
    let mut settle = tokio::time::interval(SETTLE_EVERY);
    loop {
        // Where several nodes share a store, the one that leads tells.
        let sleep = if notifier.node().leads() {
            notifier.hand_over()
        } else {
            LED_ELSEWHERE
        };
        let mut batch = Vec::new();
        tokio::select! {
            () = stopped(&mut stop) => break,
            published = feed.published.recv() => match published {
                Some(published) => notifier.changed(&published.changes),
                None => break,
            },
            taken = reported.recv_many(&mut batch, MAX_REPORTS) => {
                tracing::trace!(taken, "reports of subscribers");
                batch.into_iter().for_each(|report| notifier.reported(report));
            }
            _ = settle.tick() => drop(notifier.settle()),
            () = tokio::time::sleep(sleep) => {}
        }
        if feed.has_missed() {
            notifier.read_everything();
        }
        notifier.interest.woken(clock::now(), &mut notifier.held);
    }
    while notifier.settle() {}
}

impl Notifier {
    /// Looks at every subscription there is, as at the start.
    fn read_everything(&mut self) {
        let shared = Arc::clone(&self.shared);
        shared.node.view(|view| {
            let mut found = BTreeSet::new();
            for (client, subscriptions) in view.resources.subscribers() {
                for (number, subscribed) in subscriptions.iter() {
                    let id = SubscriptionId { client, number };
                    found.insert(id);
                    self.watch(id, subscribed, view.fleet);
                }
            }
            let gone: Vec<SubscriptionId> = self.watched.keys().copied().collect();
            for id in gone.into_iter().filter(|id| !found.contains(id)) {
                self.forget(id);
            }
            self.held.extend(found);
        });
        shared.node.metrics().subscriptions(self.watched.len());
    }

    fn watch(&mut self, id: SubscriptionId, subscribed: &Subscribed, fleet: &Fleet) {
        let known = self.watched.get(&id);
        if known.is_some_and(|known| known.revision == subscribed.revision) {
            return;
        }
        let Ok(destination) = subscribed.destination() else {
            return self.forget(id);
        };
        let home = Home {
            client: id.client,
            endpoint: destination.endpoint,
        };
        if known.is_some_and(|known| known.home != home) {
            self.forget(id);
        }
        self.interest.watch(id, subscribed.target, fleet);
        let revision = subscribed.revision;
        self.watched.insert(id, Watched { revision, home });
        self.held.insert(id);
    }

    /// Has its subscriber see that the subscription is over or goes elsewhere.
    fn forget(&mut self, id: SubscriptionId) {
        self.interest.forget(id);
        self.unsettled.remove(id);
        self.held.remove(&id);
        let home = self.watched.remove(&id).map(|watched| watched.home);
        let subscriber = home.and_then(|home| self.subscribers.get(&home));
        let look = Look {
            numbers: vec![id.number],
            waiting: self.waiting.share(0),
        };
        if let Some(Err(error)) = subscriber.map(|subscriber| subscriber.try_send(look)) {
            tracing::debug!(%error, "a subscriber finds out by itself");
        }
    }

    fn changed(&mut self, changes: &BTreeSet<Change>) {
        let shared = Arc::clone(&self.shared);
        shared.node.view(|view| {
            for change in changes {
                match change {
                    Change::Document(Owner::Client(client), Kind::Subscription(number)) => {
                        let (client, number) = (*client, *number);
                        let id = SubscriptionId { client, number };
                        match view.resources.subscriptions(client).get(number) {
                            Some(subscribed) => self.watch(id, subscribed, view.fleet),
                            None => self.forget(id),
                        }
                    }
                    change => self.interest.touched(*change, view.fleet, &mut self.held),
                }
            }
        });
        // They count before what told of them does no more.
        self.held_waiting.set(self.held.len());
        shared.node.metrics().subscriptions(self.watched.len());
    }

    fn reported(&mut self, report: Report) {
        match report {
            Report::Wake(id, at) => self.interest.wake_at(id, at),
            // Who has ended a subscription sees at once that it is gone.
            Report::Settled(over) if over.told.is_none() && self.node().settle(vec![over]) => {
                self.unsettled.remove(over.id);
            }
            Report::Settled(settlement) => {
                self.unsettled.insert(settlement);
            }
        }
    }

    fn node(&self) -> &Node {
        &self.shared.node
    }

    /// Makes durable what some subscribers know and which subscriptions are over. Returns whether
    /// there was something, and the owner has taken it.
    fn settle(&mut self) -> bool {
        let turn = self.unsettled.turn(MAX_SETTLED_AT_ONCE);
        let is_taken = !turn.is_empty() && self.node().settle(turn.clone());
        if is_taken {
            self.unsettled.taken(&turn);
        }
        is_taken
    }

    /// Hands what is to be looked at to the subscribers, and says how long to sleep.
    fn hand_over(&mut self) -> Duration {
        let mut by_home: BTreeMap<&Home, Vec<SubscriptionId>> = BTreeMap::new();
        for id in &self.held {
            if let Some(watched) = self.watched.get(id) {
                by_home.entry(&watched.home).or_default().push(*id);
            }
        }
        let by_home: Vec<(Home, Vec<SubscriptionId>)> = by_home
            .into_iter()
            .map(|(home, ids)| (home.clone(), ids))
            .collect();
        self.held.clear();
        for (home, ids) in by_home {
            let look = Look {
                numbers: ids.iter().map(|id| id.number).collect(),
                waiting: self.waiting.share(ids.len()),
            };
            if !self.hand(home, look) {
                self.held.extend(ids);
            }
        }
        self.held_waiting.set(self.held.len());
        self.let_go();
        if !self.held.is_empty() {
            return HELD_PAUSE;
        }
        let now = clock::now();
        let wake = self.interest.next_wake().map(|at| at.since(now));
        wake.unwrap_or(MAX_SLEEP).min(MAX_SLEEP)
    }

    /// Forgets subscribers whose task has ended.
    fn let_go(&mut self) {
        let mut is_one = false;
        while let Some(ended) = self.tasks.try_join_next() {
            is_one = true;
            if let Err(error) = ended {
                tracing::error!(%error, "the task of a subscriber failed");
            }
        }
        if is_one {
            self.subscribers.retain(|_, orders| !orders.is_closed());
        }
    }

    /// Whether the subscriber, who may have to be woken, has taken the order.
    fn hand(&mut self, home: Home, mut look: Look) -> bool {
        if let Some(subscriber) = self.subscribers.get(&home) {
            match subscriber.try_send(look) {
                Ok(()) => return true,
                Err(mpsc::error::TrySendError::Full(_)) => return false,
                Err(mpsc::error::TrySendError::Closed(returned)) => look = returned,
            }
        }
        let (sender, orders) = mpsc::channel(MAX_ORDERS);
        let shared = Arc::clone(&self.shared);
        let waiting = self.waiting.share(0);
        self.tasks
            .spawn(subscriber::run(shared, home.clone(), orders, waiting));
        let handed = sender.try_send(look).is_ok();
        self.subscribers.insert(home, sender);
        handed
    }
}
