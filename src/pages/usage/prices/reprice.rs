//! Pricing the past anew, on purpose: first what would change, then the change.

use crate::client;
use crate::components::fact::Fact;
use crate::components::top_bar::scoped;
use crate::pages::usage::measure::{difference, whole};
use crate::state::now;
use leptos::prelude::*;
use leptos::task::spawn_local;
use meshscope_api::prices::{Reprice, RepriceModel, RepriceReport};
use meshscope_api::{Params, Problem};
use meshscope_layout::format;

/// The card.
pub(super) fn card(changed: Callback<()>) -> AnyView {
    let (scope, origin) = (scoped(), client::origin());
    let report = RwSignal::new(None::<Result<RepriceReport, Problem>>);
    let busy = RwSignal::new(false);
    let ask = Callback::new(move |apply: bool| {
        let (range, project, _) = scope.get_untracked();
        let (from, to) = range.bounds(now());
        let body = Reprice {
            apply,
            project,
            model: None,
            from,
            to,
        };
        let origin = origin.clone();
        busy.set(true);
        spawn_local(async move {
            let body = serde_json::to_string(&body).unwrap_or_default();
            let answer =
                client::change("POST", &origin, "prices/reprice", &Params::default(), Some(body)).await;
            busy.set(false);
            // The page may have been left meanwhile.
            if apply && answer.is_ok() {
                changed.try_run(());
            }
            report.set(Some(answer));
        });
    });
    // Another time or project is another question.
    Effect::new(move |_| {
        scope.track();
        report.set(None);
    });
    let shown = move || {
        match report.get() {
        None => ().into_any(),
        Some(Ok(report)) => table(&report, ask),
        Some(Err(problem)) => {
            view! { <p class="error-text" role="alert">{format!("{}. {}", problem.title, problem.detail)}</p> }.into_any()
        }
    }
    };
    view! {
        <section class="panel card reprice">
            <h2>"Price the past anew"</h2>
            <p class="muted">"Computes the costs of the calls in the chosen project and time with the tables of now, each at the price of its day. Costs that agents reported stay."</p>
            <div class="row">
                <button class="pill" id="reprice" disabled=move || busy.get() on:click=move |_| ask.run(false)>"See what would change"</button>
                {move || busy.get().then(|| view! { <span class="muted" role="status">"Computing\u{2026}"</span> })}
            </div>
            {shown}
        </section>
    }
    .into_any()
}

fn table(report: &RepriceReport, ask: Callback<bool>) -> AnyView {
    let sum = &report.total;
    let count = |n: u64| format::integer(whole(n));
    let title = match (report.applied, sum.changed) {
        (true, _) => "Applied".to_owned(),
        (false, 0) => "Nothing would change".to_owned(),
        (false, n) => format!(
            "{} of {} calls would get another cost",
            count(n),
            count(sum.calls)
        ),
    };
    let row = |m: &RepriceModel| {
        let s = &m.sum;
        view! {
            <tr>
                <td class="title">{if m.model.is_empty() { "none".to_owned() } else { m.model.clone() }}<span class="id">{m.provider.clone()}</span></td>
                <td class="num">{count(s.calls)}</td><td class="num">{count(s.changed)}</td><td class="num">{count(s.newly_priced)}</td>
                <td class="num">{format::cost_or_unknown(s.before_pico_usd)}</td><td class="num">{format::cost_or_unknown(s.after_pico_usd)}</td>
                <td class="num">{difference(s.before_pico_usd, s.after_pico_usd)}</td>
            </tr>
        }
        .into_any()
    };
    let rows = (!report.models.is_empty()).then(|| {
        view! {
            <div class="scroll"><table class="list">
                <thead><tr>
                    <th>"Model"</th><th class="num">"Calls"</th><th class="num">"Change"</th><th class="num">"Had none"</th>
                    <th class="num">"Before"</th><th class="num">"After"</th><th class="num">"Difference"</th>
                </tr></thead>
                <tbody>{report.models.iter().map(row).collect_view()}</tbody>
            </table></div>
        }
    });
    let apply = (!report.applied && sum.changed > 0).then(|| {
        view! { <button class="pill on" id="reprice-apply" on:click=move |_| ask.run(true)>"Apply"</button> }
    });
    view! {
        <div class="stack" role="status">
            <h3>{title}</h3>
            <div class="facts">
                <Fact name="Before" value=format::cost_or_unknown(sum.before_pico_usd) />
                <Fact name="After" value=format::cost_or_unknown(sum.after_pico_usd) />
                <Fact name="Difference" value=difference(sum.before_pico_usd, sum.after_pico_usd) />
                <Fact name="Priced for the first time" value=count(sum.newly_priced) />
                <Fact name="Keep their cost" value=count(sum.kept) title="No price is known for them now" />
                <Fact name="Reported by agents" value=count(report.reported_calls) title="These stay as they are" />
            </div>
            {rows}
            <div class="row">{apply}</div>
        </div>
    }
    .into_any()
}
