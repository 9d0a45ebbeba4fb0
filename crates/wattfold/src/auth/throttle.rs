//! Failed attempts by address, bounded in number and forgotten after a while.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use units::Timestamp;

/// Failures within [`WINDOW`] after which an address has to wait.
pub const MAX_FAILURES: u32 = 10;
/// Most addresses remembered; the one that failed longest ago makes room.
pub const MAX_THROTTLED: usize = 10_000;
/// How long failures count.
const WINDOW: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Timestamp,
}

#[derive(Debug, Default)]
pub(super) struct Throttle {
    by_source: BTreeMap<Option<IpAddr>, Failures>,
}

impl Throttle {
    /// Seconds until `from` may try again, `None` when it may now.
    pub(super) fn wait_s(&self, from: Option<IpAddr>, now: Timestamp) -> Option<u64> {
        let failures = self.by_source.get(&from.map(source))?;
        let left = failures.last.after(WINDOW).since(now);
        let waits = MAX_FAILURES <= failures.count && !left.is_zero();
        waits.then(|| left.as_secs().max(1))
    }

    pub(super) fn failed(&mut self, from: Option<IpAddr>, now: Timestamp) {
        let from = from.map(source);
        if MAX_THROTTLED <= self.by_source.len() && !self.by_source.contains_key(&from) {
            self.make_room(now);
        }
        let failures = self.by_source.entry(from).or_insert(Failures {
            count: 0,
            last: now,
        });
        if WINDOW <= now.since(failures.last) {
            failures.count = 0;
        }
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
    }

    fn make_room(&mut self, now: Timestamp) {
        self.by_source
            .retain(|_, failures| now.since(failures.last) < WINDOW);
        while MAX_THROTTLED <= self.by_source.len() {
            let oldest = self
                .by_source
                .iter()
                .min_by_key(|(_, failures)| failures.last);
            let Some(oldest) = oldest.map(|(from, _)| *from) else {
                break;
            };
            self.by_source.remove(&oldest);
        }
    }
}

/// Whoever has one IPv6 address has the 2⁶⁴ of its network too.
fn source(address: IpAddr) -> IpAddr {
    const NETWORK: u128 = !0 << 64;
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & NETWORK)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    #[test]
    fn an_address_that_keeps_failing_waits_and_others_do_not() {
        let mut throttle = Throttle::default();
        let from = Some("2001:db8::1".parse().unwrap());
        for _ in 0..MAX_FAILURES {
            assert_eq!(throttle.wait_s(from, NOW), None);
            throttle.failed(from, NOW);
        }
        assert_eq!(throttle.wait_s(from, NOW), Some(60));
        assert_eq!(
            throttle.wait_s(Some("2001:db8::2".parse().unwrap()), NOW),
            Some(60)
        );
        assert_eq!(
            throttle.wait_s(Some("2001:db8:1::1".parse().unwrap()), NOW),
            None
        );
        assert_eq!(throttle.wait_s(from, NOW.after(WINDOW)), None);
    }

    #[test]
    fn memory_is_bounded() {
        let mut throttle = Throttle::default();
        for n in 0..u32::try_from(MAX_THROTTLED).unwrap() + 10 {
            throttle.failed(Some(IpAddr::from(n.to_be_bytes())), NOW);
        }
        assert_eq!(throttle.by_source.len(), MAX_THROTTLED);
    }
}
