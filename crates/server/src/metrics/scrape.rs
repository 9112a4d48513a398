//! One look at everything. It has an end, whoever does not answer.

use std::time::Duration;

use lastword_core::gauges::Gauges;
use lastword_core::io::ReplicaId;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::machine::Machine;
use super::page;
use crate::engine::{Engine, ToCore};
use crate::group::Group;

pub(crate) use prometheus_client::encoding::prometheus_text::CONTENT_TYPE;

/// The core, and the system, have so long to answer. Prometheus waits for 10 s if nothing else is said.
const PATIENCE: Duration = Duration::from_secs(2);

/// The page is made once in this time at most, for everybody.
const PAUSE: Duration = Duration::from_millis(100);

/// What the core's task knows.
pub(crate) struct Sample {
    /// What the core says.
    pub(crate) gauges: Gauges,
    /// Inputs that waited for the core.
    pub(crate) inputs: usize,
    /// Changes that the views have not taken in yet, in bytes.
    pub(crate) views_behind_bytes: u64,
    /// Password hashes that wait for their turn, or have it.
    pub(crate) hashes: usize,
    /// What waits for the client for whom most waits: things, and bytes.
    pub(crate) most_for_client: (usize, usize),
    /// Bytes that wait for other replicas.
    pub(crate) for_peers: Vec<(ReplicaId, usize)>,
}

/// Everything, in Prometheus' text format. It is made at most once in [`PAUSE`]: those who ask meanwhile get the next one
/// together, so nobody gets one that is older than their question.
pub(crate) async fn text(engine: &Engine, group: &Group) -> String {
    let asked = Instant::now();
    let mut last = engine.metrics.page.lock().await;
    if let Some((began, page)) = &*last {
        if let Some(page) = page
            && *began >= asked
        {
            return page.clone();
        }
        tokio::time::sleep_until(*began + PAUSE).await;
    }
    let began = Instant::now();
    *last = Some((began, None));
    let page = make(engine, group).await;
    *last = Some((began, Some(page.clone())));
    page
}

async fn make(engine: &Engine, group: &Group) -> String {
    let core = tokio::time::timeout(PATIENCE, ask_core(engine));
    let machine = tokio::time::timeout(PATIENCE, look_at_machine(engine));
    let (core, machine) = tokio::join!(core, machine);
    page::write(&engine.metrics, group, core.ok().flatten().as_deref(), machine.ok().flatten().as_ref())
}

async fn ask_core(engine: &Engine) -> Option<Box<Sample>> {
    let (answer, answered) = oneshot::channel();
    engine.give(ToCore::Sample(answer)).await;
    answered.await.ok()
}

async fn look_at_machine(engine: &Engine) -> Option<Machine> {
    let metrics = engine.metrics.clone();
    let turn = metrics.looking.clone().acquire_owned().await.ok()?;
    let look = move || {
        let _turn = turn;
        Machine::look(&metrics.dir)
    };
    tokio::task::spawn_blocking(look).await.ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::mpsc;

    use super::*;
    use crate::Options;
    use crate::metrics::Metrics;

    /// The page comes in time, says what is missing on it, and has all the rest.
    #[tokio::test]
    async fn a_core_that_does_not_answer_is_not_waited_for() {
        let options = Options::new("127.0.0.1:1".parse().unwrap(), std::env::temp_dir());
        let group = Group::new(&options).unwrap();
        for waiting in [1, 2] {
            let (to_core, _inputs) = mpsc::channel(1);
            let engine = Engine::new(to_core, Arc::new(Metrics::new(&options)));
            // There is room for one question, and none for a second one.
            for _ in 1..waiting {
                engine.give(ToCore::Stop).await;
            }
            let began = Instant::now();
            let text = text(&engine, &group).await;
            assert!(began.elapsed() < 2 * PATIENCE, "{:?}", began.elapsed());
            assert!(text.contains("\nlastword_scrape_missing{part=\"core\"} 1\n"), "{text}");
            assert!(text.contains("\nlastword_scrape_missing{part=\"machine\"} 0\n"), "{text}");
            assert!(text.contains("\nlastword_requests_total{op=\"send\"} 0\n"), "{text}");
            assert!(!text.contains("lastword_stale"), "{text}");
        }
    }
    #[tokio::test]
    async fn many_who_ask_at_once_get_one_page() {
        let options = Options::new("127.0.0.1:1".parse().unwrap(), std::env::temp_dir());
        let group = Group::new(&options).unwrap();
        let (to_core, mut inputs) = mpsc::channel(1);
        let engine = Engine::new(to_core, Arc::new(Metrics::new(&options)));
        let core = async {
            let mut asked = 0;
            // The answer is dropped: the core's part is missing.
            while let Ok(Some(_)) = tokio::time::timeout(Duration::from_millis(500), inputs.recv()).await {
                asked += 1;
            }
            asked
        };
        let asking = futures_util::future::join_all((0..50).map(|_| text(&engine, &group)));
        let (asked, pages) = tokio::join!(core, asking);
        assert_eq!(pages.len(), 50);
        assert!((1..=2).contains(&asked), "{asked}");
    }
}
