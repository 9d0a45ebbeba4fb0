//! What changes, as server-sent events.
//!
//! One task renders for everybody who listens, and only while somebody does. A listener that
//! can't keep up is cut off; it reconnects and gets everything afresh.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use fleet::{Dispatch, DispatchId};
use serde::Serialize;
use tokio::sync::{Notify, Semaphore, broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use utoipa::ToSchema;

use crate::api::dispatch::{self, DispatchRow};
use crate::api::problem::{Kind, Problem};
use crate::api::{Api, ApiState, alarm, summary};
use crate::auth::Principal;
use crate::clock;

/// Most streams open at one time.
pub const MAX_STREAMS: usize = 100;
/// Events that may wait for one listener.
pub const MAX_WAITING_EVENTS: usize = 32;

/// Time between two renderings at least.
const PAUSE: Duration = Duration::from_secs(1);
/// Time between two renderings at most: phases change and readings age without any news.
const IDLE: Duration = Duration::from_secs(5);
/// Rendering takes a tenth of one core at most.
const RENDERING_SHARE: u32 = 10;
/// Time between two pings.
const PING: Duration = Duration::from_secs(10);

/// Data of a `ping` event: nothing, but the connection is alive.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Ping {}

#[derive(Clone, Debug)]
pub(super) struct Message {
    event: &'static str,
    data: Arc<str>,
}

/// Where everybody listens.
#[derive(Debug)]
pub(super) struct Hub {
    messages: broadcast::Sender<Message>,
    places: Arc<Semaphore>,
    news: Notify,
    /// Whether the rendering task runs.
    rendering: Mutex<bool>,
}

impl Default for Hub {
    fn default() -> Self {
        Self {
            messages: broadcast::Sender::new(MAX_WAITING_EVENTS),
            places: Arc::new(Semaphore::new(MAX_STREAMS)),
            news: Notify::new(),
            rendering: Mutex::new(false),
        }
    }
}

impl Hub {
    fn rendering(&self) -> MutexGuard<'_, bool> {
        self.rendering
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Listen to what changes.
///
/// Events: `summary` with the data of `/api/v1/summary`, at the beginning and then at most once a
/// second; `dispatch` with a `DispatchRow` whenever one changed; `alarms` with `AlarmCounts`, at
/// the beginning and whenever an alarm changed; `ping` every ten seconds.
#[utoipa::path(get, path = "/api/v1/stream", operation_id = "open_stream", tag = "stream",
    responses((status = 200, description = "Server-sent events", body = String,
            content_type = "text/event-stream"),
        (status = 503, description = "Too many streams are open", body = Problem)))]
pub(super) async fn open(
    State(api): State<Api>,
    principal: Principal,
) -> Result<Response, Problem> {
    let Ok(place) = Arc::clone(&api.hub.places).try_acquire_owned() else {
        let detail = format!("{MAX_STREAMS} streams are open already");
        return Err(Problem::new(Kind::Overloaded, detail));
    };
    let messages = subscribe(&api);
    let (events, stream) = mpsc::channel(MAX_WAITING_EVENTS);
    tokio::spawn(async move {
        forward(&api, &principal, messages, events).await;
        drop(place);
    });
    Ok(Sse::new(ReceiverStream::new(stream)).into_response())
}

fn subscribe(api: &Api) -> broadcast::Receiver<Message> {
    let mut rendering = api.hub.rendering();
    let messages = api.hub.messages.subscribe();
    if !*rendering {
        *rendering = true;
        tokio::spawn(render_on_change(Arc::clone(api)));
    }
    api.hub.news.notify_one();
    messages
}

/// Passes events on until the listener leaves, falls behind or is no longer let in.
async fn forward(
    api: &ApiState,
    principal: &Principal,
    mut messages: broadcast::Receiver<Message>,
    events: mpsc::Sender<Result<Event, Infallible>>,
) {
    let mut pings = tokio::time::interval(PING);
    loop {
        let event = tokio::select! {
            message = messages.recv() => match message {
                Ok(message) => Event::default().event(message.event).data(&message.data),
                Err(_) => return,
            },
            _ = pings.tick() => Event::default().event("ping").data("{}"),
            () = events.closed() => return,
        };
        let welcome = api.auth.is_current(principal, clock::now()).await;
        if !welcome || events.try_send(Ok(event)).is_err() {
            return;
        }
    }
}

async fn render_on_change(api: Api) {
    let mut changes = api.node.changes();
    let mut shown = BTreeMap::new();
    let mut alarms_shown = None;
    loop {
        tokio::select! {
            _ = tokio::time::timeout(IDLE, changes.changed()) => {}
            () = api.hub.news.notified() => {
                shown.clear();
                alarms_shown = None;
            }
        }
        {
            let mut rendering = api.hub.rendering();
            if api.hub.messages.receiver_count() == 0 {
                *rendering = false;
                return;
            }
        }
        let begun = clock::now();
        match render(&api, &mut shown).await {
            Ok(messages) => messages.into_iter().for_each(|message| send(&api, message)),
            Err(problem) => tracing::warn!(detail = problem.detail, "no events"),
        }
        let alarms = api.world(|world| alarm::counts(world.fleet));
        if alarms_shown.replace(alarms) != Some(alarms) {
            send(&api, message("alarms", &alarms));
        }
        let took = clock::now().since(begun);
        tokio::time::sleep(PAUSE.max(took * RENDERING_SHARE)).await;
    }
}

pub(super) fn send(api: &ApiState, message: Message) {
    if api.hub.messages.send(message).is_err() {
        tracing::debug!("nobody listens any more");
    }
}

/// The summary, and each dispatch that is open or was, if it is not what was `shown` last.
async fn render(
    api: &ApiState,
    shown: &mut BTreeMap<DispatchId, DispatchRow>,
) -> Result<Vec<Message>, Problem> {
    let mut ids = api.world(summary::open);
    let open = ids.len();
    let over = |id: &&DispatchId| !ids[..open].contains(id);
    let closed: Vec<DispatchId> = shown.keys().filter(over).copied().collect();
    ids.extend(closed);
    let tallies = api.tallies(&ids).await?;
    let (summary, rows) = api.world(|world| {
        let found: Vec<&Dispatch> = ids
            .iter()
            .filter_map(|id| world.fleet.dispatch(*id))
            .collect();
        (
            summary::summary(api, world, &tallies),
            dispatch::rows(world, &found, &tallies),
        )
    });
    let mut messages = vec![message("summary", &summary)];
    for (index, (id, row)) in ids.into_iter().zip(rows).enumerate() {
        if shown.get(&id) != Some(&row) {
            messages.push(message("dispatch", &row));
        }
        if index < open {
            shown.insert(id, row);
        } else {
            shown.remove(&id);
        }
    }
    Ok(messages)
}

pub(super) fn message<T: Serialize>(event: &'static str, data: &T) -> Message {
    let data = serde_json::to_string(data).expect("rows are plain data");
    Message {
        event,
        data: data.into(),
    }
}
