//! What the node measures of itself and its machine, every second, off the core's thread.
//!
//! | what | from |
//! |---|---|
//! | processors | the control group's `cpu.max` and `cpu.stat`, if it limits them; else the whole machine |
//! | memory | the control group's `memory.max` and `memory.current`, if it limits it; else the whole machine |
//! | disk | the file system of the data directory |
//! | network | all interfaces but loopback |
//! | descriptors | `/proc/self/fd`, and the process's limit |
//! | event loop | how late a timer of the runtime is |
//! | journal | the slowest commit of the storage thread since the last look; without one, that of before |
//! | place | guessed from the time zone at the start: `TZ`, if it is set, else the system's |
//!
//! What can't be measured is not told, and never told as zero.

use crate::driver::Handle;
use nix::sys::{
    resource::{Resource, getrlimit},
    statvfs::statvfs,
};
use sporenet_core::{
    node::contract::Signal,
    observe::{vitals::Sample, zones::place_of},
};
use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use sysinfo::{MemoryRefreshKind, Networks, System};
use tokio::time::{MissedTickBehavior, interval};

/// Between two samples.
const INTERVAL: Duration = Duration::from_secs(1);
/// Where the control groups of version 2 are.
const CGROUPS: &str = "/sys/fs/cgroup";

/// The slowest of what was timed since the last look.
#[derive(Debug, Default)]
pub(crate) struct Latency {
    /// In microseconds, and one more: zero says that nothing was timed.
    slowest: AtomicU64,
}

impl Latency {
    /// Something took this long.
    pub(crate) fn note(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.slowest
            .fetch_max(micros.saturating_add(1), Ordering::Relaxed);
    }

    /// The slowest in milliseconds, rounded; forgets it.
    fn take(&self) -> Option<u64> {
        let micros = self.slowest.swap(0, Ordering::Relaxed).checked_sub(1)?;
        Some(micros.saturating_add(500) / 1_000)
    }
}

/// Samples until the core is gone.
pub(crate) async fn run(
    core: Handle,
    mut reader: Reader,
    latency: Arc<Latency>,
    queued: Arc<AtomicU64>,
) {
    let mut ticks = interval(INTERVAL);
    // After a pause one sample is enough.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut commit = None;
    loop {
        let late = ticks.tick().await.elapsed();
        let read = tokio::task::spawn_blocking(move || {
            let sample = reader.read();
            (reader, sample)
        });
        let Ok((back, read)) = read.await else {
            tracing::warn!(code = "vitals", "the machine can't be measured any more");
            return;
        };
        reader = back;
        commit = latency.take().or(commit);
        let sample = Sample {
            loop_lag_ms: u64::try_from(late.as_millis()).ok(),
            journal_latency_ms: commit,
            send_queue: Some(queued.load(Ordering::Relaxed)),
            ..read
        };
        if core.signal(Signal::Vitals(Box::new(sample))).await.is_err() {
            return;
        }
    }
}

/// Reads what the operating system tells.
#[derive(Debug)]
pub(crate) struct Reader {
    /// Not on systems that tell nothing.
    system: Option<System>,
    networks: Option<Networks>,
    group: Group,
    /// The data directory.
    data: PathBuf,
    /// When it read last, and what the control group had used of the processors by then.
    before: Option<(Instant, Option<Duration>)>,
    /// About where the machine stands, in tenths of a degree.
    place: Option<(i16, i16)>,
}

impl Reader {
    /// A reader that has read nothing yet: rates are known from the second reading on.
    pub(crate) fn new(data: &Path) -> Self {
        Self {
            system: System::new().ok(),
            networks: Networks::new().ok(),
            group: Group::own(),
            data: data.to_owned(),
            before: None,
            place: zone().and_then(|zone| place_of(&zone)),
        }
    }

    fn read(&mut self) -> Sample {
        let now = Instant::now();
        let busy = self.group.cpu_used();
        if let Some(system) = &mut self.system {
            system.refresh_cpu_usage();
            system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
        }
        if let Some(networks) = &mut self.networks {
            networks.refresh(true);
        }
        let before = self.before.replace((now, busy));
        let memory = self.group.memory().or_else(|| self.memory());
        let disk = self.disk();
        let network = before.and_then(|(at, _)| self.network(now.duration_since(at)));
        let mut sample = Sample {
            cpu_permille: before.and_then(|before| self.cpu(before, (now, busy))),
            memory_used_kib: memory.map(|(used, _)| used / 1_024),
            memory_limit_kib: memory.map(|(_, limit)| limit / 1_024),
            disk_used_kib: disk.map(|(used, _)| used / 1_024),
            disk_total_kib: disk.map(|(_, total)| total / 1_024),
            network_rx: network.map(|(received, _)| received),
            network_tx: network.map(|(_, sent)| sent),
            descriptors_used: descriptors(),
            descriptors_limit: getrlimit(Resource::RLIMIT_NOFILE)
                .ok()
                .map(|(soft, _)| soft),
            ..Sample::default()
        };
        if let Some((latitude, longitude)) = self.place {
            sample.guess_place(latitude, longitude);
        }
        sample
    }

    /// In thousandths of what may be used.
    fn cpu(
        &self,
        (before, busy_before): (Instant, Option<Duration>),
        (now, busy): (Instant, Option<Duration>),
    ) -> Option<u64> {
        let spent = busy.zip(busy_before);
        if let Some((millicores, (busy, busy_before))) = self.group.cpu_max().zip(spent) {
            let span = now.duration_since(before).as_micros();
            let spent = busy.saturating_sub(busy_before).as_micros();
            // Of `millicores` thousandths of a processor for the span, in thousandths.
            let all = span.checked_mul(u128::from(millicores))?;
            let permille = spent.checked_mul(1_000_000)?.checked_div(all)?;
            return u64::try_from(permille.min(1_000)).ok();
        }
        let system = self.system.as_ref()?;
        let percent = system.global_cpu_usage();
        (!system.cpus().is_empty() && percent.is_finite()).then(|| permille_of(percent))
    }

    fn memory(&self) -> Option<(u64, u64)> {
        let system = self.system.as_ref()?;
        let total = system.total_memory();
        (total > 0).then(|| (system.used_memory(), total))
    }

    fn disk(&self) -> Option<(u64, u64)> {
        let found = statvfs(&self.data).ok()?;
        let block = wide(found.fragment_size());
        let total = wide(found.blocks());
        let free = wide(found.blocks_free());
        let bytes = |blocks: u64| blocks.checked_mul(block);
        Some((bytes(total.saturating_sub(free))?, bytes(total)?))
    }

    /// Bytes received and sent in a second.
    fn network(&self, span: Duration) -> Option<(u64, u64)> {
        let outward = self.networks.as_ref()?.iter();
        let outward = outward.filter(|(name, _)| *name != "lo" && *name != "lo0");
        let mut outward = outward.peekable();
        // Without an interface nothing was measured.
        outward.peek()?;
        let (received, sent) = outward.fold((0_u64, 0_u64), |(received, sent), (_, one)| {
            (
                received.saturating_add(one.received()),
                sent.saturating_add(one.transmitted()),
            )
        });
        let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX).max(1);
        let a_second = |bytes: u64| bytes.saturating_mul(1_000) / millis;
        Some((a_second(received), a_second(sent)))
    }
}

/// The time zone's name in the tz database, such as `Europe/Berlin`.
fn zone() -> Option<String> {
    match env::var("TZ") {
        Ok(set) if !set.is_empty() => named(&set),
        Ok(_) | Err(_) => iana_time_zone::get_timezone().ok(),
    }
}

/// The zone that `TZ` names: alone, behind a colon, or as a file of the tz database.
///
/// Source: POSIX.1-2024, Base Definitions, 8.3, `TZ`.
fn named(set: &str) -> Option<String> {
    let zone = set.strip_prefix(':').unwrap_or(set);
    let zone = zone
        .rsplit_once("/zoneinfo/")
        .map_or(zone, |(_, zone)| zone);
    (!zone.starts_with('/')).then(|| zone.to_owned())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to what fits"
)]
fn permille_of(percent: f32) -> u64 {
    (percent * 10.0).round().clamp(0.0, 1_000.0) as u64
}

/// Systems count blocks in numbers of different sizes.
fn wide(number: impl Into<u64>) -> u64 {
    number.into()
}

/// Open descriptors of this process, without the one that is needed to look.
fn descriptors() -> Option<u64> {
    let open = fs::read_dir("/proc/self/fd").ok()?.count();
    u64::try_from(open.saturating_sub(1)).ok()
}

/// The control groups (version 2) that limit this process: the innermost with a limit of each kind.
#[derive(Debug, Default)]
struct Group {
    memory: Option<PathBuf>,
    cpu: Option<PathBuf>,
}

impl Group {
    fn own() -> Self {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let path = own.lines().find_map(|line| line.strip_prefix("0::/"));
        path.map_or_else(Self::default, |path| Self::at(Path::new(CGROUPS), path))
    }

    /// The group at a path below a root, and those around it.
    fn at(root: &Path, path: &str) -> Self {
        let inner = root.join(path);
        let around = inner.ancestors().take_while(|dir| dir.starts_with(root));
        let around: Vec<&Path> = around.collect();
        let limits = |file: &str| {
            let has_limit = |dir: &&&Path| {
                let limit = fs::read_to_string(dir.join(file));
                limit.is_ok_and(|limit| !limit.starts_with("max"))
            };
            around.iter().find(has_limit).map(|dir| dir.to_path_buf())
        };
        Self {
            memory: limits("memory.max"),
            cpu: limits("cpu.max"),
        }
    }

    /// Bytes used, without files that could be dropped, and the limit.
    fn memory(&self) -> Option<(u64, u64)> {
        let dir = self.memory.as_ref()?;
        let number = |file| fs::read_to_string(dir.join(file)).ok()?.trim().parse().ok();
        let (used, limit): (u64, u64) = (number("memory.current")?, number("memory.max")?);
        let files = entry(&dir.join("memory.stat"), "inactive_file").unwrap_or(0);
        Some((used.saturating_sub(files), limit))
    }

    /// How much it may use, in thousandths of a processor.
    fn cpu_max(&self) -> Option<u64> {
        let text = fs::read_to_string(self.cpu.as_ref()?.join("cpu.max")).ok()?;
        let (quota, period) = text.trim().split_once(' ')?;
        let (quota, period): (u64, u64) = (quota.parse().ok()?, period.parse().ok()?);
        quota.checked_mul(1_000)?.checked_div(period)
    }

    fn cpu_used(&self) -> Option<Duration> {
        let micros = entry(&self.cpu.as_ref()?.join("cpu.stat"), "usage_usec")?;
        Some(Duration::from_micros(micros))
    }
}

/// A number in a file of lines `name number`.
fn entry(file: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    let (_, number) = lines.find(|(found, _)| *found == name)?;
    number.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sporenet_tests::wait::figure;

    /// The promise: below 0.3 % of a processor at one reading a second, that is 3 ms a reading.
    #[test]
    fn a_reading_knows_the_machine_and_costs_little() {
        let data = env::temp_dir();
        let mut reader = Reader::new(&data);
        let first = reader.read();
        assert_eq!((first.cpu_permille, first.network_rx), (None, None));
        std::thread::sleep(Duration::from_millis(300));
        let rounds = 100;
        let began = Instant::now();
        let mut sample = reader.read();
        for _ in 1..rounds {
            sample = reader.read();
        }
        let each = began.elapsed() / rounds;
        let promise = Duration::from_millis(3);
        figure("a reading of the machine", each, promise);
        assert!(each < promise, "{each:?}");
        for (used, limit) in [
            (sample.memory_used_kib, sample.memory_limit_kib),
            (sample.disk_used_kib, sample.disk_total_kib),
            (sample.descriptors_used, sample.descriptors_limit),
            (sample.cpu_permille.map(|cpu| cpu + 1), Some(1_001)),
        ] {
            assert!(
                used.is_some_and(|used| used > 0) && used <= limit,
                "{sample:?}"
            );
        }
        // Where there is no network, as in some containers, it is unknown.
        assert_eq!(sample.network_rx.is_some(), sample.network_tx.is_some());
    }

    #[test]
    fn a_time_zone_is_a_place() {
        let berlin = place_of("Europe/Berlin");
        assert!(berlin.is_some());
        let place = |set| named(set).and_then(|zone| place_of(&zone));
        for set in [
            "Europe/Berlin",
            ":Europe/Berlin",
            "/usr/share/zoneinfo/Europe/Berlin",
        ] {
            assert_eq!(place(set), berlin, "{set}");
        }
        for set in ["UTC", "CET-1CEST,M3.5.0,M10.5.0/3", "/etc/localtime"] {
            assert_eq!(place(set), None, "{set}");
        }
        let mut reader = Reader::new(&env::temp_dir());
        reader.place = berlin;
        assert_eq!(reader.read().guessed_place(), berlin);
        reader.place = None;
        assert_eq!(reader.read().guessed_place(), None);
    }

    #[test]
    fn the_innermost_limit_counts() {
        let root = env::temp_dir().join(format!("sporenet-cgroup-{}", std::process::id()));
        let inner = root.join("outer/inner");
        fs::create_dir_all(&inner).unwrap();
        let write = |file: &str, text: &str| fs::write(root.join(file), text).unwrap();
        write("outer/memory.max", "4096000\n");
        write("outer/memory.current", "3000000\n");
        write("outer/memory.stat", "anon 5\ninactive_file 1000000\n");
        write("outer/inner/memory.max", "max\n");
        write("outer/cpu.max", "max 100000\n");
        write("outer/inner/cpu.max", "150000 100000\n");
        write("outer/inner/cpu.stat", "usage_usec 1234\nuser_usec 1\n");
        let group = Group::at(&root, "outer/inner");
        assert_eq!(group.memory(), Some((2_000_000, 4_096_000)));
        assert_eq!(group.cpu_max(), Some(1_500));
        assert_eq!(group.cpu_used(), Some(Duration::from_micros(1_234)));
        let group = Group::at(&root, "");
        assert_eq!((group.memory(), group.cpu_max()), (None, None));
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn what_was_not_timed_is_unknown() {
        let latency = Latency::default();
        assert_eq!(latency.take(), None);
        latency.note(Duration::from_micros(1_600));
        latency.note(Duration::ZERO);
        assert_eq!(latency.take(), Some(2));
        assert_eq!(latency.take(), None);
    }
}
