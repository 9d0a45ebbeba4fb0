//! Reads what a client has saved, all of it or nothing.

use std::sync::Arc;

use units::Timestamp;

use super::{HEAD, PHASES, Saved, SavedDevice, mrid_of};
use crate::client::clock::ServerClock;
use crate::client::events::{Due, FunctionSet, MAX_EVENTS, Remembered};
use crate::client::response::MAX_WAITING_OF_DEVICE;
use crate::client::setpoint::Modes;
use crate::client::{MAX_NODES, MAX_PRICED};
use crate::codec::MAX_BODY_BYTES;
use crate::codec::simple::{HexBinary160, Simple};
use crate::wire::response::ResponseStatus;

/// Bytes of a saved client.
pub const MAX_SAVED_BYTES: usize = 512 * 1024 * 1024;

/// Why a client cannot be made from what was saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SavedError {
    #[error("the state is longer than {MAX_SAVED_BYTES} bytes")]
    TooLong,
    #[error("it is no state of this client, or of another version")]
    Head,
    #[error("line {line} of the state is not what it should be")]
    Line { line: usize },
    #[error("the state ends in the middle of an answer")]
    Truncated,
    #[error("the state holds more than a client does")]
    TooMuch,
}

struct Lines<'a> {
    rest: &'a [u8],
    line: usize,
}

impl<'a> Lines<'a> {
    /// The next line that is complete: a last one that is not was being appended when the power
    /// failed.
    fn next(&mut self) -> Option<Result<&'a str, SavedError>> {
        let end = self.rest.iter().position(|octet| *octet == b'\n')?;
        self.line += 1;
        let line = self.line;
        let (text, rest) = self.rest.split_at(end);
        self.rest = &rest[1..];
        Some(str::from_utf8(text).map_err(|_| SavedError::Line { line }))
    }

    fn body(&mut self, len: usize) -> Result<&'a [u8], SavedError> {
        let body = self.rest.get(..len).filter(|_| len <= MAX_BODY_BYTES);
        let body = body.ok_or(SavedError::Truncated)?;
        match self.rest.get(len) {
            Some(b'\n') => self.rest = &self.rest[len + 1..],
            _ => return Err(SavedError::Truncated),
        }
        Ok(body)
    }

    fn bad(&self) -> SavedError {
        SavedError::Line { line: self.line }
    }
}

pub(super) fn read(saved: &[u8]) -> Result<Saved, SavedError> {
    if MAX_SAVED_BYTES < saved.len() {
        return Err(SavedError::TooLong);
    }
    let mut lines = Lines {
        rest: saved,
        line: 0,
    };
    if lines.next() != Some(Ok(HEAD)) {
        return Err(SavedError::Head);
    }
    let mut read = Saved::default();
    let mut device = None;
    while let Some(line) = lines.next() {
        take(line?, &mut lines, &mut read, &mut device)?;
    }
    Ok(read)
}

/// Takes in one line; `of` is the device that lines about events and responses belong to.
fn take(
    line: &str,
    lines: &mut Lines<'_>,
    read: &mut Saved,
    of: &mut Option<[u8; 20]>,
) -> Result<(), SavedError> {
    let mut fields = line.split(' ');
    let (head, fields) = (fields.next(), fields.collect::<Vec<_>>());
    let bad = lines.bad();
    let device = of.and_then(|lfdi| read.devices.get_mut(&lfdi));
    match (head, fields.as_slice(), device) {
        (Some("clock"), [low, high], _) => {
            let bounds = low.parse().ok().zip(high.parse().ok()).ok_or(bad)?;
            read.clock = Some(ServerClock::from_bounds(bounds));
        }
        (Some("device"), [lfdi, point, described, out], _) => {
            let lfdi = HexBinary160::read(lfdi).map_err(|_| bad)?.0;
            let device = SavedDevice {
                usage_point: (*point != "-").then(|| Arc::from(*point)),
                is_described: *described == "1",
                is_opted_out: *out == "1",
                ..SavedDevice::default()
            };
            read.devices.insert(lfdi, device);
            *of = Some(lfdi);
        }
        (Some("event"), fields, Some(device)) => {
            let SavedEvent { of, mrid, it } = event(fields).ok_or(bad)?;
            let sets = FunctionSet::ALL.into_iter().map(|(set, _)| set);
            for set in sets.filter(|set| of.is_none_or(|of| of == *set)) {
                let events = device.events.entry(set).or_default();
                if events_max(set) <= events.len() {
                    return Err(SavedError::TooMuch);
                }
                events.insert(mrid, it);
            }
        }
        (Some("response"), fields, Some(device)) => {
            if MAX_WAITING_OF_DEVICE <= device.responses.len() {
                return Err(SavedError::TooMuch);
            }
            device.responses.push(response(fields).ok_or(bad)?);
        }
        (Some("answer"), [href, pages], _) => {
            let pages: usize = pages.parse().map_err(|_| bad)?;
            if MAX_NODES <= read.answers.len() {
                return Err(SavedError::TooMuch);
            }
            let mut bodies = Vec::new();
            for _ in 0..pages {
                bodies.push(page(lines)?);
            }
            read.answers.insert((*href).to_owned(), bodies);
        }
        (Some("taken"), [lfdi, mrid, status], _) => {
            let lfdi = HexBinary160::read(lfdi).map_err(|_| bad)?.0;
            let mrid = mrid_of(mrid).ok_or(bad)?.value();
            read.taken
                .push((lfdi, mrid, status.parse().map_err(|_| bad)?));
        }
        _ => return Err(bad),
    }
    Ok(())
}

fn page(lines: &mut Lines<'_>) -> Result<Vec<u8>, SavedError> {
    let line = lines.next().ok_or(SavedError::Truncated)??;
    let len = line.strip_prefix("page ").and_then(|len| len.parse().ok());
    let len = len.ok_or(lines.bad())?;
    lines.body(len).map(<[u8]>::to_vec)
}

/// Events of one device that a client holds.
fn events_max(set: FunctionSet) -> usize {
    match set {
        FunctionSet::Der | FunctionSet::DemandResponse => MAX_EVENTS,
        FunctionSet::Pricing => MAX_PRICED * MAX_EVENTS,
    }
}

struct SavedEvent {
    /// None if the line was written without it.
    of: Option<FunctionSet>,
    mrid: u128,
    it: Remembered,
}

fn event(fields: &[&str]) -> Option<SavedEvent> {
    let ([mrid, phase, end_ms, cancel_ms, left, flags], of) = fields.split_first_chunk()?;
    let of = match of {
        [] => None,
        [of] => Some(FunctionSet::of(of)?),
        _ => return None,
    };
    let (phase, _) = PHASES.iter().find(|(_, name)| name == phase)?;
    let cancel_at = match *cancel_ms {
        "-" => None,
        ms => Some(Timestamp::from_millis(ms.parse().ok()?)),
    };
    let it = Remembered {
        phase: *phase,
        end: Timestamp::from_millis(end_ms.parse().ok()?),
        cancel_at,
        left: Modes::from_bits(u64::from_str_radix(left, 16).ok()?),
        ..Remembered::with_flags(flags.parse().ok()?)
    };
    let mrid = mrid_of(mrid)?.value();
    Some(SavedEvent { of, mrid, it })
}

fn response(fields: &[&str]) -> Option<Due> {
    let [set, reply_to, subject, status, at_ms, modes] = fields else {
        return None;
    };
    Some(Due {
        function_set: FunctionSet::of(set)?,
        reply_to: Arc::from(*reply_to),
        subject: mrid_of(subject)?,
        status: ResponseStatus(status.parse().ok()?),
        at: Timestamp::from_millis(at_ms.parse().ok()?),
        modes: Modes::from_bits(u64::from_str_radix(modes, 16).ok()?),
    })
}
