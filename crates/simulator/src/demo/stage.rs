//! What every scene needs.

use units::Timestamp;

use super::DemoArgs;
use super::api::Api;
use super::error::DemoError;
use super::layout::{ADMIN, Layout};
use super::screen::Screen;
use super::server::{self, Server};

pub(super) struct Stage<'a> {
    pub(super) args: &'a DemoArgs,
    pub(super) clock: fn() -> Timestamp,
    pub(super) layout: Layout,
    pub(super) server: Server,
    pub(super) api: Api,
    pub(super) screen: Screen,
}

impl Stage<'_> {
    pub(super) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Asks over IEC 61968-5 and gives the answer as JSON.
    pub(super) async fn cim(&self, arguments: &[&str]) -> Result<serde_json::Value, DemoError> {
        let url = self.layout.url();
        let password_file = self.layout.password_file().to_string_lossy().into_owned();
        let access = [
            "cim",
            "--url",
            &url,
            "--user",
            ADMIN,
            "--password-file",
            &password_file,
            "--json",
        ];
        let all: Vec<String> = access
            .iter()
            .chain(arguments)
            .map(|argument| (*argument).to_owned())
            .collect();
        let answer = server::wattfold(&self.args.wattfold, &all).await?;
        super::api::parse("the answer of `wattfold cim`", answer.as_bytes())
    }

    pub(super) async fn restart_server(&mut self) -> Result<(), DemoError> {
        self.server = Server::start(&self.args.wattfold, &self.layout).await?;
        Ok(())
    }

    pub(super) fn announce(&mut self, password: &str) -> Result<(), DemoError> {
        let lines = [
            format!("console      {}/", self.layout.url()),
            format!("user         {ADMIN}"),
            format!("password     {password}"),
            format!("IEEE 2030.5  https://{}/dcap", self.layout.devices),
            format!(
                "all of it    {}",
                self.layout.dir.join("endpoints.json").display()
            ),
            "Ctrl-C ends the demo.".to_owned(),
        ];
        lines.iter().try_for_each(|line| self.screen.say(line))
    }
}
