//! Clients within TLS, on the one port, on real processes.

mod harness;
mod process;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use harness::{Group, texts};
use lastword_client::{Client, Error, Event, Events, Options, Tls};
use process::{Server, lastword, talk, wait_until};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustix::process::Signal;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// An authority, and certificates of it, in files of a folder of their own.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
        let authority = Self { issuer, folder: tempfile::tempdir().expect("a temporary folder") };
        std::fs::write(authority.file("ca.pem"), authority.issuer.pem()).expect("written");
        authority
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a certificate for a host and its key.
    fn certify(&self, host: &str, certificate: &Path, key: &Path) {
        self.certify_with(host, certificate, key, |_| {});
    }

    /// The same, of another make.
    fn certify_with(&self, host: &str, certificate: &Path, key: &Path, make: impl Fn(&mut CertificateParams)) {
        let own_key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec![host.to_owned()]).expect("parameters");
        make(&mut params);
        let signed = params.signed_by(&own_key, &self.issuer).expect("signed");
        std::fs::write(certificate, signed.pem()).expect("written");
        std::fs::write(key, own_key.serialize_pem()).expect("written");
    }

    /// A client that trusts this authority alone.
    fn client(&self, addresses: &[String]) -> (Client, Events) {
        let options = Options { request_timeout: Duration::from_secs(3), ..Options::default() };
        let tls = Tls::of_file(&self.file("ca.pem")).expect("the authority");
        Client::connect_tls(addresses.iter().cloned(), options, Some(tls)).expect("addresses")
    }
}

/// What a server needs for TLS, as arguments.
fn arguments(authority: &Authority, host: &str) -> Vec<String> {
    let (certificate, key) = (authority.file("cert.pem"), authority.file("key.pem"));
    authority.certify(host, &certificate, &key);
    let path = |path: PathBuf| path.to_str().expect("UTF-8").to_owned();
    vec!["--tls-cert".into(), path(certificate), "--tls-key".into(), path(key)]
}

fn words(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

fn host(address: &str) -> &str {
    address.rsplit_once(':').expect("HOST:PORT").0
}

const PING: &[u8] = b"{\"id\":1,\"op\":\"ping\"}\n";
const PONG: &str = "{\"id\":1,\"ok\":{}}\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_group_of_tls_only_chats_and_fails_over() {
    let authority = Authority::new();
    let mut group = Group::prepare(3);
    let mut tls = arguments(&authority, host(&group.addresses[0]));
    tls.push("--tls-only".into());
    for replica in 0..3 {
        group.spawn_with(replica, &words(&tls));
    }
    let (alice, _alice_events) = authority.client(&group.addresses);
    alice.create("alice", "secret").await.expect("created");
    let (bob, mut bob_events) = authority.client(&group.addresses);
    bob.create("bob", "secret").await.expect("created");
    bob.listen().await.expect("listens");
    alice.send("bob", "one").await.expect("sent");
    group.kill(0);
    alice.send("bob", "two").await.expect("sent");
    assert_eq!(texts(&mut bob_events, 2).await, ["one", "two"]);
    // The replicas themselves have another encryption, and go on; clients in plain text are told what is wrong.
    group.spawn_with(0, &words(&tls));
    let ca = authority.file("ca.pem");
    let replicas = group.addresses.join(",");
    let status = ["status", &replicas, "--ca", ca.to_str().expect("UTF-8")];
    wait_until("all are in sync again", || lastword(&status).status.success());
    for (plain, begins) in [(PING, "{\"error\":"), (b"POST / HTTP/1.1\r\nHost: x\r\n\r\n".as_slice(), "HTTP/1.1 426 ")]
    {
        let (said, closed) = talk(&group.addresses[1], plain, Duration::from_secs(5));
        assert!(said.starts_with(begins) && said.contains("within TLS only") && closed, "{said}");
    }
    let (_plain, mut events) = Client::connect([group.addresses[1].as_str()]).expect("good addresses");
    let soon = tokio::time::timeout(Duration::from_secs(5), events.next());
    match soon.await.expect("long before a command's time is up") {
        Some(Event::NoReplica { tried }) => assert!(tried.contains("within TLS only"), "{tried}"),
        other => panic!("{other:?}"),
    }
    let plain = lastword(&["status", &group.addresses[1]]);
    let said = String::from_utf8_lossy(&plain.stdout).into_owned();
    assert!(!plain.status.success() && said.contains("within TLS only"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn on_loopback_one_port_takes_both() {
    let address = process::addresses(1).remove(0);
    let authority = Authority::new();
    let server = Server::start_at(&address, &words(&arguments(&authority, host(&address))));
    assert_eq!(talk(&address, PING, Duration::from_millis(500)).0, PONG);
    let (client, _events) = authority.client(std::slice::from_ref(&address));
    client.ping().await.expect("within TLS");
    // A long text goes through in pieces, both ways.
    client.create("ann", "secret").await.expect("created");
    let text = "ä€😀".repeat(1500);
    client.send("ann", &text).await.expect("sent");
    let page = client.history("ann", None, None).await.expect("a history");
    assert_eq!(page.messages[0].text, text);

    // Somebody else's word is not taken, and a person is told why.
    let stranger = Authority::new();
    let (client, _events) = stranger.client(std::slice::from_ref(&address));
    match client.ping().await {
        Err(error @ Error::NoReplica { .. }) => {
            assert!(error.to_string().contains("invalid peer certificate"), "{error}")
        }
        other => panic!("{other:?}"),
    }

    // What begins like TLS, and is none, and what never goes on, hurts nobody.
    let (said, closed) = talk(&address, b"\x16\x03\x01\x00\x05hello{\"id\":1}\n", Duration::from_secs(5));
    assert!(closed && !said.contains("ok"), "{said:?}");
    let halves: Vec<_> = (0..200)
        .map(|_| {
            let mut half = std::net::TcpStream::connect(&address).expect("connected");
            std::io::Write::write_all(&mut half, b"\x16\x03\x01\x02\x00").expect("written");
            half
        })
        .collect();
    server.assert_serves();
    drop(halves);
}

/// A connection within TLS.
fn connect(authority: &Authority, address: &str) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority.file("ca.pem")).expect("a certificate")).expect("an authority");
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = host(address).to_owned().try_into().expect("a name");
    let connection = ClientConnection::new(config.into(), name).expect("a client");
    let stream = StreamOwned::new(connection, TcpStream::connect(address).expect("connected"));
    stream.sock.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    stream
}

/// Lines that come in records of a byte each cost the server little more than what it takes to decrypt them.
#[test]
fn records_of_a_byte_each_are_taken_together() {
    const LINES: usize = 20;
    let address = process::addresses(1).remove(0);
    let authority = Authority::new();
    let server = Server::start_at(&address, &words(&arguments(&authority, host(&address))));
    let mut stream = connect(&authority, &address);
    let line = format!("{{\"id\":1,\"op\":\"ping\",\"more\":\"{}\"}}\n", "x".repeat(20_000));
    stream.write_all(PING).expect("asked");
    stream.read_exact(&mut vec![0; PONG.len()]).expect("answered");
    let before = processor_ms(&server);
    for _ in 0..LINES {
        for bytes in line.as_bytes().chunks(500) {
            for byte in bytes.chunks(1) {
                stream.conn.writer().write_all(byte).expect("encrypted");
            }
            while stream.conn.wants_write() {
                stream.conn.write_tls(&mut stream.sock).expect("sent");
            }
        }
        stream.read_exact(&mut vec![0; PONG.len()]).expect("answered");
    }
    let took = processor_ms(&server) - before;
    // 110 ms on one machine; one by one they took 1,200 ms there.
    assert!(took < 600, "{took} ms for {} records", LINES * line.len());
}

/// Processor time that a server has taken, in milliseconds.
fn processor_ms(server: &Server) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.pid())).expect("Linux");
    let behind_name = stat.rsplit_once(')').expect("a name").1;
    let ticks: Vec<u64> =
        behind_name.split_whitespace().skip(11).take(2).filter_map(|word| word.parse().ok()).collect();
    // A tick is 10 ms on every Linux that matters here.
    ticks.iter().sum::<u64>() * 10
}

/// The answer to a request of HTTP within TLS.
fn https(authority: &Authority, address: &str, path: &str, host_header: &str) -> String {
    let mut stream = connect(authority, address);
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nHost: {host_header}\r\nConnection: close\r\n\r\n").as_bytes())
        .expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered, and closed as TLS wants it");
    answer
}

#[test]
fn the_page_comes_within_tls() {
    let address = process::addresses(1).remove(0);
    let authority = Authority::new();
    let mut tls = arguments(&authority, host(&address));
    tls.push("--tls-only".into());
    let mut server = Server::prepare(&address, &words(&tls));
    server.launch();
    wait_until("the server is up", || server.log().contains("ready"));
    let answer = https(&authority, &address, "/", &address);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("<!doctype html>"), "{answer}");
    assert!(answer.contains(&format!("connect-src 'self' ws://{address} wss://{address};")), "{answer}");
    assert!(https(&authority, &address, "/worker.js", &address).contains("\r\nContent-Type: text/javascript"));
    // Browsers keep to HTTPS for names of other machines, and not for this one, which has other programs' pages, too.
    let bound = |host: &str| {
        https(&authority, &address, "/healthz", host).contains("\r\nStrict-Transport-Security: max-age=2592000\r\n")
    };
    assert!(bound("chat.example.org") && !bound(&address) && !bound("localhost:65433"));
    assert!(server.log().contains(&format!("page=https://{address}/")), "its log says where the page is");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn certificates_are_read_again_at_sighup() {
    let address = process::addresses(1).remove(0);
    let (first, second) = (Authority::new(), Authority::new());
    let server = Server::start_at(&address, &words(&arguments(&first, host(&address))));
    let addresses = [address.clone()];
    let (client, _events) = first.client(&addresses);
    client.ping().await.expect("the first certificate");

    // What can't be read changes nothing.
    std::fs::write(first.file("key.pem"), "no key").expect("written");
    server.signal(Signal::HUP);
    wait_until("the log says so", || server.log().contains("the certificate stays the one it was"));
    let (again, _events) = first.client(&addresses);
    again.ping().await.expect("the first certificate still");

    second.certify(host(&address), &first.file("cert.pem"), &first.file("key.pem"));
    server.signal(Signal::HUP);
    wait_until("the log says so", || server.log().contains("the certificate was read again"));
    let (new, _events) = second.client(&addresses);
    new.ping().await.expect("the second certificate");
    let (old, _events) = first.client(&addresses);
    assert!(old.ping().await.is_err(), "the first certificate is not given out any more");
    client.ping().await.expect("who is connected stays so");
}

#[test]
fn beyond_loopback_plain_text_must_be_asked_for() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let data = data.to_str().expect("UTF-8");
    let refused = lastword(&["server", "0.0.0.0", "1", "--data", data]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("--tls-cert") && said.contains("--insecure") && said.contains("0.0.0.0:1"), "{said}");
    assert_eq!(refused.status.code(), Some(1));
    assert!(!Path::new(data).exists(), "nothing was done before");

    let port = free_port();
    let server = Server::start_at(&format!("0.0.0.0:{port}"), &["--insecure"]);
    assert_eq!(talk(&format!("127.0.0.1:{port}"), PING, Duration::from_millis(500)).0, PONG);
    drop(server);

    // With a certificate and without --insecure: TLS only.
    let authority = Authority::new();
    let port = free_port();
    let arguments = arguments(&authority, "127.0.0.1");
    let mut server = Server::prepare(&format!("0.0.0.0:{port}"), &words(&arguments));
    server.launch();
    let address = format!("127.0.0.1:{port}");
    wait_until("the server is up", || std::net::TcpStream::connect(&address).is_ok());
    let (said, closed) = talk(&address, PING, Duration::from_secs(5));
    assert!(said.contains("within TLS only") && closed, "{said}");
}

fn free_port() -> String {
    process::addresses(1)[0].rsplit_once(':').expect("HOST:PORT").1.to_owned()
}

/// A person reads why, and what to do.
#[test]
fn what_is_wrong_with_tls_is_said() {
    let said = |address: &str, authority: &Authority| {
        let status = lastword(&["status", address, "--ca", authority.file("ca.pem").to_str().expect("UTF-8")]);
        assert!(!status.status.success());
        String::from_utf8_lossy(&status.stdout).into_owned()
    };
    let authority = Authority::new();
    let plain = Server::start();
    let answer = said(&plain.address, &authority);
    assert!(answer.contains("this server doesn't use TLS; try without --tls"), "{answer}");
    let address = process::addresses(1).remove(0);
    let _server = Server::start_at(&address, &words(&arguments(&authority, host(&address))));
    let answer = said(&address, &Authority::new());
    assert!(answer.contains("certificate isn't trusted") && answer.contains("The servers answered"), "{answer}");
}

/// Only clients see the dates, and refuse: so the server says it, too, and where it is asked how it is.
#[test]
fn a_certificate_that_clients_refuse_is_named_on_both_sides() {
    let places = process::addresses(2);
    let authority = Authority::new();
    let tls = arguments(&authority, host(&places[0]));
    let ca = authority.file("ca.pem");
    let status = || {
        let status = lastword(&["status", &places[0], "--ca", ca.to_str().expect("UTF-8")]);
        String::from_utf8_lossy(&status.stdout).into_owned()
    };
    let list = places.join(",");
    let mut good = tls;
    good.extend(["--group".to_owned(), list.clone()]);
    let _good = Server::start_at(&places[0], &words(&good));
    let files = ["other-cert.pem", "other-key.pem"].map(|name| authority.file(name));
    let certify = |make: &dyn Fn(&mut CertificateParams)| {
        authority.certify_with(host(&places[1]), &files[0], &files[1], make);
    };
    let path = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    let other = vec!["--tls-cert".into(), path(&files[0]), "--tls-key".into(), path(&files[1]), "--group".into(), list];
    certify(&|params| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 2, 3);
    });
    let other = Server::start_at(&places[1], &words(&other));
    assert!(other.log().contains("it expired on 2021-02-03"), "{}", other.log());
    let page = process::http(&places[1], "GET", "/metrics");
    assert!(page.contains("\nlastword_tls_certificate_expiry_seconds 1612310400\n"), "{page}");
    wait_until("they are in sync", || status().contains("b in sync"));
    let said = status();
    assert!(said.contains("its certificate expired on 2021-02-03"), "{said}");
    assert!(said.contains("1 of 2 servers answer. b runs, but") && !said.contains("Start"), "{said}");

    certify(&|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    other.signal(Signal::HUP);
    wait_until("what is wrong is said", || status().contains("made as an authority: make it with CA:FALSE"));
    certify(&|params| params.not_before = rcgen::date_time_ymd(4000, 1, 1));
    other.signal(Signal::HUP);
    wait_until("what is wrong is said", || status().contains("is not valid before 4000-01-01"));
    assert!(other.log().contains("it is not valid before 4000-01-01"), "{}", other.log());
}

/// What was forgotten is said at the start: with a key of its own and nobody to share it, a server is alone.
#[test]
fn a_server_with_a_key_and_no_group_is_warned_of() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let key = process::key_file(folder.path(), "key");
    let place = format!("0.0.0.0:{}", free_port());
    let warned = |arguments: &[&str]| Server::start_at(&place, arguments).log().contains("a group of one");
    assert!(warned(&["--insecure", "--key", &key]));
    assert!(!warned(&["--insecure", "--key", &key, "--group", &place]));
}
