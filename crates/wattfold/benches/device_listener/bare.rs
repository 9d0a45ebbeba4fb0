//! Servers that do nothing but what they are compared by.

use std::convert::Infallible;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use openssl::ssl::{Ssl, SslContext, SslFiletype, SslMethod, SslVerifyMode, SslVersion};

/// Threads that accept; more than cores, because each waits for its client.
const THREADS: usize = 16;
const CCM8: &str = "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0";

/// A context as anybody would set it up, with OpenSSL's own verification.
fn context(dir: &Path) -> SslContext {
    let mut builder = SslContext::builder(SslMethod::tls_server()).expect("OpenSSL");
    let file = |name: &str| dir.join(name);
    builder
        .set_max_proto_version(Some(SslVersion::TLS1_2))
        .and_then(|()| builder.set_cipher_list(CCM8))
        .and_then(|()| builder.set_groups_list("P-256"))
        .and_then(|()| builder.set_certificate_chain_file(file("server.chain.pem")))
        .and_then(|()| builder.set_private_key_file(file("server.key.pem"), SslFiletype::PEM))
        .and_then(|()| builder.set_ca_file(file("ca-chain.pem")))
        .and_then(|()| builder.set_session_id_context(b"bare"))
        .expect("our own PKI");
    builder.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    builder.build()
}

/// Says where it listens, on a line of its own.
fn announce(listener: &TcpListener) {
    let port = listener.local_addr().expect("bound").port();
    let mut out = std::io::stdout().lock();
    writeln!(out, "{port}")
        .and_then(|()| out.flush())
        .expect("whoever started it listens");
}

/// Shakes hands and waits for the client to hang up.
pub(crate) fn accept(dir: &Path) {
    let context = context(dir);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    announce(&listener);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                listener
                    .incoming()
                    .for_each(|stream| shake(&context, stream))
            });
        }
    });
}

fn shake(context: &SslContext, stream: std::io::Result<std::net::TcpStream>) {
    let stream = stream.expect("a connection");
    stream.set_nodelay(true).expect("a TCP stream");
    let session = Ssl::new(context).expect("OpenSSL");
    if let Ok(mut tls) = session.accept(stream) {
        drop(tls.read(&mut [0; 64]));
    }
}

/// Answers everything with the content of a file.
pub(crate) fn get(dir: &Path, body: &Path) {
    let context = context(dir);
    let body = Bytes::from(std::fs::read(body).expect("a file"));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    announce(&listener);
    listener.set_nonblocking(true).expect("a listener");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("tokio");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        let context = Arc::new(context);
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&context), body.clone()));
        }
    });
}

async fn serve(stream: tokio::net::TcpStream, context: Arc<SslContext>, body: Bytes) {
    stream.set_nodelay(true).expect("a TCP stream");
    let session = Ssl::new(&context).expect("OpenSSL");
    let mut tls = tokio_openssl::SslStream::new(session, stream).expect("OpenSSL");
    Pin::new(&mut tls)
        .accept()
        .await
        .expect("one of our devices");
    let fixed = service_fn(move |_| {
        let response = http::Response::builder()
            .header(http::header::CONTENT_TYPE, "application/sep+xml")
            .body(Full::new(body.clone()));
        async move { Ok::<_, Infallible>(response.expect("a valid response")) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .pipeline_flush(true)
        .serve_connection(TokioIo::new(tls), fixed)
        .await;
    drop(served);
}
