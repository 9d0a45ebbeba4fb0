//! Documents that this crate has written, taken apart and put together as text.

use crate::codec::read::ReadError;
use crate::codec::{NAMESPACE, NAMESPACE_CSIP_AUS};
use crate::wire::registry::{self, AnyResource};

/// The beginning of a document at `href`, its start tag still open.
pub(super) fn root(name: &str, href: &str) -> String {
    format!("<{name} xmlns=\"{NAMESPACE}\" xmlns:csipaus=\"{NAMESPACE_CSIP_AUS}\" href=\"{href}\"")
}

/// The document in `bytes` with `href` as its address.
pub(in crate::server) fn addressed(
    bytes: &[u8],
    href: &str,
) -> Result<Box<dyn AnyResource>, ReadError> {
    let text = String::from_utf8_lossy(bytes);
    let (tag, inner) = parts(&text);
    let name = name(tag);
    let kind = registry::find(name).ok_or(ReadError::Malformed)?;
    let document = format!("{}>{inner}</{name}>", root(name, href));
    kind.read_stored(document.as_bytes())
}

/// The name of the element that a tag opens.
fn name(tag: &str) -> &str {
    let tag = tag.strip_prefix('<').unwrap_or(tag);
    &tag[..tag.find([' ', '/', '>']).unwrap_or(tag.len())]
}

/// The attributes and the content of the root of a document that this crate has written.
pub(in crate::server) fn parts(text: &str) -> (&str, &str) {
    let root = match text.starts_with("<?") {
        true => text
            .split_once("?>")
            .map_or("", |(_, rest)| rest)
            .trim_start(),
        false => text,
    };
    let Some((tag, rest)) = root.split_once('>') else {
        return ("", "");
    };
    if tag.ends_with('/') {
        return (tag, "");
    }
    (tag, rest.rsplit_once("</").map_or("", |(inner, _)| inner))
}

/// The value of an attribute in a tag that this crate has written.
pub(in crate::server) fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split_once('"').map(|(value, _)| value)
}

/// The elements right inside `inner`, with their names, as this crate writes them: every tag is
/// closed and `>` is escaped wherever it is no tag's.
pub(in crate::server) fn children(inner: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut rest = inner;
    while let Some(tag) = rest.strip_prefix('<') {
        let mut depth = 0_usize;
        let mut length = 0;
        for part in rest.split_inclusive('>') {
            length += part.len();
            let at = part.find('<').unwrap_or(0);
            let tag = &part[at..];
            if tag.starts_with("</") {
                depth = depth.saturating_sub(1);
            } else if !tag.ends_with("/>") {
                depth += 1;
            }
            if depth == 0 {
                break;
            }
        }
        found.push((name(tag), &rest[..length]));
        rest = &rest[length..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_taken_apart() {
        let text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<A xmlns=\"n\" b=\"1\"><x>1</x><y><z/><x>&gt;</x></y><w h=\"/q\"/></A>";
        let (tag, inner) = parts(text);
        assert_eq!(attribute(tag, "b"), Some("1"));
        assert_eq!(attribute(tag, "c"), None);
        let found = children(inner);
        assert_eq!(
            found,
            [
                ("x", "<x>1</x>"),
                ("y", "<y><z/><x>&gt;</x></y>"),
                ("w", "<w h=\"/q\"/>")
            ]
        );
        assert_eq!(parts("<A/>").1, "");
        assert!(children("").is_empty());
    }
}
