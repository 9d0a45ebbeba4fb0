//! Elements out, escaped, in the order they are written.

use quick_xml::escape::escape;

use super::dom::is_xml_char;

/// Writes one document. Elements are given with their prefix.
#[derive(Debug)]
pub struct Writer {
    out: String,
    open: Vec<&'static str>,
    prefix: &'static str,
}

impl Default for Writer {
    fn default() -> Self {
        let out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        Self {
            out,
            open: vec![],
            prefix: "",
        }
    }
}

impl Writer {
    /// Elements inside `write` get `prefix`.
    pub fn prefixed(&mut self, prefix: &'static str, write: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.prefix, prefix);
        write(self);
        self.prefix = outer;
    }

    /// An element whose content `write` gives.
    pub fn element(&mut self, name: &'static str, write: impl FnOnce(&mut Self)) {
        self.element_with(name, "", write);
    }

    /// An element with attributes, each as [`attribute`] writes it.
    pub fn element_with(
        &mut self,
        name: &'static str,
        attributes: &str,
        write: impl FnOnce(&mut Self),
    ) {
        let prefix = self.prefix;
        self.tag("<", prefix, name);
        self.out.push_str(attributes);
        self.out.push('>');
        self.open.push(name);
        write(self);
        self.open.pop();
        self.tag("</", prefix, name);
        self.out.push('>');
    }

    /// An element with text.
    pub fn leaf(&mut self, name: &'static str, text: &str) {
        self.leaf_with(name, "", text);
    }

    /// An element with attributes and text.
    pub fn leaf_with(&mut self, name: &'static str, attributes: &str, text: &str) {
        self.element_with(name, attributes, |w| w.out.push_str(&escaped(text)));
    }

    /// An element with text, left out when there is none.
    pub fn optional(&mut self, name: &'static str, text: Option<&str>) {
        if let Some(text) = text {
            self.leaf(name, text);
        }
    }

    /// The document.
    #[must_use]
    pub fn finish(self) -> String {
        self.out
    }

    fn tag(&mut self, open: &str, prefix: &str, name: &str) {
        self.out.push_str(open);
        if !prefix.is_empty() {
            self.out.push_str(prefix);
            self.out.push(':');
        }
        self.out.push_str(name);
    }
}

/// ` name="value"`, escaped.
#[must_use]
pub fn attribute(name: &str, value: &str) -> String {
    format!(" {name}=\"{}\"", escaped(value))
}

/// `text` escaped, with what XML cannot hold replaced.
#[must_use]
pub fn escaped(text: &str) -> String {
    let legal = |c| {
        if is_xml_char(c) {
            c
        } else {
            char::REPLACEMENT_CHARACTER
        }
    };
    let text: String = text.chars().map(legal).collect();
    // A reader turns a bare carriage return into a line feed.
    escape(text.as_str()).replace('\r', "&#13;")
}
