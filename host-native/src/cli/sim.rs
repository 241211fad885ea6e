//! `sporenet sim`: the mesh in a box.

use crate::{
    cli::print,
    exit::{Code, Failure},
};
use clap::{Args, ValueEnum};
#[cfg(feature = "planted-bugs")]
use sporenet_core::kernel::planted::{self, Planted};
use sporenet_core::{
    node::contract::HostOutput,
    sim::{
        plan::{Mode, Plan, Wish},
        run, scenario, shrink,
        swarm::Summary,
        world::{Observation, What},
    },
};
use std::{
    fs,
    panic::{self, AssertUnwindSafe},
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// The most runs that are spent on finding the faults that matter.
const SHRINK_RUNS_MAX: u32 = 200;

/// Simulate meshes with faults, in virtual time (docs/testing.md)
#[derive(Args, Clone, Debug)]
pub(crate) struct SimArgs {
    /// Run this seed; with --swarm the first one
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Simulate this many nodes [default: the seed draws 5 to 40]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    nodes: Option<u16>,
    /// Run a scenario from a file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seed", "nodes", "swarm", "minutes", "profile"])]
    scenario: Option<PathBuf>,
    /// Run this many seeds
    #[arg(long, value_name = "COUNT")]
    swarm: Option<u64>,
    /// Run seeds for this many minutes
    #[arg(long, value_name = "M", conflicts_with = "swarm")]
    minutes: Option<u64>,
    /// What goes wrong and what must hold [default: the seed draws it]
    #[arg(long, value_name = "NAME", value_enum)]
    profile: Option<Profile>,
    /// Run so many simulations at once [default: one a core]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Fail always: proves that a failure is noticed
    #[arg(long)]
    canary: bool,
    /// Plant this bug: the simulator should find it
    #[cfg(feature = "planted-bugs")]
    #[arg(long, value_name = "NAME", value_parser = bug)]
    plant: Option<Planted>,
    /// List the bugs that can be planted
    #[cfg(feature = "planted-bugs")]
    #[arg(long)]
    plants: bool,
    /// Write each failing run, reduced to the faults that matter, to this directory
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Print the schedule of one run and what happens in it, as it happens
    #[arg(long, conflicts_with_all = ["swarm", "minutes", "json", "save"])]
    print: bool,
}

/// See [`Mode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Profile {
    /// Faults from which all must recover: nothing lost, all agree
    Bounded,
    /// The same with disks that are never damaged and never lie
    SoundDisks,
    /// Anything: nothing may panic, leak or contradict itself
    Unbounded,
}

impl Profile {
    const fn mode(self) -> Mode {
        match self {
            Self::Bounded | Self::SoundDisks => Mode::Bounded,
            Self::Unbounded => Mode::Unbounded,
        }
    }
}

/// Which plans to run.
struct Work {
    plan: Option<Plan>,
    wish: Wish,
    next: AtomicU64,
    last: u64,
    until: Option<Instant>,
}

impl Work {
    fn take(&self) -> Option<Plan> {
        let seed = self.next.fetch_add(1, Ordering::Relaxed);
        let in_time = self.until.is_none_or(|until| Instant::now() < until);
        if seed > self.last || !in_time {
            return None;
        }
        Some(
            self.plan
                .clone()
                .unwrap_or_else(|| Plan::draw(seed, self.wish)),
        )
    }
}

/// The bug that a command line names.
#[cfg(feature = "planted-bugs")]
fn bug(name: &str) -> Result<Planted, String> {
    Planted::from_name(name).ok_or_else(|| "there is no such bug; --plants lists them".into())
}

/// Plants a bug, or lists them; answers whether that was all.
#[cfg(feature = "planted-bugs")]
fn plant(args: &SimArgs) -> Result<bool, Failure> {
    planted::plant(args.plant);
    if args.plants {
        let bugs = Planted::ALL.iter();
        let lines = bugs.map(|bug| format!("{:<28} {}\n", bug.name(), bug.class()));
        print::text(&lines.collect::<String>())?;
    }
    Ok(args.plants)
}

pub(crate) fn sim(args: &SimArgs) -> Result<(), Failure> {
    #[cfg(feature = "planted-bugs")]
    if plant(args)? {
        return Ok(());
    }
    let plan = args.scenario.as_ref().map(read).transpose()?;
    let count = if args.minutes.is_some() {
        u64::MAX
    } else {
        args.swarm.unwrap_or(1)
    };
    let seed = plan.as_ref().map_or(args.seed, |_| 0);
    let minutes = args
        .minutes
        .map(|minutes| Duration::from_secs(minutes.saturating_mul(60)));
    let work = Work {
        plan: plan.map(|mut plan| {
            plan.canary = args.canary;
            plan
        }),
        wish: Wish {
            nodes: args.nodes,
            mode: args.profile.map(Profile::mode),
            sound_disks: args.profile == Some(Profile::SoundDisks),
            canary: args.canary,
        },
        next: AtomicU64::new(seed),
        last: seed.saturating_add(count.max(1) - 1),
        until: minutes.map(|span| Instant::now() + span),
    };
    if args.print {
        return show(&work);
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let (mut summary, failed) = run_all(&work, args.jobs.unwrap_or(cores).max(1));
    if let Some(directory) = &args.save {
        save(&failed, directory)?;
    }
    if args.json {
        print::json(&summary)?;
    } else {
        print_summary(&summary, failed.first())?;
    }
    summary.violations.truncate(1);
    match summary.violations.first() {
        Some(finding) => Err(Failure::new(
            Code::Failed,
            format!("seed {}: {}", finding.seed, finding.what),
        )),
        None => Ok(()),
    }
}

fn read(path: &PathBuf) -> Result<Plan, Failure> {
    let text = fs::read_to_string(path).map_err(|error| {
        Failure::new(
            Code::Io,
            format!("{} can't be read: {error}", path.display()),
        )
    })?;
    scenario::parse(&text)
        .map_err(|error| Failure::new(Code::Failed, format!("{}, {error}", path.display())))
}

fn run_all(work: &Work, jobs: usize) -> (Summary, Vec<Plan>) {
    let started = Instant::now();
    let total = Mutex::new((Summary::default(), Vec::new()));
    // A panic is a finding like any other; its text is in the report.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                let mut own = Summary::default();
                let mut failed = Vec::new();
                while let Some(plan) = work.take() {
                    let before = own.violations.len();
                    run_one(&plan, &mut own);
                    if own.violations.len() > before {
                        failed.push(plan);
                    }
                }
                if let Ok(mut total) = total.lock() {
                    total.0.merge(own);
                    total.1.extend(failed);
                }
            });
        }
    });
    panic::set_hook(hook);
    let (mut summary, mut failed) = total.into_inner().unwrap_or_default();
    failed.sort_by_key(|plan| plan.seed);
    summary.finish(started.elapsed().as_secs_f64());
    (summary, failed)
}

fn run_one(plan: &Plan, summary: &mut Summary) {
    match panic::catch_unwind(AssertUnwindSafe(|| run::run(plan))) {
        Ok(outcome) => summary.add(plan, outcome),
        Err(cause) => {
            let text = cause.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| cause.downcast_ref::<&str>().copied());
            summary.find(
                plan,
                format!("panic: {}", text.unwrap_or("without a text")),
                0.0,
            );
        }
    }
}

/// Runs one plan and prints its schedule, then what happens.
fn show(work: &Work) -> Result<(), Failure> {
    let Some(plan) = work.take() else {
        return Ok(());
    };
    print::text(&format!("{}\n", scenario::print(&plan)))?;
    let mut broken = Ok(());
    let outcome = run::watch(&plan, &mut |seen| {
        if broken.is_ok()
            && let Some(line) = line(seen)
        {
            broken = print::text(&line);
        }
    });
    broken?;
    let mut summary = Summary::default();
    summary.add(&plan, outcome);
    let found = summary.violations.first();
    found.map_or(Ok(()), |finding| {
        Err(Failure::new(
            Code::Failed,
            format!("at {:.3} s: {}", finding.at_s, finding.what),
        ))
    })
}

/// An observation as a line; changes and replies are left out, there are too many.
fn line(seen: &Observation) -> Option<String> {
    let what = match &seen.what {
        What::Started => "starts".into(),
        What::Ended => "ends".into(),
        What::Told(HostOutput::Notice(entry)) => {
            format!("{}: {:?}", entry.notice.code(), entry.notice)
        }
        What::Told(_) => return None,
    };
    let at = Duration::from_micros(seen.at.as_micros()).as_secs_f64();
    Some(format!("{at:>10.3} s  host {:<3} {what}\n", seen.host))
}

fn fails(plan: &Plan) -> bool {
    let mut summary = Summary::default();
    run_one(plan, &mut summary);
    !summary.violations.is_empty()
}

/// Writes failing plans as scenarios with the few faults that matter.
fn save(failed: &[Plan], directory: &PathBuf) -> Result<(), Failure> {
    let refuse = |error| {
        let what = format!("{} can't be written: {error}", directory.display());
        Failure::new(Code::CannotCreate, what)
    };
    fs::create_dir_all(directory).map_err(refuse)?;
    for plan in failed {
        let small = shrink::shrink(plan, SHRINK_RUNS_MAX, fails);
        let path = directory.join(format!("seed-{}.scenario", plan.seed));
        let text = format!("# {}\n{}", plan.command(), scenario::print(&small));
        fs::write(&path, text).map_err(refuse)?;
        print::say(&format!(
            "{} of {} faults matter: {}",
            small.faults.len(),
            plan.faults.len(),
            path.display()
        ));
    }
    Ok(())
}

fn print_summary(summary: &Summary, first: Option<&Plan>) -> Result<(), Failure> {
    let mut text = format!(
        "{} runs, {} nodes, {:.1} node-hours in {:.1} s: {:.0} times as fast as real time\n\
         {} writes acknowledged and checked, {} lost; {} divergences\n\
         {} deaths found ({}), {} false ones; whole again after {}\n\nfaults\n",
        summary.seeds,
        summary.nodes,
        summary.node_hours,
        summary.real_s,
        summary.ratio,
        summary.acked_writes,
        summary.lost_writes,
        summary.divergences,
        summary.true_deaths,
        spread(summary.detection_ms),
        summary.false_deaths,
        spread(summary.heal_ms),
    );
    for (class, count) in &summary.faults {
        text.push_str(&format!("  {class:<20} {count:>10}\n"));
    }
    text.push_str("\nreached\n");
    for (code, count) in &summary.reached {
        text.push_str(&format!("  {code:<20} {count:>10}\n"));
    }
    text.push_str(&format!("\ntrace {}\n", summary.state_hash));
    for finding in summary.violations.iter().take(20) {
        text.push_str(&format!(
            "\nVIOLATION at {:.3} s: {}\n  again: {}\n",
            finding.at_s, finding.what, finding.command
        ));
    }
    if let Some(plan) = first {
        text.push_str(&format!(
            "\nthe first one's schedule:\n{}",
            scenario::print(plan)
        ));
    }
    print::text(&text)
}

fn spread(spread: sporenet_core::sim::swarm::Spread) -> String {
    match (spread.median, spread.p99, spread.max) {
        (Some(median), Some(p99), Some(max)) => {
            format!("median {median} ms, p99 {p99} ms, longest {max} ms")
        }
        _ => "unknown".into(),
    }
}
