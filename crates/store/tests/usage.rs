//! Figures of usage against a ledger that is kept beside the store: thirty days over a change of the
//! clock, three time zones, from rows, from sums by the hour, and from both.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use meshscope_api::session::Quantiles;
use meshscope_api::usage_query::LatencyOf;
use meshscope_api::{Bucket, ListQuery, Params, TimeRange, UsageMeasures, UsageQuery, UsageReport, UsageRow};
use meshscope_model::time::{DAY, HOUR, MINUTE, SECOND, parse_rfc3339};
use meshscope_model::{
    Batch, CostSource, KeyValue, Operation, Origin, Resource, Scope, Span, SpanEntry, SpanFacts, SpanId,
    SpanKind, Status, System, Tokens, TraceId, Usage,
};
use meshscope_store::{DuckDb, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const SESSIONS: u64 = 300;
const RUNS: u64 = 3;
const STEPS: u64 = 8;
const DAYS: i64 = 30;

/// A midnight in New York; in between the clocks of Berlin and New York go back.
fn base() -> i64 {
    parse_rfc3339("2026-10-08T04:00:00Z").unwrap()
}

fn mix(n: u64) -> u64 {
    let z = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A call as the ledger has it.
#[derive(Debug, Clone)]
struct Call {
    time: i64,
    trace: u64,
    session: String,
    room: &'static str,
    agent: &'static str,
    model: &'static str,
    provider: &'static str,
    version: &'static str,
    user: String,
    error: bool,
    duration: i64,
    first_token: Option<i64>,
    tokens: Tokens,
    cost: Option<i64>,
    reported: bool,
}

/// A run as the ledger has it.
#[derive(Debug, Clone)]
struct Run {
    start: i64,
    end: i64,
    session: String,
    room: &'static str,
    /// Those that made its calls.
    agents: BTreeSet<&'static str>,
    failed: u64,
    claimed: Option<i64>,
}

struct World {
    calls: Vec<Call>,
    runs: Vec<Run>,
    spans: Vec<SpanEntry>,
}

const ROOMS: [&str; 3] = ["lobby", "lab", ""];
const AGENTS: [&str; 4] = ["planner", "writer", "critic", "scout"];
const MODELS: [(&str, &str); 3] = [("openai", "gpt-4o"), ("anthropic", "claude"), ("house", "own")];
const VERSIONS: [&str; 2] = ["1.0", "2.0"];

fn resource(version: &str) -> Arc<Resource> {
    Arc::new(Resource {
        attributes: vec![
            KeyValue::new("service.name", "svc"),
            KeyValue::new("service.version", version),
        ]
        .into_iter()
        .collect(),
        ..Resource::default()
    })
}

/// Sessions spread over the days; half of the runs claim what their calls used.
fn world() -> World {
    let resources = VERSIONS.map(resource);
    let mut world = World {
        calls: Vec::new(),
        runs: Vec::new(),
        spans: Vec::new(),
    };
    for trace in 0..SESSIONS * RUNS {
        let (session, run) = (trace / RUNS, trace % RUNS);
        let spread = DAYS * DAY / SESSIONS as i64;
        // Runs lie about whole hours too, so that some begin in one and end in the next.
        let start = base()
            + session as i64 * spread
            + run as i64 * 7 * MINUTE
            + (mix(trace) % 3_000) as i64 * 1_000_003;
        let id = format!("chat-{session}");
        let claims = trace.is_multiple_of(2);
        let version = (trace % 2) as usize;
        let mut claimed = 0;
        let mut spans = Vec::new();
        let mut failed = 0;
        let mut agents = BTreeSet::new();
        for step in 1..=STEPS {
            let dice = mix(trace * 100 + step);
            let time = start + step as i64 * 40 * SECOND + (dice % 1_000) as i64;
            let duration = 1_000_000 + (dice >> 9) as i64 % 30_000_000_000;
            let error = dice.is_multiple_of(17);
            failed += u64::from(error);
            let agent = AGENTS[(dice >> 3) as usize % 4];
            agents.insert(agent);
            let (provider, model) = MODELS[(dice >> 5) as usize % 3];
            let input = (dice >> 20) as i64 % 5_000;
            let cached = ((dice >> 7).is_multiple_of(3)).then_some(input / 3);
            let tokens = Tokens {
                input: Some(input),
                cached_input: cached,
                output: Some((dice >> 33) as i64 % 900),
                ..Tokens::default()
            }
            .with_total();
            let cost = (model != "own").then_some(((dice >> 11) % 1_000_000_000) as i64);
            let reported = model == "claude";
            let user = format!("user-{}", trace % 40);
            let call = Call {
                time,
                trace,
                session: id.clone(),
                room: ROOMS[(session % 3) as usize],
                agent,
                model,
                provider,
                version: VERSIONS[version],
                user: user.clone(),
                error,
                duration,
                first_token: dice.is_multiple_of(2).then_some(duration / 5),
                tokens,
                cost,
                reported,
            };
            claimed += tokens.total.unwrap();
            spans.push(entry(&call, step, &resources[version]));
            world.calls.push(call);
        }
        let end = start + 20 * MINUTE;
        spans.push(root(
            trace,
            &id,
            (start, end),
            claims.then_some(claimed),
            &resources[version],
        ));
        world.runs.push(Run {
            start,
            end,
            session: id,
            room: ROOMS[(session % 3) as usize],
            agents,
            failed,
            claimed: claims.then_some(claimed),
        });
        world.spans.append(&mut spans);
    }
    world
}

fn trace_id(trace: u64) -> TraceId {
    TraceId::from_u128(u128::from(mix(trace)) << 64 | u128::from(trace + 1))
}

fn plain(trace: u64, span: u64, (start, end): (i64, i64), resource: &Arc<Resource>) -> Span {
    Span {
        trace_id: trace_id(trace),
        span_id: SpanId::from_u64(trace * 100 + span + 1),
        parent_span_id: (span > 0).then(|| SpanId::from_u64(trace * 100 + 1)),
        start_time: start,
        end_time: Some(end),
        name: "work".to_owned(),
        kind: SpanKind::default(),
        status: Status::default(),
        trace_state: String::new(),
        flags: 0,
        attributes: vec![KeyValue::new(
            "app.tier",
            if trace.is_multiple_of(3) { "gold" } else { "tin" },
        )]
        .into_iter()
        .collect(),
        events: Vec::new(),
        links: Vec::new(),
        dropped_attributes_count: 0,
        dropped_events_count: 0,
        dropped_links_count: 0,
        resource: Arc::clone(resource),
        scope: Arc::new(Scope::default()),
    }
}

fn origin(session: &str, room: &str, agent: Option<&str>) -> Origin {
    Origin {
        project: Some("p".to_owned()),
        system: System::default(),
        room: (!room.is_empty()).then(|| room.to_owned()),
        session: Some(session.to_owned()),
        fallback_session: None,
        agent: agent.map(str::to_owned),
    }
}

fn entry(call: &Call, step: u64, resource: &Arc<Resource>) -> SpanEntry {
    SpanEntry {
        span: plain(call.trace, step, (call.time, call.time + call.duration), resource),
        facts: SpanFacts {
            origin: origin(&call.session, call.room, Some(call.agent)),
            operation: Operation::Chat,
            model: Some(call.model.to_owned()),
            provider: Some(call.provider.to_owned()),
            user: Some(call.user.clone()),
            error: call.error.then(|| "it broke".to_owned()),
            time_to_first_token: call.first_token,
            usage: Some(Usage {
                tokens: call.tokens,
                cost_pico_usd: call.cost,
                cost_source: call.cost.map(|_| match call.reported {
                    true => CostSource::Reported,
                    false => CostSource::PriceTable("t".to_owned()),
                }),
                ..Usage::default()
            }),
            ..SpanFacts::default()
        },
    }
}

fn root(
    trace: u64,
    session: &str,
    range: (i64, i64),
    claimed: Option<i64>,
    resource: &Arc<Resource>,
) -> SpanEntry {
    SpanEntry {
        span: plain(trace, 0, range, resource),
        facts: SpanFacts {
            origin: origin(session, ROOMS[(trace / RUNS % 3) as usize], None),
            operation: Operation::InvokeAgent,
            usage: claimed.map(|total| Usage {
                tokens: Tokens {
                    total: Some(total),
                    ..Tokens::default()
                },
                claim: true,
                ..Usage::default()
            }),
            ..SpanFacts::default()
        },
    }
}

/// Sums as the ledger has them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Sum {
    calls: u64,
    errors: u64,
    unpriced: u64,
    reported: u64,
    tokens: Tokens,
    cost: Option<i64>,
}

impl Sum {
    fn add(&mut self, call: &Call) {
        self.calls += 1;
        self.errors += u64::from(call.error);
        self.unpriced += u64::from(call.cost.is_none());
        self.reported += u64::from(call.reported);
        self.tokens = self.tokens.plus(&call.tokens);
        if let Some(cost) = call.cost {
            self.cost = Some(self.cost.unwrap_or(0) + cost);
        }
    }

    fn of<'a>(calls: impl Iterator<Item = &'a Call>) -> Self {
        let mut sum = Self::default();
        calls.for_each(|call| sum.add(call));
        sum
    }

    fn found(m: &UsageMeasures) -> Self {
        Self {
            calls: m.calls,
            errors: m.errors,
            unpriced: m.unpriced_calls,
            reported: m.reported_calls,
            tokens: m.tokens,
            cost: m.cost_pico_usd,
        }
    }
}

/// First moment of the bucket of a moment, reckoned by the calendar alone.
fn bucket_of(moment: i64, bucket: Bucket, zone: &TimeZone) -> i64 {
    let at = Timestamp::from_nanosecond(i128::from(moment))
        .unwrap()
        .to_zoned(zone.clone());
    let day = |date: Date| {
        let first = date.to_zoned(zone.clone()).unwrap();
        i64::try_from(first.timestamp().as_nanosecond()).unwrap()
    };
    match bucket {
        Bucket::Seconds(n) => {
            let offset = i64::from(at.offset().seconds()) * SECOND;
            (moment + offset).div_euclid(n * SECOND) * n * SECOND - offset
        }
        Bucket::Day => day(at.date()),
        Bucket::Week => {
            let back = i64::from(at.date().weekday().to_monday_zero_offset());
            day(at.date().checked_sub(back.days()).unwrap())
        }
        Bucket::Month => day(at.date().first_of_month()),
        Bucket::Year => day(at.date().first_of_year()),
    }
}

fn key<'a>(call: &'a Call, by: &str) -> &'a str {
    match by {
        "model" => call.model,
        "agent" => call.agent,
        "room" => call.room,
        "session" => &call.session,
        "user" => &call.user,
        "version" => call.version,
        "provider" => call.provider,
        "attr:app.tier" if call.trace.is_multiple_of(3) => "gold",
        "attr:app.tier" => "tin",
        _ => panic!("{by}"),
    }
}

fn ask(store: &DuckDb, text: &str) -> UsageReport {
    let query = UsageQuery::read(&Params::parse(text)).unwrap();
    store.usage(&query, base() + 40 * DAY).unwrap()
}

/// Checks every figure of a report against the calls of the range.
fn check(store: &DuckDb, world: &World, (from, to): (i64, i64), bucket: Bucket, tz: &str, by: &[&str]) {
    let text = format!(
        "from={from}&to={to}&bucket={}&tz={tz}&by={}&top=10000",
        bucket.as_str(),
        by.join(",")
    );
    let report = ask(store, &text);
    let zone = TimeZone::get(tz).unwrap();
    let calls: Vec<&Call> = world
        .calls
        .iter()
        .filter(|c| (from..to).contains(&c.time))
        .collect();
    assert_eq!(
        Sum::found(&report.totals.measures),
        Sum::of(calls.iter().copied()),
        "{text}"
    );
    let names = |call: &Call| {
        let second = by.get(1).map(|by| key(call, by).to_owned());
        (key(call, by[0]).to_owned(), second)
    };
    let mut groups: BTreeMap<_, Sum> = BTreeMap::new();
    let mut buckets: BTreeMap<_, Sum> = BTreeMap::new();
    let mut line: BTreeMap<i64, Sum> = BTreeMap::new();
    for call in &calls {
        let start = bucket_of(call.time, bucket, &zone);
        groups.entry(names(call)).or_default().add(call);
        buckets.entry((start, names(call))).or_default().add(call);
        line.entry(start).or_default().add(call);
    }
    let found: BTreeMap<_, Sum> = report
        .groups
        .iter()
        .map(|g| ((g.group.clone(), g.second.clone()), Sum::found(&g.measures)))
        .collect();
    assert_eq!(found, groups, "{text}");
    assert_eq!(report.group_count as usize, groups.len());
    let found: BTreeMap<_, Sum> = report
        .buckets
        .iter()
        .map(|b| {
            let name = (b.group.clone().unwrap(), b.second.clone());
            ((b.start, name), Sum::found(&b.measures))
        })
        .collect();
    assert_eq!(found, buckets, "{text}");
    // The timeline has no gap, and is the sum of the buckets.
    assert_eq!(report.timeline.len() + 1, report.bounds.len());
    for (start, totals) in report.bounds.iter().zip(&report.timeline) {
        assert_eq!(bucket_of(*start, bucket, &zone), *start, "{text}");
        let expected = line.remove(start).unwrap_or_default();
        assert_eq!(Sum::found(&totals.measures), expected, "{text} at {start}");
    }
    assert!(line.is_empty(), "{text}: {line:?}");
    people(world, (from, to), &report, &text);
    let error = report.quantile_error.unwrap_or(0.0);
    quantiles(&calls, &report.totals.measures, error, &text);
    for group in &report.groups {
        let name = (group.group.clone(), group.second.clone());
        let of_group: Vec<&Call> = calls.iter().copied().filter(|call| names(call) == name).collect();
        quantiles(&of_group, &group.measures, error, &format!("{text} {name:?}"));
    }
}

fn people(world: &World, (from, to): (i64, i64), report: &UsageReport, text: &str) {
    let started: Vec<&Run> = world
        .runs
        .iter()
        .filter(|r| (from..to).contains(&r.start))
        .collect();
    let totals = &report.totals;
    assert_eq!(totals.runs, started.len() as u64, "{text}");
    assert_eq!(
        totals.failed_spans,
        started.iter().map(|r| r.failed).sum::<u64>(),
        "{text}"
    );
    assert_eq!(
        totals.failed_runs,
        started.iter().filter(|r| r.failed > 0).count() as u64
    );
    assert_eq!(
        totals.runs,
        report.timeline.iter().map(|t| t.runs).sum::<u64>(),
        "{text}"
    );
    assert_eq!(totals.spans, started.len() as u64 * (STEPS + 1));
    let ends = report.bounds.iter().zip(report.bounds.iter().skip(1));
    let buckets = ends.map(|(start, end)| ((*start).max(from), (*end).min(to)));
    let whole = std::iter::once(((from, to), totals));
    for ((from, to), found) in buckets.zip(&report.timeline).chain(whole) {
        let there = || world.runs.iter().filter(|r| r.start < to && r.end >= from);
        let sessions: BTreeSet<&str> = there().map(|r| r.session.as_str()).collect();
        assert_eq!(found.sessions, sessions.len() as u64, "{text} in {from}..{to}");
        let rooms: BTreeSet<&str> = there().map(|r| r.room).filter(|room| !room.is_empty()).collect();
        assert_eq!(found.rooms, rooms.len() as u64, "{text} in {from}..{to}");
        // An agent is there with its run, which may begin and end without it.
        let most: BTreeSet<&str> = there().flat_map(|r| r.agents.iter().copied()).collect();
        let calls = world.calls.iter().filter(|c| (from..to).contains(&c.time));
        let least: BTreeSet<&str> = calls.map(|c| c.agent).collect();
        assert!(
            (least.len()..=most.len()).contains(&(found.agents as usize)),
            "{text} in {from}..{to}: {} agents, {least:?} to {most:?}",
            found.agents
        );
    }
    let claimed: i64 = started.iter().filter_map(|r| r.claimed).sum();
    assert_eq!(totals.claimed_tokens, Some(claimed).filter(|n| *n > 0), "{text}");
    let took = started.iter().map(|r| r.end - r.start).collect();
    let error = report.run_quantile_error.unwrap_or(0.0);
    near(totals.run_latency_ns, took, error, text);
}

fn quantiles(calls: &[&Call], found: &UsageMeasures, error: f64, text: &str) {
    let durations = calls.iter().map(|call| call.duration).collect();
    near(found.latency_ns, durations, error, text);
    let first_tokens = calls.iter().filter_map(|call| call.first_token).collect();
    near(found.time_to_first_token_ns, first_tokens, error, text);
}

/// Checks that quantiles are those of the durations, up to a part of them.
fn near(found: Quantiles, mut durations: Vec<i64>, error: f64, text: &str) {
    durations.sort_unstable();
    for (found, part) in [(found.p50, 0.5), (found.p95, 0.95), (found.p99, 0.99)] {
        if durations.is_empty() {
            assert_eq!(found, None, "{text}");
            continue;
        }
        let rank = ((durations.len() as f64 * part).ceil() as usize).max(1) - 1;
        let (found, right) = (found.unwrap() as f64, durations[rank] as f64);
        let off = (found - right).abs() / right;
        assert!(off <= error, "{text}: {found} for {right}");
    }
}

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
    check(store, world, odd, Bucket::Day, "Europe/Berlin", &["session"]);
    check(store, world, odd, Bucket::Week, "UTC", &["user", "attr:app.tier"]);
}

#[test]
fn every_figure_equals_the_ledger_from_rows_and_from_sums() {
    from_rows_and_from_sums(&DuckDb::in_memory().unwrap());
}

/// What answers for so many calls that all of them are not looked at again.
#[test]
fn quantiles_off_classes_are_as_near_as_the_answer_says() {
    let store = DuckDb::in_memory().unwrap().exact_up_to(200);
    let world = from_rows_and_from_sums(&store);
    let (from, to) = ranges()[0];
    let report = ask(&store, &format!("from={from}&to={to}"));
    assert!(report.totals.measures.calls > 200 && report.totals.runs > 200 && world.calls.len() > 200);
    assert!(report.quantile_error.is_some() && report.run_quantile_error.is_some());
}

fn from_rows_and_from_sums(store: &DuckDb) -> World {
    let world = world();
    // Roots come in a later write than most of their calls.
    let (roots, calls): (Vec<_>, Vec<_>) = world
        .spans
        .iter()
        .cloned()
        .partition(|entry| entry.span.parent_span_id.is_none());
    let half = calls.len() / 2 + 3;
    let write = |spans: &[SpanEntry]| {
        let spans = spans.to_vec();
        store
            .write(&[Batch {
                spans,
                ..Batch::default()
            }])
            .unwrap();
    };
    write(&calls[..half]);
    store.sum_up_all().unwrap();
    write(&calls[half..]);
    write(&roots);
    // Half is in the sums, with claims and runs that are not whole there.
    check_all(store, &world);
    store.sum_up_all().unwrap();
    check_all(store, &world);
    world
}

#[test]
fn a_row_that_changes_changes_the_sums() {
    let mut world = world();
    let store = DuckDb::in_memory().unwrap();
    // Some spans are in progress first and end later: their rows are written anew.
    let mut first = world.spans.clone();
    for entry in first.iter_mut().step_by(7) {
        entry.span.end_time = None;
    }
    let write = |spans: Vec<SpanEntry>| {
        store
            .write(&[Batch {
                spans,
                ..Batch::default()
            }])
            .unwrap()
    };
    write(first);
    store.sum_up_all().unwrap();
    let merged = write(world.spans.clone()).merged_spans;
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
    let world = world();
    let store = DuckDb::in_memory().unwrap();
    store
        .write(&[Batch {
            spans: world.spans.clone(),
            ..Batch::default()
        }])
        .unwrap();
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
    let world = world();
    let store = DuckDb::in_memory().unwrap();
    let write = |spans: &[SpanEntry]| {
        let spans = spans.to_vec();
        store
            .write(&[Batch {
                spans,
                ..Batch::default()
            }])
            .unwrap();
    };
    // The last calls stand beside the sums.
    let (summed, fresh) = world.spans.split_at(world.spans.len() - 40);
    write(summed);
    store.sum_up_all().unwrap();
    write(fresh);
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
    let world = world();
    let store = DuckDb::in_memory().unwrap();
    store
        .write(&[Batch {
            spans: world.spans.clone(),
            ..Batch::default()
        }])
        .unwrap();
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
    let world = world();
    let store = DuckDb::in_memory().unwrap();
    store
        .write(&[Batch {
            spans: world.spans.clone(),
            ..Batch::default()
        }])
        .unwrap();
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
