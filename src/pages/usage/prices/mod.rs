//! Prices: models without one, the own table, the built-in one, and pricing the past anew.

pub(super) mod form;
mod reprice;

use super::measure::whole;
use crate::client::{self, use_fetch_while};
use crate::components::remover::remover;
use crate::components::states::Fetched;
use crate::components::time_text::moment;
use form::{FIELDS, Form, dollars, values};
use leptos::prelude::*;
use meshscope_api::Params;
use meshscope_api::params::encode;
use meshscope_api::prices::{PriceEntry, PriceList, PriceTableView, PriceView, UnpricedModel};
use meshscope_layout::format;

type Desk = super::desk::Desk<PriceList, Form>;

/// The tab.
pub(super) fn page() -> AnyView {
    let origin = client::origin();
    let fetch = use_fetch_while(
        || Some(()),
        || false,
        move |(), abort| {
            let origin = origin.clone();
            async move { client::get::<PriceList>(&origin, "prices", &Params::default(), abort.as_ref()).await }
        },
    );
    let desk = Desk::new(fetch.value);
    view! {
        {desk.view(editor)}
        <Fetched fetch what="the prices" content=move |list: &PriceList| tables(list, desk) />
        {reprice::card(Callback::new(move |()| fetch.retry()))}
    }
    .into_any()
}

fn tables(list: &PriceList, desk: Desk) -> AnyView {
    let all = list
        .tables
        .iter()
        .map(|table| card(table, &list.file, desk))
        .collect_view();
    view! { {unpriced(&list.unpriced, desk)}{all} }.into_any()
}

/// The models without a price, each with a way to give it one.
fn unpriced(models: &[UnpricedModel], desk: Desk) -> AnyView {
    if models.is_empty() {
        return view! {
            <section class="panel card"><h2>"Models without a price"</h2><p class="muted">"Every model that was called has a price."</p></section>
        }
        .into_any();
    }
    let row = |m: &UnpricedModel| {
        let form = Form {
            model: m.model.clone(),
            providers: m.provider.clone().unwrap_or_default(),
            ..Form::default()
        };
        let name = if m.model.is_empty() {
            "none".to_owned()
        } else {
            m.model.clone()
        };
        let add = if m.priced_now {
            view! { <span class="muted">"has one by now: price the past anew"</span> }.into_any()
        } else {
            view! { <button class="pill" on:click=move |_| desk.open(form.clone())>"Add a price"</button> }
                .into_any()
        };
        view! {
            <tr>
                <td class="title">{name}<span class="id">{m.provider.clone()}</span></td>
                <td class="num">{format::integer(whole(m.calls))}</td>
                <td class="num">{m.tokens.total.map_or_else(|| "\u{2013}".to_owned(), format::count)}</td>
                <td class="muted nowrap">{moment(m.first_at)}</td><td class="muted nowrap">{moment(m.last_at)}</td>
                <td>{add}</td>
            </tr>
        }
        .into_any()
    };
    view! {
        <section class="panel card" id="unpriced">
            <h2>"Models without a price"</h2>
            <div class="scroll"><table class="list">
                <thead><tr><th>"Model"</th><th class="num">"Calls"</th><th class="num">"Tokens"</th><th>"First"</th><th>"Last"</th><th></th></tr></thead>
                <tbody>{models.iter().map(row).collect_view()}</tbody>
            </table></div>
        </section>
    }
    .into_any()
}

/// A table of prices.
fn card(table: &PriceTableView, file: &str, desk: Desk) -> AnyView {
    let own = table.own;
    let date = table
        .date
        .as_ref()
        .map_or_else(String::new, |date| format!(", read on {date}"));
    let title = if own {
        "Your prices"
    } else {
        "Built-in list prices"
    };
    let about = if own {
        format!("Asked before the built-in ones. Kept in {file}.")
    } else {
        "What the providers list; own prices take precedence.".to_owned()
    };
    let find = RwSignal::new(String::new());
    let entries = table.entries.clone();
    let rows = move || {
        let text = find.get().to_lowercase();
        let fits = |view: &&PriceView| {
            let entry = &view.entry;
            entry.model.to_lowercase().contains(&text)
                || entry.providers.iter().any(|name| name.contains(&text))
        };
        entries
            .iter()
            .filter(fits)
            .map(|view| price_row(view, own, desk))
            .collect_view()
    };
    let add = own.then(|| {
        view! { <button class="pill" id="add-price" on:click=move |_| desk.open(Form::default())>"Add a price"</button> }
    });
    let search = (!own).then(|| {
        view! {
            <label class="pill search"><input type="search" placeholder="model or provider" aria-label="Find a price"
                on:input=move |event| find.set(event_target_value(&event)) /></label>
        }
    });
    let heads = FIELDS
        .map(|name| view! { <th class="num">{name}</th> })
        .collect_view();
    let body = if table.entries.is_empty() {
        view! { <p class="muted">"None yet."</p> }.into_any()
    } else {
        view! {
            <div class="scroll prices"><table class="list">
                <thead><tr><th>"Model"</th><th>"From"</th>{heads}<th class="num">"Batch"</th><th></th></tr></thead>
                <tbody>{rows}</tbody>
            </table></div>
            <p class="muted sub">"Dollars for a million tokens, characters, or seconds of audio."</p>
        }
        .into_any()
    };
    view! {
        <section class="panel card" data-own=own.to_string()>
            <div class="row">
                <h2>{title}</h2><span class="muted sub">{format!("{}{date}", table.version)}</span>
                <div class="grow"></div>{search}{add}
            </div>
            <p class="muted sub">{about}</p>
            {body}
        </section>
    }
    .into_any()
}

fn price_row(view: &PriceView, own: bool, desk: Desk) -> AnyView {
    let entry = &view.entry;
    let cells = values(entry).map(|price| {
        let text = price.map_or_else(|| "\u{2013}".to_owned(), dollars);
        view! { <td class="num" class:muted=price.is_none()>{text}</td> }
    });
    let tiers = entry
        .tiers
        .iter()
        .map(|tier| format!("above {}", format::count(tier.above_input_tokens)));
    let tiers = tiers.collect::<Vec<_>>().join(", ");
    let tiers = (!tiers.is_empty())
        .then(|| view! { <span class="badge" title="Other prices for long inputs">{tiers}</span> });
    let form = Form::of(entry, own.then(|| view.id.clone()));
    let edit = move |_| desk.open(form.clone());
    let remove = own.then(|| {
        let remove = move |id: String| {
            desk.change(
                "DELETE",
                format!("prices/{}", encode(&id)),
                Params::default(),
                None,
            );
        };
        remover(view.id.clone(), Callback::new(remove))
    });
    view! {
        <tr>
            <td class="title">{entry.model.clone()}<span class="id">{entry.providers.join(", ")}</span>{tiers}</td>
            <td class="muted nowrap">{entry.from.clone().unwrap_or_else(|| "ever".to_owned())}</td>
            {cells.into_iter().collect_view()}
            <td class="num">{entry.batch_percent.map(|percent| format!("{percent} %"))}</td>
            <td class="nowrap"><button class="pill" on:click=edit>{if own { "Change" } else { "Override" }}</button>" "{remove}</td>
        </tr>
    }
    .into_any()
}

fn price_field(desk: Desk, at: usize) -> AnyView {
    desk.field(
        FIELDS.get(at).copied().unwrap_or_default(),
        "decimal",
        Box::new(move |form| form.prices.get(at).cloned().unwrap_or_default()),
        Box::new(move |form, text| {
            if let Some(slot) = form.prices.get_mut(at) {
                *slot = text;
            }
        }),
    )
}

/// What a price is of: all fields but the prices.
fn other_fields(desk: Desk) -> [AnyView; 4] {
    /// Name, kind, and where it stands in the form.
    type Field = (
        &'static str,
        &'static str,
        fn(&Form) -> &String,
        fn(&mut Form) -> &mut String,
    );
    let fields: [Field; 4] = [
        ("Model", "text", |form| &form.model, |form| &mut form.model),
        (
            "Providers",
            "text",
            |form| &form.providers,
            |form| &mut form.providers,
        ),
        ("From", "date", |form| &form.from, |form| &mut form.from),
        (
            "Batch, percent",
            "decimal",
            |form| &form.batch,
            |form| &mut form.batch,
        ),
    ];
    fields.map(|(name, kind, get, slot)| {
        let get = move |form: &Form| get(form).clone();
        let set = move |form: &mut Form, text| *slot(form) = text;
        desk.field(name, kind, Box::new(get), Box::new(set))
    })
}

/// The form.
fn editor(desk: Desk) -> AnyView {
    let (changes, tiers) = desk
        .typed()
        .map_or((false, 0), |form| (form.id.is_some(), form.tiers.len()));
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let Some(form) = desk.typed() else { return };
        let entry = match form.entry() {
            Ok(entry) => entry,
            Err(why) => return desk.wrong(why),
        };
        let body = serde_json::to_string(&entry).unwrap_or_default();
        let (method, path) = match form.id {
            Some(id) => ("PUT", format!("prices/{}", encode(&id))),
            None => ("POST", "prices".to_owned()),
        };
        desk.change(method, path, Params::default(), Some(body));
    };
    let place = NodeRef::<leptos::html::Form>::new();
    Effect::new(move |_| {
        if let Some(form) = place.get() {
            form.scroll_into_view_with_bool(true);
        }
    });
    let tiers = (tiers > 0).then(|| view! { <p class="muted sub">{format!("{tiers} prices for long inputs are kept as they are.")}</p> });
    let [model, providers, from, batch] = other_fields(desk);
    view! {
        <form class="panel card price-form" id="price-form" node_ref=place on:submit=submit>
            <h2>{if changes { "Change a price" } else { "Add a price" }}</h2>
            <p class="muted sub">"Dollars for a million tokens, characters, or seconds of audio. A class without a price of its own costs what its whole does: cached input what input does, reasoning what output does."</p>
            <div class="fields">
                {model}{providers}{from}
                {(0..FIELDS.len()).map(|at| price_field(desk, at)).collect_view()}
                {batch}
            </div>
            {tiers}
            {desk.buttons("Calls from now on cost this; the past changes only when it is priced anew.")}
        </form>
    }
    .into_any()
}

/// The prices of an entry in a sentence.
pub(super) fn classes(entry: &PriceEntry) -> String {
    let of = |(name, price): (&str, Option<i64>)| {
        price.map(|price| format!("{} ${}", name.to_lowercase(), dollars(price)))
    };
    let all: Vec<String> = FIELDS.into_iter().zip(values(entry)).filter_map(of).collect();
    format!("For a million: {}.", all.join(", "))
}
