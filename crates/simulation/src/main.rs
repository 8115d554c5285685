//! Runs many histories, or one of them again.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that talks to its user")]

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use callboard_simulation::simulate;
use clap::Parser;

/// Runs the engine under simulated time and faults, and checks that it keeps its promises.
#[derive(Debug, Parser)]
struct Arguments {
    /// One history.
    #[arg(long, conflicts_with_all = ["seeds", "minutes"])]
    seed: Option<u64>,
    /// So many histories; or all from one seed up to another, without that one.
    #[arg(long, value_name = "N|FROM..TO", value_parser = range, default_value = "1000")]
    seeds: (u64, u64),
    /// No further history after so many minutes.
    #[arg(long)]
    minutes: Option<u64>,
    /// How many of the last events of a history that breaks a promise are shown.
    #[arg(long, default_value_t = 60)]
    events: usize,
}

fn range(text: &str) -> Result<(u64, u64), String> {
    let (from, to) = text.split_once("..").unwrap_or(("0", text));
    let number = |text: &str| text.parse::<u64>().map_err(|error| error.to_string());
    Ok((number(from)?, number(to)?))
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(seed) = arguments.seed {
        return match simulate(seed, arguments.events) {
            Ok(summary) => {
                println!("seed {seed} is well: {summary:?}");
                ExitCode::SUCCESS
            }
            Err(failure) => {
                eprintln!("{failure}");
                ExitCode::FAILURE
            }
        };
    }
    let (from, to) = arguments.seeds;
    let until = arguments.minutes.map(|minutes| Instant::now() + Duration::from_secs(minutes * 60));
    let (next, failed) = (AtomicU64::new(from), Mutex::new(Vec::new()));
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= to || until.is_some_and(|until| Instant::now() >= until) {
                        return;
                    }
                    if let Err(failure) = simulate(seed, arguments.events) {
                        eprintln!("{failure}\n");
                        failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(seed);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    // Each thread took one seed too many.
    let ran = next.into_inner().saturating_sub(from + threads as u64);
    println!("{ran} histories, {} of which break a promise: {failed:?}", failed.len());
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
