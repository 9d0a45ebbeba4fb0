use std::net::SocketAddr;

use axum::body::{Body, Bytes};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fleet::{Command, DerKind, Lfdi, NewDer, Pin};
use http::header::AUTHORIZATION;
use iec61968_5::client::{self, Sender};
use iec61968_5::message::{Asked, Operation};
use iec61968_5::wire::der_groups::{DerGroups, EndDevice, EndDeviceGroup};
use iec61968_5::wire::naming;
use store::{AccountId, JournalId, Sqlite, Store as _};
use tower::ServiceExt as _;
use units::Percent;

use super::*;
use crate::auth;
use crate::control_loop::State as Loop;
use crate::metrics::Metrics;
use crate::node::{Parts, Started};
use crate::telemetry::Telemetry;

struct Server {
    data: tempfile::TempDir,
    started: Started,
    router: Router,
    account: AccountId,
    password: String,
}

fn start() -> Server {
    let data = tempfile::tempdir().unwrap();
    let mut store = Sqlite::open(data.path(), JournalId(1)).unwrap();
    let (account, password) = auth::first_account();
    let id = store
        .create_account(&account.name, &account.hash, clock::now())
        .unwrap();
    let accounts = store.accounts().unwrap();
    let metrics = Arc::new(Metrics::default());
    let parts: Parts = Parts {
        store: Box::new(store),
        state: Loop::default(),
        resources: ieee2030_5::server::Resources::default(),
        telemetry: Telemetry::in_memory(Arc::clone(&metrics)).unwrap(),
        observations: Vec::new(),
        limits: Vec::new(),
        control: crate::config::Control::default(),
        devices: ieee2030_5::server::ServerConfig::new(Lfdi([0; 20])),
        zone: units::UTC.clone(),
        metrics,
    };
    let started = Node::start(parts).unwrap();
    let state = SoapState {
        node: Arc::clone(&started.0),
        auth: Arc::new(Auth::new(accounts.into_iter().map(auth::Account::from))),
        config: Arc::default(),
        scheme: "http",
    };
    Server {
        data,
        started,
        router: router(state),
        account: id,
        password,
    }
}

/// A request that creates the group `name` of one DER.
fn creation(name: &str) -> http::Request<Body> {
    let device = EndDevice {
        mrid: None,
        names: vec![naming::Name::plain("u0")],
    };
    let group = EndDeviceGroup {
        names: vec![naming::Name::plain(name)],
        functions: Some([false, false, false, false, false, true, false, false, false]),
        devices: vec![device],
        ..EndDeviceGroup::default()
    };
    let sender = Sender {
        source: "test".to_owned(),
        message_id: name.to_owned(),
        at: clock::now(),
    };
    let groups = DerGroups {
        groups: vec![group],
    };
    let post = client::request(Operation::CreateDerGroups, Asked::Groups(groups), &sender);
    http::Request::post(post.path)
        .header(CONTENT_TYPE, post.content_type)
        .header("soapaction", post.soap_action)
        .body(Body::from(post.body))
        .unwrap()
}

fn with_certificate(mut request: http::Request<Body>) -> http::Request<Body> {
    request.extensions_mut().insert(Peer {
        address: SocketAddr::from(([127, 0, 0, 1], 1)),
        certificate: Some("dms".to_owned()),
    });
    request
}

#[tokio::test]
async fn the_journal_knows_a_password_by_its_account_and_a_certificate_by_its_name() {
    let server = start();
    let (node, owner) = server.started;
    let new = NewDer {
        mrid: CimMrid::new("der-0").unwrap(),
        name: Name::new("u0").unwrap(),
        kind: DerKind::Storage,
        lfdi: Lfdi([1; 20]),
        pin: Pin::with_check_digit(11_111),
        registered: true,
        reserve: Percent::default(),
        manager: None,
        assignments: Vec::new(),
    };
    let enrolled = node
        .command(Actor::System, vec![Command::EnrolDer(new)])
        .await;
    enrolled.unwrap()[0].as_ref().unwrap();
    let pair = format!("{}:{}", auth::FIRST_ACCOUNT, server.password);
    let mut by_password = creation("one");
    let basic = format!("Basic {}", STANDARD.encode(pair));
    by_password
        .headers_mut()
        .insert(AUTHORIZATION, basic.parse().unwrap());
    for request in [by_password, with_certificate(creation("two"))] {
        let response = server.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }
    node.stop();
    owner.join().unwrap().unwrap();
    let store = Sqlite::open(server.data.path(), JournalId(1)).unwrap();
    let actors: Vec<Actor> = store
        .read(1, 100)
        .unwrap()
        .into_iter()
        .filter(|stored| matches!(stored.entry.event, fleet::Event::GroupCreated(_)))
        .map(|stored| stored.entry.actor)
        .collect();
    let peer = Actor::Peer(Name::new("dms").unwrap());
    assert_eq!(actors, [Actor::Account(server.account), peer]);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_arrive_is_a_request_timeout() {
    let server = start();
    let endless = tokio_stream::pending::<Result<Bytes, std::io::Error>>();
    let request = with_certificate(creation("slow")).map(|_| Body::from_stream(endless));
    let response = server.router.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
    server.started.0.stop();
    server.started.1.join().unwrap().unwrap();
}
