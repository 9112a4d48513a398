//! The names known so far, for completion.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

/// How many are kept.
const MOST: usize = 10_000;

/// The names known so far; shared with the editor.
#[derive(Clone, Default)]
pub(super) struct Names(Arc<Mutex<BTreeSet<String>>>);

impl Names {
    pub fn learn(&self, name: &str) {
        if let Ok(mut names) = self.0.lock()
            && names.len() < MOST
            && !names.contains(name)
        {
            names.insert(name.to_owned());
        }
    }

    /// Those that begin so, whatever their case.
    pub fn beginning(&self, start: &str) -> Vec<String> {
        let start = start.to_lowercase();
        let Ok(names) = self.0.lock() else { return Vec::new() };
        names.iter().filter(|name| name.to_lowercase().starts_with(&start)).cloned().collect()
    }
}
