//! Pages that are downloaded when they are first opened, so that the first download is what every
//! page needs and no more.
//!
//! With the feature `split` each [`later!`] is a place at which `cargo xtask build` cuts the wasm;
//! without it (`trunk serve`, `trunk build`) the pages are part of the one file.

use crate::components::states::{Failed, Loading};
use leptos::prelude::*;
use leptos::reactive::computed::ScopedFuture;
use leptos::task::spawn_local;
use meshscope_api::Problem;
use std::future::Future;

/// A part of the studio could not be downloaded.
#[derive(Debug)]
pub(crate) struct Missing;

#[cfg(feature = "split")]
impl From<leptos::wasm_split::SplitLoaderError> for Missing {
    fn from(_: leptos::wasm_split::SplitLoaderError) -> Self {
        Self
    }
}

/// `later!(name in chunk: Page)` is a component `name` that shows `Page`, which stands in `chunk`.
macro_rules! later {
    ($name:ident in $chunk:ident: $page:expr) => {
        pub(crate) fn $name() -> leptos::prelude::AnyView {
            #[cfg(feature = "split")]
            #[leptos::wasm_split::wasm_split($chunk, wasm_split_path = leptos::wasm_split, fallible)]
            fn page() -> Result<leptos::prelude::AnyView, crate::pages::later::Missing> {
                Ok(leptos::prelude::IntoAny::into_any($page()))
            }
            #[cfg(not(feature = "split"))]
            async fn page() -> Result<leptos::prelude::AnyView, crate::pages::later::Missing> {
                Ok(leptos::prelude::IntoAny::into_any($page()))
            }
            crate::pages::later::show(page)
        }
    };
}
pub(crate) use later;

/// By then the page that was opened has asked for what it shows, ms.
#[cfg(feature = "split")]
const OPENED_MS: i32 = 1_000;

/// Downloads all parts, one after the other, once the page that was opened is there: what is clicked next does not
/// wait for them. Who saves data is left to the click.
#[cfg(feature = "split")]
pub(crate) fn bring_parts() {
    macro_rules! bring {
        ($chunk:ident) => {{
            // The macro gives a way to bring a part only beside a function that stands in it.
            #[allow(dead_code)]
            #[leptos::wasm_split::wasm_split($chunk, wasm_split_path = leptos::wasm_split, fallible, preload(bring))]
            fn nothing() -> Result<(), crate::pages::later::Missing> {
                Ok(())
            }
            if bring().await.is_err() {
                leptos::logging::warn!("a part of the studio did not come; it is asked for again by its page");
            }
        }};
    }
    if saves_data() {
        return;
    }
    spawn_local(async {
        crate::client::sleep(OPENED_MS).await;
        bring!(trace);
        bring!(usage);
        bring!(console);
    });
}

/// Has the browser been told to download little? <https://wicg.github.io/savedata/>
#[cfg(feature = "split")]
fn saves_data() -> bool {
    let of = |object: &wasm_bindgen::JsValue, name: &str| js_sys::Reflect::get(object, &name.into());
    of(&window().navigator(), "connection")
        .and_then(|connection| of(&connection, "saveData"))
        .is_ok_and(|saves| saves.is_truthy())
}

/// Shows what `page` comes to, once it is there; asks again when told to.
pub(crate) fn show<F>(page: fn() -> F) -> AnyView
where
    F: Future<Output = Result<AnyView, Missing>> + 'static,
{
    let come = RwSignal::new_local(None);
    let owner = Owner::current();
    let ask = move || {
        // The page belongs to this route: its effects and contexts end with it.
        let page = match &owner {
            Some(owner) => owner.with(|| ScopedFuture::new(page())),
            None => ScopedFuture::new(page()),
        };
        spawn_local(async move {
            let page = page.await;
            // Gone meanwhile: nobody waits for it.
            come.try_set(Some(page));
        });
    };
    ask();
    let shown = move || {
        come.track();
        match come.try_update_untracked(Option::take).flatten() {
            Some(Ok(page)) => page,
            Some(Err(Missing)) => {
                let problem = Problem {
                    title: "A part of the studio could not be downloaded".to_owned(),
                    detail: "Is the server still there? After an update of the server, load the page again."
                        .to_owned(),
                    ..Problem::unavailable("")
                };
                let ask = ask.clone();
                view! { <Failed problem retry=Callback::new(move |()| ask()) /> }.into_any()
            }
            None => view! { <Loading what="the page" /> }.into_any(),
        }
    };
    shown.into_any()
}
