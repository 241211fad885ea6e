//! The same as `blocking`, with tokio: two nodes over TCP, and the second reads what the first wrote.
//!
//! A task owns each node and waits for one thing at a time. The half that needs no runtime is in
//! `host`.
mod host;

use host::{Action, Failure, Host, Story, story};
use sporenet_core::{kernel::id::LinkId, membership::join_link::JoinLink};
use std::collections::BTreeMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, tcp::OwnedWriteHalf};
use tokio::sync::mpsc::{Sender, channel};

/// Runs a node: drain, take the deadline, wait for one thing, feed it.
async fn run(name: &str, join: Option<JoinLink>, mut story: Story) -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut host = Host::start(name, listener.local_addr()?, join)?;
    let (words, mut inbox) = channel(16);
    let mut sockets: BTreeMap<LinkId, OwnedWriteHalf> = BTreeMap::new();
    loop {
        while let Some(action) = host.next() {
            match action {
                Action::Connect(link, to) => {
                    match TcpStream::connect((to.host(), to.port())).await {
                        Ok(stream) => {
                            sockets.insert(link, read(link, stream, &words));
                            host.opened(link);
                        }
                        Err(_) => host.end(link),
                    }
                }
                // Whether a write failed is seen by the task that reads.
                Action::Write(link, bytes) => {
                    if let Some(socket) = sockets.get_mut(&link) {
                        let _ = socket.write_all(&bytes).await;
                    }
                }
                // Dropping the half that writes ends the connection.
                Action::Close(link) => drop(sockets.remove(&link)),
            }
        }
        story(&mut host)?;
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                if let Some(link) = host.accept() {
                    sockets.insert(link, read(link, stream, &words));
                }
            }
            Some((link, bytes)) = inbox.recv() => host.receive(link, &bytes),
            () = tokio::time::sleep(host.wait()) => {}
        }
        host.tick();
    }
}

/// Reads a connection on a task of its own; no bytes mean that it has ended.
fn read(link: LinkId, stream: TcpStream, words: &Sender<(LinkId, Vec<u8>)>) -> OwnedWriteHalf {
    let ((mut reader, writer), words) = (stream.into_split(), words.clone());
    tokio::spawn(async move {
        let mut buffer = [0; 4_096];
        let mut count = buffer.len();
        while count > 0 {
            count = reader.read(&mut buffer).await.unwrap_or(0);
            let bytes = buffer.iter().copied().take(count).collect();
            let _ = words.send((link, bytes)).await;
        }
    });
    writer
}

fn main() -> Result<(), Failure> {
    let runtime = tokio::runtime::Runtime::new()?;
    let (tell, told) = std::sync::mpsc::channel();
    let (first, invited) = story::first(tell.clone());
    runtime.spawn(run("first", None, first));
    runtime.spawn(run("second", Some(invited.recv()?), story::second(tell)));
    story::print(&told)
}
