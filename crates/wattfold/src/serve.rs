//! Putting a server together from a configuration and a data directory, and taking it down.

mod devices;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fleet::{Command, Identity};
use ieee2030_5::server::{PollRates, ServerConfig};
use ieee2030_5::translate::metering;
use store::telemetry::{Sample, TelemetryError};
use store::{
    Actor, Asked, Batch, Entry, JournalId, Lease, Persons, Postgres, Shared, Sqlite, Store,
};
use thiserror::Error;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use units::{Timestamp, UTC, Zone};

use crate::api::person::{self, Personal};
use crate::auth::{self, Auth};
use crate::config::{self, Config, Devices, Forward};
use crate::control_loop::State;
use crate::metrics::Metrics;
use crate::node::membership::MAX_ERRANDS;
use crate::node::{self, Node, Parts, Seat, restart};
use crate::telemetry::Telemetry;
use crate::{api, clock, cluster, console, enterprise_listener, soap_route, tls};
use devices::DeviceSockets;

/// File in the data directory that holds the first password until its owner removes it.
pub const FIRST_PASSWORD_FILE: &str = "initial_admin_password";
/// How far back the latest readings are looked for at start.
const RECALL: Duration = Duration::from_secs(3_600);
/// Connections that may wait to be accepted. When a fleet reconnects at once, those beyond it try
/// again a second later.
const BACKLOG: u32 = 4_096;
/// Pause before looking again whether another node has founded the fleet.
const ANOTHER_BEGINS: Duration = Duration::from_millis(100);
/// How long connections get to end before the process does.
const GRACE: Duration = Duration::from_secs(3);

/// Why a server does not start, or ended.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The data directory is not usable.
    #[error("data directory {}", path.display())]
    Data {
        /// Which directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The store can't be opened.
    #[error("the store can't be opened")]
    Open(#[from] store::OpenError),
    /// The database's address is not usable.
    #[error("store.url")]
    Address(#[from] store::AddressError),
    /// The lease can't be asked for.
    #[error("the lease can't be asked for")]
    Lease(#[from] store::StorageError),
    /// Erasures of personal data can't be brought to their end.
    #[error("erased personal data can't be removed")]
    Persons(#[source] store::StorageError),
    /// The store can't be read.
    #[error("the store can't be read")]
    Read(#[from] store::ReadError),
    /// The store can't be written.
    #[error("the store can't be written")]
    Commit(#[from] store::CommitError),
    /// What is stored can't be folded.
    #[error("the store can't be folded")]
    Fold(#[from] restart::FoldError),
    /// TLS of the device listener.
    #[error("TLS of the device listener")]
    DeviceTls(#[from] tls::TlsSetupError),
    /// The enterprise listener.
    #[error("the enterprise listener")]
    Enterprise(#[from] enterprise_listener::ListenerError),
    /// An address can't be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The node can't be started.
    #[error("the node can't be started")]
    Node(#[from] node::StartError),
    /// What is in the store can't be used.
    #[error("{place} can't be used")]
    Unusable {
        /// The file or database.
        place: String,
        /// Why.
        #[source]
        source: Box<ServeError>,
    },
    /// Readings can't be read.
    #[error("{place} can't be used; without it the server begins with no readings")]
    Readings {
        /// The file or database.
        place: String,
        /// Why.
        #[source]
        source: TelemetryError,
    },
    /// The medium of the store failed while serving.
    #[error("{place} failed; start again to go on from what is durable")]
    Failed {
        /// The file or database.
        place: String,
        /// Why.
        #[source]
        source: store::StorageError,
    },
    /// The owner thread panicked while serving.
    #[error("the owner thread panicked")]
    Panicked,
    /// The fleet refuses its own founding.
    #[error("the fleet can't be founded")]
    Found(#[from] fleet::Rejection),
}

/// What has been opened and is not serving yet.
struct Opened {
    node: Arc<Node>,
    owner: std::thread::JoinHandle<Result<(), store::StorageError>>,
    auth: Arc<Auth>,
    personal: Personal,
    /// What the node needs among others.
    cluster: Option<cluster::Parts>,
}

/// Serves until `stop` turns true.
///
/// # Errors
/// [`ServeError`] when something is not usable, and when the store fails later; nothing serves then.
pub async fn serve(
    config: Config,
    data: &Path,
    mut stop: watch::Receiver<bool>,
) -> Result<(), ServeError> {
    let enterprise = listen(config.enterprise.listen)?;
    let enterprise_tls = enterprise_listener::tls(&config.enterprise)?;
    let devices = match &config.ieee2030_5 {
        None => None,
        Some(devices) => Some(DeviceSockets::open(devices, config.discovery.as_ref())?),
    };
    let place = place(&config, data)?;
    let located = |error: ServeError| error.at(&place);
    let (config, mut opened) = opened(config, data).await.map_err(located)?;
    let scheme = if enterprise_tls.is_some() {
        "https"
    } else {
        "http"
    };
    tracing::info!(url = %format!("{scheme}://{}", config.enterprise.listen), "enterprise listener");
    let mut router = router(&opened, &config, scheme);
    if let Some(parts) = opened.cluster.take() {
        cluster::start(&opened.node, &opened.auth, router.clone(), parts);
        router = cluster::carried(router, Arc::clone(&opened.node));
    }
    let (halt, halted) = watch::channel(false);
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(enterprise_listener::serve(
        enterprise,
        enterprise_tls,
        router,
        halted.clone(),
    ));
    if let Some(devices) = devices {
        devices.serve(&opened.node, &halted, &mut tasks);
    }
    tokio::select! {
        _ = stop.wait_for(|stop| *stop) => tracing::info!("stopping"),
        () = opened.node.ended() => tracing::error!("the owner thread has ended"),
    }
    halt.send_replace(true);
    if tokio::time::timeout(GRACE, tasks.join_all()).await.is_err() {
        tracing::warn!("connections did not end in time");
    }
    opened.node.stop();
    let ended = opened.owner.join();
    opened.node.telemetry().close(GRACE).await;
    match ended {
        Ok(ended) => ended.map_err(|source| ServeError::Failed { place, source }),
        Err(_) => Err(ServeError::Panicked),
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    let listening = || {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        // Without it the address of a server that was just killed stays taken for a minute.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listening().map_err(|source| ServeError::Listen { address, source })
}

fn router(opened: &Opened, config: &Config, scheme: &'static str) -> axum::Router {
    let soap = soap_route::SoapState {
        node: Arc::clone(&opened.node),
        auth: Arc::clone(&opened.auth),
        config: Arc::new(config.iec61968_5.clone()),
        scheme,
    };
    let api = api::ApiState::new(
        Arc::clone(&opened.node),
        Arc::clone(&opened.auth),
        api::Given {
            limits: config.limits.clone(),
            tls: match scheme {
                "https" => api::Tls::On,
                _ => api::Tls::Off,
            },
            balancing_authority: config.enterprise.balancing_authority.clone(),
            personal: opened.personal.clone(),
        },
    );
    soap_route::router(soap)
        .merge(api::router(api))
        .merge(console::router())
}

/// Where the store is, for people.
fn place(config: &Config, data: &Path) -> Result<String, ServeError> {
    Ok(match &config.store {
        None => store::fleet_file(data).display().to_string(),
        Some(database) => database.address()?.to_string(),
    })
}

impl ServeError {
    /// Says where the store is whose content can't be used.
    fn at(self, place: &str) -> Self {
        match self {
            Self::Read(_) | Self::Commit(_) | Self::Fold(_) => Self::Unusable {
                place: place.to_owned(),
                source: Box::new(self),
            },
            other => other,
        }
    }
}

/// Opens the store off the runtime's threads, since that blocks.
async fn opened(config: Config, data: &Path) -> Result<(Config, Opened), ServeError> {
    let data = data.to_owned();
    let opening = tokio::task::spawn_blocking(move || {
        let opened = match &config.store {
            None => open(&config, &data),
            Some(database) => open_shared(&config, database, &data),
        };
        opened.map(|opened| (config, opened))
    });
    opening.await.map_err(|_| ServeError::Panicked)?
}

fn open_shared(
    config: &Config,
    database: &config::Store,
    data: &Path,
) -> Result<Opened, ServeError> {
    let unusable = |source| ServeError::Data {
        path: data.to_owned(),
        source,
    };
    std::fs::create_dir_all(data).map_err(unusable)?;
    let address = database.address()?;
    begin(config, database, data)?;
    let mut store = Postgres::open(&address, new_journal())?;
    let metrics = Arc::new(Metrics::default());
    let (folded, position) = store.consistently(|store| restart::fold(store))?;
    let (state, resources) = folded?;
    let telemetry =
        Telemetry::connect(&address, config.telemetry.retention(), Arc::clone(&metrics))?;
    let now = clock::now();
    let observations = restart::recall(&samples(&telemetry, now)?, (&state, &resources), now);
    let accounts = store.accounts()?;
    let name = format!(
        "{} {:08x}",
        database.node,
        u32::from_be_bytes(auth::random())
    );
    let sessions = Shared::new(address.clone(), name.clone());
    let personal = personal(config, Persons::connect(&address), &state)?;
    let seat = Seat {
        store,
        position,
        name: database.node.clone(),
        lease: database.lease(),
    };
    let parts = Parts {
        store: seat,
        state,
        resources,
        telemetry,
        observations,
        limits: config.limits.clone(),
        control: config.control.clone(),
        devices: device_config(config.ieee2030_5.as_ref())?,
        zone: zone(config.ieee2030_5.as_ref()),
        metrics,
    };
    let (sender, errands) = std::sync::mpsc::sync_channel(MAX_ERRANDS);
    let (node, owner) = Node::join(parts, sender)?;
    let accounts = accounts.into_iter().map(auth::Account::from);
    Ok(Opened {
        node,
        owner,
        auth: Arc::new(Auth::sharing(accounts, sessions)),
        personal,
        cluster: Some(cluster::Parts {
            address,
            name,
            errands,
        }),
    })
}

/// Founds the fleet and makes the first account, unless another node has done that.
fn begin(config: &Config, database: &config::Store, data: &Path) -> Result<(), ServeError> {
    let address = database.address()?;
    let mut store = Postgres::open(&address, new_journal())?;
    let mut lease = Lease::new(address, database.node.clone());
    while store.refresh()?.version == 0 || store.accounts()?.is_empty() {
        let Asked::Given(term) = lease.acquire(database.lease())? else {
            std::thread::park_timeout(ANOTHER_BEGINS);
            continue;
        };
        if store.lead(&term)?.version == 0 {
            let mut state = State::default();
            found(&mut store, &mut state, config.ieee2030_5.as_ref())?;
        }
        first_account(&mut store, data)?;
        lease.release(term)?;
    }
    Ok(())
}

fn new_journal() -> JournalId {
    JournalId(u128::from_be_bytes(auth::random()))
}

fn open(config: &Config, data: &Path) -> Result<Opened, ServeError> {
    let mut store = Sqlite::open(data, new_journal())?;
    let metrics = Arc::new(Metrics::default());
    let (mut state, resources) = restart::fold(&store)?;
    if store.head().version == 0 {
        found(&mut store, &mut state, config.ieee2030_5.as_ref())?;
    }
    first_account(&mut store, data)?;
    let personal = personal(config, Persons::open(data)?, &state)?;
    let accounts = store.accounts()?;
    let auth = Auth::new(accounts.into_iter().map(auth::Account::from));
    let telemetry = Telemetry::open(data, config.telemetry.retention(), Arc::clone(&metrics))?;
    let now = clock::now();
    let observations = restart::recall(&samples(&telemetry, now)?, (&state, &resources), now);
    let parts: Parts = Parts {
        store: Box::new(store),
        state,
        resources,
        telemetry,
        observations,
        limits: config.limits.clone(),
        control: config.control.clone(),
        devices: device_config(config.ieee2030_5.as_ref())?,
        zone: zone(config.ieee2030_5.as_ref()),
        metrics,
    };
    let (node, owner) = Node::start(parts)?;
    Ok(Opened {
        node,
        owner,
        auth: Arc::new(auth),
        personal,
        cluster: None,
    })
}

/// Personal data, with every erasure brought to its end that a crash has cut short.
fn personal(config: &Config, mut persons: Persons, state: &State) -> Result<Personal, ServeError> {
    person::finish_erasures(&mut persons, &state.fleet).map_err(ServeError::Persons)?;
    let accounts = config.enterprise.personal_data.clone();
    Ok(Personal::new(persons, accounts))
}

/// Gives a new fleet its range of mRIDs.
fn found(
    store: &mut dyn Store,
    state: &mut State,
    devices: Option<&Devices>,
) -> Result<(), ServeError> {
    let now = clock::now();
    let seed = u64::from_be_bytes(auth::random());
    let identity = Identity {
        seed,
        pen: devices
            .and_then(|devices| devices.pen_form.bits(devices.pen))
            .unwrap_or(0),
    };
    let events = state.fleet.decide(&Command::FoundFleet(identity), now)?;
    let entry = |event: &fleet::Event| Entry {
        actor: Actor::System,
        at: now,
        event: event.clone(),
    };
    let entries = events.iter().map(entry).collect();
    store.commit(&Batch {
        expected_version: 0,
        entries,
        ..Batch::default()
    })?;
    events.iter().for_each(|event| state.apply(event));
    Ok(())
}

/// An account whose password nobody knows would lock everybody out, so the password is where its
/// owner finds it before the account exists.
fn first_account(store: &mut dyn Store, data: &Path) -> Result<(), ServeError> {
    if !store.accounts()?.is_empty() {
        return Ok(());
    }
    let unusable = |source| ServeError::Data {
        path: data.to_owned(),
        source,
    };
    let (account, password) = auth::first_account();
    leave(data, &password).map_err(unusable)?;
    store.create_account(&account.name, &account.hash, clock::now())?;
    announce(data, &password).map_err(unusable)
}

/// Leaves the first password where only the user who started the server can read it.
fn leave(data: &Path, password: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(data.join(FIRST_PASSWORD_FILE))?;
    writeln!(file, "{password}")?;
    file.sync_all()?;
    std::fs::File::open(data)?.sync_all()
}

/// Shows the first password to whoever started the server.
fn announce(data: &Path, password: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "First start: log in as {} with {password}",
        auth::FIRST_ACCOUNT
    )?;
    writeln!(
        out,
        "The password is also in {}; change it and delete the file.",
        data.join(FIRST_PASSWORD_FILE).display()
    )
}

/// The latest readings of the last while.
fn samples(telemetry: &Telemetry, now: Timestamp) -> Result<Vec<Sample>, ServeError> {
    let latest = telemetry.latest(now.before(RECALL));
    latest.map_err(|source| ServeError::Readings {
        place: telemetry.place().to_owned(),
        source,
    })
}

/// Local time where the devices are.
fn zone(devices: Option<&Devices>) -> Zone {
    let zone = devices.map(|devices| devices.time_zone.zone(clock::now()));
    zone.unwrap_or_else(|| UTC.clone())
}

fn device_config(devices: Option<&Devices>) -> Result<ServerConfig, ServeError> {
    let Some(devices) = devices else {
        return Ok(ServerConfig::new(fleet::Lfdi([0; 20])));
    };
    let rate = devices.poll_rate_s;
    Ok(ServerConfig {
        profile: config::profile(devices.edition, devices.extension),
        time_zone: devices.time_zone.from_now(clock::now()),
        connection_points: devices.connection_point_id.into(),
        poll_rates: PollRates {
            device_capability_s: rate,
            time_s: rate,
            end_device_s: rate,
            der_s: rate,
            function_set_assignments_s: rate,
            der_program_s: rate,
            usage_point_s: rate,
            urgent_s: devices.urgent_poll_rate_s,
        },
        post_rate_s: devices.post_rate_s,
        forward: match devices.forward {
            Forward::Absorbed => metering::Forward::Absorbed,
            Forward::Injected => metering::Forward::Injected,
        },
        subscriptions: devices.notifications.rules(&devices.listen),
        ..ServerConfig::new(tls::lfdi_of_pem(&devices.cert_chain)?)
    })
}

#[cfg(test)]
mod tests;
