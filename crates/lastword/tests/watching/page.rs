//! The page of `/metrics`, read as strictly as Prometheus does.

use std::collections::{BTreeMap, BTreeSet};

use super::process;

/// A page: what stands before each number, and the number.
pub struct Page {
    samples: BTreeMap<String, f64>,
    /// The names of what is on it.
    pub described: BTreeSet<String>,
    pub text: String,
}

impl Page {
    /// Asks a server for one.
    pub fn of(address: &str) -> Self {
        let answer = process::http(address, "GET", "/metrics");
        let (head, text) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no page: {answer:?}"));
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        let content_type = "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n";
        assert!(head.contains(content_type), "{head}");
        Self::read(text)
    }

    /// Reads it line by line: each family is described before its samples, which stand together, and no sample
    /// stands there twice.
    pub fn read(text: &str) -> Self {
        let mut samples = BTreeMap::new();
        let mut described = BTreeSet::new();
        let mut family: Option<(String, String)> = None;
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').expect("a text");
                assert!(help.ends_with('.') && !help.ends_with(".."), "{line}");
                assert!(described.insert(name.to_owned()), "described twice: {name}");
                let kind =
                    lines.next().and_then(|line| line.strip_prefix("# TYPE ")?.strip_prefix(name)?.strip_prefix(' '));
                let kind = kind.unwrap_or_else(|| panic!("{name} has no type"));
                assert_eq!(name.ends_with("_total"), kind == "counter", "{name} is a {kind}");
                family = Some((name.to_owned(), kind.to_owned()));
                continue;
            }
            let (sample, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"));
            let name = sample.split('{').next().unwrap_or_default();
            let (of, kind) = family.as_ref().unwrap_or_else(|| panic!("not described: {line}"));
            let parts: &[&str] = if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
            assert!(parts.iter().any(|part| name.strip_suffix(part) == Some(of)), "{line} is none of {of}");
            assert!(name.starts_with("lastword_") || name.starts_with("process_"), "{line}");
            let value: f64 = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
            assert!(samples.insert(sample.to_owned(), value).is_none(), "twice: {line}");
        }
        let page = Self { samples, described, text: text.to_owned() };
        page.assert_histograms_fit();
        page
    }

    /// Buckets never fall, and the last one is the count.
    fn assert_histograms_fit(&self) {
        let mut lines = self.text.lines().filter_map(|line| line.rsplit_once(' ')).peekable();
        while let Some((sample, value)) = lines.next() {
            let Some((_, bound)) = sample.split_once("le=\"") else { continue };
            let value: f64 = value.parse().expect("a number");
            match lines.peek() {
                Some((next, larger)) if next.contains("_bucket") && bound != "+Inf\"}" => {
                    assert!(larger.parse::<f64>().expect("a number") >= value, "{sample} has more than {next}");
                }
                _ => {
                    let count = sample.replace("_bucket", "_count").replace("le=\"+Inf\"", "").replace(",}", "}");
                    assert_eq!(self.samples[count.trim_end_matches("{}")], value, "{sample}");
                }
            }
        }
    }

    /// A number that is on the page.
    pub fn value(&self, sample: &str) -> f64 {
        self.get(sample).unwrap_or_else(|| panic!("{sample} is missing: {}", self.text))
    }

    /// A number, if it is on the page.
    pub fn get(&self, sample: &str) -> Option<f64> {
        self.samples.get(sample).copied()
    }

    /// Those of one name that are not zero, by the value of this label.
    pub fn by(&self, name: &str, label: &str) -> BTreeMap<String, f64> {
        let of_name = self.samples.iter().filter_map(|(sample, &value)| Some((sample.strip_prefix(name)?, value)));
        let labelled = of_name.filter_map(|(labels, value)| {
            let (_, rest) = labels.split_once(&format!("{label}=\""))?;
            Some((rest.split('"').next()?.to_owned(), value))
        });
        labelled.filter(|&(_, value)| value != 0.0).collect()
    }
}
