//! Addresses of hosted documents, to and from their paths.

use std::fmt;

use super::route::{Base, RouteId};
use crate::translate::Client;

/// Numbers of one address.
pub const NUMBERS_MAX: usize = 5;

/// What of a route is addressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// A document.
    Document,
    /// The list that documents of the route are members of.
    List,
    /// The list of those of them that are active.
    Active,
    /// The list of those of them that one function set assignment of an end device names.
    Assigned(u32),
    /// What a file holds.
    Content,
}

/// The address of a hosted resource. Its numbers beyond those of its route and part are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostedPath {
    /// Whose end device it is below; none at the root.
    pub client: Option<Client>,
    pub route: RouteId,
    pub numbers: [u32; NUMBERS_MAX],
    pub part: Part,
}

/// Segment of what a file holds, below the file.
const CONTENT: &str = "content";

impl HostedPath {
    /// The first of all in order.
    pub(super) const FIRST: Self = Self {
        client: None,
        route: RouteId::FIRST,
        numbers: [0; NUMBERS_MAX],
        part: Part::Document,
    };

    /// The resource at these segments, which follow the root or, with a client, its end device.
    #[must_use]
    pub fn parse(client: Option<Client>, segments: &[&str]) -> Option<Self> {
        if let (Some(_), ["fsa", set, rest @ ..]) = (client, segments) {
            let listed = Self::parse(None, rest)?;
            let set = super::super::href::number(set)?;
            let top = listed.part == Part::List && listed.route.route().numbers() == 1;
            return top.then_some(Self {
                client,
                part: Part::Assigned(set),
                ..listed
            });
        }
        RouteId::all().find_map(|route| Self::matched(client, route, segments))
    }

    fn matched(client: Option<Client>, route: RouteId, segments: &[&str]) -> Option<Self> {
        let row = route.route();
        if (row.base == Base::EndDevice) != client.is_some() {
            return None;
        }
        let mut numbers = [0; NUMBERS_MAX];
        let (mut given, mut found) = (segments.iter(), 0);
        let mut template = row.segments().peekable();
        while let Some(wanted) = template.next() {
            let last = template.peek().is_none();
            match (wanted, given.next()) {
                ("#", None) if last => {
                    let part = Part::List;
                    return Some(Self {
                        client,
                        route,
                        numbers,
                        part,
                    });
                }
                ("#", Some(segment)) => {
                    *numbers.get_mut(found)? = super::super::href::number(segment)?;
                    found += 1;
                }
                (wanted, Some(segment)) if wanted == *segment => {}
                (_, Some(segment)) => {
                    let (active, ..) = row.active?;
                    let of_list = template.next() == Some("#") && template.next().is_none();
                    let whole = given.next().is_none() && *segment == active;
                    let part = Part::Active;
                    return (of_list && whole).then_some(Self {
                        client,
                        route,
                        numbers,
                        part,
                    });
                }
                (_, None) => return None,
            }
        }
        let part = match (given.next(), row.document) {
            (None, _) => Part::Document,
            (Some(&CONTENT), "File") if given.next().is_none() => Part::Content,
            (Some(_), _) => return None,
        };
        Some(Self {
            client,
            route,
            numbers,
            part,
        })
    }

    /// The list that this document is a member of.
    #[must_use]
    pub fn list(self) -> Self {
        let mut numbers = self.numbers;
        if let (Part::Document, Some(last)) =
            (self.part, self.route.route().numbers().checked_sub(1))
        {
            numbers[last] = 0;
        }
        Self {
            numbers,
            part: Part::List,
            ..self
        }
    }

    /// Member number `number` of this list.
    #[must_use]
    pub fn member(self, number: u32) -> Self {
        let mut numbers = self.numbers;
        if let Some(last) = self.route.route().numbers().checked_sub(1) {
            numbers[last] = number;
        }
        Self {
            numbers,
            part: Part::Document,
            ..self
        }
    }

    /// The number of this document in its list.
    #[must_use]
    pub fn number(self) -> u32 {
        let last = self.route.route().numbers().saturating_sub(1);
        self.numbers[last]
    }

    /// What `child` is addressed as below this document: the list, if it has members.
    #[must_use]
    pub fn below(self, child: RouteId) -> Self {
        let part = match child.route().is_member() {
            true => Part::List,
            false => Part::Document,
        };
        Self {
            route: child,
            part,
            ..self
        }
    }

    /// The document above; none if that is a resource with code of its own.
    #[must_use]
    pub fn above(self) -> Option<Self> {
        let route = self.route.parent()?;
        let mut numbers = self.numbers;
        numbers[route.route().numbers()..].fill(0);
        Some(Self {
            route,
            numbers,
            part: Part::Document,
            ..self
        })
    }

    /// Whether it is a client's to write, below its own end device.
    #[must_use]
    pub fn is_of_client(self) -> bool {
        self.client.is_some() && self.route.route().is_offered()
    }

    /// The addresses of documents of this client, from those of one route to those of another, that
    /// begin with the same `numbers` numbers.
    pub(super) fn range(
        self,
        routes: (RouteId, RouteId),
        numbers: usize,
    ) -> std::ops::RangeInclusive<Self> {
        let (mut first, mut last) = (self.numbers, self.numbers);
        first[numbers..].fill(0);
        last[numbers..].fill(u32::MAX);
        let client = self.client;
        let first = Self {
            client,
            route: routes.0,
            numbers: first,
            part: Part::Document,
        };
        first..=Self {
            client,
            route: routes.1,
            numbers: last,
            part: Part::Content,
        }
    }
}

impl fmt::Display for HostedPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(client) = self.client {
            super::super::href::write_client(client, f)?;
        }
        let route = self.route.route();
        if let Part::Assigned(set) = self.part {
            let (list, _) = route
                .template
                .split_once('/')
                .unwrap_or((route.template, ""));
            return write!(f, "/fsa/{set}/{list}");
        }
        let shown =
            route.segments().count() - usize::from(matches!(self.part, Part::List | Part::Active));
        let mut numbers = self.numbers.iter();
        for (place, segment) in route.segments().take(shown).enumerate() {
            let last = place + 1 == shown;
            match (segment, route.active) {
                ("#", _) => write!(f, "/{}", numbers.next().copied().unwrap_or_default())?,
                (_, Some((active, ..))) if last && self.part == Part::Active => {
                    write!(f, "/{active}")?
                }
                _ => write!(f, "/{segment}")?,
            }
        }
        if self.part == Part::Content {
            write!(f, "/{CONTENT}")?;
        }
        Ok(())
    }
}

impl From<HostedPath> for crate::codec::simple::AnyUri {
    fn from(path: HostedPath) -> Self {
        path.to_string().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::translate::{AggregatorId, DerId};

    fn parse(path: &str) -> Option<HostedPath> {
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match segments.as_slice() {
            ["edev", "a7", rest @ ..] => {
                HostedPath::parse(Some(Client::Aggregator(AggregatorId(7))), rest)
            }
            ["edev", "3", rest @ ..] => HostedPath::parse(Some(Client::Der(DerId(3))), rest),
            rest => HostedPath::parse(None, rest),
        }
    }

    #[test]
    fn every_address_leads_back_to_its_resource() {
        for route in RouteId::all() {
            let client = match route.route().base {
                Base::Root => None,
                Base::EndDevice => Some(Client::Der(DerId(3))),
            };
            let mut numbers = [0; NUMBERS_MAX];
            numbers[..route.route().numbers()]
                .copy_from_slice(&[9, 8, 7, 6, 5][..route.route().numbers()]);
            let document = HostedPath {
                client,
                route,
                numbers,
                part: Part::Document,
            };
            assert_eq!(parse(&document.to_string()), Some(document), "{document}");
            if route.route().is_member() {
                let list = document.list();
                assert_eq!(parse(&list.to_string()), Some(list), "{list}");
                assert_eq!(list.member(document.number()), document);
                assert!(list.to_string().len() < document.to_string().len());
            }
            if route.route().active.is_some() {
                let active = HostedPath {
                    part: Part::Active,
                    ..document.list()
                };
                assert_eq!(parse(&active.to_string()), Some(active), "{active}");
            }
        }
    }

    #[test]
    fn assigned_lists_and_file_contents_have_addresses() {
        for path in [
            "/edev/3/fsa/2/tp",
            "/edev/3/fsa/2/dr",
            "/file/4/content",
            "/edev/a7/cfg/prcfg/5",
        ] {
            assert_eq!(parse(path).unwrap().to_string(), path);
        }
        for path in [
            "/edev/3/fsa/2/tp/1",
            "/edev/3/fsa/2/cfg",
            "/edev/3/fsa/02/tp",
            "/file/content",
            "/tp/1/content",
            "/tp/1/x",
            "/cfg",
            "/edev/3/tp",
        ] {
            assert_eq!(parse(path), None, "{path}");
        }
    }

    #[test]
    fn what_is_above() {
        let interval = parse("/tp/1/rc/2/tti/3").unwrap();
        let above = interval.above().unwrap();
        assert_eq!(above.to_string(), "/tp/1/rc/2");
        assert_eq!(parse("/tp/1").unwrap().above(), None);
    }
}
