//! Keys as a parameter: `/api/v1/kv/NS?key=a/b` is `/api/v1/kv/NS/a%2Fb`. Proxies normalise paths, so a
//! key with slashes, dots or percent signs gets through them in a query only.

use axum::http::{Uri, uri::PathAndQuery};

const NAMESPACES: &str = "/api/v1/kv/";

/// The URI with its `key` parameter in the path; `None` where there is no such parameter.
pub(crate) fn in_path(uri: &Uri) -> Option<Uri> {
    let path = uri.path().trim_end_matches('/');
    let is_namespace = path
        .strip_prefix(NAMESPACES)
        .is_some_and(|ns| !ns.is_empty() && !ns.contains('/'));
    let query = uri.query().filter(|_| is_namespace)?;
    let (keys, rest): (Vec<&str>, Vec<&str>) = query
        .split('&')
        .partition(|parameter| parameter.starts_with("key="));
    // Two keys are an error, which the query's reader tells.
    let [key] = keys.as_slice() else { return None };
    let key = key.strip_prefix("key=").filter(|key| !key.is_empty())?;
    let mut text = format!("{path}/{}", escaped(key));
    if !rest.is_empty() {
        text.push('?');
        text.push_str(&rest.join("&"));
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(text.parse::<PathAndQuery>().ok()?);
    Uri::from_parts(parts).ok()
}

/// A parameter's value as one segment of a path. A key named like the path of the stream is escaped too.
fn escaped(value: &str) -> String {
    if value == "watch" {
        return "%77atch".to_owned();
    }
    let mut out = String::new();
    for byte in value.bytes() {
        match byte {
            b'+' => out.push_str("%20"),
            b'%' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_the_query_is_one_in_the_path() {
        for (asked, meant) in [
            ("/api/v1/kv/app?key=a%2Fb", "/api/v1/kv/app/a%2Fb"),
            (
                "/api/v1/kv/app?key=a/b&ack=relay",
                "/api/v1/kv/app/a%2Fb?ack=relay",
            ),
            (
                "/api/v1/kv/app?ack=relay&key=a+b",
                "/api/v1/kv/app/a%20b?ack=relay",
            ),
            ("/api/v1/kv/app/?key=..", "/api/v1/kv/app/.."),
            ("/api/v1/kv/app?key=watch", "/api/v1/kv/app/%77atch"),
        ] {
            let uri = in_path(&asked.parse().unwrap()).unwrap();
            assert_eq!(uri.to_string(), meant);
        }
        for other in [
            "/api/v1/kv/app",
            "/api/v1/kv/app?prefix=a",
            "/api/v1/kv/app?key=",
            "/api/v1/kv/app?key=a&key=b",
            "/api/v1/kv/app/x?key=a",
            "/api/v1/kv?key=a",
            "/link?key=a",
        ] {
            assert_eq!(in_path(&other.parse().unwrap()), None, "{other}");
        }
    }
}
