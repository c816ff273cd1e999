//! One recording: a picture or a waveform that follows the playhead and moves it.

use super::follow::{Head, follow, is_heard};
use super::wave;
use crate::canvas::surface;
use crate::client;
use crate::components::remover::remover;
use crate::components::time_text::clock;
use crate::state::playhead::Playhead;
use crate::state::prefs::Prefs;
use leptos::html::{Canvas, Video};
use leptos::prelude::*;
use leptos::task::spawn_local;
use meshscope_api::params::encode;
use meshscope_api::{Params, Recording, RecordingKind, recording};
use meshscope_layout::{format, wave as layout};
use wasm_bindgen_futures::JsFuture;
use web_sys::HtmlMediaElement;

/// Seconds that an arrow key moves the playhead.
const KEY_STEP: f64 = 5.0;

/// What the parts of a player share.
#[derive(Clone, Copy)]
struct Play {
    head: Playhead,
    /// Where the recording begins, ns since the epoch.
    start: i64,
    media: NodeRef<Video>,
    /// Seconds, once they are known.
    length: RwSignal<Option<f64>>,
    peaks: RwSignal<Vec<f32>>,
    /// Why nothing is heard.
    trouble: RwSignal<Option<&'static str>>,
}

impl Play {
    /// Seconds that the playhead is within the recording.
    fn at(self) -> Option<f64> {
        self.head
            .at
            .get()
            .map(|at| at.saturating_sub(self.start) as f64 / 1e9)
    }

    fn go_to(self, seconds: f64) {
        self.head
            .at
            .set(Some(self.start.saturating_add((seconds * 1e9) as i64)));
    }

    fn is_inside(self) -> bool {
        let length = self.length.get();
        self.at()
            .is_some_and(|at| at >= 0.0 && length.is_none_or(|length| at < length))
    }

    /// Plays on from where the playhead is, or from the beginning where it is elsewhere; as it happened, where
    /// nothing would be heard at the speed that is chosen.
    fn toggle(self) {
        let playing = self.head.playing.get_untracked();
        if !playing && !untrack(move || self.is_inside()) {
            self.go_to(0.0);
        }
        if !playing && !is_heard(self.head.speed.get_untracked()) {
            self.head.speed.set(1.0);
        }
        self.head.playing.set(!playing);
    }

    fn follow(self) {
        let (at, length) = (self.at(), self.length.get());
        let head = Head {
            at,
            playing: self.head.playing.get(),
            speed: self.head.speed.get(),
        };
        let Some(media) = self.media.get() else { return };
        let todo = follow(head, media.current_time(), length);
        if let Some(seconds) = todo.seek {
            media.set_current_time(seconds);
        }
        if todo.play {
            media.set_playback_rate(head.speed);
        }
        match (todo.play, media.paused()) {
            (true, true) => self.start(&media),
            (false, false) => self.rest(&media),
            _ => {}
        }
    }

    fn start(self, media: &HtmlMediaElement) {
        let Ok(started) = media.play() else { return };
        spawn_local(async move {
            let denied = |error: wasm_bindgen::JsValue| {
                js_sys::Reflect::get(&error, &"name".into()).is_ok_and(|name| name == "NotAllowedError")
            };
            let refused = JsFuture::from(started).await.is_err_and(denied);
            self.trouble
                .try_set(refused.then_some("The browser plays nothing before the page is clicked"));
        });
    }

    fn rest(self, media: &HtmlMediaElement) {
        if media.pause().is_err() {
            self.trouble.set(Some("It cannot be paused"));
        }
    }
}

/// A recording that is ready.
pub(super) fn player(of: &Recording, head: Playhead, remove: Callback<String>) -> AnyView {
    let media = NodeRef::<Video>::new();
    let play = Play {
        head,
        start: of.started_at.unwrap_or_default(),
        media,
        length: RwSignal::new(of.duration_ns.map(|ns| ns as f64 / 1e9)),
        peaks: RwSignal::default(),
        trouble: RwSignal::new(None),
    };
    Effect::new(move |_| play.follow());
    // A picture in a page that is left goes on sounding otherwise.
    on_cleanup(move || {
        if let Some(media) = media.get_untracked() {
            play.rest(&media);
        }
    });
    let sound = of.kind == RecordingKind::Audio;
    let elsewhere = of.url.clone().filter(|url| recording::is_web(url));
    let url = elsewhere.clone().unwrap_or_else(|| source(of));
    let (size, of_waves) = (
        of.size_bytes.filter(|_| sound && elsewhere.is_none()),
        url.clone(),
    );
    let wanted = Memo::new(move |_| wave::fits(size, play.length.get()));
    Effect::new(move |_| {
        if wanted.get() {
            let url = of_waves.clone();
            spawn_local(async move {
                match wave::load(&url).await {
                    Ok(peaks) => {
                        play.peaks.try_set(peaks);
                    }
                    Err(error) => leptos::logging::warn!("no waveform: {error:?}"),
                }
            });
        }
    });
    let measured = move |_| {
        let seconds = media.get_untracked().map(|media| media.duration());
        if let Some(seconds) = seconds.filter(|seconds| seconds.is_finite()) {
            play.length.set(Some(seconds));
        }
    };
    let failed = move |_| play.trouble.set(Some("The browser cannot play it"));
    // What is elsewhere is asked for only when it is to be played.
    let preload = if elsewhere.is_some() { "none" } else { "metadata" };
    view! {
        <div class="recording" data-recording=of.recording_id.clone()>
            {named(of, play, remove)}
            <video node_ref=media class:sound=sound src=url preload=preload playsinline=true
                on:loadedmetadata=measured on:durationchange=measured on:error=failed></video>
            {bar(play, format!("Playhead in {}", title(of)))}
            {move || play.trouble.get().map(|why| view! { <p class="muted" role="status">{why}</p> }.into_any())}
        </div>
    }
    .into_any()
}

/// Where its bytes are.
fn source(of: &Recording) -> String {
    let mut params = Params::default();
    params.set("project", Some(&of.project));
    let path = format!(
        "sessions/{}/recordings/{}",
        encode(&of.session_id),
        of.recording_id
    );
    client::url(&client::origin(), &path, &params)
}

/// What a person calls it.
pub(super) fn title(of: &Recording) -> String {
    let what = match of.kind {
        RecordingKind::Audio => "Audio",
        RecordingKind::Video => "Video",
        RecordingKind::Screen => "Screen",
    };
    [of.participant.as_deref(), of.name.as_deref()]
        .into_iter()
        .flatten()
        .fold(what.to_owned(), |title, part| format!("{title} \u{b7} {part}"))
}

fn named(of: &Recording, play: Play, remove: Callback<String>) -> AnyView {
    let muted = RwSignal::new(false);
    let mute = move |_| {
        muted.update(|muted| *muted = !*muted);
        if let Some(media) = play.media.get_untracked() {
            media.set_muted(muted.get_untracked());
        }
    };
    let runs = move || play.head.playing.get() && play.is_inside();
    let length = move || play.length.get().map_or_else(|| "?".to_owned(), layout::clock);
    let now = move || {
        play.at()
            .filter(|_| play.is_inside())
            .map_or_else(|| "0:00".to_owned(), layout::clock)
    };
    let begins = of.started_at.map(|at| format!("from {}", clock(at)));
    let size = of.size_bytes.map(format::bytes);
    view! {
        <div class="recording-head">
            <button class="pill" aria-pressed=move || runs().to_string() on:click=move |_| play.toggle()>
                {move || if runs() { "Pause" } else { "Play" }}
            </button>
            <strong class="clip">{title(of)}</strong>
            <span class="muted nowrap">{begins}</span>
            <span class="grow"></span>
            <span class="mono nowrap">{now}" / "{length}</span>
            <span class="muted nowrap">{size}</span>
            <button class="pill" aria-pressed=move || muted.get().to_string() on:click=mute>
                {move || if muted.get() { "Muted" } else { "Mute" }}
            </button>
            {remover(of.recording_id.clone(), remove)}
        </div>
    }
    .into_any()
}

/// The waveform, or a line, with the playhead; a click or an arrow key moves it.
fn bar(play: Play, name: String) -> AnyView {
    let canvas = NodeRef::<Canvas>::new();
    let resized = RwSignal::new(0_u32);
    let drawn = expect_context::<Prefs>().drawn;
    surface::on_resize(canvas, move || resized.update(|n| *n = n.wrapping_add(1)));
    Effect::new(move |_| {
        resized.track();
        drawn.track();
        let length = play.length.get().filter(|length| *length > 0.0);
        let part = play.at().zip(length).map(|(at, length)| at / length);
        let Some(canvas) = canvas.get() else { return };
        play.peaks.with(|peaks| wave::draw(&canvas, peaks, part));
    });
    let seek = move |event: web_sys::PointerEvent| {
        let (Some(canvas), Some(length)) = (canvas.get_untracked(), play.length.get_untracked()) else {
            return;
        };
        let part = f64::from(event.offset_x()) / f64::from(canvas.client_width().max(1));
        play.go_to(part.clamp(0.0, 1.0) * length);
    };
    let pressed = move |event: web_sys::PointerEvent| {
        surface::capture(&event);
        seek(event);
    };
    let moved = move |event: web_sys::PointerEvent| {
        if event.buttons() == 1 {
            seek(event);
        }
    };
    let key = move |event: web_sys::KeyboardEvent| {
        let at = untrack(move || play.at()).unwrap_or_default();
        let length = play.length.get_untracked().unwrap_or(f64::MAX);
        match event.key().as_str() {
            "ArrowLeft" => play.go_to((at - KEY_STEP).clamp(0.0, length)),
            "ArrowRight" => play.go_to((at + KEY_STEP).clamp(0.0, length)),
            "Home" => play.go_to(0.0),
            " " => play.toggle(),
            _ => return,
        }
        event.prevent_default();
    };
    view! {
        <canvas node_ref=canvas class="wave" role="slider" tabindex="0" aria-label=name
            aria-valuemin="0" aria-valuemax=move || play.length.get().map(|length| length.round().to_string())
            aria-valuenow=move || play.at().map(|at| at.round().to_string())
            aria-valuetext=move || play.at().map(layout::clock)
            on:pointerdown=pressed on:pointermove=moved on:keydown=key></canvas>
    }
    .into_any()
}
