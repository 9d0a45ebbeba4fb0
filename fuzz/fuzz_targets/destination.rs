//! Any text as the address of a subscriber, and as a network of the configuration. Nothing panics,
//! what is taken is read again as it is written, and nothing leads into a network that is not public.
#![no_main]

use std::net::IpAddr;

use ieee2030_5::server::subscription::destination::{
    Destination, Destinations, Host, MAX_URI_BYTES, Network, Plaintext, Scheme, is_public,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(network) = text.parse::<Network>() {
        let (address, _) = text.split_once('/').expect("networks have a slash");
        let address: IpAddr = address.parse().expect("networks begin with an address");
        assert!(network.contains(address));
    }
    let Ok(destination) = text.parse::<Destination>() else {
        return;
    };
    let scheme = match destination.endpoint.scheme {
        Scheme::Http => "http",
        Scheme::Https => "https",
    };
    let written = format!("{scheme}://{}{}", destination.endpoint, destination.target);
    // A port and a slash that were left out make it longer.
    if written.len() <= MAX_URI_BYTES {
        assert_eq!(written.parse(), Ok(destination.clone()));
    }
    let anywhere = Destinations {
        plaintext: Plaintext::Allowed,
        ..Destinations::default()
    };
    if let (Ok(()), Host::Address(address)) =
        (anywhere.check(&destination), &destination.endpoint.host)
    {
        assert!(is_public(*address), "{address}");
    }
});
