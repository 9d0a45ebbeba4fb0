//! What is kept is what would be made again.

use fleet::{DefaultControl, Name, NewProgram, ProgramId, Scope};
use proptest::prelude::*;

use super::{
    AGGREGATOR, ActivePower, AggregatorId, Client, Command, ControlBase, ControlId, DerId,
    Duration, Interval, Lfdi, MANAGED, NewControl, OTHER, OWN, Origin, Percent, RIVAL, Response,
    STRANGER, View, Watts, World, request,
};
use crate::server::freshness::{Freshness, Revisions};
use crate::server::notification::{Change, change_of};
use crate::server::{Answer, handle};

const CALLERS: [Lfdi; 6] = [OWN, OTHER, MANAGED, AGGREGATOR, RIVAL, STRANGER];
const ADDRESSES: [&str; 6] = [
    "/derp/0/derc?l=9",
    "/derp/0/actderc?l=1",
    "/derp/0/dderc",
    "/derp/3/derc?l=255",
    "/derp/6/derc?l=9",
    "/derp/6/derc/0",
];

type Answered = (Lfdi, &'static str, Response, Freshness);

/// Everyone's answers, and how long they hold.
#[derive(Default)]
struct Kept {
    revisions: Revisions,
    answers: Vec<Answered>,
    held: usize,
}

impl Kept {
    /// Whatever still holds is what would be answered now; what does not is asked for again.
    fn check(&mut self, world: &World) {
        let view = View {
            fleet: &world.fleet,
            resources: &world.resources,
            config: &world.config,
        };
        let now = world.now;
        self.answers.retain(|(lfdi, address, response, fresh)| {
            let holds = fresh.holds(&view, &self.revisions, now);
            if holds {
                let made = handle(&request(*lfdi, "GET", address, b""), &view, now);
                assert_eq!(made, Answer::Reply(response.clone()), "{address}");
            }
            holds
        });
        self.held += self.answers.len();
        for lfdi in CALLERS {
            for address in ADDRESSES {
                let kept = |(of, at, ..): &Answered| *of == lfdi && *at == address;
                let asked = request(lfdi, "GET", address, b"");
                if !self.answers.iter().any(kept)
                    && let Answer::Reply(reply) = handle(&asked, &view, now)
                    && reply.status == 200
                {
                    let fresh = Freshness::of(&asked, &view, &self.revisions, now).unwrap();
                    self.answers.push((lfdi, address, reply, fresh));
                }
            }
        }
    }

    /// Commits what the fleet makes of `command`, if it takes it.
    fn command(&mut self, world: &mut World, command: &Command) {
        let Ok(events) = world.fleet.decide(command, world.now) else {
            return;
        };
        events.iter().for_each(|event| world.fleet.apply(event));
        let changes: Vec<Change> = events.iter().filter_map(change_of).collect();
        self.revisions.commit(changes, &world.fleet);
    }
}

fn control((der, program): (Option<u32>, u32), start_s: u64, length_s: u64) -> Command {
    Command::IssueControl(NewControl {
        der: der.map(DerId),
        program: ProgramId(program),
        origin: Origin::Operator,
        interval: Interval {
            start: super::NOW.after(Duration::from_secs(start_s)),
            duration: Duration::from_secs(length_s),
        },
        base: ControlBase::asking(ActivePower::FixedW {
            percent: Percent::from_hundredths(5_000),
            of: Watts::whole(5_000),
        }),
        terms: None,
    })
}

fn commands() -> impl Strategy<Value = Command> {
    prop_oneof![
        4 => (0..4u32, 0..3_000u64, 1..600u64)
            .prop_map(|(der, start, length)| control((Some(der), der), start, length)),
        3 => (0..3_000u64, 1..600u64)
            .prop_map(|(start, length)| control((None, 6), start, length)),
        2 => (0..9u32).prop_map(|id| Command::CancelControl(ControlId(id))),
        1 => (0..5u32, any::<bool>())
            .prop_map(|(der, may)| Command::SetAccess(Client::Der(DerId(der)), may)),
        1 => any::<bool>().prop_map(|may| {
            Command::SetAccess(Client::Aggregator(AggregatorId(0)), may)
        }),
        1 => (0..7u32, 1..9i32).prop_map(|(program, percent)| {
            let base = ControlBase::asking(ActivePower::FixedW {
                percent: Percent::from_hundredths(percent),
                of: Watts::whole(5_000),
            });
            Command::SetDefaultControl(ProgramId(program), DefaultControl { base, ..DefaultControl::default() })
        }),
        1 => (0..4u32).prop_map(|der| Command::RemoveDer(DerId(der))),
        1 => (0..4u32).prop_map(|der| Command::AssignDer(DerId(der), Vec::new())),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_holds_is_what_would_be_answered(
        steps in proptest::collection::vec((commands(), 0..200u64), 1..40)
    ) {
        let mut world = World::with_aggregators();
        let mut kept = Kept::default();
        let shared = NewProgram {
            name: Name::new("shared").unwrap(),
            primacy: 1,
            scope: Scope::All,
        };
        kept.command(&mut world, &Command::CreateProgram(shared));
        for (command, seconds) in steps {
            kept.command(&mut world, &command);
            kept.check(&world);
            world.pass(seconds);
            kept.check(&world);
        }
        prop_assert!(0 < kept.held);
    }
}

#[test]
fn what_depends_on_the_request_or_the_second_is_not_kept() {
    let world = World::with_aggregators();
    let view = View {
        fleet: &world.fleet,
        resources: &world.resources,
        config: &world.config,
    };
    let fresh = |asked: &super::Request<'_>| {
        Freshness::of(asked, &view, &Revisions::default(), world.now).is_some()
    };
    let list = request(OWN, "GET", "/derp/0/derc", b"");
    assert!(fresh(&list));
    for asked in [
        request(OWN, "HEAD", "/derp/0/derc", b""),
        request(OWN, "GET", "/tm", b""),
        request(OWN, "GET", "/edev/0/fsa/1/derp", b""),
        request(STRANGER, "GET", "/derp/0/derc", b""),
        super::Request {
            if_none_match: Some("\"1\""),
            ..list
        },
        super::Request {
            range: Some("bytes=0-1"),
            ..list
        },
        super::Request {
            accept: Some("application/sep-exi"),
            ..list
        },
    ] {
        assert!(!fresh(&asked), "{asked:?}");
    }
}
