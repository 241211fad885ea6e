//! The few browser calls that views need.

use wasm_bindgen::{JsCast, prelude::*};
use web_sys::{Document, Element, HtmlElement, MediaQueryList, Storage, Window};

/// The page's window and document; `None` in a worker.
#[must_use]
pub fn window_and_document() -> Option<(Window, Document)> {
    let window = js_sys::global().dyn_into::<Window>().ok()?;
    let document = window.document()?;
    Some((window, document))
}

/// Storage that lives as long as the tab, across reloads; `None` where the browser forbids it.
#[must_use]
pub fn tab_storage() -> Option<Storage> {
    window_and_document()?.0.session_storage().ok()?
}

/// Keeps or forgets a text for this tab.
pub fn keep(name: &str, value: Option<&str>) {
    if let Some(storage) = tab_storage() {
        let _ = match value {
            Some(value) => storage.set_item(name, value),
            None => storage.remove_item(name),
        };
    }
}

/// A text kept for this tab.
#[must_use]
pub fn kept(name: &str) -> Option<String> {
    tab_storage()?.get_item(name).ok()?
}

/// Storage that outlives the tab, for what someone chose; `None` where the browser forbids it.
fn lasting_storage() -> Option<Storage> {
    window_and_document()?.0.local_storage().ok()?
}

/// Keeps or forgets what someone chose, for all tabs of this browser.
pub fn choose(name: &str, value: Option<&str>) {
    if let Some(storage) = lasting_storage() {
        let _ = match value {
            Some(value) => storage.set_item(name, value),
            None => storage.remove_item(name),
        };
    }
}

/// What someone chose.
#[must_use]
pub fn chosen(name: &str) -> Option<String> {
    lasting_storage()?.get_item(name).ok()?
}

/// The language that the browser asks for, such as `de-AT`; empty if it does not say.
#[must_use]
pub fn browser_language() -> String {
    let language = window_and_document().and_then(|(window, _)| window.navigator().language());
    language.unwrap_or_default()
}

/// Says in which language the page is.
pub fn set_language(tag: &str) {
    let root = window_and_document().and_then(|(_, document)| document.document_element());
    if let Some(root) = root {
        let _ = root.set_attribute("lang", tag);
    }
}

/// The address's fragment with its `#`; empty if there is none.
#[must_use]
pub fn fragment() -> String {
    let hash = window_and_document().and_then(|(window, _)| window.location().hash().ok());
    hash.unwrap_or_default()
}

/// Goes to a fragment, as following a link to it does.
pub fn go(fragment: &str) {
    if let Some((window, _)) = window_and_document() {
        let _ = window.location().set_hash(fragment);
    }
}

/// Puts another fragment into the address without a step of the history.
pub fn restate(fragment: &str) {
    if let Some((window, _)) = window_and_document()
        && let (Ok(path), Ok(search), Ok(history)) = (
            window.location().pathname(),
            window.location().search(),
            window.history(),
        )
    {
        let url = path + &search + fragment;
        let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(&url));
    }
}

/// The join link in the page's fragment, if there is one. In its place comes what stood there before, at
/// once, so that the secret stays in neither the address bar nor the history.
#[must_use]
pub fn take_link(before: &str) -> Option<String> {
    let fragment = fragment();
    fragment
        .strip_prefix("#spore=")
        .filter(|spore| !spore.is_empty())?;
    let link = window_and_document()?.0.location().href().ok()?;
    restate(before);
    Some(link)
}

/// Whether a media query holds now.
#[must_use]
pub fn asks_for(query: &str) -> bool {
    let media = window_and_document().and_then(|(window, _)| window.match_media(query).ok()?);
    media.is_some_and(|media| media.matches())
}

/// Whether the user asks for little motion, and tells `changed` when that changes.
pub fn watch_media(query: &str, changed: impl Fn(bool) + 'static) -> bool {
    let media: Option<MediaQueryList> =
        window_and_document().and_then(|(window, _)| window.match_media(query).ok()?);
    let Some(media) = media else { return false };
    let now = media.matches();
    let target = media.clone();
    listen(&media, "change", move |_| changed(target.matches()));
    now
}

/// Calls `handler` for an event, for the page's life.
pub fn listen(
    target: &web_sys::EventTarget,
    name: &str,
    handler: impl FnMut(web_sys::Event) + 'static,
) {
    let closure = Closure::<dyn FnMut(web_sys::Event)>::new(handler);
    let _ = target.add_event_listener_with_callback(name, closure.as_ref().unchecked_ref());
    closure.forget();
}

/// Calls `then` once what runs now is done and the page has followed.
pub fn soon(then: impl FnOnce() + 'static) {
    wasm_bindgen_futures::spawn_local(async move { then() });
}

/// Calls `then` once, after what is drawn at the browser's next frame.
pub fn at_frame(then: impl FnOnce() + 'static) {
    if let Some((window, _)) = window_and_document() {
        let then = Closure::once_into_js(then);
        // A page that is going away draws no more.
        let _ = window.request_animation_frame(then.unchecked_ref());
    }
}

/// Gives an element the focus.
pub fn focus(id: &str) {
    if let Some(element) = element(id) {
        let _ = element.focus();
    }
}

/// Scrolls an element into view.
pub fn reveal(id: &str) {
    if let Some(element) = element(id) {
        let options = web_sys::ScrollIntoViewOptions::new();
        options.set_block(web_sys::ScrollLogicalPosition::Nearest);
        element.scroll_into_view_with_scroll_into_view_options(&options);
    }
}

/// An element of the page.
#[must_use]
pub fn element(id: &str) -> Option<HtmlElement> {
    let (_, document) = window_and_document()?;
    document.get_element_by_id(id)?.dyn_into().ok()
}

/// What stands in a field; empty if there is no such field.
#[must_use]
pub fn field(id: &str) -> String {
    let value = element(id).and_then(|field| js_sys::Reflect::get(&field, &"value".into()).ok());
    value
        .and_then(|value| value.as_string())
        .unwrap_or_default()
}

/// Fills a field, if it is there.
pub fn set_field(id: &str, text: &str) {
    if let Some(field) = element(id) {
        let _ = js_sys::Reflect::set(&field, &"value".into(), &text.into());
    }
}

/// What stands in the field of this name in a form; empty if there is no such field.
#[must_use]
pub fn field_in(form: &Element, name: &str) -> String {
    let value = named(form, name).and_then(|at| js_sys::Reflect::get(&at, &"value".into()).ok());
    value
        .and_then(|value| value.as_string())
        .unwrap_or_default()
}

/// Fills the field of this name in a form, if it is there.
pub fn set_field_in(form: &Element, name: &str, text: &str) {
    if let Some(field) = named(form, name) {
        let _ = js_sys::Reflect::set(&field, &"value".into(), &text.into());
    }
}

/// Gives the field of this name in a form the focus.
pub fn focus_in(form: &Element, name: &str) {
    if let Some(field) = named(form, name) {
        let _ = field.focus();
    }
}

fn named(form: &Element, name: &str) -> Option<HtmlElement> {
    let found = form.query_selector(&format!("[name={name}]")).ok()??;
    found.dyn_into().ok()
}

/// The form that an event is of, or of which a part is in what it is of.
#[must_use]
pub fn form_of(event: &web_sys::Event, around: &str) -> Option<Element> {
    let target: Element = event.target()?.dyn_into().ok()?;
    if target.tag_name().eq_ignore_ascii_case("form") {
        return Some(target);
    }
    target.closest(around).ok()??.query_selector("form").ok()?
}

/// Whether a box is ticked.
#[must_use]
pub fn is_checked(element: &HtmlElement) -> bool {
    let checked = js_sys::Reflect::get(element, &"checked".into());
    checked.is_ok_and(|checked| checked.is_truthy())
}

/// A moment in the local zone and in UTC, for hovering.
#[must_use]
pub fn moment(wall_ms: u64) -> String {
    let date = date(wall_ms);
    let local = date.to_locale_string("default", &JsValue::UNDEFINED);
    let utc = date.to_iso_string();
    format!(
        "{} ({} UTC)",
        String::from(local),
        String::from(utc).trim_end_matches('Z').replace('T', " ")
    )
}

/// The same for machines.
#[must_use]
pub fn iso(wall_ms: u64) -> String {
    date(wall_ms).to_iso_string().into()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds since 1970 stay below 2^53"
)]
fn date(wall_ms: u64) -> js_sys::Date {
    // The latest moment that a date can hold.
    let latest = 8_640_000_000_000_000_u64;
    js_sys::Date::new(&JsValue::from_f64(wall_ms.min(latest) as f64))
}

/// How many minutes local time is ahead of UTC at a moment.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    reason = "an offset is at most a day, and the cast saturates"
)]
pub fn offset_minutes(wall_ms: u64) -> i32 {
    -(date(wall_ms).get_timezone_offset() as i32)
}

/// Hands the browser a file to save.
///
/// # Errors
/// The browser's.
pub fn download(bytes: &[u8], name: &str) -> Result<(), JsValue> {
    let (_, document) = window_and_document().ok_or(JsValue::NULL)?;
    let parts = js_sys::Array::of1(&js_sys::Uint8Array::from(bytes));
    let blob = web_sys::Blob::new_with_u8_array_sequence(&parts)?;
    let url = web_sys::Url::create_object_url_with_blob(&blob)?;
    let link: HtmlElement = document.create_element("a")?.unchecked_into();
    link.set_attribute("href", &url)?;
    link.set_attribute("download", name)?;
    link.click();
    // The browser has taken hold of the file by then, and a tab may save many.
    web_sys::Url::revoke_object_url(&url)
}

/// The wall clock in milliseconds since 1970.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "Date.now() is a whole number; a clock before 1970 counts as 1970"
)]
pub fn wall_ms() -> u64 {
    js_sys::Date::now() as u64
}
