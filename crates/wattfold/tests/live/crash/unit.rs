//! A battery that fetches its controls over mutual TLS, runs them by its own clock, answers each in
//! order until the answer is taken, and posts its meter once a second.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use wattfold::clock;

use super::Scene;
use super::told::{Fault, ToldControl};
use crate::device::{Device, power_readings, write};
use crate::exchange::{Request, Wire};
use crate::kill::{attributes, response, text_of};

/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(120);
const CONNECT_AGAIN: Duration = Duration::from_millis(40);
/// Controls looked at, the latest of each list.
const PAGE: usize = 20;

pub(crate) struct Unit {
    pub(crate) scene: Arc<Scene>,
    pub(crate) device: Device,
    /// Path of its `EndDevice`.
    pub(crate) end_device: String,
    pub(crate) meter: String,
    pub(crate) meter_mrid: u128,
    pub(crate) known: BTreeMap<String, Known>,
    pub(crate) metered_s: i64,
}

/// A control as the device has it.
#[derive(Debug)]
pub(crate) struct Known {
    reply_to: String,
    start_s: i64,
    end_s: i64,
    /// `EventStatus.currentStatus`.
    status: u8,
    answered: BTreeSet<u8>,
}

impl Known {
    /// The response that is next, by IEEE 2030.5 table 27.
    fn due(&self, now_s: i64) -> Option<u8> {
        let has = |code| self.answered.contains(&code);
        if has(3) || has(6) || has(7) {
            return None;
        }
        match self.status {
            _ if !has(1) => Some(1),
            2 | 3 => Some(6),
            4 => Some(7),
            _ if !has(2) => (self.start_s <= now_s).then_some(2),
            _ => (self.end_s <= now_s).then_some(3),
        }
    }
}

impl Unit {
    /// Runs until the scene is closed, over one connection after the other.
    pub(crate) async fn work(mut self) {
        while !self.scene.is_closed() {
            if let Err(error) = self.session().await
                && error.kind() == io::ErrorKind::InvalidData
            {
                panic!("{}: {error}", self.device.name);
            }
            tokio::time::sleep(CONNECT_AGAIN).await;
        }
    }

    async fn session(&mut self) -> io::Result<()> {
        let mut wire = self.device.connect().await?;
        let assignments = format!("{}/fsa?l=9", self.end_device);
        let assignments = ask(&mut wire, &Request::new("GET", &assignments)).await?;
        let programs = attributes(&assignments, "<DERProgramListLink ", "href");
        let programs = format!("{}?l=9", programs[0]);
        let programs = ask(&mut wire, &Request::new("GET", &programs)).await?;
        let lists = attributes(&programs, "<DERControlListLink ", "href");
        let mut lists: Vec<(String, usize)> = lists.into_iter().map(|list| (list, 0)).collect();
        while !self.scene.is_closed() {
            let scene = Arc::clone(&self.scene);
            let going = scene.going().await;
            for (list, all) in &mut lists {
                *all = self.look(&mut wire, list, *all).await?;
            }
            self.answer(&mut wire).await?;
            self.post_meter(&mut wire).await?;
            drop(going);
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Takes up what is in a list of so many controls; returns how many there are now.
    async fn look(&mut self, wire: &mut Wire, list: &str, all: usize) -> io::Result<usize> {
        let page = format!("{list}?l={PAGE}&s={}", all.saturating_sub(PAGE - 5));
        self.scene.count_request();
        let page = ask(wire, &Request::new("GET", &page)).await?;
        let reply_to = attributes(&page, "<DERControl ", "replyTo");
        let mut active = Vec::new();
        for (control, reply_to) in page.split("<DERControl ").skip(1).zip(reply_to) {
            let mrid = text_of(control, "mRID");
            let number = |name| text_of(control, name).parse::<i64>().unwrap();
            let (start_s, duration_s) = (number("start"), number("duration"));
            let status = text_of(control, "currentStatus").parse().unwrap();
            // What is over lingers in the list for a while.
            if status == 1 && clock::now().secs() < start_s + duration_s {
                active.push(mrid.to_owned());
            }
            let known = self.known.entry(mrid.to_owned()).or_insert(Known {
                reply_to,
                start_s,
                end_s: 0,
                status,
                answered: BTreeSet::new(),
            });
            known.status = status;
            known.end_s = start_s + duration_s;
            let mut told = self.scene.told();
            let control = told.controls.entry(mrid.to_owned()).or_default();
            control.der.clone_from(&self.device.name);
            control.end_s = known.end_s;
        }
        if 1 < active.len() {
            let what = format!("{} has {active:?} active at once", self.device.name);
            self.scene.add(Fault::Doubled(what));
        }
        let all = attributes(&page, "<DERControlList ", "all");
        Ok(all[0].parse().unwrap())
    }

    async fn answer(&mut self, wire: &mut Wire) -> io::Result<()> {
        let lfdi = self.device.lfdi;
        for (mrid, known) in &mut self.known {
            while let Some(code) = known.due(clock::now().secs()) {
                let body = response(lfdi, mrid, code);
                self.scene.count_request();
                ask(wire, &write("POST", &known.reply_to, body)).await?;
                known.answered.insert(code);
                let mut told = self.scene.told();
                let control = told.controls.entry(mrid.clone()).or_insert(ToldControl {
                    der: self.device.name.clone(),
                    end_s: known.end_s,
                    acknowledged: BTreeSet::new(),
                });
                control.acknowledged.insert(code);
            }
        }
        Ok(())
    }

    async fn post_meter(&mut self, wire: &mut Wire) -> io::Result<()> {
        let second = clock::now().secs();
        if second == self.metered_s {
            return Ok(());
        }
        let readings = power_readings(self.meter_mrid, second, 1);
        self.scene.count_request();
        ask(wire, &write("POST", &self.meter, readings)).await?;
        self.metered_s = second;
        let reading = (self.device.name.clone(), second);
        self.scene.told().readings.insert(reading, clock::now());
        Ok(())
    }
}

/// What was answered. Where the server can't do it now, the device comes again.
async fn ask(wire: &mut Wire, request: &Request) -> io::Result<String> {
    let reply = wire.exchange(request).await?;
    match reply.status {
        200..300 => Ok(reply.text()),
        500.. => Err(io::Error::other(reply.text())),
        _ => {
            let what = format!("{request:?}: {reply:?}");
            Err(io::Error::new(io::ErrorKind::InvalidData, what))
        }
    }
}
