//! Monthly budgets: what is spent, at what rate, and when it will be used up.

use super::measure::whole;
use super::prices::form::millionths;
use crate::client::{self, use_fetch};
use crate::components::fact::Fact;
use crate::components::remover::remover;
use crate::components::sparkline::Trend;
use crate::components::states::States;
use crate::components::time_text::{day_in, moment, zone_name};
use leptos::prelude::*;
use meshscope_api::Params;
use meshscope_api::budgets::{Budget, BudgetList, BudgetState};
use meshscope_layout::format;
use meshscope_model::time::SECOND;

/// Where budgets are.
const PATH: &str = "budgets";

/// What is typed.
#[derive(Debug, Clone, PartialEq, Default)]
struct Form {
    project: String,
    room: String,
    dollars: String,
    tz: Option<String>,
}

impl Form {
    fn of(budget: &Budget) -> Self {
        let (dollars, rest) = (
            budget.monthly_pico_usd / 1_000_000_000_000,
            budget.monthly_pico_usd / 1_000_000 % 1_000_000,
        );
        let text = format!("{dollars}.{rest:06}");
        Self {
            project: budget.project.clone().unwrap_or_default(),
            room: budget.room.clone().unwrap_or_default(),
            dollars: text.trim_end_matches('0').trim_end_matches('.').to_owned(),
            tz: budget.tz.clone(),
        }
    }

    /// The budget, or what is wrong.
    fn budget(&self) -> Result<Budget, String> {
        let text = self.dollars.trim().trim_start_matches('$');
        if text.is_empty() {
            return Err("Dollars a month are missing.".to_owned());
        }
        let millionths = millionths(text)
            .filter(|n| *n > 0)
            .and_then(|n| n.checked_mul(1_000_000));
        let some = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        if some(&self.room).is_some() && some(&self.project).is_none() {
            return Err("A room is one of a project: name the project too.".to_owned());
        }
        Ok(Budget {
            project: some(&self.project),
            room: some(&self.room),
            monthly_pico_usd: millionths
                .ok_or_else(|| format!("{text:?} is no amount of dollars above 0."))?,
            tz: self.tz.clone(),
        })
    }
}

type Desk = super::desk::Desk<BudgetList, Form>;

/// The tab.
pub(super) fn page() -> AnyView {
    let origin = client::origin();
    let fetch = use_fetch(
        || Some(()),
        move |(), abort| {
            let origin = origin.clone();
            async move { client::get::<BudgetList>(&origin, PATH, &Params::default(), abort.as_ref()).await }
        },
    );
    let desk = Desk::new(fetch.value);
    let add = move |_| {
        desk.open(Form {
            tz: zone_name(),
            ..Form::default()
        });
    };
    view! {
        <div class="row">
            <span class="muted sub">"What a month may cost, of everything, a project or a room."</span>
            <div class="grow"></div>
            <button class="pill" id="add-budget" on:click=add>"Add a budget"</button>
        </div>
        {desk.view(editor)}
        <States fetch what="the budgets" />
        {cards(fetch.value, desk)}
    }
    .into_any()
}

/// Project and room of a budget, which no other one has.
type Whose = (Option<String>, Option<String>);

fn whose(state: &BudgetState) -> Whose {
    (state.budget.project.clone(), state.budget.room.clone())
}

/// A card a budget, which stays while its figures change.
fn cards(list: RwSignal<Option<BudgetList>>, desk: Desk) -> AnyView {
    let all = Memo::new(move |_| {
        let all = |list: &BudgetList| list.budgets.iter().map(whose).collect::<Vec<_>>();
        list.with(|list| list.as_ref().map(all))
    });
    let empty = move || {
        all.with(|all| all.as_ref().is_some_and(Vec::is_empty)).then(|| {
            view! {
                <div class="empty"><h2>"No budgets yet"</h2><p>"A budget shows what a month has cost so far, what it will have cost at its end, and when it is used up at the present rate."</p></div>
            }
            .into_any()
        })
    };
    let each = move || all.get().unwrap_or_default();
    view! {
        {empty}
        <div class="budgets"><For each key=Whose::clone let:of>{card(of, list, desk)}</For></div>
    }
    .into_any()
}

/// Whom a budget is of.
fn name(budget: &Budget) -> String {
    match (&budget.project, &budget.room) {
        (Some(project), Some(room)) => format!("{project} / {room}"),
        (Some(project), None) => project.clone(),
        (None, Some(room)) => format!("room {room}"),
        (None, None) => "Everything".to_owned(),
    }
}

fn card(of: Whose, list: RwSignal<Option<BudgetList>>, desk: Desk) -> AnyView {
    let mut params = Params::default();
    params.set("project", of.0.as_ref());
    params.set("room", of.1.as_ref());
    let state = Memo::new(move |_| {
        let mine = |state: &&BudgetState| whose(state) == of;
        list.with(|list| list.as_ref()?.budgets.iter().find(mine).cloned())
    });
    let change = move |_| {
        if let Some(form) = state.with_untracked(|state| state.as_ref().map(|state| Form::of(&state.budget)))
        {
            desk.open(form);
        }
    };
    let remove = Callback::new(move |whose: String| {
        desk.change("DELETE", PATH.to_owned(), Params::parse(&whose), None);
    });
    let title = state.with_untracked(|state| state.as_ref().map(|state| name(&state.budget)));
    view! {
        <section class="panel card budget-card">
            <div class="row">
                <h2>{title}</h2>{move || state.with(|state| state.as_ref().map(standing))}
                <div class="grow"></div>
                <button class="pill" on:click=change>"Change"</button>
                {remover(params.to_query(), remove)}
            </div>
            {move || state.with(|state| state.as_ref().map(figures))}
        </section>
    }
    .into_any()
}

/// Whether it will last: the class and the words of it.
fn lasts(state: &BudgetState) -> (&'static str, &'static str) {
    let all = state.budget.monthly_pico_usd;
    match (state.spent_pico_usd >= all, state.forecast_pico_usd >= all) {
        (true, _) => ("budget over", "\u{25cf} used up"),
        (false, true) => ("budget near", "\u{25b2} will not last"),
        (false, false) => ("budget", "\u{2713} lasts the month"),
    }
}

fn standing(state: &BudgetState) -> AnyView {
    let (class, said) = lasts(state);
    view! { <span class=class>{said}</span> }.into_any()
}

fn figures(state: &BudgetState) -> AnyView {
    let (all, spent, forecast) = (
        state.budget.monthly_pico_usd,
        state.spent_pico_usd,
        state.forecast_pico_usd,
    );
    let part = |n: i64| (n as f64 / all.max(1) as f64 * 100.0).clamp(0.0, 100.0);
    let (class, _) = lasts(state);
    let lower = if state.unpriced_calls > 0 { "\u{2265} " } else { "" };
    let unpriced = (state.unpriced_calls > 0).then(|| {
        let text = format!(
            "{} calls have no price: it is more than this.",
            format::integer(whole(state.unpriced_calls))
        );
        view! { <p class="other sub">{text}</p> }
    });
    let used_up = state
        .used_up_at
        .map_or_else(|| "after this month".to_owned(), moment);
    let of = format!("{lower}{} of {}", format::cost(spent), format::cost(all));
    let bar = format!("width:{:.2}%", part(spent));
    let mark = format!("left:{:.2}%", part(forecast));
    let label = format!(
        "{} spent, forecast {}",
        format::percent(spent, all),
        format::percent(forecast, all)
    );
    // Its month is cut in its own zone.
    let zone = state.budget.tz.as_deref().unwrap_or("UTC");
    let (from, to) = (day_in(zone, state.from), day_in(zone, state.to - SECOND));
    let month = format!("{from} \u{2013} {to} in {zone}, a point a day");
    view! {
        <div class="v">{of}</div>
        <div class="meter" role="img" aria-label=label><i class=class style=bar></i><b style=mark title="Forecast"></b></div>
        {unpriced}
        <div class="facts">
            <Fact name="Forecast" value=format::cost(forecast) title="At the end of the month, at the rate of the last 7 days" />
            <Fact name="A day" value=format::cost(state.daily_pico_usd) title="Mean of the last 7 days" />
            <Fact name="Left" value=format::cost(all.saturating_sub(spent)) />
            <Fact name="Used up" value=used_up />
        </div>
        <Trend values=spent_by_day(state) />
        <p class="muted sub">{month}</p>
    }
    .into_any()
}

/// What the days add up to, beside one another.
fn spent_by_day(state: &BudgetState) -> Vec<Option<f64>> {
    let mut sum = 0_i64;
    let days = state.days_pico_usd.iter().map(|day| {
        sum = sum.saturating_add(*day);
        Some(sum as f64)
    });
    days.collect()
}

fn editor(desk: Desk) -> AnyView {
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        match desk.typed().map(|form| form.budget()) {
            Some(Ok(budget)) => {
                let body = serde_json::to_string(&budget).unwrap_or_default();
                desk.change("PUT", PATH.to_owned(), Params::default(), Some(body));
            }
            Some(Err(why)) => desk.wrong(why),
            None => {}
        }
    };
    let project = desk.field(
        "Project",
        "text",
        Box::new(|form| form.project.clone()),
        Box::new(|form, text| form.project = text),
    );
    let room = desk.field(
        "Room",
        "text",
        Box::new(|form| form.room.clone()),
        Box::new(|form, text| form.room = text),
    );
    let dollars = desk.field(
        "Dollars a month",
        "decimal",
        Box::new(|form| form.dollars.clone()),
        Box::new(|form, text| form.dollars = text),
    );
    view! {
        <form class="panel card price-form" id="budget-form" on:submit=submit>
            <h2>"A monthly budget"</h2>
            <div class="fields">{project}{room}{dollars}</div>
            <p class="muted sub">"Without a project it is of everything, without a room of the whole project."</p>
            {desk.buttons("")}
        </form>
    }
    .into_any()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn budgets_survive_the_form() {
        let budget = Budget {
            project: Some("p".to_owned()),
            room: None,
            monthly_pico_usd: 1_250_500_000_000_000,
            tz: Some("Europe/Berlin".to_owned()),
        };
        let form = Form::of(&budget);
        assert_eq!(form.dollars, "1250.5");
        assert_eq!(form.budget().unwrap(), budget);
        for (dollars, room, project) in [
            ("", "", ""),
            ("0", "", ""),
            ("-1", "", ""),
            ("x", "", ""),
            ("5", "r", ""),
        ] {
            let form = Form {
                dollars: dollars.to_owned(),
                room: room.to_owned(),
                project: project.to_owned(),
                tz: None,
            };
            assert!(form.budget().is_err(), "{form:?}");
        }
    }
}
