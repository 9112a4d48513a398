//! Who is let in as a replica.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use crate::process::{Server, addresses, http, key_file, wait_until};
use crate::{assert_told_by, lines_with, states, status};

fn mode(path: &std::path::Path) -> u32 {
    path.metadata().expect("it is there").permissions().mode() & 0o777
}

/// Three servers in three terminals, started at the same moment by somebody who never did before.
#[test]
fn servers_of_one_user_find_one_another_without_a_key() {
    let home = tempfile::tempdir().unwrap();
    let places = addresses(3);
    let group = places.join(",");
    let mut servers: Vec<Server> = places.iter().map(|place| Server::prepare(place, &["--group", &group])).collect();
    for server in &mut servers {
        server.state = home.path().join("state");
        server.launch();
    }
    wait_until("in sync", || status(&[&servers[0]]).1);
    let folder = home.path().join("state/lastword");
    assert_eq!((mode(&folder), mode(&folder.join("local.key"))), (0o700, 0o600));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "one key, and no drafts of others");
}

/// Somebody else with an account on the machine knows the list, which `hello` tells everybody, and runs the program.
#[test]
fn a_stranger_who_knows_the_list_is_not_a_replica() {
    let home = tempfile::tempdir().unwrap();
    let places = addresses(2);
    let group = places.join(",");
    let a = Server::start_at(&places[0], &["--group", &group]);
    let mut stranger = Server::prepare(&places[1], &["--group", &group]);
    stranger.state = home.path().to_owned();
    stranger.again();
    assert_told_by(&[&a, &stranger], "another cluster key");
    assert_eq!(states(&a), ["self", "down"]);
    assert_eq!(states(&stranger), ["down", "self"]);
    assert!(lines_with(&a, "a replica at 127.") == 1, "the address of who dialled: {}", a.log());
    // The same with keys of files, and once the right one is given all is well.
    let dir = tempfile::tempdir().unwrap();
    let keys = [key_file(dir.path(), "one"), key_file(dir.path(), "two")];
    let places = addresses(2);
    let group = places.join(",");
    let a = Server::start_at(&places[0], &["--group", &group, "--key", &keys[0]]);
    let mut b = Server::start_at(&places[1], &["--group", &group, "--key", &keys[1]]);
    assert_told_by(&[&a, &b], "another cluster key");
    assert!(http(&a.address, "GET", "/metrics").contains("\nlastword_peer_problem{replica=\"b\"} 1\n"));
    assert!(b.stop(rustix::process::Signal::TERM).success());
    b.arguments[3].clone_from(&keys[0]);
    b.again();
    wait_until("in sync", || status(&[&a, &b]).1);
    assert!(http(&a.address, "GET", "/metrics").contains("\nlastword_peer_problem{replica=\"b\"} 0\n"));
}

/// The preface and then silence: it takes few places, for a short time, and keeps no replica out.
#[test]
fn silence_after_the_preface_keeps_nobody_out() {
    let places = addresses(2);
    let group = places.join(",");
    let a = Server::start_at(&places[0], &["--group", &group]);
    let knock = || {
        let mut stream = TcpStream::connect(&a.address).expect("connected");
        stream.write_all(b"LASTWORD-PEER/1\n").expect("said");
        stream
    };
    let is_open = |stream: &TcpStream| {
        stream.set_nonblocking(true).expect("set");
        let read = (&*stream).read(&mut [0]);
        matches!(read, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
    };
    let began = Instant::now();
    let silent: Vec<TcpStream> = (0..200).map(|_| knock()).collect();
    wait_until("most are sent away", || silent.iter().filter(|stream| is_open(stream)).count() <= 8);
    assert!(began.elapsed() < Duration::from_millis(2500), "before their time was up: {:?}", began.elapsed());
    wait_until("all are sent away", || !silent.iter().any(is_open));
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
    // They come again and again, and a replica gets in all the same.
    let b = Server::start_at(&places[1], &["--group", &group]);
    let mut kept = Vec::new();
    wait_until("in sync", || {
        kept.extend((0..20).map(|_| knock()));
        states(&a) == ["self", "in_sync"] && states(&b) == ["in_sync", "self"]
    });
    a.assert_serves();
}

#[test]
fn keys_that_everybody_can_read_raise_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    let key = key_file(dir.path(), "key");
    let mut server = Server::start_at(&addresses(1)[0], &["--key", &key]);
    assert_eq!(lines_with(&server, "every user of this machine can read it"), 0);
    assert!(server.stop(rustix::process::Signal::TERM).success());
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    server.again();
    let warned = |server: &Server, what: &str| {
        let log = server.log();
        log.lines().filter(|line| line.contains("WARN") && line.contains(what) && line.contains("chmod o= ")).count()
    };
    assert_eq!(warned(&server, &format!("{key} holds the cluster key")), 1, "{}", server.log());

    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (certificate, key) = (path("cert.pem"), path("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let server = Server::start_at(&addresses(1)[0], &["--tls-cert", &certificate, "--tls-key", &key]);
    assert_eq!(warned(&server, &format!("{key} holds the key of the TLS certificate")), 1, "{}", server.log());
}
