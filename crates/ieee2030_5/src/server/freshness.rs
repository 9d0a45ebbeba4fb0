//! How long a representation may be given again without being made again (RFC 9111, 4.2).
//!
//! Of programmes and what hangs below them it is known what changes them: a few kinds of changes,
//! and the clock. Everything else is made for each request.

use std::collections::HashMap;

use units::{Interval, Timestamp};

use super::caller::Caller;
use super::http::Request;
use super::notification::Change;
use super::resources::Owner;
use super::{Target, View};
use crate::codec::table::Profile;
use crate::translate::control::{COMPLETED_FOR, LINGERS};
use crate::translate::{Client, Control, DerId, Fleet, ProgramId, only_der};

/// When what representations depend on was changed last, counted in commits.
#[derive(Clone, Debug, Default)]
pub struct Revisions {
    newest: u64,
    everything: u64,
    /// Any client, and who stands in for whom.
    clients: u64,
    ders: HashMap<DerId, u64>,
    programs: HashMap<ProgramId, u64>,
}

impl Revisions {
    /// Takes up what one commit has changed; `fleet` is as it is after it.
    pub fn commit(&mut self, changes: impl IntoIterator<Item = Change>, fleet: &Fleet) {
        self.newest += 1;
        for change in changes {
            self.change(change, fleet);
        }
    }

    fn change(&mut self, change: Change, fleet: &Fleet) {
        let newest = self.newest;
        let program = match change {
            Change::Client(client) => {
                self.clients = newest;
                if let Client::Der(der) = client {
                    self.ders.insert(der, newest);
                }
                return;
            }
            // Whose documents they are, no programme depends on; profiles are compared.
            Change::Document(Owner::Client(_) | Owner::Assignment(_), _) => return,
            Change::Definition(program) | Change::Program(program) => Some(program),
            Change::Control(control) => fleet.control(control).map(|control| control.program),
            Change::Curve(curve) => fleet.curve(curve).map(|curve| curve.program),
            Change::Document(Owner::Everyone, _) | Change::Programs | Change::Everything => None,
        };
        match program {
            Some(program) => {
                self.programs.insert(program, newest);
            }
            None => self.everything = newest,
        }
    }
}

/// Until when one representation is what its client would be served.
#[derive(Clone, Debug)]
pub struct Freshness {
    made: u64,
    client: Client,
    profile: Profile,
    program: ProgramId,
    /// The programme is of this DER alone, and the client is it.
    own: Option<DerId>,
    from: Timestamp,
    until: Option<Timestamp>,
}

impl Freshness {
    /// Of the representation that `request` was answered with at `now`; none if that has to be made
    /// each time.
    #[must_use]
    pub fn of(
        request: &Request<'_>,
        view: &View<'_>,
        revisions: &Revisions,
        now: Timestamp,
    ) -> Option<Self> {
        if !is_plain(request) {
            return None;
        }
        let target = Target::parse(request.path)?;
        let program = view.fleet.program(ProgramId(target.program()?))?;
        let caller = Caller::of(request.lfdi, view.fleet);
        let client = caller.client()?;
        let own = only_der(program).filter(|der| client == Client::Der(*der));
        let of_der = match client {
            Client::Der(der) => Some(der),
            Client::Aggregator(_) => only_der(program),
        };
        let (of_der, shared) = match of_der {
            Some(der) => (Some(view.fleet.controls_under(program.id, der)), None),
            None => (None, Some(view.fleet.shared_controls_of(program.id))),
        };
        let controls = of_der.into_iter().flatten();
        let controls = controls.chain(shared.into_iter().flatten());
        let turns = controls.flat_map(turns).filter(|at| now < *at);
        Some(Self {
            made: revisions.newest,
            client,
            profile: view.profile_of(client),
            program: program.id,
            own,
            from: now,
            until: turns.min(),
        })
    }

    /// Whether it is what its client would be served at `now`.
    #[must_use]
    pub fn holds(&self, view: &View<'_>, revisions: &Revisions, now: Timestamp) -> bool {
        let of_client = match self.own {
            Some(der) => revisions.ders.get(&der).copied().unwrap_or_default(),
            None => revisions.clients,
        };
        let of_program = revisions.programs.get(&self.program).copied();
        let changed = revisions
            .everything
            .max(of_client)
            .max(of_program.unwrap_or_default());
        changed <= self.made
            && self.from <= now
            && self.until.is_none_or(|until| now < until)
            && view.profile_of(self.client) == self.profile
    }
}

/// Whether the answer depends on nothing of the request but its address and whose it is.
#[must_use]
pub fn is_plain(request: &Request<'_>) -> bool {
    request.method == "GET"
        && request.if_none_match.is_none()
        && request.range.is_none()
        && matches!(
            request.accept,
            None | Some("*/*" | crate::codec::MEDIA_TYPE)
        )
}

/// When the clock may change how a control, or one that it supersedes, is served.
fn turns(control: &Control) -> [Timestamp; 6] {
    let Interval { start, .. } = control.interval;
    let end = control.interval.end();
    [
        control.earliest_start(),
        start,
        end,
        control.latest_end(),
        end.after(LINGERS),
        end.after(COMPLETED_FOR),
    ]
}
