//! Who is connected how often, so that no client takes the connections of the others.
//!
//! A client that comes once too often loses the connection that it has had for longest. A device
//! that was cut off and comes back is served that way, although its old connections are not known
//! to be dead yet; one that opens connections without end harms nobody but itself.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fleet::{Access, Fleet, Lfdi};
use tokio::sync::oneshot;

/// Connections of one device at one time.
pub const MAX_CONNECTIONS_OF_DER: usize = 8;
/// Connections of one aggregator at one time.
pub const MAX_CONNECTIONS_OF_AGGREGATOR: usize = 256;
/// Connections of a client that is not authorised, or not any more, at one time.
pub const MAX_CONNECTIONS_OF_STRANGER: usize = 2;

/// What the holder of a certificate is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guest {
    Der,
    Aggregator,
    Stranger,
}

impl Guest {
    pub(super) fn of(lfdi: Lfdi, fleet: &Fleet) -> Self {
        let is_in = |access: Access| access == Access::Granted;
        if let Some(der) = fleet.der_by_lfdi(lfdi) {
            return match der.removed {
                None if is_in(der.access) => Self::Der,
                _ => Self::Stranger,
            };
        }
        match fleet.aggregator_by_lfdi(lfdi) {
            Some(aggregator) if is_in(aggregator.access) => Self::Aggregator,
            _ => Self::Stranger,
        }
    }

    const fn max_connections(self) -> usize {
        match self {
            Self::Der => MAX_CONNECTIONS_OF_DER,
            Self::Aggregator => MAX_CONNECTIONS_OF_AGGREGATOR,
            Self::Stranger => MAX_CONNECTIONS_OF_STRANGER,
        }
    }
}

/// The connections of one client, the oldest first.
type Connections = VecDeque<(u64, oneshot::Sender<()>)>;

/// The connections of all clients, by certificate.
#[derive(Clone, Debug, Default)]
pub(super) struct Census(Arc<Mutex<Counted>>);

#[derive(Debug, Default)]
struct Counted {
    next: u64,
    clients: HashMap<Lfdi, Connections>,
}

/// One counted connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    census: Census,
    lfdi: Lfdi,
    number: u64,
    /// Ends when the client has come too often since.
    pub(super) given_up: oneshot::Receiver<()>,
}

impl Census {
    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one more connection of this client and gives up its oldest if it has too many.
    pub(super) fn admit(&self, lfdi: Lfdi, guest: Guest) -> Seat {
        let (end, given_up) = oneshot::channel();
        let mut counted = self.counted();
        let number = counted.next;
        counted.next += 1;
        let connections = counted.clients.entry(lfdi).or_default();
        connections.push_back((number, end));
        while guest.max_connections() < connections.len() {
            if let Some((_, oldest)) = connections.pop_front()
                && oldest.send(()).is_err()
            {
                tracing::trace!(%lfdi, "its oldest connection is at its end");
            }
        }
        Seat {
            census: self.clone(),
            lfdi,
            number,
            given_up,
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counted = self.census.counted();
        if let Some(connections) = counted.clients.get_mut(&self.lfdi) {
            connections.retain(|(number, _)| *number != self.number);
            if connections.is_empty() {
                counted.clients.remove(&self.lfdi);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_given_up(seat: &mut Seat) -> bool {
        seat.given_up.try_recv().is_ok()
    }

    #[test]
    fn a_client_with_too_many_loses_its_oldest_and_nobody_else_does() {
        for (guest, max) in [
            (Guest::Der, MAX_CONNECTIONS_OF_DER),
            (Guest::Aggregator, MAX_CONNECTIONS_OF_AGGREGATOR),
            (Guest::Stranger, MAX_CONNECTIONS_OF_STRANGER),
        ] {
            let census = Census::default();
            let mut other = census.admit(Lfdi([2; 20]), Guest::Stranger);
            let mut seats: Vec<Seat> = (0..max)
                .map(|_| census.admit(Lfdi([1; 20]), guest))
                .collect();
            assert!(!seats.iter_mut().any(is_given_up));
            let _last = census.admit(Lfdi([1; 20]), guest);
            let given_up: Vec<bool> = seats.iter_mut().map(is_given_up).collect();
            assert!(given_up[0] && !given_up[1..].contains(&true), "{guest:?}");
            assert!(!is_given_up(&mut other));
        }
    }

    #[test]
    fn a_connection_that_has_ended_makes_room_and_leaves_nothing_behind() {
        let census = Census::default();
        let lfdi = Lfdi([1; 20]);
        let mut first = census.admit(lfdi, Guest::Stranger);
        drop(census.admit(lfdi, Guest::Stranger));
        let second = census.admit(lfdi, Guest::Stranger);
        assert!(!is_given_up(&mut first));
        drop((first, second));
        assert!(census.counted().clients.is_empty());
    }
}
