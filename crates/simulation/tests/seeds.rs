//! More than a hundred histories keep the promises. `callboard-simulate` runs as many as one likes.

use callboard_simulation::simulate;

const SEEDS: u64 = 300;
/// Each of these once broke a promise.
const FOUND: [u64; 2] = [89, 419];
/// Run beside each other.
const PARTS: u64 = 4;

fn run(part: u64) {
    run_all((0..SEEDS).filter(|seed| seed % PARTS == part));
}

fn run_all(seeds: impl IntoIterator<Item = u64>) {
    for seed in seeds {
        if let Err(failure) = simulate(seed, 60) {
            panic!("{failure}");
        }
    }
}

#[test]
fn the_first_quarter_keeps_the_promises() {
    run(0);
}

#[test]
fn the_second_quarter_keeps_the_promises() {
    run(1);
}

#[test]
fn the_third_quarter_keeps_the_promises() {
    run(2);
}

#[test]
fn the_fourth_quarter_keeps_the_promises() {
    run(3);
}

#[test]
fn what_broke_a_promise_once_keeps_it_now() {
    run_all(FOUND);
}
