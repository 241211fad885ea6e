//! What a connection speaks, by its first byte.

/// A kind of connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    /// A TCP link: a length below 16 MiB comes first, so its first byte is zero.
    Link,
    /// HTTP: a method of upper-case letters comes first.
    Http,
    /// TLS: the type of a handshake record comes first (RFC 8446, section 5.1).
    Tls,
    /// None of these.
    Garbage,
}

/// Tells what a connection speaks.
pub(crate) const fn speaks(first: u8) -> Speaks {
    match first {
        0 => Speaks::Link,
        0x16 => Speaks::Tls,
        b'A'..=b'Z' => Speaks::Http,
        1..=0x15 | 0x17..=b'@' | b'['..=u8::MAX => Speaks::Garbage,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_http_and_garbage_are_told_apart_by_one_byte() {
        let length = 65_551_u32.to_be_bytes();
        assert_eq!(speaks(length[0]), Speaks::Link);
        for method in ["GET", "POST", "PUT", "DELETE", "OPTIONS"] {
            assert_eq!(speaks(method.as_bytes()[0]), Speaks::Http);
        }
        assert_eq!(speaks(0x16), Speaks::Tls);
        for garbage in [0x15, 0x17, b'g', b' ', 0xff, 1] {
            assert_eq!(speaks(garbage), Speaks::Garbage);
        }
    }
}
