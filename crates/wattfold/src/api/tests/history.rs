//! Telemetry over time and files of it, read by pyarrow.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::response::IntoResponse as _;
use fleet::{DerId, Quality};
use http::{Request, StatusCode, header};
use ieee2030_5::translate::metering::{Measurement, Point, Quantity};
use serde_json::{Value, json};
use tower::ServiceExt as _;
use units::Timestamp;

use super::super::table::{self, Cell, ColumnKind, MAX_TABLES, TableError, TableFormat};
use super::world::{Server, battery, dispatch};

/// 2026-03-20T12:00:00Z.
const NOON: i64 = 1_774_008_000_000;
const DAY: &str = "from=2026-03-20T00:00:00Z&to=2026-03-21T00:00:00Z";
const PARQUET: &str = "application/vnd.apache.parquet";

/// What pyarrow makes of a file: types by column, and rows.
const READ: &str = "
import json, sys
import pyarrow.csv, pyarrow.parquet
kind, path = sys.argv[1:]
read = {'csv': pyarrow.csv.read_csv, 'parquet': pyarrow.parquet.read_table}[kind]
table = read(path)
types = {field.name: str(field.type) for field in table.schema}
plain = lambda value: value.strftime('%Y-%m-%dT%H:%M:%S.%fZ')
print(json.dumps({'types': types, 'rows': table.to_pylist()}, default=plain))
";

fn read_outside(kind: &str, file: &[u8]) -> Value {
    let peers = std::env::var_os("WATTFOLD_PEERS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/peers/venv"),
        PathBuf::from,
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table");
    std::fs::write(&path, file).unwrap();
    let python = peers.join("bin/python");
    let output = Command::new(&python)
        .args(["-c", READ, kind])
        .arg(&path)
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask peers`", python.display()));
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

async fn file(server: &Server, path: &str, accept: &str) -> (StatusCode, String, Vec<u8>) {
    let request = Request::get(path)
        .header(header::AUTHORIZATION, server.basic())
        .header(header::ACCEPT, accept)
        .body(Body::empty());
    let response = server.router.clone().oneshot(request.unwrap()).await;
    let (head, body) = response.unwrap().into_parts();
    let media = head.headers[header::CONTENT_TYPE].to_str().unwrap();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    (head.status, media.to_owned(), body.to_vec())
}

/// Readings of active power, each so many milliseconds after noon.
fn readings(server: &Server, der: u32, values: &[(i64, f64)]) {
    for (after, value) in values {
        let at = Timestamp::from_millis(NOON + after);
        let measurement = Measurement {
            point: Point::Der,
            quantity: Quantity::ActivePower,
            value: *value,
            at,
            period_s: 0,
            quality: Quality::Valid,
        };
        server.node.observe(DerId(der), &[measurement], at);
    }
}

/// Two DER with readings of the day, one of them named like a formula; the mRID of the first.
async fn read_server() -> (Server, String) {
    let server = Server::start();
    let mut second = battery(1);
    second["name"] = json!("=HYPERLINK(\"x\")");
    let made = server.post("/api/v1/ders", json!([battery(0), second]));
    assert_eq!(made.await.status, StatusCode::CREATED);
    readings(&server, 0, &[(0, 1.5), (59_999, 2.5), (60_000, -4.0)]);
    readings(&server, 0, &[(-1, 8.0), (0, 99.0), (3_600_000, 0.1)]);
    readings(&server, 1, &[(5, 7.0)]);
    let ders = server.get("/api/v1/ders").await.json();
    let mrid = ders["items"][0]["mrid"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/telemetry?format=csv&{DAY}");
    for _ in 0..100 {
        if server.get(&path).await.text.lines().count() == 1 + 6 {
            return (server, mrid);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("readings were not written in five seconds");
}

#[tokio::test]
async fn telemetry_is_asked_for_by_span_a_page_at_a_time() {
    let (server, mrid) = read_server().await;
    let of = format!("/api/v1/telemetry?der={mrid}&quantity=p_w&to=2026-03-21T00:00:00Z");
    let ask = |more: &str| {
        let path = format!("{of}&{more}");
        let server = &server;
        async move { server.get(&path).await.json() }
    };
    let morning = "from=2026-03-20T00:00:00Z";
    let minutes = ask(&format!("{morning}&resolution=1m&limit=2")).await;
    let expected = json!([
        { "at": "2026-03-20T11:59:00Z", "value": 8.0, "quality": "valid",
          "span": { "count": 1, "min": 8.0, "max": 8.0, "first": 8.0, "last": 8.0 } },
        { "at": "2026-03-20T12:00:00Z", "value": 2.0, "quality": "valid",
          "span": { "count": 2, "min": 1.5, "max": 2.5, "first": 1.5, "last": 2.5 } },
    ]);
    assert_eq!(
        minutes["points"], expected,
        "the repetition of noon left out"
    );
    let next = minutes["next"].as_str().unwrap();
    let rest = ask(&format!("from={next}&resolution=1m&limit=2")).await;
    let at = |answer: &Value| -> Vec<String> {
        let points = answer["points"].as_array().unwrap().iter();
        points.map(|point| point["at"].to_string()).collect()
    };
    let two = ["\"2026-03-20T12:01:00Z\"", "\"2026-03-20T13:00:00Z\""];
    assert_eq!(
        (at(&rest), &rest["next"]),
        (two.map(String::from).to_vec(), &json!(null))
    );
    let hours = ask(&format!("{morning}&resolution=1h")).await;
    assert_eq!(hours["points"][1]["span"]["min"], json!(-4.0));
    for (limit, spans) in [(24, 3), (96, 3), (1_440, 4)] {
        let auto = ask(&format!("{morning}&resolution=auto&limit={limit}")).await;
        assert_eq!(at(&auto).len(), spans, "{limit}");
    }
    let raw = ask(&format!("{morning}&limit=4")).await;
    assert_eq!(raw["next"], json!("2026-03-20T12:01:00.001Z"));
    let last = ask(&format!("from={}&limit=4", raw["next"].as_str().unwrap())).await;
    assert_eq!(
        last["points"],
        json!([{ "at": "2026-03-20T13:00:00Z", "value": 0.1, "quality": "valid" }])
    );
    let refused = server.get(&format!("/api/v1/telemetry?{DAY}")).await;
    assert_eq!(
        refused.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "no DER and no file"
    );
    let kept = server.get("/api/v1/telemetry/retention").await.json();
    assert_eq!(kept["raw_from"], json!(null), "nothing has gone");
}

#[tokio::test]
async fn files_of_telemetry_are_read_by_others() {
    let (server, mrid) = read_server().await;
    let path = format!("/api/v1/telemetry?{DAY}");
    let (_, media, csv) = file(&server, &path, "text/csv").await;
    assert_eq!(media, "text/csv; charset=utf-8");
    let csv = read_outside("csv", &csv);
    let (_, media, parquet) = file(&server, &path, PARQUET).await;
    assert_eq!(media, PARQUET);
    let parquet = read_outside("parquet", &parquet);
    assert_eq!(parquet["types"]["at"], json!("timestamp[ms, tz=UTC]"));
    assert_eq!(parquet["types"]["value"], json!("double"));
    let values = |table: &Value| -> Vec<f64> {
        let rows = table["rows"].as_array().unwrap().iter();
        rows.map(|row| row["value"].as_f64().unwrap()).collect()
    };
    assert_eq!(values(&parquet), [8.0, 1.5, 2.5, -4.0, 0.1, 7.0]);
    assert_eq!(values(&csv), values(&parquet));
    let first = &parquet["rows"][0];
    let at = json!("2026-03-20T11:59:59.999000Z");
    assert_eq!((&first["der"], &first["at"]), (&json!(mrid), &at));
    let name = "=HYPERLINK(\"x\")";
    assert_eq!(parquet["rows"][5]["name"], json!(name), "nothing runs here");
    assert_eq!(
        csv["rows"][5]["name"],
        json!(format!("'{name}")),
        "no formula"
    );

    let hourly = format!("{path}&der={mrid}&quantity=p_w&resolution=1h");
    let (_, _, spans) = file(&server, &hourly, PARQUET).await;
    let spans = read_outside("parquet", &spans);
    let noon = &spans["rows"][1];
    let figures = ["count", "value", "min", "max", "first", "last"].map(|name| noon[name].clone());
    assert_eq!(json!(figures), json!([3, 0.0, -4.0, 2.5, 1.5, -4.0]));
}

#[tokio::test]
async fn files_of_deliveries_have_each_member_of_each_dispatch() {
    let server = Server::start();
    server.with_batteries(2).await;
    let group = server.with_group(2).await;
    let made = server.post("/api/v1/dispatches", dispatch(&group, 4_000.0));
    let mrid = made.await.json()["mrid"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/dispatches/{mrid}/deliveries");
    let mut listed = server.get(&path).await.json();
    for _ in 0..100 {
        if listed["items"][1]["asked_w"].is_f64() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        listed = server.get(&path).await.json();
    }
    let ever = "/api/v1/deliveries?from=2020-01-01T00:00:00Z&to=2120-01-01T00:00:00Z";
    for path in [path.as_str(), ever] {
        let (status, _, parquet) = file(&server, path, PARQUET).await;
        assert_eq!(status, StatusCode::OK);
        let parquet = read_outside("parquet", &parquet);
        let (_, _, csv) = file(&server, &path.replace("?", "?format=csv&"), "text/csv").await;
        let csv = read_outside("csv", &csv);
        let rows = parquet["rows"].as_array().unwrap();
        assert_eq!(rows.len(), 2);
        for (index, row) in rows.iter().enumerate() {
            let own = &listed["items"][index];
            assert_eq!(row["dispatch"], json!(mrid));
            assert_eq!(row["asked_w"], json!(2_000.0));
            assert_eq!(csv["rows"][index]["asked_w"].as_f64(), Some(2_000.0));
            assert_eq!(row["der"], own["der"]["mrid"]);
            for name in ["state", "verdict", "standing", "asked_w"] {
                assert_eq!(row[name], own[name], "{name}");
            }
            for name in ["name", "verdict", "told_late"] {
                assert_eq!(csv["rows"][index][name], row[name], "{name}");
            }
        }
    }
    let before = "/api/v1/deliveries?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z";
    let (_, _, none) = file(&server, before, PARQUET).await;
    assert_eq!(read_outside("parquet", &none)["rows"], json!([]));
    let gone = server.get("/api/v1/dispatches/nobody/deliveries?format=csv");
    assert_eq!(gone.await.status, StatusCode::NOT_FOUND);
}

const NUMBERS: &[(&str, ColumnKind)] = &[("n", ColumnKind::Count)];

/// Row groups follow one another, and a table that nobody reads holds its place until it ends.
#[tokio::test]
async fn large_tables_go_in_pieces_and_are_few_at_a_time() {
    let server = Server::start();
    let send = |format, rows: i64| {
        table::send(&server.api, (format, NUMBERS), move |_, table| {
            (0..rows).try_for_each(|n| table.write(vec![Cell::Count(n)]))
        })
    };
    let large = send(TableFormat::Parquet, 120_000).unwrap();
    let large = to_bytes(large.into_body(), usize::MAX).await.unwrap();
    let large = read_outside("parquet", &large);
    let rows = large["rows"].as_array().unwrap();
    let numbers = rows.iter().map(|row| row["n"].as_i64().unwrap());
    assert!(numbers.eq(0..120_000));

    let waiting: Vec<_> = (0..MAX_TABLES)
        .map(|_| send(TableFormat::Csv, 1_000_000).unwrap())
        .collect();
    let refused = send(TableFormat::Csv, 1).map(drop).unwrap_err();
    assert_eq!(
        refused.into_response().status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    drop(waiting);
    for _ in 0..100 {
        if send(TableFormat::Csv, 1).is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("tables that nobody reads hold their places");
}

#[tokio::test]
async fn a_table_that_breaks_off_is_not_taken_for_whole() {
    let server = Server::start();
    let sent = table::send(&server.api, (TableFormat::Csv, NUMBERS), |_, table| {
        table.write(vec![Cell::Count(1)])?;
        Err(TableError::Gone)
    });
    let body = sent.unwrap().into_body();
    assert!(to_bytes(body, usize::MAX).await.is_err());
}
