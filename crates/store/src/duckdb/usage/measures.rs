//! The measures of usage by bucket and group, by group, by bucket, and in all: sums add up, and so do
//! counts of durations by class.

use super::super::read::{self, Filter};
use super::calendar::Calendar;
use super::classes::{self, Classes};
use super::rolled::Rolled;
use super::source::{Source, key_sql};
use crate::StoreError;
use duckdb::types::Value;
use duckdb::{Connection, Row};
use hashbrown::{HashMap, HashSet};
use meshscope_api::session::Quantiles;
use meshscope_api::usage_query::{DEFAULT_TOP, UsageGroupBy, UsageKey, UsageOrder, UsageQuery};
use meshscope_api::{UsageBucket, UsageGroup, UsageMeasures};
use meshscope_model::usage::plus;
use std::cmp::Reverse;

/// What is to be measured, and over what.
pub(super) struct Asked<'a> {
    pub(super) connection: &'a Connection,
    pub(super) query: &'a UsageQuery,
    pub(super) calendar: &'a Calendar,
    pub(super) source: &'a Source,
    pub(super) filter: &'a Filter,
    /// The part that sums by the hour tell; `source` has it too.
    pub(super) rolled: Option<&'a Rolled>,
    /// Up to so many calls quantiles are exact; beyond they are read off classes of durations.
    pub(super) exact: u64,
}

/// What was measured.
pub(super) struct Measured {
    pub(super) buckets: Vec<UsageBucket>,
    pub(super) groups: Vec<UsageGroup>,
    pub(super) group_count: u32,
    /// Of each bucket over all groups.
    pub(super) timeline: Vec<UsageMeasures>,
    pub(super) total: UsageMeasures,
    /// How far quantiles may be off, as a part of them; absent when they are exact.
    pub(super) quantile_error: Option<f64>,
}

/// A group: its keys, or the sum of those that are not among the top.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(super) struct Name {
    other: bool,
    keys: [String; 2],
}

impl Name {
    fn other() -> Self {
        Self {
            other: true,
            keys: Default::default(),
        }
    }

    fn read(row: &Row<'_>, at: usize) -> duckdb::Result<Self> {
        Ok(Self {
            keys: [row.get(at)?, row.get(at + 1)?],
            other: row.get(at + 2)?,
        })
    }
}

/// A bucket and group; `None` is all of them.
type Place = (Option<u32>, Option<Name>);
type Both = (Quantiles, Quantiles);

/// Measures the calls.
pub(super) fn measure(asked: &Asked<'_>) -> Result<Measured, StoreError> {
    let limit = asked.query.top.unwrap_or(DEFAULT_TOP) as usize;
    let mut top = None;
    let mut group_count = 0;
    if asked.rolled.is_none() && is_wide(asked.query) {
        let (names, count) = top_names(asked, limit)?;
        group_count = count;
        top = (count > names.len()).then_some(names);
    }
    let mut found = sums(asked, top.as_deref())?;
    if top.is_none() {
        group_count = found
            .places
            .keys()
            .map(|(_, name)| name)
            .collect::<HashSet<_>>()
            .len();
        if group_count > limit {
            let best = found.best(asked.query, limit);
            found.keep(&best);
            top = Some(best);
        }
    }
    let calls = found.places.values().map(|sum| sum.measures.calls).sum::<u64>();
    let (quantiles, quantile_error) = if calls <= asked.exact {
        (exact(asked, top.as_deref())?, None)
    } else {
        (found.classed(asked, top.as_deref())?, Some(classes::ERROR))
    };
    Ok(arrange(asked, &found, &quantiles, (group_count, quantile_error)))
}

/// Whether the engine chooses the top: there may be very many groups, or their order asks for all
/// durations.
fn is_wide(query: &UsageQuery) -> bool {
    query.order == Some(UsageOrder::Latency) && !query.by.is_empty()
        || query.by.iter().any(|key| match key {
            UsageKey::By(by) => matches!(
                by,
                UsageGroupBy::Session | UsageGroupBy::Trace | UsageGroupBy::User | UsageGroupBy::Room
            ),
            UsageKey::Attribute(_) => true,
        })
}

/// Columns of a group's keys.
fn keys(query: &UsageQuery) -> String {
    let key = |n: usize| {
        query
            .by
            .get(n)
            .map_or_else(|| "''".to_owned(), |key| key_sql(key, n))
    };
    format!("{} AS name1, {} AS name2", key(0), key(1))
}

/// Named query `keyed` over `table`: its rows with their bucket and group.
fn keyed(asked: &Asked<'_>, table: &str, time: &str, top: Option<&[Name]>) -> String {
    let place = format!(
        "{} AS bucket, {}",
        asked.calendar.index_sql(time),
        keys(asked.query)
    );
    let Some(top) = top else {
        return format!("keyed AS (SELECT *, {place}, false AS other FROM {table})");
    };
    let names: Vec<String> = top
        .iter()
        .map(|name| {
            let [first, second] = &name.keys;
            format!("({}, {})", read::quoted(first), read::quoted(second))
        })
        .collect();
    format!(
        "tops(name1, name2) AS (VALUES {}),
        keyed AS (SELECT k.* EXCLUDE (name1, name2), coalesce(t.name1, '') AS name1, coalesce(t.name2, '') AS name2,
            t.name1 IS NULL AS other
            FROM (SELECT *, {place} FROM {table}) k LEFT JOIN tops t ON t.name1 = k.name1 AND t.name2 = k.name2)",
        names.join(", ")
    )
}

/// The first groups in the order asked for, and how many groups there are.
fn top_names(asked: &Asked<'_>, limit: usize) -> Result<(Vec<Name>, usize), StoreError> {
    let order = match asked.query.order.unwrap_or_default() {
        UsageOrder::Cost => "sum(cost) DESC NULLS LAST, sum(total_tokens) DESC NULLS LAST,",
        UsageOrder::Tokens => "sum(total_tokens) DESC NULLS LAST,",
        UsageOrder::Calls => "count(*) DESC,",
        UsageOrder::Errors => "count(*) FILTER (error) DESC,",
        UsageOrder::Latency => "quantile_disc(duration, 0.95) DESC NULLS LAST,",
        UsageOrder::Carbon => "sum(carbon) DESC NULLS LAST,",
        UsageOrder::Plain => "",
    };
    let sql = format!(
        ", {} SELECT name1, name2, false, count(*) OVER () FROM keyed GROUP BY name1, name2
        ORDER BY {order} name1, name2 LIMIT {limit}",
        keyed(asked, "chosen", "time", None)
    );
    let mut count = 0;
    let names = asked.read("find the top of usage", &sql, |row| {
        count = row.get::<_, i64>(3)?;
        Name::read(row, 0)
    })?;
    Ok((names, usize::try_from(count).unwrap_or(0)))
}

impl Asked<'_> {
    fn read<T>(
        &self,
        doing: &'static str,
        sql: &str,
        row: impl FnMut(&Row<'_>) -> duckdb::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        self.source.read(self.connection, doing, self.filter, sql, row)
    }
}

/// Sums of calls, with their provider when all have one in common, and their first moment.
#[derive(Debug, Default)]
struct Sum {
    measures: UsageMeasures,
    provider: Option<Option<String>>,
    first: Option<i64>,
    durations: Classes,
    first_tokens: Classes,
}

impl Sum {
    fn add(&mut self, other: &Self) {
        let (into, more) = (&mut self.measures, &other.measures);
        into.tokens = into.tokens.plus(&more.tokens);
        into.cost_pico_usd = plus(into.cost_pico_usd, more.cost_pico_usd);
        into.carbon_ug = plus(into.carbon_ug, more.carbon_ug);
        into.characters = plus(into.characters, more.characters);
        into.audio_ns = plus(into.audio_ns, more.audio_ns);
        into.unpriced_calls += more.unpriced_calls;
        into.reported_calls += more.reported_calls;
        into.calls += more.calls;
        into.errors += more.errors;
        self.first = self.first.into_iter().chain(other.first).min();
        self.provider = match (self.provider.take(), &other.provider) {
            (None, provider) => provider.clone(),
            (Some(a), Some(b)) if a == *b => Some(a),
            _ => Some(None),
        };
        self.durations.merge(&other.durations);
        self.first_tokens.merge(&other.first_tokens);
    }

    /// Reads the columns of [`raw`] or of the sums by the hour from `at` on.
    fn read(row: &Row<'_>, at: usize) -> duckdb::Result<Self> {
        Ok(Self {
            measures: UsageMeasures {
                tokens: read::tokens(row, at)?,
                cost_pico_usd: row.get(at + 8)?,
                carbon_ug: row.get(at + 9)?,
                characters: row.get(at + 10)?,
                audio_ns: row.get(at + 11)?,
                calls: row.get(at + 12)?,
                errors: row.get(at + 13)?,
                unpriced_calls: row.get(at + 14)?,
                reported_calls: row.get(at + 15)?,
                ..UsageMeasures::default()
            },
            provider: Some(row.get(at + 16)?),
            first: row.get(at + 17)?,
            ..Self::default()
        })
    }
}

/// The sums of calls, in the order of [`Sum::read`].
fn raw() -> String {
    let sums = ["cost", "carbon", "characters", "audio_ns"].map(read::sum_of);
    format!(
        "{}, {}, count(*), count(*) FILTER (error), count(*) FILTER (cost IS NULL),
        count(*) FILTER (cost_source = 'reported'),
        CASE WHEN min(provider) = max(provider) AND count(*) = count(provider) THEN min(provider) END, min(time)",
        read::token_sums(),
        sums.join(", ")
    )
}

/// Sums of all places.
#[derive(Default)]
struct Found {
    places: HashMap<(u32, Name), Sum>,
    /// Whether any of the rows beside the sums has a time to first token.
    has_first_tokens: bool,
}

fn sums(asked: &Asked<'_>, top: Option<&[Name]>) -> Result<Found, StoreError> {
    let mut found = Found::default();
    let sql = format!(
        ", {} SELECT bucket, name1, name2, other, {}, {} AS class, count(time_to_first_token) FROM keyed GROUP BY ALL",
        keyed(asked, "chosen", "time", top),
        raw(),
        classes::sql("duration")
    );
    let mut first_tokens = 0_u64;
    asked.read("sum up usage", &sql, |row| {
        let mut sum = Sum::read(row, 4)?;
        if let Some(class) = row.get::<_, Option<i16>>(22)? {
            sum.durations.add(class, sum.measures.calls);
        }
        first_tokens += row.get::<_, u64>(23)?;
        found.add((bucket(row.get(0)?), Name::read(row, 1)?), &sum);
        Ok(())
    })?;
    found.has_first_tokens = first_tokens > 0;
    if let Some(rolled) = asked.rolled {
        let keyed = keyed(asked, "hours", "hour", top);
        let rows = rolled.sums(asked.connection, &keyed, |row| {
            let mut sum = Sum::read(row, 4)?;
            sum.durations = Classes::of_blobs(&row.get::<_, Value>(22)?);
            sum.first_tokens = Classes::of_blobs(&row.get::<_, Value>(23)?);
            Ok(((bucket(row.get(0)?), Name::read(row, 1)?), sum))
        })?;
        for (place, sum) in rows {
            found.add(place, &sum);
        }
    }
    Ok(found)
}

fn bucket(index: i64) -> u32 {
    u32::try_from(index).unwrap_or(0)
}

impl Found {
    fn add(&mut self, place: (u32, Name), sum: &Sum) {
        self.places.entry(place).or_default().add(sum);
    }

    /// Adds the times to first token of the rows beside the sums.
    fn first_tokens(&mut self, asked: &Asked<'_>, top: Option<&[Name]>) -> Result<(), StoreError> {
        let sql = format!(
            ", {} SELECT bucket, name1, name2, other, {} AS class, count(*) FROM keyed
            WHERE time_to_first_token IS NOT NULL GROUP BY ALL",
            keyed(asked, "chosen", "time", top),
            classes::sql("time_to_first_token")
        );
        let rows = asked.read("read the latencies of calls", &sql, |row| {
            let place = (bucket(row.get(0)?), Name::read(row, 1)?);
            Ok((place, row.get::<_, i16>(4)?, row.get::<_, u64>(5)?))
        })?;
        for (place, class, count) in rows {
            self.places
                .entry(place)
                .or_default()
                .first_tokens
                .add(class, count);
        }
        Ok(())
    }

    fn by_group(&self) -> HashMap<&Name, Sum> {
        let mut groups: HashMap<&Name, Sum> = HashMap::new();
        for ((_, name), sum) in &self.places {
            groups.entry(name).or_default().add(sum);
        }
        groups
    }

    /// The first groups in the order asked for.
    fn best(&self, query: &UsageQuery, limit: usize) -> Vec<Name> {
        let mut groups: Vec<_> = self.by_group().into_iter().collect();
        groups.sort_by(|(a, x), (b, y)| order(query, (a, &x.measures), (b, &y.measures)));
        groups.truncate(limit);
        groups.into_iter().map(|(name, _)| name.clone()).collect()
    }

    /// Sums up all that are not among `best`.
    fn keep(&mut self, best: &[Name]) {
        let best: HashSet<&Name> = best.iter().collect();
        let all = std::mem::take(&mut self.places);
        for ((bucket, name), sum) in all {
            let name = if best.contains(&name) { name } else { Name::other() };
            self.add((bucket, name), &sum);
        }
    }

    /// Quantiles off by [`classes::ERROR`] at the most, from counts by class: those of the roll-up,
    /// and those of the other rows.
    fn classed(
        &mut self,
        asked: &Asked<'_>,
        top: Option<&[Name]>,
    ) -> Result<HashMap<Place, Both>, StoreError> {
        if self.has_first_tokens {
            self.first_tokens(asked, top)?;
        }
        let mut all: HashMap<Place, (Classes, Classes)> = HashMap::new();
        for ((bucket, name), sum) in &self.places {
            for place in places(*bucket, name) {
                let both = all.entry(place).or_default();
                both.0.merge(&sum.durations);
                both.1.merge(&sum.first_tokens);
            }
        }
        Ok(all
            .into_iter()
            .map(|(place, (durations, tokens))| (place, (durations.quantiles(), tokens.quantiles())))
            .collect())
    }
}

/// The places that a bucket of a group counts in.
fn places(bucket: u32, name: &Name) -> [Place; 4] {
    [
        (Some(bucket), Some(name.clone())),
        (Some(bucket), None),
        (None, Some(name.clone())),
        (None, None),
    ]
}

/// Quantiles to the ns.
fn exact(asked: &Asked<'_>, top: Option<&[Name]>) -> Result<HashMap<Place, Both>, StoreError> {
    // The roll-up has no durations to the ns: all of it is read from the rows.
    let whole;
    let source = match asked.rolled {
        Some(rolled) => {
            whole = rolled.whole();
            &whole
        }
        None => asked.source,
    };
    let sql = format!(
        ", {} SELECT grouping(bucket), grouping(name1), coalesce(bucket, 0), coalesce(name1, ''), coalesce(name2, ''),
            coalesce(other, false), {}, {} FROM keyed
        GROUP BY GROUPING SETS ((bucket, name1, name2, other), (bucket), (name1, name2, other), ())",
        keyed(asked, "chosen", "time", top),
        read::quantiles_of("duration"),
        read::quantiles_of("time_to_first_token")
    );
    let found = source.read(
        asked.connection,
        "read the latencies of calls",
        asked.filter,
        &sql,
        |row| {
            let bucket = (row.get::<_, i64>(0)? == 0).then_some(bucket(row.get(2)?));
            let name = match row.get::<_, i64>(1)? {
                0 => Some(Name::read(row, 3)?),
                _ => None,
            };
            let quantiles = (read::quantiles(row.get(6)?), read::quantiles(row.get(7)?));
            Ok(((bucket, name), quantiles))
        },
    )?;
    Ok(found.into_iter().collect())
}

/// The order of two groups, the most first; by name where they are the same.
fn order(
    query: &UsageQuery,
    (a, x): (&Name, &UsageMeasures),
    (b, y): (&Name, &UsageMeasures),
) -> std::cmp::Ordering {
    let weight = |m: &UsageMeasures| {
        let calls = |n: u64| i64::try_from(n).ok();
        match query.order.unwrap_or_default() {
            UsageOrder::Cost => (m.cost_pico_usd, m.tokens.total),
            UsageOrder::Tokens => (m.tokens.total, None),
            UsageOrder::Calls => (calls(m.calls), None),
            UsageOrder::Errors => (calls(m.errors), None),
            UsageOrder::Latency => (m.latency_ns.p95, None),
            UsageOrder::Carbon => (m.carbon_ug, None),
            UsageOrder::Plain => (None, None),
        }
    };
    (a.other, Reverse(weight(x)), &a.keys).cmp(&(b.other, Reverse(weight(y)), &b.keys))
}

/// The report's lists out of the sums and quantiles.
fn arrange(
    asked: &Asked<'_>,
    found: &Found,
    quantiles: &HashMap<Place, Both>,
    (group_count, quantile_error): (usize, Option<f64>),
) -> Measured {
    let (query, bounds) = (asked.query, &asked.calendar.bounds);
    let grouped = !query.by.is_empty();
    let second = |name: &Name| (query.by.len() > 1).then(|| name.keys[1].clone());
    let with = |measures: &UsageMeasures, place: &Place| {
        let (latency_ns, time_to_first_token_ns) = quantiles.get(place).copied().unwrap_or_default();
        UsageMeasures {
            latency_ns,
            time_to_first_token_ns,
            ..measures.clone()
        }
    };
    let mut timeline: Vec<Sum> = (0..asked.calendar.len()).map(|_| Sum::default()).collect();
    let mut total = Sum::default();
    let mut buckets = Vec::new();
    for ((bucket, name), sum) in &found.places {
        if let Some(all) = timeline.get_mut(*bucket as usize) {
            all.add(sum);
        }
        total.add(sum);
        buckets.push(UsageBucket {
            start: bounds.get(*bucket as usize).copied().unwrap_or(0),
            group: grouped.then(|| name.keys[0].clone()),
            second: second(name),
            other: name.other,
            measures: with(&sum.measures, &(Some(*bucket), Some(name.clone()))),
        });
    }
    let key = |b: &UsageBucket| (b.start, b.other, b.group.clone(), b.second.clone());
    buckets.sort_by_cached_key(key);
    let by_model = query.by.first() == Some(&UsageKey::By(UsageGroupBy::Model)) && query.by.len() == 1;
    let mut groups: Vec<(Name, UsageGroup)> = found
        .by_group()
        .into_iter()
        .filter(|_| grouped)
        .map(|(name, sum)| {
            let group = UsageGroup {
                group: name.keys[0].clone(),
                second: second(name),
                other: name.other,
                provider: sum.provider.flatten().filter(|_| by_model && !name.other),
                first_at: sum.first,
                measures: with(&sum.measures, &(None, Some(name.clone()))),
                previous: None,
            };
            (name.clone(), group)
        })
        .collect();
    groups.sort_by(|(a, x), (b, y)| order(query, (a, &x.measures), (b, &y.measures)));
    Measured {
        buckets,
        groups: groups.into_iter().map(|(_, group)| group).collect(),
        group_count: if grouped {
            u32::try_from(group_count).unwrap_or(u32::MAX)
        } else {
            0
        },
        timeline: (0_u32..)
            .zip(&timeline)
            .map(|(bucket, sum)| with(&sum.measures, &(Some(bucket), None)))
            .collect(),
        total: with(&total.measures, &(None, None)),
        quantile_error,
    }
}
