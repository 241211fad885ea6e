//! Settings: defaults, then the file, then the environment, then flags.

mod history;
mod places;

pub(crate) use history::HistorySettings;
pub(crate) use places::{Advertise, HostPattern, Listen, WebOrigin};

use crate::{
    channels::{self, Channel},
    cli::RunArgs,
    exit::{Code, Failure},
    logging::LogFormat,
};
use serde::{Deserialize, Serialize};
use sporenet_core::{
    kernel::text::{Name, Zone},
    membership::member::Location,
    node::recording,
};
use std::{
    env,
    fs::{self},
    io::ErrorKind,
    path::{Path, PathBuf},
    str::FromStr,
};
use tracing_subscriber::EnvFilter;

/// The port that is used when none is named.
pub(crate) const PORT: u16 = 7600;
/// The size that a configuration file must not exceed, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// The largest recording, in bytes: it is kept in memory.
const RECORD_BYTES_MAX: u64 = 1 << 30;
/// How alike two words must be for one to be suggested for the other, of 1.
const LIKENESS_MIN: f64 = 0.75;

/// A place on earth: `LAT,LON` in degrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Place(pub(crate) Location);

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not LAT,LON in degrees, such as 52.52,13.40");
        let (latitude, longitude) = text.split_once(',').ok_or_else(wrong)?;
        let latitude = millionths(latitude, 90.0).ok_or_else(wrong)?;
        let longitude = millionths(longitude, 180.0).ok_or_else(wrong)?;
        Ok(Self(Location {
            latitude,
            longitude,
        }))
    }
}

fn millionths(degrees: &str, max: f64) -> Option<i32> {
    let degrees: f64 = degrees.trim().parse().ok()?;
    (degrees.abs() <= max)
        .then(|| format!("{degrees:.6}").replace('.', ""))
        .and_then(|digits| digits.parse().ok())
}

impl TryFrom<String> for Place {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Place> for String {
    fn from(place: Place) -> Self {
        let degrees = |millionths: i32| f64::from(millionths) / 1_000_000.0;
        format!(
            "{},{}",
            degrees(place.0.latitude),
            degrees(place.0.longitude)
        )
    }
}

/// What a configuration file may say. Every key is optional; an unknown one is an error.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Option<Vec<Listen>>,
    advertise: Option<Vec<Advertise>>,
    data: Option<PathBuf>,
    name: Option<Name>,
    network_name: Option<Name>,
    require_member: Option<bool>,
    zone: Option<Zone>,
    location: Option<Place>,
    log_format: Option<LogFormat>,
    log: Option<String>,
    allowed_hosts: Option<Vec<HostPattern>>,
    allowed_origins: Option<Vec<WebOrigin>>,
    listen_tls: Option<Vec<PathBuf>>,
    tls_ca: Option<Vec<PathBuf>>,
    connections_max: Option<u32>,
    handshakes_max: Option<u32>,
    record: Option<bool>,
    record_bytes_max: Option<u64>,
    channel: Option<Vec<toml::Table>>,
    history: Option<history::File>,
}

/// Where a setting comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nobody set it.
    Default,
    /// The configuration file.
    File,
    /// A flag or an environment variable.
    Given,
}

/// A setting and where it comes from.
#[derive(Clone, Debug)]
pub(crate) struct Set<T> {
    /// What it is.
    pub(crate) value: T,
    origin: Origin,
}

impl<T> Set<T> {
    /// Whether nobody has set it.
    pub(crate) const fn is_default(&self) -> bool {
        matches!(self.origin, Origin::Default)
    }

    fn layer(given: Option<T>, file: Option<T>, default: impl FnOnce() -> T) -> Self {
        match (given, file) {
            (Some(value), _) => Self {
                value,
                origin: Origin::Given,
            },
            (None, Some(value)) => Self {
                value,
                origin: Origin::File,
            },
            (None, None) => Self {
                value: default(),
                origin: Origin::Default,
            },
        }
    }
}

/// The effective settings of a relay; docs/operations.md describes each.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Where to accept connections.
    pub(crate) listen: Set<Vec<Listen>>,
    /// Where others reach this node; derived from `listen` when empty.
    pub(crate) advertise: Set<Vec<Advertise>>,
    /// The data directory.
    pub(crate) data: Set<PathBuf>,
    /// The node's name.
    pub(crate) name: Set<Name>,
    /// The name of the network, if this node founds one.
    pub(crate) network_name: Set<Name>,
    /// Whether it ends rather than founds a network.
    pub(crate) require_member: Set<bool>,
    /// The failure domain.
    pub(crate) zone: Set<Option<Zone>>,
    /// Where it stands.
    pub(crate) location: Set<Option<Place>>,
    /// How log lines look.
    pub(crate) log_format: Set<LogFormat>,
    /// Which log lines there are.
    pub(crate) log: Set<String>,
    /// Host names that HTTP requests may address besides our own.
    pub(crate) allowed_hosts: Set<Vec<HostPattern>>,
    /// Origins of pages that may use this node besides our own.
    pub(crate) allowed_origins: Set<Vec<WebOrigin>>,
    /// The certificate chain and its key, if the port speaks TLS too.
    pub(crate) listen_tls: Set<Vec<PathBuf>>,
    /// Certificates of authorities that are trusted besides the system's.
    pub(crate) tls_ca: Set<Vec<PathBuf>>,
    /// The most open connections.
    pub(crate) connections_max: Set<u32>,
    /// The most connections that have not proved who they are.
    pub(crate) handshakes_max: Set<u32>,
    /// Whether the node records from its start.
    pub(crate) record: Set<bool>,
    /// The most bytes of a recording.
    pub(crate) record_bytes_max: Set<u64>,
    /// How people are told of incidents.
    pub(crate) channels: Set<Vec<Channel>>,
    /// What is kept of what happened.
    pub(crate) history: HistorySettings,
}

impl Settings {
    /// Puts the layers together.
    ///
    /// # Errors
    /// When the file can't be read, has an unknown key or a wrong value.
    pub(crate) fn load(args: &RunArgs) -> Result<Self, Failure> {
        let (file, path) = read_file(args.config.as_deref())?;
        let data = match (&args.data, &file.data) {
            (None, None) => default_data()?,
            (Some(_), _) | (None, Some(_)) => PathBuf::new(),
        };
        let settings = Self {
            listen: Set::layer(some(&args.listen), file.listen, || {
                vec![Listen {
                    host: "127.0.0.1".to_owned(),
                    port: PORT,
                }]
            }),
            advertise: Set::layer(
                read_all("--advertise", &args.advertise)?,
                file.advertise,
                Vec::new,
            ),
            data: Set::layer(args.data.clone(), file.data, || data),
            name: Set::layer(args.name.clone(), file.name, host_name),
            network_name: Set::layer(args.network_name.clone(), file.network_name, default_name),
            require_member: Set::layer(args.require_member, file.require_member, || false),
            zone: Set::layer(args.zone.clone().map(Some), file.zone.map(Some), || None),
            location: Set::layer(args.location.map(Some), file.location.map(Some), || None),
            log_format: Set::layer(args.log_format, file.log_format, LogFormat::default),
            log: Set::layer(args.log.clone(), file.log, || "info".to_owned()),
            allowed_hosts: Set::layer(
                read_all("--allowed-host", &args.allowed_hosts)?,
                file.allowed_hosts,
                Vec::new,
            ),
            allowed_origins: Set::layer(
                read_all("--allowed-origin", &args.allowed_origins)?,
                file.allowed_origins,
                Vec::new,
            ),
            listen_tls: Set::layer(some(&args.listen_tls), file.listen_tls, Vec::new),
            tls_ca: Set::layer(some(&args.trust.tls_ca), file.tls_ca, Vec::new),
            connections_max: Set::layer(args.connections_max, file.connections_max, || 4096),
            handshakes_max: Set::layer(args.handshakes_max, file.handshakes_max, || 256),
            record: Set::layer(args.record, file.record, || false),
            record_bytes_max: Set::layer(args.record_bytes_max, file.record_bytes_max, || {
                recording::BYTES_MAX_DEFAULT
            }),
            channels: Set::layer(None, channels::read(file.channel)?, Vec::new),
            history: HistorySettings::load(
                args,
                file.history.unwrap_or_default(),
                path.as_deref(),
            )?,
        };
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), Failure> {
        let wrong = |what: &str| Err(Failure::new(Code::Config, what));
        if self.listen.value.is_empty() {
            return wrong("`listen` is empty; name at least one address to listen on");
        }
        if self.advertise.value.len() > sporenet_core::membership::member::ADDRESSES_MAX {
            return wrong("`advertise` has more addresses than a member may announce (8)");
        }
        if self.connections_max.value == 0 || self.handshakes_max.value == 0 {
            return wrong("`connections_max` and `handshakes_max` must be at least 1");
        }
        if !matches!(self.listen_tls.value.len(), 0 | 2) {
            return wrong("`listen_tls` wants two files: the certificate chain, and its key");
        }
        if let Err(error) = EnvFilter::try_new(&self.log.value) {
            return wrong(&format!(
                "`log` can't be read: {error}; write a level such as info, or sporenet=debug"
            ));
        }
        let ring = recording::BYTES_MAX_MIN..=RECORD_BYTES_MAX;
        if !ring.contains(&self.record_bytes_max.value) {
            return wrong("`record_bytes_max` must be from 1048576 (1 MiB) to 1073741824 (1 GiB)");
        }
        Ok(())
    }

    /// The settings as a configuration file, each with where it comes from.
    pub(crate) fn print(&self) -> String {
        let mut out = String::new();
        put(&mut out, "listen", &self.listen);
        put(&mut out, "advertise", &self.advertise);
        put(&mut out, "data", &self.data);
        put(&mut out, "name", &self.name);
        put(&mut out, "network_name", &self.network_name);
        put(&mut out, "require_member", &self.require_member);
        put_option(&mut out, "zone", &self.zone);
        put_option(&mut out, "location", &self.location);
        put(&mut out, "log_format", &self.log_format);
        put(&mut out, "log", &self.log);
        put(&mut out, "allowed_hosts", &self.allowed_hosts);
        put(&mut out, "allowed_origins", &self.allowed_origins);
        put(&mut out, "listen_tls", &self.listen_tls);
        put(&mut out, "tls_ca", &self.tls_ca);
        put(&mut out, "connections_max", &self.connections_max);
        put(&mut out, "handshakes_max", &self.handshakes_max);
        put(&mut out, "record", &self.record);
        put(&mut out, "record_bytes_max", &self.record_bytes_max);
        self.history.print(&mut out);
        // Tables stand at the end of such a file.
        out.push_str(&channels::print(&self.channels.value));
        out
    }
}

fn put<T: Serialize>(out: &mut String, key: &str, set: &Set<T>) {
    let value = toml::Value::try_from(&set.value)
        .map(|value| value.to_string())
        .unwrap_or_default();
    line(out, &format!("{key} = {value}"), set.origin);
}

fn put_option<T: Serialize>(out: &mut String, key: &str, set: &Set<Option<T>>) {
    match &set.value {
        Some(_) => put(out, key, set),
        None => line(out, &format!("# {key} is not set"), set.origin),
    }
}

fn line(out: &mut String, text: &str, origin: Origin) {
    let from = match origin {
        Origin::Default => "default",
        Origin::File => "file",
        Origin::Given => "flag or environment",
    };
    out.push_str(&format!("{text:<44} # {from}\n"));
}

/// Reads what flags or the environment say; a text that is no such place is a wrong setting.
fn read_all<T: FromStr<Err = String>>(
    flag: &str,
    texts: &[String],
) -> Result<Option<Vec<T>>, Failure> {
    let read = |text: &String| {
        text.parse()
            .map_err(|what| Failure::new(Code::Config, format!("{flag}: {what}")))
    };
    let places = texts.iter().map(read).collect::<Result<Vec<T>, _>>()?;
    Ok((!places.is_empty()).then_some(places))
}

fn some<T: Clone>(given: &[T]) -> Option<Vec<T>> {
    (!given.is_empty()).then(|| given.to_vec())
}

fn default_name() -> Name {
    Name::new("sporenet").unwrap_or_else(|_| host_name())
}

/// The machine's name, or `relay` where it has none that can be shown.
fn host_name() -> Name {
    let machine = fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .or_else(|| env::var("HOSTNAME").ok());
    machine
        .and_then(|name| Name::new(name.trim()).ok())
        .or_else(|| Name::new("relay").ok())
        .unwrap_or_else(default_name)
}

/// The data directory that is used when none is named.
///
/// # Errors
/// When the environment names no home.
pub(crate) fn default_data() -> Result<PathBuf, Failure> {
    xdg("XDG_DATA_HOME", ".local/share")
        .map(|base| base.join("sporenet"))
        .ok_or_else(|| {
            Failure::new(
                Code::Config,
                "there is no home directory to keep data in; name one with --data or SPORENET_DATA",
            )
        })
}

fn xdg(variable: &str, below_home: &str) -> Option<PathBuf> {
    let absolute = |path: PathBuf| path.is_absolute().then_some(path);
    env::var_os(variable)
        .map(PathBuf::from)
        .and_then(absolute)
        .or_else(|| {
            env::var_os("HOME")
                .map(PathBuf::from)
                .and_then(absolute)
                .map(|home| home.join(below_home))
        })
}

/// What the configuration file says, and where it is.
fn read_file(named: Option<&Path>) -> Result<(File, Option<PathBuf>), Failure> {
    let default = xdg("XDG_CONFIG_HOME", ".config").map(|base| base.join("sporenet/config.toml"));
    let Some(path) = named.map(Path::to_owned).or(default) else {
        return Ok((File::default(), None));
    };
    let wrong = |what: String| Failure::new(Code::Config, what);
    if fs::metadata(&path).is_ok_and(|found| found.len() > FILE_BYTES_MAX) {
        return Err(wrong(format!(
            "{} is too large for a configuration file",
            path.display()
        )));
    }
    match fs::read_to_string(&path) {
        Ok(text) => match parse(&text) {
            Ok(file) => Ok((file, Some(path))),
            Err(what) => Err(wrong(format!("{}: {what}", path.display()))),
        },
        // The default place may lie in a home that is not ours.
        Err(error)
            if named.is_none()
                && matches!(
                    error.kind(),
                    ErrorKind::NotFound | ErrorKind::PermissionDenied
                ) =>
        {
            Ok((File::default(), None))
        }
        Err(error) => Err(wrong(format!(
            "the configuration file {} can't be read: {error}; check the path given with --config",
            path.display()
        ))),
    }
}

fn parse(text: &str) -> Result<File, String> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| {
            text.bytes()
                .take(span.start)
                .filter(|&byte| byte == b'\n')
                .count()
                + 1
        });
        format!("line {line}: {}", explain(error.message()))
    })
}

/// Turns serde's "unknown field `x`, expected one of `a`, `b`" into a sentence with a suggestion.
fn explain(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let Some(unknown) = quoted
        .next()
        .filter(|_| message.starts_with("unknown field"))
    else {
        return message.replace('\n', " ");
    };
    let likeness = |word: &str| strsim::jaro_winkler(unknown, word);
    let best = quoted.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match best.filter(|word| likeness(word) >= LIKENESS_MIN) {
        Some(word) => format!("unknown key `{unknown}`; did you mean `{word}`?"),
        None => format!(
            "unknown key `{unknown}`; remove it, or see `sporenet config print` for the known ones"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_likely_one() {
        let refused = parse("# relay\nname = \"a\"\nlisen = [\"127.0.0.1:1\"]\n").unwrap_err();
        assert_eq!(
            refused,
            "line 3: unknown key `lisen`; did you mean `listen`?"
        );
        let refused = parse("qqq = 1\n").unwrap_err();
        assert!(
            refused.starts_with("line 1: unknown key `qqq`; remove it"),
            "{refused}"
        );
    }

    #[test]
    fn a_wrong_value_is_named_with_its_line() {
        let refused = parse("\nlisten = [\"nowhere\"]\n").unwrap_err();
        assert!(
            refused.starts_with("line 2: `nowhere` is not host:port"),
            "{refused}"
        );
        assert!(parse("name = \"\"").is_err());
        assert!(parse("listen = 7").is_err());
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        assert_eq!(Set::layer(Some(1), Some(2), || 3).value, 1);
        let file = Set::layer(None, Some(2), || 3);
        assert_eq!((file.value, file.origin), (2, Origin::File));
        assert_eq!(Set::layer(None, None, || 3).origin, Origin::Default);
    }

    #[test]
    fn places_are_read_as_people_write_them() {
        assert_eq!(
            "52.52,-0.5".parse::<Place>().map(|place| place.0),
            Ok(Location {
                latitude: 52_520_000,
                longitude: -500_000
            })
        );
        assert!("91,0".parse::<Place>().is_err());
        assert!("NaN,0".parse::<Place>().is_err());
    }
}
