//! Carries the requests of a client over few connections.

use std::collections::BTreeMap;

use fleet::Lfdi;
use ieee2030_5::client;
use ieee2030_5::codec::MEDIA_TYPE;
use tokio::sync::mpsc;

use super::link::{ExchangeError, Link, Message, Origin, Reply};
use crate::tls::Connector;

/// Servers that one connection's place is shared by, as resources may be on others than the first.
const MAX_ORIGINS: usize = 8;
/// Requests that wait for one connection.
const MAX_QUEUED: usize = 64;

/// A request that was carried.
pub(super) struct Carried {
    pub(super) request: client::Request,
    pub(super) answer: Result<Reply, ExchangeError>,
    pub(super) connection: usize,
    /// Who answered.
    pub(super) server: Option<Lfdi>,
}

/// The connections.
pub(super) struct Carrier {
    connections: Vec<mpsc::Sender<client::Request>>,
    waiting: Vec<usize>,
    carried: mpsc::Receiver<Carried>,
}

impl Carrier {
    pub(super) fn new(home: &Origin, connector: &Connector, connections: usize) -> Self {
        let (done, carried) = mpsc::channel(MAX_QUEUED * connections.max(1));
        let mut senders = Vec::new();
        for connection in 0..connections.max(1) {
            let (sender, requests) = mpsc::channel(MAX_QUEUED);
            let home = Link::mutual_tls(home.clone(), connector.clone());
            let work = work(connection, home, connector.clone(), requests, done.clone());
            drop(tokio::spawn(work));
            senders.push(sender);
        }
        Self {
            waiting: vec![0; senders.len()],
            connections: senders,
            carried,
        }
    }

    /// Requests that may be under way at once.
    pub(super) fn room(&self) -> usize {
        self.connections.len() * 2
    }

    /// Puts a request on the connection where the fewest wait. Gives it back if there is no room.
    pub(super) fn send(&mut self, request: client::Request) -> Result<(), client::Request> {
        let least = (0..self.waiting.len()).min_by_key(|it| self.waiting[*it]);
        let Some(least) = least else {
            return Err(request);
        };
        match self.connections[least].try_send(request) {
            Ok(()) => {
                self.waiting[least] += 1;
                Ok(())
            }
            Err(refused) => Err(refused.into_inner()),
        }
    }

    /// The next request that was carried.
    pub(super) async fn next(&mut self) -> Option<Carried> {
        let carried = self.carried.recv().await?;
        let waiting = &mut self.waiting[carried.connection];
        *waiting = waiting.saturating_sub(1);
        Some(carried)
    }

    /// One that was carried already, if any.
    pub(super) fn next_now(&mut self) -> Option<Carried> {
        let carried = self.carried.try_recv().ok()?;
        let waiting = &mut self.waiting[carried.connection];
        *waiting = waiting.saturating_sub(1);
        Some(carried)
    }
}

async fn work(
    connection: usize,
    mut home: Link,
    connector: Connector,
    mut requests: mpsc::Receiver<client::Request>,
    done: mpsc::Sender<Carried>,
) {
    let mut others: BTreeMap<Origin, Link> = BTreeMap::new();
    while let Some(request) = requests.recv().await {
        let other = Origin::of_url(&request.href);
        let (link, path) = match other {
            None => (&mut home, request.href.as_str()),
            Some(origin) => {
                if MAX_ORIGINS <= others.len() && !others.contains_key(&origin) {
                    others.pop_first();
                }
                let made = || Link::mutual_tls(origin.clone(), connector.clone());
                let path = path_of(&request.href);
                (others.entry(origin.clone()).or_insert_with(made), path)
            }
        };
        let message = Message {
            method: request.method.as_str(),
            href: path,
            media_type: MEDIA_TYPE,
            body: &request.body,
        };
        let answer = link.exchange(message).await;
        let server = link.peer();
        let carried = Carried {
            request,
            answer,
            connection,
            server,
        };
        if done.send(carried).await.is_err() {
            return;
        }
    }
}

fn path_of(url: &str) -> &str {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    let rest = &url[after_scheme..];
    rest.find('/').map_or("/", |at| &rest[at..])
}
