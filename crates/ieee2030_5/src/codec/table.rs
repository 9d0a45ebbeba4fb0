//! The schema as a table, and the macro that writes a struct and its table from one declaration.

use std::ops::RangeInclusive;

/// An edition of the standard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Edition {
    #[default]
    Y2018,
    Y2023,
}

/// A national extension of the schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Extension {
    #[default]
    None,
    CsipAus12,
    CsipAus13,
}

impl Extension {
    /// The namespace of what the extension adds.
    #[must_use]
    pub const fn namespace(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::CsipAus12 => Some("https://csipaus.org/ns"),
            Self::CsipAus13 => Some("https://csipaus.org/ns/v1.3"),
        }
    }
}

/// What a peer understands, which decides what is written to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Profile {
    pub edition: Edition,
    pub extension: Extension,
}

impl Profile {
    /// With the rows of every edition and extension, so that a document that is kept loses nothing.
    pub const EVERYTHING: Self = Self::new(Edition::Y2023, Extension::CsipAus13);
    /// Every profile that there is.
    pub const ALL: [Self; 6] = [
        Self::new(Edition::Y2018, Extension::None),
        Self::new(Edition::Y2018, Extension::CsipAus12),
        Self::new(Edition::Y2018, Extension::CsipAus13),
        Self::new(Edition::Y2023, Extension::None),
        Self::new(Edition::Y2023, Extension::CsipAus12),
        Self::new(Edition::Y2023, Extension::CsipAus13),
    ];

    #[must_use]
    pub const fn new(edition: Edition, extension: Extension) -> Self {
        Self { edition, extension }
    }

    const fn bit(self) -> u8 {
        1 << (3 * self.edition as u8 + self.extension as u8)
    }
}

/// The profiles that have a type or a row of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profiles(u8);

impl Profiles {
    pub const ALL: Self = Self(0b11_1111);
    pub const Y2018: Self = Self(0b00_0111);
    pub const Y2023: Self = Self(0b11_1000);
    pub const CSIP_AUS: Self = Self(0b11_0110);
    pub const CSIP_AUS_13: Self = Self(0b10_0100);

    #[must_use]
    pub const fn contains(self, profile: Profile) -> bool {
        self.0 & profile.bit() != 0
    }
}

/// What stands before the local name of an element of the Australian extension, here as in what is
/// written.
pub const CSIP_AUS_PREFIX: &str = "csipaus:";

/// One element or attribute of a type.
#[derive(Clone, Debug)]
pub struct Row {
    /// The name in the schema, with [`CSIP_AUS_PREFIX`] if it is of that namespace.
    pub name: &'static str,
    /// How often it occurs in the profiles that have it.
    pub occurs: RangeInclusive<u16>,
    pub profiles: Profiles,
    /// The type of an element that is not a simple one.
    pub inside: Option<&'static TypeTable>,
}

/// A complex type of the schema: its element name as a document, and its rows in schema order.
#[derive(Clone, Debug)]
pub struct TypeTable {
    pub name: &'static str,
    pub profiles: Profiles,
    pub attributes: &'static [Row],
    pub elements: &'static [Row],
}

/// Elements of one type.
pub const MAX_ROWS: usize = 64;

/// Declares complex types: the struct, its table, its reader and its writer.
///
/// `@one`/`@opt` rows are attributes; the others are elements in schema order, those of base types
/// first. `one` occurs once, `opt` at most once, `many` any number of times and `some` at least
/// once, at most as often as `max` says. A trailing `in PROFILES` limits a row to some profiles;
/// `due` is such a row that must be there in them.
macro_rules! complex {
    ($(
        $(#[$meta:meta])*
        pub struct $Type:ident($xml:literal $(in $type_profiles:ident)?) {
            $( @$attr_occurs:ident $attr:ident: $attr_ty:ty = $attr_name:literal
                $(in $attr_profiles:ident)?, )*
            $( $occurs:ident $field:ident: $ty:ty = $name:literal
                $(max $max:literal)? $(in $profiles:ident)?, )*
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
                profiles: $crate::codec::table::profiles!($($type_profiles)?),
                attributes: &[$(
                    $crate::codec::table::row!(
                        $attr_occurs $attr_name; $attr_ty; ; $($attr_profiles)?
                    )
                ),*],
                elements: &[$(
                    $crate::codec::table::row!($occurs $name; $ty; $($max)?; $($profiles)?)
                ),*],
            };

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
        }

        impl $crate::codec::read::Content for $Type {
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

            fn write_attributes(&self, out: &mut $crate::codec::write::Writer) {
                // Types without attributes are written too.
                _ = &out;
                $( if $crate::codec::table::profiles!($($attr_profiles)?).contains(out.profile()) {
                    $crate::codec::table::attribute!($attr_occurs out, $attr_name, self.$attr);
                } )*
            }

            fn write_elements(&self, out: &mut $crate::codec::write::Writer) {
                _ = &out;
                $( if $crate::codec::table::profiles!($($profiles)?).contains(out.profile()) {
                    $crate::codec::table::element!($occurs out, $name, self.$field);
                } )*
            }
        }

        const _: () = assert!(
            <$Type as $crate::codec::read::Complex>::TABLE.elements.len()
                <= $crate::codec::table::MAX_ROWS
        );

        impl $crate::codec::read::Element for $Type {
            const INSIDE: Option<&'static $crate::codec::table::TypeTable> =
                Some(<Self as $crate::codec::read::Complex>::TABLE);

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
    (due $ty:ty) => { Option<$ty> };
    (many $ty:ty) => { Vec<$ty> };
    (some $ty:ty) => { Vec<$ty> };
}

macro_rules! put {
    (one $slot:expr, $value:expr) => {
        $slot = $value
    };
    (opt $slot:expr, $value:expr) => {
        $slot = Some($value)
    };
    (due $slot:expr, $value:expr) => {
        $slot = Some($value)
    };
    (many $slot:expr, $value:expr) => {
        $slot.push($value)
    };
    (some $slot:expr, $value:expr) => {
        $slot.push($value)
    };
}

macro_rules! profiles {
    () => {
        const { $crate::codec::table::Profiles::ALL }
    };
    ($profiles:ident) => {
        const { $crate::codec::table::Profiles::$profiles }
    };
}

macro_rules! row {
    ($occurs:ident $name:literal; $ty:ty; $($max:literal)?; $($profiles:ident)?) => {
        $crate::codec::table::Row {
            name: $name,
            occurs: $crate::codec::table::occurs!($occurs $($max)?),
            profiles: $crate::codec::table::profiles!($($profiles)?),
            inside: <$ty as $crate::codec::read::Element>::INSIDE,
        }
    };
}

macro_rules! occurs {
    (one) => {
        1..=1
    };
    (opt) => {
        0..=1
    };
    (due) => {
        1..=1
    };
    (many) => {
        0..=u16::MAX
    };
    (some) => {
        1..=u16::MAX
    };
    (some $max:literal) => {
        1..=$max
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
    (due $out:expr, $name:literal, $slot:expr) => {
        $crate::codec::table::element!(opt $out, $name, $slot)
    };
    (many $out:expr, $name:literal, $slot:expr) => {
        for value in &$slot {
            $crate::codec::read::Element::write(value, $name, $out);
        }
    };
    (some $out:expr, $name:literal, $slot:expr) => {
        $crate::codec::table::element!(many $out, $name, $slot)
    };
}

pub(crate) use {attribute, complex, element, occurs, profiles, put, row, slot};
