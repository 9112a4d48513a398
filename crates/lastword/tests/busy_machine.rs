//! A machine where somebody always wants all cores. In a file of its own: nothing else is tested meanwhile.

mod process;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use process::{Server, Talk};
use serde_json::json;

/// How long a login may take: 4 s are usual, and 17 s without the thread that keeps a little of a core.
const PATIENCE: Duration = Duration::from_secs(10);

/// Ends those who keep the cores busy, whatever becomes of the test.
struct Busy<'a>(&'a AtomicBool);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Threads that hash have a core only while nobody else wants it: people are let in all the same.
#[test]
fn people_are_let_in_where_others_want_all_cores() {
    let server = Server::start();
    Talk::to(&server.address).create("alice");
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let busy = AtomicBool::new(true);
    std::thread::scope(|scope| {
        let _ends = Busy(&busy);
        for _ in 0..2 * cores {
            scope.spawn(|| while busy.load(Ordering::Relaxed) {});
        }
        let mut talk = Talk::to(&server.address);
        let began = Instant::now();
        let answer = talk.ask(&json!({"op": "login", "name": "alice", "password": "secret"}));
        assert!(answer["ok"].is_object(), "{answer}");
        assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    });
}
