//! The page in a real browser: runs `web/tests/browser`, after `web/tests/prepare.sh` has seen to Node.js and Chromium.
//! Where those can't be had, one line says so, and nothing fails.
//!
//! ```text
//! cargo test --test browser                             # all
//! BROWSER_TESTS=killed cargo test --test browser        # those whose name has this in it
//! SCREENSHOTS=1 cargo test --test browser               # draws docs/img anew, too
//! ```

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is what a test without a harness says")]

use std::path::Path;
use std::process::{Command, ExitCode};

/// What `prepare.sh` ends with when something can't be had.
const CANNOT_BE_HAD: i32 = 77;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !mean_this(&arguments) {
        return ExitCode::SUCCESS;
    }
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web");
    let prepared = match Command::new("bash").arg(web.join("tests/prepare.sh")).output() {
        Ok(prepared) => prepared,
        Err(error) => return skipped(&format!("bash can't be run: {error}")),
    };
    let said = String::from_utf8_lossy(&prepared.stdout);
    match prepared.status.code() {
        Some(0) => {}
        Some(CANNOT_BE_HAD) => return skipped(said.trim()),
        _ => {
            eprintln!("web/tests/prepare.sh: {}\n{said}{}", prepared.status, String::from_utf8_lossy(&prepared.stderr));
            return ExitCode::FAILURE;
        }
    }
    let mut node = Command::new("node");
    node.args(["--test", "--test-concurrency=1", "--test-timeout=180000", "--test-reporter=spec"]);
    if let Ok(pattern) = std::env::var("BROWSER_TESTS") {
        node.arg(format!("--test-name-pattern={pattern}"));
    }
    let run = node
        .arg("tests/browser/")
        .current_dir(web)
        .env("LASTWORD", env!("CARGO_BIN_EXE_lastword"))
        .env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .status();
    match run {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(status) => {
            eprintln!("the tests in the browser ended with {status}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("node can't be run: {error}");
            ExitCode::FAILURE
        }
    }
}

fn skipped(why: &str) -> ExitCode {
    println!("SKIPPED: the page was not tried in a browser. {why}");
    ExitCode::SUCCESS
}

/// Whether it is this that is asked for, and not some other test. (Words that begin with a minus are those that cargo
/// passes to all.)
fn mean_this(arguments: &[String]) -> bool {
    let mut filters = arguments.iter().filter(|argument| !argument.starts_with('-')).peekable();
    let elsewhere = arguments.iter().any(|argument| argument == "--list" || argument == "--ignored");
    !elsewhere && (filters.peek().is_none() || filters.any(|filter| "browser".contains(filter.as_str())))
}
