//! Typed access to the children of an element, in the order of the schema.

use thiserror::Error;
use units::Timestamp;

use super::dom::Element;
use super::text;

/// How closely a peer has to keep to the schemas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Order, namespaces, verbs and nouns exactly as the schemas have them.
    Strict,
    /// Any order; a child may be in any namespace of the standard; elements foreign to the
    /// standard are passed over. Nothing that could change the meaning is passed over.
    Lenient,
}

/// What is wrong with an element.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// A required child is not there.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A child is not known, occurs too often or is out of order.
    #[error("{0} is not expected here")]
    Unexpected(String),
    /// The text is not of the type.
    #[error("{value:?} is not {expected}")]
    Value {
        /// What the text is, shortened.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A repeated child occurs more often than is accepted.
    #[error("more than {max} {what}")]
    TooMany {
        /// Which child.
        what: &'static str,
        /// How many are accepted.
        max: usize,
    },
    /// Text where only elements belong.
    #[error("text is not expected here")]
    Text,
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{path}: {fault}")]
pub struct DecodeError {
    /// Element names from the outside in, separated by `/`.
    pub path: String,
    /// What is wrong there.
    pub fault: Fault,
}

impl DecodeError {
    /// A fault of `element` itself.
    #[must_use]
    pub fn at(element: &Element, fault: Fault) -> Self {
        Self {
            path: element.local.clone(),
            fault,
        }
    }

    /// The same fault seen from the parent.
    #[must_use]
    pub fn inside(mut self, parent: &Element) -> Self {
        self.path.insert(0, '/');
        self.path.insert_str(0, &parent.local);
        self
    }
}

/// How to read elements of one message.
#[derive(Debug, Clone, Copy)]
pub struct Decode<'c> {
    /// How closely the peer has to keep to the schemas.
    pub mode: Mode,
    /// Namespace of the children of envelope types.
    pub message_ns: &'c str,
    /// What all payload and typed message namespaces begin with.
    pub payload_base: &'c str,
    /// Groups that are read.
    pub max_groups: usize,
    /// Members of one group that are read.
    pub max_members: usize,
}

impl<'c> Decode<'c> {
    /// Begins to read the children of `element`, which belong to the namespace `ns`.
    #[must_use]
    pub fn fields<'e>(&self, element: &'e Element, ns: &'c str) -> Fields<'e, 'c> {
        Fields {
            decode: *self,
            element,
            ns,
            next: 0,
            taken: vec![false; element.children.len()],
        }
    }

    fn owns(&self, ns: &str) -> bool {
        ns.is_empty() || ns == self.message_ns || ns.starts_with(self.payload_base)
    }
}

/// The children of one element, taken one kind after another.
#[derive(Debug)]
pub struct Fields<'e, 'c> {
    decode: Decode<'c>,
    element: &'e Element,
    ns: &'c str,
    next: usize,
    taken: Vec<bool>,
}

impl<'e, 'c> Fields<'e, 'c> {
    /// The next children belong to this namespace.
    pub const fn namespace(&mut self, ns: &'c str) {
        self.ns = ns;
    }

    /// A child that may be left out.
    pub fn optional(&mut self, local: &'static str) -> Option<&'e Element> {
        let index = match self.decode.mode {
            Mode::Strict => Some(self.next).filter(|next| {
                self.element
                    .children
                    .get(*next)
                    .is_some_and(|child| child.is(self.ns, local))
            }),
            Mode::Lenient => {
                self.element
                    .children
                    .iter()
                    .zip(&self.taken)
                    .position(|(child, taken)| {
                        !taken && child.local == local && self.decode.owns(&child.ns)
                    })
            }
        }?;
        self.taken[index] = true;
        self.next = index + 1;
        Some(&self.element.children[index])
    }

    /// A child that has to be there.
    pub fn required(&mut self, local: &'static str) -> Result<&'e Element, DecodeError> {
        self.optional(local)
            .ok_or_else(|| self.fault(Fault::Missing(local)))
    }

    /// Children that repeat.
    pub fn repeated(
        &mut self,
        local: &'static str,
        max: usize,
    ) -> Result<Vec<&'e Element>, DecodeError> {
        let mut found = vec![];
        let mut from = match self.decode.mode {
            Mode::Strict => self.next,
            Mode::Lenient => 0,
        };
        while let Some(child) = self.element.children.get(from) {
            let wanted = child.local == local && !self.taken[from];
            match self.decode.mode {
                Mode::Strict if wanted && &*child.ns == self.ns => self.next = from + 1,
                Mode::Strict => break,
                Mode::Lenient if wanted && self.decode.owns(&child.ns) => {}
                Mode::Lenient => {
                    from += 1;
                    continue;
                }
            }
            if found.len() >= max {
                return Err(self.fault(Fault::TooMany { what: local, max }));
            }
            self.taken[from] = true;
            found.push(child);
            from += 1;
        }
        Ok(found)
    }

    /// Passes over elements of other namespaces, where the schema has `xs:any ##other`.
    pub fn any_other(&mut self) {
        while let Some(child) = self.element.children.get(self.next) {
            if &*child.ns == self.ns || child.ns.is_empty() {
                return;
            }
            self.taken[self.next] = true;
            self.next += 1;
        }
    }

    /// Ends the reading: whatever has not been taken is an error, unless it is foreign and the
    /// mode is lenient.
    pub fn finish(self) -> Result<(), DecodeError> {
        let left = self
            .element
            .children
            .iter()
            .zip(&self.taken)
            .find(|(child, taken)| {
                !**taken && (self.decode.mode == Mode::Strict || self.decode.owns(&child.ns))
            });
        if let Some((child, _)) = left {
            return Err(self.fault(Fault::Unexpected(shortened(&child.local))));
        }
        if !self.element.children.is_empty() && !self.element.text.trim().is_empty() {
            return Err(self.fault(Fault::Text));
        }
        Ok(())
    }

    /// Text of a child that may be left out.
    pub fn optional_text(&mut self, local: &'static str) -> Result<Option<&'e str>, DecodeError> {
        self.optional(local)
            .map(|child| self.text_of(child))
            .transpose()
    }

    /// Text of a child that has to be there.
    pub fn text(&mut self, local: &'static str) -> Result<&'e str, DecodeError> {
        let child = self.required(local)?;
        self.text_of(child)
    }

    /// A child that may be left out, read by `read`.
    pub fn optional_value<T>(
        &mut self,
        local: &'static str,
        expected: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, DecodeError> {
        let Some(child) = self.optional(local) else {
            return Ok(None);
        };
        let text = self.text_of(child)?;
        let value = || Fault::Value {
            value: shortened(text),
            expected,
        };
        let bad = || DecodeError::at(child, value()).inside(self.element);
        read(text).map(Some).ok_or_else(bad)
    }

    /// A child that has to be there, read by `read`.
    pub fn value<T>(
        &mut self,
        local: &'static str,
        expected: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, DecodeError> {
        let value = self.optional_value(local, expected, read)?;
        value.ok_or_else(|| self.fault(Fault::Missing(local)))
    }

    /// An `xs:dateTime` that may be left out.
    pub fn optional_time(&mut self, local: &'static str) -> Result<Option<Timestamp>, DecodeError> {
        self.optional_value(local, "a dateTime", text::timestamp)
    }

    /// A finite `xs:float` that may be left out.
    pub fn optional_float(&mut self, local: &'static str) -> Result<Option<f64>, DecodeError> {
        self.optional_value(local, "a finite float", text::finite_float)
    }

    /// An `xs:integer` that may be left out.
    pub fn optional_integer(&mut self, local: &'static str) -> Result<Option<i64>, DecodeError> {
        self.optional_value(local, "an integer of 64 bits", text::integer)
    }

    /// A fault of the element whose children these are.
    #[must_use]
    pub fn fault(&self, fault: Fault) -> DecodeError {
        DecodeError::at(self.element, fault)
    }

    fn text_of(&self, child: &'e Element) -> Result<&'e str, DecodeError> {
        if let Some(inner) = child.children.first() {
            let fault = Fault::Unexpected(shortened(&inner.local));
            return Err(DecodeError::at(child, fault).inside(self.element));
        }
        Ok(child.text.trim())
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}
