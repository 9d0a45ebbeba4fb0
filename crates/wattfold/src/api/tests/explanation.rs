//! Why a DER does what it does, as an operator asks it.

use http::StatusCode;
use serde_json::{Value, json};

use super::world::{Server, dispatch};

async fn explained(server: &Server, query: &str) -> Value {
    let ders = server.get("/api/v1/ders").await.json();
    let mrid = ders["items"][0]["mrid"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/ders/{mrid}/explanation{query}");
    let reply = server.get(&path).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    reply.json()
}

/// The query for two seconds from now: controls begin on the next whole second.
fn soon() -> String {
    let start = crate::clock::now().secs() + 2;
    let at = super::super::value::Time(units::Timestamp::from_secs(start)).to_text();
    format!("?at={at}")
}

/// The one setting of this element.
fn setting<'a>(explanation: &'a Value, element: &str) -> &'a Value {
    let settings = explanation["settings"].as_array().unwrap();
    let found = settings.iter().find(|it| it["setting"] == json!(element));
    found.unwrap_or_else(|| panic!("{element}: {explanation}"))
}

#[tokio::test]
async fn a_dispatched_der_that_an_emergency_overrules_says_so_with_everybody_who_asked() {
    let server = Server::start();
    server.with_batteries(2).await;
    let group = server.with_group(2).await;
    let idle = explained(&server, "").await;
    assert_eq!(idle["settings"], json!([]));
    let created = server
        .post("/api/v1/dispatches", dispatch(&group, 3_000.0))
        .await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    let asked = explained(&server, &soon()).await;
    let power = setting(&asked, "opModTargetW");
    let claim = &power["claims"][0];
    assert_eq!(claim["fate"], "in_force");
    assert_eq!(claim["origin"], "dispatch");
    assert_eq!(claim["dispatch"]["mrid"], created.json()["mrid"]);
    assert_eq!(claim["dispatch"]["generation"], 1);
    assert_eq!(claim["created_by"], "account:1");
    assert_eq!(claim["delivery_state"], "planned");
    assert_eq!(claim["reason"], "in force; the device has not fetched it");
    assert_eq!(power["decided_by"]["control"]["mrid"], claim["control"]);

    let program = json!({ "name": "emergency", "primacy": 1, "scope": "all" });
    let program = server.post("/api/v1/programs", program).await;
    assert_eq!(program.status, StatusCode::CREATED, "{}", program.text);
    let program = program.json()["mrid"].as_str().unwrap().to_owned();
    let base = json!({ "target_w": -1_000.0, "max_lim_w_pct": 50.0 });
    let path = format!("/api/v1/programs/{program}/controls");
    let issued = server
        .post(&path, json!({ "duration_s": 600, "base": base }))
        .await;
    assert_eq!(issued.status, StatusCode::CREATED, "{}", issued.text);
    let issued = issued.json()["mrid"].clone();

    let overruled = explained(&server, &soon()).await;
    let power = setting(&overruled, "opModTargetW");
    assert_eq!(power["claims"][0]["control"], issued);
    assert_eq!(power["claims"][0]["fate"], "in_force");
    assert_eq!(power["claims"][0]["program"]["primacy"], 1);
    let lost = power["claims"].as_array().unwrap().iter();
    let lost: Vec<&Value> = lost.filter(|it| it["origin"] == "dispatch").collect();
    assert!(!lost.is_empty());
    for claim in lost {
        let fate = claim["fate"].as_str().unwrap();
        assert!(["displaced", "cancelled"].contains(&fate), "{claim}");
        if fate == "displaced" {
            assert_eq!(claim["taken_by"], issued);
            assert_eq!(claim["advantage"], "primacy");
        }
    }
    // The device says that it can't limit itself in percent, so its default is what it goes by.
    let limit = setting(&overruled, "opModMaxLimW");
    assert_eq!(limit["claims"][0]["ability"], "unsupported");
    assert_eq!(limit["decided_by"]["control"]["mrid"], issued);
    assert_eq!(limit["followed"], "device");
    assert_eq!(overruled["limits"]["inject_max_w"], json!(2_500.0));
    let metered = &overruled["metered"];
    assert_eq!(metered["asked_w"], json!(-1_000.0));
    assert_eq!(
        (&metered["p_w"]["value"], &metered["follows"]),
        (&json!(0.0), &json!(false))
    );
    assert!(overruled["on_loss"]["silent_at"].is_string());
    assert!(overruled["on_loss"]["controls_until"].is_null());
}

#[tokio::test]
async fn the_past_is_not_explained() {
    let server = Server::start();
    server.with_batteries(1).await;
    let ders = server.get("/api/v1/ders").await.json();
    let mrid = ders["items"][0]["mrid"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/ders/{mrid}/explanation?at=2020-01-01T00:00:00Z");
    let refused = server.get(&path).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.json()["field"], "at");
    let unknown = server.get("/api/v1/ders/nobody/explanation").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}
