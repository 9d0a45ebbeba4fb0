//! Personal data in the running server: nowhere in plain text, gone once erased, and the audit trail
//! whole before and after.

use std::path::Path;

use serde_json::{Value, json};

use crate::api::Api;
use crate::cluster::{Cluster, connect};
use crate::exchange::{Reply, Request};
use crate::rig::{Rig, Setup, shared, until};

const SECRET: &str = "Featherstonehaugh";
const WITHIN: std::time::Duration = std::time::Duration::from_secs(20);

async fn ask(api: &mut Api, method: &str, path: &str) -> Reply {
    let request = Request::new(method, &format!("/api/v1{path}"));
    api.send(request).await.unwrap()
}

async fn with_person(api: &mut Api, owner: &str) {
    let consents = json!({ "consents": { "dispatch": true } });
    let reply = api.try_put(&format!("/owners/{owner}"), &consents).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let person = json!({ "name": format!("{SECRET} of {owner}"), "note": SECRET });
    let path = format!("/owners/{owner}/person");
    let reply = api.try_put(&path, &person).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
}

async fn imported(api: &mut Api, file: String) -> Value {
    let request = Request::new("POST", "/api/v1/imports").body("text/csv", file);
    let begun = api.send(request).await.unwrap();
    assert_eq!(begun.status, 202, "{}", begun.text());
    let path = format!("/imports/{}", begun.json()["id"]);
    until("the import ends", WITHIN, async || {
        let import = api.get(&path).await;
        (import["state"] != "running").then_some(import)
    })
    .await
}

/// Files below `directory` in which `what` stands.
fn files_with(directory: &Path, what: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, what));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let mut windows = bytes.windows(what.len());
        if windows.any(|window| window == what.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
    found
}

/// How a person is answered for.
async fn answer(api: &mut Api, owner: &str) -> (u16, String) {
    let reply = ask(api, "GET", &format!("/owners/{owner}/person")).await;
    let body = reply.json();
    let told = match reply.status {
        200 => &body["name"],
        _ => &body["title"],
    };
    (reply.status, told.as_str().unwrap_or_default().to_owned())
}

fn erased() -> (u16, String) {
    (410, "Erased".to_owned())
}

fn known(owner: &str) -> (u16, String) {
    (200, format!("{SECRET} of {owner}"))
}

fn replace(rig: &Rig, from: &str, files: &[&str]) {
    for file in files {
        for end in ["-wal", "-shm"] {
            let path = rig.data().join(format!("{file}{end}"));
            if path.exists() {
                std::fs::remove_file(path).unwrap();
            }
        }
        let kept = rig.dir.join(from).join(file);
        std::fs::copy(kept, rig.data().join(file)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_leaves_no_trace_and_the_journal_stays_whole() {
    let _machine = shared().await;
    let mut rig = Rig::new("persons", &Setup::default());
    rig.under = ["env", "RUST_LOG=trace"].map(str::to_owned).to_vec();
    rig.start().await;
    let mut api = rig.api();
    with_person(&mut api, "owner-1").await;
    with_person(&mut api, "owner-2").await;
    let file = format!(
        "mrid,name,kind,lfdi,owner,site,service_point,owner_name,owner_phone\n\
         plant-3,Plant 3,pv,{:040X},owner-3,site-3,point-3,{SECRET} of owner-3,\n\
         plant-4,Plant 4,pv,{:040X},owner-4,site-4,point-4,,{}\n",
        3,
        4,
        SECRET.repeat(3)
    );
    let import = imported(&mut api, file).await;
    assert_eq!(import["refused"], 1, "{import}");
    assert!(!import.to_string().contains(SECRET), "{import}");
    for owner in ["owner-1", "owner-2", "owner-3"] {
        assert_eq!(answer(&mut api, owner).await, known(owner));
    }
    let broken = format!("{{\"name\": \"{SECRET}\"");
    let broken =
        Request::new("PUT", "/api/v1/owners/owner-1/person").body("application/json", broken);
    let refused = api.send(broken).await.unwrap();
    assert_eq!(refused.status, 400);
    assert!(!refused.text().contains(SECRET), "{}", refused.text());
    let said = rig.wattfold(&["backup", "--data", "data", "kept"]);
    assert!(
        said.contains("persons   3\nkeys      left behind"),
        "{said}"
    );

    rig.kill();
    assert!(rig.audit().ends_with("intact\n"));
    std::fs::create_dir(rig.dir.join("before")).unwrap();
    for file in ["keys.sqlite", "keys.sqlite-wal"] {
        let from = rig.data().join(file);
        if from.exists() {
            std::fs::copy(from, rig.dir.join("before").join(file)).unwrap();
        }
    }
    rig.start().await;
    let mut api = rig.api();
    let reply = ask(&mut api, "DELETE", "/owners/owner-1/person").await;
    assert_eq!(reply.status, 204, "{}", reply.text());
    assert_eq!(answer(&mut api, "owner-1").await, erased());
    assert_eq!(answer(&mut api, "owner-2").await, known("owner-2"));
    rig.kill();
    assert!(rig.audit().ends_with("intact\n"));
    assert_eq!(files_with(&rig.dir, SECRET), Vec::<String>::new());
    assert!(rig.whole_log().contains("personal data erased"));
    assert!(rig.whole_log().contains("TRACE"));

    // As if it had been killed between the journal and the key.
    replace(&rig, "before", &["keys.sqlite"]);
    let log = rig.dir.join("before").join("keys.sqlite-wal");
    if log.exists() {
        std::fs::copy(log, rig.data().join("keys.sqlite-wal")).unwrap();
    }
    rig.start().await;
    let mut api = rig.api();
    assert_eq!(answer(&mut api, "owner-1").await, erased());
    assert_eq!(answer(&mut api, "owner-2").await, known("owner-2"));
    rig.stop().await;

    the_backup_from_before(&mut rig).await;
}

/// It has the owner as it was, and neither with nor without the keys of today its person.
async fn the_backup_from_before(rig: &mut Rig) {
    let password = rig.password();
    std::fs::rename(rig.data(), rig.dir.join("today")).unwrap();
    rig.wattfold(&["restore", "--data", "data", "kept"]);
    rig.start().await;
    let mut api = Api::new(rig.enterprise, "admin", &password);
    let missing = (409, "Unreadable".to_owned());
    assert_eq!(answer(&mut api, "owner-1").await, missing);
    assert_eq!(answer(&mut api, "owner-2").await, missing);
    rig.stop().await;
    replace(rig, "today", &["keys.sqlite"]);
    rig.start().await;
    let mut api = Api::new(rig.enterprise, "admin", &password);
    assert_eq!(answer(&mut api, "owner-1").await, erased());
    assert_eq!(answer(&mut api, "owner-2").await, known("owner-2"));
    let owner = api.get("/owners/owner-1").await;
    assert_eq!(owner["erased_at"], Value::Null, "the backup is older");
    let reply = ask(&mut api, "DELETE", "/owners/owner-1/person").await;
    assert_eq!(reply.status, 204, "{}", reply.text());
    assert!(api.get("/owners/owner-1").await["erased_at"].is_string());
    rig.stop().await;
    assert!(rig.audit().ends_with("intact\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_accounts_that_are_named_see_persons() {
    let _machine = shared().await;
    let setup = Setup {
        enterprise: "personal_data = [\"desk\"]",
        ..Setup::default()
    };
    let mut rig = Rig::started("persons-desk", &setup).await;
    let mut admin = rig.api();
    let desk = json!({ "name": "desk", "password": "correct horse battery" });
    admin.post("/accounts", &desk).await;
    let mut desk = Api::new(rig.enterprise, "desk", "correct horse battery");
    with_person(&mut desk, "owner-1").await;
    assert_eq!(answer(&mut desk, "owner-1").await, known("owner-1"));
    assert_eq!(
        answer(&mut admin, "owner-1").await,
        (403, "Forbidden".to_owned())
    );
    rig.stop().await;
}

/// What is put at one node is read at the other, and never passes the table of requests.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_share_persons_and_carry_none() {
    let _machine = shared().await;
    let database = tokio::task::spawn_blocking(|| Cluster::shared().database());
    let url = database.await.unwrap();
    let on = |node: &str| Setup {
        tables: format!("[store]\nurl = \"{url}\"\nnode = \"{node}\""),
        ..Setup::default()
    };
    let mut first = Rig::started("persons-1", &on("node-1")).await;
    let password = first.password();
    let mut second = first.beside("persons-2", &on("node-2"));
    second.start().await;
    let watched = url.clone();
    let watch = move || {
        connect(&watched)
            .batch_execute(
                "CREATE TABLE public.seen (what text);
                 CREATE FUNCTION public.watch() RETURNS trigger LANGUAGE plpgsql AS
                 'BEGIN INSERT INTO public.seen VALUES (NEW::text); RETURN NEW; END';
                 CREATE TRIGGER watch AFTER INSERT OR UPDATE ON wattfold.request
                 FOR EACH ROW EXECUTE FUNCTION public.watch()",
            )
            .unwrap();
    };
    tokio::task::spawn_blocking(watch).await.unwrap();
    let mut apis = [&first, &second].map(|rig| Api::new(rig.enterprise, "admin", &password));
    for node in 0..2 {
        let owner = format!("owner-{node}");
        with_person(&mut apis[node], &owner).await;
        let other = &mut apis[1 - node];
        until("the other node knows the owner", WITHIN, async || {
            (answer(other, &owner).await == known(&owner)).then_some(())
        })
        .await;
        let path = format!("/owners/{owner}/person");
        let reply = ask(&mut apis[node], "DELETE", &path).await;
        assert_eq!(reply.status, 204, "{}", reply.text());
        for api in &mut apis {
            assert_eq!(answer(api, &owner).await, erased());
        }
    }
    let seen = tokio::task::spawn_blocking(move || {
        let hex: String = SECRET.bytes().map(|byte| format!("{byte:02x}")).collect();
        let sql = "SELECT count(*), count(*) FILTER (WHERE what LIKE $1 OR what LIKE $2)
                   FROM public.seen";
        let row = connect(&url)
            .query_one(sql, &[&format!("%{SECRET}%"), &format!("%{hex}%")])
            .unwrap();
        (row.get::<_, i64>(0), row.get::<_, i64>(1))
    });
    let (requests, with_persons) = seen.await.unwrap();
    assert!(0 < requests, "one of the nodes follows");
    assert_eq!(with_persons, 0);
    second.stop().await;
    first.stop().await;
}
