//! A web address of one's own: the notification as JSON, signed.

use crate::channels::{
    notification::Notification,
    outcome::Outcome,
    post::{Http, JSON},
    secret::Secret,
    text::hex,
    url::Url,
};
use axum::http::HeaderName;
use ring::hmac;

/// Says when it was sent, and proves by whom.
const SIGNATURE: HeaderName = HeaderName::from_static("sporenet-signature");
/// Is the same for each attempt.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Tells a web address. `now_s` is in seconds since 1970-01-01 UTC.
pub(super) async fn send(
    http: &Http,
    url: &Url,
    key: Option<&Secret>,
    notification: &Notification,
    now_s: u64,
) -> Outcome {
    let Ok(body) = serde_json::to_string(notification) else {
        return Outcome::Never("the notification can't be written as JSON".to_owned());
    };
    let mut headers = vec![(IDEMPOTENCY_KEY, notification.key.clone())];
    if let Some(key) = key {
        headers.push((SIGNATURE, signature(key.expose(), now_s, &body)));
    }
    http.post(url, JSON, headers, body).await
}

/// `t=…,v1=…`: the moment, and the HMAC with SHA-256 of `t.body` under the key, in hexadecimal digits.
/// The moment is signed too, so that a recipient can refuse what somebody recorded and sends again.
fn signature(key: &str, now_s: u64, body: &str) -> String {
    let mac = mac(key.as_bytes(), format!("{now_s}.{body}").as_bytes());
    format!("t={now_s},v1={mac}")
}

fn mac(key: &[u8], message: &[u8]) -> String {
    hex(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Source: RFC 4231, sections 4.2, 4.3, 4.4 and 4.7.
    #[test]
    fn the_hmac_is_that_of_the_standard() {
        for (key, message, expected) in [
            (
                &[0x0b; 20][..],
                &b"Hi There"[..],
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 20],
                &[0xdd; 50],
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
            ),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ] {
            assert_eq!(mac(key, message), expected);
        }
    }

    #[test]
    fn the_signature_covers_the_moment_and_the_body() {
        let signed = signature("key", 1_700_000_000, "{}");
        assert!(signed.starts_with("t=1700000000,v1="), "{signed}");
        assert_eq!(signed.len(), "t=1700000000,v1=".len() + 64);
        assert_ne!(signed, signature("key", 1_700_000_001, "{}"));
        assert_ne!(
            signed.split(',').nth(1),
            signature("key", 1_700_000_000, "{ }").split(',').nth(1)
        );
        assert_ne!(signed, signature("kez", 1_700_000_000, "{}"));
    }
}
