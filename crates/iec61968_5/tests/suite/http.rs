//! The scene behind a socket, one request for each connection.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use iec61968_5::schema;
use iec61968_5::server::Request;

use crate::scene::Scene;

/// Serves until the process ends; the origin it can be reached at.
pub(crate) fn serve(mut scene: Scene) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let own = origin.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            answer(&stream.unwrap(), &mut scene, &own);
        }
    });
    origin
}

fn answer(mut stream: &TcpStream, scene: &mut Scene, origin: &str) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let (mut length, mut content_type, mut soap_action) = (0, None, None);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        let Some((name, value)) = header.trim().split_once(':') else {
            break;
        };
        let value = value.trim().to_owned();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "content-type" => content_type = Some(value),
            "soapaction" => soap_action = Some(value),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let (status, body) = if line.starts_with("GET") {
        match schema::document(path, Some(query), origin) {
            Some(document) => (200, document),
            None => (404, String::new()),
        }
    } else {
        let (content_type, soap_action) = (content_type.as_deref(), soap_action.as_deref());
        let (response, _) = scene.post_as(&Request {
            content_type,
            soap_action,
            body: &body,
        });
        (response.status, response.body)
    };
    let length = body.len();
    let head = format!("HTTP/1.1 {status} -\r\nContent-Type: text/xml; charset=utf-8\r\n");
    write!(
        stream,
        "{head}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .unwrap();
}
