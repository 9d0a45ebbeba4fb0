//! `wattfold cim`: an IEC 61968-5 client for the command line.

mod group_spec;
mod report;
mod schedule;
mod transport;

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use iec61968_5::client::{self, ResponseError, Sender};
use iec61968_5::envelope::Outcome;
use iec61968_5::message::{Asked, Operation};
use iec61968_5::wire::der_group_dispatches::DerGroupDispatches;
use iec61968_5::wire::der_groups::DerGroups;
use thiserror::Error;

use crate::clock;
use schedule::ScheduleArgs;
use transport::Transport;

pub use group_spec::SpecError;
pub use transport::TransportError;

/// Ask an IEC 61968-5 server
#[derive(Debug, Args)]
pub struct CimArgs {
    /// Scheme, host and port of the server
    #[arg(long)]
    url: String,
    /// User for HTTP basic authentication
    #[arg(long, requires = "secret")]
    user: Option<String>,
    #[command(flatten)]
    password: Password,
    /// Certificate chain of this client, PEM
    #[arg(long, requires = "key")]
    cert: Option<PathBuf>,
    /// Private key of this client, PEM
    #[arg(long, requires = "cert")]
    key: Option<PathBuf>,
    /// Certificates that the server's certificate has to lead to, PEM; needed for https
    #[arg(long)]
    ca: Option<PathBuf>,
    /// Header.Source of the messages
    #[arg(long, default_value = "wattfold-cim")]
    source: String,
    /// Print JSON instead of tables
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    command: CimCommand,
}

#[derive(Debug, Args)]
#[group(id = "secret", multiple = false)]
struct Password {
    /// Password for HTTP basic authentication
    #[arg(long)]
    password: Option<String>,
    /// File whose first line is the password
    #[arg(long)]
    password_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum CimCommand {
    /// Create groups, all in one message
    CreateGroups(GroupsArgs),
    /// Change groups: members are added, functions and descriptions replaced
    ChangeGroups(GroupsArgs),
    /// Delete groups
    #[command(alias = "delete-group")]
    DeleteGroups {
        /// Names, or mRIDs as UUIDs or with the prefix mrid:
        #[arg(required = true)]
        groups: Vec<String>,
    },
    /// Show groups and their members; all without arguments
    QueryGroups {
        /// Names, or mRIDs as UUIDs or with the prefix mrid:
        groups: Vec<String>,
    },
    /// Show what groups do and can do; all without arguments
    Statuses {
        /// Names, or mRIDs as UUIDs or with the prefix mrid:
        groups: Vec<String>,
    },
    /// Dispatch the active power of a group
    Dispatch(ScheduleArgs),
}

#[derive(Debug, Args)]
struct GroupsArgs {
    /// JSON file with a list of {"name", "mrid", "description", "functions", "members"}
    file: Option<PathBuf>,
    /// A group as NAME=der1,der2; may be repeated
    #[arg(long = "group", value_name = "NAME=DER,DER")]
    groups: Vec<String>,
    /// A function of groups that bring none of their own; may be repeated; realPowerDispatch for
    /// new groups unless given
    #[arg(long = "function")]
    functions: Vec<String>,
}

/// Why a command did not do what it should.
#[derive(Debug, Error)]
pub enum CimError {
    /// What was given makes no groups.
    #[error("the groups can't be used")]
    Groups(#[source] SpecError),
    /// What was given makes no schedule.
    #[error("the schedule can't be used: {0}")]
    Schedule(String),
    /// The server can't be asked.
    #[error("the server can't be asked")]
    Transport(#[source] TransportError),
    /// It answered with something else.
    #[error("HTTP status {status}")]
    Answer {
        /// HTTP status.
        status: u16,
        /// Why its body is no answer.
        #[source]
        source: ResponseError,
    },
    /// It refused all or some of what was asked.
    #[error("the server answered {0}")]
    Refused(&'static str),
    /// The outcome can't be shown.
    #[error("the outcome can't be written")]
    Output(#[source] io::Error),
}

/// Asks and shows the answer on `out`.
///
/// # Errors
/// [`CimError`]; also when the answer is that something was refused.
pub fn run(args: &CimArgs, out: &mut dyn Write) -> Result<(), CimError> {
    let (operation, asked) = request(&args.command)?;
    let transport = Transport::new(args).map_err(CimError::Transport)?;
    let sender = Sender {
        source: args.source.clone(),
        message_id: uuid::Builder::from_random_bytes(crate::auth::random())
            .into_uuid()
            .to_string(),
        at: clock::now(),
    };
    let post = client::request(operation, asked, &sender);
    let (status, body) = transport.post(&post).map_err(CimError::Transport)?;
    let answer =
        client::response(&body, operation).map_err(|source| CimError::Answer { status, source })?;
    let text = if args.json {
        report::json(&answer)
    } else {
        report::tables(&answer, clock::now())
    };
    out.write_all(text.as_bytes()).map_err(CimError::Output)?;
    match answer.reply.result {
        Outcome::Ok => Ok(()),
        refused => Err(CimError::Refused(refused.as_str())),
    }
}

fn request(command: &CimCommand) -> Result<(Operation, Asked), CimError> {
    let keys = |groups: &[String]| groups.iter().map(|group| group_spec::key(group)).collect();
    let groups = |args: &GroupsArgs, unless_given: &[&str]| {
        let groups = group_spec::groups(args, unless_given).map_err(CimError::Groups)?;
        Ok(Asked::Groups(DerGroups { groups }))
    };
    Ok(match command {
        CimCommand::CreateGroups(args) => (
            Operation::CreateDerGroups,
            groups(args, &["realPowerDispatch"])?,
        ),
        CimCommand::ChangeGroups(args) => (Operation::ChangeDerGroups, groups(args, &[])?),
        CimCommand::DeleteGroups { groups } => {
            let groups = groups
                .iter()
                .map(|group| group_spec::named(group))
                .collect();
            (
                Operation::DeleteDerGroups,
                Asked::Groups(DerGroups { groups }),
            )
        }
        CimCommand::QueryGroups { groups } => {
            (Operation::QueryDerGroups, client::query(keys(groups)))
        }
        CimCommand::Statuses { groups } => (
            Operation::QueryDerGroupStatuses,
            client::query(keys(groups)),
        ),
        CimCommand::Dispatch(args) => {
            let dispatch = schedule::dispatch(args, clock::now()).map_err(CimError::Schedule)?;
            let dispatches = DerGroupDispatches {
                dispatches: vec![dispatch],
            };
            (
                Operation::CreateDerGroupDispatches,
                Asked::Dispatches(dispatches),
            )
        }
    })
}

#[cfg(test)]
mod tests;
