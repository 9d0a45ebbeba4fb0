//! Runs a client: carries its requests, keeps its clock, and moves its devices.

mod command;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use fleet::Lfdi;
use ieee2030_5::client::setpoint::Setpoint;
use ieee2030_5::client::{Answer, Client, DeviceIndex, Phase, Price, Sample, Stage, Taken};
use tokio::sync::{mpsc, watch};
use units::Timestamp;

use super::Der2030Error;
use super::carrier::{Carried, Carrier};
use super::config::{ConfigError, Kind, RunConfig, lfdi};
use super::link::Origin;
use super::listener::{self, Notified};
use super::model::Model;
use super::report::{Happening, Report};
use super::state::StateFile;
use crate::clock;
use crate::tls::{Acceptor, Connector, lfdi_of_pem};

use command::{Command, Reading};

/// How often the devices move.
const STEP: Duration = Duration::from_secs(1);
/// The longest and shortest wait for something to happen.
const WAIT_MAX: Duration = Duration::from_millis(500);
const WAIT_MIN: Duration = Duration::from_millis(2);
/// How often the number of devices in service is told.
const COUNT_EVERY: Duration = Duration::from_secs(10);

/// A device as it was last told of.
struct Shown {
    lfdi: String,
    kind: Option<Model>,
    stage: Stage,
    setpoint: Setpoint,
    prices: Vec<Price>,
    phases: BTreeMap<u128, Phase>,
}

pub(super) struct Agent<'a> {
    client: Client,
    devices: Vec<Shown>,
    carrier: Carrier,
    notified: Option<mpsc::Receiver<Notified>>,
    notifiers: watch::Sender<BTreeSet<Lfdi>>,
    command: Option<Command>,
    state: Option<StateFile>,
    report: Report<'a>,
    saved: Timestamp,
    /// How often the clock had been set by then.
    leaps: u32,
    save_every: Duration,
    stepped: Timestamp,
    counted: Timestamp,
}

impl<'a> Agent<'a> {
    pub(super) async fn start(
        config: &RunConfig,
        state: Option<PathBuf>,
        report: Report<'a>,
    ) -> Result<Self, Der2030Error> {
        let now = clock::now();
        let files = config.files();
        let own = lfdi_of_pem(&files.cert_chain).map_err(Der2030Error::Tls)?;
        let connector = Connector::new(&files).map_err(Der2030Error::Tls)?;
        let home = Origin::of_url(&config.server.url);
        let home = home.ok_or_else(|| Der2030Error::Url(config.server.url.clone()))?;
        let carrier = Carrier::new(&home, &connector, config.client.connections);
        let mut client_config = config.client(own).map_err(Der2030Error::Config)?;
        client_config.max_in_flight = carrier.room();
        let kinds = kinds(config, client_config.devices.len());
        let shown = client_config
            .devices
            .iter()
            .zip(kinds)
            .map(|(device, kind)| Shown {
                lfdi: Lfdi(device.lfdi).to_string(),
                kind: kind.map(|kind| Model::new(kind, device.nameplate, now)),
                stage: Stage::Discovering,
                setpoint: Setpoint::default(),
                prices: Vec::new(),
                phases: BTreeMap::new(),
            });
        let devices = shown.collect();
        let (notifiers, _) = watch::channel(trusted_notifiers(config)?);
        let notified = match &config.subscription {
            Some(it) => {
                let acceptor = Acceptor::new(&files).map_err(Der2030Error::Tls)?;
                let listening = listener::listen(it.listen, acceptor, notifiers.subscribe()).await;
                let address = it.listen;
                Some(listening.map_err(|source| Der2030Error::Listen { address, source })?)
            }
            None => None,
        };
        let mut state = state.map(|path| StateFile::at(&path));
        let client = match &state {
            Some(file) => file
                .client(client_config, now)
                .map_err(Der2030Error::State)?,
            None => Client::new(client_config, now),
        };
        if let Some(file) = &mut state {
            file.save(&client).map_err(Der2030Error::State)?;
        }
        let command = config.command.as_deref().map(Command::start).transpose();
        Ok(Self {
            client,
            devices,
            carrier,
            notified,
            notifiers,
            command: command.map_err(Der2030Error::Command)?,
            state,
            report,
            saved: now,
            leaps: 0,
            save_every: Duration::from_secs(config.client.save_every_s.max(1).into()),
            stepped: Timestamp::default(),
            counted: now,
        })
    }

    /// Runs until `stop` turns true.
    pub(super) async fn run(
        &mut self,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), Der2030Error> {
        while !*stop.borrow() {
            let now = clock::now();
            self.step(now)?;
            self.send(now);
            let wake = self.client.wake_at(now);
            let wait = wake
                .map_or(WAIT_MAX, |at| at.since(now))
                .clamp(WAIT_MIN, WAIT_MAX);
            let command = async {
                match &mut self.command {
                    Some(command) => command.next().await,
                    None => std::future::pending().await,
                }
            };
            let notified = async {
                match &mut self.notified {
                    Some(notified) => notified.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                carried = self.carrier.next() => self.all_carried(carried)?,
                notified = notified => {
                    if let Some(notified) = notified {
                        self.notified(notified)?;
                    }
                }
                reading = command => self.read(&reading?),
                _ = stop.changed() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        self.save()
    }

    fn step(&mut self, now: Timestamp) -> Result<(), Der2030Error> {
        for index in self.client.take_changed(now) {
            self.look(index, now)?;
        }
        if self.stepped <= now && now.since(self.stepped) < STEP {
            return Ok(());
        }
        self.stepped = now;
        for place in 0..self.devices.len() {
            let index = device_index(place);
            let shown = &mut self.devices[place];
            if let Some(model) = &mut shown.kind {
                let sample = model.step(&shown.setpoint, now);
                self.client.measure(index, sample, now);
            }
            let stage = self.client.stage(index);
            if stage != shown.stage {
                shown.stage = stage;
                self.report
                    .tell(now, &shown.lfdi, &Happening::Stage(stage))?;
            }
        }
        if COUNT_EVERY <= now.since(self.counted) && 1 < self.devices.len() {
            self.counted = now;
            self.count(now)?;
        }
        let was_set = self.client.leaps() != self.leaps;
        if was_set || self.save_every <= now.since(self.saved) {
            self.leaps = self.client.leaps();
            self.saved = now;
            self.save()?;
        }
        Ok(())
    }

    fn count(&mut self, now: Timestamp) -> Result<(), Der2030Error> {
        let in_service = self.devices.iter();
        let in_service = in_service.filter(|it| it.stage == Stage::InService).count();
        let (told, polled) = self.client.subscription_count();
        let devices = self.devices.len();
        let fleet = Happening::Fleet {
            in_service,
            devices,
            told,
            polled,
        };
        Ok(self.report.tell(now, "", &fleet)?)
    }

    /// Tells what is new of a device, to people and to its program.
    fn look(&mut self, index: DeviceIndex, now: Timestamp) -> Result<(), Der2030Error> {
        let setpoint = self.client.setpoint(index, now);
        let prices = self.client.prices(index);
        let phases: BTreeMap<u128, Phase> = self.client.events(index).collect();
        let Some(shown) = self.devices.get_mut(index.0 as usize) else {
            return Ok(());
        };
        for (mrid, phase) in &phases {
            if shown.phases.get(mrid) != Some(phase) {
                let event = Happening::Event {
                    mrid: *mrid,
                    phase: *phase,
                };
                self.report.tell(now, &shown.lfdi, &event)?;
            }
        }
        shown.phases = phases;
        if shown.setpoint != setpoint {
            let told = Happening::Setpoint(&setpoint);
            self.report.tell(now, &shown.lfdi, &told)?;
            if let Some(command) = &mut self.command {
                command.tell(now, &shown.lfdi, &told)?;
            }
            shown.setpoint = setpoint;
        }
        if shown.prices != prices {
            let told = Happening::Prices(&prices);
            self.report.tell(now, &shown.lfdi, &told)?;
            if let Some(command) = &mut self.command {
                command.tell(now, &shown.lfdi, &told)?;
            }
            shown.prices = prices;
        }
        Ok(())
    }

    fn send(&mut self, now: Timestamp) {
        for request in self.client.poll(now) {
            if let Err(refused) = self.carrier.send(request) {
                // There is a place for as many as the client has under way.
                self.client.on_lost(refused.id, now);
            }
        }
    }

    /// Takes in what was carried and what else has been by now.
    fn all_carried(&mut self, mut next: Option<Carried>) -> Result<(), Der2030Error> {
        let now = clock::now();
        let mut taken = Vec::new();
        while let Some(carried) = next {
            taken.extend(self.carried(&carried, now));
            next = self.carrier.next_now();
        }
        self.taken(&taken, now)
    }

    fn carried(&mut self, carried: &Carried, now: Timestamp) -> Option<Taken> {
        if let Some(server) = carried.server {
            self.notifiers
                .send_if_modified(|known| known.insert(server));
        }
        let (id, href) = (carried.request.id, &carried.request.href);
        let reply = match &carried.answer {
            Ok(reply) => reply,
            Err(error) => {
                tracing::warn!(%href, error = %chain(error), "no answer");
                self.client.on_lost(id, now);
                return None;
            }
        };
        let method = carried.request.method.as_str();
        if 400 <= reply.status {
            tracing::warn!(method, %href, status = reply.status, "refused");
        } else {
            tracing::debug!(method, %href, status = reply.status, "answered");
        }
        let answer = Answer {
            status: reply.status,
            location: reply.location.as_deref(),
            retry_after: reply.retry_after,
            body: &reply.body,
        };
        self.client.on_answer(id, answer, now)
    }

    /// The server has taken these responses. That is on the medium before it is told, once for all
    /// of them.
    fn taken(&mut self, taken: &[Taken], now: Timestamp) -> Result<(), Der2030Error> {
        if let Some(file) = self.state.as_mut().filter(|_| !taken.is_empty()) {
            let lines = taken.iter().map(|it| self.client.taken_line(it));
            file.append(&lines.collect::<String>())
                .map_err(Der2030Error::State)?;
        }
        for it in taken {
            let device = self.devices.get(it.device.0 as usize);
            let lfdi = device.map_or("", |it| it.lfdi.as_str());
            let response = Happening::Response {
                mrid: it.subject,
                status: it.status.0,
            };
            self.report.tell(now, lfdi, &response)?;
        }
        Ok(())
    }

    fn notified(&mut self, notified: Notified) -> Result<(), Der2030Error> {
        let now = clock::now();
        let status = self.client.on_notification(&notified.body, now);
        self.report.tell(now, "", &Happening::Notified { status })?;
        if notified.answer.send(status).is_err() {
            tracing::debug!("the notifier did not wait for its answer");
        }
        Ok(())
    }

    fn read(&mut self, reading: &Reading) {
        let now = clock::now();
        let index = lfdi(&reading.lfdi)
            .ok()
            .and_then(|it| self.client.device(&it.0));
        match index {
            Some(index) => self.client.measure(index, Sample::from(reading), now),
            None => tracing::warn!(lfdi = %reading.lfdi, "a reading of an unknown device"),
        }
    }

    fn save(&mut self) -> Result<(), Der2030Error> {
        match &mut self.state {
            Some(file) => file.save(&self.client).map_err(Der2030Error::State),
            None => Ok(()),
        }
    }
}

fn device_index(place: usize) -> DeviceIndex {
    DeviceIndex(u32::try_from(place).unwrap_or(u32::MAX))
}

/// The kinds of the built-in models; none where a program runs the devices.
fn kinds(config: &RunConfig, devices: usize) -> Vec<Option<Kind>> {
    let list = config.devices.as_ref().map(|it| it.make.kind);
    let singles = config.device.iter().map(|it| Some(it.make.kind));
    let kinds = singles.chain(std::iter::repeat(list)).take(devices);
    let is_built_in = config.command.is_none();
    kinds.map(|kind| kind.filter(|_| is_built_in)).collect()
}

fn trusted_notifiers(config: &RunConfig) -> Result<BTreeSet<Lfdi>, Der2030Error> {
    let named = config.subscription.iter().flat_map(|it| &it.notifiers);
    let read: Result<_, ConfigError> = named.map(|it| lfdi(it)).collect();
    read.map_err(Der2030Error::Config)
}

fn chain(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    sources
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
