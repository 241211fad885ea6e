//! Two nodes over TCP with threads of the standard library: the second reads what the first wrote.
//!
//! A thread owns each node and waits for one thing at a time. The half without threads is in `host`.
mod host;

use host::{Action, Failure, Host, Story, story};
use sporenet_core::{kernel::id::LinkId, membership::join_link::JoinLink};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::{collections::BTreeMap, io::Read, io::Write, sync::mpsc, thread};

/// What wakes a node's thread: a connection that someone opened, or bytes; none at its end.
enum Word {
    Accepted(TcpStream),
    Received(LinkId, Vec<u8>),
}

/// Runs a node: drain, take the deadline, wait for one thing, feed it.
fn run(name: &str, join: Option<JoinLink>, mut story: Story) -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut host = Host::start(name, listener.local_addr()?, join)?;
    let (words, inbox) = mpsc::channel();
    let accepted = words.clone();
    let accept = move |stream| accepted.send(Word::Accepted(stream));
    thread::spawn(move || listener.incoming().flatten().try_for_each(accept));
    let mut sockets: BTreeMap<LinkId, TcpStream> = BTreeMap::new();
    loop {
        while let Some(action) = host.next() {
            match action {
                Action::Connect(link, to) => match TcpStream::connect((to.host(), to.port())) {
                    Ok(stream) => {
                        sockets.insert(link, read(link, stream, &words)?);
                        host.opened(link);
                    }
                    Err(_) => host.end(link),
                },
                Action::Write(link, bytes) => {
                    drop(sockets.get(&link).map(|mut to| to.write_all(&bytes)));
                }
                Action::Close(link) => {
                    drop(sockets.remove(&link).map(|to| to.shutdown(Shutdown::Both)));
                }
            }
        }
        story(&mut host)?;
        match inbox.recv_timeout(host.wait()) {
            Ok(Word::Accepted(stream)) => {
                if let Some(link) = host.accept() {
                    sockets.insert(link, read(link, stream, &words)?);
                }
            }
            Ok(Word::Received(link, bytes)) => host.receive(link, &bytes),
            Err(_) => {}
        }
        host.tick();
    }
}

/// Reads a connection on a thread of its own, which also notices when a write failed.
fn read(link: LinkId, stream: TcpStream, words: &mpsc::Sender<Word>) -> Result<TcpStream, Failure> {
    let (mut reader, words) = (stream.try_clone()?, words.clone());
    let mut buffer = [0; 4_096];
    let mut count = buffer.len();
    thread::spawn(move || {
        while count > 0 {
            count = reader.read(&mut buffer).unwrap_or(0);
            let bytes = buffer.iter().copied().take(count).collect();
            let _ = words.send(Word::Received(link, bytes));
        }
    });
    Ok(stream)
}

fn main() -> Result<(), Failure> {
    let (tell, told) = mpsc::channel();
    let (first, invited) = story::first(tell.clone());
    thread::spawn(|| run("first", None, first));
    let link = invited.recv()?;
    thread::spawn(|| run("second", Some(link), story::second(tell)));
    story::print(&told)
}
