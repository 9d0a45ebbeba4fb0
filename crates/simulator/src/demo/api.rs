//! The REST API as an operator's program uses it.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::error::DemoError;
use super::layout::ADMIN;
use wattfold::der2030::link::{Link, Message};

pub(super) struct Api {
    link: Link,
}

impl Api {
    pub(super) fn new(address: SocketAddr, password: &str) -> Self {
        let credentials = STANDARD.encode(format!("{ADMIN}:{password}"));
        Self {
            link: Link::plain(address.into(), format!("Basic {credentials}")),
        }
    }

    pub(super) async fn get(&mut self, path: &str) -> Result<Value, DemoError> {
        self.call("GET", path, &[]).await
    }

    pub(super) async fn post(&mut self, path: &str, body: &Value) -> Result<Value, DemoError> {
        self.call("POST", path, body.to_string().as_bytes()).await
    }

    async fn call(
        &mut self,
        method: &'static str,
        path: &str,
        body: &[u8],
    ) -> Result<Value, DemoError> {
        let message = Message {
            method,
            href: path,
            media_type: "application/json",
            body,
        };
        let reply = self.link.exchange(message).await;
        let reply = reply.map_err(|source| DemoError::Exchange {
            method,
            path: path.to_owned(),
            source,
        })?;
        if !matches!(reply.status, 200..=299) {
            let body = String::from_utf8_lossy(&reply.body).into_owned();
            let (path, status) = (path.to_owned(), reply.status);
            return Err(DemoError::Status {
                method,
                path,
                status,
                body,
            });
        }
        parse(path, &reply.body)
    }

    /// All items of a list.
    pub(super) async fn list(&mut self, path: &str) -> Result<Vec<Value>, DemoError> {
        let mut page = self.get(&format!("{path}?limit=1000")).await?;
        match page.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => Ok(items),
            _ => Err(DemoError::Lacks {
                what: path.to_owned(),
                field: "items".to_owned(),
            }),
        }
    }
}

pub(super) fn parse(what: &str, text: &[u8]) -> Result<Value, DemoError> {
    serde_json::from_slice(text).map_err(|source| DemoError::Json {
        what: what.to_owned(),
        source,
    })
}

/// The text at a JSON pointer.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer)?.as_str()
}

/// The text at a JSON pointer that must be there.
pub(super) fn required<'a>(
    what: &str,
    value: &'a Value,
    pointer: &str,
) -> Result<&'a str, DemoError> {
    text(value, pointer).ok_or_else(|| DemoError::Lacks {
        what: what.to_owned(),
        field: pointer.to_owned(),
    })
}
