//! What an attempt came to.

use axum::http::StatusCode;
use std::time::{Duration, SystemTime};

/// What an attempt came to. The words are not yet cleaned of secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The recipient took it, and said this.
    Told(String),
    /// It may work later, at the earliest after `wait`.
    Later {
        /// Why not now.
        error: String,
        /// How long the recipient wants to be left alone.
        wait: Option<Duration>,
    },
    /// It will never work.
    Never(String),
}

/// What an answer over HTTP means. `retry_after` is the header of that name.
///
/// Source: RFC 9110, section 15 (what may be repeated); RFC 6585, section 4 (429).
pub(super) fn of_http(
    status: StatusCode,
    retry_after: Option<&str>,
    body: &str,
    now: SystemTime,
) -> Outcome {
    let said = if body.trim().is_empty() {
        status.to_string()
    } else {
        format!("{status}: {body}")
    };
    let is_passing = status.is_server_error()
        || status == StatusCode::REQUEST_TIMEOUT
        || status == StatusCode::TOO_MANY_REQUESTS;
    if status.is_success() {
        Outcome::Told(said)
    } else if is_passing {
        let wait = retry_after.and_then(|text| wait_of(text, now));
        Outcome::Later { error: said, wait }
    } else if status.is_redirection() {
        Outcome::Never(format!(
            "{status}: redirects are not followed; name the address behind it"
        ))
    } else {
        Outcome::Never(said)
    }
}

/// `Retry-After`: seconds, or a date.
fn wait_of(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    text.parse().map(Duration::from_secs).ok().or_else(|| {
        let at = httpdate::parse_http_date(text).ok()?;
        Some(at.duration_since(now).unwrap_or_default())
    })
}

/// An error with what is behind it.
pub(super) fn reasons(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(at) = cause {
        let more = at.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = at.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(status: u16, retry_after: Option<&str>) -> Outcome {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(951_782_400);
        of_http(
            StatusCode::from_u16(status).unwrap(),
            retry_after,
            "words",
            now,
        )
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for status in [200, 202, 204] {
            assert!(
                matches!(outcome(status, None), Outcome::Told(_)),
                "{status}"
            );
        }
        for status in [408, 429, 500, 502, 503, 504] {
            assert!(
                matches!(outcome(status, None), Outcome::Later { .. }),
                "{status}"
            );
        }
        for status in [301, 307, 400, 401, 403, 404, 410, 422] {
            assert!(
                matches!(outcome(status, None), Outcome::Never(_)),
                "{status}"
            );
        }
    }

    #[test]
    fn a_recipient_says_how_long_it_wants_to_be_left_alone() {
        let wait = |text| match outcome(429, Some(text)) {
            Outcome::Later { wait, .. } => wait,
            Outcome::Told(_) | Outcome::Never(_) => None,
        };
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(
            wait("Tue, 29 Feb 2000 00:01:30 GMT"),
            Some(Duration::from_secs(90))
        );
        assert_eq!(wait("Mon, 28 Feb 2000 00:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("soon"), None);
    }
}
