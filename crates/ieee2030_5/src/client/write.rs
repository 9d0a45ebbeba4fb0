//! What a device sends: reads of what it has found, and its own description, readings and answers.

use std::time::Duration;

use units::Timestamp;

use super::list::page_href;
use super::report::{self, Mrids};
use super::schedule::{Job, RETRY_MAX, Resource};
use super::{Client, Method, tree};
use crate::codec::read::Complex;
use crate::codec::simple::{HexBinary128, HexBinary160, TimeType, UInt40};
use crate::codec::table::Edition;
use crate::codec::write::write;
use crate::wire::end_device::EndDevice;
use crate::wire::response::Response;

type Composed = (Method, String, Vec<u8>);

fn body<T: Complex>(value: &T) -> Vec<u8> {
    write(value, Edition::Y2018)
}

impl Client {
    /// The request for `job`; none when it has nothing to say or nowhere to say it.
    pub(super) fn compose(&mut self, job: &Job, now: Timestamp) -> Option<Composed> {
        let server_now = self.server_time(now);
        let nameplate = self.config.nameplate;
        match job {
            Job::Read(resource, href) => Some((
                Method::Get,
                self.read_href(*resource, href, job),
                Vec::new(),
            )),
            Job::Respond => self.compose_response(),
            Job::Register => {
                let href = self.tree.end_devices.clone()?;
                Some((Method::Post, href, body(&self.own_end_device(server_now))))
            }
            Job::Capability => {
                let href = self.tree.capability_href()?;
                Some((Method::Put, href, body(&report::capability(&nameplate))))
            }
            Job::Settings => {
                let href = self.tree.settings_href()?;
                Some((
                    Method::Put,
                    href,
                    body(&report::settings(&nameplate, server_now)),
                ))
            }
            Job::Status => {
                let (href, measured) = (self.tree.status_href()?, self.meter.latest()?);
                let status = report::status(&nameplate, &measured, server_now);
                Some((Method::Put, href, body(&status)))
            }
            Job::Availability => {
                let (href, measured) = (self.tree.availability_href()?, self.meter.latest()?);
                let availability = report::availability(&measured, server_now);
                Some((Method::Put, href, body(&availability)))
            }
            Job::CreateUsagePoint => {
                let href = self.tree.usage_points.clone()?;
                Some((Method::Post, href, body(&report::usage_point(self.mrids()))))
            }
            Job::Readings => {
                let href = self.tree.usage_point.clone()?;
                let measured = self.meter.reading(now)?;
                let readings = report::readings(self.mrids(), &measured, server_now);
                Some((Method::Post, href, body(&readings)))
            }
        }
    }

    /// Something was written and the server took it.
    pub(super) fn written(&mut self, job: &Job, location: Option<&str>, now: Timestamp) {
        match job {
            Job::Read(..) => {}
            Job::Respond => {
                self.waiting.pop_front();
                self.schedule.drop_job(job);
            }
            Job::Register => {
                // It is done once the device finds itself in the list.
                self.schedule.repeat(job, Some(RETRY_MAX), now);
                self.schedule
                    .hasten(Resource::EndDevices, Duration::ZERO, now);
            }
            Job::Capability => self.schedule.drop_job(job),
            Job::Settings => {
                self.tree.is_described = true;
                self.schedule.drop_job(job);
            }
            Job::Status | Job::Availability => {
                self.schedule.repeat(job, self.tree.status_rate(), now);
            }
            Job::CreateUsagePoint => match location {
                Some(location) => {
                    let href = tree::path_of(location).to_owned();
                    self.schedule.drop_job(job);
                    self.schedule
                        .track(Resource::UsagePoint, std::slice::from_ref(&href), now);
                    self.schedule.ensure(&Job::Readings, now);
                    self.tree.usage_point = Some(href);
                }
                None => self.schedule.failed(job, now),
            },
            Job::Readings => self.schedule.repeat(job, self.tree.readings_rate(), now),
        }
    }

    fn read_href(&self, resource: Resource, href: &str, job: &Job) -> String {
        match resource {
            Resource::EndDevices
            | Resource::Ders
            | Resource::Assignments
            | Resource::Programs
            | Resource::Controls(_) => page_href(href, self.tree.page_start(job)),
            _ => href.to_owned(),
        }
    }

    fn compose_response(&self) -> Option<Composed> {
        let due = self.waiting.front()?;
        let response = Response {
            created_date_time: Some(TimeType::from(due.at)),
            end_device_lfdi: HexBinary160(self.config.lfdi),
            status: Some(due.status),
            subject: HexBinary128::new(due.subject),
            ..Response::default()
        };
        Some((
            Method::Post,
            tree::path_of(&due.reply_to).to_owned(),
            body(&response),
        ))
    }

    fn own_end_device(&self, server_now: Timestamp) -> EndDevice {
        EndDevice {
            lfdi: Some(HexBinary160(self.config.lfdi)),
            sfdi: UInt40(self.config.sfdi),
            changed_time: TimeType::from(server_now),
            ..EndDevice::default()
        }
    }

    fn mrids(&self) -> Mrids {
        Mrids {
            lfdi: self.config.lfdi,
            pen: self.config.pen,
        }
    }
}
