//! The node table, worst first. On a narrow page each row becomes a card.

use crate::{
    page::{
        parts,
        state::State,
        view::{View, view},
    },
    words,
};
use sporenet_core::{kernel::id::Role, node::snapshot::Member};

pub(crate) fn panel(state: &State) -> View {
    let members = state.members.iter();
    let rows: Vec<_> = members
        .map(|member| (member.id.clone(), row(member)))
        .collect();
    view!(
        "<section class='panel nodes' aria-labelledby='nodes-title'>\
           <div class='panel-head'><h2 id='nodes-title'>Nodes</h2><p class='muted'>worst first</p></div>\
           <div class='table-wrap'>\
             <table class='cards'>\
               <thead><tr>\
                 <th scope='col'>Node</th>\
                 <th scope='col'>State</th>\
                 <th scope='col'>Role</th>\
                 <th scope='col'>Zone</th>\
                 <th scope='col' class='number'>Incarnation</th>\
                 <th scope='col' class='number'>Round trip</th>\
                 <th scope='col' class='number'>Last heard</th>\
                 <th scope='col' class='number'>In this state</th>\
               </tr></thead>\
               <tbody>{}</tbody>\
             </table>\
           </div>\
           {}\
         </section>",
        rows,
        more(state),
    )
}

/// How many members are left out.
fn more(state: &State) -> Option<View> {
    let shown = u64::try_from(state.members.len()).unwrap_or(0);
    let counts = state.status.as_ref()?.members;
    let all = [
        counts.alive,
        counts.suspect,
        counts.dead,
        counts.left,
        counts.parked,
    ];
    let all = all.into_iter().map(u64::from).sum::<u64>();
    let more = all.checked_sub(shown).filter(|more| *more > 0)?;
    let text = format!(
        "and {} more in good order",
        words::count(more, "node", "nodes")
    );
    Some(view!("<p class='muted more'>{}</p>", text))
}

fn row(member: &Member) -> View {
    let word = words::state(member.state);
    let unless_own = |text: Option<String>| match text {
        _ if member.this_node => "–".into(),
        Some(text) => text,
        None => "unknown".into(),
    };
    let tag = match (member.this_node, member.linked) {
        (true, _) => Some(view!("<span class='tag here'>{}</span>", words::here())),
        (false, true) => Some(view!("<span class='tag'>linked</span>")),
        (false, false) => None,
    };
    view!(
        "<tr id='{}' tabindex='-1' class='{}'>\
           <th scope='row' class='node' title='{}'>\
             <span class='node-name'>{}</span><span class='node-id mono'>{}</span>{}\
           </th>\
           <td data-label='State'><span class='state'>{}{}</span><span class='reason'>{}</span></td>\
           <td data-label='Role'>{}</td>\
           <td data-label='Zone'>{}</td>\
           <td data-label='Incarnation' class='number'>{}</td>\
           <td data-label='Round trip' class='number'>{}</td>\
           <td data-label='Last heard' class='number'>{}</td>\
           <td data-label='In this state' class='number'>{}</td>\
         </tr>",
        format!("node-{}", member.id),
        word,
        member.id.as_str(),
        member.name.to_string(),
        words::short(&member.id),
        tag,
        parts::state_shape(member.state),
        word,
        member.reason.as_deref().unwrap_or_default(),
        role_word(member),
        member
            .zone
            .as_ref()
            .map_or_else(|| "–".into(), ToString::to_string),
        member.incarnation.to_string(),
        unless_own(member.rtt_ms.map(words::rtt)),
        unless_own(member.last_heard_ms.map(words::ago)),
        words::span(member.since_ms),
    )
}

const fn role_word(member: &Member) -> &'static str {
    match member.role {
        Role::Relay => "relay",
        Role::Tab => "tab",
    }
}
