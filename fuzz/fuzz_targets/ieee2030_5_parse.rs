//! Any bytes as each document of IEEE 2030.5. Nothing panics, and what is read is the same after it
//! has been written and read again, in whatever profile it was asked for.
#![no_main]

use ieee2030_5::codec::MAX_BODY_BYTES;
use ieee2030_5::codec::table::Profile;
use ieee2030_5::wire::registry::{kind_of, write};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let Ok(Some(kind)) = kind_of(body) else {
        return;
    };
    for profile in [Profile::default(), Profile::EVERYTHING] {
        let Ok(value) = kind.read(body, profile) else {
            continue;
        };
        let kept = write(&*value, Profile::EVERYTHING);
        if kept.len() > MAX_BODY_BYTES {
            // Characters that are written as references take more room than they came in.
            continue;
        }
        let again = kind.read(&kept, profile).expect("what we write is read");
        assert!(again.equals(&*value), "{value:?}");
        let told = write(&*value, Profile::default());
        assert!(kind.read(&told, Profile::default()).is_ok(), "{value:?}");
    }
});
