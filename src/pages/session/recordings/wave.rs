//! A waveform with the playhead in it.

use crate::canvas::surface;
use crate::canvas::theme::Theme;
use meshscope_layout::wave;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AudioBuffer, HtmlCanvasElement, OfflineAudioContext};

/// Parts that a waveform is made of.
const COLUMNS: usize = 1_200;
/// Samples a second that it is made from; the browser brings the sound to it.
const RATE: f32 = 8_000.0;
/// Largest file and longest sound that is decoded for it: the decoder holds all of it in memory.
const LARGEST: u64 = 64_000_000;
const LONGEST: f64 = 1_800.0;

/// Whether a recording is small enough for a waveform.
pub(super) fn fits(bytes: Option<u64>, seconds: Option<f64>) -> bool {
    bytes.is_some_and(|bytes| bytes <= LARGEST) && seconds.is_some_and(|seconds| seconds <= LONGEST)
}

/// The loudness of the sound at `url`, part by part.
pub(super) async fn load(url: &str) -> Result<Vec<f32>, JsValue> {
    let window = web_sys::window().ok_or(JsValue::NULL)?;
    let answer: web_sys::Response = JsFuture::from(window.fetch_with_str(url)).await?.dyn_into()?;
    let bytes = JsFuture::from(answer.array_buffer()?).await?.dyn_into()?;
    let context = OfflineAudioContext::new_with_number_of_channels_and_length_and_sample_rate(1, 1, RATE)?;
    let sound: AudioBuffer = JsFuture::from(context.decode_audio_data(&bytes)?)
        .await?
        .dyn_into()?;
    Ok(wave::peaks(&sound.get_channel_data(0)?, COLUMNS))
}

/// Draws loudness, or a line where none is known, and how far the playhead is: `part` of 0 to 1.
pub(super) fn draw(canvas: &HtmlCanvasElement, peaks: &[f32], part: Option<f64>) {
    let (width, height) = surface::fit(canvas);
    let Some(context) = surface::context(canvas).filter(|_| width > 4.0) else {
        return;
    };
    let (theme, middle) = (Theme::read(), height / 2.0);
    context.clear_rect(0.0, 0.0, width, height);
    let passed = part.map(|part| part * width);
    let columns = (width / 3.0).floor().max(1.0) as usize;
    let mut before = None;
    for (column, loud) in wave::peaks(peaks, columns).into_iter().enumerate() {
        let x = column as f64 * 3.0;
        let tall = (f64::from(loud) * (height - 4.0)).max(2.0);
        let is_passed = passed.is_some_and(|passed| x < passed);
        if before != Some(is_passed) {
            context.set_fill_style_str(if is_passed { &theme.accent } else { &theme.faint });
            before = Some(is_passed);
        }
        context.fill_rect(x, middle - tall / 2.0, 2.0, tall);
    }
    if let Some(passed) = passed.filter(|passed| *passed >= 0.0 && *passed <= width) {
        context.set_fill_style_str(&theme.text);
        context.fill_rect(passed.min(width - 1.5), 0.0, 1.5, height);
    }
}
