//! Rounds of the server, and what the operator asks of it.

use std::time::Duration;

use fleet::{Event, MicrogridEvent, MicrogridId, Rejection};
use ieee2030_5::server::Response;
use wattfold::node::core::{Answer, Input};

use super::{GATHER_S, Happening, QUIET, Reply, Run, Tells};
use crate::sim::island::{self, Step};
use crate::sim::operator::{Expected, Wish};
use crate::sim::server::{self, Asker};

impl Run {
    /// A round is due soon.
    pub(super) fn soon(&mut self) {
        if !self.is_round_due && self.server.is_up() {
            self.is_round_due = true;
            let wait = Duration::from_secs_f64(self.noise.between(0.001, GATHER_S));
            self.queue.push(self.now.after(wait), Happening::Round);
        }
    }

    pub(super) fn round(&mut self) {
        let crash = self.crash.take();
        let moment = crash.map(|(moment, _)| moment);
        let rounded = self.server.round(moment, self.now);
        if let Some((_, until)) = crash {
            self.crashed(until);
        }
        let Some(rounded) = rounded else {
            return;
        };
        if let Some(batch) = &rounded.batch {
            let line = format_args!(
                "committed {} events, {} steps, {} documents",
                batch.entries.len(),
                batch.deliveries.len(),
                batch.documents.len()
            );
            self.trace.tell(self.now, line);
            for entry in &batch.entries {
                self.trace
                    .tell(self.now, format_args!("  {}", named(&entry.event)));
            }
            let verdict =
                self.watch
                    .committed((batch, &rounded.seen), &self.server.durable, self.now);
            self.judge(verdict);
        }
        for (asker, answer) in rounded.answers {
            match (asker, answer) {
                (Asker::Device(index, ..), Ok(Answer::Device(response))) => {
                    let to = (asker, self.devices[index].member.lfdi);
                    let response = self.server.outgoing(response, to, self.now);
                    self.answered(asker, response);
                }
                (Asker::Device(..), Ok(Answer::Done)) => {
                    let response = self.server.held(asker);
                    self.answered(asker, response);
                }
                (Asker::Operator, Ok(Answer::Commands(outcomes))) => self.outcomes(outcomes),
                _ => {}
            }
        }
        if self.server.has_work() {
            self.soon();
        }
    }

    fn answered(&mut self, asker: Asker, response: Option<Response>) {
        let tells = Tells::Else;
        if let Some(response) = response {
            self.reply(asker, &Reply { response, tells });
        }
    }

    fn outcomes(&mut self, outcomes: Vec<Result<Vec<Event>, Rejection>>) {
        for outcome in outcomes {
            let wish = self.wishes.pop_front();
            let what = wish.as_ref().map_or("found", |wish| wish.what);
            match outcome {
                Ok(events) => {
                    self.trace.tell(self.now, format_args!("{what}: accepted"));
                    if wish.is_some_and(|wish| wish.expected == Expected::Refusal) {
                        self.judge(Err(("refusal", format!("accepted: {what}"))));
                    }
                    self.watch.acknowledged(events);
                }
                Err(rejection) => {
                    self.trace
                        .tell(self.now, format_args!("{what}: {rejection}"));
                    if wish.is_none() {
                        self.judge(Err(("founding", rejection.to_string())));
                    }
                }
            }
        }
    }

    pub(super) fn operate(&mut self) {
        let quiet = self.begun.after(self.setup.lasts).before(QUIET);
        if quiet <= self.now {
            return;
        }
        let fleet = &self.server.durable.state.fleet;
        if let Some(wish) = self.operator.wish(fleet, self.now)
            && self.server.is_up()
        {
            self.ask(wish);
        }
        let pause = self.operator.pause();
        self.queue.push(self.now.after(pause), Happening::Operate);
    }

    fn ask(&mut self, wish: Wish) {
        self.trace
            .tell(self.now, format_args!("operator: {}", wish.what));
        self.commands += 1;
        let input = Input::Commands(server::operator(), vec![wish.command.clone()]);
        self.wishes.push_back(wish);
        self.server.ask(input, Asker::Operator);
        self.soon();
    }

    /// What the controller of a microgrid has to say.
    pub(super) fn island(&mut self, number: usize) {
        let Some(mut island) = self.islands[number].take() else {
            return;
        };
        let id = MicrogridId(u32::try_from(number).expect("there are few"));
        let fleet = &self.server.durable.state.fleet;
        let step = match self.server.is_up() {
            true => island.step(id, fleet, self.now),
            false => Step::Wait,
        };
        match step {
            Step::Over => return,
            Step::Wait => {}
            Step::Ask(what, command) => self.ask(Wish {
                what,
                command: *command,
                expected: Expected::Either,
            }),
        }
        self.islands[number] = Some(island);
        let next = self.now.after(island::LOOK_EVERY);
        self.queue.push(next, Happening::Island(number));
    }
}

/// An event for the trace.
fn named(event: &Event) -> String {
    match event {
        Event::PlanAdopted(plan) => {
            format!("plan {} of dispatch {}", plan.generation, plan.dispatch.0)
        }
        Event::ControlIssued(control) => format!(
            "control {} {} for {:?} {}+{} {:?}",
            control.id.0,
            control.mrid,
            control.der.map(|der| der.0),
            control.interval.start.secs(),
            control.interval.duration.as_secs(),
            control.base.settings()
        ),
        Event::ControlCancelled(id, _) => format!("control {} withdrawn", id.0),
        Event::EnvelopeSet(envelope) => format!("envelope of {}", envelope.der.0),
        Event::ProgramChanged(program) => {
            format!(
                "programme {} {:?}",
                program.id.0,
                program.default.base.settings()
            )
        }
        Event::ProgramCreated(program) => format!("programme {} made", program.id.0),
        Event::Microgrid(MicrogridEvent::Moved(id, transition)) => {
            format!("microgrid {} is {}", id.0, transition.to.name())
        }
        Event::DispatchCreated(dispatch) => format!("dispatch {} made", dispatch.id.0),
        other => {
            let all = format!("{other:?}");
            all.split(['(', ' ']).next().unwrap_or_default().to_owned()
        }
    }
}
