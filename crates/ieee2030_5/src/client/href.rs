//! Addresses of resources.

use std::fmt::Write as _;

/// The server that the client is configured for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Home {
    /// Host and port.
    authority: String,
}

const PORT_HTTPS: &str = ":443";

impl Home {
    /// The home of a client that begins at `href`, and the path there.
    pub(super) fn of(href: &str) -> (Self, String) {
        let (authority, path) = split(href).unwrap_or(("", href));
        let home = Self {
            authority: comparable(authority),
        };
        (home, rooted(path))
    }

    /// `href` as requests carry it: path and query at home, the whole address elsewhere. None for
    /// an address that is not reached over TLS.
    ///
    /// Interpretation: a resource may be on another server, which then has to show a certificate
    /// of the same roots; it is never fetched without TLS.
    pub(super) fn resolve(&self, href: &str) -> Option<String> {
        match split(href) {
            Some((authority, path)) => {
                let is_home = self.authority.is_empty() || comparable(authority) == self.authority;
                let is_secure = has_scheme(href, "https://");
                let is_written = authority.bytes().all(|octet| octet.is_ascii_graphic());
                match (is_home, is_secure && is_written) {
                    (true, _) => Some(rooted(path)),
                    (false, true) => {
                        let start = &href[..href.len() - path.len()];
                        Some(format!("{start}{}", escaped(path)))
                    }
                    (false, false) => None,
                }
            }
            None if href.contains("://") || href.is_empty() => None,
            None => Some(rooted(href)),
        }
    }

    /// Whether two addresses are of one resource, however they are written.
    pub(super) fn is_same(&self, a: &str, b: &str) -> bool {
        let plain = |href: &str| {
            self.resolve(href)
                .map(|it| it.trim_end_matches('/').to_owned())
        };
        plain(a).is_some_and(|a| Some(a) == plain(b))
    }
}

fn has_scheme(href: &str, scheme: &str) -> bool {
    let start = href.get(..scheme.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

/// Authority and path of a whole address.
fn split(href: &str) -> Option<(&str, &str)> {
    let schemes = ["https://", "http://"];
    let scheme = schemes.iter().find(|scheme| has_scheme(href, scheme))?;
    let rest = &href[scheme.len()..];
    Some(
        rest.find(['/', '?'])
            .map_or((rest, ""), |at| rest.split_at(at)),
    )
}

fn comparable(authority: &str) -> String {
    let lower = authority.to_ascii_lowercase();
    lower.strip_suffix(PORT_HTTPS).unwrap_or(&lower).to_owned()
}

fn rooted(path: &str) -> String {
    let path = escaped(path);
    if path.starts_with('/') {
        path
    } else {
        format!("/{path}")
    }
}

/// `xs:anyURI` takes characters that no request line does; they are escaped as RFC 3987 3.1 has it.
fn escaped(path: &str) -> String {
    path.bytes().fold(String::new(), |mut text, octet| {
        if octet.is_ascii_graphic() && !br#"<>"\^`{|}"#.contains(&octet) {
            text.push(char::from(octet));
        } else {
            write!(text, "%{octet:02X}").expect("a String takes everything");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::Home;

    #[test]
    fn addresses_at_home_are_paths_and_others_need_tls() {
        let (home, path) = Home::of("https://Server.example:443/dcap");
        assert_eq!(path, "/dcap");
        let cases = [
            ("/edev?s=1", Some("/edev?s=1")),
            ("edev", Some("/edev")),
            ("https://server.example/tm", Some("/tm")),
            ("HTTPS://SERVER.example:443/tm", Some("/tm")),
            ("https://server.example", Some("/")),
            ("https://other.example/tm", Some("https://other.example/tm")),
            (
                "https://server.example:8443/tm",
                Some("https://server.example:8443/tm"),
            ),
            ("http://other.example/tm", None),
            ("coap://server.example/tm", None),
            ("", None),
            ("/a b/ü%20\n", Some("/a%20b/%C3%BC%20%0A")),
            (
                "https://other.example/a b",
                Some("https://other.example/a%20b"),
            ),
            ("https://other .example/a", None),
        ];
        for (href, resolved) in cases {
            assert_eq!(home.resolve(href).as_deref(), resolved, "{href}");
            let again = resolved.and_then(|href| home.resolve(href));
            assert_eq!(again.as_deref(), resolved, "{href}");
        }
        assert!(home.is_same("/edev/", "https://server.example/edev"));
        assert!(!home.is_same("/edev", "/edev/1"));
    }
}
