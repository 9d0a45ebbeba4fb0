use super::*;

fn destination(uri: &str) -> Result<Destination, DestinationError> {
    uri.parse()
}

/// What becomes of `uri` where nothing is configured.
fn verdict(uri: &str) -> Result<(), DestinationError> {
    Destinations::default().check(&destination(uri)?)
}

#[test]
fn a_uri_is_taken_apart() {
    let taken = destination("HTTPS://Aggregator.Example.:8443/ntf/1?x=%20y").unwrap();
    assert_eq!(taken.endpoint.host, Host::Name("aggregator.example".into()));
    assert_eq!(taken.endpoint.to_string(), "aggregator.example:8443");
    assert_eq!(&*taken.target, "/ntf/1?x=%20y");
    let bare = destination("http://8.8.8.8").unwrap();
    assert_eq!((bare.endpoint.port, &*bare.target), (80, "/"));
    let query = destination("https://[2606:4700::1]?q").unwrap();
    assert_eq!(query.endpoint.to_string(), "[2606:4700::1]:443");
    assert_eq!(&*query.target, "/?q");
}

#[test]
fn what_is_no_absolute_http_uri_is_refused() {
    use DestinationError::{Character, Fragment, Host, Port, Scheme, TooLong, UserInformation};
    let long = format!("https://example.org/{}", "a".repeat(MAX_URI_BYTES));
    let label = format!("https://{}.org/", "a".repeat(64));
    let name = format!("https://{}org/", "abcdefgh.".repeat(29));
    for (uri, error) in [
        (long.as_str(), TooLong),
        ("/ntf", Scheme),
        ("", Scheme),
        ("ftp://example.org/", Scheme),
        ("file:///etc/passwd", Scheme),
        ("gopher://example.org:70/_x", Scheme),
        ("https:/example.org/", Scheme),
        ("https://exa mple.org/", Character),
        ("https://example.org/\r\nHost: x", Character),
        ("https://example.org\\@evil.example/", Character),
        ("https://ex\u{E4}mple.org/", Character),
        ("https://user@example.org/", UserInformation),
        ("https://example.org:443@10.0.0.1/", UserInformation),
        ("https://example.org/#x", Fragment),
        ("https:///ntf", Host),
        ("https://.example.org/", Host),
        ("https://example..org/", Host),
        ("https://exa%6Dple.org/", Host),
        (label.as_str(), Host),
        (name.as_str(), Host),
        ("https://[::1/", Host),
        ("https://[::1]x/", Host),
        ("https://[fe80::1%25eth0]/", Host),
        ("https://example.org:/", Port),
        ("https://example.org:0/", Port),
        ("https://example.org:65536/", Port),
        ("https://example.org:80:80/", Port),
    ] {
        assert_eq!(destination(uri), Err(error), "{uri}");
    }
}

/// Resolvers read these as 127.0.0.1.
#[test]
fn other_spellings_of_an_address_are_no_host() {
    for host in [
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "127.0.0.0x1",
    ] {
        let uri = format!("https://{host}/");
        assert_eq!(destination(&uri), Err(DestinationError::Host), "{uri}");
    }
}

#[test]
fn only_public_addresses_are_posted_to() {
    for host in [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.168.1.1",
        "198.19.0.1",
        "224.0.0.251",
        "255.255.255.255",
        "[::]",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[2001:db8::1]",
        "[fc00::1]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[fec0::1]",
        "[ff02::1]",
        "[2001::1]",
        "[100::1]",
        "localhost",
        "a.LOCALHOST.",
    ] {
        let uri = format!("https://{host}/ntf");
        assert_eq!(verdict(&uri), Err(DestinationError::NotPublic), "{uri}");
    }
    for host in [
        "8.8.8.8",
        "100.128.0.1",
        "172.32.0.1",
        "192.0.1.1",
        "198.20.0.1",
        "223.255.255.255",
        "[2606:4700::1111]",
        "[2a00:1450::1]",
        "[64:ff9b::808:808]",
        "[2002:808:808::]",
        "example.org",
    ] {
        let uri = format!("https://{host}/ntf");
        assert_eq!(verdict(&uri), Ok(()), "{uri}");
    }
}

#[test]
fn an_operator_names_what_else_is_allowed() {
    assert_eq!(
        verdict("http://example.org/"),
        Err(DestinationError::Plaintext)
    );
    let allowed = Destinations {
        plaintext: Plaintext::Allowed,
        hosts: ["sink.example", "*.Aggregator.example", "10.0.0.7"]
            .map(str::to_owned)
            .to_vec(),
        networks: vec!["10.0.0.0/29".parse().unwrap()],
    };
    let check = |uri: &str| allowed.check(&destination(uri).unwrap());
    assert_eq!(check("http://sink.example/"), Ok(()));
    assert_eq!(check("https://eu.aggregator.example/"), Ok(()));
    assert_eq!(check("https://a.eu.aggregator.example/"), Ok(()));
    assert_eq!(check("https://10.0.0.7/"), Ok(()));
    for host in [
        "aggregator.example",
        "evilaggregator.example",
        "sink.example.evil",
        "10.0.0.1",
    ] {
        let uri = format!("https://{host}/");
        assert_eq!(check(&uri), Err(DestinationError::NotAllowed), "{uri}");
    }
    assert_eq!(allowed.check_address("10.0.0.7".parse().unwrap()), Ok(()));
    assert_eq!(
        allowed.check_address("::ffff:10.0.0.7".parse().unwrap()),
        Ok(())
    );
    let outside = allowed.check_address("10.0.0.8".parse().unwrap());
    assert_eq!(outside, Err(DestinationError::NotPublic));
}

#[test]
fn networks_are_ranges_of_addresses() {
    for text in [
        "10.0.0.0",
        "10.0.0.0/33",
        "::/129",
        "10.0.0/8",
        "10.0.0.0/-1",
        "/8",
        "a/8",
    ] {
        assert_eq!(text.parse::<Network>(), Err(NetworkError), "{text}");
    }
    let all: Network = "0.0.0.0/0".parse().unwrap();
    assert!(all.contains("203.0.113.9".parse().unwrap()));
    assert!(!all.contains("::1".parse().unwrap()));
    let one: Network = "::1/128".parse().unwrap();
    assert!(one.contains("::1".parse().unwrap()));
    assert!(!one.contains("::2".parse().unwrap()));
}
