//! The commands and configurations of `docs/operations.md`, as they stand there: blocks that are marked
//! `<!-- test: NAME -->`.

#![allow(clippy::print_stdout, reason = "what is not tested is said")]

mod process;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output};

use process::{Server, addresses, key_file, lastword, wait_until};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// The block behind this mark, without its indentation.
fn block(name: &str) -> String {
    let docs = include_str!("../../../docs/operations.md");
    let (_, behind) = docs.split_once(&format!("<!-- test: {name} -->\n")).expect("the mark");
    let indent = behind.len() - behind.trim_start_matches(' ').len();
    let lines = behind.lines().skip(1).map(|line| line.get(indent..).unwrap_or_default());
    lines.take_while(|line| !line.starts_with("```")).map(|line| line.to_owned() + "\n").collect()
}

/// With the addresses of these servers in the place of those in the docs.
fn at(addresses: &[String], text: &str) -> String {
    let mut text = text.to_owned();
    for (n, address) in addresses.iter().enumerate() {
        let (host, port) = address.rsplit_once(':').expect("HOST:PORT");
        let documented = format!("192.0.2.{}", n + 1);
        text = text.replace(&format!("{documented}:65433"), address);
        text = text.replace(&format!("{documented} 65433"), &format!("{host} {port}")).replace(&documented, host);
    }
    text
}

fn shell(folder: &Path, commands: &str) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_lastword")).parent().expect("a folder").to_owned();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    shell.args(["-euc", commands]).current_dir(folder).env("PATH", path).output().expect("a shell")
}

fn is_there(program: &str) -> bool {
    let there = Command::new(program).arg("version").output().is_ok();
    if !there {
        println!("{program} is not installed: what needs it is not tested");
    }
    there
}

/// The answer to `GET path` over TLS, of a server whose certificate is trusted by this file alone.
fn https(address: &str, path: &str, ca: &Path) -> String {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).expect("a certificate")).expect("to be trusted");
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let host = address.rsplit_once(':').expect("HOST:PORT").0.to_owned();
    let connection = ClientConnection::new(config.into(), host.try_into().expect("a name")).expect("a client");
    let mut stream = StreamOwned::new(connection, TcpStream::connect(address).expect("connected"));
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer
}

/// What stands behind a key of a block of YAML.
fn value<'yaml>(yaml: &'yaml str, key: &str) -> &'yaml str {
    let line = yaml.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {key} in {yaml}")).trim()
}

#[test]
fn the_certificate_and_the_scrape_configuration_work() {
    if !is_there("openssl") {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let addresses: Vec<String> = (0..3).flat_map(|_| addresses(1)).collect();
    let made = shell(folder.path(), &at(&addresses, &block("certificate")));
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

    let file = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let (certificate, private, key) = (file("fullchain.pem"), file("privkey.pem"), key_file(folder.path(), "key"));
    let list = addresses.join(",");
    let arguments = ["--group", &list, "--key", &key, "--tls-cert", &certificate, "--tls-key", &private, "--tls-only"];
    let mut servers: Vec<Server> = addresses.iter().map(|address| Server::prepare(address, &arguments)).collect();
    servers.iter_mut().for_each(Server::launch);
    let client = at(&addresses, &block("client"));
    wait_until("the documented client sees all in sync", || shell(folder.path(), &client).status.success());

    let scrape = at(&addresses, &block("scrape"));
    assert_eq!(value(&scrape, "scheme"), "https");
    let ca = folder.path().join(value(&scrape, "ca_file"));
    let targets =
        value(&scrape, "- targets").trim_matches(['[', ']']).split(", ").map(|target| target.trim_matches('"'));
    let targets: Vec<&str> = targets.collect();
    assert_eq!(targets, addresses);
    let alerts = block("alerts");
    let letters = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let used: BTreeSet<&str> = alerts.split(|c| !letters(c)).filter(|word| word.starts_with("lastword_")).collect();
    assert!(used.len() > 10, "{used:?}");
    for target in targets {
        let page = https(target, "/metrics", &ca);
        assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
        for metric in &used {
            let family = metric.trim_end_matches("_bucket").trim_end_matches("_sum").trim_end_matches("_count");
            // A family is there although nothing of it happened yet.
            let there =
                [family, family.trim_end_matches("_total")].map(|name| page.contains(&format!("# TYPE {name} ")));
            assert!(there.contains(&true), "an alert asks for {metric}, which is not on the page of {target}");
        }
    }

    if is_there("promtool") {
        std::fs::write(folder.path().join("prometheus.yml"), &scrape).expect("written");
        std::fs::write(folder.path().join("rules.yml"), &alerts).expect("written");
        let checked = shell(folder.path(), "promtool check config prometheus.yml && promtool check rules rules.yml");
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }
    drop(servers);
    // And without the file it is not trusted: the test would see a client that trusts everybody.
    let untrusted = lastword(&["status", "--tls", &addresses[0]]);
    assert!(!untrusted.status.success());
}
