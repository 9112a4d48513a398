//! How long a core takes for one call.

use std::time::Duration;

use lastword_core::{Core, Input, Now, Output};

/// One call of a core: an input, and all that came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    pub took: Duration,
    /// What went in.
    pub input: &'static str,
}

/// Hands an input in, takes all that comes out, and says how long that took.
#[expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "the core is measured from outside")]
pub fn timed(core: &mut Core, now: Now, input: Input) -> (Vec<Output>, Call) {
    let name = name(&input);
    let began = std::time::Instant::now();
    core.handle(now, input);
    let outputs = std::iter::from_fn(|| core.poll_output()).collect();
    (outputs, Call { took: began.elapsed(), input: name })
}

fn name(input: &Input) -> &'static str {
    match input {
        Input::Opened(_) => "Opened",
        Input::Closed(_) => "Closed",
        Input::Request(..) => "Request",
        Input::Drained(_) => "Drained",
        Input::LinkUp(..) => "LinkUp",
        Input::Link(..) => "Link",
        Input::LinkDown(..) => "LinkDown",
        Input::Stored(_) => "Stored",
        Input::Repaired(_) => "Repaired",
        Input::DiskRoom(_) => "DiskRoom",
        Input::ViewsReady(_) => "ViewsReady",
        Input::Hashed(..) => "Hashed",
        Input::Checked(..) => "Checked",
        Input::Found(..) => "Found",
        Input::Matched(..) => "Matched",
        Input::Timer => "Timer",
    }
}
