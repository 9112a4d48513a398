//! The page that Prometheus reads. What each line means stands in `docs/operations.md`, too.

use std::sync::atomic::Ordering;
use std::time::UNIX_EPOCH;

use lastword_core::gauges::{Gauges, LinkGauges};
use lastword_core::io::ReplicaId;
use prometheus_client::encoding::prometheus_text;
use prometheus_client::metrics::info::Info;

use super::Metrics;
use super::families::{Families, Labels, by_label};
use super::labels::{Kind, Label};
use super::machine::Machine;
use super::scrape::Sample;
use crate::group::Group;

/// Makes the page. What is not known is left out, and which part of it that is stands on the page.
pub(super) fn write(metrics: &Metrics, group: &Group, core: Option<&Sample>, machine: Option<&Machine>) -> String {
    let mut page = Families::default();
    let build = vec![("version", env!("CARGO_PKG_VERSION").to_owned()), ("replica", group.own_name())];
    page.0.register(
        "lastword_build",
        "The program's version, and which of its group this replica is",
        Info::new(build),
    );
    let missing = [("core", core.is_none()), ("machine", machine.is_none())];
    page.gauges(
        "lastword_scrape_missing",
        "1 where a part of this page is missing, because the core, or the machine, did not answer within 2 s",
        missing.map(|(part, missing)| (vec![("part", part.to_owned())], u64::from(missing))).into_iter(),
    );
    if let Some(sample) = core {
        replicas(&mut page, group, &sample.gauges);
        queues(&mut page, sample);
        log(&mut page, &sample.gauges);
    }
    counted_of_replicas(&mut page, group, metrics);
    clients(&mut page, metrics, core.map(|sample| &sample.gauges));
    syncs(&mut page, metrics);
    if let Some(machine) = machine {
        disk(&mut page, machine);
        process(&mut page, machine);
    }
    page.gauge_if(
        "lastword_tls_certificate_expiry_seconds",
        "When the TLS certificate ends, or the first of its chain, in seconds since 1970",
        metrics.certificates.as_ref().and_then(|certificates| certificates.end()),
    );
    let began = metrics.began.duration_since(UNIX_EPOCH).map(|since| since.as_secs_f64());
    page.gauge_if("process_start_time_seconds", "When this process began, in seconds since 1970", began.ok());
    let mut text = String::new();
    // Writing to a string never fails.
    let _ = prometheus_text::encode(&mut text, &page.0);
    text
}

/// The other replicas, as this one sees them.
fn replicas(page: &mut Families, group: &Group, core: &Gauges) {
    page.gauge("lastword_replicas", "How many replicas the group has, this one among them", group.members.len());
    page.gauge(
        "lastword_stale",
        "1 while this replica may lack what others have, since it started without being the last one up",
        u64::from(core.stale),
    );
    let linked = core.peers.iter().filter_map(|peer| Some((of(peer.id), peer.link.as_ref()?)));
    let flag = |is: &dyn Fn(&LinkGauges) -> bool| {
        let value = |peer: &lastword_core::gauges::PeerGauges| u64::from(peer.link.as_ref().is_some_and(is));
        core.peers.iter().map(|peer| (of(peer.id), value(peer))).collect::<Vec<_>>().into_iter()
    };
    page.gauges("lastword_in_sync", "1 while answers wait for this replica's disk", flag(&|link| link.in_sync));
    page.gauges("lastword_peer_connected", "1 while this replica is connected", flag(&|_| true));
    page.gauges(
        "lastword_peer_lag_facts",
        "Facts of the log here that this replica, which is connected, has not confirmed",
        linked.clone().map(|(labels, link)| (labels, link.behind)),
    );
    page.gauges(
        "lastword_peer_lag_seconds",
        "How old the oldest of those is; at most 5, and 0 where it is younger than 0.05",
        linked.clone().map(|(labels, link)| (labels, link.behind_for.as_secs_f64())),
    );
    page.gauges(
        "lastword_peer_in_flight_bytes",
        "Facts pushed to this replica that it has not confirmed",
        linked.clone().map(|(labels, link)| (labels, link.in_flight_bytes)),
    );
    page.gauges(
        "lastword_peer_round_trip_seconds",
        "How long the last sign of life took to this replica and back",
        linked.map(|(labels, link)| (labels, link.round_trip.as_secs_f64())),
    );
    page.gauge_if(
        "lastword_last_acknowledged_copies",
        "On how many disks the fact was of which a client was told last that it is stored",
        core.last_copies.map(|copies| u64::from(copies.stored)),
    );
    let acknowledged = (0..group.members.len()).map(|n| {
        let labels = vec![("copies", (n + 1).to_string())];
        (labels, core.acknowledged.get(n).copied().unwrap_or(0))
    });
    page.counters(
        "lastword_acknowledged",
        "Facts (messages, confirms of delivery, sessions, steps of a create) that were acknowledged, by on how many disks they were then",
        acknowledged,
    );
}

fn of(replica: ReplicaId) -> Labels {
    vec![("replica", replica.name())]
}

fn counted_of_replicas(page: &mut Families, group: &Group, metrics: &Metrics) {
    let others = metrics.left.iter().enumerate().filter(|&(n, _)| n != usize::from(group.own.0));
    let problems = others.clone().map(|(n, _)| {
        let replica = ReplicaId(n as u8);
        (of(replica), u64::from(metrics.problems.of(replica).is_some()))
    });
    page.gauges(
        "lastword_peer_problem",
        "1 while this replica can't be met for a fault of configuration, which the log and `lastword status` name",
        problems,
    );
    let left = others.flat_map(|(n, counts)| {
        by_label(counts).map(move |(mut labels, count)| {
            labels.extend(of(ReplicaId(n as u8)));
            (labels, count)
        })
    });
    page.counters("lastword_peer_left", "How often answers ceased to wait for this replica, by why", left);
    page.counts(
        "lastword_reports",
        "What is in the log lines: damaged records, repaired and lost ones, facts that can't be (ignored) or are not understood, replicas with another list of the group, facts that came too early and did not fit (hold_full), clocks that keep unused sessions from being ended (clock)",
        &metrics.told,
    );
}

fn clients(page: &mut Families, metrics: &Metrics, core: Option<&Gauges>) {
    page.gauges("lastword_connections", "Client connections, by protocol", by_label(&metrics.connections.now));
    page.gauge("lastword_connections_max", "The most client connections at a time", metrics.connections_max);
    page.counts("lastword_connections_opened", "Client connections so far, by protocol", &metrics.connections.opened);
    page.counts(
        "lastword_connections_ended",
        "Client connections that the server has ended: too much waited for it (slow), it took nothing for 10 s (stuck), its account or session is gone, the server stopped",
        &metrics.ended,
    );
    page.gauge_if(
        "lastword_logged_in_connections",
        "Client connections that are logged in",
        core.map(|core| core.logged_in),
    );
    page.gauge_if("lastword_listening_connections", "Client connections that listen", core.map(|core| core.listening));
    page.gauge_if("lastword_accounts", "Accounts that there are, and were", core.map(|core| core.accounts));
    page.gauge_if(
        "lastword_pending_messages",
        "Messages that wait for their receivers, over all accounts; some seconds late, and what came and went within those was never among them",
        metrics.pending(),
    );
    page.counts("lastword_requests", "Requests, by operation", &metrics.requests);
    page.counts("lastword_errors", "Requests and lines that were refused, by code", &metrics.errors);
    let answers = Kind::ALL.iter().map(|kind| vec![(Kind::NAME, kind.text().to_owned())]).zip(&metrics.answers);
    page.histograms(
        "lastword_answer_seconds",
        "From a request's line being taken up to its answer being on the socket: send, what costs a password hash (password), what looks something up (read), delivered, which is gathered for up to 0.1 s, and all else",
        answers,
    );
    page.counter(
        "lastword_clients_moved",
        "Connections that began to listen after a resume: clients that came over from another replica, or back to this one",
        metrics.moved.load(Ordering::Relaxed),
    );
    page.counts(
        "lastword_password_hashes",
        "Password hashes, done and refused because too many waited",
        &metrics.hashes,
    );
}

fn queues(page: &mut Families, sample: &Sample) {
    let core = &sample.gauges;
    page.gauge("lastword_unanswered_facts", "Facts that wait for disks before they are acknowledged", core.unanswered);
    page.gauge(
        "lastword_oldest_unanswered_seconds",
        "How long the oldest of them has waited; 0 without any",
        core.oldest_unanswered.unwrap_or_default().as_secs_f64(),
    );
    page.gauge("lastword_core_queue_inputs", "Inputs that wait for the core; at most 8,192", sample.inputs);
    page.gauge(
        "lastword_views_behind_bytes",
        "Changes that the views have not taken in; beyond 128 MiB appending waits",
        sample.views_behind_bytes,
    );
    page.gauge("lastword_password_hashes_waiting", "Password hashes that wait or are computed", sample.hashes);
    let (items, bytes) = sample.most_for_client;
    page.gauge("lastword_client_queue_items", "What waits for the client for whom most waits; at most 20,000", items);
    page.gauge("lastword_client_queue_bytes", "Bytes that wait for the client for whom most wait", bytes);
    page.gauges(
        "lastword_peer_queue_bytes",
        "What waits to be written to this replica; beyond 64 MiB the link is closed",
        sample.for_peers.iter().map(|&(peer, bytes)| (of(peer), bytes)),
    );
    page.gauge("lastword_jobs", "Lookups and password hashes that somebody waits for; at most 20,000", core.jobs);
    page.gauge("lastword_lists", "list requests under way; at most 256", core.lists);
    page.gauge("lastword_name_attempts", "Creates that wait for the other replicas; at most 1,000", core.attempts);
    page.gauge("lastword_held_bytes", "Facts that came before what they rest on; at most 64 MiB", core.held_bytes);
}

fn log(page: &mut Families, core: &Gauges) {
    page.gauge("lastword_log_facts", "Facts in the log on disk", core.facts_on_disk);
    page.gauge("lastword_wanted_facts", "Facts that another replica has, and this one has not", core.facts_wanted);
    page.gauge("lastword_damaged_records", "Records of the log that are known to be damaged", core.damaged);
    page.gauge(
        "lastword_disk_has_room",
        "0 while nothing new is taken in because the disk is full",
        u64::from(core.disk_has_room),
    );
    page.gauge(
        "lastword_views_ready",
        "0 while the views are being rebuilt, when nobody can log in",
        u64::from(core.views_ready),
    );
}

fn syncs(page: &mut Families, metrics: &Metrics) {
    page.histogram("lastword_sync_seconds", "One transaction of the log with its sync", &metrics.sync);
    page.histogram("lastword_sync_facts", "Facts in one transaction of the log", &metrics.sync_facts);
    page.gauge(
        "lastword_log_queue_facts",
        "Facts that wait for the log's thread, or are being written by it",
        metrics.log_queue.load(Ordering::Relaxed),
    );
}

fn disk(page: &mut Families, machine: &Machine) {
    let files = machine.file_bytes.iter().map(|&(name, bytes)| (vec![("file", name.to_owned())], bytes));
    page.gauges("lastword_file_bytes", "The size of the files in the data directory", files);
    page.gauge_if("lastword_disk_free_bytes", "What is free on the disk of the data directory", machine.free_bytes);
}

/// By the names that all programs have for these.
fn process(page: &mut Families, machine: &Machine) {
    if let Some(seconds) = machine.cpu_seconds {
        page.counter("process_cpu_seconds", "Processor time, of the user and of the system", seconds);
    }
    page.gauge_if("process_resident_memory_bytes", "Memory in use", machine.resident_bytes);
    page.gauge_if("process_virtual_memory_bytes", "Addresses in use", machine.virtual_bytes);
    page.gauge_if("process_open_fds", "Open files, connections among them", machine.open_files);
    page.gauge_if("process_max_fds", "The most open files", machine.open_files_max);
}
