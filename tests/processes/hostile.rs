//! Garbage, slow-drip and oversized input on the port: cut off, and nobody else notices.

use sporenet_core::kernel::rng::Rng;
use sporenet_tests::{mesh::Mesh, relay::Relay, wait};
use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

/// How long a stranger's connection may last.
const CUT_OFF: Duration = Duration::from_secs(10);
/// How many strangers of a kind come at once.
const STRANGERS: usize = 8;

/// Sends what `next` gives, with its pauses, until the relay ends the connection; answers how long
/// that took and how many bytes came back.
fn until_cut_off(
    relay: &Relay,
    mut next: impl FnMut() -> (Vec<u8>, Duration),
) -> (Duration, usize) {
    let mut stream = TcpStream::connect(relay.address).unwrap();
    let start = Instant::now();
    let mut answered = 0;
    let mut buffer = [0; 4096];
    while start.elapsed() < CUT_OFF * wait::PATIENCE {
        let (bytes, pause) = next();
        stream.set_nonblocking(false).unwrap();
        if stream.write_all(&bytes).is_err() {
            return (start.elapsed(), answered);
        }
        stream
            .set_read_timeout(Some(pause.max(Duration::from_millis(1))))
            .unwrap();
        match stream.read(&mut buffer) {
            Ok(0) => return (start.elapsed(), answered),
            Ok(read) => answered += read,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return (start.elapsed(), answered),
        }
    }
    panic!("not cut off after {:?}", start.elapsed());
}

/// Sends `STRANGERS` of a kind to a relay while others use it.
fn survive(what: &str, stranger: impl Fn(u64) -> Box<dyn FnMut() -> (Vec<u8>, Duration)> + Sync) {
    let mesh = Mesh::of(2);
    let resident = mesh.relays[0].resident_kib();
    thread::scope(|scope| {
        let strangers: Vec<_> = (0..STRANGERS)
            .map(|number| {
                let relay = &mesh.relays[0];
                let stranger = &stranger;
                scope.spawn(move || until_cut_off(relay, stranger(number as u64)))
            })
            .collect();
        for number in 0..20 {
            mesh.relays[0]
                .put("app", &format!("key-{number}"), "value", "relay")
                .unwrap();
        }
        for stranger in strangers {
            let (took, answered) = stranger.join().unwrap();
            wait::figure(&format!("{what} is cut off"), took, CUT_OFF);
            assert!(answered < 4096, "{answered} bytes for a stranger");
        }
    });
    let grown = mesh.relays[0].resident_kib().saturating_sub(resident);
    println!("figure: {what}: the relay grew by {grown} KiB for {STRANGERS} strangers");
    assert_eq!(mesh.relays[1].names("alive").len(), 2);
    assert_eq!(mesh.relays[0].status()["verdict"], "healthy");
}

#[test]
fn garbage_is_cut_off() {
    survive("garbage", |seed| {
        let mut rng = Rng::from_number(seed);
        Box::new(move || {
            let mut bytes = vec![0; 1024];
            rng.fill(&mut bytes);
            (bytes, Duration::from_millis(1))
        })
    });
}

#[test]
fn a_drip_that_never_ends_is_cut_off() {
    survive("a dripping link", |_| {
        let mut bytes = [0, 0, 0, 128]
            .into_iter()
            .chain(*b"SPOR")
            .chain(std::iter::repeat(1));
        Box::new(move || {
            (
                bytes.next().into_iter().collect(),
                Duration::from_millis(200),
            )
        })
    });
    survive("a dripping request", |_| {
        let head = b"GET / HTTP/1.1\r\nX-Drip: ".iter().copied();
        let mut bytes = head.chain(std::iter::repeat(b'a'));
        Box::new(move || {
            (
                bytes.next().into_iter().collect(),
                Duration::from_millis(200),
            )
        })
    });
    survive("silence", |_| {
        Box::new(|| (Vec::new(), Duration::from_millis(200)))
    });
}

#[test]
fn oversized_input_is_cut_off() {
    survive("a message of 16 MiB", |_| {
        let mut head = Some(vec![0, 0xff, 0xff, 0xff]);
        Box::new(move || {
            let bytes = head.take().unwrap_or_else(|| vec![b'x'; 16 * 1024]);
            (bytes, Duration::from_millis(1))
        })
    });
    survive("a header without end", |_| {
        let mut head = Some(b"GET / HTTP/1.1\r\nX-Long: ".to_vec());
        Box::new(move || {
            let bytes = head.take().unwrap_or_else(|| vec![b'x'; 16 * 1024]);
            (bytes, Duration::from_millis(1))
        })
    });
}
