//! The REST API as an operator's program uses it.

use std::io;
use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::exchange::{Reply, Request, Wire};

const PREFIX: &str = "/api/v1";

/// A client with one connection, made again after it broke.
pub(crate) struct Api {
    address: SocketAddr,
    authorization: String,
    wire: Option<Wire>,
}

impl Api {
    pub(crate) fn new(address: SocketAddr, user: &str, password: &str) -> Self {
        let credentials = STANDARD.encode(format!("{user}:{password}"));
        Self {
            address,
            authorization: format!("Basic {credentials}"),
            wire: None,
        }
    }

    pub(crate) fn authorized(&self, request: Request) -> Request {
        request.header("Authorization", &self.authorization)
    }

    /// Sends a request to any path of the listener.
    pub(crate) async fn send(&mut self, request: Request) -> io::Result<Reply> {
        let request = self.authorized(request);
        let mut wire = match self.wire.take() {
            Some(wire) => wire,
            None => Wire::plain(self.address).await?,
        };
        let reply = wire.exchange(&request).await?;
        if reply.header("connection") != "close" {
            self.wire = Some(wire);
        }
        Ok(reply)
    }

    pub(crate) async fn try_post(&mut self, path: &str, body: &Value) -> io::Result<Reply> {
        let request = Request::new("POST", &format!("{PREFIX}{path}"));
        self.send(request.body("application/json", body.to_string()))
            .await
    }

    pub(crate) async fn try_put(&mut self, path: &str, body: &Value) -> Reply {
        let request = Request::new("PUT", &format!("{PREFIX}{path}"));
        let request = request.body("application/json", body.to_string());
        self.send(request).await.unwrap()
    }

    pub(crate) async fn post(&mut self, path: &str, body: &Value) -> Value {
        let reply = self.try_post(path, body).await.unwrap();
        assert!((200..300).contains(&reply.status), "POST {path}: {reply:?}");
        reply.json()
    }

    pub(crate) async fn get(&mut self, path: &str) -> Value {
        let request = Request::new("GET", &format!("{PREFIX}{path}"));
        let reply = self.send(request).await.unwrap();
        assert_eq!(reply.status, 200, "GET {path}: {}", reply.text());
        reply.json()
    }

    /// All items of a list, page by page.
    pub(crate) async fn list(&mut self, path: &str) -> Vec<Value> {
        let (mut items, mut after) = (Vec::new(), String::new());
        loop {
            let mut page = self.get(&format!("{path}?limit=1000{after}")).await;
            match page["items"].take() {
                Value::Array(more) => items.extend(more),
                other => panic!("{path}: {other}"),
            }
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return items,
            }
        }
    }

    /// A count of `/metrics`, labels included in the name; 0 when it was never counted.
    pub(crate) async fn metric(&mut self, name: &str) -> u64 {
        let reply = self.send(Request::new("GET", "/metrics")).await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
        let text = reply.text();
        let line = text.lines().find_map(|line| {
            let (found, value) = line.rsplit_once(' ')?;
            (found == name).then_some(value)
        });
        line.map_or(0, |value| value.parse().unwrap())
    }
}
