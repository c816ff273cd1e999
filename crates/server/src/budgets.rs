//! `/api/v1/budgets`: monthly budgets of projects and rooms, kept in `budgets.json` beside the data, with
//! what is spent of them and what will be.

use crate::api::{Answer, json, params};
use crate::app::{App, now};
use crate::config::Config;
use crate::kept;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Json, RawQuery, State};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use meshscope_api::budgets::{Budget, BudgetList, BudgetState};
use meshscope_api::{Bucket, ListQuery, Problem, TimeRange, UsageQuery, UsageReport, UsageTotals};
use meshscope_model::time::DAY;
use meshscope_store::{Store, StoreError};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

/// Over how many days the present rate is reckoned.
const RATE_DAYS: i64 = 7;

fn file(config: &Config) -> PathBuf {
    config.data_dir.join("budgets.json")
}

/// Reads the budgets; a file that is there must be right.
pub(crate) fn load(config: &Config) -> Result<Vec<Budget>, String> {
    let path = file(config);
    let wrong = |error: String| format!("the budgets {}: {error}", path.display());
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(wrong(error.to_string())),
    };
    let budgets: Vec<Budget> = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    budgets
        .iter()
        .try_for_each(validate)
        .map_err(|problem| wrong(problem.detail))?;
    Ok(budgets)
}

fn zone(budget: &Budget) -> Result<TimeZone, Problem> {
    let Some(name) = &budget.tz else {
        return Ok(TimeZone::UTC);
    };
    TimeZone::get(name).map_err(|_| {
        let detail = format!("{name:?} is not a time zone: give an IANA name, for example Europe/Berlin");
        Problem::invalid_parameter("tz", detail)
    })
}

fn validate(budget: &Budget) -> Result<(), Problem> {
    zone(budget)?;
    if budget.monthly_pico_usd <= 0 {
        let detail = "`monthly_pico_usd` must be more than 0; delete a budget that is not wanted any more";
        return Err(Problem::invalid_parameter("monthly_pico_usd", detail));
    }
    for (name, text) in [("project", &budget.project), ("room", &budget.room)] {
        if text.as_deref().is_some_and(|text| text.is_empty() || text == "*") {
            let detail = format!("`{name}` must be a name; leave it out for all");
            return Err(Problem::invalid_parameter(name, detail));
        }
    }
    Ok(())
}

fn place(budget: &Budget) -> (Option<&str>, Option<&str>) {
    (budget.project.as_deref(), budget.room.as_deref())
}

/// The budgets with what is spent of them this month.
///
/// Their file may be edited by hand as well: it is read when the server starts and before each change.
#[utoipa::path(get, path = "/api/v1/budgets", responses((status = 200, body = BudgetList)))]
pub(crate) async fn budgets(State(app): State<Arc<App>>) -> Answer {
    answer(&app).await
}

/// Sets the budget of everything, of a project or of a room.
#[utoipa::path(put, path = "/api/v1/budgets", request_body = Budget,
    responses((status = 200, body = BudgetList), (status = 400, body = Problem),
        (status = 409, description = "The file was edited by hand and is not right", body = Problem)))]
pub(crate) async fn set_budget(
    State(app): State<Arc<App>>,
    budget: Result<Json<Budget>, JsonRejection>,
) -> Answer {
    let Json(budget) = budget.map_err(|error| Problem::invalid_body(error.body_text()))?;
    validate(&budget)?;
    change(&app, move |budgets| {
        budgets.retain(|known| place(known) != place(&budget));
        budgets.push(budget);
        Ok(())
    })
    .await
}

/// Removes the budget of everything, of a project or of a room.
#[utoipa::path(delete, path = "/api/v1/budgets",
    params(
        ("project" = Option<String>, Query, description = "Its project; absent for that of all"),
        ("room" = Option<String>, Query, description = "Its room; absent for that of all"),
    ),
    responses((status = 200, body = BudgetList), (status = 404, body = Problem),
        (status = 409, description = "The file was edited by hand and is not right", body = Problem)))]
pub(crate) async fn remove_budget(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Answer {
    let params = params(query);
    params.only(&["project", "room"])?;
    let (project, room) = (
        params.get("project").map(str::to_owned),
        params.get("room").map(str::to_owned),
    );
    change(&app, move |budgets| {
        let before = budgets.len();
        budgets.retain(|known| place(known) != (project.as_deref(), room.as_deref()));
        if budgets.len() == before {
            return Err(Problem::not_found("there is no budget of this project and room"));
        }
        Ok(())
    })
    .await
}

async fn change(
    app: &Arc<App>,
    work: impl FnOnce(&mut Vec<Budget>) -> Result<(), Problem> + Send + 'static,
) -> Answer {
    let changed = |config: &Config| {
        let mut budgets = load(config).map_err(Problem::conflict)?;
        work(&mut budgets)?;
        budgets.sort_by(|a, b| place(a).cmp(&place(b)));
        Ok(budgets)
    };
    kept::change(app, file(&app.config), changed, App::set_budgets).await?;
    answer(app).await
}

/// As long as there are budgets: a change that is kept is not told of as a query that took too long.
async fn answer(app: &App) -> Answer {
    let budgets = app.budgets();
    let zones = budgets.iter().map(zone).collect::<Result<Vec<_>, _>>()?;
    let states = app
        .ask_long(move |store| {
            let now = now();
            let both = budgets.into_iter().zip(zones);
            both.map(|(budget, zone)| state(store, budget, &zone, now))
                .collect()
        })
        .await?;
    json(&BudgetList { budgets: states })
}

/// First moments of the month that `now` lies in and of the next one, ns since the epoch.
fn month(now: i64, zone: &TimeZone) -> Option<(i64, i64)> {
    let at = Timestamp::from_nanosecond(i128::from(now)).ok()?;
    let first = at.to_zoned(zone.clone()).date().first_of_month();
    let moment = |date: jiff::civil::Date| {
        let zoned = date.to_zoned(zone.clone()).ok()?;
        i64::try_from(zoned.timestamp().as_nanosecond()).ok()
    };
    Some((moment(first)?, moment(first.checked_add(1.month()).ok()?)?))
}

/// How a budget stands at `now`: of days since the month began and since the present rate counts, whichever
/// is earlier.
fn state(store: &dyn Store, budget: Budget, zone: &TimeZone, now: i64) -> Result<BudgetState, StoreError> {
    let (from, to) = month(now, zone).unwrap_or((now.saturating_sub(30 * DAY), now));
    let week = now.saturating_sub(RATE_DAYS * DAY);
    let query = UsageQuery {
        list: ListQuery {
            project: budget.project.clone(),
            room: budget.room.clone(),
            range: TimeRange {
                from: Some(from.min(week)),
                to: Some(now.saturating_add(1)),
            },
            ..ListQuery::default()
        },
        bucket: Some(Bucket::Day),
        tz: budget.tz.clone(),
        ..UsageQuery::default()
    };
    let report = store.usage(&query, now)?;
    // The month begins with a day.
    let before = report.bounds.partition_point(|bound| *bound < from);
    let bounds = report.bounds.get(before..).unwrap_or_default();
    let days = report.timeline.get(before..).unwrap_or_default();
    let unpriced = days.iter().map(|day| day.measures.unpriced_calls).sum();
    let days: Vec<i64> = days.iter().map(cost).collect();
    let figures = Burn {
        spent: days.iter().fold(0, |sum, day| sum.saturating_add(*day)),
        daily: since(week, &report) / RATE_DAYS,
        monthly: budget.monthly_pico_usd,
        range: (from, to),
        now,
    };
    Ok(BudgetState {
        from,
        to,
        spent_pico_usd: figures.spent,
        unpriced_calls: unpriced,
        daily_pico_usd: figures.daily,
        forecast_pico_usd: figures.forecast(),
        used_up_at: figures.used_up(bounds, &days),
        days_pico_usd: days,
        budget,
    })
}

fn cost(day: &UsageTotals) -> i64 {
    day.measures.cost_pico_usd.unwrap_or(0)
}

/// What calls cost since a moment; of the day that it lies in its part.
fn since(moment: i64, report: &UsageReport) -> i64 {
    let days = report.bounds.windows(2).zip(&report.timeline);
    let costs = days.map(|(bounds, day)| {
        let [start, end] = bounds else { return 0 };
        let (start, end) = ((*start).max(report.from), (*end).min(report.to));
        let within = end.saturating_sub(start.max(moment)).max(0);
        let whole = end.saturating_sub(start).max(1);
        i128::from(cost(day)) * i128::from(within) / i128::from(whole)
    });
    i64::try_from(costs.sum::<i128>()).unwrap_or(i64::MAX)
}

/// What a month's forecast is made of; pico-dollars and ns since the epoch.
struct Burn {
    spent: i64,
    daily: i64,
    monthly: i64,
    range: (i64, i64),
    now: i64,
}

impl Burn {
    fn forecast(&self) -> i64 {
        let left = self.range.1.saturating_sub(self.now).max(0);
        let more = i128::from(self.daily) * i128::from(left) / i128::from(DAY);
        self.spent.saturating_add(i64::try_from(more).unwrap_or(i64::MAX))
    }

    /// When the budget was used up, on the day that passed it, or will be at the present rate.
    fn used_up(&self, bounds: &[i64], days: &[i64]) -> Option<i64> {
        let part = |start: i64, length: i64, of: i64, whole: i64| {
            let within = i128::from(length) * i128::from(of) / i128::from(whole.max(1));
            start.saturating_add(i64::try_from(within).unwrap_or(i64::MAX))
        };
        let mut spent = 0_i64;
        for (bound, day) in bounds.windows(2).zip(days) {
            let [start, end] = bound else { continue };
            if spent.saturating_add(*day) >= self.monthly {
                let length = (*end).min(self.now).saturating_sub(*start);
                return Some(part(*start, length, self.monthly - spent, *day));
            }
            spent = spent.saturating_add(*day);
        }
        let at = part(self.now, DAY, self.monthly.saturating_sub(spent), self.daily);
        (self.daily > 0 && at < self.range.1).then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshscope_model::time::{HOUR, parse_rfc3339};

    fn at(text: &str) -> i64 {
        parse_rfc3339(text).unwrap()
    }

    #[test]
    fn a_month_begins_where_the_budget_lives() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let (from, to) = month(at("2026-10-31T23:30:00Z"), &berlin).unwrap();
        assert_eq!(
            (from, to),
            (at("2026-10-31T23:00:00Z"), at("2026-11-30T23:00:00Z"))
        );
        let utc = month(at("2026-10-31T23:30:00Z"), &TimeZone::UTC).unwrap();
        assert_eq!(utc, (at("2026-10-01T00:00:00Z"), at("2026-11-01T00:00:00Z")));
    }

    #[test]
    fn a_forecast_goes_on_at_the_present_rate() {
        let burn = |spent, monthly| Burn {
            spent,
            daily: 10,
            monthly,
            range: (0, 30 * DAY),
            now: 10 * DAY,
        };
        let bounds: Vec<i64> = (0..=10).map(|day| day * DAY).collect();
        let days = [10; 10];
        assert_eq!(burn(100, 1_000).forecast(), 300);
        assert_eq!(burn(100, 1_000).used_up(&bounds, &days), None);
        assert_eq!(burn(100, 250).used_up(&bounds, &days), Some(25 * DAY));
        // It was passed in the middle of the third day.
        assert_eq!(burn(100, 25).used_up(&bounds, &days), Some(2 * DAY + 12 * HOUR));
        let quiet = Burn {
            daily: 0,
            ..burn(0, 10)
        };
        assert_eq!((quiet.forecast(), quiet.used_up(&bounds, &[0; 10])), (0, None));
    }

    #[test]
    fn the_rate_counts_a_day_by_its_part_of_the_week() {
        let report = |from: i64, costs: &[i64]| UsageReport {
            from,
            to: 10 * DAY,
            bounds: (0..=10).map(|day| day * DAY).collect(),
            timeline: costs
                .iter()
                .map(|cost| UsageTotals {
                    measures: meshscope_api::usage::UsageMeasures {
                        cost_pico_usd: Some(*cost),
                        ..Default::default()
                    },
                    ..UsageTotals::default()
                })
                .collect(),
            ..UsageReport::default()
        };
        let costs = [1_000, 1_000, 100, 40, 0, 0, 0, 0, 0, 7];
        // The week began at noon of the third day, of which half counts.
        let noon = 2 * DAY + 12 * HOUR;
        assert_eq!(since(noon, &report(0, &costs)), 50 + 40 + 7);
        // Or all of what was asked for.
        assert_eq!(
            since(noon, &report(noon, &[0, 0, 100, 40, 0, 0, 0, 0, 0, 7])),
            147
        );
    }

    #[test]
    fn what_is_no_budget_is_named() {
        let budget = |monthly: i64, tz: &str, room: &str| Budget {
            monthly_pico_usd: monthly,
            tz: Some(tz.to_owned()),
            room: Some(room.to_owned()),
            project: None,
        };
        assert!(validate(&budget(1, "Asia/Tokyo", "lobby")).is_ok());
        for (wrong, named) in [
            (budget(0, "UTC", "r"), "monthly_pico_usd"),
            (budget(1, "Mars/Base", "r"), "tz"),
            (budget(1, "UTC", "*"), "room"),
        ] {
            assert_eq!(validate(&wrong).unwrap_err().parameter.as_deref(), Some(named));
        }
    }
}
