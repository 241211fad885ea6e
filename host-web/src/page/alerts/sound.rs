//! A short sound for a new incident, made by the page itself: nothing is fetched.

use sporenet_core::observe::alerts::record::Grade;
use std::cell::OnceCell;
use wasm_bindgen::JsValue;
use web_sys::AudioContext;

/// How long a tone lasts, and how loud it is, in seconds and of 1.
const TONE_S: f64 = 0.16;
const LOUDNESS: f32 = 0.12;

thread_local! {
    /// Browsers allow few of them in a page, so one is kept.
    static CONTEXT: OnceCell<Option<AudioContext>> = const { OnceCell::new() };
}

/// The tones of an incident, in hertz: the graver, the more and the higher.
const fn tones(grade: Grade) -> &'static [f32] {
    match grade {
        Grade::Low | Grade::Medium => &[440.0, 554.0],
        Grade::High => &[554.0, 659.0, 554.0],
        Grade::Critical => &[659.0, 880.0, 659.0, 880.0],
    }
}

/// Plays them once. A browser that has no sound, or allows none yet, stays silent.
pub(super) fn play(grade: Grade) {
    CONTEXT.with(|context| {
        let context = context.get_or_init(|| AudioContext::new().ok());
        if let Some(context) = context {
            let _ = sound(context, tones(grade));
        }
    });
}

fn sound(context: &AudioContext, tones: &[f32]) -> Result<(), JsValue> {
    // It is asleep until somebody has clicked on the page.
    let _ = context.resume()?;
    let gain = context.create_gain()?;
    gain.connect_with_audio_node(&context.destination())?;
    let mut at = context.current_time();
    for hertz in tones {
        let tone = context.create_oscillator()?;
        tone.frequency().set_value(*hertz);
        tone.connect_with_audio_node(&gain)?;
        tone.start_with_when(at)?;
        at += TONE_S;
        tone.stop_with_when(at)?;
    }
    // Down to nothing at the end, so that it does not click.
    gain.gain().set_value(LOUDNESS);
    gain.gain().linear_ramp_to_value_at_time(0.0, at)?;
    Ok(())
}
