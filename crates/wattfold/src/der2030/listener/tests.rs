use std::io;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::Frame;
use tokio::io::AsyncReadExt as _;

use super::*;
use crate::clock;
use crate::pki::{self, InitArgs};
use crate::tls::TlsFiles;

/// A body that breaks.
struct CutOff;

impl Body for CutOff {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())))
    }
}

fn posted<B>(body: B) -> Request<B> {
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    request
}

#[tokio::test]
async fn a_notification_has_a_limit_and_one_that_is_cut_off_is_not_called_too_long() {
    let (sender, mut receiver) = mpsc::channel::<Notified>(1);
    let client = tokio::spawn(async move {
        let mut taken = Vec::new();
        while let Some(notified) = receiver.recv().await {
            taken.push(notified.body.len());
            notified.answer.send(204).unwrap();
        }
        taken
    });
    for (len, status) in [
        (MAX_NOTIFICATION_BYTES, 204),
        (MAX_NOTIFICATION_BYTES + 1, 413),
    ] {
        let body = Full::new(Bytes::from(vec![b' '; len]));
        let answered = answer(posted(body), sender.clone()).await;
        assert_eq!(answered.status(), status);
    }
    let answered = answer(posted(CutOff), sender.clone()).await;
    assert_eq!(answered.status(), 400);
    let got = Request::new(Full::new(Bytes::new()));
    let answered = answer(got, sender).await;
    assert_eq!(answered.headers()[ALLOW], "POST");
    assert_eq!(client.await.unwrap(), [MAX_NOTIFICATION_BYTES]);
}

#[tokio::test]
async fn connections_beyond_the_limit_are_hung_up() {
    let folder = tempfile::tempdir().unwrap();
    let init = InitArgs {
        dir: folder.path().join("pki"),
        devices: 0,
        device_names: Vec::new(),
        server_names: Vec::new(),
        server_ips: vec![Ipv4Addr::LOCALHOST.into()],
    };
    pki::init(&init, clock::now()).unwrap();
    let files = TlsFiles {
        cert_chain: init.dir.join("server.chain.pem"),
        key: init.dir.join("server.key.pem"),
        trust: init.dir.join("ca-chain.pem"),
    };
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let (_known, notifiers) = watch::channel(BTreeSet::new());
    let acceptor = Acceptor::new(&files).unwrap();
    let _notified = listen(address, acceptor, notifiers).await.unwrap();
    let mut held = Vec::new();
    for _ in 0..MAX_NOTIFIER_CONNECTIONS {
        held.push(TcpStream::connect(address).await.unwrap());
    }
    let mut beyond = TcpStream::connect(address).await.unwrap();
    let ended = beyond.read(&mut [0; 1]).await;
    assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    for stream in &held {
        let waits = stream.try_read(&mut [0; 1]).unwrap_err();
        assert_eq!(waits.kind(), io::ErrorKind::WouldBlock);
    }
}
