//! A machine where somebody always wants all cores. In a file of its own: nothing else is tested meanwhile.

mod process;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use process::{Server, Talk};
use serde_json::json;

/// How long a login may take: 4 s are usual, and 17 s without the thread that keeps a little of a core.
const LOGIN: Duration = Duration::from_secs(10);
/// How long somebody else waits for an answer, at most: a core's task that waits for a thread that hashes waits as long
/// as that one does.
const OTHERS: Duration = Duration::from_secs(1);

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
        let ends = Busy(&busy);
        for _ in 0..2 * cores {
            scope.spawn(|| {
                while busy.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let log_in = || {
            let began = Instant::now();
            let login = json!({"op": "login", "name": "alice", "password": "secret"});
            let answer = Talk::to(&server.address).ask(&login);
            assert!(answer["ok"].is_object(), "{answer}");
            began.elapsed()
        };
        let first = scope.spawn(log_in);
        let mut other = Talk::to(&server.address);
        let (mut longest, mut later) = (Duration::ZERO, Vec::new());
        while !first.is_finished() {
            let began = Instant::now();
            other.ask(&json!({"op": "ping"}));
            longest = longest.max(began.elapsed());
            if later.len() < 3 {
                later.push(scope.spawn(log_in));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        drop(ends);
        let took = first.join().expect("let in");
        assert!(took < LOGIN, "{took:?}");
        assert!(longest < OTHERS, "{longest:?}");
    });
}
