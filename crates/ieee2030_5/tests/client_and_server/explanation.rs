//! What the fleet says is in force is what a device takes to be in force from the resources that it
//! is served: the one goes by [`fleet::control::precedence`], the other by the client's own rules.

use std::time::Duration;

use fleet::control::explanation::{Ability, Decided, explain};
use fleet::control::precedence::in_force;
use fleet::dispatch::assess::{Policy, World};
use fleet::{
    Command, Control, ControlBase, ControlId, ControlStatus, DefaultControl, Evidence, Ledger,
    Name, NewControl, NewProgram, Origin, ProgramId, Scaled, Scope, Setting, Share,
};
use ieee2030_5::client::report::Nameplate;
use ieee2030_5::client::{Client, Config, DeviceConfig};
use ieee2030_5::wire::control_mode::DerControlType;
use proptest::prelude::*;
use units::{Interval, Percent, Watts};

use super::{Bench, DER, LFDI, OWN, PIN, nameplate};

/// By then every programme is known to the device.
const UNTIL_KNOWN_S: u32 = 60;
/// The device looks every ten seconds; by then it has seen what there is.
const UNTIL_SEEN_S: u32 = 12;
/// By then every control of these tests is over.
const HORIZON_S: u32 = 170;

/// A control: programme, start after everything is known, duration, what it asks, when it is
/// withdrawn after that.
type Sketch = (u32, u64, u64, u8, Option<u32>);

const LIMIT: Setting = Setting::MaxLimW(Share {
    percent: Percent::from_hundredths(4_000),
    of: None,
});

fn settings(index: usize, asks: u8) -> impl Iterator<Item = Setting> {
    let w = Watts::whole(100 * (1 + i64::try_from(index).unwrap()));
    let all = [
        Setting::TargetW(Scaled::from_w(w)),
        LIMIT,
        Setting::Energize(true),
    ];
    let has = move |place: usize| asks & (1 << place) != 0;
    let asked = all.into_iter().enumerate();
    asked.filter(move |(place, _)| has(*place)).map(|it| it.1)
}

/// A device that cannot be de-energised, with three programmes: its own (20), and for everybody one
/// of the better rank (5), which limits it by default, and one of the worse (40).
fn bench() -> Bench {
    let mut bench = Bench::new();
    let modes = DerControlType::TARGET_W | DerControlType::MAX_LIM_W | DerControlType::DISCHARGE;
    let able = Nameplate {
        modes: DerControlType::new(modes),
        ..nameplate()
    };
    let device = DeviceConfig {
        pin: Some(PIN),
        ..DeviceConfig::new(LFDI.0, LFDI.sfdi(), able)
    };
    let config = Config::of_device("https://server.example/dcap".to_owned(), device);
    bench.client = Client::new(Config { seed: 3, ..config }, bench.now);
    bench.enrol();
    for primacy in [5, 40] {
        bench.command(&Command::CreateProgram(NewProgram {
            name: Name::new(&format!("primacy {primacy}")).unwrap(),
            primacy,
            scope: Scope::All,
        }));
    }
    let default = DefaultControl::asking(ControlBase::of([LIMIT]));
    bench.command(&Command::SetDefaultControl(ProgramId(1), default));
    bench
}

fn issue(bench: &mut Bench, index: usize, sketch: &Sketch, known_at_s: i64) {
    let (program, start_s, duration_s, asks, _) = *sketch;
    let start = units::Timestamp::from_secs(known_at_s + i64::try_from(start_s).unwrap());
    let end = start.after(Duration::from_secs(duration_s));
    bench.command(&Command::IssueControl(NewControl {
        der: (program == 0).then_some(DER),
        program: ProgramId(program),
        origin: Origin::Operator,
        interval: Interval::between(start, end),
        base: ControlBase::of(settings(index, asks)),
        terms: None,
    }));
}

/// The element, and the mRID of the control or default control, of each setting that the device is
/// said to go by. What it has answered is in the ledger.
fn explained(bench: &Bench) -> Vec<(&'static str, u128)> {
    let mut ledger = Ledger::default();
    for control in bench.fleet.controls() {
        ledger.begin(control);
    }
    for (control, code) in &bench.evidence {
        let control = bench.fleet.control(*control).unwrap();
        let step = ledger.next(control, DER, Evidence::Response(*code), bench.now);
        step.map(|step| ledger.push(step, control.created));
    }
    let world = World {
        fleet: &bench.fleet,
        observations: &[],
        deliveries: &ledger,
        policy: Policy::default(),
        now: bench.now,
    };
    let der = bench.fleet.der(DER).unwrap();
    let explanation = explain(&world, der, bench.now);
    let followed = explanation.settings.iter().filter_map(|setting| {
        for claim in &setting.claims {
            let lacks = matches!(claim.setting, Setting::Energize(_));
            assert_eq!(claim.ability == Ability::Unsupported, lacks);
        }
        match setting.followed(&explanation.on_loss.defaults) {
            Decided::Control(control, asked) => Some((asked.element(), control.mrid.0)),
            Decided::Default(program, asked) => {
                let kind = fleet::MridKind::DefaultControl;
                let mrid = bench.fleet.identity().mrid(kind, program.id.0);
                Some((asked.element(), mrid.0))
            }
            Decided::Device => None,
        }
    });
    let mut followed: Vec<_> = followed.collect();
    followed.sort_unstable();
    followed
}

/// What the device goes by.
fn followed(bench: &mut Bench) -> Vec<(&'static str, u128)> {
    use ieee2030_5::client::setpoint::{Request, Source};
    let setpoint = bench.client.setpoint(OWN, bench.now);
    let asked = setpoint.asked.iter().map(|asked| {
        let element = match asked.request {
            Request::TargetW(_) => "opModTargetW",
            Request::MaxLimW(_) => "opModMaxLimW",
            ref other => panic!("nobody asks {other:?} of this device"),
        };
        let (Source::Event(mrid) | Source::Default(mrid)) = asked.source;
        (element, mrid)
    });
    let mut followed: Vec<_> = asked.collect();
    followed.sort_unstable();
    followed
}

/// Whether the device comes to see a withdrawal of `control` as the server does. What begins before
/// it looks again meets a control there that is no more, and one that has not begun and is said to
/// be superseded stays so, whatever becomes of what superseded it.
fn is_plain(bench: &Bench, control: &Control) -> bool {
    let fleet = &bench.fleet;
    let seen = bench.now.after(Duration::from_secs(UNTIL_SEEN_S.into()));
    let mut ahead = fleet
        .controls()
        .iter()
        .filter(|it| bench.now <= it.begins());
    ahead.all(|it| {
        let status = fleet.status(it, bench.now);
        let told = it.program == control.program && matches!(status, ControlStatus::Superseded(_));
        seen < it.begins() && !told
    })
}

/// Whether a control is said to be superseded, as its own programme alone has it, that holds
/// something as all programmes together have it: one of another programme has kept its rival from
/// what the rival would have taken. The device gives up both then.
fn is_said_otherwise(bench: &Bench) -> bool {
    let fleet = &bench.fleet;
    let candidates = fleet.ranked_controls_of(DER);
    let mut controls = candidates.iter().map(|(control, _)| *control);
    controls.any(|control| {
        let status = fleet.status(control, bench.now);
        let mut classes = control.base.classes();
        matches!(status, ControlStatus::Superseded(_))
            && classes.any(|class| {
                let asks = |setting: &Setting| setting.class() == class;
                in_force(&candidates, bench.now, asks) == Some(control)
            })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_explained_is_what_the_device_does(
        sketches in prop::collection::vec(
            (0..3_u32, 0..60_u64, 5..80_u64, 1..8_u8, prop::option::of(0..100_u32)), 1..8),
    ) {
        let mut bench = bench();
        bench.run(30);
        let known_at_s = bench.now.secs() + i64::from(UNTIL_KNOWN_S);
        for (index, sketch) in sketches.iter().enumerate() {
            issue(&mut bench, index, sketch, known_at_s);
            // Each is made in a second of its own, and the device sees them all at once.
            bench.now = bench.now.after(Duration::from_secs(1));
        }
        let made = u32::try_from(sketches.len()).unwrap();
        bench.run(UNTIL_KNOWN_S - made);
        let mut compared = 0;
        let mut unsettled_until = 0;
        for second in 0..HORIZON_S {
            for (index, sketch) in sketches.iter().enumerate() {
                let control = &bench.fleet.controls()[index];
                let goes_on = bench.now < control.interval.end();
                if sketch.4 == Some(second) && goes_on && is_plain(&bench, control) {
                    bench.command(&Command::CancelControl(ControlId::from(index)));
                    unsettled_until = second + UNTIL_SEEN_S;
                }
            }
            bench.run(1);
            if is_said_otherwise(&bench) {
                break;
            }
            if unsettled_until <= second {
                prop_assert_eq!(explained(&bench), followed(&mut bench), "at {}", second);
                compared += 1;
            }
        }
        prop_assume!(compared > 0);
    }
}
