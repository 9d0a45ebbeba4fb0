//! What a client sends: reads of what it has found, and its devices' descriptions, readings and
//! answers.

use std::time::Duration;

use units::Timestamp;

use super::device::Device;
use super::events::{Due, FunctionSet};
use super::list::page_href;
use super::report::{self, Mrids};
use super::schedule::{Job, RETRY_MAX};
use super::{Client, DeviceIndex, Method, Taken};
use crate::codec::read::Complex;
use crate::codec::simple::{HexBinary160, Text, TimeType, UInt40};
use crate::codec::write::write;
use crate::wire::connection_point::ConnectionPoint;
use crate::wire::control_mode::{DerControlType, DerControlType2};
use crate::wire::end_device::EndDevice;
use crate::wire::response::{DerControlResponse, DrResponse, PriceResponse};

pub(super) type Composed = (Method, String, Vec<u8>);

impl Client {
    pub(super) fn body<T: Complex>(&self, value: &T) -> Vec<u8> {
        write(value, self.config.profile)
    }

    /// The request for `job`; none when it has nothing to say or nowhere to say it.
    pub(super) fn compose(&mut self, job: Job, now: Timestamp) -> Option<Composed> {
        match job {
            Job::Read(node) => {
                let href = self.graph.get(node)?.href.to_string();
                let href = match self.next_page(node) {
                    Some((start, len)) => page_href(&href, start, len),
                    None => href,
                };
                Some((Method::Get, href, Vec::new()))
            }
            Job::Respond(lane) => self.compose_response(lane),
            Job::Subscribe(node) => self.compose_subscription(node),
            Job::Unsubscribe => {
                let href = self.server.obsolete.front()?.to_string();
                Some((Method::Delete, href, Vec::new()))
            }
            Job::Register(index) => {
                let href = self.graph.get(self.server.end_devices?)?.href.to_string();
                let own = self.end_device(self.devices.get(index.place())?, now);
                Some((Method::Post, href, self.body(&own)))
            }
            Job::Capability(_) | Job::Settings(_) | Job::Status(_) | Job::Availability(_) => {
                self.compose_put(job, now)
            }
            Job::ConnectionPoint(index) => {
                let device = self.devices.get(index.place())?;
                let href = device.links.connection_point.as_ref()?.to_string();
                let id = device.config.connection_point_id.as_deref()?;
                let point = ConnectionPoint {
                    connection_point_id: Text::clipped(id),
                    ..ConnectionPoint::default()
                };
                Some((Method::Put, href, self.body(&point)))
            }
            Job::CreateUsagePoint(index) => {
                let href = self.server.usage_points.as_ref()?.to_string();
                let device = self.devices.get(index.place())?;
                let point = report::usage_point(self.mrids(device));
                Some((Method::Post, href, self.body(&point)))
            }
            Job::Readings(index) => self.compose_readings(index, now),
            Job::LogEvent(index) => {
                let device = self.devices.get(index.place())?;
                let href = device.links.log_events.as_ref()?.to_string();
                Some((Method::Post, href, self.body(device.alarms.front()?)))
            }
        }
    }

    fn compose_put(&self, job: Job, now: Timestamp) -> Option<Composed> {
        let server_now = self.server_now(now);
        let (Job::Capability(index)
        | Job::Settings(index)
        | Job::Status(index)
        | Job::Availability(index)) = job
        else {
            return None;
        };
        let device = self.devices.get(index.place())?;
        let der = device.der.as_ref()?;
        let (href, body) = match job {
            Job::Capability(_) => (
                &der.capability,
                self.body(&report::capability(&device.config)),
            ),
            Job::Settings(_) => {
                let settings = report::settings(&device.config, server_now);
                (&der.settings, self.body(&settings))
            }
            Job::Status(_) => {
                let measured = device.meter.latest()?;
                let status = report::status(device.nameplate(), &measured, server_now);
                (&der.status, self.body(&status))
            }
            _ => {
                let measured = device.meter.latest()?;
                let availability = report::availability(&measured, server_now);
                (&der.availability, self.body(&availability))
            }
        };
        Some((Method::Put, href.as_ref()?.to_string(), body))
    }

    fn compose_readings(&mut self, index: DeviceIndex, now: Timestamp) -> Option<Composed> {
        let server_now = self.server_now(now);
        let device = self.devices.get_mut(index.place())?;
        let href = device.usage_point.as_ref()?.to_string();
        let measured = device.meter.reading(now)?;
        let device = self.devices.get(index.place())?;
        let readings = report::readings(self.mrids(device), &measured, server_now);
        Some((Method::Post, href, self.body(&readings)))
    }

    /// Something was written and the server took it.
    pub(super) fn written(&mut self, job: Job, location: Option<&str>, now: Timestamp) {
        match job {
            Job::Read(_) => {}
            Job::Respond(lane) => self.response_done(lane, now),
            Job::Subscribe(node) => self.subscription_made(node, location, now),
            Job::Unsubscribe => self.unsubscription_done(now),
            Job::Register(_) => {
                // It is done once the device is found in the list.
                self.schedule.repeat(job, Some(RETRY_MAX), now);
                if let Some(node) = self.server.end_devices {
                    self.schedule.hasten(Job::Read(node), Duration::ZERO, now);
                }
            }
            Job::Capability(_) | Job::ConnectionPoint(_) => self.schedule.drop_job(job),
            Job::Settings(index) => {
                self.devices[index.place()].is_described = true;
                self.schedule.drop_job(job);
            }
            Job::Status(index) | Job::Availability(index) => {
                let rate = self.devices[index.place()].ders_rate;
                self.schedule.repeat(job, rate, now);
            }
            Job::CreateUsagePoint(index) => {
                match location.and_then(|href| self.home.resolve(href)) {
                    Some(href) => {
                        self.schedule.drop_job(job);
                        self.usage_point_made(index, href.into(), now);
                    }
                    None => self.schedule.failed(job, now),
                }
            }
            Job::Readings(index) => {
                let rate = self.devices[index.place()].readings_rate();
                self.schedule.repeat(job, rate, now);
            }
            Job::LogEvent(index) => self.alarm_done(index, now),
        }
    }

    /// The first of a lane's responses is with the server, or given up.
    pub(super) fn response_done(&mut self, lane: u8, now: Timestamp) {
        let job = Job::Respond(lane);
        if self.responses.pop(lane) {
            self.schedule.again(job, now);
        } else {
            self.schedule.drop_job(job);
        }
    }

    pub(super) fn alarm_done(&mut self, index: DeviceIndex, now: Timestamp) {
        let job = Job::LogEvent(index);
        let alarms = &mut self.devices[index.place()].alarms;
        alarms.pop_front();
        if alarms.is_empty() {
            self.schedule.drop_job(job);
        } else {
            self.schedule.again(job, now);
        }
    }

    /// The response that the server has taken, if `job` was one.
    pub(super) fn response_taken(&self, job: Job, status: u16) -> Option<Taken> {
        let Job::Respond(lane) = job else {
            return None;
        };
        let first = self
            .responses
            .first(lane)
            .filter(|_| (200..300).contains(&status));
        first.map(|(device, due)| Taken {
            device: *device,
            subject: due.subject.value(),
            status: due.status,
        })
    }

    fn compose_response(&self, lane: u8) -> Option<Composed> {
        let (index, due) = self.responses.first(lane)?;
        let device = self.devices.get(index.place())?;
        let href = due.reply_to.to_string();
        Some((Method::Post, href, self.response_body(device, due)))
    }

    fn response_body(&self, device: &Device, due: &Due) -> Vec<u8> {
        let created_date_time = Some(TimeType::from(due.at));
        let end_device_lfdi = HexBinary160(device.config.lfdi);
        let (status, subject) = (Some(due.status), due.subject);
        match due.function_set {
            FunctionSet::Der => {
                let (modes, modes2) = due.modes.types();
                self.body(&DerControlResponse {
                    created_date_time,
                    end_device_lfdi,
                    status,
                    subject,
                    modes_responded: Some(DerControlType::new(modes)),
                    modes_responded2: Some(DerControlType2::new(modes2)),
                    ..DerControlResponse::default()
                })
            }
            FunctionSet::DemandResponse => self.body(&DrResponse {
                created_date_time,
                end_device_lfdi,
                status,
                subject,
                ..DrResponse::default()
            }),
            FunctionSet::Pricing => self.body(&PriceResponse {
                created_date_time,
                end_device_lfdi,
                status,
                subject,
                ..PriceResponse::default()
            }),
        }
    }

    fn end_device(&self, device: &Device, now: Timestamp) -> EndDevice {
        EndDevice {
            lfdi: Some(HexBinary160(device.config.lfdi)),
            sfdi: UInt40(device.config.sfdi),
            changed_time: TimeType::from(self.server_now(now)),
            ..EndDevice::default()
        }
    }

    fn mrids(&self, device: &Device) -> Mrids {
        Mrids {
            lfdi: device.config.lfdi,
            pen: self.config.pen,
        }
    }
}
