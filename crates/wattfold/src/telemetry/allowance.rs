//! How much one client may post, so that none takes the room of the others.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fleet::Client;

use super::MAX_WAITING_SAMPLES;
use crate::clock::Monotonic;

/// What a client may post of each DER that it answers for, per second in the long run.
///
/// A post counts one, and so does each reading in it. A fleet that posts its meters every five
/// minutes needs less than a hundredth of it.
pub const POSTS_PER_S: usize = 100;
/// What it may post of each DER at once, after it was silent for long enough: the readings of a
/// day of minutes in several quantities.
pub const MAX_BURST: usize = 10_000;
/// The same for all DER that one client answers for.
pub const MAX_CLIENT_POSTS_PER_S: usize = 20_000;
/// The same for all DER that one client answers for: a quarter of what can wait to be written.
pub const MAX_CLIENT_BURST: usize = MAX_WAITING_SAMPLES / 4;

/// What is left to each client: a token bucket.
#[derive(Debug, Default)]
pub(crate) struct Allowances(Mutex<HashMap<Client, Bucket>>);

#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Monotonic,
}

impl Allowances {
    /// Takes `posts` from what is left to `client`, who answers for so many DER.
    ///
    /// # Errors
    /// How long to wait until as much is there, in whole seconds; nothing is taken then.
    pub(crate) fn take(
        &self,
        client: Client,
        (ders, posts): (usize, usize),
        now: Monotonic,
    ) -> Result<(), Duration> {
        let ders = ders.max(1);
        let most = as_f64(MAX_BURST.saturating_mul(ders).min(MAX_CLIENT_BURST));
        let per_s = as_f64(POSTS_PER_S.saturating_mul(ders).min(MAX_CLIENT_POSTS_PER_S));
        let posts = as_f64(posts).min(most);
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full = Bucket {
            left: most,
            at: now,
        };
        let bucket = buckets.entry(client).or_insert(full);
        let passed = now.saturating_duration_since(bucket.at);
        bucket.left = (bucket.left + passed.as_secs_f64() * per_s).min(most);
        bucket.at = now;
        if bucket.left < posts {
            let wait_s = ((posts - bucket.left) / per_s).ceil().max(1.0);
            return Err(Duration::from_secs_f64(wait_s));
        }
        bucket.left -= posts;
        Ok(())
    }
}

fn as_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use fleet::{AggregatorId, DerId};

    use super::*;
    use crate::clock;

    const ONE: Client = Client::Der(DerId(0));
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_was_taken_comes_back_with_time_and_is_nobody_elses() {
        let (allowances, now) = (Allowances::default(), clock::monotonic());
        assert_eq!(allowances.take(ONE, (1, MAX_BURST), now), Ok(()));
        assert_eq!(allowances.take(ONE, (1, 1), now), Err(SECOND));
        let wait = allowances.take(ONE, (1, 3 * POSTS_PER_S), now);
        assert_eq!(wait, Err(3 * SECOND));
        let other = Client::Der(DerId(1));
        assert_eq!(allowances.take(other, (1, MAX_BURST), now), Ok(()));
        let later = now + SECOND;
        assert_eq!(allowances.take(ONE, (1, POSTS_PER_S), later), Ok(()));
        assert_eq!(allowances.take(ONE, (1, 1), later), Err(SECOND));
        let much_later = now + Duration::from_secs(86_400);
        assert_eq!(allowances.take(ONE, (1, MAX_BURST), much_later), Ok(()));
        assert!(allowances.take(ONE, (1, 1), much_later).is_err());
    }

    #[test]
    fn an_aggregator_has_the_share_of_its_ders_within_a_bound() {
        let now = clock::monotonic();
        for (ders, burst) in [
            (0, MAX_BURST),
            (3, 3 * MAX_BURST),
            (100_000, MAX_CLIENT_BURST),
        ] {
            let allowances = Allowances::default();
            let client = Client::Aggregator(AggregatorId(7));
            assert_eq!(
                allowances.take(client, (ders, burst), now),
                Ok(()),
                "{ders}"
            );
            assert!(allowances.take(client, (ders, 1), now).is_err(), "{ders}");
        }
    }
}
