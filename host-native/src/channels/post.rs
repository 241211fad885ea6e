//! A request over HTTP. Tasks wait for answers, no threads: one recipient more costs nothing while it is silent.

use crate::{
    channels::{
        outcome::{self, Outcome, reasons},
        url::Url,
    },
    exit::{Code, Failure},
    links::tls::Dialling,
};
use axum::http::{HeaderName, HeaderValue, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use std::{error::Error, time::SystemTime};

/// How much of an answer is read, in bytes; its beginning is shown.
const ANSWER_BYTES_MAX: usize = 4_096;
/// The type of a body.
pub(super) const JSON: &str = "application/json";

/// Makes requests, over TLS to whom the node trusts when it dials.
#[derive(Clone, Debug)]
pub(super) struct Http(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl Http {
    /// A client.
    ///
    /// # Errors
    /// When TLS can't be set up.
    pub(super) fn new(dialling: &Dialling) -> Result<Self, Failure> {
        let trust = dialling
            .config()
            .ok_or_else(|| Failure::new(Code::Failed, "TLS can't be set up for the channels"))?;
        let mut plain = HttpConnector::new();
        plain.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config((*trust).clone())
            .https_or_http()
            .enable_http1()
            .wrap_connector(plain);
        let client = Client::builder(TokioExecutor::new())
            // Incidents are rare: a kept connection would be closed by then, and fail the next request.
            .pool_max_idle_per_host(0)
            .build(connector);
        Ok(Self(client))
    }

    /// Sends a body with further headers.
    pub(super) async fn post(
        &self,
        url: &Url,
        content_type: &'static str,
        headers: Vec<(HeaderName, String)>,
        body: String,
    ) -> Outcome {
        let mut request = Request::post(url.expose())
            .header(header::CONTENT_TYPE, content_type)
            .header(
                header::USER_AGENT,
                concat!("sporenet/", env!("CARGO_PKG_VERSION")),
            );
        let own = url.authorization().map(|secret| secret.expose().to_owned());
        let own = own.map(|secret| (header::AUTHORIZATION, secret));
        for (name, value) in headers.into_iter().chain(own) {
            let Ok(mut value) = HeaderValue::try_from(value) else {
                return Outcome::Never(format!("the header `{name}` can't be written"));
            };
            value.set_sensitive(name == header::AUTHORIZATION);
            request = request.header(name, value);
        }
        let Ok(request) = request.body(Full::from(body)) else {
            return Outcome::Never("the request can't be written".to_owned());
        };
        match self.0.request(request).await {
            Ok(answer) => {
                let (parts, body) = answer.into_parts();
                let retry_after = parts.headers.get(header::RETRY_AFTER);
                let retry_after = retry_after.and_then(|value| value.to_str().ok());
                let body = beginning(body).await;
                outcome::of_http(parts.status, retry_after, &body, SystemTime::now())
            }
            Err(error) => Outcome::Later {
                // The client itself only says that it is one.
                error: error.source().map_or_else(|| error.to_string(), reasons),
                wait: None,
            },
        }
    }
}

/// The beginning of an answer; nothing where it is long or breaks off, since its status says all.
async fn beginning(body: Incoming) -> String {
    let read = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
    read.map(|read| String::from_utf8_lossy(&read.to_bytes()).into_owned())
        .unwrap_or_default()
}
