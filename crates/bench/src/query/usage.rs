//! What the studio's usage page asks: each a request and what must come of it.

use super::Api;
use super::check::{measures, same};
use super::questions::{Question, question};
use super::world::{Dice, Range, World};
use crate::generate::{AGENTS, MODELS};
use meshscope_api::{UsageCalls, UsageGroup, UsageHeatMap, UsageReport, UsageRowPage, usage_calls};
use meshscope_model::time::DAY;

/// All of them, in the order of the table.
pub(super) const QUESTIONS: &[Question] = &[
    question("overview, 30 days", overview),
    question("overview with the period before", overview_compared),
    question("by model and day, 30 days", by_model),
    question("by model and agent, Berlin", by_model_and_agent),
    question("by model, days of Kolkata", by_model_in_kolkata),
    question("one model by agent", one_model),
    question("overview of a day by the hour", a_day),
    question("heat map of calls, 30 days", |w, api, _| {
        heat_map(w, api, "calls", calls(w))
    }),
    question("heat map of runs, 30 days", |w, api, _| {
        heat_map(w, api, "runs", w.workload().traces())
    }),
    question("rows, newest", |w, api, d| rows(w, api, d, "time")),
    question("rows, costliest", |w, api, d| rows(w, api, d, "cost")),
    question("costliest sessions of a day", |w, api, d| {
        costliest(w, api, d, "session")
    }),
    question("costliest runs of a day", |w, api, d| {
        costliest(w, api, d, "trace")
    }),
    question("a day's calls for a what-if", what_if),
];

fn calls(world: &World) -> u64 {
    world.ledger.all.calls.calls
}

fn over(range: Range) -> String {
    format!("from={}&to={}", range.from, range.to)
}

/// The figures of the whole workload, and that all lists add up to them.
fn whole(world: &World, report: &UsageReport) -> Result<(), String> {
    measures("totals", &report.totals.measures, &world.ledger.all.calls)?;
    same("sessions", report.totals.sessions, world.workload().sessions)?;
    same("runs", report.totals.runs, world.workload().traces())?;
    same("agents", report.totals.agents, AGENTS.len() as u64)?;
    let sum = |of: fn(&meshscope_api::UsageTotals) -> u64| report.timeline.iter().map(of).sum::<u64>();
    same("runs of the timeline", sum(|t| t.runs), report.totals.runs)?;
    same("calls of the timeline", sum(|t| t.measures.calls), calls(world))?;
    let of_groups: u64 = report.groups.iter().map(|group| group.measures.calls).sum();
    if !report.groups.is_empty() {
        same("calls of the groups", of_groups, calls(world))?;
    }
    let of_buckets: u64 = report.buckets.iter().map(|bucket| bucket.measures.calls).sum();
    same("calls of the buckets", of_buckets, calls(world))
}

fn overview(world: &World, api: &mut Api, _: &mut Dice) -> Result<(), String> {
    let report: UsageReport = api.json(&format!("usage?{}", over(world.all())))?;
    whole(world, &report)
}

fn overview_compared(world: &World, api: &mut Api, _: &mut Dice) -> Result<(), String> {
    let report: UsageReport = api.json(&format!("usage?{}&compare=previous", over(world.all())))?;
    let before = report
        .previous
        .as_ref()
        .map(|period| period.totals.measures.calls);
    same("calls before", before, Some(0))?;
    whole(world, &report)
}

fn models(world: &World, groups: &[UsageGroup]) -> Result<(), String> {
    same("groups", groups.len(), MODELS.len())?;
    groups.iter().try_for_each(|group| {
        let model = MODELS.iter().position(|(_, model)| *model == group.group);
        let model = model.ok_or_else(|| format!("there is no model {:?}", group.group))?;
        measures(&group.group, &group.measures, &world.ledger.models[model])
    })
}

fn by_model(world: &World, api: &mut Api, _: &mut Dice) -> Result<(), String> {
    let report: UsageReport = api.json(&format!("usage?{}&by=model&bucket=1d", over(world.all())))?;
    models(world, &report.groups)?;
    whole(world, &report)
}

fn by_model_and_agent(world: &World, api: &mut Api, _: &mut Dice) -> Result<(), String> {
    let more = "by=model,agent&bucket=1d&tz=Europe%2FBerlin";
    let report: UsageReport = api.json(&format!("usage?{}&{more}", over(world.all())))?;
    same("groups", report.groups.len(), MODELS.len() * AGENTS.len())?;
    whole(world, &report)
}

fn by_model_in_kolkata(world: &World, api: &mut Api, _: &mut Dice) -> Result<(), String> {
    let more = "by=model&bucket=1d&tz=Asia%2FKolkata";
    let report: UsageReport = api.json(&format!("usage?{}&{more}", over(world.all())))?;
    models(world, &report.groups)?;
    whole(world, &report)
}

fn one_model(world: &World, api: &mut Api, dice: &mut Dice) -> Result<(), String> {
    let model = dice.below(MODELS.len() as u64) as usize;
    let more = format!("model={}&by=agent&bucket=1d", MODELS[model].1);
    let report: UsageReport = api.json(&format!("usage?{}&{more}", over(world.all())))?;
    measures("totals", &report.totals.measures, &world.ledger.models[model])
}

/// A day of the workload with the figures of its calls.
fn day(world: &World, dice: &mut Dice) -> (Range, crate::ledger::Calls) {
    let days = &world.ledger.days;
    let (day, calls) = days[dice.below(days.len() as u64) as usize];
    let range = Range {
        from: day * DAY,
        to: (day + 1) * DAY,
    };
    (range, calls)
}

fn a_day(world: &World, api: &mut Api, dice: &mut Dice) -> Result<(), String> {
    let (range, calls) = day(world, dice);
    let report: UsageReport = api.json(&format!("usage?{}&bucket=1h", over(range)))?;
    same("buckets", report.timeline.len(), 24)?;
    measures("the day", &report.totals.measures, &calls)
}

fn heat_map(world: &World, api: &mut Api, of: &str, expected: u64) -> Result<(), String> {
    let map: UsageHeatMap = api.json(&format!("usage/latency?{}&of={of}", over(world.all())))?;
    let sum: u64 = map.cells.iter().map(|cell| u64::from(cell.count)).sum();
    same("cells", sum, expected)
}

fn rows(world: &World, api: &mut Api, dice: &mut Dice, order: &str) -> Result<(), String> {
    let model = dice.below(MODELS.len() as u64) as usize;
    let until = world.until_anywhere(dice);
    let more = format!("model={}&order={order}&claims=without", MODELS[model].1);
    let page: UsageRowPage = api.json(&format!("usage/rows?{}&{more}", over(until)))?;
    let sorted = page.rows.is_sorted_by(|a, b| match order {
        "time" => a.time >= b.time,
        _ => a.cost_pico_usd >= b.cost_pico_usd,
    });
    same("in order", sorted, true)?;
    let right = |row: &meshscope_api::UsageRow| row.model.as_deref() == Some(MODELS[model].1);
    same("of the model", page.rows.iter().all(right), true)
}

fn costliest(world: &World, api: &mut Api, dice: &mut Dice, by: &str) -> Result<(), String> {
    let (range, calls) = day(world, dice);
    let report: UsageReport = api.json(&format!("usage?{}&by={by}&top=10", over(range)))?;
    let of_groups: u64 = report.groups.iter().map(|group| group.measures.calls).sum();
    same("calls of the groups", of_groups, calls.calls)?;
    measures("totals", &report.totals.measures, &calls)
}

fn what_if(world: &World, api: &mut Api, dice: &mut Dice) -> Result<(), String> {
    let (range, calls) = day(world, dice);
    let bytes = api.get(&format!("usage/calls?{}", over(range)), usage_calls::MEDIA_TYPE)?;
    let columns = UsageCalls::decode(&bytes)?;
    let counted: u64 = columns.count.iter().map(|count| u64::from(*count)).sum();
    same("calls", counted, calls.calls)
}
