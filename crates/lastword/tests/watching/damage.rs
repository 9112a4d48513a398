//! What goes wrong with a data directory: it is counted, and a server that has lost its own ends.

use rustix::process::Signal;
use serde_json::json;

use super::page::Page;
use super::process::{Server, Talk, addresses, wait_until};
use super::send;

/// Nobody looks at the log of a start. The damage that it finds is on the page all the same.
#[test]
fn damage_that_the_start_finds_is_counted() {
    let mut server = Server::start();
    let mut alice = Talk::to(&server.address);
    alice.create("alice");
    assert_eq!(alice.ask(&send("alice", "hello"))["ok"]["stored"], 1);
    assert!(server.stop(Signal::TERM).success());
    // Views that are there stand for the record, and then nobody reads it.
    std::fs::remove_file(server.data().join("views.db")).expect("removed");
    let log = rusqlite::Connection::open(server.data().join("log.db")).expect("a database");
    let damage = "UPDATE log SET fact = zeroblob(9) WHERE place = (SELECT max(place) - 1 FROM log)";
    assert_eq!(log.execute(damage, []).expect("damaged"), 1);
    drop(log);
    server.again();
    assert!(server.log().contains("is damaged"));
    assert!(Page::of(&server.address).value("lastword_reports_total{kind=\"damaged\"}") >= 1.0);
}

#[test]
fn another_list_of_the_group_is_counted_on_both_sides() {
    let places = addresses(2);
    let lists = [places.join(","), [places[1].clone(), places[0].clone()].join(",")];
    let servers = [0, 1].map(|n| Server::start_at(&places[n], &["--group", &lists[n]]));
    for server in &servers {
        let counted = || Page::of(&server.address).value("lastword_reports_total{kind=\"wrong_group\"}") > 0.0;
        wait_until("it is counted", counted);
    }
}

/// What is written to deleted files is nowhere: such a server must not say "stored" for long.
#[test]
fn a_server_whose_data_directory_is_emptied_ends_and_refills() {
    let places = addresses(2);
    let list = places.join(",");
    let mut servers = [0, 1].map(|n| Server::start_at(&places[n], &["--group", &list]));
    let in_sync = |place: &str| Page::of(place).by("lastword_in_sync", "replica").len() == 1;
    wait_until("both are in sync", || places.iter().all(|place| in_sync(place)));
    let mut alice = Talk::to(&places[0]);
    alice.create("alice");
    assert_eq!(alice.ask(&send("alice", "hello"))["ok"]["stored"], 2);
    for file in std::fs::read_dir(servers[1].data()).expect("a folder") {
        std::fs::remove_file(file.expect("a file").path()).expect("removed");
    }
    assert!(!servers[1].ended().success());
    assert!(servers[1].log().contains("was deleted, moved or replaced while the server ran"));
    assert_eq!(alice.ask(&send("alice", "again"))["ok"]["stored"], 1);
    servers[1].again();
    wait_until("both are in sync again", || places.iter().all(|place| in_sync(place)));
    let mut there = Talk::to(&places[1]);
    there.ask(&json!({"op": "login", "name": "alice", "password": "secret"}));
    let page = there.ask(&json!({"op": "history", "with": "alice"}));
    assert_eq!(page["ok"]["messages"].as_array().map(Vec::len), Some(2), "{page}");
}
