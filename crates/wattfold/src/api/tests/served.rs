use axum::body::Body;
use fleet::Lfdi;
use http::{Request, StatusCode, header};
use serde_json::{Value, json};

use super::world::{Reply, Server, battery};
use crate::clock;
use crate::node::DeviceRequest;

const SEP_XML: &str = "application/sep+xml";
const PROGRAM: &str = "<MessagingProgram xmlns=\"urn:ieee:std:2030.5:ns\">\
    <mRID>0000000000000000000000000000ABCD</mRID><locale>en</locale><primacy>1</primacy>\
    </MessagingProgram>";

/// The request of the device of `u0`.
fn request(method: &str, path: &str, body: &str) -> DeviceRequest {
    DeviceRequest {
        method: method.to_owned(),
        path: path.to_owned(),
        query: None,
        accept: None,
        content_type: (!body.is_empty()).then(|| SEP_XML.to_owned()),
        if_none_match: None,
        range: None,
        body: bytes::Bytes::from(body.to_owned()),
        lfdi: Lfdi([0; 20]),
        random: 0,
    }
}

/// What the device of `u0` is served.
fn served(server: &Server, path: &str) -> (u16, String) {
    let answer = server
        .node
        .device_at_once(&request("GET", path, ""), clock::now());
    let answer = answer.unwrap().unwrap();
    (
        answer.status,
        String::from_utf8(answer.body.into()).unwrap(),
    )
}

async fn enrolled(server: &Server) -> String {
    let reply = server.post("/api/v1/ders", battery(0)).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text);
    reply.json()["mrid"].as_str().unwrap().to_owned()
}

async fn host(server: &Server, address: &str, media: &str, body: &str) -> Reply {
    let request = Request::builder()
        .method("PUT")
        .uri(format!("/api/v1/documents/{address}"))
        .header(header::AUTHORIZATION, server.basic())
        .header(header::CONTENT_TYPE, media)
        .body(Body::from(body.to_owned()));
    server.send(request.unwrap()).await
}

#[tokio::test]
async fn rates_are_changed_one_by_one_and_given_back() {
    let server = Server::start();
    enrolled(&server).await;
    let configured = server.get("/api/v1/rates").await.json();
    for (field, path) in [
        ("device_capability_s", "/dcap"),
        ("time_s", "/tm"),
        ("end_device_list_s", "/edev"),
        ("function_set_assignments_list_s", "/edev/0/fsa"),
        ("der_list_s", "/edev/0/der"),
        ("mirror_usage_point_list_s", "/mup"),
    ] {
        let patch = |rate: Value| Some(json!({ field: rate }));
        let changed = server.ask("PATCH", "/api/v1/rates", patch(json!(77))).await;
        assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
        let mut expected = configured.clone();
        expected[field] = json!(77);
        assert_eq!(changed.json(), expected);
        let (status, body) = served(&server, path);
        assert_eq!(status, 200, "{path}: {body}");
        assert!(body.contains("pollRate=\"77\""), "{path}: {body}");
        let back = server
            .ask("PATCH", "/api/v1/rates", patch(Value::Null))
            .await;
        assert_eq!(back.json(), configured);
    }
    for bad in [json!(0), json!(604_801), json!(-1), json!("1")] {
        let body = Some(json!({ "time_s": bad }));
        let refused = server.ask("PATCH", "/api/v1/rates", body).await;
        assert_eq!(
            refused.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{}",
            refused.text
        );
        assert_eq!(refused.json()["field"], json!("time_s"));
    }
}

#[tokio::test]
async fn a_rate_for_programmes_keeps_what_the_control_loop_rests_on() {
    let server = Server::start();
    enrolled(&server).await;
    let patch = async |rate_s: u32| {
        let body = json!({ "der_program_list_s": rate_s });
        server.ask("PATCH", "/api/v1/rates", Some(body)).await
    };
    let known_after =
        async || server.get("/api/v1/ders").await.json()["items"][0]["latency_s"].clone();
    assert_eq!(known_after().await, json!(600.0));
    let refused = patch(901).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.json()["field"], json!("der_program_list_s"));
    let rule = json!("must be at most control.lead_s, 900");
    assert_eq!(refused.json()["rule"], rule);
    assert_eq!(known_after().await, json!(600.0));
    for rate_s in [300, 900] {
        assert_eq!(patch(rate_s).await.status, StatusCode::OK);
        assert_eq!(known_after().await, json!(f64::from(rate_s)));
    }
}

#[tokio::test]
async fn of_changes_of_several_rates_at_one_time_none_is_lost() {
    let server = Server::start();
    let patch = |field: &'static str| {
        let body = Some(json!({ field: 77 }));
        server.ask("PATCH", "/api/v1/rates", body)
    };
    let (a, b, c) = tokio::join!(patch("time_s"), patch("der_list_s"), patch("post_rate_s"));
    for reply in [a, b, c] {
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    }
    let rates = server.get("/api/v1/rates").await.json();
    for field in ["time_s", "der_list_s", "post_rate_s"] {
        assert_eq!(rates[field], json!(77), "{field}");
    }
}

#[tokio::test]
async fn what_a_device_has_logged_is_shown_by_the_names_of_the_standard() {
    let server = Server::start();
    let der = enrolled(&server).await;
    let log = async |id: u16, function_set: u8, code: u8, profile: u8| {
        let event = format!(
            "<LogEvent xmlns=\"urn:ieee:std:2030.5:ns\"><createdDateTime>1800000000\
             </createdDateTime><details>string 3</details><functionSet>{function_set}\
             </functionSet><logEventCode>{code}</logEventCode><logEventID>{id}</logEventID>\
             <logEventPEN>40732</logEventPEN><profileID>{profile}</profileID></LogEvent>"
        );
        let posted = server
            .node
            .device(request("POST", "/edev/0/lel", &event))
            .await;
        assert_eq!(posted.unwrap().status, 201);
    };
    log(1, 11, 2, 2).await;
    log(2, 11, 3, 2).await;
    log(3, 13, 2, 2).await;
    log(4, 11, 2, 1).await;
    let path = format!("/api/v1/ders/{der}/log_events");
    let all = server.get(&path).await.json();
    let names: Vec<(&Value, &Value)> = all["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| (&event["function_set_name"], &event["code_name"]))
        .collect();
    let der_set = json!("Distributed Energy Resources");
    assert_eq!(
        names,
        [
            (&Value::Null, &Value::Null),
            (&json!("Software Download"), &Value::Null),
            (&der_set, &json!("DER_FAULT_OVER_VOLTAGE_RTN")),
            (&der_set, &json!("DER_FAULT_OVER_VOLTAGE")),
        ]
    );
    let oldest = &all["items"][3];
    assert_eq!(oldest["at"], json!("2027-01-15T08:00:00Z"));
    assert_eq!(oldest["details"], json!("string 3"));
    let first = server.get(&format!("{path}?limit=3")).await.json();
    let after = first["next"].as_str().unwrap();
    let rest = server.get(&format!("{path}?after={after}")).await.json();
    assert_eq!((&rest["items"][0], &rest["total"]), (oldest, &json!(4)));
    let nobody = server.get("/api/v1/ders/x/log_events").await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_document_is_hosted_for_those_it_is_meant_for() {
    let server = Server::start();
    let der = enrolled(&server).await;
    for scope in ["everyone".to_owned(), format!("der:{der}")] {
        let address = format!("msg/1?scope={scope}");
        let hosted = host(&server, &address, SEP_XML, PROGRAM).await;
        assert_eq!(hosted.status, StatusCode::NO_CONTENT, "{}", hosted.text);
        let listed = server.get("/api/v1/documents").await.json();
        assert_eq!(listed["items"][0]["path"], json!("/msg/1"));
        assert_eq!(listed["items"][0]["scope"], json!(scope));
        let shown = server.get("/api/v1/documents/msg/1").await;
        assert_eq!(shown.headers[header::CONTENT_TYPE], SEP_XML);
        let (status, body) = served(&server, "/msg/1");
        assert_eq!(status, 200, "{body}");
        assert!(body.contains("ABCD</mRID>"), "{body}");
        let gone = server.ask("DELETE", "/api/v1/documents/msg/1", None).await;
        assert_eq!(gone.status, StatusCode::NO_CONTENT, "{}", gone.text);
        assert_eq!(served(&server, "/msg/1").0, 404);
        let gone = server.get("/api/v1/documents/msg/1").await;
        assert_eq!(gone.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn what_is_hosted_for_a_der_goes_with_it() {
    let server = Server::start();
    let der = enrolled(&server).await;
    let address = format!("msg/1?scope=der:{der}");
    let hosted = host(&server, &address, SEP_XML, PROGRAM).await;
    assert_eq!(hosted.status, StatusCode::NO_CONTENT, "{}", hosted.text);
    let at = format!("/api/v1/ders/{der}");
    let removed = server.ask("DELETE", &at, None).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT, "{}", removed.text);
    let gone = server.get("/api/v1/documents/msg/1").await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_no_document_is_refused_with_its_field() {
    let server = Server::start();
    for (address, media, body, status, field) in [
        ("msg/1?scope=nobody", SEP_XML, PROGRAM, 422, json!("scope")),
        ("msg/1?scope=everyone", SEP_XML, "<x/>", 422, json!("body")),
        (
            "nothing/1?scope=everyone",
            SEP_XML,
            PROGRAM,
            422,
            json!("path"),
        ),
        (
            "msg/1/txt/1?scope=everyone",
            SEP_XML,
            PROGRAM,
            422,
            json!("path"),
        ),
        (
            "msg/1?scope=everyone",
            "text/plain",
            PROGRAM,
            415,
            Value::Null,
        ),
        ("msg/1?scope=der:nobody", SEP_XML, PROGRAM, 404, Value::Null),
        ("msg/1", SEP_XML, PROGRAM, 422, json!("scope")),
    ] {
        let refused = host(&server, address, media, body).await;
        assert_eq!(
            refused.status.as_u16(),
            status,
            "{address}: {}",
            refused.text
        );
        assert_eq!(
            refused.json()["field"],
            field,
            "{address}: {}",
            refused.text
        );
    }
    let gone = server.ask("DELETE", "/api/v1/documents/msg/1", None).await;
    assert_eq!(
        gone.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{}",
        gone.text
    );
}

#[tokio::test]
async fn mirrored_usage_points_are_listed_and_deleted() {
    let server = Server::start();
    let der = enrolled(&server).await;
    let path = format!("/api/v1/ders/{der}/usage_points");
    for n in 1..=3 {
        let body = format!(
            "<MirrorUsagePoint xmlns=\"urn:ieee:std:2030.5:ns\"><mRID>0{n}</mRID>\
             <roleFlags>0049</roleFlags><serviceCategoryKind>0</serviceCategoryKind>\
             <status>1</status><deviceLFDI>{:040X}</deviceLFDI></MirrorUsagePoint>",
            0
        );
        let posted = server
            .node
            .device(request("POST", "/mup", &body))
            .await
            .unwrap();
        assert_eq!(posted.status, 201);
    }
    let listed = server.get(&path).await.json();
    let ids = |listed: &Value| -> Vec<Value> {
        let items = listed["items"].as_array().unwrap();
        items.iter().map(|point| point["id"].clone()).collect()
    };
    assert_eq!(ids(&listed).len(), 3, "{listed}");
    assert_eq!(listed["items"][0]["role_flags"], json!("0049"));
    let first = ids(&listed)[0].clone();
    let one = server.ask("DELETE", &format!("{path}/{first}"), None).await;
    assert_eq!(one.status, StatusCode::NO_CONTENT, "{}", one.text);
    assert_eq!(ids(&server.get(&path).await.json()), ids(&listed)[1..]);
    let gone = server.ask("DELETE", &format!("{path}/{first}"), None).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    let rest = server.ask("DELETE", &path, None).await;
    assert_eq!(rest.status, StatusCode::NO_CONTENT);
    assert_eq!(server.get(&path).await.json(), json!({ "items": [] }));
    let (_, body) = served(&server, "/mup");
    assert!(body.contains("all=\"0\""), "{body}");
}

#[tokio::test]
async fn a_der_is_served_the_profile_that_is_set_for_it() {
    let server = Server::start();
    let der = enrolled(&server).await;
    let path = format!("/api/v1/ders/{der}/profile");
    let own = json!({ "edition": "2023", "extension": "csip_aus_1_2" });
    let set = server.ask("PUT", &path, Some(own.clone())).await;
    assert_eq!(set.status, StatusCode::OK, "{}", set.text);
    assert_eq!(set.json()["is_own"], json!(true));
    assert!(served(&server, "/edev/0").1.contains("ConnectionPointLink"));
    let back = server.ask("PUT", &path, Some(json!({}))).await.json();
    assert_eq!(back["is_own"], json!(false));
    assert!(!served(&server, "/edev/0").1.contains("ConnectionPointLink"));
    let half = server
        .ask("PUT", &path, Some(json!({ "edition": "2018" })))
        .await;
    assert_eq!(half.json()["field"], json!("extension"), "{}", half.text);
}

#[tokio::test]
async fn subscriptions_are_listed_client_by_client() {
    let server = Server::start();
    let aggregator = json!({ "name": "north", "lfdi": format!("{:040X}", 0),
        "registration": "out_of_band" });
    let aggregator = server.post("/api/v1/aggregators", aggregator).await;
    assert_eq!(
        aggregator.status,
        StatusCode::CREATED,
        "{}",
        aggregator.text
    );
    let body = "<Subscription xmlns=\"urn:ieee:std:2030.5:ns\">\
        <subscribedResource>/edev</subscribedResource><encoding>0</encoding><level>+S1</level>\
        <limit>10</limit><notificationURI>https://sink.example.org/n</notificationURI></Subscription>";
    let posted = server
        .node
        .device(request("POST", "/edev/a0/sub", body))
        .await
        .unwrap();
    assert_eq!(
        posted.status,
        201,
        "{:?}",
        String::from_utf8_lossy(&posted.body)
    );
    let listed = server.get("/api/v1/subscriptions").await.json();
    assert_eq!(listed["total"], json!(1));
    assert_eq!(listed["items"][0]["client"], json!({ "aggregator": 0 }));
    assert_eq!(listed["items"][0]["resource"], json!("/edev"));
}
