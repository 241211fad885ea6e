//! The command line (docs/cli.md). Data goes to standard output, talk to standard error.
//!
//! | file | what lives there |
//! |---|---|
//! | `client` | how a command reaches the running node |
//! | `connect` | the address of an API, and connections to it |
//! | `follow` | a stream of events that survives what befalls the connection |
//! | `print` | output: tables, colour, JSON |
//! | `view` | status, members, events, health |
//! | `vitals` | how nodes are, and the paths between them |
//! | `alerts` | alerts and incidents, and what people do about them |
//! | `settings` | what the whole mesh follows |
//! | `values` | put, get, del, list, watch |
//! | `typed` | counters, sets, maps and flags |
//! | `lines` | import, export |
//! | `savepoint` | what was there, and going back to it |
//! | `data` | what the data takes, and giving room back |
//! | `verify` | proving that other relays hold the same |
//! | `record` | starting, stopping and saving a recording; replaying one |
//! | `notify` | trying notification channels out |
//! | `doctor` | what is wrong, and what to do about it |
//! | `sim` | simulated meshes with faults |
//! | `history` | what history has: events, audit lines, series, alerts, incidents |
//! | `admin` | invite, leave, config, completions, man |

mod admin;
mod alerts;
mod client;
mod connect;
mod data;
mod doctor;
mod follow;
mod history;
mod lines;
mod metrics;
mod notify;
pub(crate) mod print;
mod record;
mod savepoint;
mod settings;
mod sim;
mod top;
mod typed;
mod values;
mod verify;
mod view;
mod vitals;

use crate::{
    config::{Listen, Place},
    exit::{Code, Failure},
    logging::LogFormat,
    run,
};
use clap::{
    Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum,
    error::{ContextKind, ContextValue},
};
use sporenet_core::kernel::{
    id::Role,
    text::{Name, Zone},
};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  sporenet                                   start a relay on 127.0.0.1:7600
  sporenet run --join @link --data ./second --listen 127.0.0.1:7601
  sporenet put notes hello 'good morning'
  sporenet get notes hello
  sporenet invite --ttl 10m --uses 1 --qr

Exit codes: 0 done; 1 no (unhealthy, not found, refused); 2 wrong command line; 3 degraded;
69 no node answers; 73 can't create; 74 input/output or full disk; 75 try later; 77 not permitted;
78 wrong setting.";

/// A command this many typing errors away from what was typed is suggested.
const TYPOS_MAX: usize = 2;

/// A relay node of the Sporenet mesh.
#[derive(Debug, Parser)]
#[command(
    name = "sporenet",
    version,
    about,
    after_help = EXAMPLES,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Sub>,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Debug, Subcommand)]
enum Sub {
    /// Run a relay (the default)
    Run(RunArgs),
    /// How the node is
    Status(view::StatusArgs),
    /// Who belongs to the mesh, worst first
    Members(view::MembersArgs),
    /// How every node is: processors, memory, disk, network
    Vitals(vitals::VitalsArgs),
    /// How good the paths between nodes are
    Rtt(vitals::RttArgs),
    /// What is wrong, and since when
    Alerts(alerts::AlertsArgs),
    /// What is wrong, alerts with one cause together, and its probable cause
    Incidents(alerts::IncidentsArgs),
    /// Say that somebody looks after an alert or incident
    Ack(alerts::ActArgs),
    /// Take an alert or incident for over
    Resolve(alerts::ActArgs),
    /// Notify nobody of some alerts for a while
    Silence(alerts::SilenceArgs),
    /// What is watched, and from which value on it is told
    Rules(settings::RulesArgs),
    /// What all nodes of the mesh follow
    Settings(settings::SettingsArgs),
    /// What happened
    Events(view::EventsArgs),
    /// Write a value
    Put(values::PutArgs),
    /// Read a value
    Get(values::GetArgs),
    /// Delete a value
    Del(values::DelArgs),
    /// List the keys of a namespace, or the namespaces
    List(values::ListArgs),
    /// Add to a counter; less than zero takes away
    Incr(typed::IncrArgs),
    /// Put elements into a set
    Sadd(typed::ElementsArgs),
    /// Take elements out of a set
    Srem(typed::ElementsArgs),
    /// Write fields of a map
    Hset(typed::FieldsArgs),
    /// Delete fields of a map
    Hdel(typed::GoneArgs),
    /// Turn a flag on or off
    Flag(typed::FlagArgs),
    /// Show changes as they come
    Watch(values::WatchArgs),
    /// Write many values, from lines of JSON
    Import(lines::ImportArgs),
    /// All values of a namespace as lines of JSON, which can be imported
    Export(lines::ExportArgs),
    /// Keep what is there, see what changed since, and go back to it
    Savepoint(savepoint::SavepointArgs),
    /// What the data takes on the node, and whose writes hold it
    Data(data::DataArgs),
    /// Prove that other relays hold the same, or list the keys that differ
    Verify(verify::VerifyArgs),
    /// Give the room of what was overwritten back now
    Compact(data::CompactArgs),
    /// The mesh as this node sees it, live in the terminal
    Top(top::TopArgs),
    /// What was measured over time: the latest values, or one series as a chart
    Metrics(metrics::MetricsArgs),
    /// What happened, who did what, and how series went, beyond the node's memory
    History(history::HistoryArgs),
    /// Make links that let newcomers in
    Invite(admin::InviteArgs),
    /// Leave the mesh for good and stop
    Leave(admin::LeaveArgs),
    /// Stop seeking a dead member that won't come back
    Forget(admin::ForgetArgs),
    /// The channels that tell people of incidents: list them, try one out
    Notify(notify::NotifyArgs),
    /// Container health check: 0 healthy, 1 not, prints why
    Health(view::HealthArgs),
    /// What is wrong with machine, settings and node, each with the next step
    Doctor(Box<doctor::DoctorArgs>),
    /// Record what the node gets, and save it to a file
    Record(record::RecordArgs),
    /// Go through a recording, and say whether all comes out as recorded
    Replay(record::ReplayArgs),
    /// Simulate meshes with faults, in virtual time
    Sim(sim::SimArgs),
    /// Show or check the settings
    Config(admin::ConfigArgs),
    /// Print a completion script for a shell
    Completions(admin::CompletionsArgs),
    /// Print the manual page
    Man,
}

/// Settings of a relay. A flag wins over its environment variable, that over the file, that over the
/// default.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct RunArgs {
    /// Accept connections on HOST:PORT; may be repeated [default: 127.0.0.1:7600]
    #[arg(
        long,
        value_name = "ADDR",
        env = "SPORENET_LISTEN",
        value_delimiter = ','
    )]
    pub(crate) listen: Vec<Listen>,
    /// Tell others to reach this node there; may be repeated [default: from --listen]
    #[arg(
        long,
        value_name = "ADDR",
        env = "SPORENET_ADVERTISE",
        value_delimiter = ','
    )]
    pub(crate) advertise: Vec<String>,
    /// Keep everything in this directory [default: ~/.local/share/sporenet]
    #[arg(long, value_name = "DIR", env = "SPORENET_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// Join a mesh: a link, @FILE with a link, or - for standard input; ignored by a member
    #[arg(long, value_name = "LINK")]
    pub(crate) join: Vec<String>,
    /// The node's name [default: the machine's]
    #[arg(long, value_name = "NAME", env = "SPORENET_NAME", value_parser = name)]
    pub(crate) name: Option<Name>,
    /// The network's name, if this node founds one
    #[arg(long, value_name = "NAME", env = "SPORENET_NETWORK_NAME", value_parser = name)]
    pub(crate) network_name: Option<Name>,
    /// Never found a network: end with 78 unless the node is a member or has a --join link
    #[arg(
        long,
        env = "SPORENET_REQUIRE_MEMBER",
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    pub(crate) require_member: Option<bool>,
    /// The failure domain, such as a building or region
    #[arg(long, value_name = "ZONE", env = "SPORENET_ZONE", value_parser = zone)]
    pub(crate) zone: Option<Zone>,
    /// Where the node stands, for display, in degrees
    #[arg(
        long,
        value_name = "LAT,LON",
        env = "SPORENET_LOCATION",
        allow_hyphen_values = true
    )]
    pub(crate) location: Option<Place>,
    /// Read settings from this file [default: ~/.config/sporenet/config.toml, if it is there]
    #[arg(long, value_name = "FILE", env = "SPORENET_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// How log lines look [default: auto]
    #[arg(long, value_name = "FORMAT", env = "SPORENET_LOG_FORMAT", value_enum)]
    pub(crate) log_format: Option<LogFormat>,
    /// Which log lines there are, such as info or sporenet=debug [default: info]
    #[arg(long, value_name = "FILTER", env = "SPORENET_LOG")]
    pub(crate) log: Option<String>,
    /// Answer HTTP requests to this host name too; may be repeated
    #[arg(
        long = "allowed-host",
        value_name = "HOST",
        env = "SPORENET_ALLOWED_HOSTS",
        value_delimiter = ','
    )]
    pub(crate) allowed_hosts: Vec<String>,
    /// Let pages of this origin use the node; may be repeated
    #[arg(
        long = "allowed-origin",
        value_name = "ORIGIN",
        env = "SPORENET_ALLOWED_ORIGINS",
        value_delimiter = ','
    )]
    pub(crate) allowed_origins: Vec<String>,
    /// Speak TLS on the port too, with this certificate chain and key (PEM)
    #[arg(
        long,
        num_args = 2,
        value_names = ["CERT", "KEY"],
        env = "SPORENET_LISTEN_TLS",
        value_delimiter = ','
    )]
    pub(crate) listen_tls: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
    /// The most open connections [default: 4096]
    #[arg(long, value_name = "N", env = "SPORENET_CONNECTIONS_MAX")]
    pub(crate) connections_max: Option<u32>,
    /// The most connections that have not proved who they are [default: 256]
    #[arg(long, value_name = "N", env = "SPORENET_HANDSHAKES_MAX")]
    pub(crate) handshakes_max: Option<u32>,
    /// Record what the node gets from its start, data included (docs/recording.md)
    #[arg(
        long,
        env = "SPORENET_RECORD",
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    pub(crate) record: Option<bool>,
    /// The most bytes that a recording may take in memory [default: 67108864]
    #[arg(long, value_name = "BYTES", env = "SPORENET_RECORD_BYTES_MAX")]
    pub(crate) record_bytes_max: Option<u64>,
    /// Copy history to this PostgreSQL database, postgres://USER@HOST/DATABASE; or off: keep none
    #[arg(
        long,
        value_name = "TARGET",
        env = "SPORENET_HISTORY",
        hide_env_values = true
    )]
    pub(crate) history: Option<String>,
    /// Copy history to the database whose address, with its password, is in this file
    #[arg(long, value_name = "FILE", env = "SPORENET_HISTORY_FILE")]
    pub(crate) history_file: Option<PathBuf>,
}

/// Whom TLS connections trust, besides the system's authorities.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct TrustArgs {
    /// Trust the certificates of this authority too (PEM); may be repeated
    #[arg(
        long,
        value_name = "FILE",
        env = "SPORENET_TLS_CA",
        value_delimiter = ','
    )]
    pub(crate) tls_ca: Vec<PathBuf>,
}

/// How a command finds the node.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ClientArgs {
    /// The node's data directory [default: ~/.local/share/sporenet]
    #[arg(long, value_name = "DIR", env = "SPORENET_DATA", global = true)]
    pub(crate) data: Option<PathBuf>,
    /// The node's API, such as http://127.0.0.1:7600, in place of a data directory
    #[arg(long, value_name = "URL", env = "SPORENET_API", global = true)]
    pub(crate) api: Option<String>,
    /// The file with the API token [default: api.token in the data directory]
    #[arg(long, value_name = "FILE", env = "SPORENET_TOKEN_FILE", global = true)]
    pub(crate) token_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
}

/// When a write is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ack {
    /// When it is durable on this node.
    #[default]
    Local,
    /// When it is durable on one other relay too.
    Relay,
}

/// A kind of node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RoleArg {
    /// A native node.
    Relay,
    /// A browser tab.
    Tab,
}

impl RoleArg {
    const fn role(self) -> Role {
        match self {
            Self::Relay => Role::Relay,
            Self::Tab => Role::Tab,
        }
    }
}

fn name(text: &str) -> Result<Name, String> {
    text.parse()
        .map_err(|error| format!("the name can't be used: {error}"))
}

fn zone(text: &str) -> Result<Zone, String> {
    text.parse()
        .map_err(|error| format!("the zone can't be used: {error}"))
}

/// Adds the command that was likely meant; clap itself misses swapped letters.
fn suggest(mut error: clap::Error) -> clap::Error {
    let Some(ContextValue::String(wrong)) = error.get(ContextKind::InvalidSubcommand).cloned()
    else {
        return error;
    };
    let command = Cli::command();
    let distance = |name: &str| strsim::damerau_levenshtein(&wrong, name);
    let names = command.get_subcommands().map(clap::Command::get_name);
    let near = names
        .min_by_key(|name| distance(name))
        .filter(|name| distance(name) <= TYPOS_MAX);
    if let Some(name) = near {
        let meant = ContextValue::Strings(vec![name.to_owned()]);
        error.insert(ContextKind::SuggestedSubcommand, meant);
    }
    error
}

/// The command line, with variables that are set but empty taken as not set.
fn command() -> clap::Command {
    fn without_empty(command: clap::Command) -> clap::Command {
        let is_empty = |name: &std::ffi::OsStr| {
            std::env::var_os(name).is_some_and(|value| value.to_string_lossy().trim().is_empty())
        };
        command
            .mut_args(|arg| match arg.get_env() {
                Some(name) if is_empty(name) => arg.env(None::<&'static str>),
                Some(_) | None => arg,
            })
            .mut_subcommands(without_empty)
    }
    without_empty(Cli::command())
}

fn parse() -> Result<Cli, clap::Error> {
    let mut command = command();
    let matches = command.try_get_matches_from_mut(std::env::args_os())?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// Prints what clap has to say: help and version on standard output, what is wrong on standard error.
fn explain(error: &clap::Error) -> Result<(), Failure> {
    let printed = error.print();
    if error.use_stderr() {
        return Err(Failure::silent(Code::Usage));
    }
    printed.map_err(|error| print::failed(&error))
}

/// Runs the program.
///
/// # Errors
/// Why it stops before its work is done, or what its answer was.
pub(crate) fn main() -> Result<(), Failure> {
    let cli = match parse() {
        Ok(cli) => cli,
        Err(error) => return explain(&suggest(error)),
    };
    match cli.command {
        None => run::run(&cli.run),
        Some(Sub::Run(args)) => run::run(&args),
        Some(Sub::Status(args)) => view::status(&args),
        Some(Sub::Members(args)) => view::members(&args),
        Some(Sub::Vitals(args)) => vitals::vitals(&args),
        Some(Sub::Rtt(args)) => vitals::rtt(&args),
        Some(Sub::Alerts(args)) => alerts::alerts(&args),
        Some(Sub::Incidents(args)) => alerts::incidents(&args),
        Some(Sub::Ack(args)) => alerts::acknowledge(&args),
        Some(Sub::Resolve(args)) => alerts::resolve(&args),
        Some(Sub::Silence(args)) => alerts::silence(&args),
        Some(Sub::Rules(args)) => settings::rules(&args),
        Some(Sub::Settings(args)) => settings::settings(&args),
        Some(Sub::Events(args)) => view::events(&args),
        Some(Sub::Put(args)) => values::put(&args),
        Some(Sub::Get(args)) => values::get(&args),
        Some(Sub::Del(args)) => values::del(&args),
        Some(Sub::List(args)) => values::list(&args),
        Some(Sub::Incr(args)) => typed::incr(&args),
        Some(Sub::Sadd(args)) => typed::sadd(&args),
        Some(Sub::Srem(args)) => typed::srem(&args),
        Some(Sub::Hset(args)) => typed::hset(&args),
        Some(Sub::Hdel(args)) => typed::hdel(&args),
        Some(Sub::Flag(args)) => typed::flag(&args),
        Some(Sub::Watch(args)) => values::watch(&args),
        Some(Sub::Import(args)) => lines::import(&args),
        Some(Sub::Export(args)) => lines::export(&args),
        Some(Sub::Savepoint(args)) => savepoint::savepoint(&args),
        Some(Sub::Invite(args)) => admin::invite(&args),
        Some(Sub::Data(args)) => data::data(&args),
        Some(Sub::Verify(args)) => verify::verify(&args),
        Some(Sub::Compact(args)) => data::compact(&args),
        Some(Sub::Top(args)) => top::top(&args),
        Some(Sub::Metrics(args)) => metrics::metrics(&args),
        Some(Sub::History(args)) => history::history(&args),
        Some(Sub::Leave(args)) => admin::leave(&args),
        Some(Sub::Forget(args)) => admin::forget(&args),
        Some(Sub::Notify(args)) => notify::notify(&args),
        Some(Sub::Health(args)) => view::health(&args),
        Some(Sub::Doctor(args)) => doctor::doctor(&args),
        Some(Sub::Record(args)) => record::record(&args),
        Some(Sub::Replay(args)) => record::replay(&args),
        Some(Sub::Sim(args)) => sim::sim(&args),
        Some(Sub::Config(args)) => admin::config(&args),
        Some(Sub::Completions(args)) => admin::completions(&args),
        Some(Sub::Man) => admin::man(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_command_means_run() {
        let cli = Cli::try_parse_from(["sporenet", "--listen", "127.0.0.1:1"]).unwrap();
        assert!(cli.command.is_none());
        assert_eq!(cli.run.listen.len(), 1);
        let cli = Cli::try_parse_from(["sporenet", "run", "--location", "-1.5,-2"]).unwrap();
        assert!(matches!(cli.command, Some(Sub::Run(args)) if args.location.is_some()));
    }

    #[test]
    fn a_mistyped_command_is_suggested() {
        let error = suggest(Cli::try_parse_from(["sporenet", "rnu"]).unwrap_err());
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("'run'"), "{error}");
    }

    #[test]
    fn a_counter_takes_numbers_below_zero() {
        for line in [
            &["sporenet", "incr", "ns", "key", "-3"][..],
            &["sporenet", "incr", "ns", "key", "--", "-3"],
            &["sporenet", "incr", "--", "ns", "key", "-3"],
        ] {
            let cli = Cli::try_parse_from(line).unwrap();
            assert!(
                matches!(cli.command, Some(Sub::Incr(args)) if args.by == -3),
                "{line:?}"
            );
        }
    }

    #[test]
    fn what_makes_no_sense_is_a_usage_error() {
        for line in [
            ["sporenet", "run", "--listen=nowhere"],
            ["sporenet", "put", "ns"],
            ["sporenet", "fly", "away"],
            ["sporenet", "run", "--name="],
            ["sporenet", "incr", "ns"],
        ] {
            assert_eq!(
                Cli::try_parse_from(line).unwrap_err().exit_code(),
                2,
                "{line:?}"
            );
        }
    }
}
