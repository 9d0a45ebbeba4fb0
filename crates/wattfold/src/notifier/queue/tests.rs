use super::*;
use crate::clock;

const HOUR: Duration = Duration::from_secs(3_600);
const NO_RANDOM: f64 = 1.0;
const LANES: usize = 16;

fn queue() -> (Queue, Monotonic) {
    (Queue::new(HOUR), clock::monotonic())
}

fn told(fingerprint: u64) -> Outcome {
    Outcome::Acknowledged(Known {
        revision: 1,
        fingerprint: Fingerprint(fingerprint),
    })
}

#[test]
fn changes_of_one_resource_become_one_notification() {
    let (mut queue, now) = queue();
    for number in [7, 3, 7, 7, 3] {
        queue.touch(number);
    }
    assert_eq!(
        [queue.take(now), queue.take(now), queue.take(now)],
        [Some(7), Some(3), None]
    );
    assert_eq!(queue.pending(), 2);
}

#[test]
fn what_changes_in_flight_is_sent_again_and_never_twice_at_a_time() {
    let (mut queue, now) = queue();
    queue.touch(1);
    assert_eq!(queue.take(now), Some(1));
    queue.touch(1);
    queue.touch(1);
    assert_eq!(queue.take(now), None);
    assert!(queue.finish(1, told(5), (now, NO_RANDOM)).is_empty());
    assert_eq!(
        queue.known(1).map(|known| known.fingerprint),
        Some(Fingerprint(5))
    );
    assert_eq!(queue.take(now), Some(1));
    assert!(
        queue
            .finish(1, Outcome::Nothing, (now, NO_RANDOM))
            .is_empty()
    );
    assert_eq!((queue.take(now), queue.pending()), (None, 0));
}

#[test]
fn an_address_that_fails_is_tried_again_later_and_holds_up_no_other() {
    let (mut queue, now) = queue();
    queue.touch(1);
    queue.touch(2);
    assert_eq!(queue.take(now), Some(1));
    queue.finish(1, Outcome::Failed(None), (now, NO_RANDOM));
    assert_eq!(queue.take(now), Some(2));
    queue.finish(2, told(1), (now, NO_RANDOM));
    queue.touch(1);
    assert_eq!(queue.take(now), None);
    assert_eq!(queue.wake_at(LANES), Some(now + FIRST_PAUSE));
    let mut at = now + FIRST_PAUSE;
    let mut pauses = Vec::new();
    for _ in 0..8 {
        assert_eq!(queue.take(at), Some(1));
        queue.finish(1, Outcome::Failed(None), (at, NO_RANDOM));
        let next = queue.wake_at(LANES).unwrap();
        pauses.push((next - at).as_secs());
        at = next;
    }
    assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60, 60]);
    assert_eq!(queue.take(at), Some(1));
    queue.finish(1, told(2), (at, NO_RANDOM));
    queue.touch(1);
    assert_eq!(queue.take(at), Some(1));
    queue.finish(1, Outcome::Failed(None), (at, 0.0));
    assert_eq!(queue.wake_at(LANES), Some(at + FIRST_PAUSE / 2));
}

#[test]
fn a_host_that_fails_is_tried_with_one_at_a_time() {
    let (mut queue, now) = queue();
    for number in 1..=3 {
        queue.touch(number);
    }
    for number in 1..=3 {
        assert_eq!(queue.take(now), Some(number));
    }
    for number in 1..=3 {
        queue.finish(number, Outcome::Unreachable(None), (now, NO_RANDOM));
    }
    assert_eq!(queue.take(now), None);
    let later = queue.wake_at(LANES).unwrap();
    assert_eq!(queue.take(later), Some(1));
    assert_eq!(queue.take(later), None);
    queue.finish(1, told(1), (later, NO_RANDOM));
    assert_eq!([queue.take(later), queue.take(later)], [Some(2), Some(3)]);
}

/// A deadline that has passed is none while what it is about has to wait for something else.
#[test]
fn nothing_wakes_while_nothing_can_be_taken() {
    let (mut queue, now) = queue();
    queue.touch(1);
    queue.touch(2);
    assert_eq!(queue.take(now), Some(1));
    queue.finish(1, Outcome::Failed(None), (now, NO_RANDOM));
    assert_eq!(queue.take(now), Some(2));
    let late = now + HOUR;
    assert_eq!(queue.wake_at(1), None);
    assert_eq!(queue.wake_at(2), Some(now + FIRST_PAUSE));
    queue.finish(2, Outcome::Unreachable(None), (now, NO_RANDOM));
    assert!(queue.wake_at(LANES).is_some());
    assert!(queue.take(late).is_some());
    assert_eq!((queue.take(late), queue.wake_at(LANES)), (None, None));
}

#[test]
fn retry_after_is_honoured_within_bounds() {
    let (mut queue, now) = queue();
    queue.touch(1);
    for (asked, kept) in [
        (Duration::from_secs(120), Duration::from_secs(120)),
        (Duration::MAX, MAX_RETRY_AFTER),
    ] {
        let at = queue.wake_at(LANES).unwrap_or(now);
        assert_eq!(queue.take(at), Some(1));
        queue.finish(1, Outcome::Unreachable(Some(asked)), (at, NO_RANDOM));
        assert_eq!(queue.wake_at(LANES), Some(at + kept));
    }
}

#[test]
fn one_address_is_given_up_after_the_stated_time() {
    let (mut queue, now) = queue();
    queue.touch(1);
    queue.touch(2);
    let mut at = now;
    let mut attempts = 0;
    let given_up = loop {
        let number = queue.take(at).unwrap();
        attempts += 1;
        let outcome = if number == 1 {
            Outcome::Failed(None)
        } else {
            told(1)
        };
        let given_up = queue.finish(number, outcome, (at, NO_RANDOM));
        if !given_up.is_empty() {
            break given_up;
        }
        at = queue.wake_at(LANES).unwrap_or(at);
    };
    assert_eq!(given_up, [1]);
    assert!(HOUR <= at - now && at - now <= HOUR + MAX_PAUSE);
    assert!(60 <= attempts, "{attempts}");
    assert_eq!((queue.pending(), queue.wake_at(LANES)), (0, None));
}

#[test]
fn a_host_is_given_up_with_all_that_waits_for_it() {
    let (mut queue, now) = queue();
    for number in 1..=3 {
        queue.touch(number);
    }
    let mut at = now;
    let mut given_up = loop {
        let number = queue.take(at).unwrap();
        let given_up = queue.finish(number, Outcome::Unreachable(None), (at, NO_RANDOM));
        if !given_up.is_empty() {
            break given_up;
        }
        at = queue.wake_at(LANES).unwrap();
    };
    given_up.sort_unstable();
    assert_eq!(given_up, [1, 2, 3]);
    assert_eq!(queue.pending(), 0);
}

/// A host that took hours to answer once has had one attempt.
#[test]
fn nothing_is_given_up_for_few_attempts() {
    let (mut queue, mut at) = queue();
    queue.touch(1);
    for attempt in 1..=MIN_ATTEMPTS {
        assert_eq!(queue.take(at), Some(1));
        let given_up = queue.finish(1, Outcome::Failed(None), (at, NO_RANDOM));
        assert_eq!(given_up.is_empty(), attempt < MIN_ATTEMPTS);
        at += HOUR;
    }
}

#[test]
fn what_is_over_leaves_nothing_behind() {
    let (mut queue, now) = queue();
    queue.touch(1);
    assert_eq!(queue.take(now), Some(1));
    queue.touch(1);
    queue.finish(1, Outcome::Over, (now, NO_RANDOM));
    assert_eq!((queue.pending(), queue.wake_at(LANES)), (0, None));
    assert!(queue.finish(1, told(1), (now, NO_RANDOM)).is_empty());
    assert_eq!(queue.known(1), None);
    queue.touch(1);
    assert!(queue.finish(1, told(1), (now, NO_RANDOM)).is_empty());
    assert_eq!((queue.take(now), queue.pending()), (Some(1), 1));
}
