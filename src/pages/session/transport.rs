//! Plays the session: the playhead moves by the clock, as fast as is asked.

use super::Focus;
use crate::state::keys::{Going, is_taken};
use leptos::ev::keydown;
use leptos::prelude::*;
use meshscope_layout::format;

/// Speeds: name, and how many times as fast as it happened; 0 fits the whole into ten seconds.
const SPEEDS: [(&str, f64); 7] = [
    ("1\u{d7}", 1.0),
    ("2\u{d7}", 2.0),
    ("5\u{d7}", 5.0),
    ("10\u{d7}", 10.0),
    ("60\u{d7}", 60.0),
    ("600\u{d7}", 600.0),
    ("fit in 10 s", 0.0),
];
/// How long the whole takes where it is fitted, ns.
const FITTED: f64 = 10.0e9;

/// The bar below the timeline.
pub(super) fn transport(focus: Focus) -> AnyView {
    let playhead = focus.playhead;
    let toggle = Callback::new(move |()| toggle(focus));
    use_key(toggle);
    use_clock(focus);
    let chosen = RwSignal::new(SPEEDS.len() - 1);
    let speed = Memo::new(move |_| {
        let (_, speed) = SPEEDS.get(chosen.get()).copied().unwrap_or(("", 1.0));
        let (first, last) = focus.bounds();
        let fitted = last.saturating_sub(first) as f64 / FITTED;
        if speed > 0.0 { speed } else { fitted }
    });
    Effect::new(move |_| playhead.speed.set(speed.get()));
    // A recording that is to be heard chooses another.
    Effect::new(move |_| {
        let now = playhead.speed.get();
        let known = SPEEDS.iter().position(|(_, speed)| *speed == now);
        if let Some(at) = known.filter(|_| now != speed.get_untracked()) {
            chosen.set(at);
        }
    });
    let options = SPEEDS.iter().enumerate().map(|(at, (title, _))| {
        view! { <option value=at.to_string() prop:selected=move || chosen.get() == at>{*title}</option> }
    });
    let choose = move |event| {
        if let Ok(at) = event_target_value(&event).parse::<usize>() {
            chosen.set(at.min(SPEEDS.len() - 1));
        }
    };
    let label = move || {
        if playhead.playing.get() {
            "\u{2759}\u{2759} Pause"
        } else {
            "\u{25b6} Play"
        }
    };
    let everything = move |_| {
        playhead.playing.set(false);
        playhead.at.set(None);
    };
    let told = move || {
        let (first, last) = focus.bounds();
        let whole = format::duration(last.saturating_sub(first));
        match playhead.at.get() {
            None => format!("all {whole}"),
            Some(at) => {
                let after = format::duration(at.saturating_sub(first));
                format!(
                    "{after} of {whole} \u{b7} {}",
                    crate::components::time_text::clock(at)
                )
            }
        }
    };
    let past = move || playhead.at.with(Option::is_some);
    view! {
        <div class="transport" role="toolbar" aria-label="Time travel">
            <button class="pill" id="play" title="Play or pause (Space)" class:on=move || playhead.playing.get()
                on:click=move |_| toggle.run(())>{label}</button>
            <label class="pill pick"><span>"speed"</span><select id="speed" on:change=choose>{options.collect_view()}</select></label>
            <span class="told" id="instant" role="timer">{told}</span>
            <span class="grow"></span>
            {move || past().then(|| view! { <button class="pill" id="now" title="Leave the instant" on:click=everything>"Show everything"</button> })}
        </div>
    }
    .into_any()
}

/// Starts or stops.
fn toggle(focus: Focus) {
    let playhead = focus.playhead;
    if playhead.playing.get_untracked() {
        playhead.playing.set(false);
        return;
    }
    let (first, last) = untrack(|| focus.bounds());
    let at = playhead
        .at
        .get_untracked()
        .filter(|at| (first..last).contains(at));
    playhead.at.set(Some(at.unwrap_or(first)));
    playhead.playing.set(true);
}

/// Lets the playhead move for as long as it plays, whoever made it play: the bar, a key, or a recording.
fn use_clock(focus: Focus) {
    let runs = StoredValue::new(0_u32);
    Effect::new(move |_| {
        let playing = focus.playhead.playing.get();
        runs.update_value(|runs| *runs = runs.wrapping_add(1));
        if playing {
            step(focus, (runs, runs.get_value()), js_sys::Date::now());
        }
    });
}

/// Moves on by what has passed since `before`, ms, with each frame for as long as it plays and this is the
/// latest of the `runs`: two of them would play twice as fast.
fn step(focus: Focus, (runs, mine): (StoredValue<u32>, u32), before: f64) {
    request_animation_frame(move || {
        let playhead = focus.playhead;
        if playhead.playing.try_get_untracked() != Some(true) || runs.try_get_value() != Some(mine) {
            return;
        }
        let now = js_sys::Date::now();
        let (_, last) = untrack(|| focus.bounds());
        let by = (now - before) * 1.0e6 * playhead.speed.get_untracked();
        let at = playhead
            .at
            .get_untracked()
            .unwrap_or(last)
            .saturating_add(by as i64);
        playhead.at.set(Some(at.min(last)));
        if at >= last {
            playhead.playing.set(false);
        } else {
            step(focus, (runs, mine), now);
        }
    });
}

/// Space plays and pauses, wherever no field or button takes it.
fn use_key(toggle: Callback<()>) {
    let going = use_context::<Going>();
    let handle = window_event_listener(keydown, move |event| {
        let plain = !event.ctrl_key() && !event.meta_key() && !event.alt_key();
        let taken = event.default_prevented() || going.is_some_and(|going| going.0.get_value());
        if plain && !taken && !is_taken(&event) && event.key() == " " {
            event.prevent_default();
            toggle.run(());
        }
    });
    on_cleanup(move || handle.remove());
}
