//! `invite`, `leave`, `forget`, `config`, `completions`, `man`.

use crate::{
    cli::{
        Cli, ClientArgs, RoleArg, RunArgs,
        client::{Client, Method},
        print,
    },
    config::Settings,
    exit::{Code, Failure},
    http::invites::Links,
};
use clap::{Args, CommandFactory, Subcommand};
use qrcode::{EcLevel, QrCode, render::unicode::Dense1x2};
use serde_json::Value;
use std::time::Duration;

/// `sporenet invite`.
#[derive(Args, Debug)]
pub(crate) struct InviteArgs {
    /// How long it is honoured, such as 90s, 10m, 1h or 7d
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = time)]
    ttl: Duration,
    /// How many newcomers it lets in [default: any number]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    uses: Option<u16>,
    /// Only for that kind of node
    #[arg(long, value_enum)]
    role: Option<RoleArg>,
    /// Show the browser link as a QR code too
    #[arg(long)]
    qr: bool,
    #[command(flatten)]
    client: ClientArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// `sporenet leave`.
#[derive(Args, Debug)]
pub(crate) struct LeaveArgs {
    #[command(flatten)]
    client: ClientArgs,
}

/// `sporenet forget`.
#[derive(Args, Debug)]
pub(crate) struct ForgetArgs {
    /// The dead member: its name, or the first digits of its identity
    #[arg(value_name = "NODE")]
    member: String,
    #[command(flatten)]
    client: ClientArgs,
}

/// `sporenet config`.
#[derive(Args, Debug)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    action: ConfigAction,
}

#[derive(Debug, Subcommand)]
enum ConfigAction {
    /// Print the effective settings, each with where it comes from
    Print(Box<RunArgs>),
    /// Say whether the settings are valid
    Check(Box<RunArgs>),
}

/// `sporenet completions`.
#[derive(Args, Debug)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: clap_complete::Shell,
}

/// Reads `90s`, `10m`, `1h`, `7d` or seconds.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no time; write it like 90s, 10m, 1h or 7d");
    let (number, unit) = match text.strip_suffix(['s', 'm', 'h', 'd']) {
        Some(number) => (number, text.chars().last().unwrap_or('s')),
        None => (text, 's'),
    };
    let seconds = match unit {
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => 1,
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number
        .checked_mul(seconds)
        .map(Duration::from_secs)
        .ok_or_else(wrong)
}

pub(crate) fn invite(args: &InviteArgs) -> Result<(), Failure> {
    let wanted = serde_json::json!({
        "ttl_s": args.ttl.as_secs(),
        "uses": args.uses,
        "role": args.role.map(RoleArg::role),
    });
    let body = wanted.to_string();
    let links: Links =
        Client::find(&args.client, true)?.json(Method::Post(body.as_bytes()), "/api/v1/invites")?;
    if args.json {
        return print::json(&links);
    }
    let until = print::moment(links.expires_at_ms);
    let uses = links
        .uses
        .map_or_else(String::new, |uses| format!(", for {uses} newcomers"));
    print::say(&format!(
        "Honoured until {until}{uses}. Whoever has a link can join: pass it on with care."
    ));
    if let Some(link) = &links.relay_link {
        print::say("For relays (sporenet run --join LINK):");
        print::line(link)?;
    }
    if let Some(link) = &links.browser_link {
        print::say("For browsers:");
        print::line(link)?;
    }
    match links.browser_link.as_ref().or(links.relay_link.as_ref()) {
        Some(link) if args.qr => qr(link),
        Some(_) | None => Ok(()),
    }
}

fn qr(link: &str) -> Result<(), Failure> {
    let code = QrCode::with_error_correction_level(link, EcLevel::L).map_err(|_| {
        Failure::new(
            Code::Failed,
            "the link is too long for a QR code; use it as text",
        )
    })?;
    // Dark terminals are the rule: the light modules are drawn.
    let drawn = code
        .render::<Dense1x2>()
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark)
        .build();
    print::line(&drawn)
}

pub(crate) fn leave(args: &LeaveArgs) -> Result<(), Failure> {
    let _: Value = Client::find(&args.client, true)?.json(Method::Post(b""), "/api/v1/leave")?;
    print::say("The node says goodbye and stops.");
    Ok(())
}

pub(crate) fn forget(args: &ForgetArgs) -> Result<(), Failure> {
    let body = serde_json::json!({ "member": args.member }).to_string();
    let client = Client::find(&args.client, true)?;
    let _: Value = client.json(Method::Post(body.as_bytes()), "/api/v1/forget")?;
    print::say(
        "Forgotten: it counts as one that left, at all nodes. If it comes back, it is a member again.",
    );
    Ok(())
}

pub(crate) fn config(args: &ConfigArgs) -> Result<(), Failure> {
    match &args.action {
        ConfigAction::Print(run) => print::text(&Settings::load(run)?.print()),
        ConfigAction::Check(run) => {
            Settings::load(run)?;
            print::line("the settings are valid")
        }
    }
}

pub(crate) fn completions(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "sporenet", &mut script);
    print::bytes(&script)
}

pub(crate) fn man() -> Result<(), Failure> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command())
        .render(&mut page)
        .map_err(|error| Failure::new(Code::Io, format!("no manual page: {error}")))?;
    print::bytes(&page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_unit() {
        assert_eq!(time("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(time("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(time("7d"), Ok(Duration::from_secs(604_800)));
        assert_eq!(time("5"), Ok(Duration::from_secs(5)));
        for wrong in ["", "h", "1w", "-1s", "99999999999999999999d", "1.5h"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_qr_code_of_a_link_can_be_drawn() {
        assert!(QrCode::with_error_correction_level("spore:".repeat(60), EcLevel::L).is_ok());
    }
}
