//! Log lines on standard error, as many as `LASTWORD_LOG` says.

use std::io::IsTerminal;

use anyhow::bail;
use tracing_subscriber::EnvFilter;

/// What it may say, at the end of an error about it.
const FORMS: &str = "give error, warn, info, debug or trace, or off, or unset it (info)";

/// Starts the log: `LASTWORD_LOG=debug` says more, `LASTWORD_LOG=warn` less.
///
/// # Errors
/// It can't be read: a log that is silent by mistake is missed when it is too late.
pub(crate) fn start_log() -> anyhow::Result<()> {
    let said = match std::env::var("LASTWORD_LOG") {
        Ok(said) => said,
        Err(std::env::VarError::NotPresent) => String::new(),
        Err(std::env::VarError::NotUnicode(_)) => bail!("LASTWORD_LOG is not text: {FORMS}"),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter(&said)?)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    Ok(())
}

/// A level for all, and levels for parts of the program as TARGET=LEVEL, with commas between. Without one for all: info.
fn filter(said: &str) -> anyhow::Result<EnvFilter> {
    let mut parts = vec!["info"];
    for part in said.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        // Any other word would be taken for the name of a part of the program, and silence all others.
        let level = part.rsplit_once('=').map_or(part, |(_, level)| level);
        if !["off", "error", "warn", "info", "debug", "trace"].contains(&level.to_ascii_lowercase().as_str()) {
            bail!("LASTWORD_LOG={said} can't be read, because `{part}` is not a level: {FORMS}");
        }
        parts.push(part);
    }
    EnvFilter::try_new(parts.join(",")).map_err(|error| anyhow::anyhow!("LASTWORD_LOG={said}: {error}; {FORMS}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_for_all_and_for_parts() {
        let said = |text: &str| filter(text).map(|filter| filter.to_string()).map_err(|error| error.to_string());
        assert_eq!(said("").as_deref(), Ok("info"));
        assert_eq!(said("warn").as_deref(), Ok("warn"), "the last one for all counts");
        assert_eq!(said(" DEBUG ,").as_deref(), Ok("debug"));
        let parts = said("tokio=debug").unwrap();
        assert!(parts.contains("tokio=debug") && parts.contains("info"), "the rest is not silent: {parts}");
        for nonsense in ["verbose", "info;debug", "debug,loud", "lastword=", "1"] {
            let error = said(nonsense).unwrap_err();
            assert!(error.contains(nonsense) && error.contains("give error, warn"), "{error}");
        }
    }
}
