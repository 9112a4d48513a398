//! Which replicas: `H1 P1 H2 P2`, `H:P,H:P`, or a mixture.

use std::collections::BTreeSet;

/// The replicas that `lastword local` starts.
const LOCAL: [&str; 3] = ["127.0.0.1:65433", "127.0.0.1:65434", "127.0.0.1:65435"];

const FORMS: &str = "The replicas are given as `HOST PORT HOST PORT …`, or as `HOST:PORT,HOST:PORT,…`, for example\n  \
     lastword chat 127.0.0.1 65433 127.0.0.1 65434 127.0.0.1 65435\n  \
     lastword chat 127.0.0.1:65433,[::1]:65434";

/// Reads the arguments into addresses, in their order.
///
/// # Errors
/// What is wrong with them, and the right forms.
pub(crate) fn parse(arguments: &[String]) -> Result<Vec<String>, String> {
    if arguments.is_empty() {
        return Ok(LOCAL.map(String::from).to_vec());
    }
    let mut words = arguments.iter().flat_map(|argument| argument.split(',')).filter(|word| !word.is_empty());
    let mut addresses = Vec::new();
    while let Some(word) = words.next() {
        let address = match split(word) {
            Some((host, port)) => address(host, port),
            None if word.parse::<u64>().is_ok() => Err(format!("`{word}` stands where a host should.")),
            None => match words.next() {
                Some(port) => address(word, port),
                None => Err(format!("The host `{word}` has no port.")),
            },
        };
        addresses.push(address.map_err(|wrong| format!("{wrong}\n{FORMS}"))?);
    }
    if addresses.is_empty() {
        return Err(format!("No replica is named.\n{FORMS}"));
    }
    let mut seen = BTreeSet::new();
    match addresses.iter().find(|address| !seen.insert(*address)) {
        Some(twice) => Err(format!("`{twice}` is named twice.\n{FORMS}")),
        None => Ok(addresses),
    }
}

/// Splits `HOST:PORT`; `None` where there is only a host.
fn split(word: &str) -> Option<(&str, &str)> {
    let (host, port) = word.rsplit_once(':')?;
    let is_bare_v6 = host.contains(':') && !host.starts_with('[');
    let is_bracketed_host_only = word.starts_with('[') && word.ends_with(']');
    (!is_bare_v6 && !is_bracketed_host_only).then_some((host, port))
}

fn address(host: &str, port: &str) -> Result<String, String> {
    if host.is_empty() {
        return Err(format!("`{host}:{port}` has no host."));
    }
    if host.contains(char::is_whitespace) {
        return Err(format!("`{host}` is not a host."));
    }
    match port.parse::<u16>() {
        Ok(port) if port > 0 && host.contains(':') && !host.starts_with('[') => Ok(format!("[{host}]:{port}")),
        Ok(port) if port > 0 => Ok(format!("{host}:{port}")),
        _ => Err(format!("`{port}` is not a port (1 to 65535), after the host `{host}`.")),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    fn read(line: &str) -> Result<Vec<String>, String> {
        parse(&line.split_whitespace().map(String::from).collect::<Vec<_>>())
    }

    #[test]
    fn every_form_is_read() {
        for (line, addresses) in [
            ("", "127.0.0.1:65433 127.0.0.1:65434 127.0.0.1:65435"),
            ("h1 1 h2 2 h3 3", "h1:1 h2:2 h3:3"),
            ("h1:1,h2:2,h3:3", "h1:1 h2:2 h3:3"),
            ("h1:1 h2:2", "h1:1 h2:2"),
            ("h1:1,h2:2 h3 3", "h1:1 h2:2 h3:3"),
            ("h1 1 h2:2", "h1:1 h2:2"),
            ("[::1]:65433", "[::1]:65433"),
            ("::1 65433 [::2] 5", "[::1]:65433 [::2]:5"),
            ("[2001:db8::2] 5 2001:db8::3 6", "[2001:db8::2]:5 [2001:db8::3]:6"),
            ("h1:1, h2:2,", "h1:1 h2:2"),
        ] {
            assert_eq!(read(line).map(|read| read.join(" ")).as_deref(), Ok(addresses), "{line}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_the_right_form() {
        for (line, word) in [
            ("h1", "`h1` has no port"),
            ("h1 1 h2", "`h2` has no port"),
            ("h1 x", "`x` is not a port"),
            ("h1 0", "`0` is not a port"),
            ("h1:70000", "`70000` is not a port"),
            (":1", "no host"),
            ("h1:", "`` is not a port"),
            ("65433", "stands where a host"),
            ("h1 1 2 h2", "`2` stands where a host"),
            (",", "No replica"),
            ("h1:1 h1 1", "twice"),
        ] {
            let wrong = read(line).unwrap_err();
            assert!(wrong.contains(word) && wrong.contains("HOST:PORT,HOST:PORT"), "{line}: {wrong}");
        }
    }
}
