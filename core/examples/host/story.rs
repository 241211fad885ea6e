//! What happens in the examples `blocking` and `tokio`: the second node reads what the first wrote.
use super::{Failure, Host, Story};
use sporenet_core::kernel::{id::RequestId, text::*, time::Duration};
use sporenet_core::membership::join_link::JoinLink;
use sporenet_core::node::contract::{HostInput, Refusal, Reply, Request};
use sporenet_core::replication::write::{AckLevel, WriteRefusal};
use std::sync::mpsc::{Receiver, Sender, channel};

/// The first node gives an invite away, and writes until another relay has the value too.
pub(crate) fn first(tell: Sender<String>) -> (Story, Receiver<JoinLink>) {
    let (invite, invited) = channel();
    let mut has_asked = false;
    let story = move |host: &mut Host| {
        if !has_asked {
            has_asked = true;
            host.tell(ask());
        }
        match host.reply.take() {
            Some(Reply::Invited { invitation, key }) => {
                invite.send(host.node.node().join_link(&invitation, &key))?;
                host.tell(write()?);
            }
            // It is durable here, but nobody was there yet to confirm it.
            Some(Reply::Refused(Refusal::Write(WriteRefusal::NotReplicated))) => {
                host.tell(write()?);
            }
            Some(Reply::Refused(why)) => return Err(why.to_string().into()),
            Some(Reply::Written { .. }) => {
                tell.send("first: wrote it, and the second has stored it".into())?;
            }
            // Not asked for here.
            Some(Reply::Reach(_) | Reply::Forgotten | Reply::Compacting | Reply::Verified(_))
            | None => {}
        }
        Ok(())
    };
    (Box::new(story), invited)
}

/// The second node tells what it reads, once.
pub(crate) fn second(tell: Sender<String>) -> Story {
    let mut tell = Some(tell);
    Box::new(move |host| {
        let entry = host.node.node().entry("notes", "today");
        if let Some(value) = entry.and_then(|entry| entry.value)
            && let Some(tell) = tell.take()
        {
            tell.send(format!("second: reads {}", String::from_utf8_lossy(&value)))?;
        }
        Ok(())
    })
}

/// Prints what both nodes tell; an error if that takes too long.
pub(crate) fn print(told: &Receiver<String>) -> Result<(), Failure> {
    for _ in 0..2 {
        println!("{}", told.recv_timeout(Duration::from_secs(30))?);
    }
    Ok(())
}

fn ask() -> HostInput {
    let request = Request::Invite {
        ttl: Duration::from_secs(60),
        uses_max: Some(1),
        role: None,
    };
    let id = RequestId(1);
    HostInput::Request { id, request }
}

fn write() -> Result<HostInput, Failure> {
    let request = Request::Write {
        namespace: Namespace::new("notes")?,
        key: Key::new("today")?,
        value: Some(b"sow"[..].into()),
        level: AckLevel::Relay,
    };
    let id = RequestId(2);
    Ok(HostInput::Request { id, request })
}
