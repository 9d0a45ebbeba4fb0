//! The demonstration: a utility dispatches a group of DER, and their devices deliver it.
//!
//! It makes a PKI, starts a server, enrols sixty DER, dispatches them over IEC 61968-5 and judges
//! the outcome at the feeder head, where a meter counts what plants really do. On the way one
//! device does not move, one owner opts out, one device is cut off and the server is killed.

mod api;
mod error;
mod fleet;
mod judge;
mod layout;
mod roster;
mod screen;
mod server;
mod stage;
mod story;

use std::path::PathBuf;
use std::time::Duration;

use units::Timestamp;

pub use error::DemoError;
use fleet::Fleet;
use layout::Layout;
use roster::Roster;
use screen::Screen;
use server::Server;
use stage::Stage;

/// Between two dispatches when the demo is left running.
const PAUSE: Duration = Duration::from_secs(45);

/// What the demo is told.
#[derive(Clone, Debug, clap::Args)]
pub struct DemoArgs {
    /// The wattfold program
    #[arg(long)]
    pub wattfold: PathBuf,
    /// Where PKI, configuration, data and logs go; what a demo left there before is removed
    #[arg(long, default_value = "target/demo")]
    pub dir: PathBuf,
    /// Tell the story once, without anyone watching, and judge it
    #[arg(long)]
    pub headless: bool,
    /// Decides clouds, states of charge and who fails
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// Runs the demo. True if the dispatch was delivered as it should have been.
///
/// # Errors
/// [`DemoError`] when the story cannot be told to its end.
pub async fn run(args: &DemoArgs, clock: fn() -> Timestamp) -> Result<bool, DemoError> {
    let mut screen = Screen::new();
    let layout = Layout::prepare(&args.dir)?;
    let roster = Roster::new(args.seed);
    screen.say("making a PKI with a certificate for each of 60 DER")?;
    server::make_pki(&args.wattfold, &layout, &roster).await?;
    layout.write_config()?;
    screen.say("starting the server")?;
    let server = Server::start(&args.wattfold, &layout).await?;
    let password = layout.password()?;
    layout.write_endpoints(&password)?;
    let api = api::Api::new(layout.enterprise, &password);
    let mut stage = Stage {
        args,
        clock,
        layout,
        server,
        api,
        screen,
    };
    let pins = story::enrol(&mut stage, &roster).await?;
    let mut fleet = Fleet::start(&stage, &roster, &pins)?;
    story::wait_until_in_service(&mut stage, &fleet).await?;
    story::group(&mut stage, &roster).await?;
    if args.headless {
        let verdict = story::tell(&mut stage, &roster, &mut fleet, "demo").await?;
        stage.server.stop().await;
        return Ok(verdict);
    }
    stage.announce(&password)?;
    let mut count = 0_u32;
    loop {
        count += 1;
        let name = format!("demo {count}");
        let told = story::tell(&mut stage, &roster, &mut fleet, &name).await;
        match told {
            // By night, or with full batteries, a target can be out of reach.
            Err(refused @ DemoError::Command { .. }) => stage.screen.say(&refused.to_string())?,
            told => drop(told?),
        }
        fleet.repair();
        tokio::time::sleep(PAUSE).await;
    }
}
