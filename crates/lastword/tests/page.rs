//! The browser's page, as it goes over HTTP: its files, the headers that guard it, and what is not one of its files.

mod harness;
mod process;

use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

use flate2::read::GzDecoder;
use harness::Group;
use process::Server;

/// All files of the page, where they are built, and their types.
const FILES: [(&str, &str, &str); 6] = [
    ("/", "index.html", "text/html; charset=utf-8"),
    ("/page.js", "page.js", "text/javascript; charset=utf-8"),
    ("/page.css", "page.css", "text/css; charset=utf-8"),
    ("/worker.js", "worker.js", "text/javascript; charset=utf-8"),
    ("/icon.svg", "icon.svg", "image/svg+xml"),
    ("/manifest.webmanifest", "manifest.webmanifest", "application/manifest+json"),
];

struct Response {
    head: String,
    body: Vec<u8>,
}

impl Response {
    fn status(&self) -> &str {
        self.head.split(' ').nth(1).expect("a status")
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find_map(|(this, value)| this.eq_ignore_ascii_case(name).then_some(value))
    }
}

/// Asks with these words of the request's first line, and these headers: with a `Host` if there is none among them.
fn ask(address: &str, request: &str, headers: &[&str]) -> Response {
    let mut stream = TcpStream::connect(address).expect("connected");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let mut lines = vec![format!("{request} HTTP/1.1")];
    if !headers.iter().any(|header| header.starts_with("Host:")) {
        lines.push("Host: x".to_owned());
    }
    lines.extend(headers.iter().map(|&header| header.to_owned()));
    lines.push("Connection: close".to_owned());
    let request = lines.join("\r\n") + "\r\n\r\n";
    std::io::Write::write_all(&mut stream, request.as_bytes()).expect("asked");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("answered and closed");
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head");
    let body = answer.split_off(end + 4);
    Response { head: String::from_utf8(answer).expect("UTF-8"), body }
}

/// Its head, without the moment at which it was made.
fn timeless(response: &Response) -> Vec<&str> {
    response.head.lines().filter(|line| !line.starts_with("Date: ")).collect()
}

fn built(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../../web/dist/{name}", env!("CARGO_MANIFEST_DIR"))).expect("it is built")
}

#[test]
fn every_file_comes_with_all_that_guards_it() {
    let server = Server::start();
    for (path, name, content_type) in FILES {
        let host = format!("Host: {}", server.address);
        let whole = ask(&server.address, &format!("GET {path}"), &[&host]);
        assert_eq!((whole.status(), &whole.body), ("200", &built(name)), "{path}");
        assert_eq!(whole.header("Content-Encoding"), None);
        for (header, value) in [
            ("Content-Type", content_type),
            ("Content-Length", &whole.body.len().to_string()),
            ("Cache-Control", "no-cache"),
            ("Vary", "Accept-Encoding"),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
        ] {
            assert_eq!(whole.header(header), Some(value), "{path}: {header}");
        }
        let policy = whole.header("Content-Security-Policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains(" * "), "{policy}");

        // Packed it is the same, with a tag of its own.
        let packed = ask(&server.address, &format!("GET {path}"), &["Accept-Encoding: gzip, br"]);
        assert_eq!(packed.header("Content-Encoding"), Some("gzip"));
        let mut unpacked = Vec::new();
        GzDecoder::new(packed.body.as_slice()).read_to_end(&mut unpacked).expect("gzip");
        assert_eq!(unpacked, whole.body, "{path}");
        let tag = |response: &Response| response.header("ETag").expect("a tag").to_owned();
        assert!(tag(&whole).starts_with('"') && tag(&whole) != tag(&packed), "strong, and one for each of both");

        // Who has it already gets nothing but that word.
        let known = format!("If-None-Match: \"other\", {}", tag(&packed));
        let same = ask(&server.address, &format!("GET {path}"), &["Accept-Encoding: gzip", &known]);
        assert_eq!((same.status(), same.body.len()), ("304", 0), "{path}");
        assert_eq!(tag(&same), tag(&packed));
        assert!(same.header("Content-Security-Policy").is_some() && same.header("Cache-Control").is_some());
        assert_eq!(ask(&server.address, &format!("GET {path}"), &[&known]).status(), "200", "it has the packed one");

        let head = ask(&server.address, &format!("HEAD {path}"), &[&host]);
        assert_eq!(
            (timeless(&head), head.body.len()),
            (timeless(&whole), 0),
            "a HEAD is told the same, without the body"
        );
    }
}

#[test]
fn what_is_none_of_its_files() {
    let server = Server::start();
    for path in [
        "/nothing",
        "/../",
        "/./page.js",
        "/x/../page.js",
        "//",
        "//page.js",
        "/page.js/",
        "/%70age.js",
        "/%2e%2e/page.js",
        "/..%2fpage.js",
        "/PAGE.JS",
        "page.js",
        "http://x/nothing",
        "*",
    ] {
        let answer = ask(&server.address, &format!("GET {path}"), &[]);
        assert_eq!(answer.status(), "404", "{path:?}");
        assert!(answer.body.starts_with(b"Only /, /healthz"), "it says what there is");
    }
    assert_eq!(ask(&server.address, "GET /page.js\0", &[]).status(), "400", "that is no path at all");
    assert_eq!(ask(&server.address, "GET http://x/page.js", &[]).status(), "200", "as proxies ask");
    assert_eq!(
        ask(&server.address, "GET /?from=elsewhere", &[]).status(),
        "200",
        "what is behind `?` is not looked at"
    );
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
        for path in ["/", "/page.js", "/healthz", "/ws", "/nothing"] {
            let answer = ask(&server.address, &format!("{method} {path}"), &["Content-Length: 0"]);
            assert_eq!((answer.status(), answer.header("Allow")), ("405", Some("GET, HEAD")), "{method} {path}");
        }
    }
    server.assert_serves();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_page_may_speak_with_every_replica_and_with_nobody_else() {
    let group = Group::start(3).await;
    let connects = |host: &str| {
        let answer = ask(&group.addresses[1], "GET /", &[&format!("Host: {host}")]);
        let policy = answer.header("Content-Security-Policy").expect("a policy").to_owned();
        let connects = policy.split("; ").find_map(|part| part.strip_prefix("connect-src ")).expect("connect-src");
        connects.split(' ').map(str::to_owned).collect::<Vec<_>>()
    };
    let mut expected = vec!["'self'".to_owned()];
    expected.extend(group.addresses.iter().flat_map(|address| [format!("ws://{address}"), format!("wss://{address}")]));
    assert_eq!(connects(&group.addresses[0]), expected);
    let host = "Host: x; script-src *";
    assert_eq!(ask(&group.addresses[1], "GET /", &[host]).status(), "400", "no header puts words into the policy");
    expected.extend(["ws://localhost:65433".to_owned(), "wss://localhost:65433".to_owned()]);
    assert_eq!(connects("localhost:65433"), expected);
}
