//! A connection that is made again when it was lost.

use ::postgres::Client;

use super::address::Address;

/// How long one short question may take.
const PATIENCE: &str = "SET statement_timeout = '4s'; SET lock_timeout = '2s'";

pub(super) struct Link {
    address: Address,
    name: &'static str,
    /// What each connection begins with.
    set_up: &'static str,
    client: Option<Client>,
}

impl Link {
    /// For short questions.
    pub(super) const fn patient(address: Address, name: &'static str) -> Self {
        Self::new(address, name, PATIENCE)
    }

    pub(super) const fn new(address: Address, name: &'static str, set_up: &'static str) -> Self {
        Self {
            address,
            name,
            set_up,
            client: None,
        }
    }

    pub(super) fn client(&mut self) -> Result<&mut Client, ::postgres::Error> {
        let known = self.client.take().filter(|client| !client.is_closed());
        let client = match known {
            Some(client) => client,
            None => {
                let mut client = self.address.connect(self.name)?;
                client.batch_execute(self.set_up)?;
                client
            }
        };
        Ok(self.client.insert(client))
    }
}

/// To close a connection blocks, which the thread that lets go of it last may not be allowed to.
impl Drop for Link {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            std::thread::spawn(move || drop(client));
        }
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("address", &self.address)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
