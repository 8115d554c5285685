//! Deterministic simulation of the engine.
//!
//! One to three real engines work on one store in memory. Time is simulated, so that hours pass in a moment; and
//! everything that is random comes from one seed: how long each call of the store and each read takes, which of them
//! fail (before or after they took effect), which replica crashes, stops, is cut off or has a wrong clock, what changes
//! out there, what users ask for. So a seed is a history, and gives the same one again.
//!
//! After each unit of work the tables of the store must keep some invariants. When the faults are over, everything
//! must come to rest, and the catalog be what a plain function of the world says: the promises of ARCHITECTURE.md are
//! the oracle.
#![warn(missing_docs)]

#[cfg(test)]
mod breakage;
mod clock;
mod cluster;
mod dice;
mod documents;
mod errands;
mod expected;
mod faulty_store;
mod invariants;
mod oracle;
mod replica;
mod simulation;
#[cfg(test)]
mod tests;
mod trace;
mod upstream;
mod weather;
mod world;

pub use simulation::{Failure, Summary, simulate};

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for event in &self.events {
            writeln!(f, "{event}")?;
        }
        writeln!(f, "seed {}: {}", self.seed, self.promise)?;
        write!(f, "replay: cargo run -p callboard-simulation --release -- --seed {}", self.seed)
    }
}
