//! One look at a server: what it has, one resource, or a registration.

use std::io::Write;

use fleet::Lfdi;
use ieee2030_5::codec::MEDIA_TYPE;
use ieee2030_5::codec::read::{Complex, read};
use ieee2030_5::codec::simple::{HexBinary160, TimeType, UInt40};
use ieee2030_5::codec::table::{Edition, Extension, Profile};
use ieee2030_5::codec::write::write;
use ieee2030_5::wire::der_control::{DerControlList, DerProgramList};
use ieee2030_5::wire::device_capability::DeviceCapability;
use ieee2030_5::wire::end_device::{EndDevice, EndDeviceList, Registration};
use ieee2030_5::wire::function_set_assignments::FunctionSetAssignmentsList;
use ieee2030_5::wire::link::{Link as WireLink, ListLink};
use ieee2030_5::wire::time::Time;

use super::link::{Link, Message, Origin, Reply};
use super::{Der2030Error, ServerArgs};
use crate::clock;
use crate::tls::{Connector, lfdi_of_pem};

/// Members of a list that are shown.
const SHOWN_MAX: usize = 255;
/// End devices whose programmes are shown.
const LOOKED_INTO_MAX: usize = 16;

/// Asks one server, one request after another.
struct Asker {
    link: Link,
    own: Lfdi,
    start: String,
}

impl Asker {
    fn new(args: &ServerArgs) -> Result<Self, Der2030Error> {
        let origin = Origin::of_url(&args.url);
        let origin = origin.ok_or_else(|| Der2030Error::Url(args.url.clone()))?;
        let files = args.files();
        let connector = Connector::new(&files).map_err(Der2030Error::Tls)?;
        let own = lfdi_of_pem(&files.cert_chain).map_err(Der2030Error::Tls)?;
        Ok(Self {
            link: Link::mutual_tls(origin, connector),
            own,
            start: path_of(&args.url).to_owned(),
        })
    }

    async fn exchange(
        &mut self,
        method: &str,
        href: &str,
        body: &[u8],
    ) -> Result<Reply, Der2030Error> {
        let message = Message {
            method,
            href: path_of(href),
            media_type: MEDIA_TYPE,
            body,
        };
        self.link
            .exchange(message)
            .await
            .map_err(Der2030Error::Exchange)
    }

    async fn read<T: Complex>(&mut self, href: &str) -> Result<T, Der2030Error> {
        let reply = self.exchange("GET", href, &[]).await?;
        if reply.status != 200 {
            let (href, status) = (href.to_owned(), reply.status);
            return Err(Der2030Error::Status { href, status });
        }
        read(&reply.body).map_err(|source| Der2030Error::Resource {
            href: href.to_owned(),
            source,
        })
    }

    async fn list<T: Complex>(&mut self, href: &str) -> Result<T, Der2030Error> {
        let separator = if href.contains('?') { '&' } else { '?' };
        self.read(&format!("{href}{separator}s=0&l={SHOWN_MAX}"))
            .await
    }
}

/// Shows one resource as it comes, a line for each element.
pub(super) async fn get(
    args: &ServerArgs,
    path: &str,
    out: &mut dyn Write,
) -> Result<(), Der2030Error> {
    let mut asker = Asker::new(args)?;
    let reply = asker.exchange("GET", path, &[]).await?;
    let kind = reply.content_type.as_deref().unwrap_or("no content type");
    writeln!(out, "HTTP {} {kind}", reply.status)?;
    if let Some(location) = &reply.location {
        writeln!(out, "Location: {location}")?;
    }
    let body = String::from_utf8_lossy(&reply.body);
    write!(out, "{}", indented(&body))?;
    match reply.status {
        200..=399 => Ok(()),
        status => Err(Der2030Error::Status {
            href: path.to_owned(),
            status,
        }),
    }
}

/// Posts the device's own `EndDevice` unless it is there, and compares the PIN.
pub(super) async fn register(
    args: &ServerArgs,
    pin: u32,
    out: &mut dyn Write,
) -> Result<(), Der2030Error> {
    let mut asker = Asker::new(args)?;
    let start = asker.start.clone();
    let dcap: DeviceCapability = asker.read(&start).await?;
    let devices = list_href(dcap.end_device_list_link.as_ref());
    let devices = devices.ok_or(Der2030Error::NoEndDevices)?;
    let own = asker.own;
    let mut listed: EndDeviceList = asker.list(&devices).await?;
    if find(&listed, own).is_none() {
        let body = EndDevice {
            lfdi: Some(HexBinary160(own.0)),
            sfdi: UInt40(own.sfdi()),
            changed_time: TimeType::from(clock::now()),
            ..EndDevice::default()
        };
        let body = write(&body, Profile::new(Edition::Y2018, Extension::None));
        let reply = asker.exchange("POST", &devices, &body).await?;
        if !(200..300).contains(&reply.status) {
            let status = reply.status;
            return Err(Der2030Error::Status {
                href: devices,
                status,
            });
        }
        let location = reply.location.unwrap_or_default();
        writeln!(out, "registered {own} at {location}")?;
        listed = asker.list(&devices).await?;
    }
    let device = find(&listed, own).ok_or(Der2030Error::NotListed)?;
    let Some(registration) = href(device.registration_link.as_ref()) else {
        writeln!(
            out,
            "the server shows no registration, so there is no PIN to compare"
        )?;
        return Ok(());
    };
    let registration: Registration = asker.read(&registration).await?;
    if registration.pin != pin {
        let (shown, expected) = (registration.pin, pin);
        return Err(Der2030Error::Pin { shown, expected });
    }
    let since = registration.date_time_registered.0;
    writeln!(
        out,
        "registered since {since}, and the PIN is the one that was given"
    )?;
    Ok(())
}

/// Shows what the server has for this client.
pub(super) async fn discover(args: &ServerArgs, out: &mut dyn Write) -> Result<(), Der2030Error> {
    let mut asker = Asker::new(args)?;
    let start = asker.start.clone();
    writeln!(
        out,
        "this client  {} (SFDI {})",
        asker.own,
        asker.own.sfdi()
    )?;
    let dcap: DeviceCapability = asker.read(&start).await?;
    writeln!(
        out,
        "function sets at {start}, polled every {} s",
        dcap.poll_rate.unwrap_or(900)
    )?;
    for (name, href) in function_sets(&dcap) {
        writeln!(out, "  {name:<22} {href}")?;
    }
    if let Some(time) = href(dcap.time_link.as_ref()) {
        let time: Time = asker.read(&time).await?;
        let ahead_s = time.current_time.0 - clock::now().secs();
        writeln!(
            out,
            "time is {ahead_s:+} s from here, of quality {}",
            time.quality
        )?;
    }
    let Some(devices) = list_href(dcap.end_device_list_link.as_ref()) else {
        return Ok(());
    };
    let devices: EndDeviceList = asker.list(&devices).await?;
    writeln!(out, "{} end devices", devices.all)?;
    for device in devices.end_device.iter().take(LOOKED_INTO_MAX) {
        show_device(&mut asker, device, out).await?;
    }
    if LOOKED_INTO_MAX < devices.end_device.len() {
        writeln!(
            out,
            "  and {} more",
            devices.end_device.len() - LOOKED_INTO_MAX
        )?;
    }
    Ok(())
}

async fn show_device(
    asker: &mut Asker,
    device: &EndDevice,
    out: &mut dyn Write,
) -> Result<(), Der2030Error> {
    let at = device.href.as_ref().map_or("-", |it| it.as_str());
    let lfdi = device
        .lfdi
        .map_or_else(|| "-".to_owned(), |it| Lfdi(it.0).to_string());
    writeln!(out, "  {at}  {lfdi}")?;
    let Some(list) = list_href(device.function_set_assignments_list_link.as_ref()) else {
        return Ok(());
    };
    let assignments: FunctionSetAssignmentsList = asker.list(&list).await?;
    for assignment in assignments.function_set_assignments {
        let name = assignment.description.as_ref().map_or("", |it| it.as_str());
        writeln!(out, "    assignment {name}")?;
        let Some(list) = list_href(assignment.der_program_list_link.as_ref()) else {
            continue;
        };
        let programs: DerProgramList = asker.list(&list).await?;
        for program in programs.der_program {
            let name = program.description.as_ref().map_or("", |it| it.as_str());
            let controls = match list_href(program.der_control_list_link.as_ref()) {
                Some(list) => asker.list::<DerControlList>(&list).await?.all,
                None => 0,
            };
            let (primacy, mrid) = (program.primacy, program.mrid);
            writeln!(
                out,
                "      programme {mrid:?} {name}: primacy {primacy}, {controls} controls"
            )?;
        }
    }
    Ok(())
}

fn function_sets(dcap: &DeviceCapability) -> Vec<(&'static str, String)> {
    let lists = [
        ("end devices", &dcap.end_device_list_link),
        ("DER programmes", &dcap.der_program_list_link),
        ("demand response", &dcap.demand_response_program_list_link),
        ("tariffs", &dcap.tariff_profile_list_link),
        ("messages", &dcap.messaging_program_list_link),
        ("metering mirror", &dcap.mirror_usage_point_list_link),
        ("usage points", &dcap.usage_point_list_link),
        ("responses", &dcap.response_set_list_link),
        ("customer accounts", &dcap.customer_account_list_link),
        ("prepayment", &dcap.prepayment_list_link),
        ("files", &dcap.file_list_link),
    ];
    let lists = lists
        .into_iter()
        .filter_map(|(name, link)| Some((name, list_href(link.as_ref())?)));
    let links = [
        ("time", &dcap.time_link),
        ("self device", &dcap.self_device_link),
    ];
    let links = links
        .into_iter()
        .filter_map(|(name, link)| Some((name, href(link.as_ref())?)));
    lists.chain(links).collect()
}

fn find(list: &EndDeviceList, own: Lfdi) -> Option<&EndDevice> {
    let mut devices = list.end_device.iter();
    devices.find(|it| it.lfdi.is_some_and(|id| id.0 == own.0))
}

fn href(link: Option<&WireLink>) -> Option<String> {
    link.map(|it| path_of(it.href.as_str()).to_owned())
}

fn list_href(link: Option<&ListLink>) -> Option<String> {
    link.map(|it| path_of(it.href.as_str()).to_owned())
}

/// Path and query of an address.
fn path_of(url: &str) -> &str {
    let Some(at) = url.find("://") else {
        return url;
    };
    let rest = &url[at + 3..];
    rest.find('/').map_or("/", |at| &rest[at..])
}

/// XML with each element on its own line.
fn indented(xml: &str) -> String {
    let mut text = String::new();
    let mut depth = 0_usize;
    let mut after_text = false;
    for (place, piece) in xml.split('<').enumerate() {
        let (tag, content) = piece.split_once('>').unwrap_or((piece, ""));
        if place == 0 || tag.is_empty() {
            continue;
        }
        let closes = tag.starts_with('/');
        depth = depth.saturating_sub(usize::from(closes));
        if !(closes && after_text) {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&"  ".repeat(depth));
        }
        text.push('<');
        text.push_str(tag);
        text.push('>');
        text.push_str(content.trim());
        after_text = !closes && !content.trim().is_empty();
        let is_alone = tag.ends_with('/') || tag.starts_with('?') || tag.starts_with('!');
        depth += usize::from(!closes && !is_alone);
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::indented;

    #[test]
    fn elements_are_shown_one_to_a_line() {
        let xml = "<?xml version=\"1.0\"?><A x=\"1\"><B>text</B><C/><D><E>1</E></D></A>";
        let shown = indented(xml);
        let expected = [
            "<?xml version=\"1.0\"?>",
            "<A x=\"1\">",
            "  <B>text</B>",
            "  <C/>",
            "  <D>",
            "    <E>1</E>",
            "  </D>",
            "</A>",
            "",
        ];
        assert_eq!(shown, expected.join("\n"));
    }
}
