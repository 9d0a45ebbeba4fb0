//! A subscriber's listener, which takes notifications as its test wants it to.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use fleet::Lfdi;
use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use wattfold::tls::{Acceptor, TlsFiles};

use crate::rig::until;

/// What a path of the sink answers.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Status(u16),
    RetryAfter(u32),
    Redirect(String),
    Never,
}

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) content_type: String,
    pub(crate) body: String,
    /// Whose certificate was shown.
    pub(crate) from: Option<Lfdi>,
}

impl Taken {
    /// The text of the first element of this name.
    pub(crate) fn text(&self, name: &str) -> &str {
        let (_, rest) = self.body.split_once(&format!("<{name}>")).unwrap();
        rest.split_once('<').unwrap().0
    }

    pub(crate) fn status(&self) -> u8 {
        let (_, rest) = self.body.rsplit_once("<status>").unwrap();
        rest.split_once('<').unwrap().0.parse().unwrap()
    }
}

#[derive(Debug, Default)]
struct State {
    answers: BTreeMap<String, Answer>,
    taken: Vec<Taken>,
    connections: usize,
}

pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
    scheme: &'static str,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

impl Sink {
    /// Over mutual TLS, as the one whose certificate this is.
    pub(crate) async fn tls(files: &TlsFiles) -> Self {
        let acceptor = Acceptor::new(files).unwrap();
        Self::start(Ipv4Addr::LOCALHOST, Some(acceptor)).await
    }

    pub(crate) async fn plain() -> Self {
        Self::start(Ipv4Addr::LOCALHOST, None).await
    }

    /// On every address of the machine.
    pub(crate) async fn everywhere() -> Self {
        Self::start(Ipv4Addr::UNSPECIFIED, None).await
    }

    async fn start(address: Ipv4Addr, acceptor: Option<Acceptor>) -> Self {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if acceptor.is_some() { "https" } else { "http" };
        let state = Arc::new(Mutex::new(State::default()));
        let serving = serve(listener, acceptor.map(Arc::new), Arc::clone(&state));
        Self {
            address,
            scheme,
            state,
            task: tokio::spawn(serving),
        }
    }

    pub(crate) fn uri(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// What `path` answers from now on; 204 if nothing was said.
    pub(crate) fn answer(&self, path: &str, answer: Answer) {
        let mut state = self.state.lock().unwrap();
        state.answers.insert(path.to_owned(), answer);
    }

    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.state.lock().unwrap().taken.clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }

    /// Forgets what came until now.
    pub(crate) fn clear(&self) {
        self.state.lock().unwrap().taken.clear();
    }

    /// The first notification that is `wanted`, whenever it comes.
    pub(crate) async fn next(
        &self,
        what: &str,
        within: Duration,
        wanted: impl Fn(&Taken) -> bool,
    ) -> Taken {
        let found = until(what, within, async || {
            self.taken().into_iter().find(|taken| wanted(taken))
        });
        found.await
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, acceptor: Option<Arc<Acceptor>>, state: Arc<Mutex<State>>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        state.lock().unwrap().connections += 1;
        stream.set_nodelay(true).unwrap();
        let (acceptor, state) = (acceptor.clone(), Arc::clone(&state));
        tokio::spawn(async move {
            match acceptor {
                None => connection(stream, None, state).await,
                Some(acceptor) => match acceptor.accept(stream).await {
                    Ok((stream, peer)) => connection(stream, Some(peer.lfdi), state).await,
                    Err(error) => println!("the sink took no connection: {error}"),
                },
            }
        });
    }
}

async fn connection<S>(stream: S, from: Option<Lfdi>, state: Arc<Mutex<State>>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request| answer(request, from, Arc::clone(&state)));
    let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    if let Err(error) = served.await {
        println!("a connection of the sink ended: {error}");
    }
}

async fn answer(
    request: Request<Incoming>,
    from: Option<Lfdi>,
    state: Arc<Mutex<State>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let path = head.uri.path().to_owned();
    let content_type = head.headers.get(CONTENT_TYPE);
    let taken = Taken {
        method: head.method.to_string(),
        path: path.clone(),
        content_type: content_type.map_or(String::new(), |text| text.to_str().unwrap().to_owned()),
        body: String::from_utf8(body.to_vec()).unwrap(),
        from,
    };
    let answer = {
        let mut state = state.lock().unwrap();
        state.taken.push(taken);
        state.answers.get(&path).cloned()
    };
    let response = Response::builder();
    let response = match answer {
        None => response.status(204),
        Some(Answer::Status(status)) => response.status(status),
        Some(Answer::RetryAfter(seconds)) => response.status(503).header(RETRY_AFTER, seconds),
        Some(Answer::Redirect(to)) => response.status(302).header(LOCATION, to),
        Some(Answer::Never) => std::future::pending().await,
    };
    Ok(response.body(Full::default()).unwrap())
}
