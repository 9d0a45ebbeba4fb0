//! Tells texts apart by a number.

/// Hash of a text, to know it again. It goes into the store, so the function may not change with
/// the compiler. It is no defence: who can choose a text gains nothing by two alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub u64);

impl Fingerprint {
    pub(super) const EMPTY: Self = Self(0);

    /// Of all so far and this piece. Where one piece ends and the next begins counts.
    pub(super) fn with(self, piece: &[u8]) -> Self {
        const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
        let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        let mut state = (self.0 ^ length.wrapping_add(1)).wrapping_mul(FACTOR);
        let (words, rest) = piece.as_chunks::<8>();
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        for word in words.iter().chain([&last]) {
            state = (state ^ u64::from_le_bytes(*word)).wrapping_mul(FACTOR);
            state ^= state >> 29;
        }
        Self(state)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Stores hold them, so they stay as they are.
    #[test]
    fn fingerprints_are_the_same_for_ever() {
        assert_eq!(Fingerprint::EMPTY.with(b"").0, 0xDF44_2D24_3469_30AF);
        assert_eq!(Fingerprint::EMPTY.with(b"a").0, 0x23AF_0B2E_1852_EB5F);
        assert_eq!(
            Fingerprint::EMPTY.with(b"DERControl").0,
            0xCED8_1E8C_FEA8_719A
        );
        let both = Fingerprint::EMPTY.with(b"DERControl").with(b"List");
        assert_eq!(both.0, 0xF85B_9BFB_B44C_4B30);
    }

    #[test]
    fn texts_that_differ_in_a_bit_have_different_fingerprints() {
        let text = *b"<duration>600</duration>";
        let mut seen = BTreeSet::from([Fingerprint::EMPTY.with(&text).0]);
        for bit in 0..8 * text.len() {
            let mut other = text;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(seen.insert(Fingerprint::EMPTY.with(&other).0), "{bit}");
        }
        for length in 0..text.len() {
            let short = Fingerprint::EMPTY.with(&text[..length]);
            assert!(seen.insert(short.0), "{length}");
        }
    }
}
