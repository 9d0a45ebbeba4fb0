use super::*;

fn number(bytes: usize, value: usize) -> Vec<u8> {
    value.to_be_bytes()[size_of::<usize>() - bytes..].to_vec()
}

fn vector(length_bytes: usize, content: &[u8]) -> Vec<u8> {
    [number(length_bytes, content.len()), content.to_vec()].concat()
}

fn extension(kind: usize, content: &[u8]) -> Vec<u8> {
    [number(2, kind), vector(2, content)].concat()
}

fn server_name(name: &[u8]) -> Vec<u8> {
    extension(0, &vector(2, &[vec![0], vector(2, name)].concat()))
}

fn client_hello(extensions: &[Vec<u8>]) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend(vector(1, &[1; 32]));
    body.extend(vector(2, &[0xc0, 0xae]));
    body.extend(vector(1, &[0]));
    if !extensions.is_empty() {
        body.extend(vector(2, &extensions.concat()));
    }
    [vec![1], vector(3, &body)].concat()
}

fn records(message: &[u8], cut: usize) -> Vec<u8> {
    let record = |piece: &[u8]| [vec![22, 3, 1], vector(2, piece)].concat();
    message.chunks(cut).flat_map(record).collect()
}

fn whole(name: &str) -> Hello {
    Hello::Whole(Some(name.to_owned()))
}

#[test]
fn the_name_is_found_however_records_cut_the_hello() {
    let padding = extension(21, &[0; 600]);
    let whole_hello = client_hello(&[padding, server_name(b"Derms.Example")]);
    for cut in [1, 4, 100, whole_hello.len()] {
        let bytes = records(&whole_hello, cut);
        assert_eq!(hello(&bytes), whole("derms.example"), "{cut}");
        for end in 0..bytes.len() {
            assert_eq!(hello(&bytes[..end]), Hello::Unfinished, "{cut}, {end}");
        }
        let more = [bytes, vec![23, 3, 3, 0, 1, 9]].concat();
        assert_eq!(hello(&more), Hello::Nonsense);
    }
}

#[test]
fn a_hello_may_name_nobody() {
    for extensions in [vec![], vec![extension(21, b"")]] {
        let bytes = records(&client_hello(&extensions), 5_000);
        assert_eq!(hello(&bytes), Hello::Whole(None));
    }
}

#[test]
fn what_is_no_hello_is_nonsense_at_once() {
    let long = "x".repeat(254);
    let odd_names: [&[u8]; 4] = [b"", b"a b", b"\xff\xfe", long.as_bytes()];
    for name in odd_names {
        let bytes = records(&client_hello(&[server_name(name)]), 5_000);
        assert_eq!(hello(&bytes), Hello::Nonsense, "{name:?}");
    }
    let huge = [
        vec![22, 3, 1, 0xff, 0xff, 1],
        number(3, MAX_HELLO_BYTES + 1),
    ]
    .concat();
    for bytes in [
        b"GET / HTTP/1.1\r\n".as_slice(),
        &[22, 2],
        &[22, 2, 0],
        &[21, 3, 3, 0, 2, 1, 0],
        &[22, 3, 1, 0, 1, 2],
        &huge,
    ] {
        let said = hello(bytes);
        let waits = bytes == [22, 2];
        let expected = if waits {
            Hello::Unfinished
        } else {
            Hello::Nonsense
        };
        assert_eq!(said, expected, "{bytes:?}");
    }
    // A length inside that reaches outside.
    let mut cut = client_hello(&[server_name(b"a.example")]);
    cut.truncate(cut.len() - 3);
    let length = number(3, cut.len() - 4);
    cut[1..4].copy_from_slice(&length);
    assert_eq!(hello(&records(&cut, 5_000)), Hello::Nonsense);
}

/// A hello of a real client.
#[test]
fn the_hello_of_openssl_is_understood() {
    use std::io::Read as _;
    use std::process::{Command, Stdio};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    for (name, expected) in [
        ("-servername", whole("derms.example")),
        ("-noservername", Hello::Whole(None)),
    ] {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-connect", &address, "-tls1_2", name]);
        if name == "-servername" {
            command.arg("DERMS.example");
        }
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut client = command.stderr(Stdio::null()).spawn().unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        let mut said = Vec::new();
        let mut piece = [0; 100];
        while hello(&said) == Hello::Unfinished {
            let taken = stream.read(&mut piece).unwrap();
            assert_ne!(taken, 0);
            said.extend_from_slice(&piece[..taken]);
        }
        assert_eq!(hello(&said), expected);
        drop(stream);
        client.wait().unwrap();
    }
}
