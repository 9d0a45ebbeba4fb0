//! Links from one resource to another.

use crate::codec::simple::AnyUri;
use crate::codec::table::complex;

complex! {
    /// A resource of which only the address is told.
    pub struct Resource("Resource" in Y2018) {
        @opt href: AnyUri = "href",
    }

    /// A link to a resource.
    pub struct Link("Link") {
        @one href: AnyUri = "href",
    }

    /// A link to a list, with the number of members that the reader of the link may see.
    pub struct ListLink("ListLink") {
        @one href: AnyUri = "href",
        @opt all: u32 = "all",
    }
}

impl Link {
    #[must_use]
    pub fn to(href: impl Into<AnyUri>) -> Self {
        Self { href: href.into() }
    }
}

impl ListLink {
    #[must_use]
    pub fn to(href: impl Into<AnyUri>, all: u32) -> Self {
        Self {
            href: href.into(),
            all: Some(all),
        }
    }
}
