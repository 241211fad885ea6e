//! The embedded web bundle: the console and the node in a tab.

use crate::{
    assets::{self, Asset, Encoding},
    http::problem::Problem,
};
use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
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
    let encoding = wanted(&listed(request.headers(), &header::ACCEPT_ENCODING));
    let etag = asset.etag(encoding);
    let known = is_known(&listed(request.headers(), &header::IF_NONE_MATCH), &etag);
    let body = if known || request.method() == Method::HEAD {
        Body::empty()
    } else {
        Body::from(asset.bytes(encoding))
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
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(header::ETAG, etag);
    }
    if encoding != Encoding::Identity {
        headers.insert(
            header::CONTENT_ENCODING,
            HeaderValue::from_static(encoding.name()),
        );
    }
    response
}

/// The values of a header that is a list, in one text.
fn listed(headers: &HeaderMap, name: &HeaderName) -> String {
    let values = headers.get_all(name).iter();
    let values: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
    values.join(",")
}

/// The encoding that an `Accept-Encoding` likes best; of those that it likes equally the smallest.
///
/// When it takes none of them it gets the plain bytes: the RFC lets a server answer so, and every browser
/// reads them.
///
/// Source: RFC 9110, section 12.5.3.
fn wanted(accepted: &str) -> Encoding {
    let mut best = (Encoding::Identity, 0);
    for encoding in Encoding::ALL {
        let weight = weight(accepted, encoding);
        if weight > best.1 {
            best = (encoding, weight);
        }
    }
    best.0
}

/// How much an `Accept-Encoding` likes an encoding, in thousandths; 0 if it does not take it.
fn weight(accepted: &str, encoding: Encoding) -> u32 {
    let mut any = None;
    for item in accepted.split(',') {
        let (coding, parameters) = item.split_once(';').unwrap_or((item, ""));
        let weight = quality(parameters);
        match coding.trim().to_ascii_lowercase().as_str() {
            "*" => any = any.or(Some(weight)),
            // An old name of gzip (RFC 9110, section 8.4.1.3).
            "x-gzip" if encoding == Encoding::Gzip => return weight,
            named if named == encoding.name() => return weight,
            _ => {}
        }
    }
    any.unwrap_or(0)
}

/// The weight among an item's parameters in thousandths. Without one it is 1; one that is no number
/// between 0 and 1 counts as 0.
fn quality(parameters: &str) -> u32 {
    let mut parameters = parameters.split(';').map(str::trim);
    let Some(text) = parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
    }) else {
        return 1_000;
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = fraction.len() <= 3 && fraction.bytes().all(|digit| digit.is_ascii_digit());
    match whole {
        "0" if is_number => format!("{fraction:0<3}").parse().unwrap_or(0),
        "1" if is_number && fraction.bytes().all(|digit| digit == b'0') => 1_000,
        _ => 0,
    }
}

/// Whether a browser has what has this tag already.
fn is_known(tags: &str, etag: &str) -> bool {
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
        assert!(is_known("\"abc\"", "\"abc\""));
        assert!(is_known("\"x\", W/\"abc\"", "\"abc\""));
        assert!(is_known("*", "\"abc\""));
        assert!(!is_known("\"abcd\"", "\"abc\""));
        assert!(!is_known("\"abc-br\"", "\"abc\""));
        assert!(!is_known("abc", "\"abc\""));
    }

    #[test]
    fn a_browser_gets_the_smallest_encoding_that_it_takes() {
        assert_eq!(wanted("gzip, deflate, br, zstd"), Encoding::Brotli);
        assert_eq!(wanted("gzip, deflate"), Encoding::Gzip);
        assert_eq!(wanted("x-gzip"), Encoding::Gzip);
        assert_eq!(wanted("GZIP;Q=0.5"), Encoding::Gzip);
        assert_eq!(wanted("*"), Encoding::Brotli);
    }

    #[test]
    fn weights_are_respected() {
        assert_eq!(wanted("br;q=0.5, gzip;q=0.8"), Encoding::Gzip);
        assert_eq!(wanted("br;q=0, gzip"), Encoding::Gzip);
        assert_eq!(wanted("br;q=0.000, *"), Encoding::Gzip);
        assert_eq!(wanted("gzip;q=0.3, identity;q=0.9"), Encoding::Identity);
        assert_eq!(wanted("gzip; q=0.001"), Encoding::Gzip);
        assert_eq!(wanted("br;q=2, gzip;q=1.0"), Encoding::Gzip);
    }

    #[test]
    fn who_takes_no_encoding_gets_the_plain_bytes() {
        for accepted in ["", "identity", "zstd", "*;q=0", "br;q=0, gzip;q=0"] {
            assert_eq!(wanted(accepted), Encoding::Identity, "{accepted}");
        }
    }
}
