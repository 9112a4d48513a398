//! More inputs than those that were saved: made anew, and made of them. The same ones each time.
//!
//! `LASTWORD_FUZZ_SECONDS` has it go on for so long in all, `LASTWORD_FUZZ_SEED` begins somewhere else.

use std::time::{Duration, Instant};

use fuzz_targets::{TARGETS, Target};

use crate::chance::Chance;
use crate::corpus::saved;
use crate::made::made;
use crate::measure::{keep, run};
use crate::mutate::mutate;

/// Inputs of a target, where nothing is said: those with little time have more.
fn few(target: &Target) -> u64 {
    if target.time > Duration::from_millis(10) { 25 } else { 400 }
}

#[test]
fn changed_inputs_do_no_harm() {
    let number = |name| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    let seconds: Option<u64> = number("LASTWORD_FUZZ_SECONDS");
    let first = number("LASTWORD_FUZZ_SEED").unwrap_or(0);
    let share = seconds.map(|seconds| Duration::from_secs(seconds) / TARGETS.len() as u32);
    for target in TARGETS {
        let saved: Vec<Vec<u8>> = saved(target).into_iter().map(|(_, input)| input).collect();
        let began = Instant::now();
        let goes_on = |n| share.map_or(n < few(target), |share| began.elapsed() < share);
        for n in (0..).take_while(|&n| goes_on(n)) {
            let input = input(target, &saved, first + n);
            if let Err(what) = run(target, &input) {
                let file = keep(target, &input);
                let name = target.name;
                panic!("{name}: {} {what}. Mend it, and keep the file in fuzz/corpus/{name}.", file.display());
            }
        }
    }
}

/// One of the saved inputs or a new one, mostly changed.
fn input(target: &Target, saved: &[Vec<u8>], seed: u64) -> Vec<u8> {
    let mut chance = Chance::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
    let mut input = if chance.once_in(2) { made(target.name, &mut chance) } else { chance.of(saved).clone() };
    if chance.once_in(3) {
        return input;
    }
    let other = if chance.once_in(2) { made(target.name, &mut chance) } else { chance.of(saved).clone() };
    mutate(&mut input, &other, &mut chance);
    input
}
