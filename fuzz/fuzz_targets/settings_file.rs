//! Whatever a settings file holds, it is read or refused; what was read is written and read again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use settings_file::{FileKind, read, write};

fuzz_target!(|bytes: &[u8]| {
    let Ok(file) = read(bytes) else {
        return;
    };
    let (category, comment) = (file.category(), file.comment.as_ref());
    let written = write(FileKind::Applied, category, &file.values, comment);
    let again = read(&written).expect("what is written can be read");
    assert_eq!(again.values, file.values);
    assert_eq!(again.comment, file.comment);
    assert_eq!(again.category(), category);
});
