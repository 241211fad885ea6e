//! The embedded web bundle: the console and the node in a tab.

use crate::{
    assets::{self, Asset},
    http::problem::Problem,
};
use axum::{
    body::Body,
    extract::Request,
    http::{HeaderValue, Method, StatusCode, header},
    response::{Html, IntoResponse, Response},
};

/// What a build without console shows.
const NO_CONSOLE: &str = "<!doctype html>\n<html lang=\"en\">\n<title>Sporenet</title>\n\
    <p>This relay was built without its console. The API is at <code>/api/v1</code>; \
    <code>sporenet status</code> shows the node.\n";

/// Serves a file of the bundle. The token is not wanted: there is nothing secret in it.
pub(crate) async fn asset(request: Request) -> Response {
    std::future::ready(serve(&request)).await
}

fn serve(request: &Request) -> Response {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        return Problem::not_found("There is nothing at this path.").into_response();
    }
    let path = match request.uri().path().trim_start_matches('/') {
        "" => "index.html",
        path => path,
    };
    match assets::lookup(path) {
        Some(asset) => found(request, &asset),
        None if path == "index.html" => Html(NO_CONSOLE).into_response(),
        None => Problem::not_found("There is nothing at this path.").into_response(),
    }
}

fn found(request: &Request, asset: &Asset) -> Response {
    let known = request
        .headers()
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|tags| is_known(tags, asset.etag));
    let body = if known || request.method() == Method::HEAD {
        Body::empty()
    } else {
        Body::from(asset.bytes)
    };
    let mut response = body.into_response();
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(asset.content_type),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    if let Ok(etag) = HeaderValue::from_str(&quoted(asset.etag)) {
        headers.insert(header::ETAG, etag);
    }
    if asset.gzip {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

fn quoted(etag: &str) -> String {
    if etag.starts_with('"') {
        etag.to_owned()
    } else {
        format!("\"{etag}\"")
    }
}

fn is_known(tags: &str, etag: &str) -> bool {
    let etag = quoted(etag);
    tags.split(',').any(|tag| {
        let tag = tag.trim();
        tag == "*" || tag.trim_start_matches("W/") == etag
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_known_alone_in_a_list_or_weakened() {
        assert!(is_known("\"abc\"", "abc"));
        assert!(is_known("\"x\", W/\"abc\"", "abc"));
        assert!(is_known("*", "abc"));
        assert!(!is_known("\"abcd\"", "abc"));
        assert!(!is_known("abc", "abc"));
    }
}
