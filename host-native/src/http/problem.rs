//! Errors as problem details (RFC 9457): a plain sentence for people, a stable word for scripts.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use sporenet_core::{
    membership::admission::InviteRefusal,
    node::contract::{ForgetRefusal, Refusal},
    observe::alerts::WishRefusal,
    replication::{replica::VerifyRefusal, write::WriteRefusal},
};

/// How long a client should wait before it tries again, in seconds.
const RETRY_AFTER_S: &str = "1";

/// A request that was not done, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The HTTP status.
    pub(crate) status: StatusCode,
    /// A stable word.
    pub(crate) code: &'static str,
    /// A plain sentence.
    pub(crate) detail: String,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'a str,
}

impl Problem {
    /// A problem.
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
        }
    }

    /// The request makes no sense.
    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", detail)
    }

    /// The core task has too much to do.
    pub(crate) fn busy() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "busy",
            "the node is busy; try again",
        )
    }

    /// The process stops.
    pub(crate) fn stopping() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "stopping",
            "the node is stopping or busy; try again",
        )
    }

    /// What was asked for by that name is not there.
    pub(crate) fn ambiguous(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "ambiguous", detail)
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let (status, code) = match &refusal {
            Refusal::Write(write) => match write {
                WriteRefusal::ValueTooLarge { .. } => {
                    (StatusCode::PAYLOAD_TOO_LARGE, "value_too_large")
                }
                WriteRefusal::Full => (StatusCode::INSUFFICIENT_STORAGE, "full"),
                WriteRefusal::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
                WriteRefusal::NotReplicated => (StatusCode::GATEWAY_TIMEOUT, "not_replicated"),
                WriteRefusal::KeyAhead { .. } => (StatusCode::CONFLICT, "key_ahead"),
                WriteRefusal::KeyReserved => (StatusCode::BAD_REQUEST, "key_reserved"),
                WriteRefusal::OtherKind { .. } => (StatusCode::CONFLICT, "other_kind"),
                WriteRefusal::TooMany { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too_many"),
                WriteRefusal::PartTooLong { .. } => (StatusCode::BAD_REQUEST, "part_too_long"),
                WriteRefusal::Reserved => (StatusCode::FORBIDDEN, "reserved"),
                WriteRefusal::NotWritable { .. } => {
                    (StatusCode::SERVICE_UNAVAILABLE, "not_writable")
                }
            },
            Refusal::Invite(invite) => match invite {
                InviteRefusal::OutOfRange => (StatusCode::BAD_REQUEST, "invite_out_of_range"),
                InviteRefusal::CannotInvite => (StatusCode::CONFLICT, "cannot_invite"),
                InviteRefusal::TooMany => (StatusCode::CONFLICT, "too_many_invites"),
                InviteRefusal::NotStored => (StatusCode::INSUFFICIENT_STORAGE, "full"),
            },
            Refusal::Wish(wish) => {
                let status = match wish {
                    WishRefusal::NotKnown(_) | WishRefusal::NoVersion(_) => StatusCode::NOT_FOUND,
                    WishRefusal::Over(_) | WishRefusal::NothingBefore => StatusCode::CONFLICT,
                    WishRefusal::Span | WishRefusal::Setting(_) => StatusCode::BAD_REQUEST,
                    WishRefusal::NoClock => StatusCode::SERVICE_UNAVAILABLE,
                };
                (status, wish.code())
            }
            Refusal::Verify(verify) => match verify {
                VerifyRefusal::NotLinked => (StatusCode::NOT_FOUND, "not_linked"),
                VerifyRefusal::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
                VerifyRefusal::NoAnswer => (StatusCode::GATEWAY_TIMEOUT, "no_answer"),
                VerifyRefusal::OnTab => (StatusCode::CONFLICT, "on_tab"),
            },
            Refusal::Forget(forget) => match forget {
                ForgetRefusal::NotKnown => (StatusCode::NOT_FOUND, "not_found"),
                ForgetRefusal::Several => (StatusCode::CONFLICT, "ambiguous"),
                ForgetRefusal::NotDead(_) => (StatusCode::CONFLICT, "not_dead"),
                ForgetRefusal::OnTab => (StatusCode::CONFLICT, "on_tab"),
            },
        };
        Self::new(status, code, format!("{refusal}."))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Body {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            code: self.code,
            detail: &self.detail,
        };
        let text = serde_json::to_string(&body).unwrap_or_default();
        let content_type = HeaderValue::from_static("application/problem+json");
        let mut response =
            (self.status, [(header::CONTENT_TYPE, content_type)], text).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            let wait = HeaderValue::from_static(RETRY_AFTER_S);
            response.headers_mut().insert(header::RETRY_AFTER, wait);
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let how = HeaderValue::from_static("Bearer realm=\"sporenet\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, how);
        }
        response
    }
}

/// An unknown path below `/api/v1`.
pub(crate) async fn not_found() -> Problem {
    std::future::ready(Problem::not_found(
        "There is nothing at this path; docs/api.md lists them.",
    ))
    .await
}

/// A known path, asked in a way that it does not know.
pub(crate) async fn method_not_allowed() -> Problem {
    std::future::ready(Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "This path does not take that method; docs/api.md lists them.",
    ))
    .await
}
