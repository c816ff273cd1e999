//! A list that is changed on the page: what is typed, what is under way, and what went wrong.

use crate::client;
use leptos::html::P;
use leptos::prelude::*;
use leptos::task::spawn_local;
use meshscope_api::{Params, Problem};
use serde::de::DeserializeOwned;

/// What the parts of such a page share: the list, and the form of one of its entries.
pub(super) struct Desk<L: 'static, F: 'static> {
    list: RwSignal<Option<L>>,
    /// What is being typed; nothing while the form is closed.
    form: RwSignal<Option<F>>,
    /// How many forms were opened.
    opened: RwSignal<u32>,
    problem: RwSignal<Option<String>>,
    /// A change is under way.
    busy: RwSignal<bool>,
    origin: StoredValue<String>,
}

impl<L: 'static, F: 'static> Clone for Desk<L, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<L: 'static, F: 'static> Copy for Desk<L, F> {}

/// Reads a field of a form.
pub(super) type Reader<F> = Box<dyn Fn(&F) -> String + Send + Sync>;
/// Writes a field of a form.
pub(super) type Writer<F> = Box<dyn Fn(&mut F, String) + Send + Sync>;

impl<L, F> Desk<L, F>
where
    L: DeserializeOwned + Send + Sync + 'static,
    F: Clone + Send + Sync + 'static,
{
    /// Of this list.
    pub(super) fn new(list: RwSignal<Option<L>>) -> Self {
        Self {
            list,
            form: RwSignal::new(None),
            opened: RwSignal::new(0),
            problem: RwSignal::new(None),
            busy: RwSignal::new(false),
            origin: StoredValue::new(client::origin()),
        }
    }

    /// Opens a form that says this.
    pub(super) fn open(self, form: F) {
        self.problem.set(None);
        self.form.set(Some(form));
        self.opened.update(|n| *n = n.wrapping_add(1));
    }

    fn close(self) {
        self.form.set(None);
        self.problem.set(None);
    }

    /// What is typed.
    pub(super) fn typed(self) -> Option<F> {
        self.form.get_untracked()
    }

    /// Says what is wrong.
    pub(super) fn wrong(self, why: String) {
        self.problem.set(Some(why));
    }

    /// Changes the list at the server, which answers what there is then. One change at a time.
    pub(super) fn change(self, method: &'static str, path: String, params: Params, body: Option<String>) {
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        self.problem.set(None);
        let origin = self.origin.get_value();
        spawn_local(async move {
            let answer = client::change::<L>(method, &origin, &path, &params, body).await;
            self.busy.set(false);
            match answer {
                Ok(list) => {
                    self.list.set(Some(list));
                    self.close();
                }
                Err(Problem { title, detail, .. }) => self.wrong(format!("{title}. {detail}")),
            }
        });
    }

    /// The form while it is open, and below it what went wrong: it is of the list, too.
    pub(super) fn view(self, editor: fn(Self) -> AnyView) -> AnyView {
        let open = Memo::new(move |_| self.form.with(Option::is_some));
        let form = move || {
            // Another entry is another form.
            self.opened.track();
            open.get().then(|| editor(self))
        };
        let problem = move || self.problem.get().map(alert);
        view! { {form}{problem} }.into_any()
    }

    /// A field of the form: `kind` is `text`, `decimal` or `date`.
    pub(super) fn field(
        self,
        name: &'static str,
        kind: &'static str,
        get: Reader<F>,
        set: Writer<F>,
    ) -> AnyView {
        let value = move || {
            let value = self.form.with(|form| form.as_ref().map(&get));
            value.unwrap_or_default()
        };
        let typed = move |event| {
            let text = event_target_value(&event);
            self.form.update(|form| {
                if let Some(form) = form {
                    set(form, text);
                }
            });
        };
        let (kind, mode) = if kind == "date" {
            (kind, None)
        } else {
            ("text", Some(kind))
        };
        view! { <label>{name}<input type=kind inputmode=mode name=name prop:value=value on:input=typed /></label> }
            .into_any()
    }

    /// The buttons of the form, and what is to be said beside them.
    pub(super) fn buttons(self, note: &'static str) -> AnyView {
        let busy = self.busy;
        view! {
            <div class="row">
                <button class="pill on" type="submit" aria-disabled=move || busy.get().to_string()>
                    {move || if busy.get() { "Saving\u{2026}" } else { "Save" }}
                </button>
                <button class="pill" type="button" on:click=move |_| self.close()>"Cancel"</button>
                <span class="muted sub">{note}</span>
            </div>
        }
        .into_any()
    }
}

/// What went wrong, brought into sight: what was pressed may be far below.
fn alert(why: String) -> AnyView {
    let place = NodeRef::<P>::new();
    Effect::new(move |_| {
        if let Some(place) = place.get() {
            place.scroll_into_view_with_bool(false);
        }
    });
    view! { <p class="error-text" role="alert" node_ref=place>{why}</p> }.into_any()
}
