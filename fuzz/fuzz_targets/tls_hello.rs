//! Whatever a client says before TLS: the first byte says where it is cut in two. Nothing panics,
//! what was nonsense stays so, and a name that was read is not another one later.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/wattfold/src/tls/handshake.rs"]
mod handshake;

use handshake::{Hello, MAX_HELLO_BYTES, certificates, hello};

const MAX_CERTIFICATES: usize = 9;

fuzz_target!(|input: &[u8]| {
    let Some((cut, said)) = input.split_first() else {
        return;
    };
    let whole = hello(said);
    if let Hello::Whole(Some(name)) = &whole {
        assert!(name.len() <= MAX_HELLO_BYTES);
        assert!(name.bytes().all(|byte| byte.is_ascii_graphic()));
        assert_eq!(*name, name.to_ascii_lowercase());
    }
    let begun = hello(&said[..said.len() * usize::from(*cut) / 256]);
    match begun {
        Hello::Unfinished => {}
        Hello::Nonsense => assert_eq!(whole, Hello::Nonsense),
        Hello::Whole(_) => assert!(whole == begun || whole == Hello::Nonsense),
    }
    let shown = certificates(said, MAX_CERTIFICATES);
    assert!(shown.len() <= MAX_CERTIFICATES);
    assert!(shown.iter().map(Vec::len).sum::<usize>() <= said.len());
});
