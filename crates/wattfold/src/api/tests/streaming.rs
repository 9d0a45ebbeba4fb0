use std::time::Duration;

use axum::body::Body;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::world::{Server, dispatch};
use crate::api::stream::{MAX_STREAMS, MAX_WAITING_EVENTS, message, send};

struct Stream {
    body: Body,
    text: String,
}

impl Stream {
    async fn open(server: &Server) -> (StatusCode, Self) {
        let request = Request::get("/api/v1/stream").header(header::AUTHORIZATION, server.basic());
        let request = request.body(Body::empty()).unwrap();
        let response = server.router.clone().oneshot(request).await.unwrap();
        (
            response.status(),
            Self {
                body: response.into_body(),
                text: String::new(),
            },
        )
    }

    /// Data of the next event of this name, `None` when the stream ends or pauses for long.
    async fn next(&mut self, name: &str) -> Option<Value> {
        loop {
            while let Some((event, rest)) = self.text.split_once("\n\n") {
                let data = event.strip_prefix(&format!("event: {name}\ndata: "));
                let data = data.map(|data| serde_json::from_str(data).unwrap());
                self.text = rest.to_owned();
                if data.is_some() {
                    return data;
                }
            }
            let frame = tokio::time::timeout(Duration::from_secs(15), self.body.frame()).await;
            let data = frame.ok()??.ok()?.into_data().ok()?;
            self.text.push_str(std::str::from_utf8(&data).unwrap());
        }
    }
}

#[tokio::test]
async fn a_listener_gets_everything_and_then_what_changes() {
    let server = Server::start();
    server.with_batteries(2).await;
    let group = server.with_group(2).await;
    let (status, mut stream) = Stream::open(&server).await;
    assert_eq!(status, StatusCode::OK);
    let summary = stream.next("summary").await.unwrap();
    assert_eq!(summary["ders"]["total"], json!(2));
    let created = server
        .post("/api/v1/dispatches", dispatch(&group, 3_000.0))
        .await
        .json();
    let row = stream.next("dispatch").await.unwrap();
    assert_eq!(
        (&row["mrid"], &row["phase"]),
        (&created["mrid"], &json!("running"))
    );
    let cancel = format!(
        "/api/v1/dispatches/{}/cancel",
        created["mrid"].as_str().unwrap()
    );
    server.ask("POST", &cancel, None).await;
    let mut last = Value::Null;
    while last["phase"] != json!("cancelled") {
        last = stream.next("dispatch").await.unwrap();
    }
}

#[tokio::test]
async fn a_listener_hears_of_alarms() {
    let server = Server::start();
    let (_, mut stream) = Stream::open(&server).await;
    let none = stream.next("alarms").await.unwrap();
    assert_eq!(
        (&none["unacknowledged_count"], &none["revision"]),
        (&json!(0), &json!(0))
    );
    let raise = fleet::alarm::Raise {
        kind: fleet::alarm::Kind::ClockBehind,
        subject: fleet::alarm::Subject::Server,
        detail: fleet::alarm::Detail::Plain,
    };
    let raise = fleet::Command::Alarm(fleet::AlarmCommand::Raise(raise));
    let raised = server.node.command(store::Actor::System, vec![raise]).await;
    raised.unwrap().remove(0).unwrap();
    let one = stream.next("alarms").await.unwrap();
    assert_eq!(
        (&one["unacknowledged_count"], &one["medium_count"]),
        (&json!(1), &json!(1))
    );
    let path = "/api/v1/alarms/0/acknowledge";
    server.post(path, json!({})).await;
    let seen = stream.next("alarms").await.unwrap();
    assert_eq!(
        (&seen["acknowledged_count"], &seen["revision"]),
        (&json!(1), &json!(2))
    );
}

#[tokio::test]
async fn streams_are_bounded_in_number() {
    let server = Server::start();
    let mut open = Vec::new();
    for _ in 0..MAX_STREAMS {
        let (status, stream) = Stream::open(&server).await;
        assert_eq!(status, StatusCode::OK);
        open.push(stream);
    }
    assert_eq!(
        Stream::open(&server).await.0,
        StatusCode::SERVICE_UNAVAILABLE
    );
    drop(open);
    for _ in 0..50 {
        if Stream::open(&server).await.0 == StatusCode::OK {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no place became free");
}

#[tokio::test]
async fn a_listener_that_reads_nothing_is_cut_off() {
    let server = Server::start();
    let (_, mut stream) = Stream::open(&server).await;
    for _ in 0..=2 * MAX_WAITING_EVENTS {
        send(&server.api, message("summary", &json!({})));
        tokio::task::yield_now().await;
    }
    let mut events = 0;
    while stream.next("summary").await.is_some() {
        events += 1;
        assert!(events <= 2 * MAX_WAITING_EVENTS, "nobody cut it off");
    }
}
