use crate::breakage::Breakage;
use crate::simulate;
use crate::simulation::simulate_broken;

#[test]
fn a_seed_gives_the_same_history_again() {
    for seed in 0..5 {
        let summaries: Vec<_> = (0..2).map(|_| simulate(seed, 10).map_err(|it| it.to_string())).collect();
        assert_eq!(summaries[0], summaries[1], "seed {seed}");
    }
}

fn are_noticed(breakages: &[Breakage]) {
    const SEEDS: u64 = 100;
    for breakage in breakages {
        let noticed = (0..SEEDS).find_map(|seed| simulate_broken(seed, *breakage).err());
        assert!(noticed.is_some(), "{breakage:?}");
    }
}

#[test]
fn the_first_half_of_defects_is_noticed() {
    are_noticed(&Breakage::ALL[..7]);
}

#[test]
fn the_second_half_of_defects_is_noticed() {
    are_noticed(&Breakage::ALL[7..]);
}
