//! A fleet of four DER and what it takes to talk to it.

use std::time::Duration;

use fleet::{
    Capability, CimMrid, Command, DerKind, Fleet, Group, Lfdi, Modes, Name, NewDer, Pin, Rejection,
};
use iec61968_5::client::{self, Sender};
use iec61968_5::message::{Asked, Operation, Payload, ResponseMessage};
use iec61968_5::profile::{Mode, Profile};
use iec61968_5::server::{self, Answer, Request, Response};
use iec61968_5::soap::CONTENT_TYPE;
use iec61968_5::translate::{GroupStatus, View, Voltage};
use iec61968_5::wire::der_group_dispatches::{
    DerGroupDispatch, DerGroupDispatches, DerMonitorableParameter, DispatchSchedule,
};
use iec61968_5::wire::der_groups::{DerGroups, EndDevice, EndDeviceGroup};
use iec61968_5::wire::naming::Name as WireName;
use iec61968_5::wire::quantity::{
    CurveStyle, DerParameter, TimeIntervalKind, UnitMultiplier, UnitSymbol,
};
use units::{Timestamp, Vars, VoltAmperes, Watts};

pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

pub(crate) struct Scene {
    pub(crate) fleet: Fleet,
    pub(crate) profile: Profile,
    minted: u32,
    /// What the planner would say to every dispatch, if not "yes".
    pub(crate) planner: Option<Rejection>,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let profile = Profile::default();
        let mut scene = Self {
            fleet: Fleet::default(),
            profile,
            minted: 0,
            planner: None,
        };
        for index in 1..=4_u8 {
            let new = NewDer {
                mrid: CimMrid::new(&format!("der-{index}")).unwrap(),
                name: Name::new(&format!("pv{index}")).unwrap(),
                kind: DerKind::Pv,
                lfdi: Lfdi([index; 20]),
                pin: Pin::with_check_digit(u32::from(index)),
                registered: true,
                reserve: units::Percent::default(),
                manager: None,
                assignments: Vec::new(),
            };
            scene.decide(&Command::EnrolDer(new)).unwrap();
            let capability = Capability {
                p_inject_max: Watts::whole(5_000),
                p_absorb_max: Watts::whole(1_000),
                s_max: Some(VoltAmperes::whole(5_500)),
                q_inject_max: Some(Vars::whole(2_000)),
                q_absorb_max: Some(Vars::whole(2_000)),
                energy_max: None,
                modes: Modes::default(),
                doe_modes: 0,
            };
            let id = fleet::DerId(u32::from(index) - 1);
            scene
                .decide(&Command::ReportCapability(id, capability))
                .unwrap();
        }
        scene
    }

    pub(crate) fn strict() -> Self {
        let mut scene = Self::new();
        scene.profile.mode = Mode::Strict;
        scene
    }

    pub(crate) fn decide(&mut self, command: &Command) -> Result<(), Rejection> {
        if let (Command::CreateDispatch(_), Some(rejection)) = (command, &self.planner) {
            return Err(rejection.clone());
        }
        for event in self.fleet.decide(command, NOW)? {
            self.fleet.apply(&event);
        }
        Ok(())
    }

    /// Posts a body and carries out what comes of it; with the number of commands submitted.
    pub(crate) fn post_as(&mut self, request: &Request<'_>) -> (Response, usize) {
        let minted = &mut self.minted;
        let mut mint = || {
            *minted += 1;
            CimMrid::new(&format!("minted-{minted}")).unwrap()
        };
        let view = View {
            fleet: &self.fleet,
            status: &status,
        };
        match server::handle(request, &self.profile, &view, &mut mint, NOW) {
            Answer::Reply(response) => (response, 0),
            Answer::Submit(submission) => {
                let count = submission.commands.len();
                let results = submission.commands.iter().map(|c| self.decide(c)).collect();
                let response = server::finish(submission.continuation, results, &self.fleet);
                (response, count)
            }
        }
    }

    pub(crate) fn post(&mut self, body: &str) -> (Response, usize) {
        let content_type = Some(CONTENT_TYPE);
        self.post_as(&Request {
            content_type,
            soap_action: None,
            body: body.as_bytes(),
        })
    }

    pub(crate) fn ask(&mut self, operation: Operation, asked: Asked) -> ResponseMessage {
        let (response, _) = self.post(&body(operation, asked));
        assert_eq!(response.status, 200, "{}", response.body);
        client::response(response.body.as_bytes(), operation).unwrap()
    }

    /// Creates a group with server-assigned mRID, which is returned.
    pub(crate) fn group(&mut self, name: &str, members: &[&str]) -> String {
        let asked = groups(vec![group(name, members)]);
        let answer = self.ask(Operation::CreateDerGroups, asked);
        let Some(Payload::Groups(created)) = answer.payload else {
            panic!("no group in {:?}", answer.reply)
        };
        created.groups[0].mrid.clone().unwrap()
    }
}

pub(crate) fn status(group: &Group) -> GroupStatus {
    GroupStatus {
        at: NOW,
        p: Some(Watts::whole(3_000)),
        p_up_available: Some(Watts::whole(1_500)),
        p_down_available: Some(Watts::whole(4_000)),
        q: Some(Vars::whole(-400)),
        voltage: Some(Voltage {
            min_v: 228.5,
            mean_v: 230.0,
            max_v: 231.25,
        }),
        reporting: group.members.len(),
    }
}

pub(crate) fn body(operation: Operation, asked: Asked) -> String {
    let sender = Sender {
        source: "dms".to_owned(),
        message_id: "m-1".to_owned(),
        at: NOW,
    };
    client::request(operation, asked, &sender).body
}

pub(crate) fn groups(groups: Vec<EndDeviceGroup>) -> Asked {
    Asked::Groups(DerGroups { groups })
}

pub(crate) fn group(name: &str, members: &[&str]) -> EndDeviceGroup {
    let device = |mrid: &&str| EndDevice {
        mrid: Some((*mrid).to_owned()),
        names: vec![],
    };
    EndDeviceGroup {
        functions: Some([false, false, true, false, false, true, false, false, false]),
        devices: members.iter().map(device).collect(),
        names: vec![WireName::plain(name)],
        ..EndDeviceGroup::default()
    }
}

pub(crate) fn dispatches(dispatches: Vec<DerGroupDispatch>) -> Asked {
    Asked::Dispatches(DerGroupDispatches { dispatches })
}

/// Three intervals of five minutes for the group of this name, in kilowatts.
pub(crate) fn dispatch(group: &str, kilowatts: &[f64]) -> DerGroupDispatch {
    let schedule = DispatchSchedule {
        curve_style: CurveStyle::ConstantYValue,
        start_time: NOW.after(Duration::from_secs(60)),
        interval_duration: 5,
        interval_unit: TimeIntervalKind::Minute,
        points: (1..).zip(kilowatts.iter().copied()).collect(),
    };
    DerGroupDispatch {
        mrid: None,
        group_mrid: None,
        group_names: vec![WireName::plain(group)],
        parameter: DerMonitorableParameter {
            parameter: DerParameter::ActivePower,
            flow_direction: None,
            multiplier: UnitMultiplier::Kilo,
            unit: UnitSymbol::W,
            schedules: vec![schedule],
        },
        names: vec![],
    }
}

/// Code, level and identifier of each error of a reply.
pub(crate) fn errors(answer: &ResponseMessage) -> Vec<(&str, &str, &str)> {
    let errors = answer.reply.errors.iter();
    errors
        .map(|error| {
            let level = error.level.map_or("", |level| level.as_str());
            let id = error.id.as_ref().map_or("", |id| id.value.as_str());
            (error.code.as_str(), level, id)
        })
        .collect()
}
