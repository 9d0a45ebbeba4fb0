//! The schema as a table, and the macro that writes a struct and its table from one declaration.

/// An edition of the standard, which decides what is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Edition {
    #[default]
    Y2018,
}

impl Edition {
    const fn bit(self) -> u8 {
        match self {
            Self::Y2018 => 1,
        }
    }
}

/// The editions that define a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Editions(u8);

impl Editions {
    pub const ALL: Self = Self(u8::MAX);

    #[must_use]
    pub const fn contains(self, edition: Edition) -> bool {
        self.0 & edition.bit() != 0
    }
}

/// How often an element or attribute may occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occurs {
    One,
    Optional,
    Many,
}

/// One element or attribute of a type.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub name: &'static str,
    pub occurs: Occurs,
    pub editions: Editions,
}

/// A complex type of the schema: its element name as a document, and its rows in schema order.
#[derive(Clone, Copy, Debug)]
pub struct TypeTable {
    pub name: &'static str,
    pub attributes: &'static [Row],
    pub elements: &'static [Row],
}

/// Declares complex types: the struct, its table, its reader and its writer.
///
/// `@one`/`@opt` rows are attributes; `one`, `opt` and `many` rows are elements in schema order,
/// those of base types first. A trailing `in EDITIONS` limits a row to some editions.
macro_rules! complex {
    ($(
        $(#[$meta:meta])*
        pub struct $Type:ident($xml:literal) {
            $( @$attr_occurs:ident $attr:ident: $attr_ty:ty = $attr_name:literal, )*
            $( $occurs:ident $field:ident: $ty:ty = $name:literal $(in $editions:expr)?, )*
        }
    )+) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $Type {
            $( pub $attr: $crate::codec::table::slot!($attr_occurs $attr_ty), )*
            $( pub $field: $crate::codec::table::slot!($occurs $ty), )*
        }

        impl $crate::codec::read::Complex for $Type {
            const TABLE: &'static $crate::codec::table::TypeTable = &$crate::codec::table::TypeTable {
                name: $xml,
                attributes: &[$( $crate::codec::table::row!($attr_occurs $attr_name) ),*],
                elements: &[$( $crate::codec::table::row!($occurs $name $(in $editions)?) ),*],
            };

            fn read_attribute(
                &mut self,
                name: &str,
                text: &str,
            ) -> Result<(), $crate::codec::simple::ValueError> {
                match name {
                    $( $attr_name => {
                        let value: $attr_ty = $crate::codec::simple::Simple::read(text)?;
                        $crate::codec::table::put!($attr_occurs self.$attr, value);
                    } )*
                    _ => _ = text,
                }
                Ok(())
            }

            fn read_element<'a>(
                &mut self,
                name: &str,
                reader: &mut $crate::codec::read::Reader<'a>,
                open: &$crate::codec::read::Open<'a>,
            ) -> Result<(), $crate::codec::read::ReadError> {
                match name {
                    $( $name => {
                        let value: $ty = $crate::codec::read::Element::read(reader, open)?;
                        $crate::codec::table::put!($occurs self.$field, value);
                        Ok(())
                    } )*
                    _ => reader.skip(open),
                }
            }

            fn write_attributes(&self, out: &mut $crate::codec::write::Writer) {
                // Types without attributes are written too.
                _ = &out;
                $( $crate::codec::table::attribute!($attr_occurs out, $attr_name, self.$attr); )*
            }

            fn write_elements(&self, out: &mut $crate::codec::write::Writer) {
                _ = &out;
                $( if $crate::codec::table::row!($occurs $name $(in $editions)?)
                    .editions
                    .contains(out.edition())
                {
                    $crate::codec::table::element!($occurs out, $name, self.$field);
                } )*
            }
        }

        impl $crate::codec::read::Element for $Type {
            fn read<'a>(
                reader: &mut $crate::codec::read::Reader<'a>,
                open: &$crate::codec::read::Open<'a>,
            ) -> Result<Self, $crate::codec::read::ReadError> {
                $crate::codec::read::read_complex(reader, open)
            }

            fn write(&self, name: &str, out: &mut $crate::codec::write::Writer) {
                out.complex(name, self);
            }
        }
    )+};
}

macro_rules! slot {
    (one $ty:ty) => { $ty };
    (opt $ty:ty) => { Option<$ty> };
    (many $ty:ty) => { Vec<$ty> };
}

macro_rules! put {
    (one $slot:expr, $value:expr) => {
        $slot = $value
    };
    (opt $slot:expr, $value:expr) => {
        $slot = Some($value)
    };
    (many $slot:expr, $value:expr) => {
        $slot.push($value)
    };
}

macro_rules! row {
    ($occurs:ident $name:literal) => {
        $crate::codec::table::row!($occurs $name in $crate::codec::table::Editions::ALL)
    };
    ($occurs:ident $name:literal in $editions:expr) => {
        $crate::codec::table::Row {
            name: $name,
            occurs: $crate::codec::table::occurs!($occurs),
            editions: $editions,
        }
    };
}

macro_rules! occurs {
    (one) => {
        $crate::codec::table::Occurs::One
    };
    (opt) => {
        $crate::codec::table::Occurs::Optional
    };
    (many) => {
        $crate::codec::table::Occurs::Many
    };
}

macro_rules! attribute {
    (one $out:expr, $name:literal, $slot:expr) => {
        $out.attribute($name, &$slot)
    };
    (opt $out:expr, $name:literal, $slot:expr) => {
        if let Some(value) = &$slot {
            $out.attribute($name, value);
        }
    };
}

macro_rules! element {
    (one $out:expr, $name:literal, $slot:expr) => {
        $crate::codec::read::Element::write(&$slot, $name, $out)
    };
    (opt $out:expr, $name:literal, $slot:expr) => {
        if let Some(value) = &$slot {
            $crate::codec::read::Element::write(value, $name, $out);
        }
    };
    (many $out:expr, $name:literal, $slot:expr) => {
        for value in &$slot {
            $crate::codec::read::Element::write(value, $name, $out);
        }
    };
}

pub(crate) use {attribute, complex, element, occurs, put, row, slot};
