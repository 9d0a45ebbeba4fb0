//! A hosted document as it is served: what was hosted, with address, links and status of the moment.

use units::Timestamp;

use super::path::{HostedPath, Part};
use super::source;
use super::{Hosted, HostedDocument};
use crate::codec::read::ReadError;
use crate::codec::table::Profile;
use crate::codec::write::Writer;
use crate::server::list::count;
use crate::server::resources::Owner;
use crate::wire::registry;

/// What a document is rendered for.
#[derive(Clone, Copy)]
pub(super) struct Rendering<'a> {
    pub(super) hosted: &'a Hosted,
    pub(super) now: Timestamp,
    pub(super) profile: Profile,
    pub(super) sees: &'a dyn Fn(Owner) -> bool,
    /// Where responses to events go, and which are asked for if the document does not say.
    pub(super) reply_to: Option<(&'a str, u8)>,
}

impl Rendering<'_> {
    /// The whole document in no particular order, which the writer of its type then puts right.
    pub(super) fn source(&self, path: HostedPath, document: &HostedDocument) -> String {
        let route = path.route.route();
        let text = String::from_utf8_lossy(&document.bytes);
        let (attributes, inner) = source::parts(&text);
        let mut source = source::root(route.document, &path.to_string());
        if let Some(reply_to) = self.reply_to.filter(|_| route.is_event()) {
            source.push_str(&respondable(reply_to, attributes));
        }
        source.push('>');
        let links = self.links(path);
        for (name, child) in source::children(inner) {
            let computed = links.iter().any(|link| link.name == name)
                || (route.is_event() && name == "EventStatus");
            if !computed {
                source.push_str(child);
            }
        }
        for link in links {
            link.write(&mut source);
        }
        if route.is_event() {
            let status = self
                .hosted
                .status(path, document, self.now, self.profile.edition);
            let mut out = Writer::new(self.profile, 256);
            out.complex("EventStatus", &status);
            source.push_str(&String::from_utf8_lossy(&out.into_bytes()));
        }
        source.push_str(&format!("</{}>", route.document));
        source
    }

    fn links(&self, path: HostedPath) -> Vec<Computed> {
        let table = registry::find(path.route.route().document).map(|kind| kind.table);
        let required = |name: &str| {
            table.is_some_and(|table| {
                let mut rows = table.elements.iter();
                rows.any(|row| {
                    row.name == name
                        && *row.occurs.start() == 1
                        && row.profiles.contains(self.profile)
                })
            })
        };
        let mut links = Vec::new();
        for child in path.route.children() {
            let below = path.below(child);
            let route = child.route();
            if !route.is_member() {
                let shown = self.hosted.link(below).is_some() || required(route.link);
                links.push(Computed {
                    name: route.link,
                    href: below,
                    all: None,
                    shown,
                });
                continue;
            }
            let members = self.hosted.listed(below, self.now, self.sees).len();
            let shown = 0 < members || route.is_offered() || required(route.link);
            let all = Some(count(members));
            links.push(Computed {
                name: route.link,
                href: below,
                all,
                shown,
            });
            if let Some((_, name, _)) = route.active {
                let href = HostedPath {
                    part: Part::Active,
                    ..below
                };
                let all = Some(count(self.hosted.listed(href, self.now, self.sees).len()));
                links.push(Computed {
                    name,
                    href,
                    all,
                    shown,
                });
            }
        }
        links
    }

    /// The document alone.
    pub(super) fn document(
        &self,
        path: HostedPath,
        document: &HostedDocument,
    ) -> Result<Vec<u8>, ReadError> {
        let source = self.source(path, document);
        let name = path.route.route().document;
        let kind = registry::find(name).ok_or(ReadError::Root { expected: name })?;
        let value = kind.read_stored(source.as_bytes())?;
        Ok(registry::write(&*value, self.profile))
    }
}

/// The attributes of an event that say whether and where to respond.
fn respondable((reply_to, asked): (&str, u8), attributes: &str) -> String {
    let given = source::attribute(attributes, "responseRequired");
    let asked = given.map_or_else(|| format!("{asked:02X}"), str::to_owned);
    format!(" replyTo=\"{reply_to}\" responseRequired=\"{asked}\"")
}

/// A link that the server makes; one that is not shown takes the place of what was hosted, too.
struct Computed {
    name: &'static str,
    href: HostedPath,
    all: Option<u32>,
    shown: bool,
}

impl Computed {
    fn write(&self, source: &mut String) {
        if !self.shown {
            return;
        }
        let all = self
            .all
            .map(|all| format!(" all=\"{all}\""))
            .unwrap_or_default();
        source.push_str(&format!("<{} href=\"{}\"{all}/>", self.name, self.href));
    }
}
