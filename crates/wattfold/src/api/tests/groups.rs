use http::StatusCode;
use serde_json::json;

use super::world::{Server, battery, dispatch};

#[tokio::test]
async fn a_der_is_enrolled_and_shown() {
    let server = Server::start();
    let created = server.post("/api/v1/ders", battery(3)).await;
    assert_eq!(created.status, StatusCode::CREATED);
    let shown = created.json();
    assert_eq!(
        (&shown["state"], &shown["registration"]),
        (&json!("never_heard"), &json!("registered"))
    );
    assert_eq!(shown["p_w"], json!(null));
    let path = format!("/api/v1/ders/{}", shown["mrid"].as_str().unwrap());
    assert_eq!(server.get(&path).await.json()["pin"], shown["pin"]);
    let again = server.post("/api/v1/ders", battery(3)).await;
    assert_eq!(
        (again.status, &again.json()["field"]),
        (StatusCode::CONFLICT, &json!("lfdi"))
    );
}

#[tokio::test]
async fn of_several_enrolments_the_good_ones_are_done() {
    let server = Server::start();
    let mut bad = battery(2);
    bad["lfdi"] = json!("nonsense");
    let reply = server
        .post("/api/v1/ders", json!([battery(1), bad, battery(1)]))
        .await;
    assert_eq!(reply.status, StatusCode::MULTI_STATUS);
    let reply = reply.json();
    assert_eq!(reply["items"][0]["der"]["name"], json!("u1"));
    assert_eq!(reply["items"][1]["problem"]["field"], json!("[1].lfdi"));
    assert_eq!(reply["items"][2]["problem"]["status"], json!(409));
    assert_eq!(server.get("/api/v1/ders").await.json()["total"], json!(1));
}

#[tokio::test]
async fn lists_are_paged_and_filtered() {
    let server = Server::start();
    server.with_batteries(5).await;
    let (mut names, mut path) = (Vec::new(), "/api/v1/ders?limit=2".to_owned());
    loop {
        let page = server.get(&path).await.json();
        assert_eq!(page["total"], json!(5));
        names.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["name"].clone()),
        );
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/api/v1/ders?limit=2&after={next}");
    }
    assert_eq!(json!(names), json!(["u0", "u1", "u2", "u3", "u4"]));
    let found = server
        .get("/api/v1/ders?filter=U3&state=reachable")
        .await
        .json();
    assert_eq!(
        (&found["total"], &found["items"][0]["name"]),
        (&json!(1), &json!("u3"))
    );
    assert_eq!(
        server.get("/api/v1/ders?state=never_heard").await.json()["total"],
        json!(0)
    );
}

#[tokio::test]
async fn a_group_shows_what_it_can_do() {
    let server = Server::start();
    server.with_batteries(2).await;
    let group = server.with_group(2).await;
    let path = format!("/api/v1/groups/{group}");
    let shown = server.get(&path).await.json();
    assert_eq!(
        (&shown["title"], &shown["members_count"]),
        (&json!("all"), &json!(2))
    );
    assert_eq!(shown["functions"], json!(["realPowerDispatch"]));
    let status = &shown["status"];
    assert_eq!(
        (&status["up_w"], &status["down_w"]),
        (&json!(10_000.0), &json!(10_000.0))
    );
    assert_eq!(
        (&status["reachable"], &status["p_w"]["value"]),
        (&json!(2), &json!(0.0))
    );
    let der = shown["members"][0].as_str().unwrap();
    let der = server.get(&format!("/api/v1/ders/{der}")).await.json();
    assert_eq!(der["groups"], json!([group]));
}

#[tokio::test]
async fn a_group_is_changed_and_deleted_unless_it_is_in_use() {
    let server = Server::start();
    server.with_batteries(2).await;
    let group = server.with_group(2).await;
    let path = format!("/api/v1/groups/{group}");
    let patch = json!({ "remove": ["u1"], "names": ["half"], "description": "the first one" });
    let changed = server.ask("PATCH", &path, Some(patch)).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    let changed = changed.json();
    assert_eq!(
        (&changed["title"], &changed["members_count"]),
        (&json!("half"), &json!(1))
    );
    let created = server
        .post("/api/v1/dispatches", dispatch(&group, 1_000.0))
        .await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    assert_eq!(
        server.ask("DELETE", &path, None).await.status,
        StatusCode::CONFLICT
    );
    let mrid = created.json()["mrid"].as_str().unwrap().to_owned();
    server
        .ask("POST", &format!("/api/v1/dispatches/{mrid}/cancel"), None)
        .await;
    assert_eq!(
        server.ask("DELETE", &path, None).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(server.get(&path).await.status, StatusCode::NOT_FOUND);
    let orphan = server
        .get(&format!("/api/v1/dispatches/{mrid}"))
        .await
        .json();
    assert_eq!(orphan["group"], json!(null));
}
