//! A node in memory with a fleet that can be told what it measures.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fleet::{Capability, Command, DerId, Lfdi, Mode, Modes, Quality, Settings};
use http::{HeaderMap, Request, StatusCode, header};
use ieee2030_5::server::{Resources, ServerConfig};
use ieee2030_5::translate::metering::{Measurement, Point, Quantity};
use serde_json::{Value, json};
use store::{AccountId, Actor, JournalId, Memory, Persons, Store as _};
use tower::ServiceExt as _;
use units::{Timestamp, Watts};

use crate::api::person::Personal;
use crate::api::{ApiState, Given, Tls, router};
use crate::auth::{self, Auth};
use crate::clock;
use crate::config::Control;
use crate::control_loop::State;
use crate::metrics::Metrics;
use crate::node::{Node, Parts};
use crate::telemetry::Telemetry;

/// A server without sockets.
pub(super) struct Server {
    pub(super) api: Arc<ApiState>,
    pub(super) router: Router,
    pub(super) node: Arc<Node>,
    pub(super) password: String,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Reply {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.node.stop();
    }
}

impl Server {
    pub(super) fn start() -> Self {
        Self::with_silent_after(Control::default().silent_after_s)
    }

    pub(super) fn with_silent_after(silent_after_s: u64) -> Self {
        Self::with_control(Control {
            tick_ms: 50,
            silent_after_s,
            ..Control::default()
        })
    }

    pub(super) fn with_control(control: Control) -> Self {
        let mut store = Memory::new(JournalId(7));
        let (account, password) = auth::first_account();
        let id: AccountId = store
            .create_account(&account.name, &account.hash, clock::now())
            .unwrap();
        let stored = auth::Account {
            id,
            name: account.name,
            hash: account.hash,
        };
        let metrics = Arc::new(Metrics::default());
        let parts: Parts = Parts {
            store: Box::new(store),
            state: State::default(),
            resources: Resources::default(),
            telemetry: Telemetry::in_memory(Arc::clone(&metrics)).unwrap(),
            observations: Vec::new(),
            limits: Vec::new(),
            control,
            devices: ServerConfig::new(Lfdi([0; 20])),
            zone: units::UTC.clone(),
            metrics,
        };
        let (node, _owner) = Node::start(parts).unwrap();
        let api = ApiState::new(
            Arc::clone(&node),
            Arc::new(Auth::new([stored])),
            Given {
                limits: Vec::new(),
                tls: Tls::Off,
                balancing_authority: BTreeSet::from([auth::FIRST_ACCOUNT.to_owned()]),
                personal: Personal::new(
                    Persons::in_memory(),
                    BTreeSet::from([auth::FIRST_ACCOUNT.to_owned()]),
                ),
            },
        );
        Self {
            router: router(Arc::clone(&api)),
            api,
            node,
            password,
        }
    }

    /// Sends a request as it is.
    pub(super) async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Reply {
            status: head.status,
            headers: head.headers,
            text,
        }
    }

    pub(super) fn basic(&self) -> String {
        format!(
            "Basic {}",
            STANDARD.encode(format!("admin:{}", self.password))
        )
    }

    /// Sends a request of the administrator.
    pub(super) async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, self.basic());
        let request = match body {
            None => request.body(Body::empty()),
            Some(body) => request
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::from(body.to_string())),
        };
        self.send(request.unwrap()).await
    }

    pub(super) async fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, None).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Reply {
        self.ask("POST", path, Some(body)).await
    }

    /// Enrols `count` batteries of 5 kW called `u0`, `u1`, … that report settings and read 0 W.
    pub(super) async fn with_batteries(&self, count: u32) {
        let enrolments: Vec<Value> = (0..count).map(battery).collect();
        let reply = self.post("/api/v1/ders", json!(enrolments)).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text);
        for der in (0..count).map(DerId) {
            let reports = vec![
                Command::ReportCapability(der, capability()),
                Command::ReportSettings(der, settings()),
            ];
            for outcome in self.node.command(Actor::System, reports).await.unwrap() {
                outcome.unwrap();
            }
            self.measured(der, Quantity::StateOfCharge, 50.0);
            self.measured(der, Quantity::ActivePower, 0.0);
        }
    }

    /// Enrols a PV plant of 5 kW called `u{n}` that can be limited, could give 4 kW and does.
    pub(super) async fn with_pv(&self, n: u32) {
        let mut enrolment = battery(n);
        enrolment["kind"] = json!("pv");
        let reply = self.post("/api/v1/ders", enrolment).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text);
        let modes = Modes::default().with(Mode::MaxLimW);
        let capability = Capability {
            p_absorb_max: Watts::ZERO,
            energy_max: None,
            modes,
            ..capability()
        };
        let settings = Settings {
            p_absorb_max: Watts::ZERO,
            energy_max: None,
            modes,
            ..settings()
        };
        let reports = vec![
            Command::ReportCapability(DerId(n), capability),
            Command::ReportSettings(DerId(n), settings),
        ];
        for outcome in self.node.command(Actor::System, reports).await.unwrap() {
            outcome.unwrap();
        }
        self.measured(DerId(n), Quantity::AvailablePower, 4_000.0);
        self.measured(DerId(n), Quantity::ActivePower, 4_000.0);
    }

    /// A group of all batteries; its mRID.
    pub(super) async fn with_group(&self, members: u32) -> String {
        let members: Vec<String> = (0..members).map(|n| format!("u{n}")).collect();
        let body = json!({ "names": ["all"], "members": members });
        let reply = self.post("/api/v1/groups", body).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text);
        reply.json()["mrid"].as_str().unwrap().to_owned()
    }

    pub(super) fn measured(&self, der: DerId, quantity: Quantity, value: f64) {
        self.measured_at(der, quantity, value, clock::now());
    }

    /// A reading of `at` that is posted now.
    pub(super) fn measured_at(&self, der: DerId, quantity: Quantity, value: f64, at: Timestamp) {
        let (point, quality, period_s) = (Point::Der, Quality::Valid, 0);
        let measurement = Measurement {
            point,
            quantity,
            value,
            at,
            period_s,
            quality,
        };
        self.node.observe(der, &[measurement], clock::now());
    }
}

pub(super) fn battery(n: u32) -> Value {
    json!({
        "name": format!("u{n}"),
        "kind": "storage",
        "lfdi": format!("{n:040X}"),
        "registration": "out_of_band",
    })
}

/// A dispatch of `group` to `p_w`, from a second ago for an hour.
pub(super) fn dispatch(group: &str, p_w: f64) -> Value {
    let start = Timestamp::from_secs(clock::now().secs() - 1);
    json!({
        "group": group,
        "name": "evening peak",
        "schedule": [{ "start": super::super::value::Time(start).to_text(),
            "duration_s": 3_600, "p_w": p_w }],
    })
}

fn modes() -> Modes {
    [Mode::Charge, Mode::Discharge, Mode::FixedW]
        .into_iter()
        .fold(Modes::default(), Modes::with)
}

fn capability() -> Capability {
    Capability {
        p_inject_max: Watts::whole(5_000),
        p_absorb_max: Watts::whole(5_000),
        s_max: None,
        q_inject_max: None,
        q_absorb_max: None,
        energy_max: Some(units::WattHours::whole(20_000)),
        modes: modes(),
        doe_modes: 0,
    }
}

fn settings() -> Settings {
    Settings {
        p_inject_max: Watts::whole(5_000),
        p_absorb_max: Watts::whole(5_000),
        p_max: None,
        s_max: None,
        energy_max: Some(units::WattHours::whole(20_000)),
        q_inject_max: None,
        q_absorb_max: None,
        soft_ramp_per_second: None,
        enter_service: fleet::EnterService::default(),
        ramp_per_second: None,
        modes: modes(),
        updated: Timestamp::from_secs(0),
    }
}
