//! The simple types of the schema: bounded numbers, hexadecimal fields, bounded text.

use std::fmt;

/// Why a text is not a value of its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    #[error("is not a whole number in the range of its type")]
    Number,
    #[error("is neither true nor false")]
    Boolean,
    #[error("is not hexadecimal of the width of its type")]
    Hex,
    #[error("is longer than its type allows")]
    TooLong,
    #[error("holds a character that XML does not allow")]
    Character,
}

/// A value that is written as text, in an element or an attribute.
pub trait Simple: Sized {
    fn read(text: &str) -> Result<Self, ValueError>;
    fn write(&self, out: &mut Vec<u8>);
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\r', '\n'])
}

fn write_digits(mut magnitude: u64, sign: &str, out: &mut Vec<u8>) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(magnitude % 10).expect("a remainder of ten fits a byte");
        magnitude /= 10;
        if magnitude == 0 {
            break;
        }
    }
    out.extend_from_slice(sign.as_bytes());
    out.extend_from_slice(&digits[at..]);
}

macro_rules! integers {
    ($($ty:ty),*) => {$(
        impl Simple for $ty {
            fn read(text: &str) -> Result<Self, ValueError> {
                trim(text).parse().map_err(|_| ValueError::Number)
            }

            fn write(&self, out: &mut Vec<u8>) {
                let wide = i64::from(*self);
                write_digits(wide.unsigned_abs(), if wide < 0 { "-" } else { "" }, out);
            }
        }
    )*};
}

integers!(u8, u16, u32, i8, i16, i32, i64);

/// An integer type of the schema whose bounds no Rust integer has, or whose unit the name must
/// carry.
macro_rules! numbers {
    ($( $(#[$meta:meta])* $Type:ident($repr:ty) $(in $min:literal..=$max:literal)?; )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $Type(pub $repr);

        impl Simple for $Type {
            fn read(text: &str) -> Result<Self, ValueError> {
                let value: $repr = trim(text).parse().map_err(|_| ValueError::Number)?;
                $( if !($min..=$max).contains(&value) {
                    return Err(ValueError::Number);
                } )?
                Ok(Self(value))
            }

            fn write(&self, out: &mut Vec<u8>) {
                let wide = i128::from(self.0);
                let magnitude = u64::try_from(wide.unsigned_abs()).expect("a 64-bit magnitude fits");
                write_digits(magnitude, if wide < 0 { "-" } else { "" }, out);
            }
        }
    )*};
}

numbers! {
    /// The short form of a device identifier, with its check digit.
    UInt40(u64) in 0..=1_099_511_627_775;
    UInt48(u64) in 0..=281_474_976_710_655;
    Int48(i64) in -140_737_488_355_328..=140_737_488_355_328;
    /// Hundredths of a percent, never negative.
    PerCent(u16) in 0..=65_535;
    /// Hundredths of a percent.
    SignedPerCent(i16) in -32_768..=32_767;
    /// Seconds since the Unix epoch.
    TimeType(i64);
    /// Seconds east of UTC.
    TimeOffsetType(i32);
}

impl TimeType {
    /// The instant, held at the ends of the range that [`units::Timestamp`] has.
    #[must_use]
    pub fn timestamp(self) -> units::Timestamp {
        units::Timestamp::from_millis(self.0.saturating_mul(1000))
    }
}

impl From<units::Timestamp> for TimeType {
    fn from(at: units::Timestamp) -> Self {
        Self(at.secs())
    }
}

impl Simple for bool {
    fn read(text: &str) -> Result<Self, ValueError> {
        match trim(text) {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(ValueError::Boolean),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(if *self { b"true" } else { b"false" });
    }
}

fn hex_digits(text: &str, digits_max: usize) -> Result<&str, ValueError> {
    let digits = trim(text);
    let is_hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
    if digits.is_empty() || digits.len() > digits_max || !is_hex {
        return Err(ValueError::Hex);
    }
    Ok(digits)
}

fn write_hex(value: u128, digits: usize, out: &mut Vec<u8>) {
    for place in (0..digits).rev() {
        let nibble = usize::try_from(value >> (4 * place) & 0xF).expect("a nibble fits");
        out.push(b"0123456789ABCDEF"[nibble]);
    }
}

/// Bit maps: read with any number of digits up to their width.
///
/// They keep the number of octets that they were sent with, so that they are given back as they
/// came; two are equal when their values are.
macro_rules! bit_maps {
    ($($Type:ident($repr:ty),)*) => {$(
        #[derive(Clone, Copy, Eq)]
        pub struct $Type {
            value: $repr,
            digits: u8,
        }

        impl $Type {
            /// Of full width, as this project writes its own.
            #[must_use]
            #[expect(
                clippy::cast_possible_truncation,
                reason = "no integer has so many bits"
            )]
            pub const fn new(value: $repr) -> Self {
                Self { value, digits: <$repr>::BITS as u8 / 4 }
            }

            #[must_use]
            pub const fn value(self) -> $repr {
                self.value
            }
        }

        impl Default for $Type {
            fn default() -> Self {
                Self::new(0)
            }
        }

        impl PartialEq for $Type {
            fn eq(&self, other: &Self) -> bool {
                self.value == other.value
            }
        }

        impl fmt::Debug for $Type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:0width$X}", self.value, width = usize::from(self.digits))
            }
        }

        impl Simple for $Type {
            fn read(text: &str) -> Result<Self, ValueError> {
                let digits = hex_digits(text, size_of::<$repr>() * 2)?;
                let value = <$repr>::from_str_radix(digits, 16).map_err(|_| ValueError::Hex)?;
                Ok(Self { value, digits: whole_octets(digits)? })
            }

            fn write(&self, out: &mut Vec<u8>) {
                write_hex(u128::from(self.value), usize::from(self.digits), out);
            }
        }
    )*};
}

fn whole_octets(digits: &str) -> Result<u8, ValueError> {
    let octets = u8::try_from(digits.len().div_ceil(2)).map_err(|_| ValueError::Hex)?;
    Ok(octets * 2)
}

bit_maps! {
    HexBinary8(u8),
    HexBinary16(u16),
    HexBinary32(u32),
    HexBinary64(u64),
}

/// An mRID. It keeps the number of digits it was sent with, so that it is given back as it came.
///
/// Two are equal when their values are: a sender that drops leading zeros means the same object.
#[derive(Clone, Copy)]
pub struct HexBinary128 {
    value: u128,
    digits: u8,
}

impl HexBinary128 {
    /// Of full width, as this project writes its own.
    #[must_use]
    pub const fn new(value: u128) -> Self {
        Self { value, digits: 32 }
    }

    #[must_use]
    pub const fn value(self) -> u128 {
        self.value
    }
}

impl Default for HexBinary128 {
    fn default() -> Self {
        Self::new(0)
    }
}

impl PartialEq for HexBinary128 {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Eq for HexBinary128 {}

impl fmt::Debug for HexBinary128 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:0width$X}",
            self.value,
            width = usize::from(self.digits)
        )
    }
}

impl Simple for HexBinary128 {
    fn read(text: &str) -> Result<Self, ValueError> {
        let digits = hex_digits(text, 32)?;
        let value = u128::from_str_radix(digits, 16).map_err(|_| ValueError::Hex)?;
        Ok(Self {
            value,
            digits: whole_octets(digits)?,
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        write_hex(self.value, usize::from(self.digits), out);
    }
}

/// A long-form device identifier: always its twenty octets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HexBinary160(pub [u8; 20]);

impl Simple for HexBinary160 {
    fn read(text: &str) -> Result<Self, ValueError> {
        let digits = hex_digits(text, 40)?.as_bytes();
        if digits.len() != 40 {
            return Err(ValueError::Hex);
        }
        let mut octets = [0; 20];
        for (octet, pair) in octets.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = str::from_utf8(pair).map_err(|_| ValueError::Hex)?;
            *octet = u8::from_str_radix(pair, 16).map_err(|_| ValueError::Hex)?;
        }
        Ok(Self(octets))
    }

    fn write(&self, out: &mut Vec<u8>) {
        for octet in self.0 {
            write_hex(u128::from(octet), 2, out);
        }
    }
}

/// Text of at most `MAX` characters, all of which XML can carry.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text<const MAX: usize>(Box<str>);

impl<const MAX: usize> Text<MAX> {
    /// Cuts what is too long and puts `?` for what XML cannot carry.
    ///
    /// Interpretation: the schema counts characters and its prose octets. What we say keeps to
    /// octets, what we are told may have as many characters.
    #[must_use]
    pub fn clipped(text: &str) -> Self {
        let mut held = String::new();
        for c in text.chars() {
            let c = if is_xml_char(c) { c } else { '?' };
            if held.len() + c.len_utf8() > MAX {
                break;
            }
            held.push(c);
        }
        Self(held.into())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> Simple for Text<MAX> {
    fn read(text: &str) -> Result<Self, ValueError> {
        if text.chars().count() > MAX {
            return Err(ValueError::TooLong);
        }
        if !text.chars().all(is_xml_char) {
            return Err(ValueError::Character);
        }
        Ok(Self(text.into()))
    }

    fn write(&self, out: &mut Vec<u8>) {
        write_escaped(&self.0, out);
    }
}

/// A reference to a resource, as sent: an absolute path or a whole URI.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AnyUri(String);

impl AnyUri {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for AnyUri {
    fn from(uri: String) -> Self {
        Self(uri)
    }
}

impl From<&str> for AnyUri {
    fn from(uri: &str) -> Self {
        Self(uri.to_owned())
    }
}

impl Simple for AnyUri {
    fn read(text: &str) -> Result<Self, ValueError> {
        let uri = trim(text);
        if !uri.chars().all(|c| is_xml_char(c) && !c.is_whitespace()) {
            return Err(ValueError::Character);
        }
        Ok(Self(uri.to_owned()))
    }

    fn write(&self, out: &mut Vec<u8>) {
        write_escaped(&self.0, out);
    }
}

fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

fn write_escaped(text: &str, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| escape(*byte).is_some()) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(escape(rest[at]).unwrap_or_default());
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

/// White space other than blanks goes as references, so that neither attribute nor line-end
/// normalisation changes it.
fn escape(byte: u8) -> Option<&'static [u8]> {
    match byte {
        b'&' => Some(b"&amp;"),
        b'<' => Some(b"&lt;"),
        b'>' => Some(b"&gt;"),
        b'"' => Some(b"&quot;"),
        b'\t' => Some(b"&#9;"),
        b'\n' => Some(b"&#10;"),
        b'\r' => Some(b"&#13;"),
        _ => None,
    }
}

/// Declares an enumerated code of the schema. Values that no edition names are kept as they came.
macro_rules! codes {
    ($(
        $(#[$meta:meta])*
        pub struct $Type:ident($repr:ty) {
            $( $(#[$value_meta:meta])* $NAME:ident = $value:literal, )*
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $Type(pub $repr);

        impl $Type {
            $( $(#[$value_meta])* pub const $NAME: Self = Self($value); )*
        }

        impl $crate::codec::simple::Simple for $Type {
            fn read(text: &str) -> Result<Self, $crate::codec::simple::ValueError> {
                <$repr as $crate::codec::simple::Simple>::read(text).map(Self)
            }

            fn write(&self, out: &mut Vec<u8>) {
                <$repr as $crate::codec::simple::Simple>::write(&self.0, out);
            }
        }
    )*};
}

/// Declares sets of bits with the name of each.
macro_rules! bits {
    ($(
        $(#[$meta:meta])*
        pub struct $Type:ident($repr:ty as $Hex:ident) { $( $NAME:ident = $bit:literal, )* }
    )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $Type($crate::codec::simple::$Hex);

        impl $Type {
            $( pub const $NAME: $repr = 1 << $bit; )*

            #[must_use]
            pub const fn new(bits: $repr) -> Self {
                Self($crate::codec::simple::$Hex::new(bits))
            }

            #[must_use]
            pub const fn value(self) -> $repr {
                self.0.value()
            }

            #[must_use]
            pub const fn has(self, bits: $repr) -> bool {
                self.value() & bits == bits
            }
        }

        impl $crate::codec::simple::Simple for $Type {
            fn read(text: &str) -> Result<Self, $crate::codec::simple::ValueError> {
                $crate::codec::simple::Simple::read(text).map(Self)
            }

            fn write(&self, out: &mut Vec<u8>) {
                $crate::codec::simple::Simple::write(&self.0, out);
            }
        }
    )*};
}

pub(crate) use {bits, codes};
