//! What cargo passes to every test program. These suites have no use for most of it, but must take it.

use clap::Args;

/// Arguments of the usual test harness.
#[derive(Args, Debug, Clone)]
pub struct FromCargo {
    /// Which tests to run: this one is called as its suite is.
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
    #[arg(long, hide = true)]
    list: bool,
    #[arg(long, hide = true)]
    nocapture: bool,
    #[arg(long, hide = true)]
    no_capture: bool,
    #[arg(long, short, hide = true)]
    quiet: bool,
    #[arg(long, hide = true)]
    ignored: bool,
    #[arg(long, hide = true)]
    include_ignored: bool,
    #[arg(long, hide = true)]
    exact: bool,
    #[arg(long, hide = true)]
    show_output: bool,
    #[arg(long, hide = true)]
    skip: Vec<String>,
    #[arg(long, hide = true)]
    test_threads: Option<usize>,
    #[arg(long, hide = true)]
    color: Option<String>,
    #[arg(long, hide = true)]
    format: Option<String>,
}

impl FromCargo {
    /// Whether it is this suite that is asked for, and not some other test.
    pub fn means(&self, suite: &str) -> bool {
        let named = self.filters.is_empty() || self.filters.iter().any(|filter| suite.contains(filter.as_str()));
        named && !self.list && !self.ignored && !self.skip.iter().any(|skip| suite.contains(skip.as_str()))
    }
}
