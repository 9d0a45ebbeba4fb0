//! Where a resource stands in its list.

use crate::codec::simple::{
    HexBinary16, HexBinary64, HexBinary128, Text, TimeType, UInt40, UInt48,
};
use crate::wire::time::DateTimeInterval;

/// Keys of one resource, most significant first. Two of one kind compare as the resources stand in
/// their list; equal ones stand in the order of their addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SortKey(Vec<u8>);

impl SortKey {
    /// Then by `key`, the smallest first.
    pub(super) fn ascending(mut self, key: impl Key) -> Self {
        key.append(&mut self.0);
        self
    }

    /// Then by `key`, the largest first.
    pub(super) fn descending(mut self, key: impl Key) -> Self {
        let from = self.0.len();
        key.append(&mut self.0);
        for byte in &mut self.0[from..] {
            *byte = !*byte;
        }
        self
    }
}

/// A value whose bytes compare as the values do. No encoding is the beginning of another one, so
/// that what follows does not matter where two values differ.
pub(super) trait Key {
    fn append(&self, out: &mut Vec<u8>);
}

macro_rules! numbers {
    ($($Type:ty: |$value:ident| $bits:expr;)*) => {$(
        impl Key for $Type {
            fn append(&self, out: &mut Vec<u8>) {
                let $value = self;
                let bits: u128 = $bits;
                out.extend_from_slice(&bits.to_be_bytes());
            }
        }
    )*};
}

numbers! {
    u8: |value| u128::from(*value);
    u16: |value| u128::from(*value);
    u32: |value| u128::from(*value);
    UInt40: |value| u128::from(value.0);
    UInt48: |value| u128::from(value.0);
    HexBinary16: |value| u128::from(value.value());
    HexBinary64: |value| u128::from(value.value());
    HexBinary128: |value| value.value();
    TimeType: |value| i128::from(value.0).wrapping_sub(i128::MIN).cast_unsigned();
}

impl<const MAX: usize> Key for Text<MAX> {
    fn append(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_str().as_bytes());
        // No text holds this character, and none is smaller.
        out.push(0);
    }
}

/// An interval stands by its start.
impl Key for DateTimeInterval {
    fn append(&self, out: &mut Vec<u8>) {
        self.start.append(out);
    }
}

/// What is absent comes before all that is there.
impl<K: Key> Key for Option<K> {
    fn append(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.is_some()));
        if let Some(key) = self {
            key.append(out);
        }
    }
}

impl<K: Key> Key for &K {
    fn append(&self, out: &mut Vec<u8>) {
        (**self).append(out);
    }
}
