//! How to get in: paste a link, or learn how to get one.

use crate::page::{
    connections, overview, parts,
    state::State,
    view::{View, view},
};
use sporenet_core::node::snapshot::Severity;

pub(crate) fn panel(state: &State) -> View {
    view!(
        "<section class='panel join'>\
           <div class='join-mark' aria-hidden='true'>{}</div>\
           <h1>Join the mesh</h1>\
           <p class='lead'>This tab becomes a node of its own: it stores what it opens, works offline, and heals \
             with the rest. All it needs is a join link.</p>\
           {}\
           <div class='how'>\
             <h2>No link yet?</h2>\
             <ol>\
               <li>On a machine that runs a relay, ask it for one:<pre><code>sporenet invite</code></pre></li>\
               <li>Open the printed <code>http://…/#spore=…</code> link in a browser, or paste it above.</li>\
             </ol>\
             <p class='muted'>A link is a secret with a lifetime, one hour unless asked otherwise. It is read from \
               the address once and erased there; it never goes to a server.</p>\
           </div>\
         </section>",
        parts::mark(),
        form(state)
    )
}

/// The node runs and asks to be let in: what it meets, and a way to try another link.
pub(crate) fn waiting(state: &State) -> View {
    let is_final = state
        .joining
        .as_ref()
        .is_some_and(|trouble| trouble.is_final);
    if is_final {
        return refused(state);
    }
    view!(
        "<section class='panel join' aria-labelledby='waiting-title'>\
           <div class='join-mark pulse' aria-hidden='true'>{}</div>\
           <h1 id='waiting-title'>Waiting to be let in</h1>\
           <ul class='reasons lead' role='status'>{}</ul>\
           {}\
           <details><summary>Use another link</summary>{}</details>\
         </section>",
        parts::mark(),
        overview::reasons(state.status.as_ref()),
        connections::list(state),
        form(state),
    )
}

/// The link can't let this tab in: why, and a place for another one.
fn refused(state: &State) -> View {
    view!(
        "<section class='panel join' aria-labelledby='refused-title'>\
           <div class='join-mark' aria-hidden='true'>{}</div>\
           <h1 id='refused-title'>This link does not let this tab in</h1>\
           <ul class='reasons lead' role='status'>{}</ul>\
           {}\
         </section>",
        parts::mark(),
        overview::reasons(state.status.as_ref()),
        form(state),
    )
}

fn form(state: &State) -> View {
    let error = state.link_error.as_ref().map(|failure| {
        view!(
            "{}{}",
            parts::severity_shape(Severity::Error),
            sentence(&failure.text)
        )
    });
    view!(
        "<form data-submit='join'>\
           <label for='link'>Join link</label>\
           <div class='row'>\
             <input id='link' type='text' autocomplete='off' spellcheck='false' autocapitalize='off' \
               placeholder='spore:…  or  http://…/#spore=…' aria-describedby='link-error' aria-invalid='{}'/>\
             <button class='button primary' type='submit'>Join</button>\
           </div>\
           <p id='link-error' class='field-error' role='alert'>{}</p>\
         </form>",
        error.is_some().to_string(),
        error
    )
}

/// A refusal as a sentence.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters
        .next()
        .map(|letter| letter.to_uppercase().to_string())
        .unwrap_or_default();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}
