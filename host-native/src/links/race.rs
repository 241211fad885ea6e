//! Connecting to a name that has several addresses: they are raced, so that one that swallows packets
//! does not stand before one that answers.
//!
//! Source: RFC 8305 (Happy Eyeballs version 2), sections 4 and 5: families in turns, the resolver's first
//! address first, an attempt each 250 ms or as soon as one has failed, and the first connection wins.

use crate::links::bare;
use futures_util::{StreamExt, stream::FuturesUnordered};
use std::{
    io::{Error, ErrorKind, Result},
    net::SocketAddr,
    time::Duration,
};
use tokio::{
    net::{TcpStream, lookup_host},
    time::sleep,
};

/// How long an attempt has until the next begins beside it. RFC 8305, section 8, recommends it: with
/// less, slow networks get connections that nobody uses; with more, people wait.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// The most addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;

/// Connects to `host`, an IPv6 address in brackets or not.
///
/// # Errors
/// When the name has no address, or none answers; how long that may take is for the caller to say.
pub(crate) async fn connect(host: &str, port: u16) -> Result<TcpStream> {
    let found: Vec<SocketAddr> = lookup_host((bare(host), port)).await?.collect();
    connect_to(&found).await
}

/// Connects to the first of several addresses that answers.
///
/// # Errors
/// When there is none, or none answers.
pub(crate) async fn connect_to(found: &[SocketAddr]) -> Result<TcpStream> {
    race(in_turns(found)).await
}

/// The addresses with their families in turns, beginning with the resolver's first.
fn in_turns(found: &[SocketAddr]) -> Vec<SocketAddr> {
    let v6_first = found.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<SocketAddr>, Vec<SocketAddr>) = found
        .iter()
        .partition(|address| address.is_ipv6() == v6_first);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut turns = Vec::new();
    loop {
        let pair = [first.next(), second.next()];
        if pair == [None, None] {
            turns.truncate(ADDRESSES_MAX);
            return turns;
        }
        turns.extend(pair.into_iter().flatten());
    }
}

async fn race(addresses: Vec<SocketAddr>) -> Result<TcpStream> {
    let mut waiting = addresses.into_iter();
    let mut running = FuturesUnordered::new();
    let mut failure = Error::new(ErrorKind::NotFound, "the name has no address");
    loop {
        if let Some(address) = waiting.next() {
            running.push(TcpStream::connect(address));
        } else if running.is_empty() {
            return Err(failure);
        }
        let is_last = waiting.len() == 0;
        tokio::select! {
            Some(outcome) = running.next() => match outcome {
                Ok(stream) => return Ok(stream),
                // A refusal says more than a network that is not there.
                Err(error) if failure.kind() != ErrorKind::ConnectionRefused => failure = error,
                Err(_) => {}
            },
            () = sleep(ATTEMPT_DELAY), if !is_last => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn families_take_turns_and_the_resolvers_first_is_first() {
        assert_eq!(
            in_turns(&addresses(&["[::1]:1", "[::2]:1", "1.1.1.1:1", "[::3]:1"])),
            addresses(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"])
        );
        assert_eq!(
            in_turns(&addresses(&["1.1.1.1:1", "[::1]:1"])),
            addresses(&["1.1.1.1:1", "[::1]:1"])
        );
        assert_eq!(in_turns(&[]), []);
    }

    /// A listener whose queue is full swallows what comes, as a firewall that drops does.
    #[tokio::test]
    async fn an_address_that_swallows_packets_holds_up_no_other() {
        let silent =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        silent
            .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
            .unwrap();
        silent.listen(0).unwrap();
        let silent_at = silent.local_addr().unwrap().as_socket().unwrap();
        let _fills_the_queue = std::net::TcpStream::connect(silent_at).unwrap();
        let good = TcpListener::bind("127.0.0.1:0").unwrap();
        let good_at = good.local_addr().unwrap();
        let stream = race(vec![silent_at, good_at]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good_at);
    }

    #[tokio::test]
    async fn a_refusal_is_told_when_nothing_answers() {
        let closed = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let outcome = race(vec![closed, closed]).await;
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        assert_eq!(
            race(Vec::new()).await.unwrap_err().kind(),
            ErrorKind::NotFound
        );
    }
}
