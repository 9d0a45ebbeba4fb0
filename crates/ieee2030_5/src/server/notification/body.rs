//! The bytes of a notification, made from the bytes of what it tells.

use std::time::Duration;

use units::Timestamp;

use crate::codec::NAMESPACE;
use crate::codec::simple::{AnyUri, Simple as _, TimeType};
use crate::codec::table::Edition;
use crate::codec::write::DECLARATION;
use crate::server::fingerprint::Fingerprint;
use crate::translate::control::{COMPLETED_FOR, LINGERS};
use crate::wire::subscription::NotificationStatus;

const INSTANCE_NAMESPACE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// A rendered document, seen as its root element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Root<'a> {
    pub(super) name: &'a str,
    /// Without the default namespace, which the notification declares.
    attributes: &'a str,
    /// From the end of the start tag to the start of the end tag; none for an empty element.
    content: Option<&'a str>,
}

impl<'a> Root<'a> {
    /// Takes apart what our own writer made.
    pub(super) fn of(document: &'a [u8]) -> Option<Self> {
        let text = str::from_utf8(document).ok()?;
        let (_, root) = text.split_once("?>")?;
        let root = root.trim_start().strip_prefix('<')?;
        let (tag, rest) = root.split_once('>')?;
        let (tag, content) = match tag.strip_suffix('/') {
            Some(tag) => (tag, None),
            None => (tag, Some(rest.rsplit_once("</")?.0)),
        };
        let (name, attributes) = tag.split_once(' ')?;
        let attributes = attributes
            .strip_prefix("xmlns=\"")?
            .strip_prefix(NAMESPACE)?
            .strip_prefix('"')?;
        Some(Self {
            name,
            attributes,
            content,
        })
    }

    pub(super) fn is_list(&self) -> bool {
        self.name.ends_with("List")
    }

    /// A number among the attributes.
    pub(super) fn number(&self, attribute: &str) -> Option<u32> {
        let (_, rest) = self.attributes.split_once(&format!(" {attribute}=\""))?;
        rest.split_once('"')?.0.parse().ok()
    }

    /// What the resource says, where counts in links do not matter.
    ///
    /// Interpretation: how many members a list has that is linked to is that list's affair, which
    /// has subscriptions of its own; the resource that holds the link has not changed.
    pub(super) fn fingerprint(&self, seed: Fingerprint) -> Fingerprint {
        let mut hash = seed.with(self.name.as_bytes());
        for attribute in self.attributes.split_inclusive("\" ") {
            if !attribute.trim_start().starts_with("results=\"") {
                hash = hash.with(attribute.trim().as_bytes());
            }
        }
        let mut rest = self.content.unwrap_or_default();
        while let Some((head, tail)) = after_count(rest) {
            hash = hash.with(head.as_bytes());
            rest = tail;
        }
        hash.with(rest.as_bytes())
    }

    /// The next instant after `now` at which an interval in it begins or ends, with every way in
    /// which a device may have randomised it, or is no longer served.
    pub(super) fn next_boundary(&self, now: Timestamp) -> Option<Timestamp> {
        let mut next: Option<i64> = None;
        let mut note = |at_s: i64| {
            if now.secs() < at_s && next.is_none_or(|next| at_s < next) {
                next = Some(at_s);
            }
        };
        let mut interval = Boundaries::default();
        for tag in self.content.unwrap_or_default().split('<') {
            if let Some((name, text)) = tag.split_once('>') {
                interval.read(name, text, &mut note);
            }
        }
        next.map(Timestamp::from_secs)
    }

    /// The values of the readings in it.
    pub(super) fn values(&self) -> impl Iterator<Item = i64> {
        let tags = self.content.unwrap_or_default().split('<');
        tags.filter_map(|tag| tag.strip_prefix("value>")?.parse().ok())
    }

    fn write_as_resource(&self, out: &mut Vec<u8>) {
        let type_and_attributes = ["<Resource xsi:type=\"", self.name, "\"", self.attributes];
        for part in type_and_attributes {
            out.extend_from_slice(part.as_bytes());
        }
        match self.content {
            None => out.extend_from_slice(b"/>"),
            Some(content) => {
                out.push(b'>');
                out.extend_from_slice(content.as_bytes());
                out.extend_from_slice(b"</Resource>");
            }
        }
    }
}

/// What comes before and after the next count in a link to a list, if there is one.
fn after_count(text: &str) -> Option<(&str, &str)> {
    let mut from = 0;
    loop {
        from += text[from..].find("ListLink ")? + "ListLink".len();
        let end = from + text[from..].find('>')?;
        if let Some((before, count)) = text[from..end].split_once(" all=\"") {
            let (_, after) = count.split_once('"')?;
            return Some((&text[..from + before.len()], &text[end - after.len()..]));
        }
    }
}

/// An interval, as its elements come by in the order of the schema.
#[derive(Clone, Copy, Debug, Default)]
struct Boundaries {
    duration_s: i64,
    start_s: i64,
    longer_s: i64,
}

impl Boundaries {
    fn read(&mut self, name: &str, text: &str, note: &mut impl FnMut(i64)) {
        const TIMES: [&str; 5] = [
            "duration",
            "start",
            "randomizeDuration",
            "randomizeStart",
            "effectiveTime",
        ];
        let Some(seconds) = TIMES.contains(&name).then(|| text.parse().ok()).flatten() else {
            return;
        };
        match name {
            "duration" => self.duration_s = seconds,
            "start" => {
                (self.start_s, self.longer_s) = (seconds, 0);
                note(self.start_s);
                self.note_end(0, note);
            }
            "randomizeDuration" => {
                self.longer_s = seconds;
                self.note_end(0, note);
            }
            "randomizeStart" => {
                note(self.start_s.saturating_add(seconds));
                self.note_end(seconds, note);
            }
            _ => note(seconds),
        }
    }

    /// The ends of an interval that begins so much later, as planned and prolonged, and when what
    /// has ended is gone.
    fn note_end(&self, later_s: i64, note: &mut impl FnMut(i64)) {
        let planned = self.start_s.saturating_add(self.duration_s);
        for end in [planned, planned.saturating_add(self.longer_s)] {
            for served in [Duration::ZERO, LINGERS, COMPLETED_FOR] {
                let served_s = i64::try_from(served.as_secs()).unwrap_or(i64::MAX);
                note(end.saturating_add(later_s).saturating_add(served_s));
            }
        }
    }
}

/// What a notification says besides the resource.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'a> {
    /// As the subscriber wrote it.
    pub(super) subscribed_resource: &'a AnyUri,
    pub(super) subscription_uri: &'a AnyUri,
    pub(super) status: NotificationStatus,
    pub(super) edition: Edition,
    pub(super) now: Timestamp,
}

/// A whole `Notification` document.
pub(super) fn document(head: &Head<'_>, resource: Option<Root<'_>>) -> Vec<u8> {
    let size = resource.map_or(0, |root| root.content.map_or(0, str::len));
    let mut out = Vec::with_capacity(size + 640);
    let opening = [
        DECLARATION,
        "<Notification xmlns=\"",
        NAMESPACE,
        "\" xmlns:xsi=\"",
        INSTANCE_NAMESPACE,
        "\"><subscribedResource>",
    ];
    for part in opening {
        out.extend_from_slice(part.as_bytes());
    }
    head.subscribed_resource.write(&mut out);
    out.extend_from_slice(b"</subscribedResource>");
    if head.edition == Edition::Y2023 {
        out.extend_from_slice(b"<createdDateTime>");
        TimeType::from(head.now).write(&mut out);
        out.extend_from_slice(b"</createdDateTime>");
    }
    if let Some(resource) = resource {
        resource.write_as_resource(&mut out);
    }
    out.extend_from_slice(b"<status>");
    head.status.write(&mut out);
    out.extend_from_slice(b"</status><subscriptionURI>");
    head.subscription_uri.write(&mut out);
    out.extend_from_slice(b"</subscriptionURI></Notification>");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Root<'_> {
        Root::of(text.as_bytes()).unwrap()
    }

    fn fingerprint(text: &str) -> Fingerprint {
        of(text).fingerprint(Fingerprint::EMPTY)
    }

    const HEAD: &str = DECLARATION;

    #[test]
    fn a_document_is_its_root() {
        let text = format!(
            "{HEAD}<FSAList xmlns=\"{NAMESPACE}\" xmlns:x=\"y\" href=\"/f\" all=\"2\" results=\"1\">\
             <FSA/></FSAList>"
        );
        let root = of(&text);
        assert_eq!((root.name, root.is_list()), ("FSAList", true));
        assert_eq!(
            root.attributes,
            " xmlns:x=\"y\" href=\"/f\" all=\"2\" results=\"1\""
        );
        assert_eq!(
            (root.number("all"), root.number("results")),
            (Some(2), Some(1))
        );
        assert_eq!(root.content, Some("<FSA/>"));
        let empty = format!("{HEAD}<DERList xmlns=\"{NAMESPACE}\" all=\"0\" results=\"0\"/>");
        assert_eq!(of(&empty).content, None);
        assert_eq!(Root::of(b"<a/>"), None);
        assert_eq!(Root::of(b"\xFF"), None);
    }

    #[test]
    fn the_clock_changes_what_has_an_interval() {
        let text = format!(
            "{HEAD}<DERControlList xmlns=\"{NAMESPACE}\" all=\"2\" results=\"2\"><DERControl>\
             <interval><duration>60</duration><start>1000</start></interval>\
             <randomizeDuration>7</randomizeDuration><randomizeStart>-10</randomizeStart>\
             </DERControl><DERControl><interval><duration>5</duration><start>2000</start>\
             </interval></DERControl></DERControlList>"
        );
        let root = of(&text);
        let mut boundaries = Vec::new();
        let mut now = 0;
        while let Some(next) = root.next_boundary(Timestamp::from_secs(now)) {
            now = next.secs();
            boundaries.push(now);
        }
        let lingers = [1_050, 1_055, 1_057, 1_060, 1_062, 1_065, 1_067, 1_072];
        let gone = [4_650, 4_657, 4_660, 4_667, 5_605];
        let second = [2_000, 2_005, 2_010];
        let expected = [&[990, 1_000][..], &lingers, &second, &gone].concat();
        assert_eq!(boundaries, expected);
    }

    #[test]
    fn counts_in_links_and_lengths_of_pages_are_no_change() {
        let list = |name: &str, results: u32, count: u32| {
            format!(
                "{HEAD}<PList xmlns=\"{NAMESPACE}\" all=\"1\" results=\"{results}\" href=\"/p\">\
                 <P href=\"/p/1\"><cListLink href=\"/c\" all=\"{count}\"/><n>{name}</n></P></PList>"
            )
        };
        let before = fingerprint(&list("a", 1, 1));
        assert_eq!(before, fingerprint(&list("a", 1, 2)));
        assert_eq!(before, fingerprint(&list("a", 0, 1)));
        assert_ne!(before, fingerprint(&list("b", 1, 1)));
        let other = list("a", 1, 1);
        assert_ne!(
            before,
            fingerprint(&other.replace(" all=\"1\" results", " all=\"2\" results"))
        );
        assert_ne!(
            before,
            fingerprint(&other.replace("href=\"/c\"", "href=\"/d\""))
        );
    }
}
