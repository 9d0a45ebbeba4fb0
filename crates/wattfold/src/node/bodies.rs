//! Representations that were made and still hold, so that a client that looks again costs little.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use fleet::Lfdi;
use ieee2030_5::server::freshness::{Freshness, Revisions, is_plain};
use ieee2030_5::server::{Request, Response, View};
use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};
use units::Timestamp;

/// Bytes of all that is kept.
pub const MAX_KEPT_BYTES: usize = 64 * 1024 * 1024;
/// Longer bodies are made each time.
const MAX_BODY_BYTES: usize = 16 * 1024;
/// What one costs beside its body.
const OVERHEAD_BYTES: usize = 512;
/// Of a list with a few controls.
const USUAL_BYTES: usize = 2 * 1024;

/// By whom and how it was asked for: nothing is ever given to another client.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    lfdi: Lfdi,
    path: String,
    query: Option<String>,
}

/// A key as a request has it.
#[derive(Clone, Copy, Debug)]
struct Asked<'a>(&'a Request<'a>);

impl Hash for Asked<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.lfdi.hash(state);
        self.0.path.hash(state);
        self.0.query.hash(state);
    }
}

impl Equivalent<Key> for Asked<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.0.lfdi == key.lfdi && self.0.path == key.path && self.0.query == key.query.as_deref()
    }
}

#[derive(Debug)]
struct Kept {
    response: Response,
    fresh: Freshness,
}

#[derive(Clone, Copy, Debug)]
struct Bytes;

impl Weighter<Key, Arc<Kept>> for Bytes {
    fn weight(&self, key: &Key, kept: &Arc<Kept>) -> u64 {
        let query = key.query.as_ref().map_or(0, String::len);
        let all = OVERHEAD_BYTES + key.path.len() + query + kept.response.body.len();
        u64::try_from(all).unwrap_or(u64::MAX)
    }
}

/// What is kept, at most [`MAX_KEPT_BYTES`]; the least useful goes first.
#[derive(Debug)]
pub struct Bodies(Cache<Key, Arc<Kept>, Bytes>);

impl Default for Bodies {
    fn default() -> Self {
        let bytes = u64::try_from(MAX_KEPT_BYTES).unwrap_or(u64::MAX);
        Self(Cache::with_weighter(
            MAX_KEPT_BYTES / USUAL_BYTES,
            bytes,
            Bytes,
        ))
    }
}

impl Bodies {
    /// What `request` was answered last, if it would be answered the same.
    pub(super) fn get(
        &self,
        request: &Request<'_>,
        view: &View<'_>,
        revisions: &Revisions,
        now: Timestamp,
    ) -> Option<Response> {
        if !is_plain(request) {
            return None;
        }
        let kept = self.0.get(&Asked(request))?;
        let holds = kept.fresh.holds(view, revisions, now);
        holds.then(|| kept.response.clone())
    }

    /// Keeps what `request` was answered at `now`, if it may be asked for again.
    pub(super) fn keep(
        &self,
        request: &Request<'_>,
        response: &Response,
        (view, revisions): (&View<'_>, &Revisions),
        now: Timestamp,
    ) {
        if response.status != 200 || MAX_BODY_BYTES < response.body.len() {
            return;
        }
        let Some(fresh) = Freshness::of(request, view, revisions, now) else {
            return;
        };
        let key = Key {
            lfdi: request.lfdi,
            path: request.path.to_owned(),
            query: request.query.map(str::to_owned),
        };
        let response = response.clone();
        self.0.insert(key, Arc::new(Kept { response, fresh }));
    }
}
