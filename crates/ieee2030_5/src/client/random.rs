//! Random choices as a function of a device's seed, so that a device chooses the same each time.

/// A whole number from zero to `range`, both included; `range` may be negative.
pub(super) fn within(seed: u64, mrid: u128, range: i16) -> i64 {
    let range = i64::from(range);
    let [high, low] = [mrid >> 64, mrid & u128::from(u64::MAX)];
    let high = u64::try_from(high).expect("the upper half of 128 bits");
    let low = u64::try_from(low).expect("the lower half of 128 bits");
    let drawn = mixed(mixed(seed ^ high) ^ low);
    let choices = range.unsigned_abs() + 1;
    let chosen = i64::try_from(drawn % choices).expect("at most the range");
    chosen * range.signum()
}

/// The output function of `SplitMix64`: every bit of the result depends on every bit of the input.
pub(super) fn mixed(input: u64) -> u64 {
    let mut z = input.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn draws_stay_in_range_and_reach_both_ends() {
        for range in [0_i16, 1, 5, -5] {
            let draws: Vec<i64> = (0..500_u128)
                .map(|mrid| within(7, mrid << 64, range))
                .collect();
            let (low, high) = (range.min(0), range.max(0));
            assert_eq!(draws.iter().min(), Some(&i64::from(low)));
            assert_eq!(draws.iter().max(), Some(&i64::from(high)));
        }
        assert_eq!(within(1, 9, 0), 0);
        assert_eq!(within(1, 9, 3600), within(1, 9, 3600));
    }
}
