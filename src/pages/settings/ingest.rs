//! What comes in, how long it takes to keep it, and what was wrong with it.

use crate::components::fact::Fact;
use crate::components::time_text::TimeText;
use leptos::prelude::*;
use meshscope_api::{IngestProblem, ServerStatus};
use meshscope_layout::format;

fn whole(n: u64) -> String {
    format::integer(i64::try_from(n).unwrap_or(i64::MAX))
}

/// The card of rates, queue and commits.
pub(super) fn figures(status: &ServerStatus) -> impl IntoView + use<> {
    let (rates, received, live) = (status.rates, status.received, status.live);
    let signals = [
        ("Spans", rates.spans_per_second, received.spans),
        ("Log records", rates.logs_per_second, received.logs),
        (
            "Metric points",
            rates.metric_points_per_second,
            received.metric_points,
        ),
    ];
    let row = |(name, rate, since): (&'static str, f64, u64)| {
        view! {
            <tr><td>{name}</td><td class="num">{format!("{rate:.1}/s")}</td><td class="num">{whole(since)}</td></tr>
        }
    };
    let (waiting, capacity) = (status.queue.records, status.queue.capacity);
    let commits = status.commits;
    let took = |ns: i64| {
        if commits.count == 0 {
            "\u{2013}".to_owned()
        } else {
            format::duration(ns)
        }
    };
    view! {
        <section class="panel card">
            <h2>"Coming in"</h2>
            <table class="list">
                <thead><tr><th>"Signal"</th><th class="num">"Last 10 seconds"</th><th class="num">"Since the start"</th></tr></thead>
                <tbody>{signals.map(row).collect_view()}</tbody>
            </table>
            <div class="facts">
                <Fact name="Waiting to be written" value=format!("{} of {}", whole(waiting), whole(capacity))
                    title="Records in the queue; when it is full, senders are told to come back" />
                <Fact name="Told to come back" value=whole(status.queue.refused) title="Requests answered with 503 since the start" />
                <Fact name="Left out" value=whole(received.rejected) title="Records with something wrong; the list below says what" />
                <Fact name="Sent twice" value=whole(received.repeated_spans) title="Spans that were there already; each counts once" />
                <Fact name="Completed later" value=whole(received.merged_spans) title="Spans that said more of one that was there" />
            </div>
            <div class="facts">
                <Fact name="Commits" value=whole(commits.count) />
                <Fact name="Commit, median" value=took(commits.p50_ns) title="Of the latest 500" />
                <Fact name="Commit, 95 %" value=took(commits.p95_ns) title="Of the latest 500" />
                <Fact name="Live followers" value=live.subscribers.to_string() title="Open connections to /api/v1/stream" />
                <Fact name="Live gaps" value=whole(live.gaps) title="How often a follower was too slow and had to read again" />
            </div>
        </section>
    }
}

/// The card of problems, each with examples.
pub(super) fn problems(problems: Vec<IngestProblem>) -> impl IntoView {
    let list = if problems.is_empty() {
        view! { <p class="muted">"Everything that came in could be kept as it was sent."</p> }.into_any()
    } else {
        view! {
            <table class="list">
                <thead><tr><th>"Last seen"</th><th>"Signal"</th><th class="num">"Seen"</th><th class="num">"Left out"</th><th>"What was wrong"</th></tr></thead>
                <tbody>{problems.into_iter().map(problem).collect_view()}</tbody>
            </table>
        }
        .into_any()
    };
    view! { <section class="panel card"><h2>"Problems in what came in"</h2>{list}</section> }
}

fn problem(problem: IngestProblem) -> impl IntoView {
    let others: Vec<_> = problem
        .examples
        .into_iter()
        .filter(|example| *example != problem.message)
        .map(|example| view! { <li>{example}</li> })
        .collect();
    let others = (!others.is_empty()).then(|| {
        view! { <details class="muted"><summary>"More examples"</summary><ul>{others}</ul></details> }
    });
    view! {
        <tr>
            <td class="muted nowrap"><TimeText ns=problem.last_at /></td><td>{problem.signal}</td>
            <td class="num">{whole(problem.seen)}</td><td class="num">{whole(problem.rejected)}</td>
            <td>{problem.message}{others}</td>
        </tr>
    }
}
