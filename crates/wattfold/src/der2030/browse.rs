//! Which servers there are on the local network.

use std::io::Write;
use std::time::Duration;

use super::config::lfdi;
use super::{Der2030Error, SoughtArgs};
use crate::discovery::{self, Found};

/// Shows the servers that answer.
pub(super) async fn browse(sought: &SoughtArgs, out: &mut dyn Write) -> Result<(), Der2030Error> {
    let within = Duration::from_secs(sought.seconds);
    let found = match (&sought.function_set, &sought.lfdi) {
        (Some(subtype), _) => discovery::browse_for(subtype, within).await,
        (None, Some(id)) => {
            let device = lfdi(id).map_err(Der2030Error::Config)?;
            discovery::browse_for_device(device.sfdi(), within).await
        }
        (None, None) => discovery::browse(within).await,
    };
    let found = found.map_err(Der2030Error::Discovery)?;
    if found.is_empty() {
        writeln!(out, "no server answered within {} s", sought.seconds)?;
    }
    for server in &found {
        show(server, out)?;
    }
    Ok(())
}

fn show(server: &Found, out: &mut dyn Write) -> Result<(), Der2030Error> {
    let url = server.url();
    let url = url
        .as_deref()
        .unwrap_or("announces no DeviceCapability over TLS");
    let level = server.level.as_deref().unwrap_or("unknown");
    writeln!(out, "{}  {url}", server.name)?;
    let addresses: Vec<String> = server.addresses.iter().map(ToString::to_string).collect();
    let (host, addresses) = (&server.host, addresses.join(" "));
    writeln!(out, "  level {level}, host {host}, {addresses}")?;
    if let Some(path) = &server.path {
        writeln!(out, "  the function set is at {path}")?;
    }
    Ok(())
}
