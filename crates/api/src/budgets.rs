//! Monthly budgets of projects and rooms.

use serde::{Deserialize, Serialize};

/// A monthly budget of everything, of a project or of a room. There is one for each of these at most.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// The project; absent for all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The room within it; absent for all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// What a month may cost, pico-dollars; more than 0.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub monthly_pico_usd: i64,
    /// IANA time zone in which months begin; absent is UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tz: Option<String>,
}

/// How a budget stands this month.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BudgetState {
    /// The budget.
    #[serde(flatten)]
    pub budget: Budget,
    /// First moment of the month, ns since the epoch.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub from: i64,
    /// First moment of the next month, ns since the epoch.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub to: i64,
    /// Cost of the calls of the month so far, pico-dollars; 0 when there were none.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub spent_pico_usd: i64,
    /// Calls of the month whose cost is not known: when not 0, `spent` is a lower bound.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub unpriced_calls: u64,
    /// Cost of a day at the present rate, pico-dollars: the mean of the last 7 days, those before the
    /// month among them. They begin within a day, which counts by its part.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub daily_pico_usd: i64,
    /// What the month will cost at that rate, pico-dollars.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub forecast_pico_usd: i64,
    /// When the budget is used up at that rate, or was; ns since the epoch. Absent when it lasts the
    /// month.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub used_up_at: Option<i64>,
    /// Cost of each day of the month so far, pico-dollars, today's last.
    #[serde(with = "meshscope_model::decimal::list")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub days_pico_usd: Vec<i64>,
}

/// Answer of `GET /api/v1/budgets`, and of every change to them: budgets of everything first, then by
/// project and room.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BudgetList {
    /// The budgets.
    pub budgets: Vec<BudgetState>,
}
