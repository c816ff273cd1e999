//! Monthly budgets: what is spent, at what rate, and when it will be used up.

use super::measure::whole;
use super::prices::form::millionths;
use crate::client::{self, use_fetch};
use crate::components::fact::Fact;
use crate::components::sparkline::Trend;
use crate::components::states::Fetched;
use crate::components::time_text::{axis, moment, zone_name};
use leptos::prelude::*;
use leptos::task::spawn_local;
use meshscope_api::budgets::{Budget, BudgetList, BudgetState};
use meshscope_api::{Params, Problem};
use meshscope_layout::format;

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

/// What all parts share.
#[derive(Clone, Copy)]
struct Desk {
    list: RwSignal<Option<BudgetList>>,
    form: RwSignal<Option<Form>>,
    problem: RwSignal<Option<String>>,
}

impl Desk {
    fn change(self, method: &'static str, params: Params, body: Option<String>, origin: String) {
        spawn_local(async move {
            match client::change::<BudgetList>(method, &origin, "budgets", &params, body).await {
                Ok(list) => {
                    self.list.set(Some(list));
                    self.form.set(None);
                    self.problem.set(None);
                }
                Err(Problem { title, detail, .. }) => self.problem.set(Some(format!("{title}. {detail}"))),
            }
        });
    }
}

/// The tab.
pub(super) fn page() -> AnyView {
    let origin = client::origin();
    let fetch = use_fetch(
        || Some(()),
        move |(), abort| {
            let origin = origin.clone();
            async move { client::get::<BudgetList>(&origin, "budgets", &Params::default(), abort.as_ref()).await }
        },
    );
    let desk = Desk {
        list: fetch.value,
        form: RwSignal::new(None),
        problem: RwSignal::new(None),
    };
    let add = move |_| {
        desk.form.set(Some(Form {
            tz: zone_name(),
            ..Form::default()
        }));
    };
    view! {
        <div class="row">
            <span class="muted sub">"What a month may cost, of everything, a project or a room."</span>
            <div class="grow"></div>
            <button class="pill" id="add-budget" on:click=add>"Add a budget"</button>
        </div>
        {move || desk.form.with(Option::is_some).then(|| editor(desk))}
        <Fetched fetch what="the budgets" content=move |list: &BudgetList| cards(list, desk) />
    }
    .into_any()
}

fn cards(list: &BudgetList, desk: Desk) -> AnyView {
    if list.budgets.is_empty() {
        return view! {
            <div class="empty"><h2>"No budgets yet"</h2><p>"A budget shows what a month has cost so far, what it will have cost at its end, and when it is used up at the present rate."</p></div>
        }
        .into_any();
    }
    let cards = list.budgets.iter().map(|state| card(state, desk)).collect_view();
    view! { <div class="budgets">{cards}</div> }.into_any()
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

fn card(state: &BudgetState, desk: Desk) -> AnyView {
    let (all, spent, forecast) = (
        state.budget.monthly_pico_usd,
        state.spent_pico_usd,
        state.forecast_pico_usd,
    );
    let part = |n: i64| (n as f64 / all.max(1) as f64 * 100.0).clamp(0.0, 100.0);
    let (class, said) = match (spent >= all, forecast >= all) {
        (true, _) => ("budget over", "\u{25cf} used up"),
        (false, true) => ("budget near", "\u{25b2} will not last"),
        (false, false) => ("budget", "\u{2713} lasts the month"),
    };
    let lower = if state.unpriced_calls > 0 { "\u{2265} " } else { "" };
    let unpriced = (state.unpriced_calls > 0).then(|| {
        let text = format!(
            "{} calls have no price: it is more than this.",
            format::integer(whole(state.unpriced_calls))
        );
        view! { <p class="other sub">{text}</p> }
    });
    // What the days add up to, beside one another.
    let mut sum = 0_i64;
    let days = state.days_pico_usd.iter().map(|day| {
        sum = sum.saturating_add(*day);
        Some(sum as f64)
    });
    let days: Vec<Option<f64>> = days.collect();
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
    let (form, budget, origin) = (Form::of(&state.budget), state.budget.clone(), client::origin());
    let remove = move |_| {
        let mut params = Params::default();
        params.set("project", budget.project.clone());
        params.set("room", budget.room.clone());
        desk.change("DELETE", params, None, origin.clone());
    };
    view! {
        <section class="panel card budget-card">
            <div class="row">
                <h2>{name(&state.budget)}</h2><span class=class>{said}</span>
                <div class="grow"></div>
                <button class="tool" on:click=move |_| desk.form.set(Some(form.clone()))>"change"</button>
                <button class="tool" on:click=remove>"remove"</button>
            </div>
            <div class="v">{of}</div>
            <div class="meter" role="img" aria-label=label><i class=class style=bar></i><b style=mark title="Forecast"></b></div>
            {unpriced}
            <div class="facts">
                <Fact name="Forecast" value=format::cost(forecast) title="At the end of the month, at the rate of the last 7 days" />
                <Fact name="A day" value=format::cost(state.daily_pico_usd) title="Mean of the last 7 days" />
                <Fact name="Left" value=format::cost(all.saturating_sub(spent)) />
                <Fact name="Used up" value=used_up />
            </div>
            <Trend values=days />
            <p class="muted sub">{format!("{} \u{2013} {}, a point a day", axis(state.from, true, false, false), axis(state.to - 1, true, false, false))}</p>
        </section>
    }
    .into_any()
}

fn field(desk: Desk, name: &'static str, get: fn(&Form) -> &String, set: fn(&mut Form, String)) -> AnyView {
    let value = move || {
        desk.form
            .with(|form| form.as_ref().map(get).cloned().unwrap_or_default())
    };
    let typed = move |event| {
        let text = event_target_value(&event);
        desk.form.update(|form| {
            if let Some(form) = form {
                set(form, text);
            }
        });
    };
    view! { <label>{name}<input type="text" name=name prop:value=value on:input=typed /></label> }.into_any()
}

fn editor(desk: Desk) -> AnyView {
    let origin = client::origin();
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let Some(form) = desk.form.get_untracked() else {
            return;
        };
        match form.budget() {
            Ok(budget) => {
                let body = serde_json::to_string(&budget).unwrap_or_default();
                desk.change("PUT", Params::default(), Some(body), origin.clone());
            }
            Err(why) => desk.problem.set(Some(why)),
        }
    };
    let problem = move || {
        desk.problem
            .get()
            .map(|why| view! { <p class="error-text" role="alert">{why}</p> })
    };
    view! {
        <form class="panel card price-form" id="budget-form" on:submit=submit>
            <h2>"A monthly budget"</h2>
            <div class="fields">
                {field(desk, "Project", |form| &form.project, |form, text| form.project = text)}
                {field(desk, "Room", |form| &form.room, |form, text| form.room = text)}
                {field(desk, "Dollars a month", |form| &form.dollars, |form, text| form.dollars = text)}
            </div>
            <p class="muted sub">"Without a project it is of everything, without a room of the whole project."</p>
            {problem}
            <div class="row">
                <button class="pill on" type="submit">"Save"</button>
                <button class="pill" type="button" on:click=move |_| { desk.form.set(None); desk.problem.set(None); }>"Cancel"</button>
            </div>
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
        for (dollars, room, project) in [("0", "", ""), ("-1", "", ""), ("x", "", ""), ("5", "r", "")] {
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
