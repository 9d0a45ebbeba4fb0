//! How many connections to subscribers are open at one time, in all and for each client.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use fleet::Client;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::post::{MAX_CONNECTIONS, MAX_CONNECTIONS_OF_CLIENT};

/// The places that there are.
pub(super) struct Places {
    all: Arc<Semaphore>,
    of_clients: Mutex<HashMap<Client, Arc<Semaphore>>>,
}

/// One connection's place.
#[derive(Debug)]
pub(super) struct Place {
    _of_client: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            of_clients: Mutex::default(),
        }
    }
}

impl Places {
    /// Waits for a place, first among those of the client, so that one with many subscriptions
    /// does not stand before the others. `None` is never had: nothing closes the places.
    pub(super) async fn take(&self, client: Client) -> Option<Place> {
        let own = self.of_client(client);
        let of_client = own.acquire_owned().await.ok()?;
        let of_all = Arc::clone(&self.all).acquire_owned().await.ok()?;
        Some(Place {
            _of_client: of_client,
            _of_all: of_all,
        })
    }

    /// Whether somebody may be waiting for the place of a connection that is only kept.
    pub(super) fn are_wanted(&self, client: Client) -> bool {
        self.all.available_permits() == 0 || self.of_client(client).available_permits() == 0
    }

    fn of_client(&self, client: Client) -> Arc<Semaphore> {
        let mut clients = self
            .of_clients
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(places) = clients.get(&client) {
            return Arc::clone(places);
        }
        // Nobody has a place of those, or waits for one.
        clients.retain(|_, places| 1 < Arc::strong_count(places));
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS_OF_CLIENT));
        clients.insert(client, Arc::clone(&places));
        places
    }
}

#[cfg(test)]
mod tests {
    use fleet::{AggregatorId, DerId};

    use super::*;

    async fn is_had(places: &Places, client: Client) -> Option<Place> {
        let taken = tokio::time::timeout(std::time::Duration::from_secs(1), places.take(client));
        taken.await.ok().flatten()
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_waits_for_its_own_and_leaves_the_others_theirs() {
        let (places, greedy) = (Places::default(), Client::Aggregator(AggregatorId(1)));
        let mut held = Vec::new();
        for _ in 0..MAX_CONNECTIONS_OF_CLIENT {
            assert!(!places.are_wanted(greedy));
            held.push(places.take(greedy).await);
        }
        assert!(places.are_wanted(greedy));
        assert!(is_had(&places, greedy).await.is_none());
        let other = Client::Aggregator(AggregatorId(2));
        assert!(!places.are_wanted(other));
        assert!(is_had(&places, other).await.is_some());
        held.pop();
        assert!(is_had(&places, greedy).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn all_places_are_bounded_and_clients_without_any_are_forgotten() {
        let places = Places::default();
        let clients = (0..).map(|n| Client::Der(DerId(n)));
        let mut held = Vec::new();
        for client in clients.take(MAX_CONNECTIONS) {
            held.push(is_had(&places, client).await.unwrap());
        }
        let late = Client::Aggregator(AggregatorId(1));
        assert!(places.are_wanted(late));
        assert!(is_had(&places, late).await.is_none());
        held.clear();
        assert!(is_had(&places, late).await.is_some());
        assert!(
            is_had(&places, Client::Aggregator(AggregatorId(2)))
                .await
                .is_some()
        );
        assert_eq!(places.of_clients.lock().unwrap().len(), 1);
    }
}
