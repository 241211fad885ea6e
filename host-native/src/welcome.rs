//! What `sporenet run` prints: who this node is, where it listens, how others join it.

use crate::{
    cli::print,
    config::Settings,
    http::{Api, invites},
    run::Places,
};
use sporenet_core::{
    kernel::{
        id::{NodeId, Role},
        text::Name,
    },
    node::{Node, joining::JoinTrouble},
};
use std::{fmt::Write, path::PathBuf, sync::Arc};

/// What is known when the node has started.
#[derive(Clone, Debug)]
pub(crate) struct Welcome {
    name: Name,
    id: NodeId,
    network: String,
    listen: Vec<String>,
    data: PathBuf,
    default_data: bool,
    next_port: u16,
    first_start: bool,
    admitted: bool,
}

impl Welcome {
    /// Takes what is needed from the node before the core task has it.
    pub(crate) fn new(
        node: &Node,
        settings: &Settings,
        places: &Places,
        first_start: bool,
    ) -> Self {
        let port = places.reachable().port();
        Self {
            name: settings.name.value.clone(),
            id: node.id(),
            network: node.network().short(),
            listen: places.bound.iter().map(ToString::to_string).collect(),
            default_data: crate::config::default_data()
                .is_ok_and(|path| path == settings.data.value),
            data: settings.data.value.clone(),
            next_port: port.checked_add(1).unwrap_or(crate::config::PORT),
            first_start,
            admitted: node.is_admitted(),
        }
    }

    fn head(&self) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "Sporenet relay {} ({})", self.name, self.id.short());
        let _ = writeln!(out, "  network    {}", self.network);
        let _ = writeln!(out, "  listening  {}", self.listen.join(", "));
        let _ = writeln!(out, "  data       {}", self.data.display());
        out
    }

    /// `--data DIR`, where it is needed to find this node.
    fn data_flag(&self) -> String {
        if self.default_data {
            String::new()
        } else {
            format!(" --data '{}'", self.data.display())
        }
    }

    fn how_to_invite(&self) -> String {
        format!(
            "\nInvite browsers and relays with:\n  sporenet invite{}\n",
            self.data_flag()
        )
    }

    fn links(&self, browser: &str, relay: &str) -> String {
        format!(
            "\nOpen this in a browser; the tab becomes a node (valid for 1 hour):\n  {browser}\n\
             \nStart another relay that joins this one (valid for 1 hour):\n  \
             sporenet run --join '{relay}' --listen 127.0.0.1:{} --data '{}-2'\n\
             \nMore links: sporenet invite{}\n",
            self.next_port,
            self.data.display(),
            self.data_flag(),
        )
    }
}

/// Prints the welcome. On the first start of a founder that includes links, each with a secret of its
/// own that ends after an hour; later they are made on request only.
pub(crate) async fn say(welcome: Welcome, api: Arc<Api>) {
    let mut text = welcome.head();
    if !welcome.admitted {
        text.push_str("\nJoining the mesh …\n");
        show(text).await;
        if wait_to_be_let_in(&api).await {
            show(format!("Joined.\n{}", welcome.how_to_invite())).await;
        }
        return;
    }
    let more = if welcome.first_start {
        first_links(&welcome, &api).await
    } else {
        None
    };
    text.push_str(&more.unwrap_or_else(|| welcome.how_to_invite()));
    show(text).await;
}

/// Waits until the node is let in, and tells what stands in the way whenever that changes; answers
/// whether it was.
async fn wait_to_be_let_in(api: &Api) -> bool {
    let mut news = api.links.core.news.clone();
    let mut told = None;
    while !news.borrow_and_update().admitted {
        let text = |trouble: JoinTrouble| trouble.text;
        let asked = api
            .links
            .core
            .ask(move |node, _| node.join_trouble().map(text))
            .await;
        let Ok(trouble) = asked else {
            return false;
        };
        if let Some(trouble) = trouble.filter(|trouble| told.as_ref() != Some(trouble)) {
            show(format!("{trouble}\n")).await;
            told = Some(trouble);
        }
        if news.changed().await.is_err() {
            return false;
        }
    }
    true
}

async fn first_links(welcome: &Welcome, api: &Api) -> Option<String> {
    let wanted = |role| invites::Wanted {
        role: Some(role),
        ..invites::Wanted::default()
    };
    let browser = invites::issue(api, wanted(Role::Tab))
        .await
        .ok()?
        .browser_link?;
    let relay = invites::issue(api, wanted(Role::Relay))
        .await
        .ok()?
        .relay_link?;
    Some(welcome.links(&browser, &relay))
}

/// Prints on a thread of its own: a reader that does not read holds nobody up. Nobody reading is no
/// reason to stop, but what is lost may be links.
async fn show(text: String) {
    let shown = tokio::task::spawn_blocking(move || print::text(&text)).await;
    if !matches!(shown, Ok(Ok(()))) {
        tracing::warn!(
            code = "welcome_lost",
            "standard output can't be written: `sporenet status` shows how the node is, \
             `sporenet invite` prints links"
        );
    }
}
