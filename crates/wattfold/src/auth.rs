//! Who is asking: accounts, sessions of the console, HTTP basic for everything else.
//!
//! Passwords are kept as Argon2id hashes. Hashing is slow on purpose, so credentials that were
//! verified are remembered for a while by a keyed digest, the number of hashes computed at one
//! time is bounded, and an address that keeps failing has to wait.

mod carried;
mod password;
mod session;
mod throttle;
mod verified;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderMap, Method, header};
use store::{AccountId, Shared};
use thiserror::Error;
use tokio::sync::Semaphore;
use units::Timestamp;

use crate::node::{AccountChange, AccountError, Unavailable};

pub use carried::{remembered, trusting};
pub use password::{MAX_PASSWORD_BYTES, MIN_PASSWORD_CHARS, PasswordError};
pub use session::{MAX_SESSIONS, SESSION_LIFETIME, SessionId};
pub use throttle::{MAX_FAILURES, MAX_THROTTLED};
pub use verified::MAX_VERIFIED;

/// Name of the cookie that holds a session's token.
pub const SESSION_COOKIE: &str = "wattfold_session";
/// A header that no page of another origin can send without being asked first; its presence
/// stands for a matching `Origin`.
pub const SAME_SITE_HEADER: &str = "x-wattfold-request";
/// The account made at first start.
pub const FIRST_ACCOUNT: &str = "admin";
/// Most bytes of a user name and password together.
pub const MAX_CREDENTIAL_BYTES: usize = 512;
/// Most passwords verified at one time; each takes 19 MiB of memory while it lasts.
pub const MAX_VERIFYING: usize = 2;
/// Longest wait for a turn to verify a password.
const VERIFY_WAIT: Duration = Duration::from_secs(5);

/// An account as it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// What the journal calls it.
    pub id: AccountId,
    /// User name.
    pub name: String,
    /// Argon2id hash of the password in PHC string format.
    pub hash: String,
}

impl From<store::Account> for Account {
    fn from(stored: store::Account) -> Self {
        Self {
            id: stored.id,
            name: stored.name,
            hash: stored.password_hash,
        }
    }
}

/// An account to create.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewAccount {
    /// User name.
    pub name: String,
    /// Argon2id hash of the password in PHC string format.
    pub hash: String,
}

/// How a principal proved who it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Via {
    /// A session of the console.
    Session(SessionId),
    /// HTTP basic.
    Basic,
}

/// Someone who has proved who they are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Principal {
    /// What the journal calls the account.
    pub account: AccountId,
    /// Name of the account.
    pub name: String,
    /// How it was proved.
    pub via: Via,
}

/// Why a request is not accepted from whoever sent it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum AuthError {
    /// There are no credentials, or a session that is over.
    #[error("no credentials")]
    Missing,
    /// The credentials are wrong.
    #[error("wrong user name or password")]
    Wrong,
    /// A change asked for with a cookie, from who knows which page.
    #[error("the Origin of a change must be this host")]
    CrossSite,
    /// Too many failures from this address.
    #[error("too many failed attempts; wait {retry_after_s} s")]
    Throttled {
        /// Seconds until the next attempt is looked at.
        retry_after_s: u64,
    },
    /// Too many passwords are being verified.
    #[error("too many passwords are being verified")]
    Overloaded,
}

/// What a request shows of whoever sent it.
#[derive(Clone, Copy, Debug)]
pub struct Presented<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// The address it came from.
    pub from: Option<IpAddr>,
}

/// A fresh session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewSession {
    /// Value of the cookie; kept nowhere here.
    pub token: String,
    /// When it ends.
    pub expires: Timestamp,
}

/// Accounts, and who has proved to own one.
#[derive(Debug)]
pub struct Auth {
    accounts: Mutex<BTreeMap<String, Account>>,
    sessions: Mutex<session::Sessions>,
    /// Where the sessions are instead when several nodes share them.
    shared: Option<Arc<Mutex<Shared>>>,
    verified: Mutex<verified::Verified>,
    throttle: Mutex<throttle::Throttle>,
    verifying: Semaphore,
    /// A hash that no password fits, so that an unknown user takes as long as a known one.
    decoy: String,
}

impl Auth {
    /// With these accounts.
    #[must_use]
    pub fn new(accounts: impl IntoIterator<Item = Account>) -> Self {
        let accounts = accounts
            .into_iter()
            .map(|account| (account.name.clone(), account));
        Self {
            accounts: Mutex::new(accounts.collect()),
            sessions: Mutex::default(),
            shared: None,
            verified: Mutex::new(verified::Verified::new(random())),
            throttle: Mutex::default(),
            verifying: Semaphore::new(MAX_VERIFYING),
            decoy: password::hash(&one_time_password(), &random()),
        }
    }

    /// With these accounts, and sessions that other nodes know as well.
    #[must_use]
    pub fn sharing(accounts: impl IntoIterator<Item = Account>, sessions: Shared) -> Self {
        Self {
            shared: Some(Arc::new(Mutex::new(sessions))),
            ..Self::new(accounts)
        }
    }

    /// Takes up what has become of the accounts at other nodes.
    pub fn replace(&self, accounts: impl IntoIterator<Item = Account>) {
        let accounts: BTreeMap<String, Account> = accounts
            .into_iter()
            .map(|account| (account.name.clone(), account))
            .collect();
        let mut known = lock(&self.accounts);
        for (name, account) in known.iter() {
            if accounts.get(name) != Some(account) {
                lock(&self.verified).forget(name);
            }
        }
        *known = accounts;
    }

    /// Who sent a request.
    ///
    /// # Errors
    /// [`AuthError`]; the request is then not to be served.
    pub async fn authenticate(
        &self,
        presented: &Presented<'_>,
        now: Timestamp,
    ) -> Result<Principal, AuthError> {
        if let Some(trusted) = carried::trusted() {
            return Ok(trusted);
        }
        let principal = self.verified(presented, now).await?;
        carried::remember(&principal);
        Ok(principal)
    }

    async fn verified(
        &self,
        presented: &Presented<'_>,
        now: Timestamp,
    ) -> Result<Principal, AuthError> {
        if let Some(authorization) = presented.headers.get(header::AUTHORIZATION) {
            let (name, password) = basic(authorization.as_bytes()).ok_or(AuthError::Wrong)?;
            let account = self.verify(&name, &password, presented.from, now).await?;
            return Ok(Principal {
                account,
                name,
                via: Via::Basic,
            });
        }
        let token = session_token(presented.headers).ok_or(AuthError::Missing)?;
        let id = SessionId::of(token);
        let name = self
            .session_user(id, now)
            .await?
            .ok_or(AuthError::Missing)?;
        if !presented.method.is_safe() && !is_same_site(presented.headers) {
            return Err(AuthError::CrossSite);
        }
        let account = self.account(&name).ok_or(AuthError::Missing)?;
        Ok(Principal {
            account,
            name,
            via: Via::Session(id),
        })
    }

    /// Begins a session.
    ///
    /// # Errors
    /// [`AuthError`] unless the credentials fit.
    pub async fn log_in(
        &self,
        name: &str,
        password: &str,
        from: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<NewSession, AuthError> {
        let account = self.verify(name, password, from, now).await?;
        let token = URL_SAFE_NO_PAD.encode(random::<32>());
        let id = SessionId::of(&token);
        if self.shared.is_none() {
            let expires = lock(&self.sessions).begin(id, name.to_owned(), now);
            return Ok(NewSession { token, expires });
        }
        let expires = now.after(SESSION_LIFETIME);
        let session = store::Session {
            id: id.digest(),
            account,
            expires,
        };
        self.with_shared(move |shared| shared.begin_session(&session, now, MAX_SESSIONS))
            .await?;
        Ok(NewSession { token, expires })
    }

    /// Ends the session of `principal`, if it has one.
    ///
    /// # Errors
    /// [`AuthError::Overloaded`] when the other nodes can't be told.
    pub async fn log_out(&self, principal: &Principal) -> Result<(), AuthError> {
        let Via::Session(id) = principal.via else {
            return Ok(());
        };
        if self.shared.is_none() {
            lock(&self.sessions).end(id);
            return Ok(());
        }
        self.with_shared(move |shared| shared.end_session(id.digest()))
            .await
    }

    /// Whether `principal` would still be let in; for answers that go on for long.
    pub async fn is_current(&self, principal: &Principal, now: Timestamp) -> bool {
        match principal.via {
            Via::Session(id) => matches!(self.session_user(id, now).await, Ok(Some(_))),
            Via::Basic => lock(&self.accounts).contains_key(&principal.name),
        }
    }

    async fn session_user(
        &self,
        id: SessionId,
        now: Timestamp,
    ) -> Result<Option<String>, AuthError> {
        if self.shared.is_none() {
            return Ok(lock(&self.sessions).user(id, now));
        }
        let account = self
            .with_shared(move |shared| shared.session(id.digest(), now))
            .await?;
        let known = lock(&self.accounts);
        let user = known.values().find(|known| Some(known.id) == account);
        Ok(user.map(|user| user.name.clone()))
    }

    async fn with_shared<R: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut Shared) -> Result<R, store::StorageError> + Send + 'static,
    ) -> Result<R, AuthError> {
        self.ask_shared(ask).await?.map_err(|error| {
            let error: &dyn std::error::Error = &error;
            tracing::error!(error, "sessions can't be asked for");
            AuthError::Overloaded
        })
    }

    /// Asks the database, which blocks, off the runtime's threads.
    async fn ask_shared<R: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut Shared) -> R + Send + 'static,
    ) -> Result<R, AuthError> {
        let shared = self.shared.as_ref().ok_or(AuthError::Overloaded)?;
        let shared = Arc::clone(shared);
        let asked = tokio::task::spawn_blocking(move || ask(&mut lock(&shared)));
        asked.await.map_err(|_| AuthError::Overloaded)
    }

    /// Checks the current password and hashes the new one; [`Auth::put`] then puts it in force,
    /// once it is stored.
    ///
    /// # Errors
    /// [`PasswordError`] when either does not do.
    pub async fn change_password(
        &self,
        principal: &Principal,
        current: &str,
        new: &str,
        from: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Account, PasswordError> {
        password::check(new)?;
        self.verify(&principal.name, current, from, now).await?;
        let new = new.to_owned();
        let hashed = self.blocking(move || password::hash(&new, &random())).await;
        Ok(Account {
            id: principal.account,
            name: principal.name.clone(),
            hash: hashed?,
        })
    }

    /// The hash of a first password.
    ///
    /// # Errors
    /// [`PasswordError`] when it does not do.
    pub async fn hash(&self, password: &str) -> Result<String, PasswordError> {
        password::check(password)?;
        let password = password.to_owned();
        let hashed = self
            .blocking(move || password::hash(&password, &random()))
            .await;
        Ok(hashed?)
    }

    /// Changes the accounts where several nodes share them: there no password is carried to another
    /// node. `None` where accounts are the node's own.
    pub async fn change_shared(
        &self,
        change: AccountChange,
        now: Timestamp,
    ) -> Option<Result<(), AccountError>> {
        self.shared.as_ref()?;
        let changed = self.ask_shared(move |shared| match change {
            AccountChange::Create {
                name,
                password_hash,
            } => shared
                .create_account(&name, &password_hash, now)
                .map(|_| ()),
            AccountChange::SetPassword { id, password_hash } => {
                shared.set_password(id, &password_hash)
            }
        });
        let changed = changed.await.map_err(|_| Unavailable::Store);
        Some(match changed {
            Ok(changed) => changed.map_err(|error| AccountError::from(&error)),
            Err(unavailable) => Err(unavailable.into()),
        })
    }

    /// The accounts where several nodes share them. `None` where they are the node's own.
    pub async fn shared_accounts(&self) -> Option<Result<Vec<store::Account>, AuthError>> {
        self.shared.as_ref()?;
        Some(self.with_shared(Shared::accounts).await)
    }

    /// Puts `account` in force. Its other sessions end, `keep` stays.
    ///
    /// # Errors
    /// [`AuthError::Overloaded`] when the other nodes can't be told.
    pub async fn put(&self, account: Account, keep: &Principal) -> Result<(), AuthError> {
        let kept = match keep.via {
            Via::Session(id) => Some(id),
            Via::Basic => None,
        };
        let id = account.id;
        lock(&self.sessions).end_all_of(&account.name, kept);
        lock(&self.verified).forget(&account.name);
        lock(&self.accounts).insert(account.name.clone(), account);
        if self.shared.is_none() {
            return Ok(());
        }
        let kept = kept.map(SessionId::digest);
        self.with_shared(move |shared| shared.end_sessions_of(id, kept))
            .await
    }

    fn account(&self, name: &str) -> Option<AccountId> {
        lock(&self.accounts).get(name).map(|account| account.id)
    }

    async fn verify(
        &self,
        name: &str,
        password: &str,
        from: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<AccountId, AuthError> {
        if MAX_CREDENTIAL_BYTES < name.len() + password.len() {
            return Err(AuthError::Wrong);
        }
        if lock(&self.verified).knows(name, password, now) {
            return self.account(name).ok_or(AuthError::Wrong);
        }
        if let Some(retry_after_s) = lock(&self.throttle).wait_s(from, now) {
            return Err(AuthError::Throttled { retry_after_s });
        }
        let stored = lock(&self.accounts).get(name).cloned();
        let account = stored.as_ref().map(|stored| stored.id);
        let stored = stored.map_or_else(|| self.decoy.clone(), |stored| stored.hash);
        let given = password.to_owned();
        let fits = self
            .blocking(move || password::fits(&given, &stored))
            .await?;
        if let Some(account) = account
            && fits
        {
            lock(&self.verified).remember(name, password, now);
            return Ok(account);
        }
        lock(&self.throttle).failed(from, now);
        Err(AuthError::Wrong)
    }

    /// Runs `work` off the runtime's threads, a few at a time.
    async fn blocking<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, AuthError> {
        let turn = tokio::time::timeout(VERIFY_WAIT, self.verifying.acquire()).await;
        let Ok(Ok(_turn)) = turn else {
            return Err(AuthError::Overloaded);
        };
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| AuthError::Overloaded)
    }
}

/// The first account and its password, of which the account itself keeps only a hash.
#[must_use]
pub fn first_account() -> (NewAccount, String) {
    let password = one_time_password();
    let hash = password::hash(&password, &random());
    (
        NewAccount {
            name: FIRST_ACCOUNT.to_owned(),
            hash,
        },
        password,
    )
}

/// Random bytes from the operating system.
#[must_use]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system has random numbers");
    bytes
}

/// 120 bits in groups of five letters and digits that are not easily mistaken.
fn one_time_password() -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let letters = random::<24>().map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
    let groups: Vec<String> = letters
        .chunks(6)
        .map(|group| group.iter().collect())
        .collect();
    groups.join("-")
}

/// User name and password of an `Authorization: Basic` header (RFC 7617).
fn basic(value: &[u8]) -> Option<(String, String)> {
    let value = std::str::from_utf8(value).ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") || 2 * MAX_CREDENTIAL_BYTES < encoded.len() {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (name, password) = decoded.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

fn session_token(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == SESSION_COOKIE)
        .map(|(_, token)| token)
}

/// Whether a page of this host sent the request, as far as the browser tells.
fn is_same_site(headers: &HeaderMap) -> bool {
    if headers.contains_key(SAME_SITE_HEADER) {
        return true;
    }
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(origin), Some(host)) = (text(header::ORIGIN), text(header::HOST)) else {
        return false;
    };
    origin
        .split_once("://")
        .is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
}

/// What these locks guard is whole after every statement, so a panic elsewhere spoils nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
