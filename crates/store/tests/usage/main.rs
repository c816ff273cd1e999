//! Figures of usage against a ledger that is kept beside the store: thirty days over a change of the
//! clock, three time zones, from rows, from sums by the hour, and from both.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod check;
mod world;

use check::{Sum, ask, check, key};
use meshscope_api::usage_query::LatencyOf;
use meshscope_api::{Bucket, ListQuery, Params, TimeRange, UsageQuery, UsageRow};
use meshscope_model::time::{DAY, HOUR, MINUTE, parse_rfc3339};
use meshscope_model::{Batch, SpanEntry, Tokens, Usage};
use meshscope_store::{DuckDb, Store};
use std::collections::BTreeMap;
use world::{Call, DAYS, RUNS, STEPS, World, base, world};

/// Enough for every case.
const SESSIONS: u64 = 300;

/// Whole days, and a range that begins and ends within an hour.
fn ranges() -> [(i64, i64); 2] {
    let from = base();
    [
        (from, from + (DAYS + 1) * DAY),
        (
            from + 10 * DAY + 7 * MINUTE + 3,
            from + 24 * DAY + 5 * HOUR + 31 * MINUTE,
        ),
    ]
}

fn check_all(store: &DuckDb, world: &World) {
    let (whole, odd) = (ranges()[0], ranges()[1]);
    for tz in ["UTC", "Europe/Berlin", "America/New_York"] {
        check(store, world, whole, Bucket::Day, tz, &["model", "agent"]);
        check(store, world, odd, Bucket::Week, tz, &["version"]);
    }
    check(
        store,
        world,
        whole,
        Bucket::Month,
        "Europe/Berlin",
        &["room", "provider"],
    );
    check(
        store,
        world,
        odd,
        Bucket::Seconds(3_600),
        "America/New_York",
        &["model"],
    );
    check(store, world, odd, Bucket::Day, "Asia/Kolkata", &["agent"]);
    let short = (odd.0, odd.0 + 5 * HOUR);
    check(
        store,
        world,
        short,
        Bucket::Seconds(60),
        "Europe/Berlin",
        &["agent"],
    );
    // As many sessions as a report can tell apart.
    let days = (odd.0, odd.0 + 3 * DAY);
    check(store, world, days, Bucket::Day, "Europe/Berlin", &["session"]);
    check(store, world, odd, Bucket::Week, "UTC", &["user", "attr:app.tier"]);
}

#[test]
fn every_figure_equals_the_ledger_from_rows_and_from_sums() {
    from_rows_and_from_sums(&DuckDb::in_memory().unwrap(), SESSIONS);
}

/// What answers for so many calls that all of them are not looked at again.
#[test]
fn quantiles_off_classes_are_as_near_as_the_answer_says() {
    let store = DuckDb::in_memory().unwrap().exact_up_to(200);
    let world = from_rows_and_from_sums(&store, SESSIONS);
    let (from, to) = ranges()[0];
    let report = ask(&store, &format!("from={from}&to={to}"));
    assert!(report.totals.measures.calls > 200 && report.totals.runs > 200 && world.calls.len() > 200);
    assert!(report.quantile_error.is_some() && report.run_quantile_error.is_some());
}

/// As many spans as a month of a busy project has: too many for every run of the tests.
#[test]
#[ignore = "a million spans: cargo test --release -p meshscope-store --test usage -- --ignored"]
fn every_figure_of_a_million_spans_equals_the_ledger() {
    let sessions = 1_000_000 / (RUNS * (STEPS + 1)) + 1;
    let store = DuckDb::in_memory().unwrap();
    let world = from_rows_and_from_sums(&store, sessions);
    let spans = world.calls.len() + world.runs.len();
    assert!(spans >= 1_000_000, "{spans}");
}

/// Writes spans as requests of a usual length bring them; how many of them were merged.
fn write(store: &DuckDb, spans: &[SpanEntry]) -> u64 {
    let merged = spans.chunks(20_000).map(|spans| {
        let spans = spans.to_vec();
        let batch = Batch {
            spans,
            ..Batch::default()
        };
        store.write(&[batch]).unwrap().merged_spans
    });
    merged.sum()
}

fn from_rows_and_from_sums(store: &DuckDb, sessions: u64) -> World {
    let mut world = world(sessions);
    // Roots come in a later write than most of their calls.
    let (roots, calls): (Vec<_>, Vec<_>) = std::mem::take(&mut world.spans)
        .into_iter()
        .partition(|entry| entry.span.parent_span_id.is_none());
    let (first, rest) = calls.split_at(calls.len() / 2 + 3);
    write(store, first);
    store.sum_up_all().unwrap();
    write(store, rest);
    write(store, &roots);
    // Half is in the sums, with claims and runs that are not whole there.
    check_all(store, &world);
    store.sum_up_all().unwrap();
    check_all(store, &world);
    world
}

#[test]
fn a_row_that_changes_changes_the_sums() {
    let mut world = world(SESSIONS);
    let store = DuckDb::in_memory().unwrap();
    // Some spans are in progress first and end later: their rows are written anew.
    let mut first = world.spans.clone();
    for entry in first.iter_mut().step_by(7) {
        entry.span.end_time = None;
    }
    write(&store, &first);
    store.sum_up_all().unwrap();
    let merged = write(&store, &world.spans);
    assert!(merged > 100, "{merged}");
    let range = ranges()[0];
    check(&store, &world, range, Bucket::Day, "Europe/Berlin", &["model"]);
    store.sum_up_all().unwrap();
    check(&store, &world, range, Bucket::Day, "Europe/Berlin", &["model"]);
    // Pricing the past anew does too.
    let which = meshscope_api::prices::Reprice {
        apply: true,
        model: Some("own".to_owned()),
        ..Default::default()
    };
    let price =
        |_: Option<&str>, _: &str, usage: &Usage, _: i64| Some((usage.tokens.total? * 7, "new".to_owned()));
    let dry = store
        .reprice(
            &meshscope_api::prices::Reprice {
                apply: false,
                ..which.clone()
            },
            &price,
        )
        .unwrap();
    check(&store, &world, range, Bucket::Day, "UTC", &["model"]);
    let done = store.reprice(&which, &price).unwrap();
    assert_eq!(
        (dry.total.clone(), dry.applied, done.applied),
        (done.total.clone(), false, true)
    );
    for call in world.calls.iter_mut().filter(|call| call.model == "own") {
        call.cost = Some(call.tokens.total.unwrap() * 7);
    }
    let own = world.calls.iter().filter(|call| call.model == "own");
    assert_eq!(done.total.after_pico_usd, own.clone().map(|call| call.cost).sum());
    assert_eq!(
        (done.total.newly_priced, done.total.before_pico_usd),
        (own.count() as u64, None)
    );
    check(&store, &world, range, Bucket::Day, "UTC", &["model"]);
    store.sum_up_all().unwrap();
    check(&store, &world, range, Bucket::Day, "UTC", &["model"]);
}

#[test]
fn the_top_and_the_others_add_up_to_all() {
    let world = world(SESSIONS);
    let store = DuckDb::in_memory().unwrap();
    write(&store, &world.spans);
    store.sum_up_all().unwrap();
    let (from, to) = ranges()[0];
    for by in ["session", "agent", "model,agent", "user"] {
        for order in ["cost", "tokens", "calls", "errors", "latency", "name"] {
            let report = ask(
                &store,
                &format!("from={from}&to={to}&by={by}&top=2&order={order}&bucket=1w"),
            );
            assert_eq!(report.groups.len(), 3, "{by} {order}");
            assert!(report.groups[2].other && !report.groups[1].other);
            let all = Sum::of(world.calls.iter());
            let mut sum = Sum::default();
            for group in &report.groups {
                let m = Sum::found(&group.measures);
                sum.calls += m.calls;
                sum.errors += m.errors;
                sum.unpriced += m.unpriced;
                sum.reported += m.reported;
                sum.tokens = sum.tokens.plus(&m.tokens);
                sum.cost = Some(sum.cost.unwrap_or(0) + m.cost.unwrap_or(0));
                assert!(group.measures.latency_ns.p95.is_some());
            }
            assert_eq!(sum, all, "{by} {order}");
            let in_buckets: u64 = report.buckets.iter().map(|b| b.measures.calls).sum();
            assert_eq!(in_buckets, all.calls);
        }
    }
}

#[test]
fn the_top_are_those_of_the_whole_range() {
    let world = world(SESSIONS);
    let store = DuckDb::in_memory().unwrap();
    // The last calls stand beside the sums.
    let (summed, fresh) = world.spans.split_at(world.spans.len() - 40);
    write(&store, summed);
    store.sum_up_all().unwrap();
    write(&store, fresh);
    let (from, to) = ranges()[0];
    for by in ["room", "agent", "model", "session", "user"] {
        let mut groups: BTreeMap<&str, Vec<&Call>> = BTreeMap::new();
        for call in &world.calls {
            groups.entry(key(call, by)).or_default().push(call);
        }
        for order in ["cost", "calls", "latency"] {
            let weight = |calls: &[&Call]| match order {
                "cost" => Sum::of(calls.iter().copied()).cost,
                "calls" => i64::try_from(calls.len()).ok(),
                _ => {
                    let mut durations: Vec<i64> = calls.iter().map(|call| call.duration).collect();
                    durations.sort_unstable();
                    let rank = ((durations.len() as f64 * 0.95).ceil() as usize).max(1) - 1;
                    Some(durations[rank])
                }
            };
            let mut best: Vec<_> = groups
                .iter()
                .map(|(name, calls)| (std::cmp::Reverse(weight(calls)), *name))
                .collect();
            best.sort();
            let text = format!("from={from}&to={to}&by={by}&top=2&order={order}&bucket=1w");
            let report = ask(&store, &text);
            assert_eq!(report.group_count as usize, groups.len(), "{text}");
            let names: Vec<&str> = report.groups.iter().map(|group| group.group.as_str()).collect();
            assert_eq!(names[..2], [best[0].1, best[1].1], "{text}");
        }
    }
}

#[test]
fn rows_lists_sessions_and_the_period_before_agree() {
    let world = world(SESSIONS);
    let store = DuckDb::in_memory().unwrap();
    write(&store, &world.spans);
    store.sum_up_all().unwrap();
    let now = base() + 40 * DAY;
    let (from, to) = ranges()[1];
    // Rows under a figure are what it is made of, in every order and over pages.
    for order in ["time", "cost", "tokens", "latency"] {
        let mut query = UsageQuery::read_rows(&Params::parse(&format!(
            "from={from}&to={to}&model=claude&agent=writer&claims=without&limit=50&order={order}"
        )))
        .unwrap();
        let mut rows: Vec<UsageRow> = Vec::new();
        loop {
            let page = store.usage_rows(&query, now).unwrap();
            rows.extend(page.rows);
            query.list.cursor = page.next_cursor;
            if query.list.cursor.is_none() {
                break;
            }
        }
        let wanted = world
            .calls
            .iter()
            .filter(|c| c.model == "claude" && c.agent == "writer" && (from..to).contains(&c.time));
        let sum = Sum::of(wanted);
        assert_eq!(rows.len() as u64, sum.calls, "{order}");
        assert_eq!(
            rows.iter().map(|row| row.cost_pico_usd.unwrap()).sum::<i64>(),
            sum.cost.unwrap()
        );
        assert!(
            rows.iter()
                .all(|row| row.session_id.is_some() && row.user.is_some())
        );
        let sorted = match order {
            "time" => rows.is_sorted_by(|a, b| a.time >= b.time),
            "cost" => rows.is_sorted_by(|a, b| a.cost_pico_usd >= b.cost_pico_usd),
            "tokens" => rows.is_sorted_by(|a, b| a.tokens.total >= b.tokens.total),
            _ => rows.is_sorted_by(|a, b| a.duration_ns >= b.duration_ns),
        };
        assert!(sorted, "{order}");
    }
    // The list of sessions, one session and the overview tell the same.
    let list = ListQuery {
        range: TimeRange::ALL,
        limit: 1_000,
        ..ListQuery::default()
    };
    let sessions = store.sessions(&list, now).unwrap().sessions;
    let report = ask(&store, "from=0&by=session&top=1000");
    assert_eq!(sessions.len() as u64, report.totals.sessions);
    assert_eq!(
        sessions.iter().filter_map(|s| s.cost_pico_usd).sum::<i64>(),
        report.totals.measures.cost_pico_usd.unwrap()
    );
    assert_eq!(
        sessions.iter().map(|s| u64::from(s.errors)).sum::<u64>(),
        report.totals.failed_spans
    );
    for session in &sessions {
        let group = report
            .groups
            .iter()
            .find(|g| g.group == session.session_id)
            .unwrap();
        assert_eq!(
            (group.measures.cost_pico_usd, group.measures.tokens),
            (session.cost_pico_usd, session.tokens)
        );
    }
    // The totals over a list of some days are those of what it lists.
    let some = ListQuery {
        range: TimeRange {
            from: Some(from),
            to: Some(to),
        },
        ..list.clone()
    };
    let listed = store.sessions(&some, now).unwrap().sessions;
    let totals = store.session_totals(&some, now).unwrap();
    assert!(!listed.is_empty() && listed.len() < sessions.len());
    assert_eq!(totals.sessions as usize, listed.len());
    assert_eq!(
        totals.cost_pico_usd,
        Some(listed.iter().filter_map(|s| s.cost_pico_usd).sum())
    );
    assert_eq!(
        totals.unpriced_calls,
        listed.iter().map(|s| i64::from(s.unpriced_calls)).sum::<i64>()
    );
    assert_eq!(
        totals.tokens,
        listed
            .iter()
            .fold(Tokens::default(), |all, s| all.plus(&s.tokens))
    );
    let one = &sessions[17].session_id;
    let detail = store.session(None, one, now).unwrap().unwrap();
    let alone = ask(&store, &format!("from=0&session={one}"));
    assert_eq!(alone.totals.measures.cost_pico_usd, detail.session.cost_pico_usd);
    assert_eq!((alone.totals.runs, alone.totals.sessions), (RUNS, 1));
    // Sessions that are chosen as in their list, with all their calls.
    let failed = ListQuery {
        has_error: Some(true),
        ..list
    };
    let failed = store.sessions(&failed, now).unwrap().sessions;
    let chosen = ask(&store, "from=0&has_error=true");
    assert!(!failed.is_empty() && failed.len() < sessions.len());
    assert_eq!(chosen.totals.sessions, failed.len() as u64);
    assert_eq!(
        chosen.totals.measures.cost_pico_usd.unwrap(),
        failed.iter().filter_map(|s| s.cost_pico_usd).sum::<i64>()
    );
    // The period before: seven days, one of which has 25 hours.
    let (monday, next) = ("2026-10-25T23:00:00Z", "2026-11-01T23:00:00Z");
    let week = ask(
        &store,
        &format!("from={monday}&to={next}&tz=Europe/Berlin&compare=previous&by=model"),
    );
    let before = week.previous.unwrap();
    assert_eq!(before.from, parse_rfc3339("2026-10-18T22:00:00Z").unwrap());
    let direct = ask(
        &store,
        &format!("from={}&to={}&tz=Europe/Berlin", before.from, before.to),
    );
    assert_eq!(before.totals, direct.totals);
    assert!(week.groups.iter().all(|group| group.previous.is_some()));
}

#[test]
fn heat_maps_and_columns_count_every_call_once() {
    let world = world(SESSIONS);
    let store = DuckDb::in_memory().unwrap();
    write(&store, &world.spans);
    let now = base() + 40 * DAY;
    let (from, to) = ranges()[1];
    let query = UsageQuery::read(&Params::parse(&format!("from={from}&to={to}&bucket=1d"))).unwrap();
    for _ in 0..2 {
        let calls: Vec<&Call> = world
            .calls
            .iter()
            .filter(|c| (from..to).contains(&c.time))
            .collect();
        for (of, expected) in [
            (LatencyOf::Calls, calls.len()),
            (
                LatencyOf::FirstToken,
                calls.iter().filter(|c| c.first_token.is_some()).count(),
            ),
            (
                LatencyOf::Runs,
                world
                    .runs
                    .iter()
                    .filter(|r| (from..to).contains(&r.start))
                    .count(),
            ),
        ] {
            let map = store.usage_latency(&query, of, now).unwrap();
            assert_eq!(
                map.cells.iter().map(|cell| cell.count as usize).sum::<usize>(),
                expected
            );
            assert!(map.classes.windows(2).all(|pair| pair[0] < pair[1]));
            assert!(
                map.cells
                    .iter()
                    .all(|cell| (cell.class as usize) + 1 < map.classes.len())
            );
        }
        let columns = store.usage_calls(&query, now).unwrap();
        let counted: u64 = columns.count.iter().map(|n| u64::from(*n)).sum();
        assert_eq!(counted, calls.len() as u64);
        let cost: i64 = columns
            .cost
            .iter()
            .zip(&columns.count)
            .filter_map(|(c, n)| Some((*c)? * i64::from(*n)))
            .sum();
        assert_eq!(Some(cost), Sum::of(calls.into_iter()).cost);
        store.sum_up_all().unwrap();
    }
}
