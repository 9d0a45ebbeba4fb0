//! Hosted documents as they are asked for.

use units::Timestamp;

use super::path::{HostedPath, Part};
use super::render::Rendering;
use super::{Hosted, HostedDocument};
use crate::codec::NAMESPACE;
use crate::codec::table::Profile;
use crate::codec::write::Writer;
use crate::server::http::{Range, Refusal, Response};
use crate::server::list::{Page, count};
use crate::server::resources::Owner;
use crate::wire::registry::{self, AnyResource, Kind};

/// Who asks for a hosted resource, and how.
pub(in crate::server) struct Reading<'a> {
    pub(in crate::server) hosted: &'a Hosted,
    pub(in crate::server) path: HostedPath,
    pub(in crate::server) page: Page,
    pub(in crate::server) range: Option<&'a str>,
    pub(in crate::server) now: Timestamp,
    pub(in crate::server) profile: Profile,
    /// What the reader may see.
    pub(in crate::server) sees: &'a dyn Fn(Owner) -> bool,
    /// Where it responds to events, and what it is asked for.
    pub(in crate::server) reply_to: Option<(&'a str, u8)>,
    /// How often it is asked to look again, in seconds.
    pub(in crate::server) poll_rate_s: u32,
    pub(in crate::server) subscribable: Option<u8>,
}

impl Reading<'_> {
    pub(in crate::server) fn answer(&self) -> Result<Response, Refusal> {
        match self.path.part {
            Part::Document => self.document(),
            Part::Content => self.content(),
            Part::List | Part::Active | Part::Assigned(_) => self.list(),
        }
    }

    fn rendering(&self) -> Rendering<'_> {
        Rendering {
            hosted: self.hosted,
            now: self.now,
            profile: self.profile,
            sees: self.sees,
            reply_to: self.reply_to,
        }
    }

    fn visible(&self, path: HostedPath) -> Result<&HostedDocument, Refusal> {
        let document = self.hosted.get(path).ok_or(Refusal::NOT_FOUND)?;
        match (self.sees)(document.owner) {
            true => Ok(document),
            false => Err(Refusal::NOT_FOUND),
        }
    }

    fn document(&self) -> Result<Response, Refusal> {
        let document = self.visible(self.path)?;
        let event = self.path.route.route().is_event();
        let gone = self.profile.edition == crate::codec::table::Edition::Y2018;
        if event && gone && document.facts.is_over(self.now) {
            return Err(Refusal::NOT_FOUND);
        }
        let body = self.rendering().document(self.path, document)?;
        Ok(Response::ok(body))
    }

    fn content(&self) -> Result<Response, Refusal> {
        let file = HostedPath {
            part: Part::Document,
            ..self.path
        };
        self.visible(file)?;
        let content = self.visible(self.path)?;
        let range = Range::of(self.range, content.bytes.len())?;
        Ok(range.response(&content.bytes, content.etag.clone()))
    }

    fn list(&self) -> Result<Response, Refusal> {
        let above = self
            .path
            .above()
            .filter(|_| !matches!(self.path.part, Part::Assigned(_)));
        if let Some(above) = above {
            self.visible(above)?;
        }
        let route = self.path.route.route();
        let mut members = self.hosted.listed(self.path, self.now, self.sees);
        let all = count(members.len());
        self.page
            .narrow(&mut members, |(_, document)| document.facts.start());
        let shown = self.page.of(&members);
        let kind = registry::find(route.list).ok_or(Refusal::NOT_FOUND)?;
        let member = registry::find(route.document).ok_or(Refusal::NOT_FOUND)?;
        let rendering = self.rendering();
        let mut sources = Vec::with_capacity(shown.len());
        for (path, document) in shown {
            sources.push(rendering.source(*path, document));
        }
        let head = self.head(kind, (all, count(shown.len())))?;
        let mut copied = Ok(());
        let mut out = Writer::new(self.profile, 256 + 768 * shown.len());
        out.root(route.list, &*head, |out| {
            let mut sources = sources.iter();
            copied =
                sources.try_for_each(|source| member.copy(source.as_bytes(), route.document, out));
        });
        copied?;
        Ok(Response::ok(out.into_bytes()))
    }

    /// The list without its members.
    fn head(
        &self,
        kind: &Kind,
        (all, results): (u32, u32),
    ) -> Result<Box<dyn AnyResource>, Refusal> {
        let mut attributes = format!("href=\"{}\" all=\"{all}\" results=\"{results}\"", self.path);
        if let Some(subscribable) = self.subscribable {
            attributes.push_str(&format!(" subscribable=\"{subscribable}\""));
        }
        attributes.push_str(&format!(" pollRate=\"{}\"", self.poll_rate_s));
        let source = format!("<{} xmlns=\"{NAMESPACE}\" {attributes}/>", kind.name());
        Ok(kind.read(source.as_bytes(), self.profile)?)
    }
}
