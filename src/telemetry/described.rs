//! Every metric in words: what `/metrics` tells with each. A test compares this list with the code, with a server that has
//! worked, and with docs/operations.md.

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// It only grows, until the process ends.
    Counter,
    /// It is as it is.
    Gauge,
    /// How often something took up to how long, in seconds.
    Histogram,
}

/// A metric. Its labels take words of closed lists only: names of routes, views, kinds, codes; never of things.
#[derive(Debug)]
pub struct Metric {
    /// As it is called in `/metrics`.
    pub name: &'static str,
    /// What it is.
    pub sort: Sort,
    /// By what it is told apart.
    pub labels: &'static [&'static str],
    /// What it counts.
    pub about: &'static str,
}

const fn counter(name: &'static str, labels: &'static [&'static str], about: &'static str) -> Metric {
    Metric { name, sort: Sort::Counter, labels, about }
}

const fn gauge(name: &'static str, labels: &'static [&'static str], about: &'static str) -> Metric {
    Metric { name, sort: Sort::Gauge, labels, about }
}

const fn histogram(name: &'static str, labels: &'static [&'static str], about: &'static str) -> Metric {
    Metric { name, sort: Sort::Histogram, labels, about }
}

/// All of them, by name.
pub const METRICS: &[Metric] = &[
    counter("keytrail_append_batches_total", &[], "Batches of commands that were written to the log."),
    histogram("keytrail_append_seconds", &[], "How long a batch took to be on disk."),
    gauge("keytrail_build_info", &["engine", "version"], "1; its labels say which version serves over which engine."),
    counter("keytrail_diff_cache_evicted_bytes_total", &[], "Bytes of files of diffs that made room for others."),
    counter("keytrail_diff_fetches_total", &[], "Fetches because somebody looked at a commit."),
    counter(
        "keytrail_events_appended_total",
        &["type"],
        "Events that this node appended; index_run.completed, .failed and .cancelled are the outcomes of runs.",
    ),
    counter("keytrail_fetched_bytes_total", &[], "Bytes that came from remotes and originals."),
    counter("keytrail_fetched_objects_total", &[], "Objects of git that came with them."),
    counter(
        "keytrail_git_objects_read_total",
        &["by"],
        "Objects of git that were read, by polls, by the refs and by the walks of runs.",
    ),
    gauge(
        "keytrail_github_budget_remaining",
        &["host", "installation"],
        "Requests that are left of the budget of an installation of an app.",
    ),
    counter("keytrail_github_limits_total", &["host", "installation"], "Limits that an installation of an app met."),
    histogram(
        "keytrail_http_request_seconds",
        &["method", "route", "status"],
        "How long requests took, by the pattern of their route.",
    ),
    counter("keytrail_http_tokens_refused_total", &[], "Requests whose token was refused."),
    counter("keytrail_index_run_failures_total", &["code"], "Index runs that failed on this node, by why."),
    gauge(
        "keytrail_job_oldest_seconds",
        &["kind", "state"],
        "How long ago the oldest job of a kind in a state was asked for; 0 when there is none.",
    ),
    histogram("keytrail_job_seconds", &["kind"], "How long jobs took."),
    gauge("keytrail_jobs", &["kind", "state"], "Jobs, over all nodes."),
    counter("keytrail_jobs_total", &["kind", "outcome"], "Jobs that ended on this node: done, or to be done again."),
    gauge("keytrail_log_position", &[], "The last position of the log."),
    gauge("keytrail_mirror_bytes", &[], "Bytes of the copies of repositories on this node, as of the last upkeep."),
    histogram("keytrail_mirror_tend_seconds", &[], "How long it took to put a copy in order."),
    gauge("keytrail_mirrors", &[], "Copies of repositories on this node, as of the last upkeep."),
    counter("keytrail_mirrors_deleted_total", &[], "Copies that nobody needed any more."),
    counter("keytrail_mirrors_tended_total", &["outcome"], "Copies that were put in order, or could not be."),
    gauge("keytrail_mirrors_over_quota", &[], "Copies that are larger than git.quota_bytes, as of the last upkeep."),
    counter("keytrail_polls_total", &["outcome"], "Looks at repositories, by what came of them."),
    gauge("keytrail_process_open_files", &[], "Files and connections that the process has open."),
    gauge("keytrail_process_resident_bytes", &[], "Memory that the process holds."),
    gauge("keytrail_process_uptime_seconds", &[], "How long the process runs."),
    gauge("keytrail_reactor_lag_events", &[], "How many events the policies are behind the log."),
    gauge("keytrail_reactor_lag_seconds", &[], "For how long the first of these has waited."),
    gauge("keytrail_repositories_polled", &[], "Repositories that this node looks after."),
    counter("keytrail_schedule_rows_read_total", &[], "Rows that were read to learn which repositories there are."),
    counter("keytrail_ssh_connections_total", &[], "Connections over SSH that were begun, one for each key."),
    gauge(
        "keytrail_ssh_key_last_used_seconds",
        &[],
        "How long ago a host took the key of SSH that was not used for longest; 0 without any that was used.",
    ),
    gauge(
        "keytrail_ssh_key_oldest_seconds",
        &[],
        "How long ago the oldest key of SSH in the pool came; 0 without any.",
    ),
    gauge("keytrail_ssh_keys", &["store"], "Keys of SSH in the pool: sealed in the server, or in files on its disk."),
    gauge("keytrail_ssh_keys_never_used", &[], "Those that no host took yet."),
    gauge("keytrail_ssh_keys_old", &[], "Those that came longer ago than ssh_keys.old_days."),
    gauge("keytrail_ssh_servers", &[], "SSH servers whose host keys are trusted."),
    gauge("keytrail_ssh_servers_changed", &[], "Those that show another key, while nobody decided: alarms."),
    counter(
        "keytrail_store_commits_total",
        &["area"],
        "Transactions that were written; of the area log each is a sync.",
    ),
    gauge("keytrail_view_lag_events", &["view"], "How many events a view is behind the log."),
    gauge("keytrail_view_lag_seconds", &["view"], "For how long the first of these has waited."),
    histogram("keytrail_view_page_seconds", &["view"], "How long a page of events took to be folded into a view."),
    gauge("keytrail_view_position", &["view"], "Up to which position this node has folded a view."),
    counter("keytrail_view_rows_written_total", &["view"], "Rows of views that were written or taken away."),
    counter(
        "keytrail_webhooks_total",
        &["event", "outcome"],
        "Deliveries of git services: stored, refused, or not stored for now; `other` is what nobody here knows.",
    ),
    counter("keytrail_webhooks_worked_total", &["event", "outcome"], "Deliveries that this node worked off."),
];

/// Gives each its words. Once, after the recorder is there.
pub(super) fn describe() {
    for Metric { name, sort, about, .. } in METRICS {
        match sort {
            Sort::Counter => metrics::describe_counter!(*name, *about),
            Sort::Gauge => metrics::describe_gauge!(*name, *about),
            Sort::Histogram => metrics::describe_histogram!(*name, *about),
        }
    }
}
